//! Reads Responses: a stream's events, or the items of a whole answer, which are a stream's last word on each item.

mod deltas;
mod find;
mod item;
mod whole;

use super::Common;
use super::items::{Item, Shape as ItemShape, Sort};
use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::event::{Event, Kind, Sink, Stop, elements};
use crate::bridge::answer::failure;
use crate::json::walk::{Raw, Shape};
use crate::stream::event_type;
use item::prose_of;

/// The items seen.
#[derive(Debug, Default)]
pub(super) struct Responses {
    started: bool,
    items: Vec<Item>,
}

/// The place an event speaks of, as far as the vendor says it.
#[derive(Debug, Default, Clone, Copy)]
struct Place<'a> {
    item: Option<u64>,
    id: Escaped<'a>,
    /// What the item itself says: some vendors give events the call's id in the place of the item's.
    call_id: Escaped<'a>,
    content: u64,
    refusal: bool,
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
                let text = self.missing(place, Sort::Call, text);
                self.arguments(place, text, common, sink);
            }
            b"response.reasoning_summary_text.done" | b"response.reasoning_text.done" => {
                let text = self.missing(place, Sort::Reasoning, text);
                self.reason(place, text, common, sink);
            }
            b"response.content_part.added" => {
                if let Some(at) = self.find(place, Sort::Message)
                    && let ItemShape::Message(message) = &mut self.items[at].shape
                {
                    message.announced = Some(place.content);
                }
            }
            b"response.reasoning_summary_part.added" => {
                self.paragraph(place, true);
            }
            _ => {}
        }
    }

    pub(super) fn whole(&mut self, answer: Raw<'_>, common: &mut Common, sink: &mut dyn Sink) {
        let output = answer.get("output");
        if output.is_none_or(|output| output.shape() != Shape::Array) {
            return common.fail(failure::no_answer(), sink);
        }
        self.start(sink);
        self.response(answer, true, common, sink);
    }

    fn start(&mut self, sink: &mut dyn Sink) {
        if !std::mem::replace(&mut self.started, true) {
            sink.event(Event::Start { usage: None });
        }
    }
}
