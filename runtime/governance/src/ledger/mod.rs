//! The ledger: prepaid credit in lots, double entry, append-only. Integers only, and pure: time is an argument.
//!
//! An [`Operation`] is planned against the state and becomes an [`Entry`]: numbered, with postings that sum to zero. The
//! entry's bytes are the record to store, one per sequence number and in its order; applying entries from the first (or
//! from a [checkpoint](Ledger::checkpoint)) rebuilds the state. An entry says what moved, not how that was decided, so
//! a later version that decides otherwise replays the past as it was.
//!
//! - Management writes: [`Ledger::plan`], store the entry, [`Ledger::apply`].
//! - Requests: [`Ledger::execute`] at once, and store the entry while the upstream works.
//!
//! The ledger knows accounts, not the tree: that `from` is the parent of `to`, and which account of a path pays
//! (`prepaid`), is the caller's business. A `postpaid` subtree does not touch the ledger; its usage rows are the bill.

mod apply;
mod books;
mod checkpoint;
mod entry;
mod error;
mod idempotency;
mod lots;
mod operation;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use uuid::Uuid;

use crate::ids::AccountId;

pub use books::{Book, Lot, Posting, Totals};
pub use entry::Entry;
pub use error::LedgerError;
pub use operation::{Operation, Outcome, Planned, Receipt, Source, micro_units};

use idempotency::{Keys, Settled};
use lots::Lots;

/// The state of all books.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Number of the last entry applied; 0 before the first.
    last: u64,
    wallets: HashMap<AccountId, Wallet>,
    open: HashMap<Uuid, Open>,
    settled: Settled,
    keys: Keys,
    totals: Totals,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Wallet {
    lots: Lots,
    held: i64,
    /// Open holds, those of nothing included.
    holds: u64,
    /// Swept for good, and where to.
    closed: Option<Closed>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Closed {
    to: Option<AccountId>,
    receipt: Receipt,
}

/// A hold that waits for its settlement.
#[derive(Clone, Debug, PartialEq)]
struct Open {
    wallet: AccountId,
    /// What the first hold asked for: extensions come on top.
    asked: i64,
    lots: Lots,
    at_ms: u64,
    sequence: u64,
}

/// What an account's wallet holds at a moment. Micro-units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Free to spend, hold, grant or give back. Never negative.
    pub available: i64,
    /// Set aside for calls under way.
    pub held: i64,
    /// Expired, but not yet moved away by [`Operation::Expire`]; of no use.
    pub expired: i64,
    /// The account was archived and its wallet swept.
    pub closed: bool,
}

/// An open hold, for recovery after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenHold {
    /// Our id of the request.
    pub request: Uuid,
    /// Whose wallet.
    pub wallet: AccountId,
    /// Micro-units held, extensions included.
    pub amount: i64,
    /// When it was made, Unix milliseconds.
    pub at_ms: u64,
}

impl Ledger {
    /// Plans and applies in one step. Store [`Outcome::entry`], if there is one.
    ///
    /// # Errors
    /// See [`Ledger::plan`].
    pub fn execute(&mut self, operation: Operation, now_ms: u64) -> Result<Outcome, LedgerError> {
        match self.plan(operation, now_ms)? {
            Planned::Done(receipt) => Ok(Outcome {
                receipt,
                entry: None,
            }),
            Planned::Entry(entry) => Ok(Outcome {
                receipt: self.apply(&entry)?,
                entry: Some(entry),
            }),
        }
    }

    /// Number of the last entry applied; 0 before the first.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.last
    }

    /// An account's wallet; one that never had credit is empty.
    #[must_use]
    pub fn balance(&self, account: AccountId, now_ms: u64) -> Balance {
        self.wallets
            .get(&account)
            .map_or_else(Balance::default, |wallet| {
                let available = wallet.lots.available(now_ms);
                Balance {
                    available,
                    held: wallet.held,
                    expired: wallet.lots.total() - available,
                    closed: wallet.closed.is_some(),
                }
            })
    }

    /// The lots in an account's wallet with what is left of each, in the order in which they will be spent.
    pub fn lots(&self, account: AccountId) -> impl Iterator<Item = (Lot, i64)> {
        self.wallets
            .get(&account)
            .into_iter()
            .flat_map(|wallet| wallet.lots.spending_order())
    }

    /// Holds that wait for their settlement, in no order.
    pub fn open_holds(&self) -> impl Iterator<Item = OpenHold> {
        self.open.iter().map(|(request, open)| OpenHold {
            request: *request,
            wallet: open.wallet,
            amount: open.lots.total(),
            at_ms: open.at_ms,
        })
    }

    /// Wallets with credit that has expired: each is due for an [`Operation::Expire`]. Looks at every wallet.
    pub fn due(&self, now_ms: u64) -> impl Iterator<Item = AccountId> {
        self.wallets
            .iter()
            .filter(move |(_, wallet)| wallet.lots.expired(now_ms).next().is_some())
            .map(|(account, _)| *account)
    }

    /// The sum of each kind of book.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What all books sum to. Always 0: anything else is a bug or damage, and worth an alarm. Reads six numbers.
    #[must_use]
    pub fn imbalance(&self) -> i128 {
        self.totals.sum()
    }

    /// Counts every lot of every wallet and hold again, and compares with the running totals.
    ///
    /// # Errors
    /// [`LedgerError::Inconsistent`] when they differ or anything is negative.
    pub fn verify(&self) -> Result<(), LedgerError> {
        let wrong = |what| {
            Err(LedgerError::Inconsistent {
                sequence: self.last,
                what,
            })
        };
        let (mut wallets, mut held, mut held_by_wallet) = (0i128, 0i128, 0i128);
        let mut holds = 0u64;
        for wallet in self.wallets.values() {
            if !wallet.lots.all_positive() || wallet.held < 0 {
                return wrong("a wallet is negative");
            }
            wallets += i128::from(wallet.lots.total());
            held_by_wallet += i128::from(wallet.held);
            holds += wallet.holds;
        }
        for open in self.open.values() {
            if !open.lots.all_positive() {
                return wrong("a hold is negative");
            }
            held += i128::from(open.lots.total());
        }
        if wallets != self.totals.wallets {
            return wrong("wallets and their total differ");
        }
        if held != self.totals.held || held != held_by_wallet || holds != self.open.len() as u64 {
            return wrong("holds and their total differ");
        }
        if self.totals.consumed < 0 || self.totals.expired < 0 || self.totals.fees < 0 {
            return wrong("a total is negative");
        }
        if self.imbalance() != 0 {
            return wrong("the books do not sum to zero");
        }
        Ok(())
    }

    /// Lets go of the requests that were settled before the last call of this function.
    ///
    /// Each settled request is remembered for at least one interval between calls, so that settling it again is
    /// recognised; one that is forgotten is refused as [`LedgerError::TooOld`] by the time in its id (version 7), never
    /// charged twice. An hour is plenty. Keys of grants and reclaims are never forgotten.
    pub fn forget_settled(&mut self) {
        self.settled.rotate();
    }
}
