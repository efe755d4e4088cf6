//! Reads Chat Completions. A whole answer is one chunk whose deltas are called messages.

use super::Common;
use super::calls::Calls;
use super::envelope::Envelope;
use super::slot::Told;
use crate::bridge::answer::escaped::{Escaped, escaped};
use crate::bridge::answer::event::{
    Annotation, Event, Kind, Origin, Piece, Sink, Stop, elements, word,
};
use crate::bridge::answer::failure;
use crate::json::walk::{Raw, Shape};

/// What is open, and what has been told.
#[derive(Debug, Default)]
pub(super) struct Chat {
    started: bool,
    /// Whether the choice had anything in it.
    has_message: bool,
    /// The open part of text, refusal or reasoning: one at a time.
    prose: Option<(Prose, u32)>,
    calls: Calls,
    envelope: Envelope,
    stopped: bool,
    /// The last word on why, escaped.
    reason: Vec<u8>,
    sequence: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prose {
    Text,
    Refusal,
    Reasoning,
}

impl Chat {
    pub(super) fn has_stopped(&self) -> bool {
        self.stopped
    }

    /// Takes an event that is like the one before but for its delta; whether it was one.
    pub(super) fn told_delta(
        &mut self,
        data: &[u8],
        common: &mut Common,
        sink: &mut dyn Sink,
    ) -> bool {
        let Some(delta) = self.envelope.delta(data) else {
            return false;
        };
        self.delta(delta, None, common, sink);
        true
    }

    pub(super) fn event(&mut self, event: Raw<'_>, common: &mut Common, sink: &mut dyn Sink) {
        let mut error = false;
        // The delta, as long as there is nothing beside it.
        let mut alone = None;
        let mut beside = !common.hints.stream_pointers.is_empty();
        for (key, value) in event.members() {
            match key.0 {
                b"choices" => {
                    for (place, choice) in (0..).zip(value.items()) {
                        beside |= alone.is_some();
                        alone = self.choice(choice, place, common, sink);
                    }
                }
                b"usage" => {
                    beside |= !value.is_null();
                    common.usage(Some(value));
                }
                b"service_tier" => common.tier(Some(value)),
                b"error" => error = true,
                _ => {}
            }
        }
        if let Some(delta) = alone
            && !beside
            && !error
        {
            self.envelope.remember(event.bytes, delta);
        }
        if !common.hints.stream_pointers.is_empty() {
            common.hinted(event, |hints| &hints.stream_pointers);
        }
        if error && let Some((code, message)) = crate::stream::failure(common.operation, event) {
            common.fail(failure::told(&code, message), sink);
        }
    }

    pub(super) fn whole(&mut self, answer: Raw<'_>, common: &mut Common, sink: &mut dyn Sink) {
        self.calls.end();
        common.tier(answer.get("service_tier"));
        let choices = answer.get("choices");
        for (place, choice) in (0..).zip(choices.into_iter().flat_map(Raw::items)) {
            self.choice(choice, place, common, sink);
        }
        if !self.has_message {
            return common.fail(failure::no_answer(), sink);
        }
        self.done(common, sink);
    }

    /// The answer is whole.
    pub(super) fn done(&mut self, common: &mut Common, sink: &mut dyn Sink) {
        if !self.started {
            return common.fail(failure::cut(), sink);
        }
        let (reason, sequence) = (std::mem::take(&mut self.reason), self.sequence.take());
        let stop = match (
            Stop::from_word(Escaped::trusted(&reason)),
            sequence.as_deref(),
        ) {
            (None, _) => return common.fail(failure::told("", String::new()), sink),
            (Some(Stop::Turn), Some(sequence)) => Stop::Sequence(Some(Escaped::trusted(sequence))),
            (Some(stop), _) => stop,
        };
        if self.calls.lack_a_name(stop, &reason) {
            return common.fail(failure::nameless(), sink);
        }
        if self.calls.end() {
            self.close_prose(sink);
            self.calls.begin(common, sink);
        }
        sink.event(Event::Stop(stop));
        self.close_prose(sink);
        self.calls.close(sink);
        common.end(sink);
    }

    fn start(&mut self, sink: &mut dyn Sink) {
        if !std::mem::replace(&mut self.started, true) {
            sink.event(Event::Start { usage: None });
        }
    }

    /// Nobody across the bridge can ask for several choices: the first is the answer, by its index, or by its place where
    /// the vendor leaves that out. Returns its delta if that is all it has.
    fn choice<'a>(
        &mut self,
        choice: Raw<'a>,
        place: u64,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) -> Option<Raw<'a>> {
        let (mut delta, mut finish, mut logprobs, mut usage) = (None, None, None, None);
        let (mut sequence, mut index) = (None, None);
        for (key, value) in choice.members() {
            match key.0 {
                b"index" => index = value.count(),
                b"delta" | b"message" => delta = Some(value),
                b"finish_reason" => finish = Escaped::some(value),
                b"stop_reason" => sequence = Escaped::some(value),
                b"logprobs" => logprobs = Some(value),
                b"usage" => usage = Some(value),
                _ => {}
            }
        }
        if index.unwrap_or(place) > 0 {
            return None;
        }
        self.start(sink);
        let alone = [finish.is_some(), sequence.is_some(), usage.is_some()] == [false; 3]
            && logprobs.is_none_or(Raw::is_null);
        if let Some(delta) = delta {
            self.has_message |= delta.shape() == Shape::Object;
            self.delta(delta, logprobs, common, sink);
        }
        // Some vendors tell it here. Native streams of others finish with the word "null" until they finish.
        common.usage(usage);
        if let Some(finish) = finish.filter(|finish| !finish.is("null")) {
            self.reason.clear();
            self.reason.extend_from_slice(finish.bytes());
            self.stopped = true;
        }
        if let Some(sequence) = sequence {
            self.sequence = Some(sequence.bytes().to_vec());
        }
        delta.filter(|_| alone)
    }

    fn delta(
        &mut self,
        delta: Raw<'_>,
        logprobs: Option<Raw<'_>>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let (mut reasoning, mut other_reasoning) = (None, None);
        let (mut content, mut refusal, mut calls) = (None, None, None);
        let (mut function, mut annotations) = (None, None);
        for (key, value) in delta.members() {
            match key.0 {
                // What a vendor's own tool said is no part of the answer.
                b"role" if value.is_word("tool") => return,
                b"content" => content = Some(value),
                b"reasoning_content" => reasoning = Escaped::some(value),
                b"reasoning" => other_reasoning = Escaped::some(value),
                b"refusal" => refusal = Escaped::some(value),
                b"tool_calls" => calls = Some(value),
                b"function_call" => function = Some(value),
                b"annotations" => annotations = Some(value),
                _ => {}
            }
        }
        // Some send both names with the same text.
        if let Some(text) = reasoning.or(other_reasoning) {
            self.say(Prose::Reasoning, text, b"", common, sink);
        }
        if let Some(content) = content {
            let probabilities = logprobs
                .and_then(|logprobs| logprobs.get("content"))
                .map_or(&b""[..], elements);
            self.content(content, probabilities, common, sink);
        }
        if let Some(text) = refusal {
            let probabilities = logprobs
                .and_then(|logprobs| logprobs.get("refusal"))
                .map_or(&b""[..], elements);
            self.say(Prose::Refusal, text, probabilities, common, sink);
        }
        for annotation in annotations.into_iter().flat_map(Raw::items) {
            self.annotation(annotation, common, sink);
        }
        for call in calls.into_iter().flat_map(Raw::items) {
            self.call(call, common, sink);
        }
        if let Some(function) = function.filter(|function| function.shape() == Shape::Object) {
            // The way calls were told before there were several.
            self.function(Told::default(), Some(function), common, sink);
        }
    }

    fn content(
        &mut self,
        content: Raw<'_>,
        probabilities: &[u8],
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        if let Some(text) = Escaped::some(content) {
            self.say(Prose::Text, text, probabilities, common, sink);
            return;
        }
        // Some vendors tell text and reasoning as typed parts.
        for part in content.items() {
            if let Some(text) = part.get("text").and_then(Escaped::some) {
                self.say(Prose::Text, text, b"", common, sink);
            }
            match part.get("thinking") {
                Some(thinking) if thinking.shape() == Shape::Array => {
                    for part in thinking.items() {
                        self.say(Prose::Reasoning, word(part, "text"), b"", common, sink);
                    }
                }
                Some(thinking) => {
                    let text = Escaped::of(thinking).unwrap_or_default();
                    self.say(Prose::Reasoning, text, b"", common, sink);
                }
                None => {}
            }
        }
    }

    fn say(
        &mut self,
        prose: Prose,
        text: Escaped<'_>,
        probabilities: &[u8],
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        if text.is_empty() || common.is_full() {
            return;
        }
        let part = self.prose(prose, common, sink);
        let piece = Piece::Text(text, probabilities);
        sink.event(Event::Piece { part, piece });
    }

    /// The open part of this prose; opened, and what is over closed, if it is not yet.
    fn prose(&mut self, prose: Prose, common: &mut Common, sink: &mut dyn Sink) -> u32 {
        if let Some((open, part)) = self.prose
            && open == prose
        {
            return part;
        }
        self.close_prose(sink);
        self.calls.make_room(common, sink);
        let kind = match prose {
            Prose::Text => Kind::Text,
            Prose::Refusal => Kind::Refusal,
            Prose::Reasoning => Kind::Reasoning,
        };
        let part = common.open(kind, sink);
        self.prose = Some((prose, part));
        part
    }

    fn close_prose(&mut self, sink: &mut dyn Sink) {
        if let Some((_, part)) = self.prose.take() {
            sink.event(Event::Close { part });
        }
    }

    fn annotation(&mut self, annotation: Raw<'_>, common: &mut Common, sink: &mut dyn Sink) {
        let page = annotation.get("url_citation");
        let Some(page) = page.filter(|_| !common.is_full()) else {
            return;
        };
        let count = |name: &str| page.get(name).and_then(Raw::count).unwrap_or(0);
        let (start, end) = (count("start_index"), count("end_index"));
        let origin = Origin::Page {
            url: word(page, "url"),
            title: word(page, "title"),
            passage: Escaped::default(),
        };
        let part = self.prose(Prose::Text, common, sink);
        let piece = Piece::Annotation(Annotation { start, end, origin });
        sink.event(Event::Piece { part, piece });
    }

    fn call(&mut self, call: Raw<'_>, common: &mut Common, sink: &mut dyn Sink) {
        let (mut told, mut function) = (Told::default(), None);
        for (key, value) in call.members() {
            match key.0 {
                b"index" => told.index = value.count(),
                b"id" => told.id = Escaped::of(value).unwrap_or_default(),
                b"function" if !told.custom => function = Some(value),
                b"custom" if !value.is_null() => {
                    told.custom = true;
                    function = Some(value);
                }
                _ => {}
            }
        }
        self.function(told, function, common, sink);
    }

    /// A call, or more of one: what its delta says outside of the function, and the function.
    fn function(
        &mut self,
        around: Told<'_>,
        function: Option<Raw<'_>>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let (mut name, mut arguments) = (Escaped::default(), None);
        for (key, value) in function.into_iter().flat_map(Raw::members) {
            match key.0 {
                b"name" => name = Escaped::of(value).unwrap_or_default(),
                b"arguments" | b"input" => arguments = Some(value),
                _ => {}
            }
        }
        let object: Vec<u8>;
        let text = match arguments.map(|arguments| (arguments, arguments.shape())) {
            Some((arguments, Shape::String)) => Escaped::of(arguments).unwrap_or_default(),
            // Some vendors give the object itself.
            Some((arguments, Shape::Object)) => {
                object = escaped(&String::from_utf8_lossy(arguments.bytes));
                Escaped::trusted(&object)
            }
            _ => Escaped::default(),
        };
        let told = Told {
            name,
            text,
            ..around
        };
        if self.calls.take(told, common, sink) {
            self.close_prose(sink);
            self.calls.begin(common, sink);
        }
    }
}
