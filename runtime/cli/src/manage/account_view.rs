//! How accounts are shown: the tree, and one account with what takes effect on it.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{figure, rows};
use crate::money;
use crate::report::{list, moment, text};
use crate::table::table;

pub(super) fn accounts_table(answer: &Value) -> String {
    let top = rows(answer, "accounts")
        .next()
        .map_or(0, |account| text(account, "path").matches('/').count());
    let rows: Vec<_> = rows(answer, "accounts")
        .map(|account| {
            let depth = text(account, "path")
                .matches('/')
                .count()
                .saturating_sub(top);
            let limits = &account["limits"];
            vec![
                format!("{}{}", "  ".repeat(depth), text(account, "name")),
                status(account),
                money::show(account["spent_today"].as_u64().unwrap_or(0).into()),
                figure("daily_limit", &limits["daily_limit"]),
                figure("monthly_limit", &limits["monthly_limit"]),
                text(limits, "rpm"),
                list(&account["models"]),
                text(account, "id"),
            ]
        })
        .collect();
    table(
        &[
            "ACCOUNT", "STATUS", "TODAY", "A DAY", "A MONTH", "RPM", "MODELS", "ID",
        ],
        &rows,
        &[2, 3, 4, 5],
    )
}

/// Nothing where a gateway of another version does not say it.
fn yes_or_no(value: &Value) -> String {
    let word = value.as_bool().map(|is| if is { "yes" } else { "no" });
    word.unwrap_or_default().to_owned()
}

/// Its own status, or that something above it is switched off.
fn status(account: &Value) -> String {
    match (account["status"].as_str(), account["enabled"].as_bool()) {
        (Some("active"), Some(false)) => "off above".to_owned(),
        _ => text(account, "status"),
    }
}

pub(super) fn archived_table(answer: &Value) -> String {
    let gone: HashMap<String, String> = rows(answer, "accounts")
        .map(|account| (text(account, "id"), text(account, "name")))
        .collect();
    let rows: Vec<_> = rows(answer, "accounts")
        .map(|account| {
            let parent = text(account, "parent");
            vec![
                text(account, "name"),
                text(account, "id"),
                // Of accounts that are gone, too, the name is here; of one in the tree `account show` tells the path.
                gone.get(&parent).cloned().unwrap_or(parent),
                moment(&account["created_ms"]),
                moment(&account["deleted_ms"]),
            ]
        })
        .collect();
    table(&["NAME", "ID", "UNDER", "CREATED", "DELETED"], &rows, &[])
}

pub(super) fn account_lines(account: &Value) -> String {
    let effective = &account["effective"];
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut line = |what: &str, value: String, source: String| {
        if !value.is_empty() {
            lines.push(vec![what.to_owned(), value, source]);
        }
    };
    for what in ["path", "id", "status", "alias", "email"] {
        line(what, text(account, what), String::new());
    }
    let in_use = match effective["enabled"].as_bool() {
        Some(true) => "yes",
        _ => "no",
    };
    line("in use", in_use.to_owned(), text(effective, "disabled_by"));
    for (what, member) in [
        ("models", "models"),
        ("models refused", "denied_models"),
        ("providers", "providers"),
        ("endpoints", "endpoints"),
        ("networks", "cidrs"),
    ] {
        for rule in rows(effective, member) {
            line(what, list(&rule["values"]), text(rule, "source"));
        }
    }
    for entry in rows(effective, "model_map") {
        let mapping = format!("{} -> {}", text(entry, "asked"), text(entry, "served"));
        line("model map", mapping, text(entry, "source"));
    }
    for (what, member) in [
        ("output cap", "output_cap"),
        ("default output", "default_output"),
        ("price factor", "price_factor"),
        ("when exhausted", "on_exhaust"),
        ("budget mode", "budget_mode"),
        ("billing", "billing"),
        ("answers kept", "keep_answers"),
        ("time zone", "time_zone"),
    ] {
        let decided = &effective[member];
        let value = match member {
            "price_factor" => money::show(decided["value"].as_u64().unwrap_or(0).into()),
            "keep_answers" => yes_or_no(&decided["value"]),
            _ => text(decided, "value"),
        };
        let source = match decided["source"].as_str() {
            Some(source) => source.to_owned(),
            None => "(default)".to_owned(),
        };
        line(what, value, source);
    }
    for (name, tag) in effective["tags"].as_object().into_iter().flatten() {
        let tagged = format!("{name}={}", text(tag, "value"));
        line("tag", tagged, text(tag, "source"));
    }
    for limit in rows(effective, "limits") {
        let kind = text(limit, "kind");
        let models = limit["models"]
            .as_str()
            .map(|models| format!(" for {models}"))
            .unwrap_or_default();
        let mut value = match limit["value"].is_null() {
            // Somebody above the token's account set it: that is all there is to know.
            true => "set".to_owned(),
            false => format!(
                "{} of {}",
                figure(&kind, &limit["used"]),
                figure(&kind, &limit["value"])
            ),
        };
        match (limit["idle"].as_str(), limit["decides"] == json!(true)) {
            (Some(why), _) => value.push_str(&format!(" (limits nothing now: {why})")),
            (None, true) => value.push_str(" (decides)"),
            (None, false) => {}
        }
        line(&format!("{kind}{models}"), value, text(limit, "source"));
    }
    for (what, member) in [
        ("spent today", "spent_today"),
        ("spent this month", "spent_month"),
        ("held", "held"),
    ] {
        let amount = money::show(effective[member].as_u64().unwrap_or(0).into());
        line(what, amount, String::new());
    }
    line("running", text(effective, "running"), String::new());
    if let Some(available) = effective["wallet"]["available"].as_i64() {
        let available = format!("{} available", money::show(available.into()));
        line("wallet", available, text(&effective["wallet"], "source"));
    }
    let mut shown = table(&["", "", "DECIDED BY"], &lines, &[]);
    for note in account["notes"].as_array().into_iter().flatten() {
        shown.push_str(&format!("note: {}\n", note.as_str().unwrap_or_default()));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_is_gone_is_shown_with_its_id_and_what_it_was_under() {
        let answer = json!({ "accounts": [
            { "id": "7", "name": "a", "parent": "1", "created_ms": 0, "deleted_ms": 1_767_225_600_000_u64 },
            { "id": "8", "name": "b", "parent": "7", "created_ms": 0, "deleted_ms": 1_767_225_600_000_u64 },
        ] });
        let shown = archived_table(&answer);
        let cells = |line: usize| -> Vec<String> {
            let line = shown.lines().nth(line).unwrap();
            line.split_whitespace().map(str::to_owned).collect()
        };
        assert_eq!(cells(1)[..3], ["a", "7", "1"]);
        assert_eq!(cells(2)[..3], ["b", "8", "a"]);
        assert_eq!(cells(2)[4], "2026-01-01T00:00:00Z");
    }
}
