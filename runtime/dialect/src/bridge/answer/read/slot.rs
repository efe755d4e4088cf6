//! One tool call of a Chat answer: what has come of it, and whether the client may be told of it.

use super::arguments::Arguments;
use super::{Common, PLACE};
use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::event::{Call, Event, Kind, Piece, Sink, Tool};

/// What a delta says of a call. An empty id or name is none.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) index: Option<u64>,
    pub(super) id: Escaped<'a>,
    pub(super) name: Escaped<'a>,
    pub(super) text: Escaped<'a>,
    pub(super) custom: bool,
}

impl Told<'_> {
    pub(super) const fn is_nothing(&self) -> bool {
        self.id.is_empty() && self.name.is_empty() && self.text.is_empty()
    }
}

/// A call in the making.
#[derive(Debug)]
pub(super) struct Slot {
    index: Option<u64>,
    id: Vec<u8>,
    custom: bool,
    arguments: Arguments,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The client has not been told of it.
    Waiting(Early),
    Open(u32),
    Closed,
}

/// What came before the client could be told, escaped.
#[derive(Debug, Default)]
struct Early {
    /// Empty, or all of it that has come.
    name: Vec<u8>,
    arguments: Vec<u8>,
    /// Something else followed: what has come of the name is the whole name.
    settled: bool,
}

impl Slot {
    pub(super) fn new(index: Option<u64>) -> Self {
        Self {
            index,
            id: Vec::new(),
            custom: false,
            arguments: Arguments::default(),
            state: State::Waiting(Early::default()),
        }
    }

    const fn early(&self) -> Option<&Early> {
        match &self.state {
            State::Waiting(early) => Some(early),
            State::Open(_) | State::Closed => None,
        }
    }

    pub(super) fn is_at(&self, index: u64) -> bool {
        self.index == Some(index)
    }

    pub(super) fn has_id(&self, id: Escaped<'_>) -> bool {
        self.id == id.bytes()
    }

    pub(super) fn lacks_id(&self) -> bool {
        self.id.is_empty()
    }

    pub(super) fn is_nameless(&self) -> bool {
        self.early().is_some_and(|early| early.name.is_empty())
    }

    /// Whether arguments have come that the client was not told.
    pub(super) fn has_arguments(&self) -> bool {
        self.early()
            .is_some_and(|early| !early.arguments.is_empty())
    }

    /// Whether more of its name may come: arguments come behind a name, never within.
    pub(super) fn is_being_named(&self) -> bool {
        self.early().is_some_and(|early| early.arguments.is_empty())
    }

    /// Whether an id may be this call's that comes with this name: it has none yet, and the name is none or its own.
    pub(super) fn may_get_id_with(&self, name: Escaped<'_>) -> bool {
        let own = |early: &Early| early.name == name.bytes() && !self.arguments.is_whole();
        self.lacks_id()
            && self
                .early()
                .is_some_and(|early| name.is_empty() || own(early))
    }

    /// Takes what a delta says of it. The client is told what it can be told of a call that has begun.
    pub(super) fn take(&mut self, told: Told<'_>, common: &mut Common, sink: &mut dyn Sink) {
        if !self.custom && !told.custom {
            self.arguments.push(told.text);
        }
        let early = match &mut self.state {
            State::Waiting(early) => early,
            State::Open(part) => return say(*part, told.text, sink),
            // What follows a whole object in a call that made room for the next one is white space or damage.
            State::Closed => return,
        };
        self.custom |= told.custom;
        if self.id.is_empty() {
            common.kept += told.id.bytes().len();
            self.id.extend_from_slice(told.id.bytes());
        }
        // Some vendors repeat the whole name with each piece of a call; what is no repetition is more of the name.
        let named = early.name.is_empty() || early.arguments.is_empty();
        if named && early.name != told.name.bytes() {
            common.kept += told.name.bytes().len();
            early.name.extend_from_slice(told.name.bytes());
        }
        common.kept += told.text.bytes().len();
        early.arguments.extend_from_slice(told.text.bytes());
    }

    /// Something else followed.
    pub(super) fn settle(&mut self) {
        if let State::Waiting(early) = &mut self.state {
            early.settled = true;
        }
    }

    /// Whether the client can be told of it: its name is whole, and its id is there or will not come.
    pub(super) fn can_begin(&self, at_once: bool) -> bool {
        let Some(early) = self.early() else {
            return false;
        };
        let (has_id, has_arguments) = (!self.lacks_id(), !early.arguments.is_empty());
        !early.name.is_empty()
            && (at_once
                || has_id && (has_arguments || early.settled)
                || early.settled && self.arguments.is_whole())
    }

    /// Tells the client of it, and what has come.
    pub(super) fn begin(&mut self, common: &mut Common, sink: &mut dyn Sink) {
        let State::Waiting(early) = &mut self.state else {
            return;
        };
        let early = std::mem::take(early);
        let held = PLACE + early.name.len() + early.arguments.len();
        common.kept = common.kept.saturating_sub(held);
        let call = Call {
            id: Escaped::trusted(&self.id),
            name: Escaped::trusted(&early.name),
            namespace: None,
            tool: if self.custom {
                Tool::Custom
            } else {
                Tool::Function
            },
        };
        let part = common.open(Kind::Call(call), sink);
        self.state = State::Open(part);
        say(part, Escaped::trusted(&early.arguments), sink);
    }

    /// Closes it if it has begun and nothing more can come.
    pub(super) fn close_if_whole(&mut self, sink: &mut dyn Sink) {
        if self.arguments.is_whole() {
            self.close(sink);
        }
    }

    pub(super) fn close(&mut self, sink: &mut dyn Sink) {
        if let State::Open(part) = self.state {
            self.state = State::Closed;
            sink.event(Event::Close { part });
        }
    }
}

fn say(part: u32, text: Escaped<'_>, sink: &mut dyn Sink) {
    if !text.is_empty() {
        let piece = Piece::Text(text, b"");
        sink.event(Event::Piece { part, piece });
    }
}
