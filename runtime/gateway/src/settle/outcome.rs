//! How a request ended: what its client got, and what that cost.

use std::borrow::Cow;
use std::sync::Arc;

use tollgate_dialect::Usage;
use tollgate_governance::CLIENT_CLOSED;

use crate::metrics::Ended;
use crate::request::Refusal;
use crate::snapshot::Policy;

/// How a request ended.
pub(crate) struct Outcome {
    pub(crate) ended: Ended,
    /// The status the client got.
    pub(crate) status: u16,
    pub(crate) usage: Usage,
    /// The kind of failure; empty if none.
    pub(crate) error: Cow<'static, str>,
    pub(crate) limited_by: String,
    /// The policy that refused the request or ended the answer.
    pub(crate) denied_by: Option<Arc<Policy>>,
    /// Whether it leaves a row: all do but refusals of a key that has left too many.
    pub(crate) recorded: bool,
}

impl Outcome {
    /// The client got everything.
    pub(crate) fn complete(status: u16, usage: Usage) -> Self {
        Self {
            ended: Ended::Status(status),
            status,
            usage,
            error: Cow::Borrowed(""),
            limited_by: String::new(),
            denied_by: None,
            recorded: true,
        }
    }

    /// The client got an error. Failed attempts cost no tokens.
    pub(crate) fn failed(status: u16, error: impl Into<Cow<'static, str>>) -> Self {
        Self {
            error: error.into(),
            ..Self::complete(status, Usage::default())
        }
    }

    /// The client got an error instead of an answer, which may have cost something.
    pub(crate) fn refused(status: u16, refusal: Refusal, usage: Usage) -> Self {
        Self {
            usage,
            limited_by: refusal.limited_by,
            denied_by: refusal.denied_by,
            ..Self::failed(status, refusal.reason)
        }
    }

    /// A defect of ours ended it.
    pub(crate) fn defect(usage: Usage) -> Self {
        Self {
            usage,
            ..Self::failed(500, "internal")
        }
    }

    /// The client went away in the middle.
    pub(crate) fn cancelled(usage: Usage) -> Self {
        Self {
            ended: Ended::Cancelled,
            error: Cow::Borrowed("client-closed"),
            ..Self::complete(CLIENT_CLOSED, usage)
        }
    }

    /// The stream failed after it had begun.
    pub(crate) fn failed_in_stream(
        status: u16,
        usage: Usage,
        error: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            ended: Ended::FailedInStream,
            error: error.into(),
            ..Self::complete(status, usage)
        }
    }
}
