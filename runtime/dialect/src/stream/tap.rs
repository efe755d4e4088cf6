//! Reads usage and the end of a stream that is forwarded as it arrives.

use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use super::delta::{Envelope, value_at};
use super::first::failure;
use crate::json::scan::is_value;
use crate::json::walk::{Raw, Shape};
use crate::opaque;
use crate::sse;
use crate::usage::Told;
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
    /// Whether the usage told is that of the whole answer. Messages tells one in its first event already, which knows
    /// nothing of the output: that alone is not it, however the stream ends.
    pub usage_is_whole: bool,
}

/// Side reader of one stream, in any chunking. It never changes and never delays what is forwarded.
#[derive(Debug)]
pub struct StreamTap {
    operation: Operation,
    hints: Arc<UsageHints>,
    /// Whether usage may hide under a name that the quick look does not know.
    look_everywhere: bool,
    /// The unfinished event; empty while one is too large to keep.
    tail: Vec<u8>,
    oversized: bool,
    line_open: bool,
    after_cr: bool,
    told: Told,
    /// Usage came with an event that comes after the output.
    told_at_end: bool,
    ended: Option<Ended>,
    /// Chat: a choice has finished, so that a stream without `[DONE]` is whole nevertheless.
    finished_choice: bool,
    events: u64,
    output_bytes: u64,
    response_id: Option<String>,
    envelope: Envelope,
    /// Of what only this vendor can read.
    marks: Vec<u64>,
}

/// An event larger than this is not read.
const LARGEST_EVENT: usize = 16 << 20;

pub(super) static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"usage\""));
static FINISH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"finish_reason\""));

impl StreamTap {
    /// A reader for a stream that answers `operation`.
    pub fn new(operation: Operation, hints: Arc<UsageHints>) -> Self {
        let look_everywhere = hints
            .stream_pointers
            .iter()
            .any(|pointer| !pointer.ends_with("/usage"));
        Self {
            operation,
            hints,
            look_everywhere,
            tail: Vec::new(),
            oversized: false,
            line_open: false,
            after_cr: false,
            told: Told::default(),
            told_at_end: false,
            ended: None,
            finished_choice: false,
            events: 0,
            output_bytes: 0,
            response_id: None,
            envelope: Envelope::default(),
            marks: Vec::new(),
        }
    }

    /// Takes the bytes that were just forwarded.
    pub fn push(&mut self, chunk: &[u8]) {
        let (mut start, mut line) = (0, 0);
        // The data of the event at hand, while all of it is one line of this chunk.
        let mut data = None;
        let mut data_lines = 0;
        while let Some(found) = memchr::memchr2(b'\n', b'\r', &chunk[line..]) {
            let mut at = line + found;
            if found == 0
                && chunk[at] == b'\n'
                && if at == 0 {
                    self.after_cr
                } else {
                    chunk[at - 1] == b'\r'
                }
            {
                line = at + 1;
                continue;
            }
            if found > 0 || self.line_open {
                let text = &chunk[line..at];
                if !self.line_open
                    && let Some(rest) = text.strip_prefix(b"data")
                    && matches!(rest.first(), None | Some(b':'))
                {
                    // A bare `data` is a line of data too, an empty one.
                    data = Some(rest.strip_prefix(b":").unwrap_or(rest));
                    data_lines += 1;
                } else if text.starts_with(sse::BOM) {
                    // Only the very first line can begin so; the careful reader takes it off.
                    data_lines = 2;
                }
                self.line_open = false;
                line = at + 1;
                if chunk[at] != b'\n' || chunk.get(line) != Some(&b'\n') {
                    continue;
                }
                // The blank line follows at once, as nearly always.
                at += 1;
            }
            if self.tail.is_empty() && !self.oversized && data_lines <= 1 {
                if let Some(data) = data {
                    self.event(data);
                }
            } else {
                self.keep(&chunk[start..=at]);
                self.kept_event();
            }
            start = at + 1;
            line = start;
            (data, data_lines) = (None, 0);
        }
        if let Some(last) = chunk.last() {
            self.line_open |= line < chunk.len();
            self.after_cr = *last == b'\r';
            self.keep(&chunk[start..]);
        }
    }

    /// Where an error event would land now.
    pub fn position(&self) -> StreamPosition {
        StreamPosition {
            next_sequence: self.events,
            response_id: self.response_id.clone(),
            mid_event: self.is_mid_event(),
        }
    }

    /// Whether part of an event has been forwarded: what is put between goes to its end.
    pub fn is_mid_event(&self) -> bool {
        self.line_open
            || self.oversized
            || self.tail.iter().any(|byte| !matches!(byte, b'\n' | b'\r'))
    }

    /// Whether the terminal event has been seen: what follows is of no interest.
    pub fn is_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Marks of what only this vendor can read.
    pub fn opaque_marks(&self) -> &[u64] {
        &self.marks
    }

    /// Bytes of output text seen so far.
    pub fn output_bytes(&self) -> u64 {
        self.output_bytes
    }

    /// The stream has ended, or the client has gone.
    pub fn finish(mut self) -> StreamSummary {
        // Some vendors forget the last blank line. What was cut off within its data says nothing.
        let tail = std::mem::take(&mut self.tail);
        if let Some(event) = sse::read(&tail)
            && (event.data.trim_ascii() == b"[DONE]" || is_value(event.data.trim_ascii()))
        {
            self.event(&event.data);
        }
        let ended = self.ended.unwrap_or(if self.finished_choice {
            Ended::Complete
        } else {
            Ended::Cut
        });
        // Vendors that tell zeros until the last event have told nothing when they are cut off before it.
        let truthful = self.told.is_substantial() || ended == Ended::Complete;
        let usage_is_whole = match ended {
            Ended::Complete => self.operation != Operation::Messages || self.told_at_end,
            Ended::Failed { .. } => self.told_at_end || self.finished_choice,
            Ended::Cut => false,
        };
        StreamSummary {
            usage: self.told.usage().filter(|_| truthful),
            usage_is_whole,
            ended,
            events: self.events,
            output_bytes_estimate: self.output_bytes,
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.oversized {
            return;
        }
        if self.tail.len() + bytes.len() > LARGEST_EVENT {
            self.oversized = true;
            self.tail = Vec::new();
        } else {
            self.tail.extend_from_slice(bytes);
        }
    }

    /// An event that came in several chunks, or in several lines of data, is whole.
    fn kept_event(&mut self) {
        let mut tail = std::mem::take(&mut self.tail);
        if !std::mem::take(&mut self.oversized)
            && let Some(event) = sse::read(&tail)
        {
            self.event(&event.data);
        }
        tail.clear();
        self.tail = tail;
    }

    fn event(&mut self, data: &[u8]) {
        let data = data.trim_ascii();
        self.events += 1;
        match self.operation {
            Operation::ChatCompletions => self.chat(data),
            Operation::Responses => self.responses(data),
            Operation::Messages => self.messages(data),
            Operation::Compact
            | Operation::InputTokens
            | Operation::CountTokens
            | Operation::Embeddings => {}
        }
    }

    fn chat(&mut self, data: &[u8]) {
        if data == b"[DONE]" {
            self.ended.get_or_insert(Ended::Complete);
            return;
        }
        if let Some(bytes) = self.envelope.text_within(data) {
            self.output_bytes += bytes;
            return;
        }
        let delta = self.envelope.delta(data);
        if let Some(delta) = &delta {
            self.output_bytes += delta.text;
        }
        let finish = FINISH.find(data).map(|at| value_at(data, at + 15));
        let finished = finish
            .is_some_and(|at| matches!(data.get(at..), Some([b'"', next, ..]) if *next != b'"'));
        self.finished_choice |= finished;
        let usage = USAGE
            .find(data)
            .is_some_and(|at| data.get(value_at(data, at + 7)) != Some(&b'n'));
        if let Some(delta) = delta
            && !finished
            && !usage
            && !self.look_everywhere
        {
            self.envelope.remember(data, &delta);
            return;
        }
        let event = Raw { bytes: data, at: 0 };
        if let Some((code, message)) = failure(Operation::ChatCompletions, event) {
            self.ended = Some(Ended::Failed { code, message });
        }
        let places = self
            .hints
            .stream_pointers
            .iter()
            .filter_map(|pointer| event.at_pointer(pointer));
        for usage in event
            .get("usage")
            .into_iter()
            .chain(places)
            .filter(|usage| usage.shape() == Shape::Object)
        {
            self.told.take(self.operation, usage, &self.hints);
        }
    }

    fn responses(&mut self, data: &[u8]) {
        let event = Raw { bytes: data, at: 0 };
        let Some(kind) = event_type(event) else {
            return;
        };
        if kind.ends_with(b".delta") {
            self.count_delta(data);
            return;
        }
        match kind {
            b"response.created" => {
                self.response_id = event
                    .at_pointer("/response/id")
                    .and_then(|id| Some(id.text()?.into_owned()))
            }
            b"response.output_item.done" => opaque::marks(data, &mut self.marks),
            b"response.completed" | b"response.incomplete" | b"response.failed" => {
                if let Some(usage) = event.at_pointer("/response/usage") {
                    self.told_at_end |= usage.shape() == Shape::Object;
                    self.told.take(self.operation, usage, &self.hints);
                }
                self.hinted(event);
                match failure(Operation::Responses, event) {
                    Some((code, message)) => self.ended = Some(Ended::Failed { code, message }),
                    None => _ = self.ended.get_or_insert(Ended::Complete),
                }
            }
            b"error" => {
                let (code, message) = failure(Operation::Responses, event).unwrap_or_default();
                self.ended = Some(Ended::Failed { code, message });
            }
            _ => {}
        }
    }

    fn messages(&mut self, data: &[u8]) {
        let event = Raw { bytes: data, at: 0 };
        let usage = match event_type(event) {
            Some(b"content_block_delta") => {
                self.count_delta(data);
                if opaque::is_brought_by(data) {
                    opaque::marks(data, &mut self.marks);
                }
                return;
            }
            Some(b"content_block_start") => {
                if opaque::is_brought_by(data) {
                    opaque::marks(data, &mut self.marks);
                }
                return;
            }
            Some(b"message_start") => event.at_pointer("/message/usage"),
            Some(b"message_delta") => {
                let usage = event.get("usage");
                self.told_at_end |= usage
                    .and_then(|usage| usage.get("output_tokens"))
                    .is_some_and(|tokens| tokens.shape() == Shape::Number);
                usage
            }
            Some(b"message_stop") => {
                self.ended.get_or_insert(Ended::Complete);
                return;
            }
            Some(b"error") => {
                let (code, message) = failure(Operation::Messages, event).unwrap_or_default();
                self.ended = Some(Ended::Failed { code, message });
                return;
            }
            _ => return,
        };
        if let Some(usage) = usage {
            self.told.take(self.operation, usage, &self.hints);
        }
        self.hinted(event);
    }

    fn count_delta(&mut self, data: &[u8]) {
        let delta = self.envelope.delta(data);
        self.output_bytes += delta.map_or(0, |delta| delta.text);
    }

    fn hinted(&mut self, event: Raw<'_>) {
        for usage in self
            .hints
            .stream_pointers
            .iter()
            .filter_map(|pointer| event.at_pointer(pointer))
        {
            self.told.take(self.operation, usage, &self.hints);
        }
    }
}

/// The event's type: at the front of the data in nearly every event.
pub(crate) fn event_type<'a>(event: Raw<'a>) -> Option<&'a [u8]> {
    match event.bytes.strip_prefix(b"{\"type\":\"") {
        Some(rest) => memchr::memchr(b'"', rest).map(|end| &rest[..end]),
        None => event.get("type")?.inner(),
    }
}

#[cfg(test)]
mod tests;
