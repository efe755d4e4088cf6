//! Which wallets are due is known in their order of expiry; a look at each of them would find the same.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;

use super::model::{call, operation};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Call(Act),
    Begin(Operation),
    Commit(Index),
    GiveUp(Index),
    Wait(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => operation().prop_map(Step::Begin),
        10 => any::<Index>().prop_map(Step::Commit),
        3 => any::<Index>().prop_map(Step::GiveUp),
        20 => call().prop_map(Step::Call),
        3 => (0..400u64).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

fn found(ledger: &Ledger, now_ms: u64) -> BTreeSet<AccountId> {
    let expired = |account: &AccountId| ledger.balance(*account, now_ms).expired > 0;
    (1..5).map(account).filter(expired).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn the_wallets_that_are_due_at_any_time_are_those_that_a_look_at_every_wallet_finds(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let (mut ledger, mut replica, mut now) = (Ledger::default(), Ledger::default(), NOW);
        let mut moving: Vec<Pending> = Vec::new();
        for step in steps {
            match step {
                Step::Call(act) => if let Ok(Outcome { entry: Some(entry), .. }) = execute(&mut ledger, act, now) {
                    replica.replay(&entry).unwrap();
                },
                Step::Begin(operation) => if let Ok(Begun::Pending(pending)) = ledger.begin(operation, now) {
                    moving.push(pending);
                },
                Step::Commit(index) => if !moving.is_empty() {
                    let pending = moving.swap_remove(index.index(moving.len()));
                    replica.replay(pending.entry()).unwrap();
                    ledger.commit(pending);
                },
                Step::GiveUp(index) => if !moving.is_empty() {
                    ledger.abort(moving.swap_remove(index.index(moving.len())));
                },
                Step::Wait(ms) => now += ms,
                Step::Restart => replica = restored(&replica),
            }
            for books in [&ledger, &replica] {
                for at in [0, now - 500, now, now + 500, now + 5_000, u64::MAX - 1] {
                    let due: Vec<_> = books.due(at).collect();
                    prop_assert_eq!(due.iter().copied().collect::<BTreeSet<_>>(), found(books, at));
                    prop_assert_eq!(due.len(), found(books, at).len(), "none is told twice");
                }
                prop_assert_eq!(books.verify(), Ok(()));
            }
        }
    }
}

#[test]
fn the_wallet_whose_credit_expired_first_is_due_first() {
    let mut ledger = Ledger::default();
    for (wallet, after) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        let act = issue(&format!("{wallet}"), account(wallet), 5, Some(NOW + after));
        run(&mut ledger, act);
    }
    run(&mut ledger, issue("for ever", account(5), 5, None));
    let due: Vec<_> = ledger.due(NOW + 30).collect();
    assert_eq!(due, [2, 3, 1].map(account));
}
