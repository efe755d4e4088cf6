//! How the log is shown.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{items, page, pages};
use crate::api::Api;
use crate::money;
use crate::report::{self, moment, text};
use crate::table::table;

/// Entries of a page: what the API gives at most.
const PAGE: u64 = 1_000;

pub(super) fn run(
    api: &Api,
    as_json: bool,
    after: Option<u64>,
    limit: u64,
) -> anyhow::Result<ExitCode> {
    let after = match after {
        Some(after) => after,
        None => {
            let last = page(api, 0, 0)?["last"].as_u64().unwrap_or(0);
            last.saturating_sub(limit)
        }
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut entries, mut last) = (Vec::new(), Value::from(0));
    pages(api, after, limit.min(PAGE), &mut |page| {
        entries.extend(items(page).cloned());
        last = page["last"].clone();
        Ok(entries.len() < most)
    })?;
    entries.truncate(most);
    if as_json {
        report::json(&json!({ "entries": entries, "last": last }))?;
    } else {
        report::print(&show(&entries))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(entries: &[Value]) -> String {
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            let subject = &entry["subject"];
            let what = match text(subject, "path") {
                path if path.is_empty() => text(subject, "id"),
                path => path,
            };
            let told = match entry["damaged"].as_str() {
                Some(damaged) => damaged.to_owned(),
                None => changes(&entry["changes"]),
            };
            vec![
                text(entry, "sequence"),
                moment(&entry["at_ms"]),
                text(entry, "actor"),
                text(entry, "act"),
                what,
                told,
            ]
        })
        .collect();
    match rows.is_empty() {
        true => String::from("No entries.\n"),
        false => table(
            &["NO", "WHEN", "ACTOR", "ACT", "SUBJECT", "CHANGES"],
            &rows,
            &[0],
        ),
    }
}

/// What changed in a few words: `limits/rpm 5 -> 10`. `--json` has the whole.
fn changes(changes: &Value) -> String {
    let members = changes.as_object().into_iter().flatten();
    let told: Vec<_> = members
        .map(|(name, value)| {
            let side = |which: &str| value.get(which).map(|value| short(name, value));
            match (side("from"), side("to")) {
                (None, None) => format!("{name} {}", short(name, value)),
                (None, Some(to)) => format!("{name} {to}"),
                (Some(from), None) => format!("{name} {from} -> (none)"),
                (Some(from), Some(to)) => format!("{name} {from} -> {to}"),
            }
        })
        .collect();
    told.join(", ")
}

fn short(name: &str, value: &Value) -> String {
    const LONGEST: usize = 40;
    let text = match value {
        Value::String(text) => text.clone(),
        other => readable(name, other).unwrap_or_else(|| other.to_string()),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A number that is a moment or money as people read it: the log has milliseconds and micro-units.
fn readable(name: &str, value: &Value) -> Option<String> {
    match name.rsplit('/').next()? {
        // A span, and no moment.
        "grace_ms" => None,
        "amount" | "daily_limit" | "monthly_limit" => Some(money::show(value.as_i64()?.into())),
        name if name.ends_with("_ms") => Some(moment(value)).filter(|text| !text.is_empty()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_told_in_a_few_words() {
        let told = changes(&json!({
            "limits/rpm": { "from": 5, "to": 10 }, "alias": { "to": "T" }, "tags/cc": { "from": "7" }, "kill": true,
            "models/x": { "to": "é".repeat(50) },
        }));
        let long = "é".repeat(40);
        assert_eq!(
            told,
            format!(
                "alias T, kill true, limits/rpm 5 -> 10, models/x {long}…, tags/cc 7 -> (none)"
            )
        );
    }

    #[test]
    fn moments_and_money_are_written_as_people_do() {
        let told = changes(&json!({
            "revoked_ms": { "to": 1_767_225_600_000_u64 }, "grace_ms": 7_200_000, "until_ms": 1_767_225_600_000_u64,
            "limits/monthly_limit": { "from": 20_000_000 }, "limits/tpm": { "to": 20_000_000 }, "amount": 1,
            "expires_ms": { "to": "never" },
        }));
        for wanted in [
            "revoked_ms 2026-01-01T00:00:00Z",
            "until_ms 2026-01-01T00:00:00Z",
            "grace_ms 7200000",
            "limits/monthly_limit 20.00 -> (none)",
            "limits/tpm 20000000",
            "amount 0.000001",
            "expires_ms never",
        ] {
            assert!(
                told.split(", ").any(|one| one == wanted),
                "{wanted}: {told}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_in_its_place() {
        let text = show(&[json!({ "sequence": 7, "damaged": "it is not JSON" })]);
        let line = text.lines().nth(1).unwrap();
        assert!(line.trim_start().starts_with('7') && line.ends_with("it is not JSON"));
        assert_eq!(show(&[]), "No entries.\n");
    }
}
