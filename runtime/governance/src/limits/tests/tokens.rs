//! Limits of tokens are about what nobody knows yet: how far they can be passed, and that an answer counts as it grows.

use proptest::prelude::*;

use super::*;

/// Enough for any one of the requests below: one that is larger by itself is let into an empty window.
const LIMIT: u64 = 200;
const KINDS: [&str; 3] = ["tpm", "tph", "tpd"];

#[derive(Clone, Debug)]
enum Step {
    Admit { leaf: usize, call: Call },
    Grow { which: usize, by: u64 },
    Settle { which: usize, tokens: u64 },
    Drop { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..20usize;
    let call = (0..40u64, 0..60u64).prop_map(|(input, expected)| tokens(input, expected));
    prop_oneof![
        4 => (0..2usize, call).prop_map(|(leaf, call)| Step::Admit { leaf, call }),
        4 => (which.clone(), 0..50u64).prop_map(|(which, by)| Step::Grow { which, by }),
        2 => (which.clone(), 0..150u64).prop_map(|(which, tokens)| Step::Settle { which, tokens }),
        1 => which.prop_map(|which| Step::Drop { which }),
    ]
}

/// A request with what it counted when the last one was let in, and what it counts now, or was.
struct Row {
    then: u64,
    now: u64,
    output: u64,
    admission: Option<Admission>,
}

fn running(rows: &mut [Row], which: usize) -> Option<&mut Row> {
    let count = rows.iter().filter(|row| row.admission.is_some()).count();
    let mut running = rows.iter_mut().filter(|row| row.admission.is_some());
    running.nth(which.checked_rem(count)?)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// What a window holds: the limit, and of each request that ran when the last one was let in what it used beyond what
    /// counted then. Never more, and the next request is refused for all of it.
    #[test]
    fn a_limit_of_tokens_is_passed_by_no_more_than_running_answers_outgrow_what_counted_of_them(
        kind in prop::sample::select(KINDS.to_vec()), steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut desk = Desk::new();
        let limits = format!(r#"{{"limits":{{"{kind}":{LIMIT}}}}}"#);
        desk.bench.patch("root", &limits).unwrap();
        let leaves = [desk.account("root", "a", "{}"), desk.account("root", "b", "{}")];
        let mut rows: Vec<Row> = Vec::new();
        for (at, step) in steps.into_iter().enumerate() {
            // Within the shortest window: nothing leaves it.
            let now = T0 + at as u64 * 10;
            match step {
                Step::Admit { leaf, call } => {
                    let whole = call.input + call.expected;
                    let used: u64 = rows.iter().map(|row| row.now).sum();
                    let admitted = desk.admit(&leaves[leaf], call, now);
                    prop_assert_eq!(admitted.is_ok(), used + whole <= LIMIT, "{} and {:?}", used, call);
                    if let Ok(admission) = admitted {
                        rows.push(Row { then: 0, now: whole, output: call.expected, admission: Some(admission) });
                        for row in &mut rows {
                            row.then = row.now;
                        }
                    }
                }
                Step::Grow { which, by } => if let Some(row) = running(&mut rows, which) {
                    let admission = row.admission.as_mut().unwrap();
                    admission.grow(row.output + by);
                    row.output += by;
                    row.now += by;
                    prop_assert_eq!(admission.counted_output(), row.output);
                    // What it was before is no less than it is now.
                    admission.grow(row.output.saturating_sub(1));
                }
                Step::Settle { which, tokens } => if let Some(row) = running(&mut rows, which) {
                    row.admission.take().unwrap().settle(tokens, 0, now);
                    row.now = tokens;
                }
                Step::Drop { which } => if let Some(row) = running(&mut rows, which) {
                    drop(row.admission.take());
                    row.now = 0;
                }
            }
            let used = desk.counters.uses(&leaves[0], now)[0].used;
            prop_assert_eq!(used, rows.iter().map(|row| row.now).sum::<u64>());
            let outgrown: u64 = rows.iter().map(|row| row.now.saturating_sub(row.then)).sum();
            prop_assert!(used <= LIMIT + outgrown, "{} with {} outgrown", used, outgrown);
        }
    }
}

/// The same of threads: whoever is let in last can find all others under way, and none of them beyond what it said.
#[test]
fn threads_whose_answers_outgrow_what_was_expected_pass_a_limit_by_no_more_than_they_outgrow_it_together()
 {
    const THREADS: u64 = 16;
    const EXPECTED: u64 = 10;
    const REAL: u64 = 50;
    for kind in KINDS {
        let limit = 20_000;
        let limits = format!(r#"{{"limits":{{"{kind}":{limit}}}}}"#);
        let (desk, path) = Desk::with(&limits);
        let answered = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    while let Ok(mut admission) = desk.admit(&path, tokens(0, EXPECTED), T0) {
                        for output in (EXPECTED..REAL).step_by(10) {
                            admission.grow(output);
                            std::thread::yield_now();
                        }
                        admission.settle(REAL, 0, T0);
                        answered.fetch_add(REAL, Ordering::Relaxed);
                    }
                });
            }
        });
        let used = desk.counters.uses(&path, T0)[0].used;
        assert_eq!(used, answered.into_inner(), "{kind}");
        assert!(used > limit - EXPECTED, "{kind}: {used}");
        assert!(
            used <= limit + THREADS * (REAL - EXPECTED),
            "{kind}: {used}"
        );
    }
}

#[test]
fn the_next_request_waits_for_a_long_answer_while_it_comes_and_not_only_when_it_has_ended() {
    let (desk, path) = Desk::with(r#"{"limits":{"tpm":100000,"daily_limit":1000000}}"#);
    let agent = tokens(1_000, 4_096);
    let mut long = desk.admit(&path, agent, T0).unwrap();
    drop(desk.admit(&path, agent, T0).unwrap());
    long.grow(98_000);
    let refused = desk.admit(&path, agent, T0 + 5_000).unwrap_err();
    assert_eq!(limit(&refused), (LimitKind::Tpm, Some(MINUTE - 5_000)));
    // No money is held for it: that is a matter of its cap.
    assert_eq!(long.hold(), 0);
    long.settle(1_000 + 60_000, 0, T0 + 6_000);
    assert!(desk.admit(&path, agent, T0 + 6_000).is_ok());
}
