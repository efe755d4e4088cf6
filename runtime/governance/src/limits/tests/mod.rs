//! Limits are never overshot, holds are released exactly once, and errors tell nothing they should not.

mod calendar;
mod concurrency;
mod headroom;
mod hot;
mod kinds;
mod model;
mod money;
mod property;
mod rates;
mod reading;
mod restart;
mod steps;
mod strict;
mod threads;
mod tokens;
mod wallet;

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::directory::tests::Bench;
use crate::ledger::{Begun, Operation, Source};

const T0: u64 = 1_760_000_000_000;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 3_600_000;

/// A tree and its counters.
struct Desk {
    bench: Bench,
    counters: Arc<Counters>,
    grants: u64,
}

/// A request as these tests ask for it: its price is `base`, and `each` for a token of output.
#[derive(Clone, Copy, Debug)]
struct Call {
    model: &'static str,
    input: u64,
    expected: u64,
    output: u64,
    least: u64,
    base: u64,
    each: u64,
}

/// A request for nothing that is limited.
const FREE: Call = Call {
    model: "m",
    input: 0,
    expected: 0,
    output: 1,
    least: 1,
    base: 0,
    each: 0,
};

/// A request at a fixed price.
fn costs(base: u64) -> Call {
    Call { base, ..FREE }
}

/// A request of so many tokens.
fn tokens(input: u64, expected: u64) -> Call {
    Call {
        input,
        expected,
        ..FREE
    }
}

impl Call {
    fn of(self, model: &'static str) -> Self {
        Self { model, ..self }
    }

    fn admit(
        self,
        counters: &Arc<Counters>,
        path: &Path,
        now_ms: u64,
    ) -> Result<Admission, Exceeded> {
        let ask = Ask {
            request: request(now_ms),
            model: self.model,
            input: self.input,
            expected: self.expected,
            output: self.output,
            least_output: self.least,
            price: &|output| self.base.saturating_add(self.each.saturating_mul(output)),
        };
        counters.admit(path, &ask, now_ms)
    }
}

/// An id of this moment that no other request has.
fn request(now_ms: u64) -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    Uuid::from_u128(u128::from(now_ms) << 80 | 7 << 76 | 1 << 63 | u128::from(next))
}

impl Desk {
    fn new() -> Self {
        Self::in_zone(Zone::utc())
    }

    fn in_zone(zone: Zone) -> Self {
        Self {
            bench: Bench::new(),
            counters: Arc::new(Counters::new(zone, Ledger::default())),
            grants: 0,
        }
    }

    /// A desk with one account, `root/a`, of these boundaries.
    fn with(text: &str) -> (Self, Arc<Path>) {
        let mut desk = Self::new();
        let path = desk.account("root", "a", text);
        (desk, path)
    }

    fn account(&mut self, parent: &str, name: &str, text: &str) -> Arc<Path> {
        self.bench.account_with(parent, name, text).unwrap();
        self.bench.path(&format!("{parent}/{name}"))
    }

    fn admit(&self, path: &Path, call: Call, now_ms: u64) -> Result<Admission, Exceeded> {
        call.admit(&self.counters, path, now_ms)
    }

    /// Admits and settles as it was held.
    fn done(&self, path: &Path, call: Call, now_ms: u64) {
        let admission = self.admit(path, call, now_ms).unwrap();
        let hold = admission.hold();
        admission.settle(call.input.saturating_add(call.expected), hold, now_ms);
    }

    fn spent(&self, path: &Path, now_ms: u64) -> Spent {
        self.counters.spent(path, now_ms)
    }

    /// Money of today: settled and held.
    fn money(&self, path: &Path, now_ms: u64) -> (u64, u64) {
        let spent = self.spent(path, now_ms);
        (spent.settled, spent.held)
    }

    /// Credit for the last account of a path.
    fn grant(&mut self, path: &Path, amount: i64) {
        self.grant_until(path, amount, None);
    }

    fn grant_until(&mut self, path: &Path, amount: i64, expires_ms: Option<u64>) {
        self.grants += 1;
        let operation = Operation::Grant {
            key: format!("g{}", self.grants).into(),
            from: Source::Treasury { expires_ms },
            to: path.account(),
            amount,
        };
        self.counters.ledger(|ledger| {
            let Begun::Pending(pending) = ledger.begin(operation, T0).unwrap() else {
                panic!("a new key");
            };
            ledger.commit(pending);
        });
    }

    /// Available and held.
    fn wallet(&self, path: &Path, now_ms: u64) -> (i64, i64) {
        let balance = self
            .counters
            .ledger(|ledger| ledger.balance(path.account(), now_ms));
        (balance.available, balance.held)
    }

    fn assert_balanced(&self) {
        self.counters.ledger(|ledger| {
            assert_eq!(ledger.imbalance(), 0);
            ledger.verify().unwrap();
        });
    }
}

/// Which limit refuses, and for how long.
fn limit(refused: &Exceeded) -> (LimitKind, Option<u64>) {
    match refused.bound {
        Bound::Limit(kind) => (kind, refused.retry_after_ms),
        Bound::Wallet | Bound::Age => panic!("no limit refuses: {refused:?}"),
    }
}

/// Only the limit of this kind.
fn only(kind: LimitKind, value: u64) -> String {
    format!(r#"{{"limits":{{"{}":{value}}}}}"#, kind.as_str())
}

/// A request of one request, one token and one micro-unit: it counts 1 against every kind of limit.
const UNIT: Call = Call {
    expected: 1,
    base: 1,
    ..FREE
};
