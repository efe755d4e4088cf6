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
    if rows.is_empty() {
        return "No requests.\n".to_owned();
    }
    let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
    let right: Vec<usize> = (about..heading.len()).collect();
    let totals = &report["totals"];
    format!(
        "{}\n{} requests, {} {}\n",
        table(&heading, &rows, &right),
        text(totals, "requests"),
        money::show(totals["charged"].as_u64().unwrap_or(0).into()),
        text(report, "currency"),
    )
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
