//! The books and the postings between them.

use crate::ids::AccountId;

/// A ledger account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Book {
    /// Where credit comes from: its balance is minus all that was issued. Pays what no wallet could.
    Treasury,
    /// An account's credit.
    Wallet(AccountId),
    /// Set aside for an account's calls under way.
    Held(AccountId),
    /// Charged for calls.
    Consumed,
    /// Credit that nobody used in time.
    Expired,
    /// Charged on top of calls, if the operator wants that.
    Fees,
}

/// Credit that was issued together. Its number is that of the entry which issued it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lot {
    /// Unix milliseconds: of use before that moment. `u64::MAX` is never. First, so that lots sort as they are spent.
    pub expires_ms: u64,
    /// Sequence number of the issuing entry.
    pub id: u64,
}

/// One line of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Where.
    pub book: Book,
    /// Of which lot; wallets and holds only.
    pub lot: Option<Lot>,
    /// Micro-units, positive into the book.
    pub amount: i64,
}

/// The sum of each kind of book, micro-units. Wide, so that no number of entries can overflow them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// See [`Book::Treasury`]; the only one below zero.
    pub treasury: i128,
    /// See [`Book::Wallet`].
    pub wallets: i128,
    /// See [`Book::Held`].
    pub held: i128,
    /// See [`Book::Consumed`].
    pub consumed: i128,
    /// See [`Book::Expired`].
    pub expired: i128,
    /// See [`Book::Fees`].
    pub fees: i128,
    /// The part of consumed and fees that the treasury paid because neither hold nor wallet covered it.
    pub uncovered: i128,
}

impl Totals {
    pub(super) fn sum(&self) -> i128 {
        self.treasury + self.wallets + self.held + self.consumed + self.expired + self.fees
    }

    pub(super) fn post(&mut self, posting: &Posting) {
        let total = match posting.book {
            Book::Treasury => &mut self.treasury,
            Book::Wallet(_) => &mut self.wallets,
            Book::Held(_) => &mut self.held,
            Book::Consumed => &mut self.consumed,
            Book::Expired => &mut self.expired,
            Book::Fees => &mut self.fees,
        };
        *total += i128::from(posting.amount);
    }
}
