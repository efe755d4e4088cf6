//! The gateway's state, and what the tests know of it besides.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tollgate_governance::{
    AccountId, Accounts, Admission, Change, Counters, Directory, Entry, KeyHasher, KeyMac, Ledger,
    Path, RequestIds, Zone,
};

use crate::clock::{Clock, Rng, Windows};

/// An admitted request, as it will be a usage row.
pub(crate) struct Row {
    pub(crate) path: Vec<AccountId>,
    pub(crate) model: &'static str,
    pub(crate) admitted_ms: u64,
    /// First moments of the windows that it counts in.
    pub(crate) day: u64,
    pub(crate) month: u64,
    /// Estimated, then real.
    pub(crate) tokens: u64,
    /// Held, then charged.
    pub(crate) money: u64,
    pub(crate) running: bool,
    pub(crate) wallet: Option<AccountId>,
}

pub(crate) struct Running {
    pub(crate) row: usize,
    pub(crate) path: Arc<Path>,
    pub(crate) admission: Admission,
    pub(crate) price: (u64, u64),
}

/// An account whose rate never changes: its admissions in true time.
pub(crate) struct Watched {
    pub(crate) rpm: usize,
    pub(crate) rph: usize,
    pub(crate) admitted: VecDeque<u64>,
}

#[derive(Default, Debug)]
pub(crate) struct Counts {
    pub(crate) admitted: u64,
    pub(crate) refused_by_limit: u64,
    pub(crate) refused_by_wallet: u64,
    pub(crate) refused_otherwise: u64,
    pub(crate) lowered: u64,
    pub(crate) lost: u64,
    pub(crate) extended: u64,
    pub(crate) operations: u64,
    pub(crate) archived: u64,
    pub(crate) restarts: u64,
    pub(crate) recovered: u64,
    pub(crate) set_back: u64,
    pub(crate) zones: u64,
    pub(crate) granted: u64,
    pub(crate) expired: u64,
    pub(crate) audits: u64,
}

/// What must be passed, with requests in it.
pub(crate) struct Calendar {
    /// Days of so many hours.
    pub(crate) days: &'static [u64],
    /// Months of so many days, to their ends.
    pub(crate) months: &'static [u64],
}

pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) clock: Clock,
    pub(crate) directory: Directory,
    pub(crate) snapshot: Arc<Accounts>,
    pub(crate) hasher: KeyHasher,
    pub(crate) counters: Arc<Counters>,
    pub(crate) ids: RequestIds,
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) keys: Vec<KeyMac>,
    pub(crate) rows: Vec<Row>,
    pub(crate) running: Vec<Running>,
    pub(crate) watched: HashMap<AccountId, Watched>,
    /// Entries of the ledger since the checkpoint.
    pub(crate) stored: Vec<Entry>,
    pub(crate) checkpoint: Option<Vec<u8>>,
    pub(crate) zones: Vec<String>,
    pub(crate) zone: usize,
    /// Those before, each until when.
    pub(crate) zones_before: Vec<(Zone, u64)>,
    pub(crate) days: Windows,
    pub(crate) months: Windows,
    pub(crate) counts: Counts,
}

impl World {
    pub(crate) fn new(seed: u64, start: &str, zones: &[&str], accounts: usize) -> Self {
        let mut rng = Rng::new(seed);
        let clock = Clock::starting(start);
        let zone = Zone::named(zones[0]).unwrap();
        let mut world = Self {
            directory: Directory::default(),
            snapshot: Arc::default(),
            hasher: KeyHasher::new(&[5; 32]),
            counters: Arc::new(Counters::new(zone, Ledger::default())),
            ids: RequestIds::new(&mut rng),
            accounts: Vec::new(),
            keys: Vec::new(),
            rows: Vec::new(),
            running: Vec::new(),
            watched: HashMap::new(),
            stored: Vec::new(),
            checkpoint: None,
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
            zone: 0,
            zones_before: Vec::new(),
            days: Windows::new(false, zones[0]),
            months: Windows::new(true, zones[0]),
            counts: Counts::default(),
            rng,
            clock,
        };
        world.settle_in(accounts);
        world
    }

    /// A tree of accounts, keys, and credit for who needs it.
    fn settle_in(&mut self, accounts: usize) {
        let made = self.directory.create_root(self.clock.now(), &mut self.rng);
        let (root, changes) = made.unwrap();
        self.apply(&changes);
        self.accounts.push(root.id);
        while self.accounts.len() < accounts {
            self.create();
        }
        for _ in 0..accounts / 2 {
            self.make_key();
        }
        for turn in 0..accounts {
            let account = self.accounts[turn];
            self.grant(account);
            if turn > accounts / 4 && turn % 30 == 7 {
                self.watch(account);
            }
        }
    }

    fn watch(&mut self, account: AccountId) {
        let (rpm, rph) = (self.rng.between(2, 4), self.rng.between(6, 20));
        let patch = format!(r#"{{"limits":{{"rpm":{rpm},"rph":{rph}}}}}"#);
        self.patch(account, &patch).unwrap();
        let watched = Watched {
            rpm: rpm as usize,
            rph: rph as usize,
            admitted: VecDeque::new(),
        };
        self.watched.insert(account, watched);
    }

    pub(crate) fn apply(&mut self, changes: &[Change]) {
        self.directory.apply(changes);
        self.snapshot = self.directory.snapshot();
    }

    pub(crate) fn pick(&mut self) -> AccountId {
        let place = self.rng.below(self.accounts.len() as u64);
        self.accounts[place as usize]
    }

    /// Most requests come in bursts, some after a while.
    pub(crate) fn tick(&mut self) {
        let most = match self.rng.below(100) {
            0..75 => 200,
            75..97 => 60_000,
            _ => 2 * 3_600_000,
        };
        self.clock.true_ms += self.rng.below(most);
        let now = self.clock.now();
        let zone = &self.zones[self.zone];
        let admitted = self.counts.admitted;
        self.days.see(self.counters.day(now), zone, admitted);
        self.months.see(self.counters.month(now), zone, admitted);
    }

    pub(crate) fn set_clock_back(&mut self) {
        let steps = [10_000, 300_000, 4_000_000, 26 * 3_600_000];
        self.clock.behind_ms += steps[self.rng.below(4) as usize];
        self.counts.set_back += 1;
    }

    pub(crate) fn set_zone(&mut self) {
        let named = |name: &String| Zone::named(name).unwrap();
        let now = self.clock.now();
        self.zones_before.push((named(&self.zones[self.zone]), now));
        self.zone = (self.zone + 1) % self.zones.len();
        self.counters.set_zone(&named(&self.zones[self.zone]), now);
        self.counts.zones += 1;
    }

    pub(crate) fn summary(&self) -> String {
        let (days, months) = (&self.days, &self.months);
        format!(
            "{} days (by hours: {:?}; {} into another zone), {} months (by days: {:?}), {:?}",
            days.seen, days.passed, days.rezoned, months.seen, months.passed, self.counts
        )
    }

    /// A simulation in which nothing happens proves nothing, and one that its clock leads past what is odd in calendars only
    /// proves that nothing odd happened.
    pub(crate) fn assert_was_worth_it(&self, calendar: &Calendar) {
        let counts = &self.counts;
        assert!(self.days.seen > 20 && self.months.seen >= 2);
        for hours in calendar.days {
            let passed = self.days.passed.contains_key(hours);
            assert!(passed, "no day of {hours} hours");
        }
        for days in calendar.months {
            let passed = self.months.passed.contains_key(days);
            assert!(passed, "no month of {days} days");
        }
        for (what, count, least) in [
            ("admitted", counts.admitted, 10_000),
            ("refused by a limit", counts.refused_by_limit, 1_000),
            ("refused by a wallet", counts.refused_by_wallet, 100),
            ("lowered", counts.lowered, 20),
            ("lost", counts.lost, 100),
            ("extended", counts.extended, 100),
            ("operations", counts.operations, 1_000),
            ("archived", counts.archived, 20),
            ("restarts", counts.restarts, 3),
            ("recovered", counts.recovered, 10),
            ("set back", counts.set_back, 5),
            ("zones", counts.zones, 3),
            ("midnights into another zone", self.days.rezoned.into(), 3),
            ("granted", counts.granted, 100),
            ("expired", counts.expired, 10),
        ] {
            assert!(count >= least, "{what}: {count}");
        }
    }
}
