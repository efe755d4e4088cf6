//! Operations of the ledger: what they take is set aside, the entry is stored, then what they give is given.

use tollgate_governance::{Begun, LedgerError, Operation, Receipt};
use tollgate_store::{StoreError, Write, ledger};

use super::audit::Act;
use super::error::ControlError;
use super::{Control, State, now_ms};

/// What became of an operation.
pub(super) struct Posted {
    pub(super) receipt: Receipt,
    /// It had been done before, or there was nothing to do.
    pub(super) before: bool,
}

impl Control {
    /// Carries out an operation, durable on return, with the entry of the audit log in the same commit. The one place in
    /// which management moves money.
    pub(super) fn post(
        &self,
        operation: Operation,
        told: Option<(&mut State, Act)>,
    ) -> Result<Posted, ControlError> {
        let now = now_ms();
        let begun = self
            .counters
            .ledger(|ledger| ledger.begin(operation, now))?;
        let pending = match begun {
            Begun::Done(receipt) => {
                return Ok(Posted {
                    receipt,
                    before: true,
                });
            }
            Begun::Pending(pending) => pending,
        };
        let append = |writes: &[Write]| {
            match ledger::append_with(&*self.store, pending.entry(), writes) {
                // It is on its way to the disk: stored as soon as a flush succeeds.
                Err(StoreError::Unflushed { .. }) => self.store.flush().map(|()| 0),
                stored => stored,
            }
        };
        let stored = match told {
            None => append(&[]),
            Some((state, act)) => {
                let (entry, write) = self.linked(state, act);
                let stored = append(&write);
                self.follow_log(state, &entry, stored.as_ref().err());
                stored
            }
        };
        match stored {
            Ok(_) => {
                let receipt = self.counters.ledger(|ledger| ledger.commit(pending));
                Ok(Posted {
                    receipt,
                    before: false,
                })
            }
            Err(error) if error.is_refusal() => {
                self.counters.ledger(|ledger| ledger.abort(pending));
                Err(error.into())
            }
            Err(error) => {
                // Nobody can tell whether the store has it: what it takes stays set aside until the next start.
                tracing::error!(%error, "an operation of the ledger may or may not be stored");
                Err(error.into())
            }
        }
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
