//! Rewrites the text of a streamed answer, channel by channel.

mod channels;
mod chat;
mod messages;
mod responses;

use crate::Operation;
use crate::json::scan::is_value;
use crate::json::splice::{Splice, splice};
use crate::json::walk::Raw;
use crate::sse::{self, Splitter};

use super::{Kind, sort};
use channels::Channels;

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

impl Denied {
    fn unreadable(what: &str) -> Self {
        Self {
            reason: "unreadable-answer".to_owned(),
            message: format!("the answer could not be checked: {what}"),
        }
    }
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

/// Rewrites an event stream, in any chunking. Events without text pass byte for byte; where a further event had to be put
/// in, later sequence numbers move up. An event that was cut off is dropped, because nobody judged what is in it.
#[derive(Debug)]
pub struct AnswerRewriter {
    operation: Operation,
    splitter: Splitter,
    channels: Channels,
    /// Chat: what all chunks have in common, for chunks put in.
    envelope: Vec<u8>,
    /// Responses: how many events were put in so far.
    inserted: u64,
    denied: bool,
}

/// An event larger than this is not read, so it cannot pass.
const LARGEST_EVENT: usize = 16 << 20;

/// One event on its way through: what goes out before it and what changes in it.
#[derive(Debug, Default)]
struct Turn {
    before: Vec<u8>,
    splices: Vec<Splice>,
}

impl AnswerRewriter {
    /// A rewriter for a stream that answers `operation`.
    pub fn new(operation: Operation) -> Self {
        Self {
            operation,
            splitter: Splitter::default(),
            channels: Channels::default(),
            envelope: Vec::new(),
            inserted: 0,
            denied: false,
        }
    }

    /// Takes bytes as they arrived and appends to `out` what may go out.
    ///
    /// # Errors
    /// The filter's denial, or `unreadable-answer` where an event cannot be read: what was appended before may go out,
    /// then the stream must end with an error; later calls append nothing.
    pub fn push(
        &mut self,
        chunk: &[u8],
        filter: &mut dyn TextFilter,
        out: &mut Vec<u8>,
    ) -> Result<(), Denied> {
        if self.denied {
            return Ok(());
        }
        let mut splitter = std::mem::take(&mut self.splitter);
        let mut outcome = splitter.push(chunk, |event| self.event(event, filter, out));
        if outcome.is_ok() && splitter.held() > LARGEST_EVENT {
            outcome = Err(Denied::unreadable("an event is larger than 16 MiB"));
        }
        self.splitter = splitter;
        self.denied = outcome.is_err();
        outcome
    }

    /// The stream has ended; appends what was waiting.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(&mut self, filter: &mut dyn TextFilter, out: &mut Vec<u8>) -> Result<(), Denied> {
        if self.denied {
            return Ok(());
        }
        let rest = self.splitter.rest();
        let outcome = match sse::read(&rest) {
            None if rest.iter().all(|byte| matches!(byte, b'\n' | b'\r'))
                || rest.starts_with(b":") =>
            {
                out.extend_from_slice(&rest);
                Ok(())
            }
            Some(event) if is_done(&event.data) || is_value(event.data.trim_ascii()) => {
                self.event(&rest, filter, out)
            }
            // Cut off.
            _ => Ok(()),
        };
        let outcome = outcome.and_then(|()| {
            let mut turn = Turn::default();
            let flushed = self.flush(None, filter, &mut turn);
            if !turn.before.is_empty() && !rest.is_empty() {
                // Some vendors forget the last blank line; what was held back must not become part of their event.
                out.extend_from_slice(b"\n\n");
            }
            out.extend_from_slice(&turn.before);
            flushed
        });
        self.denied = outcome.is_err();
        outcome
    }

    fn event(
        &mut self,
        bytes: &[u8],
        filter: &mut dyn TextFilter,
        out: &mut Vec<u8>,
    ) -> Result<(), Denied> {
        let Some(event) = sse::read(bytes) else {
            out.extend_from_slice(bytes);
            return Ok(());
        };
        let mut turn = Turn::default();
        let data = event.data.trim_ascii();
        if is_done(data) {
            self.flush(None, filter, &mut turn)?;
        } else if !data.is_empty() {
            if !is_value(data) {
                return Err(Denied::unreadable("an event is not JSON"));
            }
            let value = Raw::new(&event.data);
            match self.operation {
                Operation::ChatCompletions => self.chat(value, filter, &mut turn)?,
                Operation::Responses => self.responses(value, filter, &mut turn)?,
                Operation::Messages => self.messages(value, filter, &mut turn)?,
                Operation::Compact
                | Operation::InputTokens
                | Operation::CountTokens
                | Operation::Embeddings => {}
            }
        }
        out.extend_from_slice(&turn.before);
        write(out, bytes, &event, turn.splices);
        Ok(())
    }

    /// Ends the channels of one group, or all; what they held back goes out before the event at hand, which has this
    /// sequence number.
    fn flush(
        &mut self,
        group: Option<u32>,
        filter: &mut dyn TextFilter,
        turn: &mut Turn,
    ) -> Result<(), Denied> {
        for channel in self
            .channels
            .open(|channel| group.is_none_or(|group| channel.group == group))
        {
            self.end(channel, None, filter, turn)?;
        }
        Ok(())
    }

    /// Ends a channel; what it held back goes out before the event at hand, which has this sequence number.
    fn end(
        &mut self,
        channel: Channel,
        sequence: Option<u64>,
        filter: &mut dyn TextFilter,
        turn: &mut Turn,
    ) -> Result<(), Denied> {
        let Some(held) = self.channels.finish(channel, filter)? else {
            return Ok(());
        };
        match self.operation {
            Operation::Responses => {
                self.put_in_responses(channel, &held, sequence, &mut turn.before)
            }
            Operation::Messages => messages::put_in(channel, &held, &mut turn.before),
            _ => chat::put_in(&self.envelope, channel, &held, &mut turn.before),
        }
        Ok(())
    }
}

fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]"
}

/// Appends an event with the changes made in its data.
fn write(out: &mut Vec<u8>, bytes: &[u8], event: &sse::Event<'_>, mut splices: Vec<Splice>) {
    if splices.is_empty() {
        out.extend_from_slice(bytes);
        return;
    }
    sort(&mut splices);
    let data = splice(&event.data, &splices);
    match &event.place {
        Some(place) => {
            out.extend_from_slice(&bytes[..place.start]);
            out.extend_from_slice(&data);
            out.extend_from_slice(&bytes[place.end..]);
        }
        None => {
            if let Some(name) = event.name {
                out.extend_from_slice(&[b"event: ", name, b"\n"].concat());
            }
            for line in data.split(|byte| *byte == b'\n') {
                out.extend_from_slice(&[b"data: ", line, b"\n"].concat());
            }
            out.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests;
