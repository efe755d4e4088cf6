//! Between reader and writer: what the request changed on its way there is changed back, and what vendors leave
//! undone is done.

use std::collections::HashSet;

use super::escaped::{Escaped, escaped, line};
use super::event::{
    Annotation, Call, Code, Event, Kind, Origin, Piece, Ran, Search, ServerCall, Sink, Stop, Tool,
};
use super::mend::{Mender, mended};
use super::structured::{State, Structured};
use super::unwrap::Unwrap;
use crate::Dialect;
use crate::bridge::Context;
use crate::bridge::opaque::{OpaqueKind, seal};

/// What must be known of the parts under way.
#[derive(Debug, Default)]
pub(crate) struct Middle {
    open: Vec<Open>,
    /// Of use only where the client's schema is followed by a tool.
    structured: Structured,
    /// Ids given to calls: a vendor may use one twice, a client may not see that.
    ids: HashSet<Vec<u8>>,
    ids_held: usize,
    calls: u64,
}

#[derive(Debug)]
struct Open {
    part: u32,
    role: Role,
    told: bool,
    mender: Mender,
}

#[derive(Debug)]
enum Role {
    Plain,
    Reasoning {
        sealed: bool,
        /// The text, where the client does not want to read it: its vendor may want it back all the same.
        hidden: String,
    },
    Call,
    /// A text that waits for what comes of the tool that is to answer.
    Waiting,
    /// What is no part of the answer.
    Dropped,
    /// A function call that is a custom tool's for the client.
    Unwrapped(Box<Unwrap>),
}

impl Middle {
    pub(crate) fn event(
        &mut self,
        context: &Context,
        request_id: &str,
        event: Event<'_>,
        sink: &mut dyn Sink,
    ) {
        match event {
            Event::Open { part, kind } => self.open(context, request_id, part, kind, sink),
            Event::Piece { part, piece } => self.piece(context, part, piece, sink),
            Event::Close { part } => self.close(context, part, sink),
            Event::Stop(stop) => {
                self.release(sink);
                sink.event(Event::Stop(known_stop(context, stop)));
            }
            Event::Fail(error) => {
                self.release(sink);
                sink.event(Event::Fail(error));
            }
            Event::Ran(ran) => whole(context, &self.once(ran), sink),
            other => sink.event(other),
        }
    }

    /// Bytes of the answer that are held.
    pub(crate) fn held(&self) -> usize {
        let held = |open: &Open| match &open.role {
            Role::Unwrapped(unwrap) => unwrap.held(),
            Role::Reasoning { hidden, .. } => hidden.len(),
            _ => 0,
        };
        self.open.iter().map(held).sum::<usize>() + self.structured.held() + self.ids_held
    }

    fn release(&mut self, sink: &mut dyn Sink) {
        self.structured.release(sink);
        for open in &mut self.open {
            if matches!(open.role, Role::Waiting) {
                open.role = Role::Plain;
            }
        }
    }

    fn open(
        &mut self,
        context: &Context,
        request_id: &str,
        part: u32,
        kind: Kind<'_>,
        sink: &mut dyn Sink,
    ) {
        let mut role = Role::Plain;
        match kind {
            Kind::Call(call) => {
                let wire = call.name.text();
                if context.structured_tool.as_deref() == Some(&*wire) {
                    role = Role::Dropped;
                    if self.structured.answers() {
                        // Its arguments are those of a call: none are an object, too.
                        role = Role::Call;
                        let kind = Kind::Text;
                        sink.event(Event::Open { part, kind });
                    }
                    for open in &mut self.open {
                        if matches!(open.role, Role::Waiting) {
                            open.role = Role::Dropped;
                        }
                    }
                } else {
                    self.release(sink);
                    let known = context.tool(&wire);
                    let custom = known.is_some_and(|tool| tool.custom);
                    let (tool, plays) = match call.tool {
                        Tool::Custom => (Tool::Custom, Role::Plain),
                        _ if custom => (Tool::Custom, Role::Unwrapped(Box::default())),
                        tool => match known.and_then(|tool| tool.item) {
                            Some(item) => (Tool::Item(item), Role::Call),
                            None => (tool, Role::Call),
                        },
                    };
                    role = plays;
                    self.calls += 1;
                    let (mut id, mut own) = (Vec::new(), Vec::new());
                    let id = self.id(mended(call.id, &mut id), request_id);
                    let name = known.map(|tool| escaped(&tool.name));
                    let namespace = known.and_then(|tool| tool.namespace.as_deref().map(escaped));
                    let call = Call {
                        id: Escaped::trusted(&id),
                        name: match &name {
                            Some(name) => Escaped::trusted(name),
                            None => mended(call.name, &mut own),
                        },
                        namespace: namespace.as_deref().map(Escaped::trusted).or(call
                            .namespace
                            .filter(|_| context.from == Dialect::OpenaiResponses)),
                        tool,
                    };
                    let kind = Kind::Call(call);
                    sink.event(Event::Open { part, kind });
                }
            }
            Kind::Reasoning => {
                role = Role::Reasoning {
                    sealed: false,
                    hidden: String::new(),
                };
                sink.event(Event::Open { part, kind });
            }
            Kind::Text if context.structured_tool.is_some() => {
                role = match self.structured.begin(part) {
                    State::Open => Role::Waiting,
                    State::Answered => Role::Dropped,
                    State::Told => {
                        sink.event(Event::Open { part, kind });
                        Role::Plain
                    }
                };
            }
            Kind::Refusal | Kind::Text => sink.event(Event::Open { part, kind }),
        }
        self.open.push(Open {
            part,
            role,
            told: false,
            mender: Mender::default(),
        });
    }

    /// A tool that the vendor ran, without an id that another had before: the writer makes one.
    fn once<'a>(&mut self, mut ran: Ran<'a>) -> Ran<'a> {
        let id = match &mut ran {
            Ran::Search(_) => return ran,
            Ran::Call(call) => &mut call.id,
            Ran::Code(code) => &mut code.id,
        };
        self.ids_held += id.bytes().len();
        if !self.ids.insert(id.bytes().to_vec()) {
            *id = Escaped::default();
        }
        ran
    }

    /// The id the client gets: the vendor's, unless that is missing or was used before.
    fn id(&mut self, given: Escaped<'_>, request_id: &str) -> Vec<u8> {
        let mut id = given.bytes().to_vec();
        if id.is_empty() {
            id = escaped(&format!("call_{request_id}_{}", self.calls));
        }
        while self.ids.contains(&id) {
            id.extend_from_slice(format!("_{}", self.calls).as_bytes());
        }
        self.ids_held += id.len();
        self.ids.insert(id.clone());
        id
    }

    fn piece(&mut self, context: &Context, part: u32, piece: Piece<'_>, sink: &mut dyn Sink) {
        let Some(open) = self.open.iter_mut().rev().find(|open| open.part == part) else {
            return;
        };
        let structured = &mut self.structured;
        let mut wait = |event: Event<'_>| {
            if let Event::Piece { part, piece } = event {
                structured.push(part, &piece);
            }
        };
        let sink: &mut dyn Sink = match open.role {
            Role::Dropped => return,
            Role::Waiting => &mut wait,
            _ => sink,
        };
        if matches!(piece, Piece::Paragraph | Piece::Opaque(..)) {
            open.lose_half(context, sink);
        }
        match piece {
            Piece::Text(text, logprobs) => {
                open.told = true;
                let logprobs = if context.logprobs { logprobs } else { b"" };
                match &mut open.role {
                    Role::Unwrapped(unwrap) => {
                        unwrap.push(text, &mut |input| {
                            tell(part, Piece::Text(input, b""), sink);
                        });
                    }
                    Role::Reasoning { hidden, .. } if !context.readable_reasoning => {
                        let mut room = Vec::new();
                        hidden.push_str(&open.mender.mend(text, &mut room).text());
                    }
                    _ => {
                        let (mut room, mut flat) = (Vec::new(), Vec::new());
                        line(&mut flat, logprobs);
                        let logprobs = flat.as_slice();
                        let text = open.mender.mend(text, &mut room);
                        if !text.is_empty() {
                            tell(part, Piece::Text(text, logprobs), sink);
                        }
                    }
                }
            }
            Piece::Paragraph if !context.readable_reasoning => {
                if let Role::Reasoning { hidden, .. } = &mut open.role {
                    hidden.push_str(&Escaped::PARAGRAPH.text());
                }
            }
            Piece::Opaque(kind, payload) => {
                if let Role::Reasoning { sealed, .. } = &mut open.role {
                    *sealed = true;
                }
                let sealed = seal(&context.family, kind, payload);
                tell(part, Piece::Seal(&sealed), sink);
            }
            Piece::Annotation(annotation) => annotate(part, annotation, sink),
            other => tell(part, other, sink),
        }
    }

    fn close(&mut self, context: &Context, part: u32, sink: &mut dyn Sink) {
        let Some(at) = self.open.iter().rposition(|open| open.part == part) else {
            return;
        };
        let mut open = self.open.swap_remove(at);
        if matches!(open.role, Role::Dropped) {
            return;
        }
        if matches!(open.role, Role::Waiting) {
            let structured = &mut self.structured;
            open.lose_half(context, &mut |event: Event<'_>| {
                if let Event::Piece { part, piece } = event {
                    structured.push(part, &piece);
                }
            });
            return self.structured.close(part);
        }
        open.lose_half(context, sink);
        match open.role {
            Role::Plain | Role::Waiting | Role::Dropped => {}
            // Who wrote it must be known when it comes back; and what, where the client got nothing that it could read.
            Role::Reasoning { sealed, hidden } => {
                if open.told && !sealed {
                    let hidden = if context.hidden_reasoning {
                        &*hidden
                    } else {
                        ""
                    };
                    let sealed = seal(&context.family, OpaqueKind::Plain, hidden);
                    tell(part, Piece::Seal(&sealed), sink);
                }
            }
            // A call without arguments has none, which is an object too; clients parse it.
            Role::Call if !open.told => {
                tell(part, Piece::Text(Escaped::trusted(b"{}"), b""), sink);
            }
            Role::Call => {}
            Role::Unwrapped(mut unwrap) => {
                unwrap.finish(&mut |input| tell(part, Piece::Text(input, b""), sink));
            }
        }
        sink.event(Event::Close { part });
    }
}

impl Open {
    /// The text ends here or goes on with something else: the other half of a character will not come any more. What is
    /// thought is whole before its seal, as no client takes text behind one (found by fuzzing).
    fn lose_half(&mut self, context: &Context, sink: &mut dyn Sink) {
        let Some(lost) = self.mender.finish() else {
            return;
        };
        match &mut self.role {
            Role::Reasoning { hidden, .. } if !context.readable_reasoning => {
                hidden.push_str(&lost.text());
            }
            _ => tell(self.part, Piece::Text(lost, b""), sink),
        }
    }
}

fn tell(part: u32, piece: Piece<'_>, sink: &mut dyn Sink) {
    sink.event(Event::Piece { part, piece });
}

fn annotate(part: u32, annotation: Annotation<'_>, sink: &mut dyn Sink) {
    let mut rooms = [Vec::new(), Vec::new(), Vec::new()];
    let [one, two, three] = &mut rooms;
    let origin = match annotation.origin {
        Origin::Page {
            url,
            title,
            passage,
        } => Origin::Page {
            url: mended(url, one),
            title: mended(title, two),
            passage: mended(passage, three),
        },
        Origin::File { id, name, index } => Origin::File {
            id: mended(id, one),
            name: mended(name, two),
            index,
        },
    };
    let annotation = Annotation {
        origin,
        ..annotation
    };
    tell(part, Piece::Annotation(annotation), sink);
}

/// Tells of a tool that the vendor ran; all its texts are whole characters.
fn whole(context: &Context, ran: &Ran<'_>, sink: &mut dyn Sink) {
    match ran {
        Ran::Search(search) => searched(search, sink),
        Ran::Call(call) => {
            let (mut id, mut server, mut name, mut arguments) = Default::default();
            let mut rooms = vec![Vec::new(); call.texts.len()];
            let wire = call.server.text();
            let own = context.servers.get(&*wire).map(|name| escaped(name));
            sink.event(Event::Ran(Ran::Call(ServerCall {
                id: mended(call.id, &mut id),
                server: match &own {
                    Some(name) => Escaped::trusted(name),
                    None => mended(call.server, &mut server),
                },
                name: mended(call.name, &mut name),
                arguments: mended(call.arguments, &mut arguments),
                outcome: call.outcome,
                texts: all_mended(&call.texts, &mut rooms),
            })));
        }
        Ran::Code(run) => {
            let (mut id, mut container, mut code) = Default::default();
            let mut rooms = vec![Vec::new(); run.logs.len()];
            sink.event(Event::Ran(Ran::Code(Code {
                runs: run.runs,
                id: mended(run.id, &mut id),
                container: mended(run.container, &mut container),
                code: mended(run.code, &mut code),
                outcome: run.outcome,
                logs: all_mended(&run.logs, &mut rooms),
            })));
        }
    }
}

fn all_mended<'a>(texts: &[Escaped<'a>], rooms: &'a mut [Vec<u8>]) -> Vec<Escaped<'a>> {
    let texts = texts.iter().zip(rooms);
    texts.map(|(text, room)| mended(*text, room)).collect()
}

fn searched(search: &Search<'_>, sink: &mut dyn Sink) {
    let mut query = Vec::new();
    let mut rooms = vec![(Vec::new(), Vec::new()); search.pages.len()];
    let pages = search.pages.iter().zip(&mut rooms);
    sink.event(Event::Ran(Ran::Search(Search {
        query: mended(search.query, &mut query),
        pages: pages
            .map(|((url, title), (one, two))| (mended(*url, one), mended(*title, two)))
            .collect(),
    })));
}

/// Some servers name a token here that is no stop sequence of the client's.
fn known_stop<'a>(context: &Context, stop: Stop<'a>) -> Stop<'a> {
    match stop {
        Stop::Sequence(Some(sequence))
            if context.to == Dialect::OpenaiChat
                && !context.stop.iter().any(|known| sequence.is(known)) =>
        {
            Stop::Turn
        }
        other => other,
    }
}
