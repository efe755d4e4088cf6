//! Reads Responses: a stream's events, or the items of a whole answer, which are a stream's last word on each item.

use super::Common;
use super::items::{Content, Item, Shape, read_annotation, read_search};
use super::said::Said;
use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::event::{Call, Event, Kind, Piece, Sink, Stop, Tool, elements, word};
use crate::bridge::answer::failure;
use crate::bridge::opaque::OpaqueKind;
use crate::json::walk::{self as json, Raw};
use crate::stream::event_type;

/// The items seen.
#[derive(Debug, Default)]
pub(super) struct Responses {
    started: bool,
    items: Vec<Item>,
}

/// The place an event speaks of.
#[derive(Debug, Default, Clone, Copy)]
struct Place<'a> {
    item: Option<u64>,
    id: Escaped<'a>,
    content: u64,
}

impl Responses {
    pub(super) fn event(
        &mut self,
        name: Option<&[u8]>,
        event: Raw<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let kind = event_type(event).or(name).unwrap_or_default();
        match kind {
            b"response.created" | b"response.in_progress" | b"response.queued" => {
                self.start(sink);
                return;
            }
            b"response.completed" | b"response.incomplete" => {
                if !common.hints.stream_pointers.is_empty() {
                    common.hinted(event, |hints| &hints.stream_pointers);
                }
                if let Some((code, message)) = crate::stream::failure(common.operation, event) {
                    return common.fail(failure::told(&code, message), sink);
                }
                if let Some(response) = event.get("response") {
                    common.usage(response.get("usage"));
                    self.response(response, false, common, sink);
                } else {
                    self.stop(Stop::Turn, common, sink);
                }
                return;
            }
            b"response.failed" | b"error" | b"response.cancelled" => {
                let told = crate::stream::failure(common.operation, event);
                let (code, message) = told.unwrap_or_default();
                common.usage(event.at_pointer("/response/usage"));
                if let Some(usage) = common.told() {
                    sink.event(Event::Usage(usage));
                }
                return common.fail(failure::told(&code, message), sink);
            }
            _ if !kind.starts_with(b"response.") => return,
            _ => {}
        }
        let mut place = Place::default();
        let (mut text, mut item, mut logprobs, mut annotation) = (None, None, None, None);
        for (key, value) in event.members() {
            match key.0 {
                b"output_index" => place.item = value.count(),
                b"content_index" | b"summary_index" => place.content = value.count().unwrap_or(0),
                b"item_id" => place.id = Escaped::of(value).unwrap_or_default(),
                b"delta" | b"text" | b"arguments" | b"input" | b"refusal" => {
                    text = Escaped::some(value);
                }
                b"item" | b"part" => item = Some(value),
                b"logprobs" => logprobs = Some(value),
                b"annotation" => annotation = Some(value),
                _ => {}
            }
        }
        let logprobs = logprobs.map_or(&b""[..], elements);
        self.start(sink);
        let text = text.unwrap_or_default();
        match kind {
            b"response.output_text.delta" => {
                self.prose(place, Kind::Text, text, logprobs, common, sink);
            }
            b"response.function_call_arguments.delta"
            | b"response.custom_tool_call_input.delta" => self.arguments(place, text, common, sink),
            b"response.reasoning_summary_text.delta" | b"response.reasoning_text.delta" => {
                self.reason(place, text, common, sink);
            }
            b"response.refusal.delta" => {
                self.prose(place, Kind::Refusal, text, b"", common, sink);
            }
            b"response.output_item.added" => {
                if let Some(item) = item {
                    self.added(place, item, common, sink);
                }
            }
            b"response.output_item.done" => {
                if let Some(item) = item {
                    self.item(place, item, common, sink);
                }
            }
            b"response.output_text.annotation.added" => {
                if let Some(annotation) = annotation {
                    self.annotate(place, annotation, common, sink);
                }
            }
            // The last word on a text says only what its deltas did not.
            b"response.output_text.done" => {
                self.prose_done(place, Kind::Text, text, logprobs, common, sink);
            }
            b"response.refusal.done" => {
                self.prose_done(place, Kind::Refusal, text, b"", common, sink);
            }
            b"response.content_part.done" => {
                if let Some((kind, text)) = item.and_then(prose_of) {
                    self.prose_done(place, kind, text, b"", common, sink);
                }
            }
            b"response.function_call_arguments.done" | b"response.custom_tool_call_input.done" => {
                let text = self.missing(place, text);
                self.arguments(place, text, common, sink);
            }
            b"response.reasoning_summary_text.done" | b"response.reasoning_text.done" => {
                let text = self.missing(place, text);
                self.reason(place, text, common, sink);
            }
            b"response.reasoning_summary_part.added" => {
                self.paragraph(place, true);
            }
            _ => {}
        }
    }

    pub(super) fn whole(&mut self, answer: Raw<'_>, common: &mut Common, sink: &mut dyn Sink) {
        let output = answer.get("output");
        if output.is_none_or(|output| output.shape() != json::Shape::Array) {
            return common.fail(failure::no_answer(), sink);
        }
        self.start(sink);
        self.response(answer, true, common, sink);
    }

    /// The whole response: in a stream only for what its events left out.
    fn response(
        &mut self,
        response: Raw<'_>,
        whole: bool,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        if !is_complete(response, whole) {
            let told = crate::stream::failure(common.operation, response);
            let (code, message) = told.unwrap_or_default();
            if let Some(usage) = common.told() {
                sink.event(Event::Usage(usage));
            }
            let failure = if code.is_empty() && message.is_empty() {
                failure::unfinished()
            } else {
                failure::told(&code, message)
            };
            return common.fail(failure, sink);
        }
        self.start(sink);
        for (index, item) in response
            .get("output")
            .into_iter()
            .flat_map(Raw::items)
            .enumerate()
        {
            let place = Place {
                item: Some(index as u64),
                id: if whole {
                    Escaped::default()
                } else {
                    word(item, "id")
                },
                content: 0,
            };
            let known = self.find_in_snapshot(place);
            if known.is_none_or(|at| !self.items[at].done) {
                let index = known.and_then(|at| self.items[at].index);
                let place = Place {
                    item: index.or(place.item),
                    ..place
                };
                self.item(place, item, common, sink);
            }
        }
        let incomplete = response.at_pointer("/incomplete_details/reason");
        let stop = match incomplete.and_then(Escaped::some) {
            Some(reason) => match Stop::from_word(reason) {
                // Whatever else made it incomplete, it is not complete.
                None | Some(Stop::Turn) => Stop::Length,
                Some(stop) => stop,
            },
            None if response
                .get("status")
                .is_some_and(|status| status.is_word("incomplete")) =>
            {
                Stop::Length
            }
            None => Stop::Turn,
        };
        self.stop(stop, common, sink);
    }

    fn stop(&mut self, stop: Stop<'_>, common: &mut Common, sink: &mut dyn Sink) {
        self.start(sink);
        // What was broken off may have lost a name; what is complete may not.
        if stop == Stop::Turn && self.items.iter().any(|item| item.shape.is_nameless()) {
            return common.fail(failure::nameless(), sink);
        }
        sink.event(Event::Stop(stop));
        for item in &mut self.items {
            item.close(sink);
        }
        common.end(sink);
    }

    fn start(&mut self, sink: &mut dyn Sink) {
        if !std::mem::replace(&mut self.started, true) {
            sink.event(Event::Start { usage: None });
        }
    }

    /// The item of this place: by its index, else by its id, else the last one.
    fn find(&self, place: Place<'_>) -> Option<usize> {
        self.find_exactly(place).or_else(|| {
            let nowhere = place.item.is_none() && place.id.is_empty();
            let last = self.items.len().checked_sub(1).filter(|_| nowhere)?;
            (!self.items[last].done).then_some(last)
        })
    }

    /// The item of the last snapshot's. Some vendors leave items out of it, so that places do not agree with those of the
    /// events: the item that has both comes first, then the one of the id, then the one of the place.
    fn find_in_snapshot(&self, place: Place<'_>) -> Option<usize> {
        if place.id.is_empty() {
            return self.find_exactly(place);
        }
        let mut named = (0..self.items.len()).filter(|&at| self.items[at].id == place.id.bytes());
        let here = named.clone().find(|&at| self.items[at].index == place.item);
        here.or_else(|| named.next_back())
            .or_else(|| self.find_exactly(place))
    }

    fn find_exactly(&self, place: Place<'_>) -> Option<usize> {
        if place.item.is_some()
            && let Some(at) = self.items.iter().rposition(|item| item.index == place.item)
        {
            return Some(at);
        }
        // Ids alone, where an index is missing on one side.
        self.items.iter().rposition(|item| {
            !place.id.is_empty()
                && item.id == place.id.bytes()
                && (item.index.is_none() || place.item.is_none())
        })
    }

    /// What the last word on a text has beyond what was told of it. What contradicts that comes too late.
    fn missing<'a>(&self, place: Place<'_>, text: Escaped<'a>) -> Escaped<'a> {
        let Some(at) = self.find(place) else {
            return text;
        };
        let rest = match &self.items[at].shape {
            Shape::Message(contents) => {
                let known = contents.iter().find(|known| known.index == place.content);
                known.map_or(Some(text), |known| known.said.rest(text))
            }
            Shape::Reasoning { thought, .. } => thought.missing(place.content, text),
            Shape::Call { said, .. } => said.rest(text),
            Shape::Other => None,
        };
        rest.unwrap_or_default()
    }

    /// Whether what is thought next begins a paragraph.
    fn paragraph(&mut self, place: Place<'_>, begins: bool) {
        if let Some(at) = self.find(place)
            && let Shape::Reasoning { thought, .. } = &mut self.items[at].shape
        {
            thought.paragraph = begins;
        }
    }

    /// What `text` has beyond the paragraph told last.
    fn rest_of_thought<'a>(&self, place: Place<'_>, text: Escaped<'a>) -> Option<Escaped<'a>> {
        match &self.items[self.find(place)?].shape {
            Shape::Reasoning { thought, .. } => thought.said.rest(text),
            _ => None,
        }
    }

    /// The item of this place, begun if it is not yet.
    fn begin(&mut self, place: Place<'_>, shape: impl FnOnce() -> Shape) -> &mut Item {
        let at = self.find(place).unwrap_or_else(|| {
            self.items.push(Item {
                index: place.item,
                id: place.id.bytes().to_vec(),
                shape: shape(),
                done: false,
            });
            self.items.len() - 1
        });
        &mut self.items[at]
    }

    fn added(&mut self, place: Place<'_>, item: Raw<'_>, common: &mut Common, sink: &mut dyn Sink) {
        let id = word(item, "id");
        common.kept += super::PLACE + id.bytes().len();
        let place = Place { id, ..place };
        // Told twice is told once.
        if self.find_exactly(place).is_some() {
            return;
        }
        self.items.push(Item {
            index: place.item,
            id: id.bytes().to_vec(),
            shape: Shape::of(item),
            done: false,
        });
        if let Some(custom) = called(item)
            && !word(item, "name").is_empty()
        {
            self.call(place, item, custom, common, sink);
        }
    }

    fn prose(
        &mut self,
        place: Place<'_>,
        kind: Kind<'_>,
        text: Escaped<'_>,
        logprobs: &[u8],
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        if text.is_empty() {
            return;
        }
        if let Some(content) = self.content(place, kind, common, sink) {
            content.said.push(text);
            let part = content.part;
            let piece = Piece::Text(text, logprobs);
            sink.event(Event::Piece { part, piece });
        }
    }

    /// The last word on a text. Its probabilities are of all of it.
    fn prose_done(
        &mut self,
        place: Place<'_>,
        kind: Kind<'_>,
        text: Escaped<'_>,
        logprobs: &[u8],
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let rest = self.missing(place, text);
        let logprobs = if rest == text { logprobs } else { b"" };
        self.prose(place, kind, rest, logprobs, common, sink);
    }

    /// The open part of a message's content.
    fn content(
        &mut self,
        place: Place<'_>,
        kind: Kind<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) -> Option<&mut Content> {
        let item = self.begin(place, || Shape::Message(Vec::new()));
        let Shape::Message(contents) = &mut item.shape else {
            return None;
        };
        let known = contents
            .iter()
            .position(|content| content.index == place.content);
        if let Some(at) = known {
            return Some(&mut contents[at]).filter(|content| content.open);
        }
        if item.done {
            return None;
        }
        // A message's parts come one after the other.
        for content in contents.iter_mut() {
            content.close(sink);
        }
        let part = common.part();
        sink.event(Event::Open { part, kind });
        contents.push(Content {
            index: place.content,
            part,
            said: Said::default(),
            annotated: false,
            open: true,
        });
        contents.last_mut()
    }

    fn annotate(
        &mut self,
        place: Place<'_>,
        annotation: Raw<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let Some(annotation) = read_annotation(annotation) else {
            return;
        };
        if let Some(content) = self.content(place, Kind::Text, common, sink) {
            content.annotated = true;
            let (part, piece) = (content.part, Piece::Annotation(annotation));
            sink.event(Event::Piece { part, piece });
        }
    }

    fn reason(
        &mut self,
        place: Place<'_>,
        text: Escaped<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let item = self.begin(place, Shape::reasoning);
        let Shape::Reasoning { part, thought } = &mut item.shape else {
            return;
        };
        if text.is_empty() || item.done {
            return;
        }
        let part = *part.get_or_insert_with(|| common.open(Kind::Reasoning, sink));
        if thought.grow(place.content, text) {
            let piece = Piece::Paragraph;
            sink.event(Event::Piece { part, piece });
        }
        let piece = Piece::Text(text, b"");
        sink.event(Event::Piece { part, piece });
    }

    fn arguments(
        &mut self,
        place: Place<'_>,
        text: Escaped<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        // A call that was not announced has no name yet: its last word tells everything.
        let Some(at) = self.find(place) else {
            return;
        };
        let item = &mut self.items[at];
        if let Shape::Call { part, said, early } = &mut item.shape
            && !text.is_empty()
            && !item.done
        {
            said.push(text);
            if let Some(part) = *part {
                let piece = Piece::Text(text, b"");
                sink.event(Event::Piece { part, piece });
            } else {
                common.kept += text.bytes().len();
                early.extend_from_slice(text.bytes());
            }
        }
    }

    fn call(
        &mut self,
        place: Place<'_>,
        item: Raw<'_>,
        custom: bool,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let arguments = word(item, if custom { "input" } else { "arguments" });
        let known = self.begin(place, Shape::call);
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

    /// The last word on an item: what was not told yet is told now.
    fn item(&mut self, place: Place<'_>, item: Raw<'_>, common: &mut Common, sink: &mut dyn Sink) {
        let id = if place.id.is_empty() {
            word(item, "id")
        } else {
            place.id
        };
        let place = Place { id, ..place };
        let known = self.begin(place, || Shape::of(item));
        if known.done {
            return;
        }
        match item.get("type").and_then(Raw::inner) {
            Some(b"message") => self.message(place, item, common, sink),
            Some(b"function_call") => self.call(place, item, false, common, sink),
            Some(b"custom_tool_call") => self.call(place, item, true, common, sink),
            Some(b"reasoning") => self.reasoning(place, item, common, sink),
            Some(b"web_search_call") => {
                if let Some(search) = read_search(item) {
                    sink.event(Event::Search(search));
                }
            }
            // The vendor's other tools have done their work; what came of it is in the text.
            _ => {}
        }
        // A call without a name may be named in the last word on all.
        if let Some(at) = self.find_exactly(place)
            && !self.items[at].shape.is_nameless()
        {
            self.items[at].close(sink);
        }
    }

    fn message(
        &mut self,
        place: Place<'_>,
        item: Raw<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let contents = item.get("content").into_iter().flat_map(Raw::items);
        for (index, content) in contents.enumerate() {
            let place = Place {
                content: index as u64,
                ..place
            };
            if let Some((kind, text)) = prose_of(content) {
                let logprobs = content.get("logprobs").map_or(&b""[..], elements);
                self.prose_done(place, kind, text, logprobs, common, sink);
            }
            let annotated = self.find_exactly(place).is_some_and(|at| {
                matches!(&self.items[at].shape, Shape::Message(contents)
                    if contents.iter().any(|content| content.index == place.content && content.annotated))
            });
            if !annotated {
                for annotation in content.get("annotations").into_iter().flat_map(Raw::items) {
                    self.annotate(place, annotation, common, sink);
                }
            }
        }
    }

    fn reasoning(
        &mut self,
        place: Place<'_>,
        item: Raw<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let known = self.begin(place, Shape::reasoning);
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
        let known = self.begin(place, Shape::reasoning);
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

/// Whether the vendor calls this response complete, or cut short. The event of a stream says that of itself, and the
/// status in it can only say that there will be no answer. A client across the bridge cannot wait for one that is queued.
fn is_complete(response: Raw<'_>, whole: bool) -> bool {
    let Some(status) = response.get("status") else {
        let output = response.get("output");
        return !whole || output.is_some_and(|output| output.items().next().is_some());
    };
    let says = |words: &[&str]| words.iter().any(|word| status.is_word(word));
    if whole {
        says(&["completed", "incomplete"])
    } else {
        !says(&["failed", "cancelled"])
    }
}

/// The text of a part of a message's content.
fn prose_of(content: Raw<'_>) -> Option<(Kind<'_>, Escaped<'_>)> {
    match content.get("type").and_then(Raw::inner) {
        Some(b"refusal") => Some((Kind::Refusal, word(content, "refusal"))),
        // What a model thinks is told by events of its own.
        Some(b"reasoning_text" | b"summary_text") => None,
        _ => Some((Kind::Text, word(content, "text"))),
    }
}

/// Whether the item is a call of the client's tool, and if so whether of a custom one.
fn called(item: Raw<'_>) -> Option<bool> {
    match item.get("type").and_then(Raw::inner)? {
        b"function_call" => Some(false),
        b"custom_tool_call" => Some(true),
        _ => None,
    }
}
