//! Writes Responses events, and whole responses, which are the last word of a stream.
//!
//! The dialect repeats every text when it is whole, and the whole output at the end: so the answer is held once, as
//! the items it is made of. How much of it may be held is for the caller to say.

use super::client_tool;
use super::item::{Item, Role, write_annotation};
use super::ran::Told;
use super::response::{self, Status};
use super::{Exchange, put};
use crate::bridge::ClientTool;
use crate::bridge::answer::escaped::{Escaped, number, string};
use crate::bridge::answer::event::{Annotation, Call, Event, Kind, Piece, Stop, Tool};
use crate::bridge::made::item_id;
use crate::render::response_errors;
use crate::{ApiError, Usage};

/// A response under way.
#[derive(Debug)]
pub(crate) struct Responses {
    /// Whether there are events, or only the last word.
    streams: bool,
    sequence: u64,
    started: bool,
    open: Vec<Item>,
    /// The items that are whole, by their index; empty where one is not yet.
    output: Vec<Vec<u8>>,
    held: usize,
    status: Option<Status>,
    usage: Option<Usage>,
    /// The service tier: the usual one where the vendor says nothing of it.
    served: &'static str,
}

impl Responses {
    pub(super) fn new(streams: bool) -> Self {
        Self {
            streams,
            sequence: 0,
            started: false,
            open: Vec::new(),
            output: Vec::new(),
            held: 0,
            status: None,
            usage: None,
            served: "default",
        }
    }

    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn event(&mut self, exchange: Exchange<'_>, event: Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { .. } => self.start(exchange, out),
            Event::Open { part, kind } => self.open(exchange, part, kind, out),
            Event::Piece { part, piece } => {
                if let Some(at) = self.open.iter().rposition(|item| item.part == part) {
                    self.piece(at, piece, out);
                }
            }
            Event::Close { part } => {
                if let Some(at) = self.open.iter().rposition(|item| item.part == part) {
                    let item = self.open.swap_remove(at);
                    self.close(exchange, item, out);
                }
            }
            Event::Ran(ran) => self.tell(exchange, &Told::of(&ran), out),
            Event::Stop(stop) => self.stop(&stop),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Served(tier) => self.served = tier,
            Event::End => self.end(exchange, out),
            Event::Fail(_) => {}
        }
    }

    fn stop(&mut self, stop: &Stop<'_>) {
        self.status = Some(Status::of(stop));
    }

    fn start(&mut self, exchange: Exchange<'_>, out: &mut Vec<u8>) {
        self.started = true;
        if !self.streams {
            return;
        }
        let mut object = Vec::with_capacity(1_024);
        let status = Status::InProgress;
        response::write(&mut object, exchange, status, None, None, &[], None);
        for name in ["response.created", "response.in_progress"] {
            self.frame(name, &[b"\"response\":", &object], out);
        }
    }

    fn end(&mut self, exchange: Exchange<'_>, out: &mut Vec<u8>) {
        let status = self.status.unwrap_or(Status::Completed);
        let mut object = Vec::with_capacity(1_024 + self.held);
        let output: Vec<&[u8]> = self.output.iter().map(Vec::as_slice).collect();
        response::write(
            &mut object,
            exchange,
            status,
            Some(self.served),
            None,
            &output,
            self.usage.as_ref(),
        );
        if !self.streams {
            out.append(&mut object);
            return;
        }
        let name = match status {
            Status::Incomplete(_) => "response.incomplete",
            _ => "response.completed",
        };
        self.frame(name, &[b"\"response\":", &object], out);
    }

    /// Some clients understand only the one event, some only the other.
    pub(super) fn fail(&mut self, exchange: Exchange<'_>, error: &ApiError, out: &mut Vec<u8>) {
        if !self.started {
            self.start(exchange, out);
        }
        let (told, failed) = response_errors(error);
        self.frame("error", &[&told], out);
        let mut object = Vec::new();
        response::write(
            &mut object,
            exchange,
            Status::Failed,
            Some(self.served),
            Some(&failed),
            &[],
            self.usage.as_ref(),
        );
        self.frame("response.failed", &[b"\"response\":", &object], out);
    }

    fn frame(&mut self, name: &str, members: &[&[u8]], out: &mut Vec<u8>) {
        frame(&mut self.sequence, name, members, out);
    }

    fn open(&mut self, exchange: Exchange<'_>, part: u32, kind: Kind<'_>, out: &mut Vec<u8>) {
        let (role, prefix) = match kind {
            Kind::Text => (Role::Text, "msg_"),
            Kind::Refusal => (Role::Refusal, "msg_"),
            Kind::Reasoning => (Role::Reasoning, "rs_"),
            Kind::Call(call) => match call.tool {
                Tool::Function => (Role::Function, "fc_"),
                Tool::Custom => (Role::Custom, "ctc_"),
                Tool::Item(ClientTool::Search) => (Role::Search, "tsc_"),
                Tool::Item(tool) => return self.later(part, call, tool),
            },
        };
        let index = self.output.len() as u64;
        self.output.push(Vec::new());
        let id = item_id(exchange.stamp, prefix, index);
        let mut place = b"\"item_id\":".to_vec();
        string(&mut place, Escaped::trusted(&id));
        place.extend_from_slice(b",\"output_index\":");
        number(&mut place, index);
        let mut item = Item {
            index,
            id,
            place,
            ..Item::new(part, role)
        };
        if let Kind::Call(call) = kind {
            item.call_id = call.id.bytes().to_vec();
            item.name = call.name.bytes().to_vec();
            item.namespace = call.namespace.map(|name| name.bytes().to_vec());
        }
        self.held += 2 * item.id.len() + item.call_id.len() + item.name.len() + size_of::<Item>();
        if self.streams {
            let mut object = Vec::new();
            item.write(&mut object, b"in_progress", false);
            self.added("response.output_item.added", index, &object, out);
            if matches!(role, Role::Text | Role::Refusal) {
                self.content(&item, "response.content_part.added", false, out);
            }
        }
        self.open.push(item);
    }

    /// A call that is told when it is whole.
    fn later(&mut self, part: u32, call: Call<'_>, tool: ClientTool) {
        self.held += call.id.bytes().len() + size_of::<Item>();
        self.open.push(Item {
            call_id: call.id.bytes().to_vec(),
            ..Item::new(part, Role::Later(tool))
        });
    }

    fn added(&mut self, name: &str, index: u64, item: &[u8], out: &mut Vec<u8>) {
        let mut at = Vec::with_capacity(4);
        number(&mut at, index);
        let members = [&b"\"output_index\":"[..], &at, b",\"item\":", item];
        self.frame(name, &members, out);
    }

    /// The events about a whole part of a message: at its beginning and at its end.
    fn content(&mut self, item: &Item, name: &str, full: bool, out: &mut Vec<u8>) {
        let mut part = Vec::new();
        item.content(&mut part, full);
        self.frame(
            name,
            &[&item.place, b",\"content_index\":0,\"part\":", &part],
            out,
        );
    }

    fn piece(&mut self, at: usize, piece: Piece<'_>, out: &mut Vec<u8>) {
        let item = &mut self.open[at];
        let (text, logprobs) = match piece {
            Piece::Text(text, logprobs) => (text, logprobs),
            Piece::Paragraph => (Escaped::PARAGRAPH, &b""[..]),
            Piece::Annotation(annotation) => return self.annotate(at, &annotation, out),
            Piece::Seal(seal) => {
                self.held += seal.len();
                item.seal = Some(seal.to_owned());
                return;
            }
            Piece::Opaque(..) => return,
        };
        item.text.extend_from_slice(text.bytes());
        self.held += text.bytes().len() + logprobs.len();
        if !logprobs.is_empty() {
            if !item.logprobs.is_empty() {
                item.logprobs.push(b',');
            }
            item.logprobs.extend_from_slice(logprobs);
        }
        if !self.streams {
            return;
        }
        if item.role == Role::Reasoning && !std::mem::replace(&mut item.begun, true) {
            let place = item.place.clone();
            self.frame(
                "response.reasoning_summary_part.added",
                &[
                    &place,
                    b",\"summary_index\":0,\"part\":{\"type\":\"summary_text\",\"text\":\"\"}",
                ],
                out,
            );
        }
        let item = &self.open[at];
        let Some((name, index)) = item.role.delta() else {
            return;
        };
        let end: [&[u8]; 3] = if item.role == Role::Text {
            [b"\",\"logprobs\":[", logprobs, b"]"]
        } else {
            [b"\"", b"", b""]
        };
        let [a, b, c] = end;
        let members = [&item.place[..], index, text.bytes(), a, b, c];
        frame(&mut self.sequence, name, &members, out);
    }

    fn annotate(&mut self, at: usize, annotation: &Annotation<'_>, out: &mut Vec<u8>) {
        let item = &mut self.open[at];
        if item.role != Role::Text {
            return;
        }
        let mut object = Vec::new();
        write_annotation(&mut object, annotation);
        if !item.annotations.is_empty() {
            item.annotations.push(b',');
        }
        item.annotations.extend_from_slice(&object);
        self.held += object.len();
        let index = item.annotated;
        item.annotated += 1;
        if self.streams {
            let mut number_text = Vec::new();
            number(&mut number_text, index);
            let members = [
                &item.place[..],
                b",\"content_index\":0,\"annotation_index\":",
                &number_text,
                b",\"annotation\":",
                &object,
            ];
            frame(
                &mut self.sequence,
                "response.output_text.annotation.added",
                &members,
                out,
            );
        }
    }

    fn close(&mut self, exchange: Exchange<'_>, mut item: Item, out: &mut Vec<u8>) {
        if let Role::Later(tool) = item.role {
            let cut = matches!(self.status, Some(Status::Incomplete(_)));
            let input = Escaped::trusted(&item.text).text();
            if let Some(told) = client_tool::told(tool, &item.call_id, &input, cut) {
                self.tell(exchange, &told, out);
            }
            return;
        }
        if !exchange.context.encrypted_reasoning {
            item.seal = None;
        }
        if self.streams {
            self.texts_done(&item, out);
        }
        let status: &[u8] = match self.status {
            Some(Status::Incomplete(_)) => b"incomplete",
            _ => b"completed",
        };
        let mut object = Vec::with_capacity(item.text.len() + 256);
        item.write(&mut object, status, true);
        self.done(item.index, object, out);
    }

    /// The last words on the item's texts.
    fn texts_done(&mut self, item: &Item, out: &mut Vec<u8>) {
        match item.role {
            Role::Text => {
                let members = [
                    &item.place[..],
                    b",\"content_index\":0,\"text\":\"",
                    &item.text,
                    b"\",\"logprobs\":[",
                    &item.logprobs,
                    b"]",
                ];
                self.frame("response.output_text.done", &members, out);
                self.content(item, "response.content_part.done", true, out);
            }
            Role::Refusal => {
                let members = [
                    &item.place[..],
                    b",\"content_index\":0,\"refusal\":\"",
                    &item.text,
                    b"\"",
                ];
                self.frame("response.refusal.done", &members, out);
                self.content(item, "response.content_part.done", true, out);
            }
            Role::Reasoning if item.begun => {
                let summary: [&[u8]; 2] = [
                    b",\"summary_index\":0,\"text\":\"",
                    b",\"summary_index\":0,\"part\":{\"type\":\"summary_text\",\"text\":\"",
                ];
                let members = [&item.place[..], summary[0], &item.text, b"\""];
                self.frame("response.reasoning_summary_text.done", &members, out);
                let members = [&item.place[..], summary[1], &item.text, b"\"}"];
                self.frame("response.reasoning_summary_part.done", &members, out);
            }
            Role::Reasoning | Role::Search | Role::Later(_) => {}
            Role::Function => {
                let members = [&item.place[..], b",\"arguments\":\"", &item.text, b"\""];
                self.frame("response.function_call_arguments.done", &members, out);
            }
            Role::Custom => {
                let members = [&item.place[..], b",\"input\":\"", &item.text, b"\""];
                self.frame("response.custom_tool_call_input.done", &members, out);
            }
        }
    }

    fn done(&mut self, index: u64, object: Vec<u8>, out: &mut Vec<u8>) {
        if self.streams {
            self.added("response.output_item.done", index, &object, out);
        }
        if let Some(place) = usize::try_from(index)
            .ok()
            .and_then(|at| self.output.get_mut(at))
        {
            *place = object;
        }
    }

    /// Tells an item that is whole.
    fn tell(&mut self, exchange: Exchange<'_>, told: &Told, out: &mut Vec<u8>) {
        let index = self.output.len() as u64;
        self.output.push(Vec::new());
        let id = item_id(exchange.stamp, told.prefix, index);
        if self.streams {
            let item = told.item(&id, false);
            self.added("response.output_item.added", index, &item, out);
            let mut place = match told.named {
                true => [b"\"item_id\":\"", &id[..], b"\",\"output_index\":"].concat(),
                false => b"\"output_index\":".to_vec(),
            };
            number(&mut place, index);
            for (name, rest) in &told.events {
                self.frame(name, &[&place, rest], out);
            }
        }
        let object = told.item(&id, true);
        self.held += object.len();
        self.done(index, object, out);
    }
}

fn frame(sequence: &mut u64, name: &str, members: &[&[u8]], out: &mut Vec<u8>) {
    let name = name.as_bytes();
    put(
        out,
        &[
            b"event: ",
            name,
            b"\ndata: {\"type\":\"",
            name,
            b"\",\"sequence_number\":",
        ],
    );
    number(out, *sequence);
    *sequence += 1;
    out.push(b',');
    put(out, members);
    out.extend_from_slice(b"}\n\n");
}
