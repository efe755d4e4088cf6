//! Why the ledger refused an operation or a record.

use uuid::Uuid;

use crate::ids::AccountId;
use crate::money::show_money;

/// Why the ledger refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// A grant or reclaim must move something; nothing else may be negative.
    #[error("an amount of {}: it must be more than zero", units(.0))]
    Amount(i64),
    /// More than 2^63 - 1 micro-units would be held or charged at once.
    #[error("the amount is too large")]
    Overflow,
    /// More than 2^63 - 1 micro-units of credit would exist.
    #[error(
        "{} asked for, and no more than {} can be issued: all credit together is at most {}",
        units(.asked), units(.left), units(&i64::MAX)
    )]
    TooMuch {
        /// Micro-units.
        asked: i64,
        /// Micro-units.
        left: i64,
    },
    /// The wallet has less. Show `available` to those who may see the wallet, and to nobody else.
    #[error("{} asked for, {} available", units(.asked), units(.available))]
    Insufficient {
        /// Micro-units.
        available: i64,
        /// Micro-units.
        asked: i64,
    },
    /// Credit that has expired already cannot be granted.
    #[error("credit that expires at {} would be of no use: that is past", moment(.expires_ms))]
    Expired {
        /// The expiry asked for.
        expires_ms: u64,
    },
    /// The account was archived, its wallet swept for good.
    #[error("the wallet of account {0} is closed")]
    Closed(AccountId),
    /// A wallet is swept after its holds have drained.
    #[error("{0} calls under way hold credit of this wallet")]
    HoldsOpen(u64),
    /// A transfer to where the money is.
    #[error("from and to are the same account")]
    SameAccount,
    /// An idempotency key is 1 to 200 bytes of text.
    #[error("an idempotency key must have 1 to {most} bytes", most = super::idempotency::LONGEST_KEY)]
    Key,
    /// The key was used for something else.
    #[error("idempotency key `{key}` was used before with other content ({was})")]
    Conflict {
        /// The key, or the id of the request.
        key: String,
        /// What it was used for.
        was: &'static str,
    },
    /// The request is so old that it may have been settled and forgotten: it is not charged again.
    #[error("request {0} is older than what the ledger remembers")]
    TooOld(Uuid),
    /// A call is known by our own id of it.
    #[error("a call without an id")]
    NoId,
    /// Nothing is held for the request.
    #[error("no hold for request {0}")]
    NoHold(Uuid),
    /// The same, or what it depends on, is on its way to the store. Ask again in a moment.
    #[error("{0}: an operation is being stored, ask again in a moment")]
    UnderWay(String),
    /// Bytes that are no entry or no checkpoint.
    #[error("a damaged ledger record")]
    Damaged,
    /// Written by a newer Tollgate.
    #[error("a ledger record of version {0}, which is newer than this Tollgate")]
    Newer(u8),
    /// A record that no ledger can have written after those before it, or state that does not add up.
    #[error("{0}")]
    Inconsistent(&'static str),
}

/// As people say amounts on the command line: whoever asked for 20 finds no 20000000 in the answer.
fn units(micros: &i64) -> String {
    show_money((*micros).into())
}

/// As people say moments on the command line.
fn moment(at_ms: &u64) -> String {
    let at = i64::try_from(*at_ms).ok();
    let at = at.and_then(|at_ms| jiff::Timestamp::from_millisecond(at_ms).ok());
    at.map_or_else(
        || format!("{at_ms} (Unix milliseconds)"),
        |at| at.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_in_units_of_the_currency() {
        let short = LedgerError::Insufficient {
            available: 2_500_000,
            asked: 20_000_000,
        };
        assert_eq!(short.to_string(), "20.00 asked for, 2.50 available");
        let much = LedgerError::TooMuch {
            asked: i64::MAX,
            left: i64::MAX - 5_000_000,
        };
        assert_eq!(
            much.to_string(),
            "9223372036854.775807 asked for, and no more than 9223372036849.775807 can be issued: all credit together is at \
             most 9223372036854.775807"
        );
        let none = LedgerError::Amount(-1).to_string();
        assert_eq!(none, "an amount of -0.000001: it must be more than zero");
    }

    #[test]
    fn a_moment_that_is_past_is_said_as_people_write_it() {
        let past = |expires_ms| LedgerError::Expired { expires_ms }.to_string();
        assert_eq!(
            past(1_760_000_000_000),
            "credit that expires at 2025-10-09T08:53:20Z would be of no use: that is past"
        );
        assert!(past(u64::MAX).contains("18446744073709551615 (Unix milliseconds)"));
    }
}
