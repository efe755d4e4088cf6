//! What will be answered, before a dialect gives it its form.

use tollgate_guest::json::Json;

use crate::conversation::{self, ToolCall, Turn};
use crate::tokens;

/// What the answer holds.
pub(crate) enum Content {
    Text(String),
    Tool(ToolCall),
}

/// An answer in no dialect yet.
pub(crate) struct Reply {
    pub(crate) model: String,
    pub(crate) content: Content,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    /// The text was cut at the cap the client set.
    pub(crate) cut: bool,
    /// Unix seconds.
    pub(crate) created: u64,
    /// The client wants a stream of chat chunks to end with one that holds the usage.
    pub(crate) include_usage: bool,
    id: u64,
}

/// The most pieces a stream is made of: what comes after that is one piece.
const MAX_PIECES: usize = 200;

impl Reply {
    /// Answers a request. `now` is Unix milliseconds.
    pub(crate) fn to(body: &Json, model: String, now: u64) -> Self {
        let conversation = conversation::read(body);
        let mut cut = false;
        let content = match conversation.turn {
            Turn::Tool(call) => Content::Tool(call),
            Turn::Said(text) | Turn::Returned(text) => {
                let kept = tokens::cut(&text, cap(body));
                cut = kept.len() < text.len();
                Content::Text(kept.to_owned())
            }
        };
        let output_tokens = match &content {
            Content::Text(text) => tokens::count(text),
            Content::Tool(call) => tokens::count(&call.name) + tokens::count(&call.input) + 4,
        };
        Self {
            model,
            id: mix(now, body),
            content,
            input_tokens: conversation.input_tokens.max(1),
            output_tokens: output_tokens.max(1),
            cut,
            created: now / 1000,
            include_usage: body
                .at("/stream_options/include_usage")
                .and_then(Json::as_bool)
                .unwrap_or(false),
        }
    }

    /// An id with a dialect's prefix, the same for this answer each time.
    pub(crate) fn id(&self, prefix: &str) -> String {
        format!("{prefix}_{:016x}", self.id)
    }
}

/// The text in the pieces a stream sends.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces: Vec<&str> = tokens::words(text).take(MAX_PIECES).collect();
    let sent: usize = pieces.iter().map(|piece| piece.len()).sum();
    if sent < text.len() {
        pieces.push(&text[sent..]);
    }
    pieces
}

/// The output cap in tokens, under any of its names.
fn cap(body: &Json) -> u64 {
    let names = ["max_completion_tokens", "max_output_tokens", "max_tokens"];
    let caps = names
        .iter()
        .filter_map(|name| body.get(name).and_then(Json::as_u64));
    caps.min().unwrap_or(u64::MAX)
}

/// A number that differs between requests and between moments.
fn mix(now: u64, body: &Json) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64 ^ now;
    for byte in body.to_string().bytes().take(4096) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^ (hash >> 29)
}
