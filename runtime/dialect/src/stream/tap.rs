//! Reads usage and the end of a stream that is forwarded as it arrives.

use std::sync::Arc;

use crate::{Operation, StreamPosition, Usage, UsageHints};

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With the terminal event of its dialect.
    Complete,
    /// With a failure event: code and message as the vendor wrote them.
    Failed {
        /// Empty if there was none.
        code: String,
        /// Empty if there was none.
        message: String,
    },
    /// Without any terminal event.
    Cut,
}

/// What was read from a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSummary {
    /// The usage told, if any; never an estimate.
    pub usage: Option<Usage>,
    /// How it ended.
    pub ended: Ended,
    /// Events with data.
    pub events: u64,
    /// Bytes of answer text (tool arguments and reasoning included) in the deltas, roughly four to a token.
    pub output_bytes_estimate: u64,
}

/// Side reader of one stream, in any chunking. It never changes and never delays what is forwarded.
#[derive(Debug)]
pub struct StreamTap {
    operation: Operation,
    hints: Arc<UsageHints>,
}

impl StreamTap {
    /// A reader for a stream that answers `operation`.
    pub fn new(operation: Operation, hints: Arc<UsageHints>) -> Self {
        Self { operation, hints }
    }

    /// Takes the bytes that were just forwarded.
    pub fn push(&mut self, _chunk: &[u8]) {
        let _ = (self.operation, &self.hints);
    }

    /// Where an error event would land now.
    pub fn position(&self) -> StreamPosition {
        StreamPosition::default()
    }

    /// Whether the terminal event has been seen: what follows is of no interest.
    pub fn is_ended(&self) -> bool {
        false
    }

    /// The stream has ended, or the client has gone.
    pub fn finish(self) -> StreamSummary {
        todo!()
    }
}
