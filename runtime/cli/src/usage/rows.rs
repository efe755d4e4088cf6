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
                "WHEN", "ACCOUNT", "MODEL", "UPSTREAM", "STATUS", "INPUT", "CACHED", "OUTPUT",
                "CHARGED", "MS",
            ],
            &rows,
            &[5, 6, 7, 8, 9],
        )
    };
    let totals = &page["totals"];
    let tokens = &totals["usage"];
    out.push_str(&format!(
        "\n{} requests, {} input tokens ({} cached), {} output tokens, {} {}\n",
        text(totals, "requests"),
        text(tokens, "input"),
        text(tokens, "cache_read"),
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
        text(row, "requested_model"),
        text(row, "upstream"),
        text(row, "status"),
        text(tokens, "input"),
        text(tokens, "cache_read"),
        text(tokens, "output"),
        money::show(i128::from(row["charged"].as_u64().unwrap_or(0))),
        text(row, "total_ms"),
    ]
}
