//! Requests that are under way: a process that is killed leaves a trace of each that its vendor may bill, and one whose
//! key is killed ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use slab::Slab;
use tokio::sync::Notify;
use tollgate_store::JournalError;

use crate::settle::Open;
use crate::worker::Worker;

/// The admitted requests of one worker.
#[derive(Default)]
pub(crate) struct Underway {
    open: RefCell<Slab<Rc<RefCell<Open>>>>,
    /// Nobody looks, because there was nothing to look at.
    asleep: Cell<bool>,
    wake: Notify,
}

/// One request's place.
pub(crate) struct Place {
    number: usize,
    pub(crate) open: Rc<RefCell<Open>>,
}

impl Underway {
    /// A request was admitted.
    pub(crate) fn enter(&self, open: Open) -> Place {
        let open = Rc::new(RefCell::new(open));
        let number = self.open.borrow_mut().insert(Rc::clone(&open));
        if self.asleep.replace(false) {
            self.wake.notify_one();
        }
        Place { number, open }
    }

    /// A request has ended: gives what was known of it.
    pub(crate) fn leave(&self, place: Place) -> Option<Open> {
        self.open.borrow_mut().try_remove(place.number);
        // Nobody else keeps it: the watch looks and lets go.
        Rc::into_inner(place.open).map(RefCell::into_inner)
    }
}

/// How long a request is under way before the journal hears of it. What ends sooner costs no second record.
const DUE: Duration = Duration::from_millis(20);

/// Notes requests in the journal that have been under way for a while: one write for all of them. Goes on after the last
/// of them until all of the journal is written: nobody else tries again, as new requests are refused until it is. (A
/// gateway whose last answer ended on a full disk refused for ever.)
pub(crate) async fn watch(worker: Rc<Worker>) {
    let underway = &worker.underway;
    let kills = worker.control.kills();
    let mut seen = kills.count();
    let mut failing = false;
    loop {
        if underway.open.borrow().is_empty() && worker.journal.borrow().is_written() {
            underway.asleep.set(true);
            underway.wake.notified().await;
        }
        tokio::time::sleep(DUE).await;
        for key in kills.since(&mut seen) {
            for (_, open) in underway.open.borrow().iter() {
                open.borrow_mut().kill(key);
            }
        }
        let now_ms = worker.now_ms();
        let mut journal = worker.journal.borrow_mut();
        for (_, open) in underway.open.borrow().iter() {
            open.borrow_mut().note(&mut journal, DUE, now_ms);
        }
        // Also where there was nothing new: what could not be written before is tried again.
        let failed_before = failing;
        failing = match journal.flush() {
            Ok(()) => false,
            // Passed over: the store gets the row when the request ends. Nothing is tried again.
            Err(error @ JournalError::TooLarge { .. }) => {
                tracing::warn!(%error, "a request under way leaves no trace in the journal");
                false
            }
            Err(error) => {
                if !failed_before {
                    tracing::error!(%error, "the journal cannot be written; it is tried again");
                }
                true
            }
        };
    }
}
