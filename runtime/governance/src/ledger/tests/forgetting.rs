//! What was settled is let go of in one piece, without a look at each call, and growing never moves all of it.

use proptest::prelude::*;

use super::*;
use crate::ids::RequestIds;
use crate::random::Seeded;

proptest! {
    #[test]
    fn what_may_be_forgotten_is_known_without_a_look_at_what_is_dropped(
        rounds in prop::collection::vec(prop::collection::vec((0..5_000u64, 0..500u64), 0..40), 1..8)
    ) {
        let mut ledger = Ledger::default();
        let (mut kept, mut latest): (Vec<Vec<Uuid>>, u64) = (Vec::new(), 0);
        for round in rounds {
            let mut settled = Vec::new();
            for (at, number) in round {
                let id = request(NOW + at, number);
                // Free calls: what counts here is that they are remembered.
                if execute(&mut ledger, hold(id, account(1), 0), NOW + at).is_ok()
                    && execute(&mut ledger, post(id, account(1), 0), NOW + at).is_ok()
                {
                    settled.push(id);
                }
            }
            kept.push(settled);
            let dropped = ledger.forget_settled();
            let gone = match kept.len() {
                0..2 => Vec::new(),
                many => std::mem::take(&mut kept[many - 2]),
            };
            prop_assert_eq!(dropped.calls(), gone.len());
            let times = gone.iter().map(|id| (id.as_u128() >> 80) as u64);
            latest = times.fold(latest, u64::max);
            prop_assert_eq!(ledger.settled.forgotten_ms, latest);
        }
    }
}

#[test]
fn forgetting_hands_the_calls_out_to_be_dropped_outside_of_the_lock() {
    let mut ledger = funded();
    for number in 0..1_000 {
        run(&mut ledger, hold(request(NOW, number), account(1), 1));
        run(&mut ledger, post(request(NOW, number), account(1), 1));
    }
    assert_eq!(ledger.forget_settled().calls(), 0);
    assert_eq!(ledger.forget_settled().calls(), 1_000);
    assert_eq!(ledger.forget_settled().calls(), 0);
}

#[test]
fn a_map_that_grows_moves_a_small_part_of_what_is_remembered() {
    let mut ids = RequestIds::new(&mut Seeded::new(7));
    let mut ledger = Ledger::default();
    for _ in 0..50_000 {
        let id = ids.next(NOW);
        ledger.hold(id, account(1), 0, NOW).unwrap();
        ledger.post(bill(id, account(1), 0, 0), NOW).unwrap();
    }
    let largest = ledger.settled.new.largest_part();
    assert!(largest < 50_000 / 100, "{largest}");
}
