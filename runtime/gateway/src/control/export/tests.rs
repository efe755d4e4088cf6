//! What spreadsheets and cost tools are given: no formula, every column that FOCUS wants, no row twice and none missing.

use std::collections::HashMap;

use tollgate_governance::{AccountId, Factor, Tokens, Zone};
use uuid::Uuid;

use super::*;

fn row() -> UsageRow<'static> {
    UsageRow {
        request: Uuid::from_u128(1),
        // 31 December, 23:30:00.250 UTC: in Berlin it is January already.
        admitted_ms: 1_798_759_800_250,
        ended_ms: 1_798_759_801_900,
        path: vec![AccountId(Uuid::from_u128(2)), AccountId(Uuid::from_u128(3))].into(),
        names: "root/sales".into(),
        tags: vec![("cc".into(), "7".into())],
        operation: "messages".into(),
        requested_model: "m".into(),
        upstream_model: "m-1".into(),
        provider: "vendor".into(),
        upstream: "vendor-main".into(),
        tokens: Tokens {
            input: 10,
            cache_read: 20,
            cache_write_5m: 3,
            cache_write_1h: 4,
            output: 5,
            reasoning: 2,
        },
        base_cost: 1_500_000,
        factor: Factor::new(2_000_000).unwrap(),
        charged: 3_000_000,
        price_version: "v".into(),
        ..UsageRow::default()
    }
}

/// Lines of cells, read as RFC 4180 says.
fn read(text: &[u8]) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(text).unwrap();
    let (mut lines, mut cells, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {
                chars.next();
                cells.push(std::mem::take(&mut cell));
                lines.push(std::mem::take(&mut cells));
            }
            c => cell.push(c),
        }
    }
    assert!(!quoted && cell.is_empty() && cells.is_empty());
    lines
}

fn written(mut writer: Writer, rows: &[UsageRow<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    writer.heading(&mut out);
    rows.iter().for_each(|row| writer.row(row, &mut out));
    out
}

fn by_name(lines: &[Vec<String>], place: usize) -> HashMap<&str, &str> {
    let names = lines[0].iter().map(String::as_str);
    names.zip(lines[place].iter().map(String::as_str)).collect()
}

fn csv() -> Writer {
    Writer::Csv {
        currency: "USD".into(),
    }
}

fn focus(zone: Zone) -> Writer {
    let focus = Focus::new("root-id".into(), "Example".into(), "USD".into(), zone);
    Writer::Focus(Box::new(focus))
}

#[test]
fn no_cell_is_a_formula_and_what_was_written_is_read_back() {
    for dangerous in [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "=\"a\",b",
        "=HYPERLINK(\"http://x\")\n",
    ] {
        let rows = [UsageRow {
            requested_model: dangerous.into(),
            session: dangerous.into(),
            key_label: dangerous.into(),
            upstream_model: dangerous.into(),
            names: dangerous.into(),
            ..row()
        }];
        for writer in [csv(), focus(Zone::utc())] {
            let lines = read(&written(writer, &rows));
            for cell in &lines[1] {
                assert!(
                    !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                    "{cell:?}"
                );
            }
        }
        let lines = read(&written(csv(), &rows));
        let cells = by_name(&lines, 1);
        assert_eq!(cells["requested_model"], format!("'{dangerous}"));
        assert_eq!(cells["session"], format!("'{dangerous}"));
    }
    // What is no formula stays as it is.
    let rows = [UsageRow {
        session: "a=1, \"b\"\r\nc".into(),
        ..row()
    }];
    let lines = read(&written(csv(), &rows));
    assert_eq!(by_name(&lines, 1)["session"], "a=1, \"b\"\r\nc");
}

#[test]
fn csv_has_a_column_for_each_member_that_the_api_shows() {
    let lines = read(&written(csv(), &[row()]));
    assert_eq!((lines.len(), lines[0].len()), (2, lines[1].len()));
    let cells = by_name(&lines, 1);
    assert_eq!(cells["admitted"], "2026-12-31T23:30:00.250Z");
    assert_eq!(
        (cells["charged"], cells["currency"], cells["factor"]),
        ("3000000", "USD", "2000000")
    );
    assert_eq!(cells["tags"], r#"{"cc":"7"}"#);
    assert_eq!((cells["input"], cells["cache_write_1h"]), ("10", "4"));
    let shown = serde_json::to_value(RowView::new(&UsageRow {
        ttfb_ms: Some(1),
        ..row()
    }))
    .unwrap();
    let mut names: Vec<String> = shown.as_object().unwrap().keys().cloned().collect();
    names.retain(|name| name != "usage");
    names.extend(shown["usage"].as_object().unwrap().keys().cloned());
    for name in names {
        let column = name
            .strip_suffix("ed_ms")
            .map_or(name.clone(), |stem| format!("{stem}ed"));
        assert!(cells.contains_key(column.as_str()), "{column}");
    }
}

#[test]
fn json_lines_are_rows_as_the_api_shows_them() {
    let text = written(Writer::Jsonl, &[row(), row()]);
    let lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), 2);
    let value: serde_json::Value = serde_json::from_slice(lines[1]).unwrap();
    assert_eq!(value, serde_json::to_value(RowView::new(&row())).unwrap());
}

/// Mandatory in FOCUS 1.2 (but for `ChargeClass`, which only corrections have), and what may not be empty for usage.
const MANDATORY: [&str; 23] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuPriceId",
];

#[test]
fn focus_has_all_mandatory_columns_and_none_of_them_is_empty() {
    let bare = UsageRow {
        charged: 1,
        ..UsageRow::default()
    };
    let lines = read(&written(focus(Zone::utc()), &[row(), bare]));
    assert!(lines[0].iter().any(|name| name == "ChargeClass"));
    for place in [1, 2] {
        let cells = by_name(&lines, place);
        for name in MANDATORY {
            assert!(!cells[name].is_empty(), "{name} of row {place}");
        }
    }
    for name in &lines[0] {
        let ours = name.starts_with("x_");
        let name = name.strip_prefix("x_").unwrap_or(name);
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
        assert!(name.starts_with(|c: char| c.is_ascii_uppercase()) || ours);
    }
}

#[test]
fn focus_tells_costs_as_decimals_and_periods_in_whole_seconds() {
    let lines = read(&written(focus(Zone::utc()), &[row()]));
    let cells = by_name(&lines, 1);
    assert_eq!(
        (cells["BilledCost"], cells["ListCost"]),
        ("3.000000", "1.500000")
    );
    assert_eq!(
        (cells["ConsumedQuantity"], cells["ConsumedUnit"]),
        ("42", "Tokens")
    );
    assert_eq!(cells["ChargePeriodStart"], "2026-12-31T23:30:00Z");
    assert_eq!(cells["ChargePeriodEnd"], "2026-12-31T23:30:02Z");
    assert_eq!(cells["BillingPeriodStart"], "2026-12-01T00:00:00Z");
    assert_eq!(cells["BillingPeriodEnd"], "2027-01-01T00:00:00Z");
    assert_eq!(
        (cells["SubAccountName"], cells["BillingAccountName"]),
        ("root/sales", "Example")
    );
    assert_eq!(
        (cells["ProviderName"], cells["ResourceId"]),
        ("vendor", "vendor/m-1")
    );
    assert_eq!(
        (cells["SkuId"], cells["SkuPriceId"]),
        ("vendor/m-1", "vendor/m-1@v")
    );
    // Months are those of the tree's zone, and each row's own.
    let later = UsageRow {
        admitted_ms: row().admitted_ms + 40 * 86_400_000,
        ended_ms: row().ended_ms + 40 * 86_400_000,
        ..row()
    };
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let lines = read(&written(focus(berlin), &[row(), later]));
    assert_eq!(
        by_name(&lines, 1)["BillingPeriodStart"],
        "2026-12-31T23:00:00Z"
    );
    assert_eq!(
        by_name(&lines, 2)["BillingPeriodStart"],
        "2027-01-31T23:00:00Z"
    );
}

#[test]
fn what_was_refused_is_no_charge() {
    let refused = UsageRow {
        limited_by: "rpm@root".into(),
        status: 429,
        ..UsageRow::default()
    };
    let lines = read(&written(focus(Zone::utc()), &[refused.clone(), row()]));
    assert_eq!(lines.len(), 2);
    assert_eq!(read(&written(csv(), &[refused, row()])).len(), 3);
}

#[test]
fn otel_names_what_the_conventions_name_and_counts_as_they_do() {
    let told = |row: UsageRow<'_>| {
        let writer = Writer::Otel {
            currency: "USD".into(),
        };
        let text = written(writer, &[row]);
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()
    };
    let row = |operation: &'static str| UsageRow {
        operation: operation.into(),
        stream: true,
        status: 200,
        session: "s".into(),
        ttfb_ms: Some(250),
        total_ms: 1_500,
        ..row()
    };
    let line = told(row("messages"));
    for (name, value) in [
        ("gen_ai.operation.name", "chat".into()),
        ("gen_ai.provider.name", "vendor".into()),
        ("gen_ai.request.model", "m".into()),
        ("gen_ai.response.model", "m-1".into()),
        ("gen_ai.conversation.id", "s".into()),
        ("gen_ai.request.stream", true.into()),
        // With what the cache gave and got; reasoning is in the output already.
        ("gen_ai.usage.input_tokens", 37.into()),
        ("gen_ai.usage.output_tokens", 5.into()),
        ("gen_ai.usage.cache_read.input_tokens", 20.into()),
        ("gen_ai.usage.cache_creation.input_tokens", 7.into()),
        ("gen_ai.usage.reasoning.output_tokens", 2.into()),
        (
            "gen_ai.response.time_to_first_chunk",
            serde_json::json!(0.25),
        ),
        ("http.response.status_code", 200.into()),
        ("tollgate.duration", serde_json::json!(1.5)),
        ("tollgate.charged", 3_000_000.into()),
        ("tollgate.currency", "USD".into()),
        ("tollgate.account.path", "root/sales".into()),
        ("tollgate.tag.cc", "7".into()),
    ] {
        assert_eq!(line[name], value, "{name}: {line}");
    }
    assert!(line.get("error.type").is_none(), "{line}");
    for (operation, name) in [
        ("chat-completions", "chat"),
        ("responses", "chat"),
        ("embeddings", "embeddings"),
        ("count-tokens", "count_tokens"),
    ] {
        assert_eq!(told(row(operation))["gen_ai.operation.name"], name);
    }
    // Nobody answered: there is no model of an answer.
    let failed = UsageRow {
        error: "no-upstream".into(),
        status: 503,
        ttfb_ms: None,
        ..row("messages")
    };
    let line = told(failed);
    assert_eq!(line["error.type"], "no-upstream");
    assert!(line.get("gen_ai.response.model").is_none(), "{line}");
    // Members are those of the conventions or ours.
    for name in line.as_object().unwrap().keys() {
        let known = [
            "gen_ai.",
            "tollgate.",
            "error.type",
            "http.response.status_code",
        ];
        assert!(known.iter().any(|known| name.starts_with(known)), "{name}");
    }
}

#[test]
fn a_format_that_there_is_not_is_blamed() {
    assert_eq!("csv".parse::<ExportFormat>().unwrap(), ExportFormat::Csv);
    let error = "xlsx".parse::<ExportFormat>().unwrap_err();
    assert_eq!(error.field.as_deref(), Some("format"));
}
