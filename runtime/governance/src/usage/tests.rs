//! Tests of the usage row.

use std::borrow::Cow;

use proptest::prelude::*;
use uuid::Uuid;

use super::code::VERSION;
use super::*;
use crate::calendar::Zone;

pub(super) fn sample() -> UsageRow<'static> {
    UsageRow {
        request: Uuid::from_u128(7),
        admitted_ms: 1_760_000_000_000,
        ended_ms: 1_760_000_000_912,
        path: (1..=3)
            .map(|id| AccountId(Uuid::from_u128(id)))
            .collect::<Vec<_>>()
            .into(),
        names: "root/research/alice".into(),
        tags: vec![("cost-centre".into(), "4711".into())],
        key: KeyId(Uuid::from_u128(9)),
        key_label: "laptop".into(),
        operation: "chat-completions".into(),
        dialect: "openai-chat".into(),
        dialect_out: "anthropic-messages".into(),
        requested_model: "fast".into(),
        mapped_model: "some-model".into(),
        upstream_model: "some-model-2026-01-01".into(),
        provider: "echo".into(),
        upstream: "echo-eu".into(),
        credential: "work".into(),
        stream: true,
        status: 200,
        error: "".into(),
        limited_by: "".into(),
        counted: true,
        tokens: Tokens {
            input: 812,
            cache_read: 4_096,
            cache_write_5m: 1,
            cache_write_1h: 2,
            output: 331,
            reasoning: 120,
        },
        estimated: false,
        base_cost: 8_226,
        factor: Factor::new(1_200_000).unwrap(),
        price_version: "2026-11@5f1e0c9a27b4".into(),
        charged: 9_871,
        hold: 61_440,
        ttfb_ms: Some(212),
        total_ms: 912,
        retries: 1,
        session: "c0ffee".into(),
        recovered: true,
        policies: vec![PolicyAct {
            component: "redact".into(),
            digest: [0xab; 32],
        }],
    }
}

fn bytes(row: &UsageRow<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    row.encode(&mut out);
    out
}

#[test]
fn a_row_comes_back_as_it_was() {
    for row in [
        sample(),
        UsageRow::default(),
        UsageRow {
            ttfb_ms: Some(0),
            ..UsageRow::default()
        },
    ] {
        assert_eq!(UsageRow::decode(&bytes(&row)).unwrap(), row);
    }
    assert!(bytes(&sample()).len() < 400, "{}", bytes(&sample()).len());
}

/// The bytes that version 1 wrote for the sample, less the members it had not. Never to be changed.
const V1_ROW: &str = "010b000000000000000000000000000000070000000000000000000000000000000903000000000000000000000000000000\
     0100000000000000000000000000000002000000000000000000000000000000038080b3c19c339007c801ac0680200102cb\
     02788f4d80e003d40190070113726f6f742f72657365617263682f616c696365066c6170746f7010636861742d636f6d706c\
     6574696f6e730b6f70656e61692d63686174046661737415736f6d652d6d6f64656c2d323032362d30312d3031046563686f\
     076563686f2d657504776f726b000006633066666565010b636f73742d63656e74726504343731310106726564616374abab\
     abababababababababababababababababababababababababababababab";

#[test]
fn a_row_of_version_1_is_read_and_has_its_charge_as_its_cost() {
    let bytes: Vec<u8> = (0..V1_ROW.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&V1_ROW[at..at + 2], 16).unwrap())
        .collect();
    let expected = UsageRow {
        dialect_out: "".into(),
        mapped_model: "".into(),
        price_version: "".into(),
        base_cost: 9_871,
        factor: Factor::ONE,
        recovered: false,
        ..sample()
    };
    assert_eq!(UsageRow::decode(&bytes).unwrap(), expected);
    for length in 0..bytes.len() {
        assert_eq!(
            UsageRow::decode(&bytes[..length]),
            Err(UsageDecodeError::Damaged)
        );
    }
    // Read and written again it is a row of today.
    let mut again = Vec::new();
    expected.encode(&mut again);
    assert_eq!(again[0], VERSION);
    assert_eq!(UsageRow::decode(&again).unwrap(), expected);
}

#[test]
fn a_factor_that_cannot_be_meant_is_damage() {
    let row = UsageRow::default();
    let good = bytes(&row);
    // 1,000,000 in groups of seven bits; 4,294,967,295 would be more than a thousandfold.
    let at = good
        .windows(3)
        .position(|window| window == [0xc0, 0x84, 0x3d])
        .unwrap();
    let mut bad = good.clone();
    bad.splice(at..at + 3, [0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(UsageRow::decode(&bad), Err(UsageDecodeError::Damaged));
}

#[test]
fn a_model_that_reached_no_provider_has_no_name_in_reports() {
    let row = UsageRow {
        requested_model: "invented-9000".into(),
        ..UsageRow::default()
    };
    assert_eq!(row.model(), "");
    let reached = UsageRow {
        provider: "echo".into(),
        ..row
    };
    assert_eq!(reached.model(), "invented-9000");
    assert_eq!(sample().model(), "some-model");
}

#[test]
fn bytes_appended_by_a_later_minor_version_are_ignored() {
    let mut longer = bytes(&sample());
    longer.extend_from_slice(b"something new");
    assert_eq!(UsageRow::decode(&longer).unwrap(), sample());
}

#[test]
fn a_newer_version_and_every_cut_are_refused() {
    let good = bytes(&sample());
    let mut newer = good.clone();
    newer[0] = 3;
    assert_eq!(UsageRow::decode(&newer), Err(UsageDecodeError::Newer(3)));
    for length in 0..good.len() {
        assert_eq!(
            UsageRow::decode(&good[..length]),
            Err(UsageDecodeError::Damaged),
            "{length}"
        );
    }
}

#[test]
fn a_text_that_a_client_made_huge_is_cut_between_characters() {
    let huge = "ü".repeat(50_000);
    let row = UsageRow {
        requested_model: huge.as_str().into(),
        session: "s".into(),
        ..sample()
    };
    let encoded = bytes(&row);
    assert!(encoded.len() < 1_000);
    let read = UsageRow::decode(&encoded).unwrap();
    assert_eq!(
        (&*read.requested_model, &*read.session),
        (&huge[..512], "s")
    );
    let odd = format!("x{huge}");
    let encoded = bytes(&UsageRow {
        requested_model: odd.as_str().into(),
        ..sample()
    });
    assert_eq!(
        UsageRow::decode(&encoded).unwrap().requested_model.len(),
        511
    );
}

#[test]
fn json_for_reports_names_every_member() {
    let json = serde_json::to_value(sample()).unwrap();
    assert_eq!(json["tags"]["cost-centre"], "4711");
    assert_eq!(json["tokens"]["cache_read"], 4_096);
    assert_eq!(json["policies"][0]["digest"], "ab".repeat(32));
    assert_eq!(json["names"], "root/research/alice");
}

/// Rows of a small tree: two departments, whose accounts have several keys, models and tags.
fn any_row() -> impl Strategy<Value = UsageRow<'static>> {
    let at = prop_oneof![0..200_000_000u64, Just(86_400_000), Just(86_399_999)];
    (at, prop::array::uniform6(0..3u8), any::<[u64; 3]>()).prop_map(|(at, pick, numbers)| {
        let id = |n: u8| AccountId(Uuid::from_u128(u128::from(n)));
        let text = |what: &str, n: u8| Cow::from(format!("{what}-{n}"));
        UsageRow {
            admitted_ms: 1_760_000_000_000 + at,
            path: vec![id(9), id(10 + pick[0]), id(100 + 10 * pick[0] + pick[1])].into(),
            names: text("root/x", pick[1]),
            key: KeyId(Uuid::from_u128(u128::from(pick[2]))),
            key_label: text("key", pick[2]),
            provider: text("provider", pick[3]),
            requested_model: text("model", pick[4]),
            tags: vec![("centre".into(), text("c", pick[5]))],
            tokens: Tokens {
                input: numbers[0] >> 20,
                output: numbers[1],
                ..Tokens::default()
            },
            base_cost: numbers[2] >> 32,
            charged: numbers[2] >> 31,
            status: if pick[4] == 0 { 500 } else { 200 },
            ttfb_ms: (pick[3] > 0).then_some(5),
            recovered: pick[2] == 1,
            ..UsageRow::default()
        }
    })
}

fn folded<'a>(rows: impl IntoIterator<Item = &'a UsageRow<'static>>) -> Rollup {
    let mut rollup = Rollup::new(Zone::named("Asia/Kathmandu").unwrap());
    rows.into_iter().for_each(|row| rollup.add(row));
    rollup
}

#[test]
fn a_row_counts_in_the_hour_and_the_day_of_its_admission_in_the_trees_zone() {
    // 18:20 UTC is five past midnight in Kathmandu (+05:45), the next day.
    let at = 1_760_000_000_000 / 86_400_000 * 86_400_000 + 18 * 3_600_000 + 20 * 60_000;
    let row = UsageRow {
        admitted_ms: at,
        ended_ms: at + 86_400_000,
        ..sample()
    };
    let rollup = folded([&row.clone()]);
    let starts: Vec<_> = rollup
        .groups()
        .map(|(key, _)| (key.span, at - key.start_ms))
        .collect();
    assert_eq!(starts, [(Span::Hour, 20 * 60_000), (Span::Day, 5 * 60_000)]);
}

#[test]
fn an_account_that_moves_keeps_its_past_where_it_was() {
    let id = |n| AccountId(Uuid::from_u128(n));
    let at = |path: &[u128], charged| UsageRow {
        path: path.iter().map(|n| id(*n)).collect::<Vec<_>>().into(),
        charged,
        ..sample()
    };
    let rollup = folded([&at(&[1, 2, 5], 100), &at(&[1, 3, 5], 10)]);
    let within = |n| {
        let filter = RollupFilter {
            within: Some(id(n)),
            ..RollupFilter::default()
        };
        rollup.sum(Span::Day, &filter).charged
    };
    assert_eq!(
        [within(1), within(2), within(3), within(5)],
        [110, 100, 10, 110]
    );
    assert_eq!(within(4), 0);
}

#[test]
fn absurd_figures_saturate_in_sums_and_wrap_nothing() {
    let row = UsageRow {
        charged: u64::MAX,
        tokens: Tokens {
            input: u64::MAX,
            ..Tokens::default()
        },
        ..sample()
    };
    let sums = folded([&row.clone(), &row]).sum(Span::Hour, &RollupFilter::default());
    assert_eq!((sums.charged, sums.tokens.input), (u64::MAX, u64::MAX));
    assert_eq!(sums.requests, 2);
}

#[test]
fn what_the_gateway_refuses_is_told_apart_from_what_fails() {
    let row =
        |provider: &'static str, status: u16, error: &'static str, limited_by: &'static str| {
            let row = UsageRow {
                provider: provider.into(),
                status,
                error: error.into(),
                limited_by: limited_by.into(),
                ..sample()
            };
            let sums = folded([&row]).sum(Span::Hour, &RollupFilter::default());
            (sums.refused, sums.failed)
        };
    let (refused, failed) = ((1, 0), (0, 1));
    assert_eq!(row("", 429, "rate-limited", "rpm@root"), refused);
    assert_eq!(row("", 404, "model-not-found", ""), refused, "a list");
    assert_eq!(row("", 403, "outside-hours", ""), refused, "a policy");
    assert_eq!(row("", 400, "invalid-request", ""), refused);
    assert_eq!(row("echo", 400, "upstream-rejected", ""), failed);
    assert_eq!(row("echo", 502, "upstream-failed", ""), failed);
    assert_eq!(row("", 503, "overloaded", ""), failed, "nobody can serve");
    assert_eq!(row("", 499, "client-closed", ""), failed, "gone by itself");
    assert_eq!(row("echo", 200, "broken off", ""), failed);
    assert_eq!(row("echo", 403, "secret", ""), failed, "an answer");
    assert_eq!(row("echo", 200, "", ""), (0, 0));
}

#[test]
fn one_damaged_row_does_not_keep_the_others_out_of_the_sums() {
    let good = bytes(&sample());
    let mut bad = good.clone();
    bad.truncate(40);
    let mut rollup = Rollup::new(Zone::utc());
    let mut damaged = 0;
    for stored in [&good, &bad, &good] {
        match UsageRow::decode(stored) {
            Ok(row) => rollup.add(&row),
            Err(_) => damaged += 1,
        }
    }
    let sums = rollup.sum(Span::Day, &RollupFilter::default());
    assert_eq!((sums.requests, damaged), (2, 1));
}

#[test]
fn a_group_comes_back_from_its_bytes_and_every_cut_is_refused() {
    let rollup = folded([&sample()]);
    for (key, sums) in rollup.groups() {
        let (mut key_bytes, mut value) = (Vec::new(), Vec::new());
        key.encode(&mut key_bytes);
        sums.encode(&mut value);
        assert_eq!(RollupKey::decode(&key_bytes).unwrap(), *key);
        assert_eq!(Sums::decode(&value).unwrap(), *sums);
        assert!(key_bytes.starts_with(&RollupKey::prefix(key.span, key.start_ms)));
        for length in 0..key_bytes.len() {
            assert!(RollupKey::decode(&key_bytes[..length]).is_err());
        }
        for length in 0..value.len() {
            assert!(Sums::decode(&value[..length]).is_err());
        }
        value[0] = 2;
        assert_eq!(Sums::decode(&value), Err(UsageDecodeError::Newer(2)));
    }
}

proptest! {
    #[test]
    fn a_rollup_answers_any_question_as_the_rows_would_however_they_were_split_stored_and_merged(
        rows in prop::collection::vec(any_row(), 0..60), split: prop::sample::Index, pick in prop::array::uniform6(0..3u8),
        asked in prop::array::uniform6(any::<bool>()),
    ) {
        let whole = folded(&rows);
        let (first, second) = rows.split_at(if rows.is_empty() { 0 } else { split.index(rows.len()) });
        let mut merged = folded(second);
        for (key, sums) in folded(first).groups() {
            let (mut key_bytes, mut value) = (Vec::new(), Vec::new());
            key.encode(&mut key_bytes);
            sums.encode(&mut value);
            merged.merge_group(RollupKey::decode(&key_bytes).unwrap(), &Sums::decode(&value).unwrap());
        }
        prop_assert!(whole.groups().eq(merged.groups()));
        let mut other_way = folded(first);
        other_way.merge(&folded(second));
        prop_assert!(whole.groups().eq(other_way.groups()));

        let id = |n: u8| AccountId(Uuid::from_u128(u128::from(n)));
        let filter = RollupFilter {
            within: asked[0].then(|| id(10 + pick[0])),
            seen_from: None,
            account: asked[1].then(|| id(100 + 10 * pick[0] + pick[1])),
            key: asked[2].then(|| KeyId(Uuid::from_u128(u128::from(pick[2])))),
            provider: asked[3].then(|| format!("provider-{}", pick[3])),
            model: asked[4].then(|| format!("model-{}", pick[4])),
            tag: asked[5].then(|| ("centre".to_owned(), format!("c-{}", pick[5]))),
            from_ms: asked[0].then_some(1_760_000_400_000),
            until_ms: asked[1].then_some(1_760_101_200_000),
        };
        let passes = |row: &&UsageRow<'_>| {
            let hour = row.admitted_ms / 3_600_000 * 3_600_000;
            filter.within.is_none_or(|top| row.path[1] == top)
                && filter.account.is_none_or(|account| row.account() == Some(account))
                && filter.key.is_none_or(|key| row.key == key)
                && filter.provider.as_ref().is_none_or(|provider| row.provider == *provider)
                && filter.model.as_ref().is_none_or(|model| row.requested_model == *model)
                && filter.tag.as_ref().is_none_or(|(_, value)| row.tags[0].1 == *value)
                && filter.from_ms.is_none_or(|from| hour >= from)
                && filter.until_ms.is_none_or(|until| hour < until)
        };
        let sums = whole.sum(Span::Hour, &filter);
        let mut expected = Sums::default();
        for row in rows.iter().filter(passes) {
            expected.requests += 1;
            expected.failed += u64::from(row.status == 500);
            expected.recovered += u64::from(row.recovered);
            expected.tokens.input += row.tokens.input;
            expected.tokens.output = expected.tokens.output.saturating_add(row.tokens.output);
            expected.base_cost += row.base_cost;
            expected.charged += row.charged;
            expected.answered += u64::from(row.ttfb_ms.is_some());
            expected.ttfb_ms += row.ttfb_ms.unwrap_or(0);
            let latest = (row.admitted_ms, &*row.names, &*row.key_label);
            if latest > (expected.last_ms, &*expected.names, &*expected.key_label) {
                expected.last_ms = row.admitted_ms;
                expected.names = row.names.to_string();
                expected.key_label = row.key_label.to_string();
            }
        }
        prop_assert_eq!(sums, expected);
    }
}

proptest! {
    #[test]
    fn nonsense_is_refused_without_panic_or_giant_allocation(mut noise in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Some(first) = noise.first_mut() { *first = 1 + *first % VERSION; }
        let _ = UsageRow::decode(&noise);
    }

    #[test]
    fn any_numbers_and_texts_come_back(numbers in prop::array::uniform8(any::<u64>()), more in prop::array::uniform2(any::<u64>()), text in ".{0,40}", retries: u32, status: u16, flags: (bool, bool, bool, bool)) {
        let row = UsageRow {
            admitted_ms: numbers[0] / 2, ended_ms: numbers[0] / 2 + numbers[1] / 2,
            tokens: Tokens { input: numbers[2], output: numbers[3], reasoning: numbers[4], ..Tokens::default() },
            charged: numbers[5], hold: numbers[6], ttfb_ms: Some(numbers[7]), retries, status,
            stream: flags.0, counted: flags.1, estimated: flags.2, recovered: flags.3,
            base_cost: more[0], factor: Factor::new(more[1] % 1_000_000_001).unwrap(),
            mapped_model: text.as_str().into(), dialect_out: text.as_str().into(), price_version: text.as_str().into(),
            session: text.as_str().into(), names: text.as_str().into(),
            ..UsageRow::default()
        };
        let encoded = bytes(&row);
        prop_assert_eq!(UsageRow::decode(&encoded).unwrap(), row);
    }
}

#[test]
fn who_sees_the_tree_from_an_account_finds_nothing_under_those_above_it() {
    let id = |n| AccountId(Uuid::from_u128(n));
    let path = [id(1), id(2), id(3)];
    let admits = |seen_from: Option<u128>, within: Option<u128>| {
        let filter = RollupFilter {
            seen_from: seen_from.map(id),
            within: within.map(id),
            ..RollupFilter::default()
        };
        filter.admits_path(&path)
    };
    assert!(admits(None, None) && admits(None, Some(1)) && admits(Some(2), None));
    assert!(admits(Some(2), Some(2)) && admits(Some(2), Some(3)) && admits(Some(3), Some(3)));
    // An account above is as good as none, and so is one beside.
    assert!(!admits(Some(2), Some(1)) && !admits(Some(3), Some(2)) && !admits(Some(2), Some(9)));
    assert!(!admits(Some(9), None) && !admits(Some(9), Some(3)));
}
