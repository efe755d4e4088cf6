//! Days and months: where they end, and to which of them a request belongs.

use super::*;

fn ms(text: &str) -> u64 {
    let at = text.parse::<jiff::Timestamp>().unwrap();
    at.as_millisecond().try_into().unwrap()
}

const DAYS: [LimitKind; 3] = [LimitKind::Rpd, LimitKind::Tpd, LimitKind::DailyLimit];

#[test]
fn a_spent_day_waits_for_midnight_and_a_request_beyond_the_whole_limit_waits_in_vain() {
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":100}}"#);
    let day = desk.counters.day(T0);
    desk.done(&path, costs(100), T0);
    let refused = desk.admit(&path, costs(1), T0).unwrap_err();
    assert_eq!(limit(&refused).0, LimitKind::DailyLimit);
    assert_eq!(refused.resets_at_ms, Some(day.end_ms));
    let absurd = desk.admit(&path, costs(101), T0).unwrap_err();
    assert_eq!((absurd.retry_after_ms, absurd.resets_at_ms), (None, None));
    assert!(desk.admit(&path, costs(1), day.end_ms - 1).is_err());
    desk.done(&path, costs(100), day.end_ms);
}

#[test]
fn a_spent_month_waits_for_its_end_over_all_midnights_between() {
    let (desk, path) = Desk::with(r#"{"limits":{"monthly_limit":100}}"#);
    desk.done(&path, costs(60), ms("2026-02-01T00:00:00Z"));
    desk.done(&path, costs(40), ms("2026-02-14T12:00:00Z"));
    for day in ["2026-02-15T00:00:00Z", "2026-02-28T23:59:59.999Z"] {
        let refused = desk.admit(&path, costs(1), ms(day)).unwrap_err();
        let end = ms("2026-03-01T00:00:00Z");
        let wait = limit(&refused);
        assert_eq!(wait, (LimitKind::MonthlyLimit, Some(end - ms(day))));
    }
    desk.done(&path, costs(100), ms("2026-03-01T00:00:00Z"));
    let spent = desk.spent(&path, ms("2026-03-01T00:00:00Z"));
    assert_eq!((spent.settled, spent.settled_month), (100, 100));
}

#[test]
fn a_request_belongs_to_the_window_of_its_admission_even_when_it_settles_after_midnight() {
    let text = r#"{"limits":{"daily_limit":100,"monthly_limit":1000,"tpd":100}}"#;
    let (desk, path) = Desk::with(text);
    // The last day of a month: day and month change together.
    let midnight = ms("2026-05-01T00:00:00Z");
    let call = Call {
        input: 60,
        ..costs(60)
    };
    let late = desk.admit(&path, call, midnight - 1).unwrap();
    // The new day has its whole budget although the hold is still open.
    let whole = Call {
        input: 100,
        ..costs(100)
    };
    let next = desk.admit(&path, whole, midnight).unwrap();
    late.settle(99, 60, midnight + 5);
    let spent = desk.spent(&path, midnight + 5);
    assert_eq!((spent.settled, spent.held, spent.tokens), (0, 100, 100));
    assert_eq!(
        (spent.settled_month, spent.requests, spent.running),
        (0, 1, 1)
    );
    next.settle(80, 100, midnight + 6);
    let spent = desk.spent(&path, midnight + 6);
    assert_eq!((spent.settled, spent.held, spent.tokens), (100, 0, 80));
    assert_eq!((spent.settled_month, spent.running), (100, 0));
}

#[test]
fn a_request_of_yesterday_that_settles_today_still_counts_for_its_month() {
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":100,"monthly_limit":150}}"#);
    let midnight = ms("2026-05-02T00:00:00Z");
    let late = desk.admit(&path, costs(100), midnight - 1).unwrap();
    assert!(desk.admit(&path, costs(60), midnight).is_err());
    late.settle(0, 90, midnight + 1);
    let spent = desk.spent(&path, midnight + 1);
    assert_eq!((spent.settled, spent.settled_month), (0, 90));
    desk.done(&path, costs(60), midnight + 2);
    assert!(desk.admit(&path, costs(1), midnight + 3).is_err());
}

#[test]
fn a_day_of_daylight_saving_ends_when_it_ends() {
    // 2026-10-25 in Berlin has 25 hours, 2026-03-29 has 23.
    for (start, hours) in [("2026-10-24T22:00:00Z", 25), ("2026-03-28T23:00:00Z", 23)] {
        for kind in DAYS {
            let mut desk = Desk::in_zone(Zone::named("Europe/Berlin").unwrap());
            let path = desk.account("root", "a", &only(kind, 1));
            let start = ms(start);
            desk.done(&path, UNIT, start);
            let end = start + hours * HOUR;
            let refused = desk.admit(&path, UNIT, start + 22 * HOUR).unwrap_err();
            assert_eq!(refused.resets_at_ms, Some(end), "{kind:?} {hours}");
            assert!(desk.admit(&path, UNIT, end - 1).is_err());
            assert!(desk.admit(&path, UNIT, end).is_ok());
        }
    }
}

#[test]
fn a_clock_going_back_over_midnight_gives_no_second_budget() {
    for kind in DAYS {
        let (desk, path) = Desk::with(&only(kind, 1));
        let midnight = desk.counters.day(T0).end_ms;
        desk.done(&path, UNIT, midnight + 10);
        for back in [10, HOUR, 47 * HOUR] {
            assert!(desk.admit(&path, UNIT, midnight - back).is_err());
        }
        assert!(desk.admit(&path, UNIT, midnight + 20).is_err());
        assert!(desk.admit(&path, UNIT, midnight + 24 * HOUR).is_ok());
    }
}

#[test]
fn a_clock_that_was_days_ahead_and_is_set_back_gives_no_second_budget() {
    let boundaries = r#"{"limits":{"daily_limit":10,"monthly_limit":1000}}"#;
    for ahead in [3, 40, 4_000] {
        let (desk, path) = Desk::with(boundaries);
        let ahead = T0 + ahead * 24 * HOUR;
        desk.done(&path, costs(6), T0);
        let running = desk.admit(&path, costs(4), T0).unwrap();
        // A day of its own, as far as anybody knows.
        desk.done(&path, costs(10), ahead);
        running.settle(0, 3, ahead);
        assert_eq!(desk.money(&path, ahead), (10, 0));
        // What ran on meanwhile has been settled where it belongs.
        assert_eq!(desk.money(&path, T0 + 1), (9, 0));
        assert!(desk.admit(&path, costs(2), T0 + 1).is_err());
        desk.done(&path, costs(1), T0 + 1);
        // The other day is not forgotten either, should it have been the right one.
        assert!(desk.admit(&path, costs(1), ahead).is_err());
        assert_eq!(desk.money(&path, T0 + 2), (10, 0));
    }
}

#[test]
fn a_new_zone_takes_effect_at_the_next_midnight_and_cuts_nobodys_day_short() {
    for kind in DAYS {
        let (desk, path) = Desk::with(&only(kind, 1));
        let noon = ms("2026-05-02T12:00:00Z");
        desk.done(&path, UNIT, noon);
        desk.counters
            .set_zone(&Zone::named("America/New_York").unwrap(), noon);
        let first_end = ms("2026-05-03T00:00:00Z");
        let refused = desk.admit(&path, UNIT, noon + 1).unwrap_err();
        assert_eq!(refused.resets_at_ms, Some(first_end));
        // What is left of that day over there is a window of its own; then days are New York's.
        desk.done(&path, UNIT, first_end);
        let refused = desk.admit(&path, UNIT, first_end + 1).unwrap_err();
        assert_eq!(refused.resets_at_ms, Some(ms("2026-05-03T04:00:00Z")));
        desk.done(&path, UNIT, ms("2026-05-03T04:00:00Z"));
        let refused = desk.admit(&path, UNIT, ms("2026-05-04T00:00:00Z"));
        let end = ms("2026-05-04T04:00:00Z");
        assert_eq!(refused.unwrap_err().resets_at_ms, Some(end));
    }
}

#[test]
fn a_month_changes_its_zone_at_its_own_end() {
    let (desk, path) = Desk::with(r#"{"limits":{"monthly_limit":10}}"#);
    desk.done(&path, costs(10), ms("2026-05-10T00:00:00Z"));
    desk.counters.set_zone(
        &Zone::named("Pacific/Auckland").unwrap(),
        ms("2026-05-10T00:00:00Z"),
    );
    let refused = desk.admit(&path, costs(1), ms("2026-05-31T13:00:00Z"));
    let end = ms("2026-06-01T00:00:00Z");
    assert_eq!(refused.unwrap_err().resets_at_ms, Some(end));
    desk.done(&path, costs(10), end);
    let refused = desk.admit(&path, costs(1), ms("2026-06-30T11:59:59Z"));
    let end = ms("2026-06-30T12:00:00Z");
    assert_eq!(refused.unwrap_err().resets_at_ms, Some(end));
}

#[test]
fn a_window_rolls_when_somebody_asks_however_long_nobody_did() {
    let (desk, path) = Desk::with(r#"{"limits":{"daily_limit":10,"monthly_limit":1000}}"#);
    desk.done(&path, costs(10), T0);
    for days in [1, 2, 40, 400, 4_000] {
        let now = T0 + days * 24 * HOUR;
        assert_eq!(desk.money(&path, now), (0, 0), "{days}");
        desk.done(&path, costs(10), now);
        assert!(desk.admit(&path, costs(1), now).is_err(), "{days}");
    }
}

#[test]
fn a_limit_set_at_noon_knows_what_the_morning_spent() {
    for kind in DAYS
        .into_iter()
        .chain([LimitKind::MonthlyLimit, LimitKind::Concurrency])
    {
        let (mut desk, before) = Desk::with("{}");
        let open: Vec<_> = (0..3)
            .map(|_| desk.admit(&before, UNIT, T0).unwrap())
            .collect();
        let set = |desk: &mut Desk, value| {
            desk.bench.patch("root/a", &only(kind, value)).unwrap();
            desk.bench.path("root/a")
        };
        let tight = set(&mut desk, 3);
        assert_eq!(limit(&desk.admit(&tight, UNIT, T0).unwrap_err()).0, kind);
        let wide = set(&mut desk, 4);
        assert!(desk.admit(&wide, UNIT, T0).is_ok());
        drop(open);
    }
}
