//! Settlement of calls: the one entry of a request.

use super::books::{Book, Posting};
use super::entry::{Cause, Entry};
use super::error::LedgerError;
use super::idempotency::{Charged, Done};
use super::lots::Lots;
use super::operation::{Post, Receipt};
use super::{Ledger, conflict, has_id, not_negative};

impl Ledger {
    /// Settles a call at `now_ms` (Unix milliseconds): charges its hold first, and gives the rest of it back. A call
    /// without a hold is charged directly, but only while its id is newer than what was forgotten: so every call should
    /// hold something, be it zero. The entry is to be stored in the commit of the usage row; there is none if
    /// the call was settled before.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] for a call that was settled otherwise or holds credit of another wallet;
    /// [`LedgerError::TooOld`]; [`LedgerError::Amount`], [`LedgerError::Overflow`], [`LedgerError::NoId`].
    pub fn post(
        &mut self,
        post: Post,
        now_ms: u64,
    ) -> Result<(Receipt, Option<Entry>), LedgerError> {
        let needed = needed(&post)?;
        if let Some(receipt) = self.settled_by(&post)? {
            return Ok((receipt, None));
        }
        match self.open.get(&post.request) {
            Some(open) if open.wallet != post.wallet => {
                return Err(conflict(&post.request, "a hold on another wallet"));
            }
            Some(_) => {}
            None => self.settled.not_forgotten(&post.request)?,
        }
        let (receipt, entry) = self.settle(post, needed, now_ms);
        Ok((receipt, Some(entry)))
    }

    /// The entry that a post would give if the call ended now, for the journal's record of its hold. Nothing changes.
    ///
    /// Only what is held pays in it, not what else is in the wallet: that is not set aside for the call, and others may
    /// spend it.
    ///
    /// # Errors
    /// [`LedgerError::NoHold`]; else as [`Ledger::post`].
    pub fn preview(&self, post: Post, now_ms: u64) -> Result<Entry, LedgerError> {
        let needed = needed(&post)?;
        let open = self.open.get(&post.request);
        let open = open.ok_or(LedgerError::NoHold(post.request))?;
        if open.wallet != post.wallet {
            return Err(conflict(&post.request, "a hold on another wallet"));
        }
        let mut spent = open.lots.clone();
        let uncovered = spent.keep(needed, |_, _| {});
        Ok(entry(post, &spent, uncovered, now_ms))
    }

    /// What is to be stored for a call whose journal record says `entry`, when a start finds that its row was never
    /// stored: the entry itself where it fits what is in the wallet, else the same charge to what is there. None for
    /// a call that was settled. Its age does not matter: that the store has no row of it says that it was not charged.
    ///
    /// Records of calls that ended come first (they always fit), those of open calls after them.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] for a call that was settled otherwise; [`LedgerError::Inconsistent`] for an entry that
    /// is not a call's.
    pub fn recover(&mut self, entry: &Entry) -> Result<Option<Entry>, LedgerError> {
        let Cause::Post(post) = entry.cause else {
            return Err(LedgerError::Inconsistent("it is not about a call"));
        };
        let needed = needed(&post)?;
        if self.settled_by(&post)?.is_some() {
            return Ok(None);
        }
        if self.replay(entry).is_ok() {
            return Ok(Some(entry.clone()));
        }
        let (_, refitted) = self.settle(post, needed, entry.at_ms);
        Ok(Some(refitted))
    }

    /// The receipt, if just this was posted before.
    fn settled_by(&self, post: &Post) -> Result<Option<Receipt>, LedgerError> {
        let Some(done) = self.settled.get(&post.request) else {
            return Ok(None);
        };
        match done.charged {
            Some(charged)
                if (done.wallet, charged.amount, charged.fee)
                    == (post.wallet, post.amount, post.fee) =>
            {
                Ok(Some(charged.receipt()))
            }
            Some(_) => Err(conflict(&post.request, "another charge")),
            None => Err(conflict(&post.request, "a release")),
        }
    }

    fn settle(&mut self, post: Post, needed: i64, now_ms: u64) -> (Receipt, Entry) {
        // A held lot may have expired since: the hold was made in time, so it is spent all the same.
        let (mut spent, mut left) = match self.open.remove(&post.request) {
            Some(open) => self.take_hold(open, needed),
            None => (Lots::default(), needed),
        };
        if left > 0 {
            let missing = self.wallets.change(post.wallet, |wallet| {
                wallet.lots.draw(left, now_ms, |lot, part| {
                    let added = spent.add(lot, part);
                    debug_assert!(added, "a lot fits one number");
                })
            });
            let missing = missing.unwrap_or(left);
            self.totals.wallets -= i128::from(left - missing);
            left = missing;
        }
        self.totals.treasury -= i128::from(left);
        self.totals.consumed += i128::from(post.amount);
        self.totals.fees += i128::from(post.fee);
        self.totals.uncovered += i128::from(left);
        let entry = entry(post, &spent, left, now_ms);
        (self.settled_as(post, left), entry)
    }

    pub(super) fn settled_as(&mut self, post: Post, uncovered: i64) -> Receipt {
        let charged = Charged {
            amount: post.amount,
            fee: post.fee,
            uncovered,
        };
        self.settled.insert(
            post.request,
            Done {
                wallet: post.wallet,
                charged: Some(charged),
            },
        );
        charged.receipt()
    }
}

pub(super) fn needed(post: &Post) -> Result<i64, LedgerError> {
    not_negative(post.amount)?;
    not_negative(post.fee)?;
    has_id(&post.request)?;
    post.amount
        .checked_add(post.fee)
        .ok_or(LedgerError::Overflow)
}

fn entry(post: Post, spent: &Lots, uncovered: i64, now_ms: u64) -> Entry {
    let mut postings = Vec::with_capacity(spent.len() + 3);
    for (lot, part) in spent.spending_order() {
        postings.push(Posting::wallet(post.wallet, lot, -part));
    }
    for (book, amount) in [
        (Book::Treasury, -uncovered),
        (Book::Consumed, post.amount),
        (Book::Fees, post.fee),
    ] {
        if amount != 0 {
            postings.push(Posting::new(book, amount));
        }
    }
    Entry {
        at_ms: now_ms,
        cause: Cause::Post(post),
        postings,
    }
}
