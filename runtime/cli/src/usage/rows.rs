//! `tollgate usage`: rows and totals.

use std::process::ExitCode;

use serde_json::Value;

use crate::api::{Api, segment};
use crate::args::{Place, Usage};
use crate::report::{self, moment, text};
use crate::table::table;
use crate::{configuration, money};

/// Prints what was used.
///
/// # Errors
/// No gateway answers, or it refuses the filter.
pub(crate) fn run(place: &Place, args: &Usage) -> anyhow::Result<ExitCode> {
    let config = configuration::load(place)?;
    let api = Api::find(&config, place.management.as_deref())?;
    let mut path = format!("/api/usage?limit={}", args.limit);
    for (name, value) in [
        ("account", &args.account),
        ("since", &args.since),
        ("until", &args.until),
    ] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    let page = api.get(&path)?;
    if place.json {
        report::json(&page)?;
    } else {
        report::print(&show(&page))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(page: &Value) -> String {
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
