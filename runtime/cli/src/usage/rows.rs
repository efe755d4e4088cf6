//! How rows are shown.

use serde_json::Value;

use crate::money;
use crate::report::{moment, text};
use crate::table::table;

/// A table of the rows, and the totals of all that fit.
pub(super) fn show(page: &Value) -> String {
    let rows: Vec<Vec<String>> = page["rows"]
        .as_array()
        .into_iter()
        .flatten()
        .map(row)
        .collect();
    let mut out = if rows.is_empty() {
        String::from("No requests.\n")
    } else {
        table(
            &[
                "WHEN", "ACCOUNT", "MODEL", "UPSTREAM", "STATUS", "INPUT", "CACHED", "WRITTEN",
                "OUTPUT", "CHARGED", "MS", "WHY",
            ],
            &rows,
            &[5, 6, 7, 8, 9, 10],
        )
    };
    let totals = &page["totals"];
    let tokens = &totals["usage"];
    out.push_str(&format!(
        "\n{} requests, {} input tokens and {} from a cache, {} written to one, {} output tokens, {} {}\n",
        text(totals, "requests"),
        text(tokens, "input"),
        text(tokens, "cache_read"),
        written(tokens),
        text(tokens, "output"),
        money::show(i128::from(totals["charged"].as_u64().unwrap_or(0))),
        text(page, "currency"),
    ));
    out
}

fn row(row: &Value) -> Vec<String> {
    let tokens = &row["usage"];
    vec![
        moment(&row["admitted_ms"]),
        text(row, "account"),
        model(row),
        text(row, "upstream"),
        text(row, "status"),
        text(tokens, "input"),
        text(tokens, "cache_read"),
        written(tokens),
        text(tokens, "output"),
        money::show(i128::from(row["charged"].as_u64().unwrap_or(0))),
        text(row, "total_ms"),
        why(row),
    ]
}

/// As it was asked for, and what a model map made of it: usage is counted, and looked for, under that.
fn model(row: &Value) -> String {
    let (asked, served) = (text(row, "requested_model"), text(row, "mapped_model"));
    match served.is_empty() || served == asked {
        true => asked,
        false => format!("{asked} -> {served}"),
    }
}

/// Tokens written to a cache, for however long.
fn written(tokens: &Value) -> String {
    let both = ["cache_write_5m", "cache_write_1h"].map(|name| tokens[name].as_u64().unwrap_or(0));
    both.iter().sum::<u64>().to_string()
}

/// The limit that refused it, else how it failed: a stream that broke off has the status of a good one.
fn why(row: &Value) -> String {
    match text(row, "limited_by") {
        limit if limit.is_empty() => text(row, "error"),
        limit => limit,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_says_why_it_is_no_good_one() {
        let row = |limited_by: &str, error: &str| -> Value {
            json!({ "status": 200, "total_ms": 7, "limited_by": limited_by, "error": error })
        };
        let rows = [
            row("", ""),
            row("", "broken off"),
            row("rpm@root", "limited"),
        ];
        let text = show(&json!({ "rows": rows, "currency": "USD" }));
        let ends: Vec<_> = text
            .lines()
            .take(4)
            .map(|line| line.rsplit("  ").next())
            .collect();
        let wanted = ["WHY", "7", "broken off", "rpm@root"];
        assert_eq!(ends, wanted.map(Some), "{text}");
    }
}
