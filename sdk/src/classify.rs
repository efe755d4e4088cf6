//! What a failed answer means, for the two families of error bodies that most vendors use.
//!
//! A vendor's own words come first, the family's after: see `guest-providers/kimi` for how little that takes.
//!
//! ```
//! use tollgate_guest::{classify, kind, testing};
//! let answer = testing::FailedAnswer::new(429)
//!     .body(r#"{"error":{"message":"Please try again in 1.5s.","type":"requests","code":"rate_limit_exceeded"}}"#);
//! let failure = classify::openai(&answer.view());
//! assert_eq!(failure.kind, kind::RATE_LIMITED);
//! assert_eq!(failure.retry_after_ms, Some(1500));
//! ```

mod message;
mod retry;

pub use message::clean;
pub use retry::{duration_ms, retry_after_ms};

use crate::json::Json;
use crate::{FailedAnswer, Failure, kind};

/// What an error body says, whatever its family. Members that are not there are empty.
///
/// ```
/// use tollgate_guest::{classify::ErrorBody, testing};
/// let answer = testing::FailedAnswer::new(529)
///     .body(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
/// assert_eq!(ErrorBody::of(&answer.view()).kind, "overloaded_error");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// The machine-readable code, also where the vendor writes a number.
    pub code: String,
    /// The error's `type`.
    pub kind: String,
    /// The sentence, as the vendor wrote it.
    pub message: String,
}

impl ErrorBody {
    /// Reads an answer's body: `{"error":{…}}`, an error inside a `response` object (a stream's failed event), the
    /// members at the top, or `{"detail":…}`.
    pub fn of(answer: &FailedAnswer) -> Self {
        let Ok(body) = Json::parse_bytes(&answer.body()) else {
            return Self::default();
        };
        let inner = ["/error", "/response/error"]
            .iter()
            .find_map(|pointer| body.at(pointer))
            .filter(|inner| !inner.is_null());
        match inner {
            Some(Json::String(message)) => Self {
                message: message.clone(),
                ..Self::members(&body)
            },
            Some(inner) => Self::members(inner),
            None => Self::members(&body),
        }
    }

    fn members(of: &Json) -> Self {
        let text = |name: &str| match of.get(name) {
            Some(Json::String(text) | Json::Number(text)) => text.clone(),
            _ => String::new(),
        };
        let message = text("message");
        Self {
            code: text("code"),
            kind: text("type"),
            message: if message.is_empty() {
                text("detail")
            } else {
                message
            },
        }
    }

    /// Whether the message holds a phrase, in any case.
    ///
    /// ```
    /// let body = tollgate_guest::classify::ErrorBody { message: "Too LONG".into(), ..Default::default() };
    /// assert!(body.says("too long"));
    /// ```
    pub fn says(&self, phrase: &str) -> bool {
        self.message.to_ascii_lowercase().contains(phrase)
    }

    /// The failure of a kind that this answer is: with the vendor's message where it is about the request, and the
    /// time to wait where the vendor said one.
    ///
    /// ```
    /// use tollgate_guest::{classify::ErrorBody, kind, testing};
    /// let answer = testing::FailedAnswer::new(429).header("retry-after", "7");
    /// let failure = ErrorBody::of(&answer.view()).failure(kind::RATE_LIMITED, &answer.view());
    /// assert_eq!(failure.retry_after_ms, Some(7000));
    /// ```
    pub fn failure(&self, kind: &str, answer: &FailedAnswer) -> Failure {
        let waits = matches!(
            kind,
            kind::RATE_LIMITED | kind::QUOTA_EXHAUSTED | kind::OVERLOADED | kind::TRANSIENT
        );
        // Money, keys and plans are the operator's business: the client gets the host's own words for those.
        let private = matches!(kind, kind::AUTH | kind::QUOTA_EXHAUSTED);
        Failure {
            kind: kind.to_owned(),
            retry_after_ms: if waits {
                retry_after_ms(answer, &self.message)
            } else {
                None
            },
            message: if private { None } else { clean(&self.message) },
            extensions: Vec::new(),
        }
    }
}

/// The meaning of an OpenAI-shaped error: code first, then type, then message, then status.
///
/// ```
/// use tollgate_guest::{classify, kind, testing};
/// let answer = testing::FailedAnswer::new(429).body(r#"{"error":{"code":"insufficient_quota"}}"#);
/// assert_eq!(classify::openai(&answer.view()).kind, kind::QUOTA_EXHAUSTED);
/// ```
pub fn openai(answer: &FailedAnswer) -> Failure {
    let body = ErrorBody::of(answer);
    let kind = openai_word(&body.code)
        .or_else(|| openai_word(&body.kind))
        .or_else(|| phrase(&body))
        .unwrap_or_else(|| of_status(answer.status()));
    body.failure(kind, answer)
}

/// The meaning of an Anthropic-shaped error: type and message first, then status.
///
/// ```
/// use tollgate_guest::{classify, kind, testing};
/// let answer = testing::FailedAnswer::new(400).body(
///     r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#);
/// assert_eq!(classify::anthropic(&answer.view()).kind, kind::CONTEXT_LENGTH);
/// ```
pub fn anthropic(answer: &FailedAnswer) -> Failure {
    let body = ErrorBody::of(answer);
    let rejected = answer
        .header("anthropic-ratelimit-unified-status")
        .is_some_and(|status| status == "rejected");
    let spent = body.says("credit balance is too low") || body.says("spend limit");
    let kind = if rejected || spent {
        kind::QUOTA_EXHAUSTED
    } else {
        phrase(&body)
            .or_else(|| anthropic_word(&body.kind))
            .unwrap_or_else(|| of_status(answer.status()))
    };
    body.failure(kind, answer)
}

/// The meaning of a status alone.
///
/// ```
/// use tollgate_guest::{classify::of_status, kind};
/// assert_eq!(of_status(503), kind::OVERLOADED);
/// ```
pub fn of_status(status: u16) -> &'static str {
    match status {
        // 407: a proxy between the gateway and the vendor wants a login, which no client has.
        401 | 403 | 407 => kind::AUTH,
        402 => kind::QUOTA_EXHAUSTED,
        429 => kind::RATE_LIMITED,
        451 => kind::CONTENT_FILTERED,
        408 | 409 | 425 => kind::TRANSIENT,
        503 | 529 => kind::OVERLOADED,
        400..=499 => kind::INVALID_REQUEST,
        // A failure inside a 200 that says nothing more is a vendor's hiccup, like any other 5xx.
        _ => kind::TRANSIENT,
    }
}

fn openai_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "invalid_api_key" | "authentication_error" | "invalid_authentication" => kind::AUTH,
        "insufficient_quota"
        | "credit_balance_exhausted"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "organization_spend_limit_exceeded"
        | "project_spend_limit_exceeded"
        | "organization_usage_limit_exceeded"
        | "usage_limit_reached" => kind::QUOTA_EXHAUSTED,
        "rate_limit_exceeded" | "rate_limit_error" => kind::RATE_LIMITED,
        "context_length_exceeded" | "string_above_max_length" => kind::CONTEXT_LENGTH,
        "content_filter"
        | "content_policy_violation"
        | "invalid_prompt"
        | "cyber_policy"
        | "bio_policy" => kind::CONTENT_FILTERED,
        "model_not_found" => kind::MODEL_NOT_FOUND,
        "server_is_overloaded" | "slow_down" | "engine_overloaded" | "overloaded_error" => {
            kind::OVERLOADED
        }
        "server_error" | "timeout" => kind::TRANSIENT,
        _ => return None,
    })
}

fn anthropic_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "authentication_error" | "permission_error" => kind::AUTH,
        "billing_error" => kind::QUOTA_EXHAUSTED,
        "rate_limit_error" => kind::RATE_LIMITED,
        "overloaded_error" => kind::OVERLOADED,
        "not_found_error" => kind::MODEL_NOT_FOUND,
        "api_error" | "timeout_error" | "conflict_error" => kind::TRANSIENT,
        "invalid_request_error" | "request_too_large" => kind::INVALID_REQUEST,
        _ => return None,
    })
}

/// Phrases that say more than code, type and status do, in the wording of both families.
fn phrase(body: &ErrorBody) -> Option<&'static str> {
    const CONTEXT: [&str; 6] = [
        "prompt is too long",
        "maximum context length",
        "exceeds the context window",
        "exceeds the available context size",
        "exceeded model token limit",
        "input is too long",
    ];
    if CONTEXT.iter().any(|phrase| body.says(phrase)) {
        return Some(kind::CONTEXT_LENGTH);
    }
    if body.says("is at capacity") || body.says("currently overloaded") {
        return Some(kind::OVERLOADED);
    }
    if body.says("does not exist") && body.says("model") {
        return Some(kind::MODEL_NOT_FOUND);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn openai_kind(status: u16, body: &str) -> String {
        openai(&testing::FailedAnswer::new(status).body(body).view()).kind
    }

    fn anthropic_kind(status: u16, kind: &str, message: &str) -> String {
        let body =
            format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#);
        anthropic(&testing::FailedAnswer::new(status).body(body).view()).kind
    }

    #[test]
    fn openai_codes_decide_before_the_status() {
        let cases = [
            (
                429,
                r#"{"error":{"code":"insufficient_quota","type":"insufficient_quota"}}"#,
                kind::QUOTA_EXHAUSTED,
            ),
            (
                429,
                r#"{"error":{"code":"rate_limit_exceeded","type":"tokens"}}"#,
                kind::RATE_LIMITED,
            ),
            (
                400,
                r#"{"error":{"code":"context_length_exceeded"}}"#,
                kind::CONTEXT_LENGTH,
            ),
            (
                400,
                r#"{"error":{"code":"model_not_found"}}"#,
                kind::MODEL_NOT_FOUND,
            ),
            (
                404,
                r#"{"error":{"code":"model_not_found"}}"#,
                kind::MODEL_NOT_FOUND,
            ),
            (401, r#"{"error":{"code":"invalid_api_key"}}"#, kind::AUTH),
            (503, r#"{"error":{"code":"slow_down"}}"#, kind::OVERLOADED),
            (
                400,
                r#"{"error":{"code":"unsupported_parameter","type":"invalid_request_error"}}"#,
                kind::INVALID_REQUEST,
            ),
            (
                400,
                r#"{"error":{"code":null,"message":"This model's maximum context length is 8192 tokens."}}"#,
                kind::CONTEXT_LENGTH,
            ),
            (403, "<html>no</html>", kind::AUTH),
            (407, "<html>log in</html>", kind::AUTH),
            (502, "<html>bad gateway</html>", kind::TRANSIENT),
            (500, "", kind::TRANSIENT),
        ];
        for (status, body, expected) in cases {
            assert_eq!(openai_kind(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_failure_inside_a_successful_stream_is_read_from_its_event() {
        let failed = r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"}}}"#;
        assert_eq!(openai_kind(200, failed), kind::RATE_LIMITED);
        let nested = r#"{"type":"error","sequence_number":2,"error":{"type":"server_error","code":null,"message":"boom"}}"#;
        assert_eq!(openai_kind(200, nested), kind::TRANSIENT);
        let flat = r#"{"type":"error","code":"server_is_overloaded","message":"busy"}"#;
        assert_eq!(openai_kind(200, flat), kind::OVERLOADED);
    }

    #[test]
    fn anthropic_types_and_messages_decide() {
        let cases = [
            (401, "authentication_error", "invalid x-api-key", kind::AUTH),
            (402, "billing_error", "pay", kind::QUOTA_EXHAUSTED),
            (
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the API.",
                kind::QUOTA_EXHAUSTED,
            ),
            (
                404,
                "not_found_error",
                "model: claude-nope",
                kind::MODEL_NOT_FOUND,
            ),
            (
                400,
                "invalid_request_error",
                "prompt is too long: 208904 tokens > 200000 maximum",
                kind::CONTEXT_LENGTH,
            ),
            (
                413,
                "request_too_large",
                "Request too large",
                kind::INVALID_REQUEST,
            ),
            (429, "rate_limit_error", "slow", kind::RATE_LIMITED),
            (500, "api_error", "Internal server error", kind::TRANSIENT),
            (529, "overloaded_error", "Overloaded", kind::OVERLOADED),
            (200, "overloaded_error", "Overloaded", kind::OVERLOADED),
        ];
        for (status, word, message, expected) in cases {
            assert_eq!(
                anthropic_kind(status, word, message),
                expected,
                "{status} {word}"
            );
        }
    }

    #[test]
    fn a_rejected_subscription_window_is_a_used_up_quota() {
        let answer = testing::FailedAnswer::new(429)
            .header("anthropic-ratelimit-unified-status", "rejected")
            .header("retry-after", "3600")
            .body(r#"{"type":"error","error":{"type":"rate_limit_error","message":"limit"}}"#);
        let failure = anthropic(&answer.view());
        assert_eq!(failure.kind, kind::QUOTA_EXHAUSTED);
        assert_eq!(failure.retry_after_ms, Some(3_600_000));
    }

    #[test]
    fn what_is_the_operators_business_is_not_told_to_the_client() {
        let body = r#"{"error":{"message":"Incorrect API key provided: sk-proj-abc.","code":"invalid_api_key"}}"#;
        let failure = openai(&testing::FailedAnswer::new(401).body(body).view());
        assert_eq!(failure.message, None);
    }

    #[test]
    fn the_clients_own_mistake_is_told_in_the_vendors_words() {
        let message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
        let body =
            format!(r#"{{"error":{{"message":"{message}","code":"unsupported_parameter"}}}}"#);
        let failure = openai(&testing::FailedAnswer::new(400).body(body).view());
        assert_eq!(failure.message.as_deref(), Some(message));
    }
}
