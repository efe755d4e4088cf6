//! Credit by lot: what is spent first, what has expired.

use super::books::Lot;

/// Amounts by lot, each positive, sorted so that the next to be spent is *last*, where a vector is cheap to change.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lots(Vec<(Lot, i64)>);

impl Lots {
    pub(super) fn total(&self) -> i128 {
        self.0.iter().map(|(_, amount)| i128::from(*amount)).sum()
    }

    /// What can be spent: expired lots cannot. Saturates: a replay may see credit before the charges that paid with
    /// what was there before it.
    pub(super) fn available(&self, now_ms: u64) -> i64 {
        self.0[..self.fresh(now_ms)]
            .iter()
            .fold(0, |sum: i64, (_, amount)| sum.saturating_add(*amount))
    }

    /// What can no longer be spent.
    pub(super) fn expired(&self, now_ms: u64) -> i64 {
        self.0[self.fresh(now_ms)..]
            .iter()
            .fold(0, |sum: i64, (_, amount)| sum.saturating_add(*amount))
    }

    /// When the first of it expires, if any of it does.
    pub(super) fn next_expiry(&self) -> Option<u64> {
        let (lot, _) = self.0.last()?;
        (lot.expires_ms != u64::MAX).then_some(lot.expires_ms)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn all_positive(&self) -> bool {
        self.0.iter().all(|(_, amount)| *amount > 0)
    }

    pub(super) fn balance(&self, lot: Lot) -> i64 {
        let place = self.0.binary_search_by(|(other, _)| lot.cmp(other));
        place
            .ok()
            .and_then(|place| self.0.get(place))
            .map_or(0, |(_, amount)| *amount)
    }

    /// Earliest expiry first; of the same expiry, the older first. Expired ones included.
    pub(super) fn spending_order(&self) -> impl Iterator<Item = (Lot, i64)> {
        self.0.iter().rev().copied()
    }

    /// The first of the unexpired lots that make up `amount`. Nothing is taken.
    pub(super) fn first(&self, amount: i64, now_ms: u64) -> impl Iterator<Item = (Lot, i64)> {
        let mut left = amount;
        let fresh = self.0[..self.fresh(now_ms)].iter().rev();
        fresh.map_while(move |(lot, balance)| {
            let part = left.min(*balance);
            left -= part;
            (part > 0).then_some((*lot, part))
        })
    }

    /// Takes up to `amount` of the unexpired lots and hands it to `taken`. Returns what was missing.
    pub(super) fn draw(
        &mut self,
        amount: i64,
        now_ms: u64,
        mut taken: impl FnMut(Lot, i64),
    ) -> i64 {
        let end = self.fresh(now_ms);
        let (mut left, mut place) = (amount, end);
        while left > 0 && place > 0 {
            let (lot, balance) = &mut self.0[place - 1];
            let part = left.min(*balance);
            taken(*lot, part);
            left -= part;
            *balance -= part;
            if *balance > 0 {
                break;
            }
            place -= 1;
        }
        self.0.drain(place..end);
        left
    }

    /// Keeps up to `amount`, of what is spent first, and hands the rest to `back`. Returns what was missing.
    pub(super) fn keep(&mut self, amount: i64, mut back: impl FnMut(Lot, i64)) -> i64 {
        let (mut left, mut place) = (amount, self.0.len());
        while left > 0 && place > 0 {
            let (lot, balance) = &mut self.0[place - 1];
            if *balance > left {
                back(*lot, *balance - left);
                *balance = left;
            }
            left -= *balance;
            place -= 1;
        }
        for (lot, part) in self.0.drain(..place) {
            back(lot, part);
        }
        left
    }

    /// Adds a signed amount. False if the lot would fall below zero or overflow; nothing is changed then.
    #[must_use]
    pub(super) fn add(&mut self, lot: Lot, amount: i64) -> bool {
        let place = self.0.partition_point(|(other, _)| *other > lot);
        match self.0.get_mut(place) {
            Some((found, balance)) if *found == lot => match balance.checked_add(amount) {
                Some(0) => {
                    self.0.remove(place);
                    true
                }
                Some(sum) if sum > 0 => {
                    *balance = sum;
                    true
                }
                _ => false,
            },
            _ if amount > 0 => {
                self.0.insert(place, (lot, amount));
                true
            }
            _ => amount == 0,
        }
    }

    /// How many are not expired; they are in front.
    fn fresh(&self, now_ms: u64) -> usize {
        self.0.partition_point(|(lot, _)| lot.expires_ms > now_ms)
    }
}
