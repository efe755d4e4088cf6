//! What has to be done now and then while the gateway runs, on a thread of its own: deleted accounts are archived when
//! their last request has ended, expired credit is moved away, the last use of keys and management tokens and what policies
//! refused is written down, the ledger lets go of what it need not remember.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use tollgate_governance::{AccountId, Begun, Operation, Receipt};
use tollgate_store::ledger;

use super::audit::{Act, Actor};
use super::change::Made;
use super::error::ControlError;
use super::money::Told;
use super::open::CHECKPOINT_RECORDS;
use super::{Control, State, now_ms};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// How long settled requests are remembered at least, seconds: longer than a request's body may take to come, and not so
/// long that a busy gateway keeps millions of them (90 bytes each).
const REMEMBER: u64 = 300;

/// The thread; dropping it ends it.
pub(super) struct Tending {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Tending {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the tending thread panicked");
        }
    }
}

impl Control {
    /// Starts the thread, until [`Control::close`].
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn tend(self: &Arc<Self>) -> std::io::Result<()> {
        let (stop, stopped) = mpsc::channel::<()>();
        // No reference that keeps the gateway alive.
        let weak = Arc::downgrade(self);
        let thread = std::thread::Builder::new()
            .name("tend".to_owned())
            .spawn(move || run(&weak, &stopped))?;
        *self.tending.lock() = Some(Tending {
            stop: Some(stop),
            thread: Some(thread),
        });
        Ok(())
    }

    /// Archives every account that is being deleted and has nothing under way any more. Says why one could not be, or is not
    /// confirmed by the disk.
    pub(super) fn archive_drained(&self) -> Option<ControlError> {
        let closing = self.state.lock().closing.clone();
        let mut failed = None;
        let mut archived = false;
        for id in closing {
            // The lock is let go after each: with a large subtree others have their turn.
            let mut state = self.state.lock();
            match self.archive(&mut state, id) {
                Ok(None) => {}
                Ok(Some(made)) => {
                    archived = true;
                    failed = failed.or(made.confirmed().err());
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if archived {
            self.publish(&self.state.lock());
        }
        failed
    }

    /// Archives one account that is being deleted, if nothing hangs on it any more. Its credit goes to the account above in
    /// the same commit: the one entry of the audit log tells of both.
    fn archive(&self, state: &mut State, id: AccountId) -> Result<Option<Made>, ControlError> {
        let occupied = state.directory.children(id).next().is_some();
        if occupied || state.directory.running(id, &self.counters) > 0 {
            return Ok(None);
        }
        let now = now_ms();
        let to = state.directory.get(id).and_then(|account| account.parent);
        let changes = state.directory.archive(id, now)?;
        let path = state.directory.names(id).unwrap_or_default();
        let act = Act::new("account.archive").by(Actor::Gateway);
        let act = act.about(id.to_string(), path);
        // Most accounts never had credit: no record of the ledger for those. A wallet that is closed by now was swept by a
        // version that archived its account in a commit of its own, and was killed before that.
        let credit = self
            .counters
            .ledger(|ledger| ledger.lots(id).next().is_some() || ledger.balance(id, now).closed);
        let begun = credit.then(|| self.begin(Operation::Sweep { wallet: id, to }));
        let made = match begun.transpose()? {
            None => self.record(state, act.with("credit", 0), &changes)?,
            Some(Begun::Done(Receipt { amount, .. })) => {
                self.record(state, act.with("credit", amount), &changes)?
            }
            Some(Begun::Pending(pending)) => {
                let told = Told {
                    act: act.with("credit", pending.receipt().amount),
                    state,
                    changes: &changes,
                };
                self.carry_out(pending, Some(told))?
            }
        };
        state.closing.retain(|closing| *closing != id);
        Ok(Some(made))
    }

    /// Moves expired credit away.
    pub(super) fn expire_due(&self) {
        let now = now_ms();
        let due: Vec<_> = self.counters.ledger(|ledger| ledger.due(now).collect());
        for wallet in due {
            if let Err(error) = self.post(Operation::Expire { wallet }, None) {
                tracing::warn!(account = %wallet, %error, "expired credit could not be moved away");
            }
        }
    }

    /// Writes a checkpoint of the ledger when many records have come since the last.
    pub(super) fn checkpoint_ledger(&self) {
        let written = ledger::since_checkpoint(&*self.store).and_then(|records| {
            match records >= CHECKPOINT_RECORDS {
                true => ledger::checkpoint(&*self.store),
                false => Ok(0),
            }
        });
        match written {
            Ok(0) => {}
            Ok(records) => tracing::debug!(records, "the ledger has a new checkpoint"),
            Err(error) => tracing::warn!(%error, "no checkpoint of the ledger was written"),
        }
    }

    /// What is due in this second of the thread.
    pub(super) fn tend_at(&self, second: u64) {
        let failed = self.archive_drained();
        if second.is_multiple_of(MINUTE) {
            if let Some(error) = failed {
                tracing::warn!(%error, "a deleted account is not archived, or not on the disk yet");
            }
            self.expire_due();
            self.note_tokens_used();
            self.note_denials();
            self.checkpoint_ledger();
        }
        if second.is_multiple_of(HOUR) {
            self.note_keys_used();
            match self.turns.expire(now_ms()) {
                Ok(0) => {}
                Ok(turns) => tracing::info!(turns, "kept turns have expired"),
                Err(error) => tracing::warn!(%error, "expired turns cannot be removed yet"),
            }
        }
        if second.is_multiple_of(REMEMBER) {
            self.counters
                .ledger(tollgate_governance::Ledger::forget_settled);
        }
    }
}

fn run(control: &Weak<Control>, stopped: &mpsc::Receiver<()>) {
    // From 1 on: a gateway that restarts every few seconds does not begin with the work of an hour each time.
    for second in 1.. {
        if stopped.recv_timeout(SECOND) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        let Some(control) = control.upgrade() else {
            return;
        };
        control.tend_at(second);
    }
}
