//! The last word on an item: what its deltas left out.

use super::{Place, Responses};
use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::event::{Call, Event, Kind, Piece, Ran, Sink, Tool, elements, word};
use crate::bridge::answer::read::Common;
use crate::bridge::answer::read::items::{Shape, read_search};
use crate::bridge::answer::read::ran::{read_code, read_server_call};
use crate::bridge::answer::read::said::Said;
use crate::bridge::opaque::OpaqueKind;
use crate::json::walk::Raw;

impl Responses {
    /// The last word on an item: what was not told yet is told now.
    pub(super) fn item(
        &mut self,
        place: Place<'_>,
        item: Raw<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let place = place.of(item);
        let shape = Shape::of(item);
        let sort = shape.sort();
        if self.is_repeated(place, sort, item) {
            return;
        }
        let at = self
            .find(place, sort)
            // Some vendors give one index to several items.
            .filter(|at| !self.items[*at].done || place.may_announce(&self.items[*at]))
            .unwrap_or_else(|| self.push(place, shape, common));
        if self.items[at].done {
            return;
        }
        self.mark(at, place, common);
        match item.get("type").and_then(Raw::inner) {
            Some(b"message") => self.message(at, place, item, common, sink),
            Some(b"function_call") => self.call(place, item, false, common, sink),
            Some(b"custom_tool_call") => self.call(place, item, true, common, sink),
            Some(b"reasoning") => self.reasoning(place, item, common, sink),
            Some(b"web_search_call") => {
                if let Some(search) = read_search(item) {
                    sink.event(Event::Ran(Ran::Search(search)));
                }
            }
            Some(b"mcp_call") => read_server_call(item, sink),
            Some(b"code_interpreter_call") => read_code(item, sink),
            // The vendor's other tools have done their work; what came of it is in the text.
            _ => {}
        }
        // A call without a name may be named in the last word on all.
        if !self.items[at].shape.is_nameless() {
            self.items[at].close(sink);
        }
    }

    fn message(
        &mut self,
        at: usize,
        place: Place<'_>,
        item: Raw<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let contents = || item.get("content").into_iter().flat_map(Raw::items);
        let Shape::Message(known) = &self.items[at].shape else {
            return;
        };
        let texts: Vec<_> = contents()
            .filter_map(prose_of)
            .map(|(_, text)| text)
            .collect();
        let in_one = known.has_said_in_one(&texts);
        let mut rank = 0;
        for (index, content) in contents().enumerate() {
            if common.is_full() {
                break;
            }
            let (kind, text) = prose_of(content).unwrap_or((Kind::Text, Escaped::default()));
            let mut place = Place {
                content: index as u64,
                ..place
            };
            if !text.is_empty()
                && !in_one
                && let Shape::Message(known) = &mut self.items[at].shape
            {
                let refusal = matches!(kind, Kind::Refusal);
                place.content = known.index_of(place.content, rank, refusal, text);
                rank += 1;
                let logprobs = content.get("logprobs").map_or(&b""[..], elements);
                self.prose_done(place, kind, text, logprobs, common, sink);
            }
            let annotated = match &self.items[at].shape {
                Shape::Message(known) => known
                    .find(place.content, false)
                    .is_some_and(|at| known.contents[at].annotated),
                _ => false,
            };
            let settled = annotated || in_one && index > 0;
            if !settled {
                for annotation in content.get("annotations").into_iter().flat_map(Raw::items) {
                    self.annotate(place, annotation, common, sink);
                }
            }
        }
    }

    pub(super) fn call(
        &mut self,
        place: Place<'_>,
        item: Raw<'_>,
        custom: bool,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let arguments = word(item, if custom { "input" } else { "arguments" });
        let known = self.begin(place, common, Shape::call());
        let Shape::Call { part, said, early } = &mut known.shape else {
            return;
        };
        let name = word(item, "name");
        let first = part.is_none();
        if first && name.is_empty() {
            return;
        }
        let part = *part.get_or_insert_with(|| {
            let id = Some(word(item, "call_id")).filter(|id| !id.is_empty());
            let call = Call {
                id: id.unwrap_or_else(|| word(item, "id")),
                name,
                namespace: item.get("namespace").and_then(Escaped::some),
                tool: if custom { Tool::Custom } else { Tool::Function },
            };
            common.open(Kind::Call(call), sink)
        });
        // What came before the name has not been told, and the last word counts.
        let early = std::mem::take(early);
        common.kept = common.kept.saturating_sub(early.len());
        let text = if !first {
            said.rest(arguments).unwrap_or_default()
        } else {
            *said = Said::default();
            if arguments.is_empty() {
                Escaped::trusted(&early)
            } else {
                arguments
            }
        };
        if !text.is_empty() {
            said.push(text);
            let piece = Piece::Text(text, b"");
            sink.event(Event::Piece { part, piece });
        }
    }

    fn reasoning(
        &mut self,
        place: Place<'_>,
        item: Raw<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let known = self.begin(place, common, Shape::reasoning());
        let from = match &known.shape {
            Shape::Reasoning { thought, .. } if thought.told => Some(thought.index),
            _ => None,
        };
        for name in ["summary", "content"] {
            let texts = item.get(name).into_iter().flat_map(Raw::items);
            let mut texts = texts.map(|text| word(text, "text"));
            if let Some(index) = from {
                // The paragraph told last may go on, others may follow: if these are the texts that were told.
                let last = texts.nth(usize::try_from(index).unwrap_or(usize::MAX));
                let Some(rest) = last.and_then(|last| self.rest_of_thought(place, last)) else {
                    continue;
                };
                let here = Place {
                    content: index,
                    ..place
                };
                self.paragraph(place, false);
                self.reason(here, rest, common, sink);
            }
            for text in texts {
                self.paragraph(place, true);
                self.reason(place, text, common, sink);
            }
            if from.is_some() {
                break;
            }
        }
        let encrypted = word(item, "encrypted_content");
        let known = self.begin(place, common, Shape::reasoning());
        if let Shape::Reasoning { part, .. } = &mut known.shape
            && !encrypted.is_empty()
        {
            let part = *part.get_or_insert_with(|| common.open(Kind::Reasoning, sink));
            let payload = format!(
                "{}\n{}",
                word(item, "id").text().replace('\n', ""),
                encrypted.text()
            );
            let piece = Piece::Opaque(OpaqueKind::Item, &payload);
            sink.event(Event::Piece { part, piece });
        }
    }
}

/// The text of a part of a message's content.
pub(super) fn prose_of(content: Raw<'_>) -> Option<(Kind<'_>, Escaped<'_>)> {
    match content.get("type").and_then(Raw::inner) {
        Some(b"refusal") => Some((Kind::Refusal, word(content, "refusal"))),
        // What a model thinks is told by events of its own.
        Some(b"reasoning_text" | b"summary_text") => None,
        _ => Some((Kind::Text, word(content, "text"))),
    }
}

/// Whether the item is a call of the client's tool, and if so whether of a custom one.
pub(super) fn called(item: Raw<'_>) -> Option<bool> {
    match item.get("type").and_then(Raw::inner)? {
        b"function_call" => Some(false),
        b"custom_tool_call" => Some(true),
        _ => None,
    }
}
