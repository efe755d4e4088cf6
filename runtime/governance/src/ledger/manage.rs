//! Operations of management: what they take is set aside, the entry is stored, then what they give is given.

use super::books::{Book, Lot, Posting};
use super::entry::{Cause, Entry};
use super::error::LedgerError;
use super::idempotency::mark;
use super::operation::{Begun, IdempotencyKey, Operation, Pending, Receipt, Source};
use super::replay::receipt_of;
use super::{Closed, Ledger, Wallet, positive};
use crate::ids::AccountId;

impl Ledger {
    /// Plans an operation at `now_ms` (Unix milliseconds) and sets aside what it takes, so that no request can spend it
    /// meanwhile. Store the entry; then [`Ledger::commit`], or [`Ledger::abort`] if it was surely not stored.
    ///
    /// # Errors
    /// When the operation is refused. [`LedgerError::Conflict`] if its key was used with other content,
    /// [`LedgerError::UnderWay`] if it, or what it depends on, is being stored.
    pub fn begin(&mut self, operation: Operation, now_ms: u64) -> Result<Begun, LedgerError> {
        if let Some(receipt) = self.done_before(&operation)? {
            return Ok(Begun::Done(receipt));
        }
        let postings = match &operation {
            Operation::Grant {
                from: Source::Treasury { expires_ms },
                to,
                amount,
                ..
            } => self.issue(*expires_ms, *to, *amount, now_ms)?,
            Operation::Grant {
                from: Source::Wallet(from),
                to,
                amount,
                ..
            } => self.transfer(*from, Some(*to), *amount, now_ms)?,
            Operation::Reclaim {
                from, to, amount, ..
            } => self.transfer(*from, *to, *amount, now_ms)?,
            Operation::Expire { wallet } => self.expire(*wallet, now_ms),
            Operation::Sweep { wallet, to } => self.sweep(*wallet, *to, now_ms)?,
        };
        if postings.is_empty() && matches!(operation, Operation::Expire { .. }) {
            return Ok(Begun::Done(Receipt::default()));
        }
        let entry = Entry {
            at_ms: now_ms,
            cause: Cause::Operation(operation),
            postings,
        };
        let receipt = receipt_of(&entry).ok_or(LedgerError::Overflow)?;
        self.set_aside(&entry);
        Ok(Begun::Pending(Pending { entry, receipt }))
    }

    /// The store has the entry: carries the rest of it out.
    pub fn commit(&mut self, pending: Pending) -> Receipt {
        let Pending { entry, receipt } = pending;
        for posting in &entry.postings {
            match (posting.book, posting.lot) {
                (Book::Wallet(_), _) if posting.amount < 0 => {
                    self.totals.moving += i128::from(posting.amount);
                }
                (Book::Wallet(account), Some(lot)) => {
                    let amount = posting.amount;
                    let added = (self.wallets).of(account, |wallet| wallet.lots.add(lot, amount));
                    debug_assert!(added, "all credit fits one number");
                    self.totals.post(posting);
                }
                _ => self.totals.post(posting),
            }
        }
        self.let_go(&entry);
        self.finish(&entry, receipt);
        receipt
    }

    /// The store surely does not have the entry: puts back what was set aside.
    pub fn abort(&mut self, pending: Pending) {
        let entry = pending.entry;
        for posting in &entry.postings {
            if let (Book::Wallet(account), Some(lot)) = (posting.book, posting.lot)
                && posting.amount < 0
            {
                let amount = -posting.amount;
                let added = (self.wallets).of(account, |wallet| wallet.lots.add(lot, amount));
                debug_assert!(added, "what was taken fits again");
                self.totals.moving += i128::from(posting.amount);
                self.totals.wallets -= i128::from(posting.amount);
            }
        }
        self.let_go(&entry);
    }

    fn set_aside(&mut self, entry: &Entry) {
        for posting in &entry.postings {
            if let (Book::Wallet(account), Some(lot)) = (posting.book, posting.lot)
                && posting.amount < 0
            {
                let amount = posting.amount;
                let taken = (self.wallets).of(account, |wallet| wallet.lots.add(lot, amount));
                debug_assert!(taken, "it was planned on this state");
                self.totals.moving -= i128::from(posting.amount);
                self.totals.wallets += i128::from(posting.amount);
            }
        }
        let Cause::Operation(operation) = &entry.cause else {
            return;
        };
        if let Some(key) = key(operation) {
            self.keys.under_way.insert(key.mark());
        }
        self.issuing += issued(operation);
        for account in touched(operation) {
            self.wallets.of(account, |wallet| wallet.moving += 1);
        }
        if let Operation::Sweep { wallet, .. } = operation {
            self.wallets.of(*wallet, |wallet| wallet.closing = true);
        }
    }

    /// The opposite of what `set_aside` noted beside the postings.
    fn let_go(&mut self, entry: &Entry) {
        let Cause::Operation(operation) = &entry.cause else {
            return;
        };
        if let Some(key) = key(operation) {
            self.keys.under_way.remove(&key.mark());
        }
        self.issuing -= issued(operation);
        for account in touched(operation) {
            self.wallets.of(account, |wallet| {
                wallet.moving = wallet.moving.saturating_sub(1);
            });
        }
        if let Operation::Sweep { wallet, .. } = operation {
            self.wallets.of(*wallet, |wallet| wallet.closing = false);
        }
    }

    /// What is known for good from now on, beside the balances.
    pub(super) fn finish(&mut self, entry: &Entry, receipt: Receipt) {
        let Cause::Operation(operation) = &entry.cause else {
            return;
        };
        if let Some(key) = key(operation) {
            let content = mark(&operation.content());
            let done = (content, receipt);
            self.keys.done.insert(key.mark(), done);
        }
        if let Operation::Sweep { wallet, to } = operation {
            self.wallets.of(*wallet, |wallet| {
                wallet.closed.get_or_insert(Closed { to: *to, receipt });
            });
        }
    }

    fn done_before(&self, operation: &Operation) -> Result<Option<Receipt>, LedgerError> {
        match operation {
            Operation::Grant { key, .. } | Operation::Reclaim { key, .. } => {
                let contents = [operation.content(), operation.found_content()];
                self.keys.check(key, contents.map(|content| mark(&content)))
            }
            Operation::Expire { .. } => Ok(None),
            Operation::Sweep { wallet, to } => match self.wallets.get(wallet) {
                Some(Wallet {
                    closed: Some(closed),
                    lots,
                    ..
                }) => match closed.to == *to {
                    true if lots.is_empty() => Ok(Some(closed.receipt)),
                    // After a power failure that took the last charges there may be something left in it.
                    true => Ok(None),
                    false => Err(LedgerError::Closed(*wallet)),
                },
                _ => Ok(None),
            },
        }
    }

    /// New credit.
    fn issue(
        &mut self,
        expires_ms: Option<u64>,
        to: AccountId,
        amount: i64,
        now_ms: u64,
    ) -> Result<Vec<Posting>, LedgerError> {
        positive(amount)?;
        let expires_ms = expires_ms.unwrap_or(u64::MAX);
        if expires_ms <= now_ms {
            return Err(LedgerError::Expired { expires_ms });
        }
        self.not_closed(to)?;
        // All credit together fits one number, so every wallet does.
        let totals = &self.totals;
        let there = totals.wallets + totals.held + totals.moving + self.issuing;
        let left = i128::from(i64::MAX) - there;
        if i128::from(amount) > left {
            return Err(LedgerError::TooMuch {
                asked: amount,
                left: i64::try_from(left).unwrap_or(0),
            });
        }
        self.last_lot += 1;
        let lot = Lot {
            expires_ms,
            id: self.last_lot,
        };
        Ok(vec![
            Posting::new(Book::Treasury, -amount),
            Posting::wallet(to, lot, amount),
        ])
    }

    fn transfer(
        &self,
        from: AccountId,
        to: Option<AccountId>,
        amount: i64,
        now_ms: u64,
    ) -> Result<Vec<Posting>, LedgerError> {
        positive(amount)?;
        self.can_move(from, to)?;
        let wallet = self.wallets.get(&from);
        let available = wallet.map_or(0, |wallet| wallet.lots.available(now_ms));
        if available < amount {
            return Err(LedgerError::Insufficient {
                available,
                asked: amount,
            });
        }
        let lots = wallet
            .into_iter()
            .flat_map(|wallet| wallet.lots.first(amount, now_ms));
        let moved = lots.flat_map(|(lot, part)| {
            [
                Posting::wallet(from, lot, -part),
                destination(to, lot, part),
            ]
        });
        Ok(moved.collect())
    }

    fn expire(&self, account: AccountId, now_ms: u64) -> Vec<Posting> {
        self.lots(account)
            .take_while(|(lot, _)| lot.expires_ms <= now_ms)
            .flat_map(|(lot, part)| {
                [
                    Posting::wallet(account, lot, -part),
                    Posting::new(Book::Expired, part),
                ]
            })
            .collect()
    }

    fn sweep(
        &self,
        account: AccountId,
        to: Option<AccountId>,
        now_ms: u64,
    ) -> Result<Vec<Posting>, LedgerError> {
        if to == Some(account) {
            return Err(LedgerError::SameAccount);
        }
        to.map_or(Ok(()), |to| self.not_closed(to))?;
        match self.wallets.get(&account) {
            Some(wallet) if wallet.holds > 0 => return Err(LedgerError::HoldsOpen(wallet.holds)),
            // What is on its way into it would come too late, what is on its way out of it be swept twice.
            Some(wallet) if wallet.moving > 0 => {
                return Err(LedgerError::UnderWay(format!("the wallet of {account}")));
            }
            _ => {}
        }
        let moved = self.lots(account).flat_map(|(lot, part)| {
            let end = match lot.expires_ms <= now_ms {
                true => Posting::new(Book::Expired, part),
                false => destination(to, lot, part),
            };
            [Posting::wallet(account, lot, -part), end]
        });
        Ok(moved.collect())
    }

    fn not_closed(&self, account: AccountId) -> Result<(), LedgerError> {
        match self.wallets.get(&account) {
            Some(wallet) if wallet.closing || wallet.closed.is_some() => {
                Err(LedgerError::Closed(account))
            }
            _ => Ok(()),
        }
    }

    fn can_move(&self, from: AccountId, to: Option<AccountId>) -> Result<(), LedgerError> {
        if to == Some(from) {
            return Err(LedgerError::SameAccount);
        }
        self.not_closed(from)?;
        to.map_or(Ok(()), |to| self.not_closed(to))
    }
}

/// Into a wallet with its lot, or back to the treasury, where lots end.
fn destination(to: Option<AccountId>, lot: Lot, amount: i64) -> Posting {
    match to {
        Some(account) => Posting::wallet(account, lot, amount),
        None => Posting::new(Book::Treasury, amount),
    }
}

fn key(operation: &Operation) -> Option<&IdempotencyKey> {
    match operation {
        Operation::Grant { key, .. } | Operation::Reclaim { key, .. } => Some(key),
        Operation::Expire { .. } | Operation::Sweep { .. } => None,
    }
}

fn issued(operation: &Operation) -> i128 {
    match operation {
        Operation::Grant {
            from: Source::Treasury { .. },
            amount,
            ..
        } => i128::from(*amount),
        _ => 0,
    }
}

/// The wallets that an operation takes from or gives to.
fn touched(operation: &Operation) -> impl Iterator<Item = AccountId> {
    let pair = match operation {
        Operation::Grant { from, to, .. } => match from {
            Source::Wallet(from) => [Some(*from), Some(*to)],
            Source::Treasury { .. } => [None, Some(*to)],
        },
        Operation::Reclaim { from, to, .. } => [Some(*from), *to],
        Operation::Sweep { wallet, to } => [Some(*wallet), *to],
        Operation::Expire { wallet } => [Some(*wallet), None],
    };
    pair.into_iter().flatten()
}
