//! Looks at the beginning of an answer before it is committed to the client.

use crate::Operation;

/// What the beginning of a stream says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// Nothing yet: read on.
    Wait,
    /// The answer has begun.
    Go,
    /// The stream reports a failure instead of an answer.
    Failed {
        /// Empty if there was none.
        code: String,
        /// Empty if there was none.
        message: String,
        /// The failing event's data, for the provider to classify.
        data: Vec<u8>,
    },
}

/// Judges the bytes received so far, from the very start of the stream. Comments, pings and the events that only
/// announce an answer do not count as its beginning.
pub fn commit_check(_operation: Operation, _received: &[u8]) -> Commit {
    Commit::Go
}

/// A failure told inside a success: `data` is an event's data or a whole JSON answer. Code and message, either empty
/// where missing.
pub fn first_event_failure(_operation: Operation, _data: &[u8]) -> Option<(String, String)> {
    None
}

/// Whether these first bytes of a body look like an event stream: some vendors send no content type.
pub fn sniff_event_stream(_bytes: &[u8]) -> bool {
    false
}
