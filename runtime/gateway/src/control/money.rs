//! Operations of the ledger: what they take is set aside, the entry is stored, then what they give is given.

use tollgate_governance::{Begun, Change, LedgerError, Operation, Pending, Receipt};
use tollgate_store::{ledger, records};

use super::audit::{Act, linked};
use super::change::Made;
use super::error::ControlError;
use super::{Control, State, now_ms};

/// What became of an operation.
pub(super) struct Posted {
    pub(super) receipt: Receipt,
    /// It had been done before, or there was nothing to do.
    pub(super) before: bool,
}

/// What goes into the same commit as an entry of the ledger.
pub(super) struct Told<'a> {
    pub(super) state: &'a mut State,
    pub(super) act: Act,
    pub(super) changes: &'a [Change],
}

impl Control {
    /// Carries out an operation, durable on return, with the entry of the audit log in the same commit.
    pub(super) fn post(
        &self,
        operation: Operation,
        told: Option<Told<'_>>,
    ) -> Result<Posted, ControlError> {
        let (receipt, made) = match self.begin(operation)? {
            Begun::Done(receipt) => (receipt, None),
            Begun::Pending(pending) => (pending.receipt(), Some(self.carry_out(pending, told)?)),
        };
        let before = made.is_none();
        made.unwrap_or_else(|| self.made_before()).confirmed()?;
        Ok(Posted { receipt, before })
    }

    /// Sets aside what an operation takes.
    pub(super) fn begin(&self, operation: Operation) -> Result<Begun, ControlError> {
        let now = now_ms();
        Ok(self
            .counters
            .ledger(|ledger| ledger.begin(operation, now))?)
    }

    /// Stores what was begun, and gives what it gives. The one place in which management moves money.
    pub(super) fn carry_out(
        &self,
        pending: Pending,
        told: Option<Told<'_>>,
    ) -> Result<Made, ControlError> {
        let stored = match told {
            None => ledger::append(&*self.store, pending.entry()).map(drop),
            Some(Told {
                state,
                act,
                changes,
            }) => {
                let entry = linked(state, act, changes);
                let (store, directory) = (&*self.store, &mut state.directory);
                let posted = pending.entry();
                let stored =
                    records::commit_posted(store, directory, posted, changes, Some(&entry));
                self.follow_log(state, &entry, stored.as_ref().err());
                stored
            }
        };
        match stored.as_ref().err() {
            Some(error) if error.is_refusal() => {
                self.counters.ledger(|ledger| ledger.abort(pending));
            }
            // Nobody can tell whether the store has it: what it takes stays set aside until the next start.
            Some(error) if !error.is_made() => {
                tracing::error!(%error, "an operation of the ledger may or may not be stored");
            }
            // Else the books are what the store has. (Left under way where the disk had not confirmed it, the credit was
            // nobody's until the next start.)
            _ => {
                self.counters.ledger(|ledger| ledger.commit(pending));
            }
        }
        self.made(stored)
    }
}

impl From<LedgerError> for ControlError {
    fn from(error: LedgerError) -> Self {
        let blamed = |field: &str, error: Self| Self {
            field: Some(field.to_owned()),
            ..error
        };
        let message = error.to_string();
        match error {
            LedgerError::Amount(_) | LedgerError::Overflow | LedgerError::TooMuch { .. } => {
                Self::invalid("amount", message)
            }
            LedgerError::Expired { .. } => Self::invalid("expires_ms", message),
            LedgerError::Key => Self::invalid("idempotency_key", message),
            LedgerError::Insufficient { .. } => blamed("amount", Self::conflict(message)),
            LedgerError::Conflict { .. } | LedgerError::UnderWay(_) => {
                blamed("idempotency_key", Self::conflict(message))
            }
            LedgerError::Closed(_) | LedgerError::HoldsOpen(_) | LedgerError::SameAccount => {
                blamed("account", Self::conflict(message))
            }
            error => Self::internal(error),
        }
    }
}
