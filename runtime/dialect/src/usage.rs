//! What an answer cost in tokens, read from wherever its dialect says so.

use serde::{Deserialize, Serialize};

use crate::Operation;

/// Tokens of one exchange, in classes that are priced apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens that were neither read from nor written to a cache.
    pub input: u64,
    /// Input tokens read from a cache.
    pub cache_read: u64,
    /// Input tokens written to a cache for five minutes, or for a time the vendor did not say.
    pub cache_write_5m: u64,
    /// Input tokens written to a cache for one hour.
    pub cache_write_1h: u64,
    /// Output tokens, reasoning included.
    pub output: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Whether these are an estimate, because the vendor did not tell.
    pub estimated: bool,
}

/// Where usage hides besides the dialect's own place: from the provider's manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UsageHints {
    /// JSON Pointers to the usage object in a whole JSON answer.
    pub pointers: Vec<String>,
    /// JSON Pointers to the usage object in an event's data.
    pub stream_pointers: Vec<String>,
    /// JSON Pointers, relative to the usage object, to the number of input tokens read from a cache.
    pub cached_tokens_pointers: Vec<String>,
}

/// The usage told by a whole JSON answer; `None` where it tells none (token counting never does).
pub fn read_usage(_operation: Operation, _body: &[u8], _hints: &UsageHints) -> Option<Usage> {
    None
}
