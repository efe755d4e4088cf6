//! How a report is shown.

use serde_json::Value;

use crate::money;
use crate::report::{moment, text};
use crate::table::table;

/// A table with the columns that were asked for, and the totals.
pub(super) fn show(report: &Value, by: &[String], by_time: bool) -> String {
    let mut heading: Vec<String> = Vec::new();
    if by_time {
        heading.push(match text(report, "span").as_str() {
            "hour" => "HOUR".to_owned(),
            _ => "DAY".to_owned(),
        });
    }
    heading.extend(by.iter().map(|name| name.to_uppercase()));
    let about = heading.len();
    let figures = [
        "REQUESTS", "REFUSED", "FAILED", "INPUT", "CACHED", "OUTPUT", "MS", "CHARGED",
    ];
    heading.extend(figures.map(str::to_owned));
    let rows: Vec<Vec<String>> = report["lines"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|line| {
            let mut cells = Vec::new();
            if by_time {
                cells.push(moment(&line["start_ms"]));
            }
            cells.extend(by.iter().map(|name| about_of(line, name)));
            cells.extend(figures_of(line));
            cells
        })
        .collect();
    let counted = counted(report);
    if rows.is_empty() {
        return format!("{counted}No requests.\n");
    }
    let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
    let right: Vec<usize> = (about..heading.len()).collect();
    let totals = &report["totals"];
    format!(
        "{counted}{}\n{} requests, {} {}\n",
        table(&heading, &rows, &right),
        text(totals, "requests"),
        money::show(totals["charged"].as_u64().unwrap_or(0).into()),
        text(report, "currency"),
    )
}

/// From when to when was counted: what was asked for is widened to whole hours or days.
fn counted(report: &Value) -> String {
    let (since, until) = (moment(&report["since_ms"]), moment(&report["until_ms"]));
    match (since.is_empty(), until.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!("Counted from {since} on.\n\n"),
        (true, false) => format!("Counted up to {until}.\n\n"),
        (false, false) => format!("Counted from {since} up to {until}.\n\n"),
    }
}

fn about_of(line: &Value, name: &str) -> String {
    let found = match name.strip_prefix("tag:") {
        Some(tag) => text(&line["tags"], tag),
        None if name == "key" => {
            let label = text(line, "key_label");
            match label.is_empty() {
                true => text(line, "key"),
                false => format!("{} ({label})", text(line, "key")),
            }
        }
        None => text(line, name),
    };
    match found.is_empty() {
        true => "-".to_owned(),
        false => found,
    }
}

fn figures_of(line: &Value) -> [String; 8] {
    let tokens = &line["usage"];
    [
        text(line, "requests"),
        text(line, "refused"),
        text(line, "failed"),
        text(tokens, "input"),
        text(tokens, "cache_read"),
        text(tokens, "output"),
        text(line, "mean_ms"),
        money::show(line["charged"].as_u64().unwrap_or(0).into()),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_says_from_when_to_when_it_counted() {
        let none = |report: Value| show(&report, &[], false);
        assert_eq!(none(json!({ "lines": [] })), "No requests.\n");
        assert_eq!(
            none(json!({ "since_ms": 1_767_225_600_000_u64 })),
            "Counted from 2026-01-01T00:00:00Z on.\n\nNo requests.\n"
        );
        let both = json!({
            "since_ms": 1_767_225_600_000_u64, "until_ms": 1_767_229_200_000_u64, "currency": "USD",
            "lines": [{ "requests": 3 }], "totals": { "requests": 3 },
        });
        let text = none(both);
        let first = text.lines().next();
        assert_eq!(
            first,
            Some("Counted from 2026-01-01T00:00:00Z up to 2026-01-01T01:00:00Z.")
        );
        assert!(text.ends_with("3 requests, 0.00 USD\n"), "{text}");
    }
}
