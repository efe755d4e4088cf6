//! From an operation to the entry that carries it out. Changes nothing.

use uuid::Uuid;

use super::books::{Book, Lot, Posting};
use super::entry::Entry;
use super::error::LedgerError;
use super::idempotency::mark;
use super::lots::{Lots, draw};
use super::operation::{Operation, Planned, Receipt, Source};
use super::{Ledger, Wallet};
use crate::ids::AccountId;

/// Either what was answered before, or the postings that carry the operation out.
enum Plan {
    Done(Receipt),
    Postings(Vec<Posting>),
}

impl Ledger {
    /// What the operation would do at `now_ms` (Unix milliseconds), as an entry to store and [apply](Ledger::apply).
    ///
    /// # Errors
    /// When the operation is refused. [`LedgerError::Conflict`] if its key was used with other content.
    pub fn plan(&self, operation: Operation, now_ms: u64) -> Result<Planned, LedgerError> {
        let plan = match &operation {
            Operation::Grant {
                key,
                from,
                to,
                amount,
            } => match self.keys.check(key, mark(&operation.content()))? {
                Some(receipt) => Plan::Done(receipt),
                None => self.grant(*from, *to, *amount, now_ms)?,
            },
            Operation::Reclaim {
                key,
                from,
                to,
                amount,
            } => match self.keys.check(key, mark(&operation.content()))? {
                Some(receipt) => Plan::Done(receipt),
                None => self.transfer(*from, *to, *amount, now_ms)?,
            },
            Operation::Hold {
                request,
                wallet,
                amount,
            } => self.hold(*request, *wallet, *amount, now_ms)?,
            Operation::Extend { request, to_amount } => {
                self.extend(*request, *to_amount, now_ms)?
            }
            Operation::Post {
                request,
                wallet,
                amount,
                fee,
            } => self.charge(*request, *wallet, *amount, *fee, now_ms)?,
            Operation::Release { request } => self.release(*request)?,
            Operation::Expire { wallet } => self.expire(*wallet, now_ms),
            Operation::Sweep { wallet, to } => self.sweep(*wallet, *to, now_ms)?,
        };
        Ok(match plan {
            Plan::Done(receipt) => Planned::Done(receipt),
            Plan::Postings(postings) => Planned::Entry(Entry {
                sequence: self.last + 1,
                at_ms: now_ms,
                operation,
                postings,
            }),
        })
    }

    fn grant(
        &self,
        from: Source,
        to: AccountId,
        amount: i64,
        now_ms: u64,
    ) -> Result<Plan, LedgerError> {
        let expires_ms = match from {
            Source::Wallet(parent) => return self.transfer(parent, Some(to), amount, now_ms),
            Source::Treasury { expires_ms } => expires_ms.unwrap_or(u64::MAX),
        };
        positive(amount)?;
        if expires_ms <= now_ms {
            return Err(LedgerError::Expired { expires_ms });
        }
        self.not_closed(to)?;
        // All credit together fits one number, so every wallet does.
        if self.totals.wallets + self.totals.held + i128::from(amount) > i128::from(i64::MAX) {
            return Err(LedgerError::Overflow);
        }
        let lot = Lot {
            expires_ms,
            id: self.last + 1,
        };
        Ok(Plan::Postings(vec![
            posting(Book::Treasury, -amount),
            of_lot(Book::Wallet(to), lot, amount),
        ]))
    }

    fn transfer(
        &self,
        from: AccountId,
        to: Option<AccountId>,
        amount: i64,
        now_ms: u64,
    ) -> Result<Plan, LedgerError> {
        positive(amount)?;
        self.can_move(from, to)?;
        let lots = self.afford(from, amount, now_ms)?;
        let mut postings = Vec::with_capacity(2);
        draw(lots.unexpired(now_ms), amount, |lot, part| {
            postings.push(of_lot(Book::Wallet(from), lot, -part));
            postings.push(into(to, lot, part));
        });
        Ok(Plan::Postings(postings))
    }

    fn hold(
        &self,
        request: Uuid,
        wallet: AccountId,
        amount: i64,
        now_ms: u64,
    ) -> Result<Plan, LedgerError> {
        not_negative(amount)?;
        has_id(&request)?;
        let conflict = |was| Err(conflict(&request, was));
        if let Some(open) = self.open.get(&request) {
            if (open.wallet, open.asked) != (wallet, amount) {
                return conflict("another hold");
            }
            return Ok(Plan::Done(Receipt {
                sequence: open.sequence,
                amount,
                uncovered: 0,
            }));
        }
        if let Some(done) = self.settled.get(&request) {
            return match done.hold {
                Some(receipt) if (done.wallet, receipt.amount) == (wallet, amount) => {
                    Ok(Plan::Done(receipt))
                }
                Some(_) => conflict("another hold"),
                None => conflict("a charge without a hold"),
            };
        }
        self.settled.not_forgotten(&request)?;
        self.not_closed(wallet)?;
        self.set_aside(wallet, amount, now_ms)
    }

    fn extend(&self, request: Uuid, to_amount: i64, now_ms: u64) -> Result<Plan, LedgerError> {
        not_negative(to_amount)?;
        let open = self
            .open
            .get(&request)
            .ok_or(LedgerError::NoHold(request))?;
        let more = to_amount - open.lots.total();
        if more <= 0 {
            return Ok(Plan::Done(Receipt {
                sequence: open.sequence,
                amount: 0,
                uncovered: 0,
            }));
        }
        self.set_aside(open.wallet, more, now_ms)
    }

    fn set_aside(&self, wallet: AccountId, amount: i64, now_ms: u64) -> Result<Plan, LedgerError> {
        let lots = self.afford(wallet, amount, now_ms)?;
        let mut postings = Vec::with_capacity(2);
        draw(lots.unexpired(now_ms), amount, |lot, part| {
            postings.push(of_lot(Book::Wallet(wallet), lot, -part));
            postings.push(of_lot(Book::Held(wallet), lot, part));
        });
        Ok(Plan::Postings(postings))
    }

    fn charge(
        &self,
        request: Uuid,
        wallet: AccountId,
        amount: i64,
        fee: i64,
        now_ms: u64,
    ) -> Result<Plan, LedgerError> {
        not_negative(amount)?;
        not_negative(fee)?;
        has_id(&request)?;
        let needed = amount.checked_add(fee).ok_or(LedgerError::Overflow)?;
        let conflict = |was| Err(conflict(&request, was));
        if let Some(done) = self.settled.get(&request) {
            return if (done.wallet, done.charged) == (wallet, Some((amount, fee))) {
                Ok(Plan::Done(done.receipt))
            } else if done.charged.is_some() {
                conflict("another charge")
            } else {
                conflict("a release")
            };
        }
        let open = self.open.get(&request);
        if open.is_some_and(|open| open.wallet != wallet) {
            return conflict("a hold on another wallet");
        }
        if open.is_none() {
            self.settled.not_forgotten(&request)?;
        }
        let mut postings = Vec::with_capacity(4);
        let mut left = needed;
        // A held lot may have expired since: the hold was made in time, so it is spent all the same.
        for (lot, part) in open.iter().flat_map(|open| open.lots.spending_order()) {
            let spent = part.min(left);
            left -= spent;
            postings.push(of_lot(Book::Held(wallet), lot, -part));
            if part > spent {
                postings.push(of_lot(Book::Wallet(wallet), lot, part - spent));
            }
        }
        if left > 0
            && let Some(lots) = self.wallets.get(&wallet).map(|wallet| &wallet.lots)
        {
            left = draw(lots.unexpired(now_ms), left, |lot, part| {
                postings.push(of_lot(Book::Wallet(wallet), lot, -part));
            });
        }
        for (book, amount) in [
            (Book::Treasury, -left),
            (Book::Consumed, amount),
            (Book::Fees, fee),
        ] {
            if amount != 0 {
                postings.push(posting(book, amount));
            }
        }
        Ok(Plan::Postings(postings))
    }

    fn release(&self, request: Uuid) -> Result<Plan, LedgerError> {
        if let Some(done) = self.settled.get(&request) {
            return match done.charged {
                None => Ok(Plan::Done(done.receipt)),
                Some(_) => Err(conflict(&request, "a charge")),
            };
        }
        let Some(open) = self.open.get(&request) else {
            self.settled.not_forgotten(&request)?;
            return Err(LedgerError::NoHold(request));
        };
        let postings = open.lots.spending_order().flat_map(|(lot, part)| {
            [
                of_lot(Book::Held(open.wallet), lot, -part),
                of_lot(Book::Wallet(open.wallet), lot, part),
            ]
        });
        Ok(Plan::Postings(postings.collect()))
    }

    fn expire(&self, account: AccountId, now_ms: u64) -> Plan {
        let mut postings = Vec::new();
        if let Some(wallet) = self.wallets.get(&account) {
            expire(&mut postings, account, wallet, now_ms);
        }
        if postings.is_empty() {
            return Plan::Done(Receipt {
                sequence: self.last,
                ..Receipt::default()
            });
        }
        Plan::Postings(postings)
    }

    fn sweep(
        &self,
        account: AccountId,
        to: Option<AccountId>,
        now_ms: u64,
    ) -> Result<Plan, LedgerError> {
        let wallet = self.wallets.get(&account);
        if let Some(closed) = wallet.and_then(|wallet| wallet.closed) {
            return if closed.to == to {
                Ok(Plan::Done(closed.receipt))
            } else {
                Err(LedgerError::Closed(account))
            };
        }
        self.can_move(account, to)?;
        let mut postings = Vec::new();
        if let Some(wallet) = wallet {
            if wallet.holds > 0 {
                return Err(LedgerError::HoldsOpen(wallet.holds));
            }
            for (lot, part) in wallet.lots.unexpired(now_ms) {
                postings.push(of_lot(Book::Wallet(account), lot, -part));
                postings.push(into(to, lot, part));
            }
            expire(&mut postings, account, wallet, now_ms);
        }
        Ok(Plan::Postings(postings))
    }

    fn not_closed(&self, account: AccountId) -> Result<(), LedgerError> {
        match self.wallets.get(&account) {
            Some(wallet) if wallet.closed.is_some() => Err(LedgerError::Closed(account)),
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

    /// The wallet's lots, if what is available of them makes up `amount`.
    fn afford(&self, account: AccountId, amount: i64, now_ms: u64) -> Result<&Lots, LedgerError> {
        static NONE: Lots = Lots::NONE;
        let lots = self
            .wallets
            .get(&account)
            .map_or(&NONE, |wallet| &wallet.lots);
        let available = lots.available(now_ms);
        if available < amount {
            return Err(LedgerError::Insufficient {
                available,
                asked: amount,
            });
        }
        Ok(lots)
    }
}

fn expire(postings: &mut Vec<Posting>, account: AccountId, wallet: &Wallet, now_ms: u64) {
    for (lot, part) in wallet.lots.expired(now_ms) {
        postings.push(of_lot(Book::Wallet(account), lot, -part));
        postings.push(posting(Book::Expired, part));
    }
}

fn posting(book: Book, amount: i64) -> Posting {
    Posting {
        book,
        lot: None,
        amount,
    }
}

fn of_lot(book: Book, lot: Lot, amount: i64) -> Posting {
    Posting {
        book,
        lot: Some(lot),
        amount,
    }
}

/// Into a wallet with its lot, or back to the treasury, where lots end.
fn into(to: Option<AccountId>, lot: Lot, amount: i64) -> Posting {
    match to {
        Some(account) => of_lot(Book::Wallet(account), lot, amount),
        None => posting(Book::Treasury, amount),
    }
}

fn positive(amount: i64) -> Result<(), LedgerError> {
    if amount <= 0 {
        return Err(LedgerError::Amount(amount));
    }
    Ok(())
}

fn not_negative(amount: i64) -> Result<(), LedgerError> {
    if amount < 0 {
        return Err(LedgerError::Amount(amount));
    }
    Ok(())
}

/// An empty id would make different calls look like one, and all but the first free.
fn has_id(request: &Uuid) -> Result<(), LedgerError> {
    if request.is_nil() {
        return Err(LedgerError::NoId);
    }
    Ok(())
}

fn conflict(request: &Uuid, was: &'static str) -> LedgerError {
    LedgerError::Conflict {
        key: request.to_string(),
        was,
    }
}
