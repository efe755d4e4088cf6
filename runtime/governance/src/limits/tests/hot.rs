//! One hot key locks nobody out. All requests share a lock, so what counts is what is done under it: it must neither grow
//! with what a key has sent, nor last while a request runs. That can be counted; how long a thread waits cannot be told
//! without a clock (`examples/admission_scale.rs` measures it).

use std::mem::ManuallyDrop;

use super::*;

const WINDOWS: &str =
    r#"{"limits":{"rpm":100000000,"rph":100000000,"tpm":100000000,"tph":100000000}}"#;

/// The most entries of a window that a request of this path may have to look at.
fn longest_window(desk: &Desk, path: &Path, now_ms: u64) -> usize {
    let mut state = desk.counters.state.lock();
    let now = state.now(now_ms);
    let slots = path.nodes().iter().flat_map(|node| node.sets("m"));
    let slots: Vec<_> = slots.map(|set| set.slot).collect();
    let lengths = slots
        .iter()
        .map(|slot| (state.tallies).read(*slot, &now, |tally| tally.longest_window()));
    lengths.max().unwrap_or(0)
}

#[test]
fn what_a_hot_key_has_sent_makes_nobodys_turn_under_the_lock_longer() {
    let mut desk = Desk::new();
    desk.bench.patch("root", WINDOWS).unwrap();
    desk.bench
        .patch("root", r#"{"billing":"prepaid"}"#)
        .unwrap();
    let root = desk.bench.path("root");
    let hot = desk.account("root", "hot", WINDOWS);
    let beside = desk.account("root", "beside", WINDOWS);
    desk.grant(&root, 1_000_000);
    let call = Call {
        input: 3,
        ..costs(1)
    };
    // Two minutes at a thousand requests a second, and a burst.
    let mut now = T0;
    for turn in 0..130_000 {
        now += u64::from(turn < 120_000);
        desk.done(&hot, call, now);
    }
    assert!(longest_window(&desk, &hot, now) <= 1_201);
    // What the neighbour shares is as short, and what is its own is empty.
    assert!(longest_window(&desk, &beside, now) <= 1_201);
    desk.done(&beside, call, now);
    assert_eq!(pieces_and_holds(&desk), (1, 0));
    let lots = desk
        .counters
        .ledger(|ledger| ledger.lots(root.account()).count());
    assert_eq!(lots, 1);
    desk.assert_balanced();
}

/// Pieces of counters, and open holds.
fn pieces_and_holds(desk: &Desk) -> (usize, usize) {
    let state = desk.counters.state.lock();
    (state.tallies.pieces(), state.ledger.open_holds().len())
}

#[test]
fn requests_of_a_hot_key_that_run_or_are_refused_keep_no_lock_from_others() {
    let mut desk = Desk::new();
    let hot = desk.account("root", "hot", r#"{"limits":{"concurrency":64}}"#);
    let beside = desk.account("root", "beside", "{}");
    let free = |desk: &Desk| desk.counters.state.try_lock().is_some();
    let mut running = Vec::new();
    for _ in 0..64 {
        // Should it fail here, dropping them would wait for the lock for ever.
        running.push(ManuallyDrop::new(desk.admit(&hot, FREE, T0).unwrap()));
        assert!(free(&desk));
    }
    for _ in 0..1_000 {
        assert!(desk.admit(&hot, FREE, T0).is_err());
        assert!(free(&desk));
    }
    desk.done(&beside, FREE, T0);
    for admission in running {
        let mut admission = ManuallyDrop::into_inner(admission);
        admission.extend(&hot, "m", 9, 0, T0).unwrap();
        assert!(free(&desk));
        let (_, place) = admission.settle_running(1, 0, T0);
        assert!(free(&desk));
        drop(place);
    }
    assert!(free(&desk));
}
