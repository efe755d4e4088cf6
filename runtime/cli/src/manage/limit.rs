//! `tollgate limit`: limits of accounts.

use anyhow::bail;
use clap::ValueEnum as _;
use serde_json::{Map, Value, json};

use super::{Show, figure, rows};
use crate::api::{Api, path};
use crate::args::Limit;
use crate::report::text;
use crate::table::table;

pub(super) fn run(api: &Api, command: &Limit) -> anyhow::Result<(Value, Show)> {
    let (account, body) = match command {
        Limit::Show { account } => return Ok((api.get(&of(account))?, limits_table)),
        Limit::Set {
            account,
            limits,
            pattern,
        } => {
            let given: Map<_, _> = limits
                .given()
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .collect();
            if given.is_empty() {
                bail!("say which limit, for example --rpm 60");
            }
            (account, change(pattern.as_deref(), Value::Object(given)))
        }
        Limit::Unset {
            account, all: true, ..
        } => (account, json!({ "limits": null, "model_limits": null })),
        Limit::Unset {
            account,
            kinds,
            pattern,
            all: false,
        } => {
            let names = kinds.iter().filter_map(|kind| kind.to_possible_value());
            let names: Vec<_> = names
                .map(|kind| kind.get_name().replace('-', "_"))
                .collect();
            is_set(&api.get(&of(account))?, pattern.as_deref(), &names)?;
            let gone: Map<_, _> = names.into_iter().map(|name| (name, Value::Null)).collect();
            let gone = match gone.is_empty() {
                true => Value::Null,
                false => Value::Object(gone),
            };
            (account, change(pattern.as_deref(), gone))
        }
    };
    Ok((api.send("PATCH", &of(account), Some(&body))?, limits_table))
}

/// Fails where a limit that is to go is not set: a typing error would look like a limit that is gone.
fn is_set(shown: &Value, pattern: Option<&str>, names: &[String]) -> anyhow::Result<()> {
    let path = text(shown, "path");
    let (set, which) = match pattern {
        None => (&shown["limits"], String::new()),
        Some(pattern) => match shown["model_limits"].get(pattern) {
            Some(set) => (set, format!(" for {pattern}")),
            None => bail!("{path} sets no limit for {pattern}"),
        },
    };
    match names.iter().find(|name| set.get(name.as_str()).is_none()) {
        Some(name) => bail!("{path} sets no {name}{which}"),
        None => Ok(()),
    }
}

fn of(account: &str) -> String {
    format!("/api/limits/{}", path(account))
}

fn change(pattern: Option<&str>, limits: Value) -> Value {
    match pattern {
        Some(pattern) => json!({ "model_limits": { pattern: limits } }),
        None => json!({ "limits": limits }),
    }
}

fn limits_table(answer: &Value) -> String {
    let rows: Vec<_> = rows(answer, "effective")
        .map(|limit| {
            let kind = text(limit, "kind");
            let says = match (limit["idle"].as_str(), limit["decides"] == json!(true)) {
                (Some(why), _) => format!("limits nothing now: {why}"),
                (None, true) => "decides".to_owned(),
                (None, false) => String::new(),
            };
            vec![
                kind.clone(),
                limit["models"].as_str().unwrap_or("*").to_owned(),
                figure(&kind, &limit["value"]),
                figure(&kind, &limit["used"]),
                text(limit, "source"),
                says,
            ]
        })
        .collect();
    match rows.is_empty() {
        true => format!("{}: no limits.\n", text(answer, "path")),
        false => table(
            &["LIMIT", "MODELS", "VALUE", "USED", "SET ON", ""],
            &rows,
            &[2, 3],
        ),
    }
}
