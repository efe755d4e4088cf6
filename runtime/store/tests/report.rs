//! Roll-ups in the store and reports of them: what the rows say, whatever is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tollgate_governance::{
    AccountId, KeyId, Rollup, RollupFilter, RollupKey, Span, Sums, Tokens, UsageRow, Zone,
};
use tollgate_store::usage::{self, GroupBy, Line, LineKey};
use tollgate_store::{
    DiskStore, Durability, MemoryStore, Order, Store, UsageBatch, UsageRollups, Visit,
};
use uuid::Uuid;

const ZONE: &str = "Asia/Kathmandu";
const START: u64 = 1_760_000_000_000;
const HOUR: u64 = 3_600_000;

fn id(number: u64) -> AccountId {
    AccountId(Uuid::from_u128(u128::from(number)))
}

fn rollups(zone: &str) -> Arc<UsageRollups> {
    Arc::new(UsageRollups::new(zone).unwrap())
}

/// Rows of a small tree: departments, whose accounts have several keys, models, providers and tags.
fn any_row() -> impl Strategy<Value = UsageRow<'static>> {
    let at = prop_oneof![0..300_000_000u64, Just(86_400_000), Just(86_399_999)];
    let tags = prop::collection::vec((0..2u8, 0..3u8), 0..3);
    (
        at,
        prop::array::uniform5(0..3u8),
        any::<[u32; 3]>(),
        tags,
        any::<u64>(),
    )
        .prop_map(|(at, pick, numbers, tags, request)| UsageRow {
            request: Uuid::from_u128(u128::from(request)),
            admitted_ms: START + at,
            path: vec![
                id(9),
                id(10 + u64::from(pick[0])),
                id(100 + u64::from(pick[1])),
            ]
            .into(),
            names: format!("root/{}/{}", pick[0], pick[1]).into(),
            key: KeyId(Uuid::from_u128(u128::from(pick[2]))),
            key_label: format!("key-{}", pick[2]).into(),
            provider: ["", "echo", "loud"][usize::from(pick[3])].into(),
            requested_model: format!("model-{}", pick[4]).into(),
            tags: tags
                .into_iter()
                .map(|(name, value)| (format!("tag-{name}").into(), value.to_string().into()))
                .collect(),
            tokens: Tokens {
                input: u64::from(numbers[0]),
                output: u64::from(numbers[1]),
                ..Tokens::default()
            },
            base_cost: u64::from(numbers[2]),
            charged: u64::from(numbers[2]) * 2,
            status: if pick[4] == 0 { 500 } else { 200 },
            ttfb_ms: (pick[3] > 0).then_some(5),
            ..UsageRow::default()
        })
}

fn any_filter() -> impl Strategy<Value = RollupFilter> {
    let pick = || prop::option::weighted(0.3, 0..3u64);
    (
        pick(),
        pick(),
        pick(),
        prop::option::weighted(0.3, 0..3usize),
        pick(),
        prop::option::weighted(0.3, (0..2u8, 0..3u8)),
        prop::array::uniform2(prop::option::weighted(0.3, 0..300_000_000u64)),
    )
        .prop_map(
            |(within, account, key, provider, model, tag, times)| RollupFilter {
                from_ms: times[0].map(|at| START + at / 2),
                until_ms: times[1].map(|at| START + at),
                within: within.map(|n| id(10 + n)),
                seen_from: None,
                account: account.map(|n| id(100 + n)),
                key: key.map(|n| KeyId(Uuid::from_u128(u128::from(n)))),
                provider: provider.map(|n| ["", "echo", "loud"][n].to_owned()),
                model: model.map(|n| format!("model-{n}")),
                tag: tag.map(|(name, value)| (format!("tag-{name}"), value.to_string())),
            },
        )
}

fn any_grouping() -> impl Strategy<Value = GroupBy> {
    let tags = prop::sample::subsequence(vec!["tag-0".to_owned(), "tag-1".to_owned()], 0..=2);
    (prop::array::uniform5(any::<bool>()), tags).prop_map(|(by, tags)| GroupBy {
        time: by[0],
        account: by[1],
        key: by[2],
        provider: by[3],
        model: by[4],
        tags,
    })
}

/// The report, from rows alone and one row at a time.
fn by_rows(
    store: &dyn Store,
    span: Span,
    zone: &str,
    filter: &RollupFilter,
    by: &GroupBy,
) -> BTreeMap<LineKey, (u64, u64, u64)> {
    let zone = Zone::named(zone).unwrap();
    let mut lines = BTreeMap::new();
    usage::scan(store, 0..u64::MAX, Order::OldestFirst, &mut |row| {
        let start_ms = match span {
            Span::Hour => row.admitted_ms / HOUR * HOUR,
            Span::Day => zone.day_of(row.admitted_ms).start_ms,
        };
        let model = row.model().to_owned();
        let tagged = |name: &str, value: &str| {
            let mut tags = row.tags.iter();
            tags.any(|tag| (&*tag.0, &*tag.1) == (name, value))
        };
        let passes = filter.from_ms.is_none_or(|from| start_ms >= from)
            && filter.until_ms.is_none_or(|until| start_ms < until)
            && filter.within.is_none_or(|top| row.path[1] == top)
            && filter.account.is_none_or(|account| row.path[2] == account)
            && filter.key.is_none_or(|key| row.key == key)
            && (filter.provider.as_ref()).is_none_or(|provider| row.provider == *provider)
            && filter.model.as_ref().is_none_or(|wanted| model == *wanted)
            && (filter.tag.as_ref()).is_none_or(|(name, value)| tagged(name, value));
        if !passes {
            return Visit::Continue;
        }
        let values = |name: &String| {
            let mut values: Vec<_> = row
                .tags
                .iter()
                .filter(|tag| tag.0 == *name)
                .map(|tag| tag.1.to_string())
                .collect();
            values.sort();
            values.dedup();
            (!values.is_empty()).then(|| values.join(","))
        };
        let key = LineKey {
            start_ms: by.time.then_some(start_ms),
            account: by.account.then_some(row.path[2]),
            key: by.key.then_some(row.key),
            provider: by.provider.then(|| row.provider.to_string()),
            model: by.model.then_some(model),
            tags: by.tags.iter().map(values).collect(),
        };
        let sums: &mut (u64, u64, u64) = lines.entry(key).or_default();
        sums.0 += 1;
        sums.1 += row.charged;
        sums.2 += row.tokens.input;
        Visit::Continue
    })
    .unwrap();
    lines
}

/// Requests, money and input of each line of a report.
fn figures(lines: Vec<Line>) -> BTreeMap<LineKey, (u64, u64, u64)> {
    assert!(lines.is_sorted_by(|one, next| one.key < next.key));
    let of = |sums: Sums| (sums.requests, sums.charged, sums.tokens.input);
    let lines = lines.into_iter().map(|line| (line.key, of(line.sums)));
    lines.collect()
}

fn append(store: &dyn Store, rows: &[UsageRow<'_>]) {
    let mut batch = UsageBatch::default();
    rows.iter().for_each(|row| batch.push(row));
    store.append_usage(&batch).unwrap();
}

fn groups(store: &dyn Store) -> BTreeMap<RollupKey, Sums> {
    let mut groups: BTreeMap<RollupKey, Sums> = BTreeMap::new();
    store
        .scan_rollups(&[0], &[0xff], &mut |key, value| {
            let key = RollupKey::decode(key).unwrap();
            let sums = Sums::decode(value).unwrap();
            groups.entry(key).or_default().merge(&sums);
            Ok(Visit::Continue)
        })
        .unwrap();
    groups
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_report_says_what_the_rows_say_whatever_is_asked_and_however_they_came(
        rows in prop::collection::vec(any_row(), 0..80), commit in 1..30usize, folds in prop::collection::vec(0..4u8, 30),
        filter in any_filter(), by in any_grouping(), day: bool,
    ) {
        let store = MemoryStore::with_fold(rollups(ZONE)).with_fold_step(1);
        let mut rollup = Rollup::new(Zone::named(ZONE).unwrap());
        for (rows, steps) in rows.chunks(commit).zip(folds.into_iter().cycle()) {
            append(&store, rows);
            for _ in 0..steps {
                store.fold_rollups(0).unwrap();
            }
            rows.iter().for_each(|row| rollup.add(row));
        }
        // All of it, names and failures included, as governance defines it.
        let expected: BTreeMap<_, _> = rollup.groups().map(|(key, sums)| (key.clone(), sums.clone())).collect();
        prop_assert_eq!(groups(&store), expected);
        let span = if day { Span::Day } else { Span::Hour };
        let said = figures(usage::report(&store, span, &filter, &by).unwrap());
        prop_assert_eq!(said, by_rows(&store, span, ZONE, &filter, &by));
        // Days of zones that were set since, whose midnight is at a whole hour of UTC and beside one.
        for zone in [ZONE, "UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"] {
            let days = usage::report_days(&store, &Zone::named(zone).unwrap(), &filter, &by).unwrap();
            prop_assert_eq!(figures(days), by_rows(&store, Span::Day, zone, &filter, &by), "{}", zone);
        }
    }
}

fn row(path: &[u64], at: u64, charged: u64) -> UsageRow<'static> {
    UsageRow {
        admitted_ms: START + at,
        path: path.iter().map(|n| id(*n)).collect::<Vec<_>>().into(),
        provider: "echo".into(),
        requested_model: "m".into(),
        charged,
        ..UsageRow::default()
    }
}

fn charged(store: &dyn Store, filter: &RollupFilter) -> u64 {
    let lines = usage::report(store, Span::Hour, filter, &GroupBy::default()).unwrap();
    assert!(lines.len() <= 1);
    lines.first().map_or(0, |line| line.sums.charged)
}

#[test]
fn an_account_that_moves_keeps_its_past_where_it_was() {
    let store = MemoryStore::with_fold(rollups(ZONE));
    append(&store, &[row(&[1, 2, 5], 0, 100)]);
    append(&store, &[row(&[1, 3, 5], 10, 7)]);
    let within = |n| {
        let filter = RollupFilter {
            within: Some(id(n)),
            ..RollupFilter::default()
        };
        charged(&store, &filter)
    };
    assert_eq!([1, 2, 3, 5, 4].map(within), [107, 100, 7, 107, 0]);
    // By account it is one.
    let by = GroupBy {
        account: true,
        ..GroupBy::default()
    };
    let lines = usage::report(&store, Span::Day, &RollupFilter::default(), &by).unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].key.account, Some(id(5)));
}

#[test]
fn a_change_of_zone_makes_the_days_anew_at_the_next_start_and_the_same_zone_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<_> = (0..200)
        .map(|n| row(&[1, n % 7], n * HOUR / 3, n))
        .collect();
    let expected = |zone: &str| -> BTreeMap<_, _> {
        let mut rollup = Rollup::new(Zone::named(zone).unwrap());
        rows.iter().for_each(|row| rollup.add(row));
        let groups = rollup.groups();
        groups
            .map(|(key, sums)| (key.clone(), sums.clone()))
            .collect()
    };
    let open = |zone: &str| {
        let store = DiskStore::open(folder.path(), Durability::Process).unwrap();
        store.with_fold(rollups(zone)).unwrap()
    };
    let store = open(ZONE);
    append(&store, &rows[..150]);
    common::fold_all(&store);
    append(&store, &rows[150..]);
    drop(store);
    for zone in [ZONE, "UTC", "America/New_York", "America/New_York", ZONE] {
        assert_eq!(groups(&open(zone)), expected(zone), "{zone}");
    }
    assert_ne!(rollups(ZONE).version(), rollups("UTC").version());
}

#[test]
fn upstream_ids_and_sessions_that_repeat_never_make_two_requests_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), Durability::Process).unwrap();
    let store = store.with_fold(rollups(ZONE)).unwrap();
    // The same in everything that an upstream or a client chooses, admitted in the same millisecond.
    let rows: Vec<_> = (0..50u128)
        .map(|number| UsageRow {
            request: Uuid::from_u128(number),
            session: "chatcmpl-static".into(),
            ..row(&[1], 0, 3)
        })
        .collect();
    append(&store, &rows[..20]);
    append(&store, &rows[20..]);
    let mut seen = std::collections::HashSet::new();
    usage::scan(&store, 0..u64::MAX, Order::OldestFirst, &mut |row| {
        assert!(seen.insert(row.request));
        Visit::Continue
    })
    .unwrap();
    assert_eq!(seen.len(), 50, "as many rows as requests");
    assert_eq!(charged(&store, &RollupFilter::default()), 150);
}

#[test]
fn a_hostile_row_keeps_no_other_row_out_of_the_store_or_the_sums() {
    let store = MemoryStore::with_fold(rollups(ZONE));
    let hostile = UsageRow {
        admitted_ms: u64::MAX - 1,
        ended_ms: 0,
        path: Vec::new().into(),
        requested_model: "\0\u{fffd}".repeat(50_000).into(),
        session: "ü".repeat(50_000).into(),
        tags: vec![("x".repeat(9_000).into(), "y".into()); 3],
        tokens: Tokens {
            input: u64::MAX,
            output: u64::MAX,
            ..Tokens::default()
        },
        charged: u64::MAX,
        base_cost: u64::MAX,
        ..row(&[1], 0, 0)
    };
    append(
        &store,
        &[row(&[1], 0, 5), hostile.clone(), hostile, row(&[1], 1, 6)],
    );
    append(&store, &[row(&[1], 2, 7)]);
    let mut rows = 0;
    usage::scan(&store, 0..u64::MAX, Order::OldestFirst, &mut |_| {
        rows += 1;
        Visit::Continue
    })
    .unwrap();
    assert_eq!(rows, 5);
    let ours = RollupFilter {
        account: Some(id(1)),
        ..RollupFilter::default()
    };
    assert_eq!(charged(&store, &ours), 18);
    // Theirs saturate.
    let lines = usage::report(
        &store,
        Span::Day,
        &RollupFilter::default(),
        &GroupBy::default(),
    );
    assert_eq!(lines.unwrap()[0].sums.charged, u64::MAX);
}
