//! The books and the postings between them.

use crate::ids::AccountId;

/// A ledger account that entries post to. What calls under way hold is a book too, but one in memory only: see
/// [`Totals::held`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Book {
    /// Where credit comes from: its balance is minus all that was issued. Pays what no wallet could.
    Treasury,
    /// An account's credit.
    Wallet(AccountId),
    /// Charged for calls.
    Consumed,
    /// Credit that nobody used in time.
    Expired,
    /// Charged on top of calls, if the operator wants that.
    Fees,
}

/// Credit that was issued together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lot {
    /// Unix milliseconds: of use before that moment. `u64::MAX` is never. First, so that lots sort as they are spent.
    pub expires_ms: u64,
    /// 1, 2, 3, … in the order in which they were asked for.
    pub id: u64,
}

/// One line of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Where.
    pub book: Book,
    /// Of which lot; wallets only.
    pub lot: Option<Lot>,
    /// Micro-units, positive into the book.
    pub amount: i64,
}

impl Posting {
    pub(super) fn new(book: Book, amount: i64) -> Self {
        Self {
            book,
            lot: None,
            amount,
        }
    }

    pub(super) fn wallet(account: AccountId, lot: Lot, amount: i64) -> Self {
        Self {
            book: Book::Wallet(account),
            lot: Some(lot),
            amount,
        }
    }
}

/// The sum of each kind of book, micro-units. Wide, so that no number of entries can overflow them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// See [`Book::Treasury`]; the only one below zero.
    pub treasury: i128,
    /// See [`Book::Wallet`].
    pub wallets: i128,
    /// Set aside for calls under way. In memory only: a replay finds it in the wallets.
    pub held: i128,
    /// Set aside for operations that are being stored. In memory only, too.
    pub moving: i128,
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
        let spent = self.consumed + self.expired + self.fees;
        self.treasury + self.wallets + self.held + self.moving + spent
    }

    pub(super) fn post(&mut self, posting: &Posting) {
        let total = match posting.book {
            Book::Treasury => &mut self.treasury,
            Book::Wallet(_) => &mut self.wallets,
            Book::Consumed => &mut self.consumed,
            Book::Expired => &mut self.expired,
            Book::Fees => &mut self.fees,
        };
        *total += i128::from(posting.amount);
    }
}
