//! The usage row: what one request did and cost, as it is kept for good.

mod code;
mod rollup;
mod rollup_code;
mod seen;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::ids::{AccountId, KeyId};
use crate::price::{Factor, Tokens};

pub use rollup::{Rollup, RollupFilter, RollupKey, Span, Sums};
pub use seen::ABOVE;

/// What the status of a request is whose client went away, as nginx has it.
pub const CLIENT_CLOSED: u16 = 499;

/// One finished request. Borrows what the request already has; empty text means "none".
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UsageRow<'a> {
    /// Our own id of the request (never an upstream's: those repeat).
    pub request: Uuid,
    /// Unix milliseconds.
    pub admitted_ms: u64,
    /// Unix milliseconds.
    pub ended_ms: u64,
    /// Ids of the path at that time, root first. The last is the account.
    pub path: Cow<'a, [AccountId]>,
    /// Names of the path at that time, e.g. `root/dept/alice`.
    pub names: Cow<'a, str>,
    /// Tags of the account and those that policies added.
    #[serde(serialize_with = "as_map")]
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The key that was shown.
    pub key: KeyId,
    /// Its label at that time.
    pub key_label: Cow<'a, str>,
    /// E.g. `chat-completions`.
    pub operation: Cow<'a, str>,
    /// The client's dialect, e.g. `openai-chat`.
    pub dialect: Cow<'a, str>,
    /// The upstream's dialect, if one was called.
    pub dialect_out: Cow<'a, str>,
    /// The model the client asked for.
    pub requested_model: Cow<'a, str>,
    /// The model that the account's map made of it; none if no mapping applied.
    pub mapped_model: Cow<'a, str>,
    /// The model the vendor was asked for.
    pub upstream_model: Cow<'a, str>,
    /// Provider component; none if the request was refused before anything was sent.
    pub provider: Cow<'a, str>,
    /// The operator's name of the upstream.
    pub upstream: Cow<'a, str>,
    /// Name of the credential that was used.
    pub credential: Cow<'a, str>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// HTTP status the client got.
    pub status: u16,
    /// Failure class, if it failed.
    pub error: Cow<'a, str>,
    /// The limit that refused it and whose it is, e.g. `rpm@root/dept`.
    pub limited_by: Cow<'a, str>,
    /// Whether it was admitted by the limits and so counts against them.
    pub counted: bool,
    /// What was used.
    pub tokens: Tokens,
    /// Whether `tokens` is our estimate rather than the upstream's word.
    pub estimated: bool,
    /// What the price alone says, micro-units.
    pub base_cost: u64,
    /// What the price was multiplied by.
    pub factor: Factor,
    /// [`Price::version`](crate::Price::version); none if nothing had a price.
    pub price_version: Cow<'a, str>,
    /// Micro-units.
    pub charged: u64,
    /// Micro-units held before dispatch.
    pub hold: u64,
    /// Time to the first byte of the answer; none if there was none.
    pub ttfb_ms: Option<u64>,
    /// Time to the last byte.
    pub total_ms: u64,
    /// Attempts after the first.
    pub retries: u32,
    /// The client's session, if it named one.
    pub session: Cow<'a, str>,
    /// Whether it was settled after a crash, from what had been held or streamed.
    pub recovered: bool,
    /// Policies that acted, in order.
    pub policies: Vec<PolicyAct<'a>>,
}

/// A policy component that acted on a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PolicyAct<'a> {
    /// File stem of the component.
    pub component: Cow<'a, str>,
    /// SHA-256 of the component.
    #[serde(serialize_with = "as_hex")]
    pub digest: [u8; 32],
}

/// Why stored bytes are not a usage row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsageDecodeError {
    /// Written by a newer Tollgate.
    #[error("a usage row of version {0}; this Tollgate reads up to {most}", most = code::VERSION)]
    Newer(u8),
    /// Cut short or altered.
    #[error("a damaged usage row")]
    Damaged,
}

impl<'a> UsageRow<'a> {
    /// The account that made the request.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.path.last().copied()
    }

    /// The model whose limits it counted against: mapped, else requested.
    #[must_use]
    pub fn limited_model(&self) -> &str {
        match &*self.mapped_model {
            "" => &self.requested_model,
            mapped => mapped,
        }
    }

    /// Whether it was refused here: by a limit, or with a status of the caller's side before a provider was reached, as lists
    /// and policies do, whoever cannot read it, and the bridge where no vendor could be told all of it. What a policy made
    /// of an *answer* had been asked for: that is none.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let of_the_caller = (400..500).contains(&self.status) && self.status != CLIENT_CLOSED;
        !self.limited_by.is_empty() || (self.provider.is_empty() && of_the_caller)
    }

    /// The model as the account knows it: mapped, else requested. None for a call that reached no provider, because a
    /// client can invent any number of names and reports must not grow with them.
    #[must_use]
    pub fn model(&self) -> &str {
        if self.provider.is_empty() {
            ""
        } else if self.mapped_model.is_empty() {
            &self.requested_model
        } else {
            &self.mapped_model
        }
    }
}

fn as_map<S: Serializer>(
    tags: &[(Cow<'_, str>, Cow<'_, str>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(tags.iter().map(|(name, value)| (name, value)))
}

fn as_hex<S: Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(
        &digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
    )
}
