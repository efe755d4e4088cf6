//! A failure told in the middle of an answer, by its meaning.

use crate::{ApiError, ErrorKind};

/// The meaning of a vendor's code, so that the client's dialect has its own word for it. A code that nobody knows is
/// the vendor's failure: what has begun cannot be the client's fault.
pub(crate) fn told(code: &str, message: String) -> ApiError {
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    let kind = if has(&["overloaded", "slow_down", "capacity", "529", "503"]) {
        ErrorKind::Overloaded
    } else if has(&["insufficient_quota", "usage_limit", "quota_exceeded"]) {
        ErrorKind::QuotaExceeded
    } else if has(&["billing", "credit_balance"]) {
        ErrorKind::WalletEmpty
    } else if has(&["rate_limit", "429", "throttl"]) {
        ErrorKind::RateLimited
    } else if has(&["context_length", "context_window"]) {
        ErrorKind::ContextLength
    } else if has(&[
        "content_filter",
        "policy",
        "invalid_prompt",
        "sensitive",
        "safety",
    ]) {
        ErrorKind::ContentFiltered
    } else if has(&["timeout", "504"]) {
        ErrorKind::UpstreamTimeout
    } else if has(&["invalid_request", "400"]) {
        ErrorKind::UpstreamRejected
    } else {
        ErrorKind::UpstreamFailed
    };
    let message = if !message.is_empty() {
        message
    } else if code.is_empty() {
        "The vendor reported a failure without a word about it.".to_owned()
    } else {
        format!("The vendor reported a failure: {code}.")
    };
    ApiError::new(kind, message)
}

/// What comes of bytes that are no event.
pub(crate) fn unreadable() -> ApiError {
    ApiError::new(
        ErrorKind::UpstreamFailed,
        "The vendor sent something that is not valid JSON.",
    )
}

/// What comes of a body in which there is no answer.
pub(crate) fn no_answer() -> ApiError {
    ApiError::new(
        ErrorKind::UpstreamFailed,
        "The vendor's answer cannot be read: there is none in it.",
    )
}

/// What comes of an answer that the vendor itself does not call complete.
pub(crate) fn unfinished() -> ApiError {
    ApiError::new(
        ErrorKind::UpstreamFailed,
        "The vendor's answer cannot be read: by its status it is not complete.",
    )
}

/// What comes of a call that never gets a name: no client can be told of it, and without it the answer is another.
pub(crate) fn nameless() -> ApiError {
    ApiError::new(
        ErrorKind::UpstreamFailed,
        "The vendor called a tool without a name: its answer cannot be read.",
    )
}

/// What comes of a stream that ends too early.
pub(crate) fn cut() -> ApiError {
    ApiError::new(
        ErrorKind::UpstreamFailed,
        "The vendor ended its answer before it was complete.",
    )
}

/// What comes of an answer that cannot be held.
pub(crate) fn too_large() -> ApiError {
    ApiError::new(
        ErrorKind::UpstreamFailed,
        "The vendor's answer is larger than the gateway can hold.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_every_dialect_have_their_meaning() {
        for (code, kind) in [
            ("overloaded_error", ErrorKind::Overloaded),
            ("server_is_overloaded", ErrorKind::Overloaded),
            ("rate_limit_error", ErrorKind::RateLimited),
            ("rate_limit_exceeded", ErrorKind::RateLimited),
            ("insufficient_quota", ErrorKind::QuotaExceeded),
            ("context_length_exceeded", ErrorKind::ContextLength),
            ("invalid_prompt", ErrorKind::ContentFiltered),
            ("invalid_request_error", ErrorKind::UpstreamRejected),
            ("502", ErrorKind::UpstreamFailed),
            ("server_error", ErrorKind::UpstreamFailed),
            ("api_error", ErrorKind::UpstreamFailed),
            ("timeout_error", ErrorKind::UpstreamTimeout),
            ("", ErrorKind::UpstreamFailed),
        ] {
            let error = told(code, String::new());
            assert_eq!(error.kind, kind, "{code}");
            assert!(!error.message.is_empty());
        }
        assert_eq!(told("x", "said".into()).message, "said");
    }
}
