//! Limits of tokens are about what nobody knows yet: how far they can be passed, and that an answer counts as it grows.

use proptest::prelude::*;

use super::*;

/// Enough for any one of the requests below: one that is larger by itself is let into an empty window.
const LIMIT: u64 = 200;
const KINDS: [&str; 3] = ["tpm", "tph", "tpd"];

#[derive(Clone, Debug)]
enum Step {
    Wait { twentieths: u64 },
    Admit { leaf: usize, call: Call },
    Grow { which: usize, by: u64 },
    Settle { which: usize, tokens: u64 },
    Drop { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..20usize;
    let call = (0..40u64, 0..60u64).prop_map(|(input, expected)| tokens(input, expected));
    prop_oneof![
        3 => prop_oneof![4 => 0..4u64, 1 => 0..30u64].prop_map(|twentieths| Step::Wait { twentieths }),
        4 => (0..2usize, call).prop_map(|(leaf, call)| Step::Admit { leaf, call }),
        4 => (which.clone(), 0..50u64).prop_map(|(which, by)| Step::Grow { which, by }),
        2 => (which.clone(), 0..150u64).prop_map(|(which, tokens)| Step::Settle { which, tokens }),
        1 => which.prop_map(|which| Step::Drop { which }),
    ]
}

/// A request with what the window had of it when the last one was let in, and its tokens with when they were counted.
struct Row {
    then: u64,
    parts: Vec<(u64, u64)>,
    output: u64,
    admission: Option<Admission>,
}

impl Row {
    fn counted(&self) -> u64 {
        self.parts.iter().map(|(_, tokens)| tokens).sum()
    }

    /// What the window has of it.
    fn within(&self, kind: &str, now: u64) -> u64 {
        let parts = self.parts.iter();
        let counts = parts.filter(|(at, _)| kind == "tpd" || at + span(kind) > now);
        counts.map(|(_, tokens)| tokens).sum()
    }

    /// What it was: more counts now, less is taken from what was counted first.
    fn end(&mut self, tokens: u64, now: u64) {
        let counted = self.counted();
        self.parts.push((now, tokens.saturating_sub(counted)));
        let mut surplus = counted.saturating_sub(tokens);
        for (_, counts) in &mut self.parts {
            let taken = surplus.min(*counts);
            *counts -= taken;
            surplus -= taken;
        }
    }
}

/// How long a window is. No time passes in a day: none of these requests leaves it.
fn span(kind: &str) -> u64 {
    match kind {
        "tpm" => MINUTE,
        "tph" => HOUR,
        _ => 0,
    }
}

fn used(rows: &[Row], kind: &str, now: u64) -> u64 {
    rows.iter().map(|row| row.within(kind, now)).sum()
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
        let mut now = T0;
        for step in steps {
            match step {
                // Whole grains of a window, so that each entry leaves it exactly in time.
                Step::Wait { twentieths } => now += twentieths * span(kind) / 20,
                Step::Admit { leaf, call } => {
                    let whole = call.input + call.expected;
                    let used = used(&rows, kind, now);
                    let admitted = desk.admit(&leaves[leaf], call, now);
                    let fits = used + whole <= LIMIT || whole == 0;
                    prop_assert_eq!(admitted.is_ok(), fits, "{} and {:?}", used, call);
                    if let Ok(admission) = admitted {
                        let parts = vec![(now, whole)];
                        rows.push(Row { then: 0, parts, output: call.expected, admission: Some(admission) });
                        if whole > 0 {
                            rows.iter_mut().for_each(|row| row.then = row.within(kind, now));
                        }
                    }
                }
                Step::Grow { which, by } => if let Some(row) = running(&mut rows, which) {
                    let admission = row.admission.as_mut().unwrap();
                    admission.grow(row.output + by, now);
                    row.output += by;
                    row.parts.push((now, by));
                    prop_assert_eq!(admission.counted_output(), row.output);
                    // What it was before is no less than it is now.
                    admission.grow(row.output.saturating_sub(1), now);
                }
                Step::Settle { which, tokens } => if let Some(row) = running(&mut rows, which) {
                    row.admission.take().unwrap().settle(tokens, 0, now);
                    row.end(tokens, now);
                }
                Step::Drop { which } => if let Some(row) = running(&mut rows, which) {
                    drop(row.admission.take());
                    row.end(0, now);
                }
            }
            let told = desk.counters.uses(&leaves[0], now)[0].used;
            let used = used(&rows, kind, now);
            prop_assert_eq!(told, used);
            let outgrown: u64 = rows.iter().map(|row| row.within(kind, now).saturating_sub(row.then)).sum();
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
                            admission.grow(output, T0);
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
    long.grow(98_000, T0 + 4_000);
    let refused = desk.admit(&path, agent, T0 + 5_000).unwrap_err();
    assert_eq!(limit(&refused), (LimitKind::Tpm, Some(MINUTE - 5_000)));
    // No money is held for it: that is a matter of its cap.
    assert_eq!(long.hold(), 0);
    long.settle(1_000 + 60_000, 0, T0 + 6_000);
    assert!(desk.admit(&path, agent, T0 + 6_000).is_ok());
}

/// A stream of 1,000 tokens a second, looked at at times of its own, and what its window has seen of it.
#[test]
fn an_answer_longer_than_the_window_is_in_it_with_what_came_of_late() {
    for (kind, length) in [("tpm", MINUTE), ("tph", HOUR)] {
        let each = 1_000 * length / MINUTE;
        let limits = format!(r#"{{"limits":{{"{kind}":{}}}}}"#, each * 20);
        let (desk, path) = Desk::with(&limits);
        let used = |now| desk.counters.uses(&path, now)[0].used;
        let step = length / 60;
        let mut long = desk.admit(&path, tokens(10, 0), T0).unwrap();
        for second in 1..=200 {
            let now = T0 + second * step;
            long.grow(second * each, now);
            let last = second.min(60) * each;
            assert_eq!(used(now), last + if second < 60 { 10 } else { 0 });
            if second >= 20 {
                let refused = desk.admit(&path, tokens(50, 0), now).unwrap_err();
                assert!(refused.retry_after_ms.is_some());
            }
        }
        // As many as had been counted: nothing is counted twice, and it leaves as it came.
        let end = T0 + 200 * step;
        long.settle(10 + 200 * each, 0, end);
        assert_eq!(used(end), 60 * each);
        assert_eq!(used(end + 30 * step), 30 * each);
        assert_eq!(used(end + length), 0);
    }
}

#[test]
fn a_whole_answer_that_took_longer_than_the_window_counts_when_it_is_there() {
    for (kind, length) in [("tpm", MINUTE), ("tph", HOUR)] {
        let (desk, path) = Desk::with(&format!(r#"{{"limits":{{"{kind}":20000}}}}"#));
        let used = |now| desk.counters.uses(&path, now)[0].used;
        let whole = desk.admit(&path, tokens(10, 4_096), T0).unwrap();
        let end = T0 + length + 3_000;
        whole.settle(60_010, 0, end);
        // All but the estimate, which has counted from the admission on.
        assert_eq!(used(end), 60_010 - 4_106);
        let refused = desk.admit(&path, tokens(15, 0), end).unwrap_err();
        assert_eq!(refused.retry_after_ms, Some(length));
        assert_eq!(used(end + length), 0);
    }
}

#[test]
fn what_a_long_answer_was_counted_too_much_for_leaves_what_came_of_late() {
    let (desk, path) = Desk::with(r#"{"limits":{"tpm":20000}}"#);
    let used = |now| desk.counters.uses(&path, now)[0].used;
    let mut long = desk.admit(&path, tokens(10, 0), T0).unwrap();
    for second in 1..=120 {
        long.grow(second * 100, T0 + second * 1_000);
    }
    let end = T0 + 120_000;
    assert_eq!(used(end), 6_000);
    // Half of it: that came before the last minute is what was too much.
    long.settle(6_000, 0, end);
    assert_eq!(used(end), 6_000);
}

#[test]
fn after_a_restart_a_long_answer_counts_from_its_end_and_its_input_from_its_admission() {
    let (mut desk, path) = Desk::with(r#"{"limits":{"tpm":20000,"tph":90000,"tpd":90000}}"#);
    let row = |ended: u64, output| crate::usage::UsageRow {
        path: path.ids().into(),
        admitted_ms: T0,
        ended_ms: T0 + ended,
        counted: true,
        requested_model: "m".into(),
        tokens: crate::price::Tokens {
            input: 10,
            output,
            ..crate::price::Tokens::default()
        },
        ..crate::usage::UsageRow::default()
    };
    // The first one admitted ended last.
    let rows = [row(63_000, 60_000), row(1_000, 500), row(30_000, 70)];
    desk.counters = Arc::new(Counters::new(Zone::utc(), Ledger::default()));
    desk.bench.directory.keep_windows(&desk.counters);
    let now = T0 + 64_000;
    for row in &rows {
        desk.bench.directory.seed(&desk.counters, row, now);
    }
    let used = |now| {
        let uses = desk.counters.uses(&path, now);
        uses.iter().map(|used| used.used).collect::<Vec<_>>()
    };
    let all = 60_000 + 500 + 70 + 30;
    assert_eq!(used(now), [60_070, all, all]);
    assert_eq!(used(T0 + 90_000), [60_000, all, all]);
    assert_eq!(used(T0 + 63_000 + MINUTE), [0, all, all]);
    // Of an hour three seconds are one.
    assert_eq!(used(T0 + HOUR + 1_000), [0, all - 530, all]);
}

#[test]
fn tokens_of_a_day_that_are_only_held_are_worth_a_second_of_waiting_and_used_ones_the_rest_of_it() {
    let (desk, path) = Desk::with(r#"{"limits":{"tpd":200000}}"#);
    let call = tokens(30, 4_096);
    let mut open = Vec::new();
    let refused = loop {
        match desk.admit(&path, call, T0) {
            Ok(admission) => open.push(admission),
            Err(refused) => break refused,
        }
    };
    assert_eq!(open.len(), 48);
    assert!(refused.is_held && !refused.is_larger_than_limit());
    assert_eq!(limit(&refused), (LimitKind::Tpd, Some(1_000)));
    let text = "the limit of tokens per day is held by requests under way; try again in 1 s";
    assert_eq!(refused.to_string(), text);
    // What has grown is held, too.
    open[0].grow(190_000, T0);
    assert!(desk.admit(&path, call, T0).unwrap_err().is_held);
    for admission in open.drain(..) {
        admission.settle(30, 0, T0 + 1_000);
    }
    assert_eq!(desk.spent(&path, T0 + 1_000).tokens, 1_440);
    // So much is used that it would not fit if nothing were held.
    let large = desk.admit(&path, call, T0 + 1_000).unwrap();
    large.settle(196_000, 0, T0 + 1_000);
    let held = desk.admit(&path, tokens(2_000, 0), T0 + 2_000).unwrap();
    let refused = desk.admit(&path, call, T0 + 2_000).unwrap_err();
    let until_midnight = desk.counters.day(T0).end_ms - T0 - 2_000;
    assert!(!refused.is_held);
    assert_eq!(refused.retry_after_ms, Some(until_midnight));
    let refused = desk.admit(&path, tokens(1_000, 0), T0 + 2_000).unwrap_err();
    assert!(refused.is_held);
    drop(held);
    assert!(desk.admit(&path, tokens(1_000, 0), T0 + 2_000).is_ok());
}

#[test]
fn a_request_that_asks_for_no_tokens_passes_limits_of_tokens() {
    for kind in KINDS {
        for limit in [0, 100] {
            let (desk, path) = Desk::with(&format!(r#"{{"limits":{{"{kind}":{limit}}}}}"#));
            if limit > 0 {
                let large = desk.admit(&path, tokens(100, 0), T0).unwrap();
                large.settle(5_000, 0, T0);
            }
            assert!(
                desk.admit(&path, FREE, T0 + 1_000).is_ok(),
                "{kind} {limit}"
            );
            // One that has nothing but its answer still asks for tokens.
            assert!(desk.admit(&path, tokens(0, 1), T0 + 1_000).is_err());
            assert!(desk.admit(&path, tokens(1, 0), T0 + 1_000).is_err());
        }
    }
}
