//! What can be asked of the ledger, and what it answers.

use uuid::Uuid;

use super::entry::Entry;
use crate::ids::AccountId;

/// One operation. Amounts are micro-units of the base currency.
///
/// Each is idempotent: repeated with the same content it changes nothing and answers as the first time; with other
/// content under the same key it is refused. `key` is the caller's; for a call it is the id of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Credit for an account, newly issued or out of its parent's wallet.
    Grant {
        /// Chosen by the caller, unique over all grants and reclaims, 1 to 200 bytes.
        key: String,
        /// Where it comes from.
        from: Source,
        /// Who gets it.
        to: AccountId,
        /// Positive.
        amount: i64,
    },
    /// Credit taken back: at most what is available.
    Reclaim {
        /// See [`Operation::Grant`].
        key: String,
        /// Who gives it up.
        from: AccountId,
        /// The parent; none gives it back to the treasury.
        to: Option<AccountId>,
        /// Positive.
        amount: i64,
    },
    /// Sets credit aside for a call, earliest-expiring lots first.
    Hold {
        /// Our id of the request, version 7.
        request: Uuid,
        /// Who pays.
        wallet: AccountId,
        /// May be zero: the call is free, but still settled exactly once.
        amount: i64,
    },
    /// Raises a hold. Naturally idempotent: a hold that is large enough already is left alone.
    Extend {
        /// See [`Operation::Hold`].
        request: Uuid,
        /// The whole hold, not the difference.
        to_amount: i64,
    },
    /// Settles a call: charges it to its hold, then to what the wallet has available, and what is left to the treasury
    /// (see [`Receipt::uncovered`]): a charge is never lost, and a wallet never negative. The rest of the hold returns.
    /// A call without a hold is charged directly.
    Post {
        /// See [`Operation::Hold`].
        request: Uuid,
        /// The hold's, if there is one.
        wallet: AccountId,
        /// What the usage row says was charged.
        amount: i64,
        /// On top, for the operator; 0 unless fees are wanted.
        fee: i64,
    },
    /// Gives a hold back: the call cost nothing.
    Release {
        /// See [`Operation::Hold`].
        request: Uuid,
    },
    /// Moves a wallet's expired credit away. Naturally idempotent.
    Expire {
        /// Whose.
        wallet: AccountId,
    },
    /// Moves all credit of an archived account up, lots and all, and closes its wallet for good. What has expired goes
    /// where expired credit goes.
    Sweep {
        /// Whose; it may hold nothing.
        wallet: AccountId,
        /// The parent; none is the treasury.
        to: Option<AccountId>,
    },
}

/// Where a grant comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A new lot.
    Treasury {
        /// Of use before that moment, Unix milliseconds; none: for ever.
        expires_ms: Option<u64>,
    },
    /// The parent's lots, earliest-expiring first; they keep their expiry.
    Wallet(AccountId),
}

/// What an operation did, the same however often it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Number of the entry; that of the last one if there was nothing to do.
    pub sequence: u64,
    /// Micro-units moved: granted, held (by this extension), charged with the fee, released, expired, swept.
    pub amount: i64,
    /// The part of a charge that the treasury paid.
    pub uncovered: i64,
}

/// What [`Ledger::execute`](super::Ledger::execute) did.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What was done, now or the first time.
    pub receipt: Receipt,
    /// To be stored; none if nothing changed.
    pub entry: Option<Entry>,
}

/// What [`Ledger::plan`](super::Ledger::plan) found.
#[derive(Clone, Debug, PartialEq)]
pub enum Planned {
    /// To be stored and applied.
    Entry(Entry),
    /// It was done before, or there is nothing to do.
    Done(Receipt),
}

/// A cost as the ledger's amount. Costs saturate at `u64::MAX`; the ledger's largest amount is as unpayable.
#[must_use]
pub fn micro_units(cost: u64) -> i64 {
    i64::try_from(cost).unwrap_or(i64::MAX)
}
