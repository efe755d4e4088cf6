//! Rewrites the text of a streamed answer, channel by channel.

use crate::Operation;

use super::Kind;

/// One channel of text in an answer: a choice, an output item, a content block, and the field within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel {
    /// Choice index, output index or block index.
    pub group: u32,
    /// Tool call, content part or summary part within the group.
    pub part: u32,
    /// Which of the group's texts; a stable number of this crate's own.
    pub field: u32,
}

/// A filter refused the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// A short, stable, machine-readable word.
    pub reason: String,
    /// A sentence for the person who asked.
    pub message: String,
}

/// What judges the text. After `finish` a channel may start anew.
pub trait TextFilter {
    /// Text as it arrives; returns what may go out now, the rest is held back.
    ///
    /// # Errors
    /// The answer must end here.
    fn push(&mut self, channel: Channel, kind: Kind, text: &str) -> Result<String, Denied>;

    /// The channel has ended; returns what was held back and may go out.
    ///
    /// # Errors
    /// The answer must end here.
    fn finish(&mut self, channel: Channel) -> Result<String, Denied>;
}

/// Rewrites an event stream, in any chunking. Events without text pass byte for byte.
#[derive(Debug)]
pub struct AnswerRewriter {
    operation: Operation,
}

impl AnswerRewriter {
    /// A rewriter for a stream that answers `operation`.
    pub fn new(operation: Operation) -> Self {
        Self { operation }
    }

    /// Takes bytes as they arrived and appends to `out` what may go out.
    ///
    /// # Errors
    /// The filter's denial, or `unreadable-answer` where an event cannot be read: what was appended before may go out,
    /// then the stream must end with an error; later calls append nothing.
    pub fn push(&mut self, _chunk: &[u8], _filter: &mut dyn TextFilter, _out: &mut Vec<u8>) -> Result<(), Denied> {
        let _ = self.operation;
        todo!()
    }

    /// The stream has ended; appends what was waiting.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(&mut self, _filter: &mut dyn TextFilter, _out: &mut Vec<u8>) -> Result<(), Denied> {
        todo!()
    }
}
