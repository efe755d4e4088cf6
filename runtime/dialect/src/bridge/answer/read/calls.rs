//! The tool calls of a Chat answer, as they come together.
//!
//! A client is told a call's id and name first, and they stand. Nearly every vendor sends both whole in the first delta
//! and arguments behind them: such a call begins with its arguments. Some send the id late or the name in pieces: what
//! has come waits until nothing of the two can follow.

use super::Common;
use super::slot::{Slot, Told};
use crate::bridge::answer::event::{Sink, Stop};

/// The calls told so far, in their order.
#[derive(Debug, Default)]
pub(super) struct Calls {
    slots: Vec<Slot>,
    /// Whether each call is told once and no more of it comes: in a whole answer, and at the end of a stream.
    whole: bool,
}

impl Calls {
    /// The call that this delta continues: what has no index continues the call it names, else the last one; a name
    /// that comes with another id under a known index is another call, unless that one waits for its id; a name goes to
    /// the call that has none yet.
    fn find(&self, told: Told<'_>) -> Option<usize> {
        if self.whole {
            return None;
        }
        let (no_id, no_name) = (told.id.is_empty(), told.name.is_empty());
        let named = |slot: &Slot| !no_id && slot.has_id(told.id);
        let Some(index) = told.index else {
            let last = self.slots.len().checked_sub(1);
            let waits = |at: &usize| {
                let slot = &self.slots[*at];
                slot.is_nameless() && (no_id || slot.lacks_id())
                    || !no_id && slot.may_get_id_with(told.name)
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
        let here = |slot: &Slot| slot.is_at(index);
        let exact = self
            .slots
            .iter()
            .rposition(|slot| here(slot) && named(slot));
        exact.or_else(|| {
            let at = self.slots.iter().rposition(here)?;
            let slot = &self.slots[at];
            let goes_on = no_id
                || no_name
                || slot.is_nameless()
                || slot.may_get_id_with(told.name)
                || slot.lacks_id() && slot.is_being_named();
            goes_on.then_some(at)
        })
    }

    /// Takes a call, or more of one; whether a call can now begin for the client: then what is open has to make room,
    /// and `begin` is to be called.
    pub(super) fn take(
        &mut self,
        told: Told<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) -> bool {
        if common.is_full() {
            return false;
        }
        let known = self.find(told);
        if known.is_none() && told.is_nothing() {
            return false;
        }
        let at = known.unwrap_or_else(|| {
            self.slots.iter_mut().for_each(Slot::settle);
            common.place();
            self.slots.push(Slot::new(told.index));
            self.slots.len() - 1
        });
        let last = at + 1 == self.slots.len();
        let slot = &mut self.slots[at];
        slot.take(told, common, sink);
        if !last {
            slot.close_if_whole(sink);
        }
        let new = known.is_none();
        slot.can_begin(self.whole) || new && self.can_begin()
    }

    fn can_begin(&self) -> bool {
        self.slots.iter().any(|slot| slot.can_begin(self.whole))
    }

    /// Nothing more comes; whether there are calls that now begin.
    pub(super) fn end(&mut self) -> bool {
        self.whole = true;
        self.can_begin()
    }

    /// Begins the calls of which enough is known.
    pub(super) fn begin(&mut self, common: &mut Common, sink: &mut dyn Sink) {
        self.close_whole(sink);
        let last = self.slots.len().saturating_sub(1);
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.can_begin(self.whole) {
                slot.begin(common, sink);
                if at < last {
                    slot.close_if_whole(sink);
                }
            }
        }
    }

    /// Something else follows: ids and names have come, or never will.
    pub(super) fn make_room(&mut self, common: &mut Common, sink: &mut dyn Sink) {
        self.slots.iter_mut().for_each(Slot::settle);
        self.begin(common, sink);
        self.close_whole(sink);
    }

    /// Closes the calls of which nothing more can come.
    fn close_whole(&mut self, sink: &mut dyn Sink) {
        for slot in &mut self.slots {
            slot.close_if_whole(sink);
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
        let mut nameless = self.slots.iter().filter(|slot| slot.is_nameless());
        matches!(stop, Stop::Turn | Stop::Sequence(_))
            && nameless.any(|slot| waits || slot.has_arguments())
    }
}
