//! Tells the open connections of one worker to finish.
//!
//! A watch channel would do, but each connection would poll it on every event of its sockets; this costs a flag's reading.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::task::{Context, Waker};

/// Whether a worker drains, and whom to wake when it begins to.
#[derive(Default)]
pub(crate) struct Drain {
    begun: Cell<bool>,
    next: Cell<u64>,
    waiting: RefCell<HashMap<u64, Waker>>,
}

/// One connection's place.
pub(crate) struct Seat {
    drain: Rc<Drain>,
    number: u64,
    taken: Cell<bool>,
}

impl Drain {
    /// A place for a new connection.
    pub(crate) fn seat(drain: &Rc<Self>) -> Seat {
        let number = drain.next.get();
        drain.next.set(number + 1);
        Seat {
            drain: Rc::clone(drain),
            number,
            taken: Cell::new(false),
        }
    }

    /// From now on connections finish what they are at and take nothing new.
    pub(crate) fn begin(&self) {
        self.begun.set(true);
        for (_, waker) in self.waiting.take() {
            waker.wake();
        }
    }
}

impl Seat {
    /// Whether the connection is to finish. The first call notes the task to wake; a task's waker stays the same.
    pub(crate) fn is_over(&self, context: &Context<'_>) -> bool {
        if !self.taken.replace(true) {
            self.drain
                .waiting
                .borrow_mut()
                .insert(self.number, context.waker().clone());
        }
        self.drain.begun.get()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.drain.waiting.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_told_once_the_drain_begins_and_forgotten_when_it_ends() {
        let drain = Rc::new(Drain::default());
        let (first, second) = (Drain::seat(&drain), Drain::seat(&drain));
        let context = Context::from_waker(Waker::noop());
        assert!(!first.is_over(&context));
        assert!(!second.is_over(&context));
        drop(first);
        assert_eq!(drain.waiting.borrow().len(), 1);
        drain.begin();
        assert!(second.is_over(&context));
        assert!(drain.waiting.borrow().is_empty());
    }
}
