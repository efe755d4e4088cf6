//! Credit by lot: what is spent first, what has expired.

use super::books::Lot;

/// Amounts by lot, each positive, sorted so that the next to be spent is *last*, where a vector is cheap to change.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lots(Vec<(Lot, i64)>);

impl Lots {
    pub(super) const NONE: Self = Self(Vec::new());

    pub(super) fn total(&self) -> i64 {
        self.0.iter().map(|(_, amount)| amount).sum()
    }

    /// What can be spent: expired lots cannot.
    pub(super) fn available(&self, now_ms: u64) -> i64 {
        self.0
            .iter()
            .take_while(|(lot, _)| lot.expires_ms > now_ms)
            .map(|(_, amount)| amount)
            .sum()
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

    /// Earliest expiry first; of the same expiry, the older first. Expired ones included.
    pub(super) fn spending_order(&self) -> impl Iterator<Item = (Lot, i64)> {
        self.0.iter().rev().copied()
    }

    pub(super) fn expired(&self, now_ms: u64) -> impl Iterator<Item = (Lot, i64)> {
        self.spending_order()
            .take_while(move |(lot, _)| lot.expires_ms <= now_ms)
    }

    pub(super) fn unexpired(&self, now_ms: u64) -> impl Iterator<Item = (Lot, i64)> {
        self.spending_order()
            .skip_while(move |(lot, _)| lot.expires_ms <= now_ms)
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
}

/// The first of `lots` that make up `amount`, and what of it they could not.
pub(super) fn draw(
    lots: impl Iterator<Item = (Lot, i64)>,
    amount: i64,
    mut take: impl FnMut(Lot, i64),
) -> i64 {
    let mut left = amount;
    for (lot, balance) in lots {
        if left == 0 {
            break;
        }
        let part = balance.min(left);
        take(lot, part);
        left -= part;
    }
    left
}
