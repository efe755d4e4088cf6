//! What an item says, piece by piece.

use super::item::called;
use super::{Place, Responses};
use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::event::{Event, Kind, Piece, Sink, word};
use crate::bridge::answer::read::Common;
use crate::bridge::answer::read::items::{Content, Message, Shape, Sort, read_annotation};
use crate::bridge::answer::read::said::Said;
use crate::json::walk::Raw;

impl Responses {
    pub(super) fn added(
        &mut self,
        place: Place<'_>,
        item: Raw<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let place = place.of(item);
        let shape = Shape::of(item);
        let sort = shape.sort();
        let known = self
            .find_exactly(place, sort)
            .filter(|at| place.may_announce(&self.items[*at]))
            .or_else(|| self.find_unannounced(sort));
        match known {
            // Its arguments came before it.
            Some(at) if self.items[at].shape.is_nameless() => {
                self.mark(at, place, common);
                self.forget_told(at, common);
            }
            // Told twice is told once.
            Some(_) => return,
            None => _ = self.push(place, shape, common),
        }
        if let Some(custom) = called(item)
            && !word(item, "name").is_empty()
        {
            self.call(place, item, custom, common, sink);
        }
    }

    pub(super) fn prose(
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
    pub(super) fn prose_done(
        &mut self,
        place: Place<'_>,
        kind: Kind<'_>,
        text: Escaped<'_>,
        logprobs: &[u8],
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let place = Place {
            refusal: matches!(kind, Kind::Refusal),
            ..place
        };
        let rest = self.missing(place, Sort::Message, text);
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
        let item = self.begin(place, common, Shape::Message(Message::default()));
        let Shape::Message(message) = &mut item.shape else {
            return None;
        };
        let refusal = matches!(kind, Kind::Refusal);
        let known = message.find(place.content, refusal);
        let contents = &mut message.contents;
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
            refusal,
            part,
            said: Said::default(),
            annotated: false,
            open: true,
        });
        contents.last_mut()
    }

    pub(super) fn annotate(
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

    /// Whether what is thought next begins a paragraph.
    pub(super) fn paragraph(&mut self, place: Place<'_>, begins: bool) {
        if let Some(at) = self.find(place, Sort::Reasoning)
            && let Shape::Reasoning { thought, .. } = &mut self.items[at].shape
        {
            thought.paragraph = begins;
        }
    }

    pub(super) fn reason(
        &mut self,
        place: Place<'_>,
        text: Escaped<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        if text.is_empty() {
            return;
        }
        let item = self.begin(place, common, Shape::reasoning());
        let Shape::Reasoning { part, thought } = &mut item.shape else {
            return;
        };
        if item.done {
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

    pub(super) fn arguments(
        &mut self,
        place: Place<'_>,
        text: Escaped<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        if text.is_empty() {
            return;
        }
        let at = match self.find(place, Sort::Call) {
            Some(at) => at,
            // Some vendors tell the arguments of their own tools so.
            None if self.find_exactly(place, Sort::Other).is_some() => return,
            // A call that was not announced has no name yet: where no other word on it tells that, the answer has failed.
            None => self.push(place, Shape::call(), common),
        };
        self.mark(at, place, common);
        let item = &mut self.items[at];
        if let Shape::Call { part, said, early } = &mut item.shape
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
}
