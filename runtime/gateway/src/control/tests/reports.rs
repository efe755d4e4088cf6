//! Usage added up, and found again after the account is gone.

use tollgate_governance::{DeleteMode, KeyId};

use super::*;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// A row of an account with what reports tell apart.
fn row(control: &Control, account: &str, at: u64, model: &str, provider: &str, cost: u64) {
    let path: Vec<_> = account
        .match_indices('/')
        .map(|(end, _)| &account[..end])
        .chain([account])
        .map(|path| control.operator().account(path).unwrap().account.id)
        .collect();
    let row = UsageRow {
        request: uuid::Uuid::now_v7(),
        admitted_ms: at,
        path: path.into(),
        names: account.into(),
        key: KeyId(uuid::Uuid::from_u128(9)),
        key_label: "laptop".into(),
        requested_model: model.into(),
        mapped_model: if model == "alias" { "real" } else { "" }.into(),
        provider: provider.into(),
        tags: vec![("cc".into(), if cost > 10 { "7" } else { "8" }.into())],
        status: if provider.is_empty() { 429 } else { 200 },
        limited_by: if provider.is_empty() { "rpm@root" } else { "" }.into(),
        counted: !provider.is_empty(),
        charged: cost,
        total_ms: 10,
        ..UsageRow::default()
    };
    append(control, &row);
}

/// Lines as `what → charged`.
fn report(
    control: &Control,
    by: &[&str],
    span: Option<&str>,
    filter: Filter,
) -> Vec<(String, u64)> {
    let query = ReportQuery {
        filter,
        span: span.map(str::to_owned),
        by: by.iter().map(|name| (*name).to_owned()).collect(),
    };
    let report = control.operator().usage_report(&query).unwrap();
    let charged: u64 = report.lines.iter().map(|line| line.sums.charged).sum();
    assert_eq!(report.totals.charged, charged);
    report
        .lines
        .iter()
        .map(|line| {
            let what = [
                line.start_ms.map(|at| (at / DAY).to_string()),
                line.account.clone(),
                line.key_label.clone(),
                line.provider.clone(),
                line.model.clone(),
                line.tags.get("cc").cloned(),
            ];
            let what: Vec<_> = what.into_iter().flatten().collect();
            (what.join(" "), line.sums.charged)
        })
        .collect()
}

fn lines(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    let owned = expected
        .iter()
        .map(|(what, sum)| ((*what).to_owned(), *sum));
    owned.collect()
}

fn world(folder: &Path) -> Arc<Control> {
    let control = open(folder);
    // Made in the other order than they are told in.
    account(&control, "root", "b");
    account(&control, "root", "a");
    let start = 20_000 * DAY;
    row(&control, "root/a", start + 5, "alias", "p", 1);
    row(&control, "root/a", start + DAY + 5, "m", "p", 20);
    row(&control, "root/b", start + DAY + 6, "m", "q", 300);
    row(&control, "root/b", start + DAY + 7, "invented", "", 0);
    control
}

#[test]
fn usage_is_added_up_by_whatever_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let control = world(folder.path());
    let all = Filter::default;
    assert_eq!(report(&control, &[], None, all()), lines(&[("", 321)]));
    assert_eq!(
        report(&control, &["account"], None, all()),
        lines(&[("root/a", 21), ("root/b", 300)])
    );
    assert_eq!(
        report(&control, &["model"], None, all()),
        lines(&[("", 0), ("m", 320), ("real", 1)]),
        "mapped names, and none that a client invents"
    );
    assert_eq!(
        report(&control, &["provider"], Some("day"), all()),
        lines(&[
            ("20000 p", 1),
            ("20001 ", 0),
            ("20001 p", 20),
            ("20001 q", 300)
        ])
    );
    assert_eq!(
        report(&control, &["key"], None, all()),
        lines(&[("laptop", 321)])
    );
    assert_eq!(
        report(&control, &["tag:cc"], None, all()),
        lines(&[("7", 320), ("8", 1)])
    );
    let query = ReportQuery::default();
    let totals = control.operator().usage_report(&query).unwrap().totals;
    assert_eq!((totals.requests, totals.refused, totals.failed), (4, 1, 0));
    assert_eq!(totals.mean_ms, Some(10));
}

#[test]
fn rows_and_reports_take_the_same_filters() {
    let folder = tempfile::tempdir().unwrap();
    let control = world(folder.path());
    let b = control
        .operator()
        .account("root/b")
        .unwrap()
        .account
        .id
        .to_string();
    let key = uuid::Uuid::from_u128(9).to_string();
    let some = |text: &str| Some(text.to_owned());
    let nothing = Filter::default;
    for (filter, charged) in [
        (
            Filter {
                account: some("root/a"),
                ..nothing()
            },
            21,
        ),
        (
            Filter {
                account: Some(b),
                ..nothing()
            },
            300,
        ),
        (
            Filter {
                model: some("real"),
                ..nothing()
            },
            1,
        ),
        (
            Filter {
                model: some("alias"),
                ..nothing()
            },
            0,
        ),
        (
            Filter {
                provider: some("q"),
                ..nothing()
            },
            300,
        ),
        (
            Filter {
                key: Some(key),
                ..nothing()
            },
            321,
        ),
        (
            Filter {
                tag: some("cc=8"),
                ..nothing()
            },
            1,
        ),
        (
            Filter {
                since_ms: Some(20_001 * DAY),
                ..nothing()
            },
            320,
        ),
        (
            Filter {
                until_ms: Some(20_001 * DAY),
                ..nothing()
            },
            1,
        ),
    ] {
        let query = UsageQuery {
            filter: filter.clone(),
            limit: 9,
        };
        let rows = control
            .operator()
            .usage_page(&query)
            .unwrap()
            .totals
            .charged;
        let sums: u64 = report(&control, &[], None, filter.clone())
            .iter()
            .map(|line| line.1)
            .sum();
        assert_eq!((rows, sums), (charged, charged), "{filter:?}");
    }
    // A day that began before the time asked for is there as a whole.
    let late = Filter {
        since_ms: Some(20_001 * DAY + DAY / 2),
        ..nothing()
    };
    assert_eq!(
        report(&control, &[], Some("day"), late.clone()),
        lines(&[("20001", 320)])
    );
    assert!(report(&control, &[], Some("hour"), late).is_empty());
    for (filter, field) in [
        (
            Filter {
                key: some("x"),
                ..nothing()
            },
            "key",
        ),
        (
            Filter {
                tag: some("cc"),
                ..nothing()
            },
            "tag",
        ),
        (
            Filter {
                account: some("root/x"),
                ..nothing()
            },
            "account",
        ),
    ] {
        let query = ReportQuery {
            filter,
            ..ReportQuery::default()
        };
        let error = control.operator().usage_report(&query).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field));
    }
    for (span, by, field) in [
        (Some("week"), "model", "span"),
        (None, "colour", "by"),
        (None, "tag:", "by"),
    ] {
        let query = ReportQuery {
            span: span.map(str::to_owned),
            by: vec![by.to_owned()],
            ..ReportQuery::default()
        };
        let error = control.operator().usage_report(&query).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field));
    }
}

#[test]
fn a_report_names_accounts_that_are_gone_and_finds_them_by_id() {
    let folder = tempfile::tempdir().unwrap();
    let control = world(folder.path());
    let a = control
        .operator()
        .account("root/a")
        .unwrap()
        .account
        .id
        .to_string();
    control
        .operator()
        .delete_account("root/a", DeleteMode::Cascade)
        .unwrap();
    patch(&control, "root/b", r#"{"name":"c"}"#).unwrap();
    assert_eq!(
        report(&control, &["account"], None, Filter::default()),
        lines(&[("root/a", 21), ("root/c", 300)])
    );
    let gone = Filter {
        account: Some(a),
        ..Filter::default()
    };
    assert_eq!(report(&control, &[], None, gone), lines(&[("", 21)]));
}

#[test]
fn days_of_reports_are_those_of_the_tree_as_soon_as_its_zone_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut control = world(folder.path());
    // Midnight there is 18:30 in UTC: an hour that two days share.
    let midnight = 20_001 * DAY - 11 * HOUR / 2;
    row(&control, "root/a", midnight - 1, "m", "p", 4_000);
    row(&control, "root/a", midnight, "m", "p", 50_000);
    for (zone, expected) in [
        // 14 hours ahead: their days begin at 10:00 of the day before, so the first row's day began on day 19,999.
        ("Pacific/Kiritimati", [("19999", 1), ("20000", 54_320)]),
        ("Asia/Kolkata", [("19999", 4_001), ("20000", 50_320)]),
        ("UTC", [("20000", 54_001), ("20001", 320)]),
    ] {
        patch(&control, "root", &format!(r#"{{"time_zone":"{zone}"}}"#)).unwrap();
        let days = |control: &Control| report(control, &[], Some("day"), Filter::default());
        assert_eq!(days(&control), lines(&expected), "{zone}");
        let all = report(&control, &[], None, Filter::default());
        assert_eq!(all, lines(&[("", 54_321)]), "{zone}");
        end(control);
        control = open(folder.path());
        assert_eq!(days(&control), lines(&expected), "{zone}, after a restart");
    }
}

#[test]
fn a_month_of_a_tree_half_an_hour_beside_utc_has_each_row_once() {
    let folder = tempfile::tempdir().unwrap();
    let control = world(folder.path());
    patch(&control, "root", r#"{"time_zone":"Asia/Kolkata"}"#).unwrap();
    // Midnight there is 18:30 in UTC.
    let midnight = 20_010 * DAY - 11 * HOUR / 2;
    for (at, cost) in [
        (midnight - 1, 1_000),
        (midnight, 20_000),
        (midnight + DAY, 300_000),
    ] {
        row(&control, "root/a", at, "m", "p", cost);
    }
    let between = |since: u64, until: u64| {
        let filter = Filter {
            since_ms: Some(since),
            until_ms: Some(until),
            ..Filter::default()
        };
        let query = ReportQuery {
            filter,
            ..ReportQuery::default()
        };
        let report = control.operator().usage_report(&query).unwrap();
        let told = (report.since_ms.unwrap(), report.until_ms.unwrap());
        (report.totals.charged, report.span, told)
    };
    let day = (midnight, midnight + DAY);
    assert_eq!(between(day.0, day.1), (20_000, "day", day));
    // Whole hours are summed where no days are asked for, and the answer says which.
    let hours = (midnight - HOUR / 2, midnight + HOUR / 2);
    assert_eq!(between(midnight + 1, midnight + 2), (21_000, "hour", hours));
    assert_eq!(between(hours.0, hours.1), (21_000, "hour", hours));
}
