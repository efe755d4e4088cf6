//! Collects a stream into the whole JSON answer, for clients that did not ask for a stream of a vendor that only streams.

use bytes::Bytes;

use crate::Operation;

/// Why a stream gives no whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incomplete {
    /// It ended with a failure event: code and message as the vendor wrote them, and the event's data.
    Failed {
        /// Empty if there was none.
        code: String,
        /// Empty if there was none.
        message: String,
        /// For the provider to classify.
        data: Vec<u8>,
    },
    /// It ended without its terminal event.
    Cut,
    /// An event cannot be read.
    Unreadable(String),
    /// It is larger than the limit given.
    TooLarge,
}

/// Collects one stream, in any chunking.
#[derive(Debug)]
pub struct Aggregator {
    operation: Operation,
    limit: usize,
}

impl Aggregator {
    /// A collector for a stream that answers `operation` and holds at most `limit` bytes.
    pub fn new(operation: Operation, limit: usize) -> Self {
        Self { operation, limit }
    }

    /// Takes bytes as they arrived.
    ///
    /// # Errors
    /// The stream cannot become an answer.
    pub fn push(&mut self, _chunk: &[u8]) -> Result<(), Incomplete> {
        let _ = (self.operation, self.limit);
        todo!()
    }

    /// The stream has ended: the whole answer.
    ///
    /// # Errors
    /// The stream cannot become an answer.
    pub fn finish(self) -> Result<Bytes, Incomplete> {
        todo!()
    }
}
