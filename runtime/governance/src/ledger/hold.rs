//! Credit set aside for calls under way: in memory only, on the path of every request.

use std::collections::hash_map::Entry;

use uuid::Uuid;

use super::error::LedgerError;
use super::idempotency::Done;
use super::lots::Lots;
use super::{Ledger, Open, Wallet, conflict, has_id, not_negative};
use crate::ids::AccountId;

impl Ledger {
    /// Sets `amount` micro-units aside for a call, earliest-expiring lots first. Zero is a hold, too: the call is free,
    /// but still settled exactly once. Repeated with the same content while it is open it changes nothing.
    ///
    /// # Errors
    /// [`LedgerError::Insufficient`], [`LedgerError::Closed`]; [`LedgerError::Conflict`] for a request that holds
    /// something else or is settled, [`LedgerError::TooOld`] for one that may be; [`LedgerError::Amount`],
    /// [`LedgerError::NoId`].
    pub fn hold(
        &mut self,
        request: Uuid,
        wallet: AccountId,
        amount: i64,
        now_ms: u64,
    ) -> Result<(), LedgerError> {
        not_negative(amount)?;
        has_id(&request)?;
        let vacant = match self.open.entry(request) {
            Entry::Occupied(open) => {
                let open = open.get();
                return match (open.wallet, open.asked) == (wallet, amount) {
                    true => Ok(()),
                    false => Err(conflict(&request, "another hold")),
                };
            }
            Entry::Vacant(vacant) => vacant,
        };
        // A second dispatch under the id could not be charged: its post would be taken for the first one's.
        if self.settled.get(&request).is_some() {
            return Err(conflict(&request, "a call that is settled"));
        }
        // A clock that was set back makes every new request look old: their ids cannot tell then.
        if now_ms >= self.settled.forgotten_ms {
            self.settled.not_forgotten(&request)?;
        }
        let mut lots = Lots::default();
        let held = self.wallets.change(wallet, |payer| {
            if payer.closing || payer.closed.is_some() {
                return Err(LedgerError::Closed(wallet));
            }
            set_aside(payer, &mut lots, amount, now_ms)?;
            payer.holds += 1;
            Ok(())
        });
        match held {
            Some(held) => held?,
            None if amount > 0 => {
                return Err(LedgerError::Insufficient {
                    available: 0,
                    asked: amount,
                });
            }
            None => self.wallets.of(wallet, |payer| payer.holds += 1),
        }
        self.totals.wallets -= i128::from(amount);
        self.totals.held += i128::from(amount);
        vacant.insert(Open {
            wallet,
            asked: amount,
            lots,
            at_ms: now_ms,
        });
        Ok(())
    }

    /// Raises a hold to `to_amount` in all. A hold that is large enough already is left alone.
    ///
    /// # Errors
    /// [`LedgerError::Insufficient`]: the hold stays as it was. [`LedgerError::NoHold`], [`LedgerError::Amount`].
    pub fn extend(
        &mut self,
        request: Uuid,
        to_amount: i64,
        now_ms: u64,
    ) -> Result<(), LedgerError> {
        not_negative(to_amount)?;
        let no_hold = || LedgerError::NoHold(request);
        let open = self.open.get_mut(&request).ok_or_else(no_hold)?;
        let more = i128::from(to_amount) - open.lots.total();
        let Ok(more) = i64::try_from(more.max(0)) else {
            return Err(LedgerError::Overflow);
        };
        let extended = self.wallets.change(open.wallet, |payer| {
            set_aside(payer, &mut open.lots, more, now_ms)
        });
        extended.ok_or_else(no_hold)??;
        self.totals.wallets -= i128::from(more);
        self.totals.held += i128::from(more);
        Ok(())
    }

    /// Gives a hold back: the call cost nothing. Nothing of it is stored.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] for a request that was charged; [`LedgerError::NoHold`], [`LedgerError::TooOld`].
    pub fn release(&mut self, request: Uuid) -> Result<(), LedgerError> {
        if let Some(done) = self.settled.get(&request) {
            return match done.charged {
                None => Ok(()),
                Some(_) => Err(conflict(&request, "a charge")),
            };
        }
        let Some(open) = self.open.remove(&request) else {
            self.settled.not_forgotten(&request)?;
            return Err(LedgerError::NoHold(request));
        };
        let wallet = open.wallet;
        self.take_hold(open, 0);
        self.settled.insert(
            request,
            Done {
                wallet,
                charged: None,
            },
        );
        Ok(())
    }

    /// Ends a hold: up to `amount` of it is taken, the rest is in the wallet again. Returns what was taken, and what
    /// of `amount` the hold did not cover.
    pub(super) fn take_hold(&mut self, mut open: Open, amount: i64) -> (Lots, i64) {
        let held = open.lots.total();
        let ended = self.wallets.change(open.wallet, |payer| {
            let mut back = 0i128;
            let left = open.lots.keep(amount, |lot, part| {
                let added = payer.lots.add(lot, part);
                debug_assert!(added, "what was taken fits again");
                back += i128::from(part);
            });
            payer.holds = payer.holds.saturating_sub(1);
            payer.held -= held;
            (left, back)
        });
        let Some((left, back)) = ended else {
            return (Lots::default(), amount);
        };
        self.totals.held -= held;
        self.totals.wallets += back;
        (open.lots, left)
    }
}

/// Moves `amount` out of the wallet's unexpired lots, or nothing.
fn set_aside(
    payer: &mut Wallet,
    held: &mut Lots,
    amount: i64,
    now_ms: u64,
) -> Result<(), LedgerError> {
    let available = payer.lots.available(now_ms);
    if available < amount {
        return Err(LedgerError::Insufficient {
            available,
            asked: amount,
        });
    }
    payer.lots.draw(amount, now_ms, |lot, part| {
        let added = held.add(lot, part);
        debug_assert!(added, "a lot fits one number");
    });
    payer.held += i128::from(amount);
    Ok(())
}
