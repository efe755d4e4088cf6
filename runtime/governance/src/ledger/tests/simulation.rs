//! Months on a virtual clock: monthly budgets that expire, tiered prices, factors, crashes, usage rows and roll-ups.

use super::*;
use crate::calendar::Zone;
use crate::price::{Factor, Price, Tier, Tokens, charge, hold_dearest};
use crate::usage::{Rollup, RollupFilter, Span, UsageRow};

const DAY: u64 = 86_400_000;
const DEPARTMENTS: u64 = 4;
const PEOPLE: u64 = 5;

/// xorshift: the same months in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

struct World {
    ledger: Ledger,
    /// What the store would have: the last checkpoint and all entries.
    checkpoint: Vec<u8>,
    entries: Vec<Vec<u8>>,
    /// The journal's records of open calls.
    journal: std::collections::BTreeMap<Uuid, (u64, Entry)>,
    rollup: Rollup,
    charged: i128,
    recovered: u64,
    issued: i128,
}

impl World {
    fn run(&mut self, act: Act, now_ms: u64) -> Result<Receipt, LedgerError> {
        let outcome = execute(&mut self.ledger, act.clone(), now_ms)?;
        match act {
            Act::Hold(request, wallet, amount) => {
                let entry =
                    (self.ledger).preview(super::bill(request, wallet, amount, 0), now_ms)?;
                self.journal.insert(request, (now_ms, entry));
            }
            Act::Post(Post { request, .. }) | Act::Release(request) => {
                self.journal.remove(&request);
            }
            Act::Extend(..) | Act::Manage(_) => {}
        }
        self.entries.extend(outcome.entry.as_ref().map(bytes));
        Ok(outcome.receipt)
    }

    /// What the store's checkpoint and entries say.
    fn stored(&self) -> Ledger {
        let mut stored = match self.checkpoint.as_slice() {
            [] => Ledger::default(),
            bytes => Ledger::from_checkpoint(bytes).unwrap().0,
        };
        for entry in &self.entries {
            stored.replay(&Entry::decode(entry).unwrap()).unwrap();
        }
        stored
    }

    fn row(
        &mut self,
        id: Uuid,
        wallet: AccountId,
        at_ms: u64,
        base: u64,
        charged: i64,
        late: bool,
    ) {
        self.charged += i128::from(charged);
        self.rollup.add(&UsageRow {
            request: id,
            admitted_ms: at_ms,
            path: vec![account(0), wallet].into(),
            provider: "echo".into(),
            requested_model: "m".into(),
            base_cost: base,
            charged: charged as u64,
            recovered: late,
            ..UsageRow::default()
        });
    }

    /// The process is killed: memory is gone, the store and the journal are not.
    fn crash(&mut self) {
        let again = self.stored();
        assert_eq!(as_stored(&again), as_stored(&self.ledger));
        self.ledger = again;
        for (request, (at_ms, entry)) in std::mem::take(&mut self.journal) {
            let stored = self.ledger.recover(&entry).unwrap().unwrap();
            // The crash came during recovery: it is done again.
            assert_eq!(self.ledger.recover(&entry), Ok(None));
            self.entries.push(bytes(&stored));
            let Cause::Post(post) = stored.cause else {
                unreachable!()
            };
            self.row(request, post.wallet, at_ms, 0, post.amount, true);
            self.recovered += 1;
        }
    }
}

fn prices() -> [Price; 2] {
    let tier = |above, input, output| Tier {
        above,
        input,
        cache_read: input / 10,
        cache_write_5m: input / 4 * 5,
        cache_write_1h: input * 2,
        output,
    };
    let of = |input: u64, output, tiers: &[Tier]| Price {
        input,
        cache_read: input / 10,
        cache_write_5m: input / 4 * 5,
        cache_write_1h: input * 2,
        output,
        request: 50,
        tiers: tiers.into(),
        ..Price::default()
    };
    [
        of(
            2_500_000,
            15_000_000,
            &[tier(272_000, 5_000_000, 22_500_000)],
        ),
        of(
            1_000_000,
            5_000_000,
            &[
                tier(32_000, 1_800_000, 9_000_000),
                tier(128_000, 3_000_000, 15_000_000),
            ],
        ),
    ]
}

#[test]
fn a_year_of_monthly_budgets_crashes_and_expiries_balances_to_the_micro_unit() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut world = World {
        ledger: Ledger::default(),
        checkpoint: Vec::new(),
        entries: Vec::new(),
        journal: Default::default(),
        rollup: Rollup::new(Zone::utc()),
        charged: 0,
        recovered: 0,
        issued: 0,
    };
    let prices = prices();
    let (root, mut number, mut refused, mut admitted) = (account(0), 0u64, 0u64, 0u64);
    let department = |d: u64| account(1 + d);
    let person = |d: u64, p: u64| account(100 + d * PEOPLE + p);
    for day in 0..360u64 {
        let midnight = NOW + day * DAY;
        // First thing in the morning what has expired goes.
        let due: Vec<_> = world.ledger.due(midnight).collect();
        for wallet in due {
            world.run(expire(wallet), midnight).unwrap();
        }
        if day % 30 == 0 {
            monthly(&mut world, day / 30, midnight, root, department, person);
        }
        for turn in 0..120u64 {
            let now = midnight + turn * (DAY / 120);
            number += 1;
            let (id, wallet) = (
                request(now, number),
                person(dice.below(DEPARTMENTS), dice.below(PEOPLE)),
            );
            let (input, cap) = (dice.below(400_000), 1 + dice.below(8_000));
            let factor = Factor::new(1_000_000 + dice.below(4) * 100_000).unwrap();
            let held = micro_units(hold_dearest(&prices, input, cap, factor).unwrap());
            let free = world.ledger.balance(wallet, now).available;
            match world.run(hold(id, wallet, held), now) {
                Ok(_) => admitted += 1,
                Err(error) => {
                    let (available, asked) = (free, held);
                    assert_eq!(error, LedgerError::Insufficient { available, asked });
                    assert!(held > free, "a hold that fits is never refused");
                    refused += 1;
                    continue;
                }
            }
            match dice.below(200) {
                0 => {
                    world.crash();
                    continue;
                }
                // Nothing was used: it failed before the first token.
                1..=9 => {
                    world.run(Act::Release(id), now).unwrap();
                    continue;
                }
                _ => {}
            }
            let cache_read = dice.below(input + 1);
            let cache_write_1h = dice.below(input - cache_read + 1);
            let tokens = Tokens {
                input: input - cache_read - cache_write_1h,
                cache_read,
                cache_write_1h,
                output: dice.below(cap + 1),
                ..Tokens::default()
            };
            let cost = charge(&prices[(number % 2) as usize], &tokens, factor);
            let receipt = world
                .run(post(id, wallet, micro_units(cost.charged)), now + 5_000)
                .unwrap();
            assert_eq!(
                receipt.uncovered, 0,
                "the hold covers every bill within its cap"
            );
            world.row(id, wallet, now, cost.base, receipt.amount, false);
        }
        if day % 7 == 6 {
            let mut stored = world.stored();
            stored.forget_settled();
            world.checkpoint.clear();
            stored.checkpoint(day, &mut world.checkpoint).unwrap();
            world.entries.clear();
            world.ledger.forget_settled();
        }
        world.ledger.verify().unwrap();
        assert_eq!(world.ledger.imbalance(), 0);
    }
    world.crash();
    finish(&world, admitted, refused);
}

/// New credit for the root that is good for the month, shared out; what is over of the last month is gone by now.
fn monthly(
    world: &mut World,
    month: u64,
    now: u64,
    root: AccountId,
    department: impl Fn(u64) -> AccountId,
    person: impl Fn(u64, u64) -> AccountId,
) {
    let before = *world.ledger.totals();
    if month > 0 {
        // Only the credit without expiry of the first month is left.
        let all = (0..DEPARTMENTS).flat_map(|d| (0..PEOPLE).map(move |p| (d, p)));
        for (d, p) in all {
            let wallet = person(d, p);
            assert!(
                world
                    .ledger
                    .lots(wallet)
                    .all(|(lot, _)| lot.expires_ms == u64::MAX)
            );
        }
    }
    let amount = 400_000_000i64;
    let expires = Some(now + 30 * DAY);
    let issue_now = issue(&format!("month-{month}"), root, amount, expires);
    world.run(issue_now.clone(), now).unwrap();
    world.run(issue_now, now).unwrap();
    world.issued += i128::from(amount);
    if month == 0 {
        world
            .run(issue("reserve", root, 20_000_000, None), now)
            .unwrap();
        world.issued += 20_000_000;
    }
    for d in 0..DEPARTMENTS {
        let share = world.ledger.balance(root, now).available / (DEPARTMENTS - d) as i64;
        let key = format!("month-{month}/{d}");
        world
            .run(grant(&key, root, department(d), share), now)
            .unwrap();
        for p in 0..PEOPLE {
            let rest = world.ledger.balance(department(d), now).available;
            let share = rest / (PEOPLE - p) as i64;
            let key = format!("month-{month}/{d}/{p}");
            let operation = grant(&key, department(d), person(d, p), share);
            world.run(operation, now).unwrap();
        }
    }
    let after = *world.ledger.totals();
    assert_eq!(after.consumed, before.consumed, "granting consumes nothing");
}

fn finish(world: &World, admitted: u64, refused: u64) {
    let totals = world.ledger.totals();
    assert!(admitted > 10_000 && refused > 100, "{admitted} {refused}");
    assert!(world.recovered > 50, "{}", world.recovered);
    assert!(totals.expired > 0);
    assert_eq!(
        totals.consumed, world.charged,
        "no charge is lost or doubled"
    );
    assert_eq!(totals.uncovered, 0);
    assert_eq!(totals.held, 0);
    assert_eq!(
        world.issued,
        totals.consumed + totals.expired + totals.wallets,
        "all credit is spent, expired or there"
    );
    for span in [Span::Hour, Span::Day] {
        let sums = world.rollup.sum(span, &RollupFilter::default());
        assert_eq!(i128::from(sums.charged), totals.consumed);
        assert_eq!(sums.recovered, world.recovered);
    }
}
