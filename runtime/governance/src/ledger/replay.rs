//! A stored entry, carried out again: first checked whole, then applied.

use super::books::{Book, Lot, Posting};
use super::entry::{Cause, Entry};
use super::error::LedgerError;
use super::operation::{Operation, Post, Receipt, Source};
use super::post::needed;
use super::{Closed, Ledger};
use crate::ids::AccountId;

impl Ledger {
    /// Carries out an entry that was stored.
    ///
    /// # Errors
    /// [`LedgerError::Inconsistent`] for an entry that no ledger can have stored after those before it: one is missing,
    /// repeated or altered. Nothing is changed then.
    pub fn replay(&mut self, entry: &Entry) -> Result<Receipt, LedgerError> {
        let receipt = self.check(entry).map_err(LedgerError::Inconsistent)?;
        for posting in &entry.postings {
            if let (Book::Wallet(account), Some(lot)) = (posting.book, posting.lot) {
                let amount = posting.amount;
                let fits = (self.wallets).of(account, |wallet| wallet.lots.add(lot, amount));
                debug_assert!(fits, "checked");
                self.last_lot = self.last_lot.max(lot.id);
            }
            self.totals.post(posting);
        }
        match &entry.cause {
            Cause::Post(post) => {
                self.totals.uncovered += i128::from(receipt.uncovered);
                self.settled_as(*post, receipt.uncovered);
            }
            Cause::Operation(_) => self.finish(entry, receipt),
        }
        Ok(receipt)
    }

    fn check(&self, entry: &Entry) -> Result<Receipt, &'static str> {
        let sum: i128 = entry.postings.iter().map(|p| i128::from(p.amount)).sum();
        if sum != 0 {
            return Err("its postings do not sum to zero");
        }
        let receipt = receipt_of(entry).ok_or("its amounts overflow")?;
        let as_asked = match &entry.cause {
            Cause::Post(post) => is_charge(post, &entry.postings, receipt),
            Cause::Operation(operation) => is_operation(operation, entry, receipt),
        };
        if !as_asked {
            return Err("its postings are not what was asked for");
        }
        match &entry.cause {
            Cause::Post(post) if self.settled.get(&post.request).is_some() => {
                return Err("a second settlement of a request");
            }
            Cause::Post(post) if self.open.contains_key(&post.request) => {
                return Err("a request that is open");
            }
            Cause::Operation(Operation::Grant { key, .. } | Operation::Reclaim { key, .. })
                if self.keys.done.contains_key(&key.mark()) =>
            {
                return Err("an idempotency key used twice");
            }
            Cause::Operation(Operation::Sweep { wallet, to })
                if self.closed(*wallet).is_some_and(|closed| closed.to != *to) =>
            {
                return Err("a wallet swept to two places");
            }
            Cause::Post(_) | Cause::Operation(_) => {}
        }
        for posting in &entry.postings {
            self.check_posting(posting)?;
        }
        Ok(receipt)
    }

    fn closed(&self, account: AccountId) -> Option<&Closed> {
        self.wallets.get(&account)?.closed.as_ref()
    }

    fn check_posting(&self, posting: &Posting) -> Result<(), &'static str> {
        let (Book::Wallet(account), Some(lot)) = (posting.book, posting.lot) else {
            return Ok(());
        };
        let wallet = self.wallets.get(&account);
        let balance = wallet.map_or(0, |wallet| wallet.lots.balance(lot));
        match balance.checked_add(posting.amount) {
            None => Err("a lot overflows"),
            Some(after) if after < 0 => Err("a wallet would be negative"),
            // A charge may be stored after the sweep that followed it; credit never is.
            Some(_) if posting.amount > 0 && self.closed(account).is_some() => {
                Err("credit for a closed wallet")
            }
            Some(_) => Ok(()),
        }
    }
}

/// Read off the entry, so that a replay remembers the same. None when amounts overflow.
pub(super) fn receipt_of(entry: &Entry) -> Option<Receipt> {
    let (amount, uncovered) = match &entry.cause {
        Cause::Post(post) => {
            let paid = |p: &&Posting| p.book == Book::Treasury;
            let uncovered = entry.postings.iter().find(paid).map_or(0, |p| p.amount);
            (needed(post).ok()?, uncovered.checked_neg()?)
        }
        Cause::Operation(_) => {
            let mut moved = 0i64;
            for posting in entry.postings.iter().filter(|p| p.amount > 0) {
                moved = moved.checked_add(posting.amount)?;
            }
            (moved, 0)
        }
    };
    Some(Receipt { amount, uncovered })
}

/// Out of lots of the wallet in their order; then treasury, consumed and fees, each once where it is not zero.
fn is_charge(post: &Post, postings: &[Posting], receipt: Receipt) -> bool {
    let mut rest = postings;
    let mut last = None;
    while let Some((posting, after)) = rest.split_first()
        && let Some(lot) = posting.lot
    {
        if posting.book != Book::Wallet(post.wallet) || posting.amount >= 0 || Some(lot) <= last {
            return false;
        }
        last = Some(lot);
        rest = after;
    }
    let ends = [
        (Book::Treasury, -receipt.uncovered),
        (Book::Consumed, post.amount),
        (Book::Fees, post.fee),
    ];
    let ends = ends.into_iter().filter(|(_, amount)| *amount != 0);
    receipt.uncovered >= 0 && ends.eq(rest.iter().map(|p| (p.book, p.amount)))
}

fn is_operation(operation: &Operation, entry: &Entry, receipt: Receipt) -> bool {
    let expired = |lot: Lot| lot.expires_ms <= entry.at_ms;
    match operation {
        Operation::Grant {
            from: Source::Treasury { expires_ms },
            to,
            amount,
            ..
        } => match entry.postings.as_slice() {
            [out, into] => {
                *out == Posting::new(Book::Treasury, -amount)
                    && into.book == Book::Wallet(*to)
                    && into.amount > 0
                    && into
                        .lot
                        .is_some_and(|lot| lot.expires_ms == expires_ms.unwrap_or(u64::MAX))
            }
            _ => false,
        },
        Operation::Grant {
            from: Source::Wallet(from),
            to,
            amount,
            ..
        } => {
            receipt.amount == *amount
                && is_transfer(*from, Some(*to), &entry.postings, |lot| {
                    (!expired(lot)).then_some(false)
                })
        }
        Operation::Reclaim {
            from, to, amount, ..
        } => {
            receipt.amount == *amount
                && is_transfer(*from, *to, &entry.postings, |lot| {
                    (!expired(lot)).then_some(false)
                })
        }
        Operation::Expire { wallet } => is_transfer(*wallet, None, &entry.postings, |lot| {
            expired(lot).then_some(true)
        }),
        Operation::Sweep { wallet, to } => {
            is_transfer(*wallet, *to, &entry.postings, |lot| Some(expired(lot)))
        }
    }
}

/// Pairs, each out of a lot of `from`, in the order of the lots, and whole into `to` or into the expired credit, as
/// `expires` says; it says none for a lot that cannot be in it.
fn is_transfer(
    from: AccountId,
    to: Option<AccountId>,
    postings: &[Posting],
    expires: impl Fn(Lot) -> Option<bool>,
) -> bool {
    let mut last = None;
    let (pairs, rest) = postings.as_chunks::<2>();
    rest.is_empty()
        && to != Some(from)
        && pairs.iter().all(|[out, into]| {
            let (Some(lot), Some(amount)) = (out.lot, out.amount.checked_neg()) else {
                return false;
            };
            let end = match (expires(lot), to) {
                (Some(true), _) => Posting::new(Book::Expired, amount),
                (Some(false), Some(to)) => Posting::wallet(to, lot, amount),
                (Some(false), None) => Posting::new(Book::Treasury, amount),
                (None, _) => return false,
            };
            let in_order = last < Some(lot);
            last = Some(lot);
            in_order && out.book == Book::Wallet(from) && amount > 0 && *into == end
        })
}
