//! Carries an entry out: postings into the books, requests and keys into memory.

use std::collections::hash_map;

use uuid::Uuid;

use super::books::{Book, Posting};
use super::entry::Entry;
use super::error::LedgerError;
use super::idempotency::{Done, mark};
use super::operation::{Operation, Receipt};
use super::{Closed, Ledger, Open};
use crate::ids::AccountId;

impl Ledger {
    /// Applies a planned or a stored entry.
    ///
    /// # Errors
    /// [`LedgerError::Sequence`] when it does not follow the last one: nothing is changed. When an altered record is
    /// replayed [`LedgerError::Inconsistent`]: the state is half changed then and good for nothing.
    pub fn apply(&mut self, entry: &Entry) -> Result<Receipt, LedgerError> {
        if self.last.checked_add(1) != Some(entry.sequence) {
            return Err(LedgerError::Sequence {
                last: self.last,
                found: entry.sequence,
            });
        }
        let wrong = |what| LedgerError::Inconsistent {
            sequence: entry.sequence,
            what,
        };
        let sum: i128 = entry.postings.iter().map(|p| i128::from(p.amount)).sum();
        if sum != 0 {
            return Err(wrong("its postings do not sum to zero"));
        }
        let receipt = receipt(entry).ok_or_else(|| wrong("amounts overflow"))?;
        if !moves_what_was_asked(entry, receipt) {
            return Err(wrong("its postings are not what was asked for"));
        }
        self.begin(entry).map_err(wrong)?;
        let request = entry.operation.request();
        for posting in &entry.postings {
            self.post(posting, request, entry.sequence).map_err(wrong)?;
        }
        if self.totals.wallets + self.totals.held > i128::from(i64::MAX) {
            return Err(wrong("more credit than can be counted"));
        }
        self.finish(entry, receipt).map_err(wrong)?;
        self.totals.uncovered += i128::from(receipt.uncovered);
        self.last = entry.sequence;
        Ok(receipt)
    }

    /// What must be so before the postings.
    fn begin(&mut self, entry: &Entry) -> Result<(), &'static str> {
        match &entry.operation {
            Operation::Hold {
                request,
                wallet,
                amount,
            } => {
                if self.settled.get(request).is_some() {
                    return Err("a hold for a settled request");
                }
                let hash_map::Entry::Vacant(vacant) = self.open.entry(*request) else {
                    return Err("a second hold for a request");
                };
                vacant.insert(Open {
                    wallet: *wallet,
                    asked: *amount,
                    lots: Default::default(),
                    at_ms: entry.at_ms,
                    sequence: entry.sequence,
                });
                self.wallets.entry(*wallet).or_default().holds += 1;
                Ok(())
            }
            Operation::Post {
                request, wallet, ..
            } => {
                if self.settled.get(request).is_some() {
                    return Err("a second settlement of a request");
                }
                match self.open.get(request) {
                    Some(open) if open.wallet != *wallet => Err("a charge to another wallet"),
                    _ => Ok(()),
                }
            }
            Operation::Extend { request, .. } | Operation::Release { request } => self
                .open
                .contains_key(request)
                .then_some(())
                .ok_or("no such hold"),
            Operation::Grant { .. }
            | Operation::Reclaim { .. }
            | Operation::Expire { .. }
            | Operation::Sweep { .. } => Ok(()),
        }
    }

    fn post(
        &mut self,
        posting: &Posting,
        request: Option<Uuid>,
        sequence: u64,
    ) -> Result<(), &'static str> {
        let in_lots = matches!(posting.book, Book::Wallet(_) | Book::Held(_));
        let lot = match posting.lot {
            Some(lot) if in_lots && lot.id <= sequence => Some(lot),
            None if !in_lots => None,
            _ => return Err("a posting with a wrong lot"),
        };
        if let (Book::Wallet(account), Some(lot)) = (posting.book, lot) {
            let wallet = self.wallets.entry(account).or_default();
            if wallet.closed.is_some() {
                return Err("a posting to a closed wallet");
            }
            if !wallet.lots.add(lot, posting.amount) {
                return Err("a wallet would be negative");
            }
        }
        if let (Book::Held(account), Some(lot)) = (posting.book, lot) {
            let open = request
                .and_then(|request| self.open.get_mut(&request))
                .filter(|open| open.wallet == account)
                .ok_or("a posting to no hold")?;
            if !open.lots.add(lot, posting.amount) {
                return Err("a hold would be negative");
            }
            let wallet = self.wallets.entry(account).or_default();
            wallet.held = wallet
                .held
                .checked_add(posting.amount)
                .ok_or("a hold overflows")?;
        }
        self.totals.post(posting);
        Ok(())
    }

    /// What is so after the postings.
    fn finish(&mut self, entry: &Entry, receipt: Receipt) -> Result<(), &'static str> {
        match &entry.operation {
            Operation::Grant { key, .. } | Operation::Reclaim { key, .. } => {
                let done = (mark(&entry.operation.content()), receipt);
                match self.keys.0.insert(mark(key.as_bytes()), done) {
                    None => Ok(()),
                    Some(_) => Err("an idempotency key used twice"),
                }
            }
            Operation::Hold { .. } | Operation::Extend { .. } | Operation::Expire { .. } => Ok(()),
            Operation::Post {
                request,
                wallet,
                amount,
                fee,
            } => self.close(*request, Some(*wallet), Some((*amount, *fee)), receipt),
            Operation::Release { request } => self.close(*request, None, None, receipt),
            Operation::Sweep { wallet, to } => {
                let wallet = self.wallets.entry(*wallet).or_default();
                if wallet.holds > 0 || !wallet.lots.is_empty() {
                    return Err("a wallet closed with credit in it");
                }
                wallet.closed = Some(Closed { to: *to, receipt });
                Ok(())
            }
        }
    }

    /// The request is settled, whatever it held is posted.
    fn close(
        &mut self,
        request: Uuid,
        direct: Option<AccountId>,
        charged: Option<(i64, i64)>,
        receipt: Receipt,
    ) -> Result<(), &'static str> {
        let open = self.open.remove(&request);
        if let Some(open) = &open {
            if !open.lots.is_empty() {
                return Err("a settlement that leaves a part of its hold");
            }
            if let Some(wallet) = self.wallets.get_mut(&open.wallet) {
                wallet.holds = wallet.holds.saturating_sub(1);
            }
        }
        let wallet = open.as_ref().map(|open| open.wallet).or(direct);
        let done = Done {
            wallet: wallet.ok_or("a release of no hold")?,
            hold: open.map(|open| Receipt {
                sequence: open.sequence,
                amount: open.asked,
                uncovered: 0,
            }),
            charged,
            receipt,
        };
        self.settled.insert(request, done);
        Ok(())
    }
}

/// The amount of the operation is written twice, as asked and as posted: an altered record shows.
fn moves_what_was_asked(entry: &Entry, receipt: Receipt) -> bool {
    let into = |book: Book| -> i128 {
        let lines = entry.postings.iter().filter(|p| p.book == book);
        lines.map(|p| i128::from(p.amount)).sum()
    };
    match &entry.operation {
        Operation::Grant { amount, .. }
        | Operation::Reclaim { amount, .. }
        | Operation::Hold { amount, .. } => receipt.amount == *amount,
        Operation::Post { amount, fee, .. } => {
            into(Book::Consumed) == i128::from(*amount)
                && into(Book::Fees) == i128::from(*fee)
                && receipt.uncovered >= 0
        }
        Operation::Extend { .. }
        | Operation::Release { .. }
        | Operation::Expire { .. }
        | Operation::Sweep { .. } => true,
    }
}

/// Read off the entry, so that a replay remembers the same. None when amounts overflow.
fn receipt(entry: &Entry) -> Option<Receipt> {
    let (amount, uncovered) = match &entry.operation {
        Operation::Post { amount, fee, .. } => {
            let paid = |p: &&Posting| p.book == Book::Treasury;
            let uncovered = entry.postings.iter().find(paid).map_or(0, |p| p.amount);
            (amount.checked_add(*fee)?, uncovered.checked_neg()?)
        }
        _ => {
            let mut moved = 0i64;
            for posting in entry.postings.iter().filter(|p| p.amount > 0) {
                moved = moved.checked_add(posting.amount)?;
            }
            (moved, 0)
        }
    };
    Some(Receipt {
        sequence: entry.sequence,
        amount,
        uncovered,
    })
}
