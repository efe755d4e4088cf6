//! What can be asked of the ledger, and what it answers.

use std::fmt;

use uuid::Uuid;

use super::entry::Entry;
use crate::ids::AccountId;

/// What whoever asks names an operation by, so that asking again does nothing a second time.
///
/// Two who manage apart may choose the same words: each account from which the tree is managed has keys of its own, and nobody
/// learns of another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// From which account the asker sees the tree; none in records of versions that had one set of keys for all.
    pub scope: Option<AccountId>,
    /// Chosen by the asker, 1 to 200 bytes.
    pub text: String,
}

impl IdempotencyKey {
    /// A key of somebody who sees the tree from this account.
    #[must_use]
    pub fn of(scope: AccountId, text: String) -> Self {
        Self {
            scope: Some(scope),
            text,
        }
    }
}

impl From<String> for IdempotencyKey {
    /// A key of the one set.
    fn from(text: String) -> Self {
        Self { scope: None, text }
    }
}

impl From<&str> for IdempotencyKey {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// An operation of management. Amounts are micro-units of the base currency.
///
/// Each is idempotent: repeated with the same content it changes nothing and answers as the first time; with other
/// content under the same key it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Credit for an account, newly issued or out of its parent's wallet.
    Grant {
        /// Unique over the grants and reclaims of its scope.
        key: IdempotencyKey,
        /// Where the credit comes from.
        from: Source,
        /// Whose wallet gets it.
        to: AccountId,
        /// More than zero.
        amount: i64,
    },
    /// Takes credit back: at most what is available.
    Reclaim {
        /// As of a grant.
        key: IdempotencyKey,
        /// Whose wallet.
        from: AccountId,
        /// The parent's wallet; none is the treasury, where lots end.
        to: Option<AccountId>,
        /// More than zero.
        amount: i64,
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

/// The settlement of a call: charged to its hold, then to what the wallet has available, and what is left to the
/// treasury (see [`Receipt::uncovered`]): a charge is never lost, and a wallet never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Post {
    /// Our id of the request, version 7.
    pub request: Uuid,
    /// Who pays: the hold's wallet, if there is a hold.
    pub wallet: AccountId,
    /// What was charged, without the fee.
    pub amount: i64,
    /// What was charged for the operator; 0 unless fees are wanted. Both together are at most `i64::MAX`, and what the
    /// usage row says.
    pub fee: i64,
}

/// What was done, the same however often it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Micro-units moved: granted, reclaimed, charged with the fee, expired, swept.
    pub amount: i64,
    /// The part of a charge that the treasury paid.
    pub uncovered: i64,
}

/// What [`Ledger::begin`](super::Ledger::begin) found.
#[derive(Debug, PartialEq)]
pub enum Begun {
    /// It was done before, or there is nothing to do.
    Done(Receipt),
    /// To be stored.
    Pending(Pending),
}

/// An operation on its way to the store: what it takes is set aside, what it gives is not there yet.
///
/// Dropping it leaves it so until the next start, which goes by what the store has: the safe side where the store
/// cannot tell whether it has the entry.
#[must_use = "store its entry and commit it, or abort it"]
#[derive(Debug, PartialEq)]
pub struct Pending {
    pub(super) entry: Entry,
    pub(super) receipt: Receipt,
}

impl Pending {
    /// To be stored before the commit.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// What the commit will answer.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        self.receipt
    }
}

/// A cost as the ledger's amount. Costs saturate at `u64::MAX`; the ledger's largest amount is as unpayable.
#[must_use]
pub fn micro_units(cost: u64) -> i64 {
    i64::try_from(cost).unwrap_or(i64::MAX)
}
