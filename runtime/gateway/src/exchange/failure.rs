//! What a failed attempt means: for the next candidate, for the upstream's health, and for the client.

use std::sync::Arc;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use tollgate_dialect::{ApiError, Dialect, Document, ErrorKind, Incomplete, Operation};
use tollgate_plugin::{Failure, FailureKind};
use tollgate_upstream::{Phase, UpstreamError};

use super::translation::{blotted, blotted_headers};
use super::{Attempt, Unanswered};
use crate::adapt;
use crate::route::Candidate;
use crate::snapshot::Upstream;
use crate::views::FailedAnswer;

/// An attempt that gave no answer.
pub(super) struct Miss {
    pub(super) failure: Failure,
    /// The vendor's own answer, where there was one.
    pub(super) told: Option<Told>,
    pub(super) cause: Cause,
    /// What the vendor's dialect cannot say, in our words.
    pub(super) unsaid: Option<Box<ApiError>>,
    /// Why the vendor's answer cannot be read, in our words.
    pub(super) unread: Option<Box<ApiError>>,
}

/// Where an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The vendor answered with a failure, or broke off.
    Vendor,
    /// The vendor did not answer in time.
    Silence,
    /// Before anything was sent: says nothing of the vendor's health, so that no request of one client can close an
    /// upstream for all others.
    Here,
}

pub(super) struct Told {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Told {
    /// Without our credential, which some vendors repeat: neither a component nor a client may read it.
    fn blotted(self, upstream: &Upstream) -> Self {
        Self {
            status: self.status,
            headers: blotted_headers(upstream, self.headers),
            body: blotted(upstream, self.body),
        }
    }

    /// What the provider reads of it.
    fn shown(&self, operation: Operation) -> FailedAnswer {
        FailedAnswer {
            status: self.status.as_u16(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            operation,
        }
    }
}

/// Failures that another upstream would repeat, because the request is at fault.
pub(super) fn is_the_clients(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::InvalidRequest
            | FailureKind::ContextLength
            | FailureKind::ContentFiltered
            | FailureKind::ModelNotFound
    )
}

pub(super) fn for_the_client(operation: Operation, route: &Candidate, miss: Miss) -> Unanswered {
    if let Some(error) = miss.unsaid {
        return Unanswered::Error(*error);
    }
    let kind = match miss.failure.kind {
        FailureKind::ContextLength => ErrorKind::ContextLength,
        FailureKind::ContentFiltered => ErrorKind::ContentFiltered,
        FailureKind::ModelNotFound => ErrorKind::ModelNotFound,
        _ => ErrorKind::UpstreamRejected,
    };
    let body = miss.told.as_ref().map(|told| &told.body);
    let message = miss.failure.message.or_else(|| message_of(body?));
    let error = ApiError::new(
        kind,
        message.unwrap_or_else(|| "the vendor refused the request".to_owned()),
    );
    match miss.told {
        Some(told)
            if told.status.is_client_error()
                && !matches!(told.status.as_u16(), 401 | 402 | 403 | 407 | 429)
                && !route.upstream.translates
                && is_error_of(operation.dialect(), &told.body) =>
        {
            Unanswered::Verbatim(told.status, told.body, error)
        }
        _ => Unanswered::Error(error),
    }
}

/// What a failure is to a client whose answer has begun: its stream ends with this.
pub(crate) fn in_stream(failure: Failure) -> ApiError {
    let kind = match failure.kind {
        FailureKind::ContextLength => ErrorKind::ContextLength,
        FailureKind::ContentFiltered => ErrorKind::ContentFiltered,
        FailureKind::InvalidRequest => ErrorKind::UpstreamRejected,
        FailureKind::Overloaded | FailureKind::RateLimited => ErrorKind::Overloaded,
        _ => ErrorKind::UpstreamFailed,
    };
    let own = match failure.kind {
        // What a vendor says about our credential is not the caller's business.
        FailureKind::Auth | FailureKind::QuotaExhausted => None,
        _ => failure.message,
    };
    let cut = own.map(|message| message.chars().take(LONGEST_MESSAGE).collect());
    let mut error = ApiError::new(
        kind,
        cut.unwrap_or_else(|| "the upstream broke off in the middle of its answer".to_owned()),
    );
    error.retry_after_ms = failure.retry_after_ms.map(|wait| wait.min(LONGEST_WAIT_MS));
    error
}

/// Whether a body is an error as the client's dialect writes it; anything else is put into our own words.
fn is_error_of(dialect: Dialect, body: &Bytes) -> bool {
    Document::parse(body.clone()).is_ok_and(|document| {
        let has_error = document
            .get("error")
            .is_some_and(|error| error.starts_with(b"{"));
        let says_so = document.get("type") == Some(b"\"error\"");
        has_error && says_so == (dialect == Dialect::AnthropicMessages)
    })
}

/// The sentence in an error of whatever dialect.
fn message_of(body: &Bytes) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let message = value.pointer("/error/message")?.as_str()?;
    Some(message.chars().take(LONGEST_MESSAGE).collect())
}

/// As much as anybody reads. Characters.
const LONGEST_MESSAGE: usize = 1_000;

/// Nobody could serve: whatever the vendors said about our credentials is not the caller's business.
pub(super) fn unavailable(last: Option<&Miss>) -> Unanswered {
    if let Some(error) = last.and_then(|miss| miss.unread.as_deref()) {
        return Unanswered::Error(error.clone());
    }
    let mut error = match last.map(|miss| miss.cause) {
        Some(Cause::Silence) => ApiError::new(
            ErrorKind::UpstreamTimeout,
            "the upstream did not answer in time",
        ),
        _ => ApiError::new(
            ErrorKind::Overloaded,
            "no upstream can serve this request now; try again shortly",
        ),
    };
    error.retry_after_ms = last
        .and_then(|miss| miss.failure.retry_after_ms)
        .or(Some(1_000));
    match last {
        Some(Miss {
            cause: Cause::Vendor,
            failure,
            ..
        }) => Unanswered::Unavailable(error, format!("upstream-{}", failure.kind.word())),
        _ => Unanswered::Error(error),
    }
}

pub(super) fn incomplete(attempt: &Attempt<'_>, error: Incomplete) -> Miss {
    match error {
        Incomplete::Failed { data, .. } => classify(
            attempt,
            Told {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: data.into(),
            },
        ),
        Incomplete::Cut | Incomplete::Unreadable(_) | Incomplete::TooLarge => Miss::broken_off(),
    }
}

/// Asks the provider what a failure means; falls back to the status where it cannot say.
pub(super) fn classify(attempt: &Attempt<'_>, told: Told) -> Miss {
    let route = attempt.route;
    let told = told.blotted(&route.upstream);
    let answer = Arc::new(told.shown(attempt.spoken));
    let mut failure = route
        .upstream
        .provider
        .classify(answer)
        .unwrap_or_else(|error| {
            adapt::broken(&route.upstream, &error);
            by_status(told.status)
        });
    if matches!(told.status.as_u16(), 401 | 402) && is_the_clients(failure.kind) {
        // The credential is the operator's, whatever the body says: words of another family may be taken for the client's
        // mistake, and they show parts of the key.
        failure = by_status(told.status);
    }
    failure.retry_after_ms = failure
        .retry_after_ms
        .or_else(|| retry_after(&told.headers))
        .map(|wait| wait.min(LONGEST_WAIT_MS));
    Miss {
        failure,
        told: Some(told),
        cause: Cause::Vendor,
        unsaid: None,
        unread: None,
    }
}

fn by_status(status: StatusCode) -> Failure {
    let kind = match status.as_u16() {
        401 | 403 | 407 => FailureKind::Auth,
        402 => FailureKind::QuotaExhausted,
        404 => FailureKind::ModelNotFound,
        429 => FailureKind::RateLimited,
        400..=499 => FailureKind::InvalidRequest,
        503 | 529 => FailureKind::Overloaded,
        _ => FailureKind::Transient,
    };
    Failure {
        kind,
        retry_after_ms: None,
        message: None,
    }
}

/// A day is the longest wait that anybody is believed, vendor or component.
const LONGEST_WAIT_MS: u64 = 86_400_000;

/// `retry-after-ms`, or `retry-after` in seconds.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let number = |value: &http::HeaderValue| value.to_str().ok()?.trim().parse::<f64>().ok();
    let milliseconds = match headers.get("retry-after-ms").and_then(number) {
        Some(milliseconds) => milliseconds,
        None => headers.get(RETRY_AFTER).and_then(number)? * 1_000.0,
    };
    // The cast saturates; classify() cuts what is too long.
    (milliseconds.is_finite() && milliseconds >= 0.0).then(|| milliseconds.ceil() as u64)
}

pub(super) fn unreachable(route: &Candidate, error: &UpstreamError) -> Miss {
    tracing::warn!(upstream = route.upstream.name, %error, "an upstream cannot be reached");
    let timed_out = matches!(
        error.kind,
        tollgate_upstream::ErrorKind::Timeout(Phase::FirstByte | Phase::Idle)
    );
    Miss {
        cause: match timed_out {
            true => Cause::Silence,
            false => Cause::Vendor,
        },
        ..Miss::broken_off()
    }
}

pub(super) fn translation_failed(
    route: &Candidate,
    error: tollgate_plugin::TranslateError,
) -> Miss {
    match error {
        tollgate_plugin::TranslateError::Refused(failure) => Miss::from(failure),
        tollgate_plugin::TranslateError::Plugin(error) => {
            Miss::from(adapt::broken(&route.upstream, &error))
        }
    }
}

impl Miss {
    /// The vendor gave no answer that could be read.
    pub(super) fn broken_off() -> Self {
        Self {
            failure: Failure {
                kind: FailureKind::Transient,
                retry_after_ms: None,
                message: None,
            },
            told: None,
            cause: Cause::Vendor,
            unsaid: None,
            unread: None,
        }
    }

    /// The vendor's answer is none that could be told the client.
    pub(super) fn unread(error: ApiError) -> Self {
        Self {
            unread: Some(Box::new(error)),
            ..Self::broken_off()
        }
    }

    /// The client asks for what cannot be said in the vendor's dialect.
    pub(super) fn unsaid(error: ApiError) -> Self {
        let failure = Failure {
            kind: FailureKind::InvalidRequest,
            retry_after_ms: None,
            message: None,
        };
        Self {
            unsaid: Some(Box::new(error)),
            ..Self::from(failure)
        }
    }
}

/// A failure of a component's or of ours, before anything was sent.
impl From<Failure> for Miss {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            told: None,
            cause: Cause::Here,
            unsaid: None,
            unread: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_times_are_read_in_both_units() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(with("retry-after", "2"), Some(2_000));
        assert_eq!(with("retry-after", "0.5"), Some(500));
        assert_eq!(with("retry-after-ms", "1500"), Some(1_500));
        assert_eq!(with("retry-after", "999999999"), Some(999_999_999_000));
        assert_eq!(with("retry-after", "-1"), None);
        assert_eq!(with("retry-after", "soon"), None);
    }

    #[test]
    fn what_vendors_say_about_our_credentials_is_never_the_callers() {
        for status in [401_u16, 402, 429] {
            let kind = by_status(StatusCode::from_u16(status).unwrap()).kind;
            assert!(!is_the_clients(kind), "{status}");
        }
    }

    #[test]
    fn only_errors_of_the_clients_own_dialect_go_through_as_they_are() {
        let openai = Bytes::from_static(br#"{"error":{"message":"no","type":"x"}}"#);
        let anthropic =
            Bytes::from_static(br#"{"type":"error","error":{"type":"x","message":"no"}}"#);
        for dialect in [Dialect::OpenaiChat, Dialect::OpenaiResponses] {
            assert!(is_error_of(dialect, &openai));
            assert!(!is_error_of(dialect, &anthropic));
        }
        assert!(is_error_of(Dialect::AnthropicMessages, &anthropic));
        assert!(!is_error_of(Dialect::AnthropicMessages, &openai));
        assert_eq!(message_of(&openai).as_deref(), Some("no"));
    }
}
