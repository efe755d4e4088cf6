//! Under any interleaving the counters equal the plain model, no limit is overshot, and the ledger balances.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::model::{LEAVES, NODES, Plain, Set, grain};
use super::steps::{Step, prepaid, sets, step};
use super::*;
use crate::account::Limits;
use crate::ledger::Entry;
use crate::price::Tokens;
use crate::usage::UsageRow;

const NAMES: [&str; NODES] = [
    "root", "root/a", "root/b", "root/a/1", "root/a/2", "root/b/1", "root/b/2",
];

/// The counters under test beside the model.
struct Run {
    desk: Desk,
    paths: Vec<Arc<Path>>,
    plain: Plain,
    /// Open admissions with their rows.
    open: Vec<(usize, Admission)>,
    stored: Vec<Entry>,
    now: u64,
    /// Nothing costs more than was held for it: the output cap is sent along.
    strict: bool,
}

impl Run {
    fn new(
        sets: Vec<(Limits, Option<Limits>)>,
        prepaid: [Option<bool>; NODES],
        strict: bool,
    ) -> Self {
        let mut desk = Desk::new();
        let mut plain = Plain {
            prepaid,
            ..Plain::default()
        };
        for (node, (own, of_models)) in sets.into_iter().enumerate() {
            let billing = |prepaid| if prepaid { "prepaid" } else { "postpaid" };
            let mut text = json!({"limits": own, "billing": prepaid[node].map(billing)});
            plain.sets.push(Set {
                node,
                pattern: None,
                limits: own,
            });
            if let Some(limits) = of_models.filter(|limits| !limits.is_empty()) {
                text["model_limits"] = json!(Map::from_iter([("m*".to_owned(), json!(limits))]));
                plain.sets.push(Set {
                    node,
                    pattern: Some("m*"),
                    limits,
                });
            }
            match NAMES[node].rsplit_once('/') {
                None => desk.bench.patch("root", &text.to_string()).unwrap(),
                Some((parent, name)) => {
                    desk.account(parent, name, &text.to_string());
                }
            }
        }
        let leaves = LEAVES.iter().map(|path| NAMES[path[2]]);
        let paths = leaves.map(|name| desk.bench.path(name)).collect();
        Self {
            desk,
            paths,
            plain,
            open: Vec::new(),
            stored: Vec::new(),
            now: T0,
            strict,
        }
    }

    fn clock(&self) -> Now {
        Now {
            ms: self.now,
            day: Zone::utc().day_of(self.now),
            month: Zone::utc().month_of(self.now),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait { ms } => self.now += ms,
            Step::Admit { leaf, call } => self.admit(leaf, &call),
            Step::Grant { node, amount } => {
                let path = self.desk.bench.path(NAMES[node]);
                self.desk.grant(&path, amount);
                self.stored.push(self.grant_entry(&path, amount));
                self.plain.available[node] += amount;
            }
            Step::Restart => self.restart(),
            _ if self.open.is_empty() => {}
            Step::Settle {
                which,
                tokens,
                share,
            } => {
                let (row, admission) = self.open.swap_remove(which % self.open.len());
                let most = admission.hold() * if self.strict { 1 } else { 2 };
                let charged = most * share / 100;
                self.settle(row, admission, tokens, charged);
            }
            Step::Drop { which } => {
                let (row, admission) = self.open.swap_remove(which % self.open.len());
                drop(admission);
                self.plain.settle(row, 0, 0);
            }
            Step::Extend {
                which,
                output,
                more,
            } => self.extend(which, output, more),
        }
    }

    fn admit(&mut self, leaf: usize, call: &Call) {
        let now = self.clock();
        let verdict = self.plain.judge(leaf, call, &now);
        let path = &self.paths[leaf];
        let before = self.desk.counters.uses(path, self.now);
        match self.desk.admit(path, *call, self.now) {
            Ok(admission) => {
                assert_eq!(verdict.refused, None, "{call:?}");
                let got = (admission.output(), admission.hold());
                assert_eq!(got, (verdict.output, verdict.hold), "{call:?}");
                self.plain.admit(leaf, call, verdict.hold, &now);
                self.open.push((self.plain.rows.len() - 1, admission));
                self.assert_fits(leaf, call);
            }
            Err(refused) => {
                assert_eq!(self.desk.counters.uses(path, self.now), before);
                self.assert_refused(&verdict, &refused);
            }
        }
    }

    fn assert_refused(&self, verdict: &super::model::Verdict, refused: &Exceeded) {
        let late = match refused.bound {
            Bound::Limit(kind) => grain(kind),
            Bound::Wallet | Bound::Age => 0,
        };
        match verdict.refused {
            // Only a merged entry that has not left yet may refuse what the model admits, and not for long.
            None => {
                assert!(verdict.doubtful && refused.retry_after_ms.is_some_and(|wait| wait <= late))
            }
            Some((wallet, wait)) => {
                assert!(verdict.either || (refused.bound == Bound::Wallet) == wallet);
                match (wait, refused.retry_after_ms) {
                    (None, None) => {}
                    (Some(least), Some(told)) => assert!(
                        least <= told && told <= least + 3_000,
                        "{least} {refused:?}"
                    ),
                    other => panic!("{other:?}: {refused:?}"),
                }
            }
        }
    }

    /// Requests, places and money fit every limit of the path; tokens do, or the request is alone in the window.
    fn assert_fits(&self, leaf: usize, call: &Call) {
        for used in self.desk.counters.uses(&self.paths[leaf], self.now) {
            let pattern = used.pattern.as_deref();
            if pattern.is_some_and(|pattern| !crate::pattern::matches(pattern, call.model)) {
                continue;
            }
            match used.kind {
                LimitKind::Tpm | LimitKind::Tph | LimitKind::Tpd => {
                    let whole = call.input + call.expected;
                    let alone = used.used - whole;
                    assert!(alone + whole.min(used.limit) <= used.limit, "{used:?}");
                }
                // A free request passes a budget that others have overspent.
                kind if kind.is_money() && !self.strict => {}
                _ => assert!(used.used <= used.limit, "{used:?}"),
            }
        }
    }

    fn extend(&mut self, which: usize, output: u64, more: u64) {
        let index = which % self.open.len();
        let now = self.clock();
        let (row, admission) = &mut self.open[index];
        let hold = (admission.hold() + more).saturating_sub(5);
        let path = &self.paths[self.plain.rows[*row].leaf];
        let model = self.plain.rows[*row].model;
        let input = admission.input;
        let outcome = admission.extend(path, model, output, hold, self.now);
        assert_eq!(outcome.is_ok(), self.plain.may_extend(*row, hold, &now));
        if outcome.is_ok() {
            self.plain.extend(*row, hold, input + output);
        }
        assert_eq!(admission.hold(), self.plain.rows[*row].money);
    }

    fn settle(&mut self, row: usize, admission: Admission, tokens: u64, charged: u64) {
        let foreseen = admission.preview(charged, self.now);
        let settled = admission.settle(tokens, charged, self.now);
        assert_eq!(
            settled.entry.is_some(),
            self.plain.rows[row].wallet.is_some()
        );
        if self.strict {
            assert_eq!(settled, foreseen);
        }
        self.stored.extend(settled.entry);
        self.plain.settle(row, tokens, charged);
    }

    /// Everything that runs is settled at its hold, then the counters are built anew from rows and entries alone.
    fn restart(&mut self) {
        for (row, admission) in std::mem::take(&mut self.open) {
            let hold = admission.hold();
            self.settle(row, admission, 11, hold);
        }
        let mut ledger = Ledger::default();
        for entry in &self.stored {
            ledger.replay(entry).unwrap();
        }
        self.desk.counters = Arc::new(Counters::new(Zone::utc(), ledger));
        let directory = &self.desk.bench.directory;
        directory.keep_windows(&self.desk.counters);
        for row in &self.plain.rows {
            let row = UsageRow {
                path: self.paths[row.leaf].ids().into(),
                admitted_ms: row.admitted_ms,
                charged: row.money,
                counted: true,
                requested_model: row.model.into(),
                tokens: Tokens {
                    output: row.tokens,
                    ..Tokens::default()
                },
                ..UsageRow::default()
            };
            directory.seed(&self.desk.counters, &row, self.now);
        }
    }

    /// The entry that `Desk::grant` made.
    fn grant_entry(&self, path: &Path, amount: i64) -> Entry {
        let operation = Operation::Grant {
            key: format!("g{}", self.desk.grants),
            from: Source::Treasury { expires_ms: None },
            to: path.account(),
            amount,
        };
        let lot = crate::ledger::Lot {
            expires_ms: u64::MAX,
            id: self.desk.grants,
        };
        let posting = |book, lot, amount| crate::ledger::Posting { book, lot, amount };
        Entry {
            at_ms: T0,
            cause: crate::ledger::Cause::Operation(operation),
            postings: vec![
                posting(crate::ledger::Book::Treasury, None, -amount),
                posting(
                    crate::ledger::Book::Wallet(path.account()),
                    Some(lot),
                    amount,
                ),
            ],
        }
    }

    fn check(&self) {
        let now = self.clock();
        for (leaf, path) in self.paths.iter().enumerate() {
            for used in self.desk.counters.uses(path, self.now) {
                let of_it = |set: &&Set| {
                    path.ids()[..].iter().position(|id| *id == used.account)
                        == LEAVES[leaf].iter().position(|node| *node == set.node)
                        && set.pattern == used.pattern.as_deref()
                };
                let set = self.plain.sets.iter().find(of_it).unwrap();
                let (low, high) = self.plain.used(set, used.kind, &now);
                assert!(
                    (low..=high).contains(&used.used),
                    "{low}..={high}, {used:?}"
                );
            }
            let own = |open: bool| {
                let node = LEAVES[leaf][2];
                let rows = self
                    .plain
                    .rows
                    .iter()
                    .filter(move |row| LEAVES[row.leaf][2] == node);
                let today = rows.filter(|row| Zone::utc().day_of(row.admitted_ms) == now.day);
                today
                    .filter(move |row| row.open == open)
                    .map(|row| row.money)
                    .sum::<u64>()
            };
            assert_eq!(self.desk.money(path, self.now), (own(false), own(true)));
        }
        for (node, name) in NAMES.iter().enumerate() {
            let held = self
                .plain
                .rows
                .iter()
                .filter(|row| row.open && row.wallet == Some(node));
            let held = i64::try_from(held.map(|row| row.money).sum::<u64>()).unwrap();
            let wallet = self.desk.wallet(&self.desk.bench.path(name), self.now);
            assert_eq!(wallet, (self.plain.available[node], held), "{name}");
            assert!(self.plain.available[node] >= 0);
        }
        self.desk.assert_balanced();
        let charged = self
            .plain
            .rows
            .iter()
            .filter(|row| !row.open && row.wallet.is_some());
        let charged: u64 = charged.map(|row| row.money).sum();
        self.desk.counters.ledger(|ledger| {
            assert_eq!(ledger.totals().consumed, i128::from(charged));
            assert_eq!(ledger.totals().uncovered, i128::from(self.plain.uncovered));
            assert!(!self.strict || ledger.totals().uncovered == 0);
            assert_eq!(
                ledger.open_holds().count(),
                self.open
                    .iter()
                    .filter(|(_, open)| open.wallet.is_some())
                    .count()
            );
        });
    }
}

fn run(
    sets: Vec<(Limits, Option<Limits>)>,
    prepaid: [Option<bool>; NODES],
    strict: bool,
    steps: Vec<Step>,
) {
    let mut run = Run::new(sets, prepaid, strict);
    for step in steps {
        run.step(step);
        run.check();
    }
    run.restart();
    run.check();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Output caps are sent: nothing costs more than its hold, and no limit of money is ever overshot.
    #[test]
    fn in_strict_mode_counters_equal_the_rows_and_nothing_is_overshot(
        sets in sets(), prepaid in prepaid(), steps in prop::collection::vec(step(), 1..200),
    ) {
        run(sets, prepaid, true, steps);
    }

    /// Answers cost up to twice their hold: all of it is charged, and only what runs can overshoot.
    #[test]
    fn in_soft_mode_counters_equal_the_rows_and_every_cost_is_charged(
        sets in sets(), prepaid in prepaid(), steps in prop::collection::vec(step(), 1..200),
    ) {
        run(sets, prepaid, false, steps);
    }
}
