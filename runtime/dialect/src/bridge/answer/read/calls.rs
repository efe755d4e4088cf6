//! The tool calls of a Chat answer, as they come together.
//!
//! A client is told a call's name and id first. Some vendors tell them late: what comes before the name is kept until
//! the name is there.

use super::Common;
use super::arguments::Arguments;
use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::event::{Call, Event, Kind, Piece, Sink, Stop, Tool};

/// The calls told so far, in their order.
#[derive(Debug, Default)]
pub(super) struct Calls {
    slots: Vec<Slot>,
    /// Whether this is a whole answer, where each call is told once.
    pub(super) whole: bool,
}

#[derive(Debug)]
struct Slot {
    index: Option<u64>,
    id: Vec<u8>,
    custom: bool,
    arguments: Arguments,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Its name has not come: its arguments so far, escaped.
    Nameless(Vec<u8>),
    Open(u32),
    Closed,
}

/// What a delta says of a call. An empty id or name is none.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) index: Option<u64>,
    pub(super) id: Escaped<'a>,
    pub(super) name: Escaped<'a>,
    pub(super) text: Escaped<'a>,
    pub(super) custom: bool,
}

impl Calls {
    /// Whether this begins a part for the client: what is open before it has to make room.
    pub(super) fn begins(&self, told: Told<'_>) -> bool {
        !told.name.is_empty()
            && self
                .find(told)
                .is_none_or(|at| self.slots[at].is_nameless())
    }

    /// The call that this delta continues: what has no index continues the call it names, else the last one; a name
    /// that comes with another id under a known index is another call; a name goes to the call that has none yet.
    fn find(&self, told: Told<'_>) -> Option<usize> {
        if self.whole {
            return None;
        }
        let (no_id, no_name) = (told.id.is_empty(), told.name.is_empty());
        let named = |slot: &Slot| !no_id && slot.id == told.id.bytes();
        let Some(index) = told.index else {
            let last = self.slots.len().checked_sub(1);
            let waits = |at: &usize| {
                let slot = &self.slots[*at];
                slot.is_nameless() && (no_id || slot.id.is_empty())
            };
            return match (no_id, no_name) {
                (false, _) => {
                    let known = self.slots.iter().rposition(named);
                    known.or_else(|| last.filter(waits))
                }
                (true, false) => last.filter(waits),
                (true, true) => last,
            };
        };
        let here = |slot: &Slot| slot.index == Some(index);
        let exact = self
            .slots
            .iter()
            .rposition(|slot| here(slot) && named(slot));
        exact.or_else(|| {
            let at = self.slots.iter().rposition(here)?;
            (no_id || no_name || self.slots[at].is_nameless()).then_some(at)
        })
    }

    /// Takes a call, or more of one.
    pub(super) fn take(&mut self, told: Told<'_>, common: &mut Common, sink: &mut dyn Sink) {
        let at = match self.find(told) {
            Some(at) => at,
            None if told.is_nothing() => return,
            None => {
                if told.name.is_empty() {
                    common.kept += super::PLACE;
                }
                self.slots.push(Slot {
                    index: told.index,
                    id: Vec::new(),
                    custom: false,
                    arguments: Arguments::default(),
                    state: State::Nameless(Vec::new()),
                });
                self.slots.len() - 1
            }
        };
        let last = at + 1 == self.slots.len();
        let slot = &mut self.slots[at];
        if let State::Nameless(early) = &mut slot.state {
            slot.custom |= told.custom;
            if slot.id.is_empty() {
                slot.id.extend_from_slice(told.id.bytes());
            }
            if told.name.is_empty() {
                common.kept += told.id.bytes().len() + told.text.bytes().len();
                early.extend_from_slice(told.text.bytes());
                return;
            }
            let early = std::mem::take(early);
            common.kept = common.kept.saturating_sub(early.len());
            slot.open(told.name, common, sink);
            slot.grow(Escaped::trusted(&early), sink);
        }
        slot.grow(told.text, sink);
        if !last && slot.arguments.is_whole() {
            slot.close(sink);
        }
    }

    /// Closes the calls of which nothing more can come.
    pub(super) fn close_whole(&mut self, sink: &mut dyn Sink) {
        for slot in &mut self.slots {
            if slot.arguments.is_whole() {
                slot.close(sink);
            }
        }
    }

    pub(super) fn close(&mut self, sink: &mut dyn Sink) {
        self.slots.iter_mut().for_each(|slot| slot.close(sink));
    }

    /// Whether there is a call that nobody can be told of, and the answer says nothing true without it: one with
    /// arguments, or the only one, which the vendor waits for. An answer that was broken off has no such call.
    pub(super) fn lack_a_name(&self, stop: Stop<'_>, reason: &[u8]) -> bool {
        let waits = matches!(reason, b"tool_calls" | b"function_call")
            && self.slots.iter().all(Slot::is_nameless);
        matches!(stop, Stop::Turn | Stop::Sequence(_))
            && self.slots.iter().any(|slot| match &slot.state {
                State::Nameless(early) => waits || !early.is_empty(),
                State::Open(_) | State::Closed => false,
            })
    }
}

impl Slot {
    const fn is_nameless(&self) -> bool {
        matches!(self.state, State::Nameless(_))
    }

    fn open(&mut self, name: Escaped<'_>, common: &mut Common, sink: &mut dyn Sink) {
        let call = Call {
            id: Escaped::trusted(&self.id),
            name,
            namespace: None,
            tool: if self.custom {
                Tool::Custom
            } else {
                Tool::Function
            },
        };
        self.state = State::Open(common.open(Kind::Call(call), sink));
    }

    /// What follows a whole object in a call that made room for the next one is white space or damage.
    fn grow(&mut self, text: Escaped<'_>, sink: &mut dyn Sink) {
        if let State::Open(part) = self.state
            && !text.is_empty()
        {
            let piece = Piece::Text(text, b"");
            sink.event(Event::Piece { part, piece });
            if !self.custom {
                self.arguments.push(text);
            }
        }
    }

    fn close(&mut self, sink: &mut dyn Sink) {
        if let State::Open(part) = self.state {
            self.state = State::Closed;
            sink.event(Event::Close { part });
        }
    }
}

impl Told<'_> {
    const fn is_nothing(&self) -> bool {
        self.id.is_empty() && self.name.is_empty() && self.text.is_empty()
    }
}
