//! Any operations in any order, beside a model that keeps no running figure and sorts everything anew.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Do(Act),
    Wait(u64),
    SetClockBack(u64),
    Forget,
    Restart,
}

/// Amounts that fit, that do not, and that are hostile.
pub(super) fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![
        12 => 0..300i64,
        4 => 0..3_000i64,
        1 => -3..0i64,
        1 => prop_oneof![Just(i64::MAX), Just(i64::MIN), Just(i64::MAX - 2_000)],
    ]
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    let account = || (1..5u64).prop_map(account);
    let maybe = || prop::option::of((1..5u64).prop_map(super::account));
    let key = || {
        (0..12u8).prop_map(|n| IdempotencyKey {
            // Some of no scope, as of versions before, and some of two who manage apart.
            scope: (n % 3 > 0).then(|| super::account(u64::from(n % 3))),
            text: format!("key-{}", n / 3),
        })
    };
    let source = prop_oneof![
        3 => prop::option::of(0..2_500u64).prop_map(|at| Source::Treasury {
            expires_ms: at.map(|at| NOW + at)
        }),
        2 => account().prop_map(Source::Wallet),
    ];
    prop_oneof![
        5 => (key(), source, account(), amount())
            .prop_map(|(key, from, to, amount)| Operation::Grant { key, from, to, amount }),
        2 => (key(), account(), maybe(), amount())
            .prop_map(|(key, from, to, amount)| Operation::Reclaim { key, from, to, amount }),
        2 => account().prop_map(|wallet| Operation::Expire { wallet }),
        1 => (account(), maybe()).prop_map(|(wallet, to)| Operation::Sweep { wallet, to }),
    ]
}

/// What a request may ask for.
pub(super) fn call() -> impl Strategy<Value = Act> {
    let account = || (1..5u64).prop_map(account);
    let request = || (0..10u64).prop_map(|n| request(NOW - n, n));
    prop_oneof![
        6 => (request(), account(), amount())
            .prop_map(|(request, wallet, amount)| Act::Hold(request, wallet, amount)),
        2 => (request(), amount()).prop_map(|(request, to)| Act::Extend(request, to)),
        6 => (request(), account(), amount(), prop_oneof![4 => Just(0), 1 => amount()])
            .prop_map(|(request, wallet, amount, fee)| Act::Post(bill(request, wallet, amount, fee))),
        2 => request().prop_map(Act::Release),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => operation().prop_map(|operation| Step::Do(Act::Manage(operation))),
        18 => call().prop_map(Step::Do),
        3 => (0..400u64).prop_map(Step::Wait),
        1 => (0..400u64).prop_map(Step::SetClockBack),
        1 => Just(Step::Forget),
        1 => Just(Step::Restart),
    ]
}

/// Where a part of a lot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Wallet(AccountId),
    Hold(Uuid),
}

#[derive(Clone, Default)]
struct Model {
    parts: BTreeMap<(Place, Lot), i128>,
    holds: HashMap<Uuid, AccountId>,
    gone: [i128; 4],
}

const TREASURY: usize = 0;
const CONSUMED: usize = 1;
const EXPIRED: usize = 2;
const FEES: usize = 3;

impl Model {
    fn at(&self, place: Place) -> Vec<(Lot, i128)> {
        let mut lots: Vec<_> = self
            .parts
            .iter()
            .filter(|((at, _), amount)| *at == place && **amount > 0)
            .map(|((_, lot), amount)| (*lot, *amount))
            .collect();
        lots.sort_by_key(|(lot, _)| (lot.expires_ms, lot.id));
        lots
    }

    fn available(&self, wallet: AccountId, now_ms: u64) -> i128 {
        let lots = self.at(Place::Wallet(wallet));
        let fresh = lots.iter().filter(|(lot, _)| lot.expires_ms > now_ms);
        fresh.map(|(_, amount)| amount).sum()
    }

    /// Moves up to `amount`, earliest expiry first, to a place or to where lots end. Returns what was missing.
    fn shift(
        &mut self,
        from: Place,
        to: Result<Place, usize>,
        amount: i128,
        wanted: impl Fn(&Lot) -> bool,
    ) -> i128 {
        let mut left = amount;
        for (lot, balance) in self.at(from) {
            if wanted(&lot) {
                let part = balance.min(left);
                left -= part;
                *self.parts.entry((from, lot)).or_default() -= part;
                match to {
                    Ok(place) => *self.parts.entry((place, lot)).or_default() += part,
                    Err(gone) => self.gone[gone] += part,
                }
            }
        }
        left
    }

    /// What an act that the ledger accepted must have done. `lot` is the number of the lot it may have issued.
    fn follow(&mut self, act: &Act, now_ms: u64, lot: u64) {
        let fresh = move |lot: &Lot| lot.expires_ms > now_ms;
        match act {
            Act::Hold(request, wallet, amount) => {
                self.holds.insert(*request, *wallet);
                let (from, to) = (Place::Wallet(*wallet), Place::Hold(*request));
                assert_eq!(self.shift(from, Ok(to), i128::from(*amount), fresh), 0);
            }
            Act::Extend(request, to_amount) => {
                let held = self.at(Place::Hold(*request));
                let held: i128 = held.iter().map(|part| part.1).sum();
                let (from, to) = (Place::Wallet(self.holds[request]), Place::Hold(*request));
                let more = (i128::from(*to_amount) - held).max(0);
                assert_eq!(self.shift(from, Ok(to), more, fresh), 0);
            }
            Act::Post(post) => {
                let needed = i128::from(post.amount) + i128::from(post.fee);
                let before = self.gone[CONSUMED];
                let hold = Place::Hold(post.request);
                let left = self.shift(hold, Err(CONSUMED), needed, |_| true);
                let left = self.shift(Place::Wallet(post.wallet), Err(CONSUMED), left, fresh);
                self.gone[TREASURY] -= left;
                self.gone[CONSUMED] = before + i128::from(post.amount);
                self.gone[FEES] += i128::from(post.fee);
                self.shift(hold, Ok(Place::Wallet(post.wallet)), i128::MAX, |_| true);
                self.holds.remove(&post.request);
            }
            Act::Release(request) => {
                let back = Ok(Place::Wallet(self.holds[request]));
                self.shift(Place::Hold(*request), back, i128::MAX, |_| true);
                self.holds.remove(request);
            }
            Act::Manage(operation) => self.manage(operation, now_ms, lot),
        }
    }

    fn manage(&mut self, operation: &Operation, now_ms: u64, lot: u64) {
        let fresh = move |lot: &Lot| lot.expires_ms > now_ms;
        let end = |to: &Option<AccountId>| to.map(Place::Wallet).ok_or(TREASURY);
        match operation {
            Operation::Grant {
                from, to, amount, ..
            } => match from {
                Source::Treasury { expires_ms } => {
                    let lot = Lot {
                        expires_ms: expires_ms.unwrap_or(u64::MAX),
                        id: lot,
                    };
                    self.parts
                        .insert((Place::Wallet(*to), lot), i128::from(*amount));
                    self.gone[TREASURY] -= i128::from(*amount);
                }
                Source::Wallet(from) => {
                    let (from, to) = (Place::Wallet(*from), Place::Wallet(*to));
                    assert_eq!(self.shift(from, Ok(to), i128::from(*amount), fresh), 0);
                }
            },
            Operation::Reclaim {
                from, to, amount, ..
            } => {
                let from = Place::Wallet(*from);
                assert_eq!(self.shift(from, end(to), i128::from(*amount), fresh), 0);
            }
            Operation::Expire { wallet } => {
                let from = Place::Wallet(*wallet);
                self.shift(from, Err(EXPIRED), i128::MAX, |lot| !fresh(lot));
            }
            Operation::Sweep { wallet, to } => {
                let from = Place::Wallet(*wallet);
                self.shift(from, end(to), i128::MAX, fresh);
                self.shift(from, Err(EXPIRED), i128::MAX, |lot| !fresh(lot));
            }
        }
    }
}

/// Whether repeating it must be recognised by its key.
fn keyed(act: &Act) -> bool {
    match act {
        Act::Post(_) => true,
        Act::Manage(operation) => !matches!(operation, Operation::Expire { .. }),
        // Once settled, a request is not held again.
        Act::Hold(..) | Act::Extend(..) | Act::Release(_) => false,
    }
}

fn scope(operation: &Operation) -> Option<AccountId> {
    match operation {
        Operation::Grant { key, .. } | Operation::Reclaim { key, .. } => key.scope,
        Operation::Expire { .. } | Operation::Sweep { .. } => None,
    }
}

/// Whether an act is the same as one of before, but for the wallet that stands for the account above: asked for in the same
/// scope, or when there were none.
fn is_asked_again(was: &Act, act: &Act) -> bool {
    match (was, act) {
        (Act::Manage(was), Act::Manage(operation)) => {
            let (before, now) = (scope(was), scope(operation));
            was.content() == operation.content() && (before == now || before.is_none())
        }
        _ => was == act,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn under_any_interleaving_the_books_sum_to_zero_nothing_is_negative_and_replay_gives_the_same(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let (mut ledger, mut model, mut now) = (Ledger::default(), Model::default(), NOW);
        let mut replica = Ledger::default();
        let mut done: Vec<(Act, Receipt)> = Vec::new();
        let mut settled = HashSet::new();
        let mut forgetful = false;
        for step in steps {
            let act = match step {
                Step::Do(act) => act,
                Step::Wait(ms) => { now += ms; continue; }
                // What is allowed then to requests that may be forgotten is a rule of its own.
                Step::SetClockBack(ms) => { if !forgetful { now -= ms; } continue; }
                Step::Forget => { now = now.max(NOW); ledger.forget_settled(); replica.forget_settled(); forgetful = true; continue; }
                Step::Restart => { replica = restored(&replica); continue; }
            };
            let before = ledger.clone();
            match execute(&mut ledger, act.clone(), now) {
                Ok(Outcome { receipt, entry: Some(entry) }) => {
                    prop_assert_eq!(entry.postings.iter().map(|p| i128::from(p.amount)).sum::<i128>(), 0);
                    if let Act::Post(post) = act {
                        prop_assert!(settled.insert(post.request), "settled twice");
                    }
                    let stored = Entry::decode(&bytes(&entry)).unwrap();
                    prop_assert_eq!(&stored, &entry);
                    prop_assert_eq!(replica.replay(&stored), Ok(receipt));
                    model.follow(&act, now, ledger.last_lot);
                    if keyed(&act) { done.push((act, receipt)); }
                }
                Ok(Outcome { receipt, entry: None }) => match &act {
                    Act::Post(_) | Act::Manage(_) => {
                        prop_assert_eq!(&ledger, &before);
                        if keyed(&act) {
                            let before = |(was, told): &(Act, Receipt)| *told == receipt && is_asked_again(was, &act);
                            prop_assert!(done.iter().any(before), "never done before");
                        }
                    }
                    _ if ledger == before => {}
                    _ => {
                        if let Act::Release(request) = &act {
                            prop_assert!(settled.insert(*request), "settled twice");
                        }
                        model.follow(&act, now, 0);
                    }
                },
                Err(LedgerError::Insufficient { available, asked }) => {
                    prop_assert!(asked > available && available >= 0);
                    prop_assert_eq!(&ledger, &before);
                }
                Err(error) => {
                    prop_assert!(!matches!(error, LedgerError::Inconsistent(_)), "{}", error);
                    prop_assert_eq!(&ledger, &before);
                }
            }
            prop_assert_eq!(ledger.verify(), Ok(()));
            prop_assert_eq!(ledger.imbalance(), 0);
            for wallet in (1..5).map(account) {
                let balance = ledger.balance(wallet, now);
                prop_assert!(balance.available >= 0 && balance.held >= 0 && balance.expired >= 0);
                prop_assert_eq!(i128::from(balance.available), model.available(wallet, now));
                let lots: Vec<_> = ledger.lots(wallet).map(|(lot, amount)| (lot, i128::from(amount))).collect();
                prop_assert_eq!(lots, model.at(Place::Wallet(wallet)));
            }
            let totals = ledger.totals();
            prop_assert_eq!([totals.treasury, totals.consumed, totals.expired, totals.fees], model.gone);
            prop_assert_eq!(ledger.open_holds().count(), model.holds.len());
        }
        prop_assert_eq!(&as_stored(&replica), &as_stored(&ledger));
        prop_assert_eq!(&restored(&replica), &replica);
        for (act, receipt) in done {
            match execute(&mut ledger, act, now) {
                Ok(again) => {
                    prop_assert_eq!(again.entry, None);
                    prop_assert_eq!(again.receipt, receipt);
                }
                Err(error) => prop_assert!(forgetful && matches!(error, LedgerError::TooOld(_)), "{}", error),
            }
        }
        prop_assert_eq!(as_stored(&replica), as_stored(&ledger));
    }

    #[test]
    fn nonsense_is_no_entry_and_no_checkpoint_and_applying_it_never_panics(mut noise in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(first) = noise.first_mut() { *first = 2 | (*first & 1); }
        let _ = Ledger::from_checkpoint(&noise);
        if let Ok(entry) = Entry::decode(&noise) {
            let _ = Ledger::default().replay(&entry);
            let _ = Ledger::default().recover(&entry);
        }
    }
}
