//! The process ends, well or badly; what it knew is built anew from records, rows and entries alone.

use std::collections::HashMap;
use std::sync::Arc;

use tollgate_governance::{
    Accounts, Change, Counters, Directory, Ledger, Record, Spent, Tokens, UsageRow, Zone,
};

use crate::world::World;

impl World {
    pub(crate) fn restart(&mut self) {
        self.counts.restarts += 1;
        let killed = self.counts.restarts % 2 == 1;
        if !killed {
            self.finish();
        }
        let now = self.clock.now();
        let (day, month) = (self.counters.day(now), self.counters.month(now));
        // The journal: what the charge of each running request will be, should nobody settle it.
        let journal: Vec<_> = self
            .running
            .iter()
            .map(|running| running.admission.preview(running.admission.hold(), now))
            .collect();
        let before: HashMap<_, _> = self
            .accounts
            .iter()
            .map(|id| {
                let path = self.directory.path(*id).unwrap();
                let balance = self.counters.ledger(|ledger| ledger.balance(*id, now));
                (*id, (self.counters.spent(&path, now), balance))
            })
            .collect();

        self.directory = self.reloaded();
        self.snapshot = self.directory.snapshot();
        let mut ledger = self.replayed();
        for settled in journal {
            if let Some(entry) = settled.entry {
                self.stored.extend(ledger.recover(&entry).unwrap());
            }
        }
        ledger.verify().unwrap();
        let zone = Zone::named(&self.zones[self.zone]).unwrap();
        let old = std::mem::replace(&mut self.counters, Arc::new(Counters::new(zone, ledger)));
        self.counters.zones_changed(&self.zones_before);
        for running in std::mem::take(&mut self.running) {
            // Settled at its hold, flagged as recovered.
            let row = &mut self.rows[running.row];
            row.running = false;
            self.counts.recovered += 1;
        }
        drop(old);
        let same_windows = (self.counters.day(now), self.counters.month(now)) == (day, month);
        if !same_windows {
            // A clock that was set back over midnight stays in the new day, which nobody knows after a restart.
            assert!(
                self.counts.set_back > 0,
                "a restart changed the day or the month"
            );
            self.days.forget();
            self.months.forget();
        }
        self.count_again();

        for (id, (spent, balance)) in before {
            let path = self.directory.path(id).unwrap();
            let again = self.counters.spent(&path, now);
            if same_windows {
                let recovered = Spent {
                    settled: spent.settled + spent.held,
                    held: 0,
                    settled_month: again.settled_month,
                    running: 0,
                    ..spent
                };
                assert_eq!(again, recovered, "{}", path.names());
            }
            let after = self.counters.ledger(|ledger| ledger.balance(id, now));
            assert_eq!((after.available, after.held), (balance.available, 0));
            assert_eq!(after.expired, balance.expired);
        }
        self.audit();
    }

    /// Rows in order of admission, as the store has them.
    fn count_again(&mut self) {
        let now = self.clock.now();
        let (day, month) = (self.counters.day(now), self.counters.month(now));
        self.directory.keep_windows(&self.counters);
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|row| self.rows[*row].admitted_ms);
        for place in order {
            let row = &mut self.rows[place];
            let counts_from = |start| {
                if row.admitted_ms >= start {
                    start
                } else {
                    u64::MAX
                }
            };
            (row.day, row.month) = (counts_from(day.start_ms), counts_from(month.start_ms));
            let row = UsageRow {
                path: (&*row.path).into(),
                admitted_ms: row.admitted_ms,
                requested_model: row.model.into(),
                tokens: Tokens {
                    input: row.tokens,
                    ..Tokens::default()
                },
                charged: row.money,
                counted: true,
                ..UsageRow::default()
            };
            self.directory.seed(&self.counters, &row, now);
        }
    }

    /// From the last checkpoint and the entries since; makes the next checkpoint.
    fn replayed(&mut self) -> Ledger {
        let mut ledger = match &self.checkpoint {
            Some(bytes) => Ledger::from_checkpoint(bytes).unwrap().0,
            None => Ledger::default(),
        };
        for entry in std::mem::take(&mut self.stored) {
            ledger.replay(&entry).unwrap();
        }
        let mut bytes = Vec::new();
        ledger.checkpoint(self.counts.restarts, &mut bytes).unwrap();
        self.checkpoint = Some(bytes);
        ledger
    }

    fn reloaded(&self) -> Directory {
        let directory = &self.directory;
        let accounts = directory.accounts().chain(directory.archived()).cloned();
        let records = accounts
            .map(Record::Account)
            .chain(directory.keys().into_iter().cloned().map(Record::Key));
        let stored = records.map(|record| {
            let change = Change::from(record);
            Record::decode(change.kind(), &change.bytes().unwrap()).unwrap()
        });
        let again = Directory::load(stored).unwrap();
        assert!(again.accounts().eq(directory.accounts()));
        let known = |accounts: &Accounts| accounts.len();
        assert_eq!(known(&again.snapshot()), known(&directory.snapshot()));
        again
    }
}
