//! Everything counted again from the rows, and the ledger from its lots.

use std::collections::HashMap;

use tollgate_governance::{AccountId, Spent};

use crate::world::World;

impl World {
    /// The counters of every account equal the sum of the rows of its subtree, and the books balance.
    pub(crate) fn audit(&mut self) {
        self.counts.audits += 1;
        let now = self.clock.now();
        let (day, month) = (self.counters.day(now), self.counters.month(now));
        let mut sums: HashMap<AccountId, Spent> = HashMap::new();
        for row in &self.rows {
            if row.day != day.start_ms && row.month != month.start_ms && !row.running {
                continue;
            }
            for id in &row.path {
                let sum = sums.entry(*id).or_default();
                sum.running += u32::from(row.running);
                if row.day == day.start_ms {
                    let money = if row.running {
                        &mut sum.held
                    } else {
                        &mut sum.settled
                    };
                    *money += row.money;
                    sum.requests += 1;
                    sum.tokens += row.tokens;
                }
                if row.month == month.start_ms && !row.running {
                    sum.settled_month += row.money;
                }
            }
        }
        for id in &self.accounts {
            let path = self.directory.path(*id).unwrap();
            let spent = self.counters.spent(&path, now);
            let expected = sums.get(id).copied().unwrap_or_default();
            assert_eq!(spent, expected, "{}", path.names());
        }
        self.audit_ledger();
    }

    fn audit_ledger(&self) {
        let paid = self.rows.iter().filter(|row| row.wallet.is_some());
        let (mut held, mut charged, mut open) = (0, 0, 0);
        for row in paid {
            let money = i128::from(row.money);
            if row.running {
                held += money;
                open += 1;
            } else {
                charged += money;
            }
        }
        self.counters.ledger(|ledger| {
            assert_eq!(ledger.imbalance(), 0);
            ledger.verify().unwrap();
            let totals = ledger.totals();
            assert_eq!((totals.held, totals.consumed), (held, charged));
            assert_eq!((totals.moving, totals.uncovered), (0, 0));
            assert_eq!(ledger.open_holds().count(), open);
        });
    }

    /// Whatever still runs comes to its end.
    pub(crate) fn finish(&mut self) {
        while let Some(last) = self.running.last() {
            let hold = last.admission.hold();
            self.settle(self.running.len() - 1, 100, hold);
        }
    }
}
