//! In any tree and under any interleaving the counters equal the plain model, no limit is overshot, and the ledger balances.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::model::{Place, Plain, Set, grain};
use super::steps::{Branch, Step, step, tree};
use super::*;
use crate::ledger::Entry;
use crate::price::Tokens;
use crate::usage::UsageRow;

/// An admission with what it was admitted on.
struct Open {
    row: usize,
    path: Arc<Path>,
    admission: Admission,
}

/// The counters under test beside the model.
struct Run {
    desk: Desk,
    /// The accounts of the model's nodes.
    ids: Vec<AccountId>,
    plain: Plain,
    open: Vec<Open>,
    stored: Vec<Entry>,
    now: u64,
    /// Nothing costs more than was held for it: the output cap is sent along.
    strict: bool,
}

impl Run {
    fn new(tree: Vec<Branch>, strict: bool) -> Self {
        let mut desk = Desk::new();
        let mut plain = Plain::default();
        let mut ids = Vec::new();
        for (node, branch) in tree.into_iter().enumerate() {
            let parent = branch.parent(node);
            let billing = |prepaid| if prepaid { "prepaid" } else { "postpaid" };
            let mut text = json!({
                "limits": branch.limits,
                "billing": branch.prepaid.map(billing),
                "price_factor": branch.factor,
            });
            plain.places.push(Place {
                parent,
                prepaid: branch.prepaid,
                factor: branch.factor,
                ..Place::default()
            });
            plain.sets.push(Set {
                node,
                pattern: None,
                limits: branch.limits,
            });
            if let Some(limits) = branch.of_models.filter(|limits| !limits.is_empty()) {
                text["model_limits"] = json!(Map::from_iter([("m*".to_owned(), json!(limits))]));
                plain.sets.push(Set {
                    node,
                    pattern: Some("m*"),
                    limits,
                });
            }
            let (bench, text) = (&mut desk.bench, text.to_string());
            ids.push(match parent {
                None => {
                    bench.patch("root", &text).unwrap();
                    bench.directory.root().unwrap().id
                }
                Some(parent) => {
                    let parent: &AccountId = &ids[parent];
                    let made = bench.account_with(&parent.to_string(), &format!("n{node}"), &text);
                    made.unwrap()
                }
            });
        }
        Self {
            desk,
            ids,
            plain,
            open: Vec::new(),
            stored: Vec::new(),
            now: T0,
            strict,
        }
    }

    fn path(&self, node: usize) -> Arc<Path> {
        self.desk.bench.path(&self.ids[node].to_string())
    }

    fn clock(&self) -> Now {
        Now {
            ms: self.now,
            day: Zone::utc().day_of(self.now),
            month: Zone::utc().month_of(self.now),
        }
    }

    fn step(&mut self, step: Step) {
        let there = self.ids.len();
        match step {
            Step::Wait { ms } => self.now += ms,
            Step::Admit { node, call } => self.admit(node % there, &call),
            Step::Grant { node, amount } => {
                let path = self.path(node % there);
                self.desk.grant(&path, amount);
                self.stored.push(self.grant_entry(&path, amount));
                self.plain.places[node % there].available += amount;
            }
            Step::Move { node, to } => self.move_to(node % there, to % there),
            Step::Suspend { node, suspended } => {
                let node = node % there;
                let status = if suspended { "suspended" } else { "active" };
                let patch = json!({ "status": status }).to_string();
                let id = self.ids[node].to_string();
                self.desk.bench.patch(&id, &patch).unwrap();
                self.plain.places[node].suspended = suspended;
            }
            Step::Restart => self.restart(),
            _ if self.open.is_empty() => {}
            Step::Settle {
                which,
                tokens,
                share,
            } => {
                let open = self.open.swap_remove(which % self.open.len());
                let most = open.admission.hold() * if self.strict { 1 } else { 2 };
                let charged = most * share / 100;
                self.settle(open, tokens, charged);
            }
            Step::Drop { which } => {
                let open = self.open.swap_remove(which % self.open.len());
                drop(open.admission);
                self.plain.settle(open.row, 0, 0, self.now);
            }
            Step::Extend {
                which,
                output,
                more,
            } => self.extend(which, output, more),
        }
    }

    /// A move takes the wallet and the counters of the account along, and adds nothing to those of its new ancestors.
    fn move_to(&mut self, node: usize, to: usize) {
        let patch = json!({ "parent": self.ids[to] }).to_string();
        let moved = self.desk.bench.patch(&self.ids[node].to_string(), &patch);
        let may = node > 0 && !self.plain.path(to).contains(&node);
        assert_eq!(moved.is_ok(), may, "{node} to {to}: {moved:?}");
        if may {
            self.plain.places[node].parent = Some(to);
        }
    }

    fn admit(&mut self, node: usize, call: &Call) {
        let path = self.path(node);
        assert_eq!(path.is_enabled(), self.plain.is_enabled(node));
        if !path.is_enabled() {
            // It gets no further than its key.
            return;
        }
        let now = self.clock();
        let verdict = self.plain.judge(node, call, &now);
        let factor = path.price_factor().millionths();
        let price = |output| (call.base + call.each * output) * factor / 1_000_000;
        let ask = Ask {
            request: request(self.now),
            model: call.model,
            input: call.input,
            expected: call.expected,
            output: call.output,
            least_output: call.least,
            price: &price,
        };
        let before = self.desk.counters.uses(&path, self.now);
        match self.desk.counters.admit(&path, &ask, self.now) {
            Ok(admission) => {
                assert_eq!(verdict.refused, None, "{call:?}");
                let got = (admission.output(), admission.hold());
                assert_eq!(got, (verdict.output, verdict.hold), "{call:?}");
                self.plain.admit(node, call, verdict.hold, &now);
                self.assert_fits(&path, call);
                self.open.push(Open {
                    row: self.plain.rows.len() - 1,
                    path,
                    admission,
                });
            }
            Err(refused) => {
                assert_eq!(self.desk.counters.uses(&path, self.now), before);
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
    fn assert_fits(&self, path: &Path, call: &Call) {
        for used in self.desk.counters.uses(path, self.now) {
            let pattern = used.pattern.as_deref();
            if pattern.is_some_and(|pattern| !crate::pattern::matches(pattern, call.model)) {
                continue;
            }
            match used.kind {
                LimitKind::Tpm | LimitKind::Tph | LimitKind::Tpd => {
                    let whole = call.input + call.expected;
                    let alone = used.used - whole;
                    let fits = alone + whole.min(used.limit) <= used.limit;
                    assert!(fits || whole == 0, "{used:?}");
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
        let Open {
            row,
            path,
            admission,
        } = &mut self.open[index];
        let hold = (admission.hold() + more).saturating_sub(5);
        let model = self.plain.rows[*row].model;
        let input = admission.input;
        let outcome = admission.extend(path, model, output, hold, self.now);
        assert_eq!(outcome.is_ok(), self.plain.may_extend(*row, hold, &now));
        if outcome.is_ok() {
            self.plain.extend(*row, hold, input + output, self.now);
        }
        assert_eq!(admission.hold(), self.plain.rows[*row].money);
    }

    fn settle(&mut self, open: Open, tokens: u64, charged: u64) {
        let Open { row, admission, .. } = open;
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
        self.plain.settle(row, tokens, charged, self.now);
    }

    /// Everything that runs is settled at its hold, then the counters are built anew from rows and entries alone.
    fn restart(&mut self) {
        for open in std::mem::take(&mut self.open) {
            let hold = open.admission.hold();
            self.settle(open, 11, hold);
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
                path: row.path.iter().map(|node| self.ids[*node]).collect(),
                admitted_ms: row.admitted_ms,
                ended_ms: row.ended_ms,
                charged: row.money,
                counted: true,
                requested_model: row.model.into(),
                tokens: Tokens {
                    output: row.tokens(),
                    ..Tokens::default()
                },
                ..UsageRow::default()
            };
            directory.seed(&self.desk.counters, &row, self.now);
        }
        self.plain.restart();
    }

    /// The entry that `Desk::grant` made.
    fn grant_entry(&self, path: &Path, amount: i64) -> Entry {
        let operation = Operation::Grant {
            key: format!("g{}", self.desk.grants).into(),
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
        for (node, id) in self.ids.iter().enumerate() {
            let path = self.path(node);
            let uses = self.desk.counters.uses(&path, self.now);
            // Those above are looked at when it is their turn.
            for used in uses.iter().filter(|used| used.account == *id) {
                let of_it = |set: &&Set| set.node == node && set.pattern == used.pattern.as_deref();
                let set = self.plain.sets.iter().find(of_it).unwrap();
                let (low, high) = self.plain.used(set, used.kind, &now);
                assert!(
                    (low..=high).contains(&used.used),
                    "{low}..={high}, {used:?}"
                );
            }
            let below = |open: bool| {
                let rows = self.plain.rows.iter();
                let rows = rows.filter(|row| row.open == open && row.path.contains(&node));
                let today = rows.filter(|row| Zone::utc().day_of(row.admitted_ms) == now.day);
                today.map(|row| row.money).sum::<u64>()
            };
            assert_eq!(
                self.desk.money(&path, self.now),
                (below(false), below(true))
            );
            let rows = self.plain.rows.iter();
            let held = rows.filter(|row| row.open && row.wallet == Some(node));
            let held = i64::try_from(held.map(|row| row.money).sum::<u64>()).unwrap();
            let available = self.plain.places[node].available;
            assert_eq!(
                self.desk.wallet(&path, self.now),
                (available, held),
                "{node}"
            );
            assert!(available >= 0);
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
            let open = self.open.iter();
            let paid = open.filter(|open| open.admission.wallet.is_some());
            assert_eq!(ledger.open_holds().count(), paid.count());
        });
    }
}

fn run(tree: Vec<Branch>, strict: bool, steps: Vec<Step>) {
    let mut run = Run::new(tree, strict);
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
        tree in tree(), steps in prop::collection::vec(step(), 1..200),
    ) {
        run(tree, true, steps);
    }

    /// Answers cost up to twice their hold: all of it is charged, and only what runs can overshoot.
    #[test]
    fn in_soft_mode_counters_equal_the_rows_and_every_cost_is_charged(
        tree in tree(), steps in prop::collection::vec(step(), 1..200),
    ) {
        run(tree, false, steps);
    }
}
