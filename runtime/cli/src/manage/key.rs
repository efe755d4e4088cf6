//! `tollgate key`: inference keys.

use serde_json::{Map, Value, json};

use super::{Show, give_list, of_account, rows};
use crate::api::{Api, segment};
use crate::args::{Key, Scope};
use crate::banner::README_SECTION;
use crate::report::{list, moment, text};
use crate::table::{facts, table};

pub(super) fn run(api: &Api, command: &Key) -> anyhow::Result<(Value, Show)> {
    Ok(match command {
        Key::Create {
            account,
            label,
            scope,
            not_before,
            expires,
        } => {
            let body = json!({
                "account": account, "label": label, "scope": given(scope),
                "not_before_ms": not_before, "expires_ms": expires,
            });
            (api.send("POST", "/api/keys", Some(&body))?, issued)
        }
        Key::List { account } => {
            let listed = format!("/api/keys{}", of_account(account.as_deref()));
            (api.get(&listed)?, keys_table)
        }
        Key::Show { id } => (api.get(&of(id))?, key_lines),
        Key::Rotate { id, grace } => {
            let body = json!({ "grace_ms": grace });
            let answer = api.send("POST", &format!("{}/rotate", of(id)), Some(&body))?;
            (answer, issued)
        }
        Key::Revoke { id, kill } => {
            let answer = api.send("DELETE", &format!("{}?kill={kill}", of(id)), None)?;
            (answer, |_| "Revoked.\n".into())
        }
    })
}

fn of(id: &str) -> String {
    format!("/api/keys/{}", segment(id))
}

fn given(scope: &Scope) -> Map<String, Value> {
    let mut body = Map::new();
    give_list(&mut body, "models", &scope.models);
    give_list(&mut body, "providers", &scope.providers);
    give_list(&mut body, "endpoints", &scope.endpoints);
    give_list(&mut body, "cidrs", &scope.cidrs);
    body
}

fn issued(answer: &Value) -> String {
    format!("{}\n", text(answer, "key"))
}

/// What to know of a key that was issued; nothing of one that was not.
pub(super) fn remark(answer: &Value) -> String {
    if !answer["key"].is_string() {
        return String::new();
    }
    let old = &answer["replaces"];
    let more = match old["revoked_ms"].is_null() {
        true if old.is_object() => {
            format!("The old key works until {}.\n", moment(&old["expires_ms"]))
        }
        false if old.is_object() => "The old key does not work any more.\n".to_owned(),
        // A new one: whoever is given a successor has the settings already.
        _ => format!(
            "Settings for clients, to be given away with it: README.md, \"{README_SECTION}\".\n"
        ),
    };
    format!(
        "This is the only time that the key is shown. Its id, for `key rotate` and `key revoke`, is {}.\n{more}",
        text(answer, "id")
    )
}

fn keys_table(answer: &Value) -> String {
    let rows: Vec<_> = rows(answer, "keys")
        .map(|key| {
            vec![
                text(key, "id"),
                text(key, "prefix"),
                text(key, "path"),
                text(key, "label"),
                text(key, "state"),
                moment(&key["created_ms"]),
                moment(&key["last_used_ms"]),
                moment(&key["expires_ms"]),
            ]
        })
        .collect();
    table(
        &[
            "ID",
            "KEY",
            "ACCOUNT",
            "LABEL",
            "STATE",
            "CREATED",
            "LAST USED",
            "EXPIRES",
        ],
        &rows,
        &[],
    )
}

fn key_lines(key: &Value) -> String {
    let scope = |member: &str| match key["scope"][member].is_null() {
        true => String::new(),
        false => list(&key["scope"][member]),
    };
    facts([
        ("id", text(key, "id")),
        ("key", text(key, "prefix")),
        ("account", text(key, "path")),
        ("label", text(key, "label")),
        ("state", text(key, "state")),
        ("models", scope("models")),
        ("providers", scope("providers")),
        ("endpoints", scope("endpoints")),
        ("networks", scope("cidrs")),
        ("not before", moment(&key["not_before_ms"])),
        ("expires", moment(&key["expires_ms"])),
        ("created", moment(&key["created_ms"])),
        ("last used", moment(&key["last_used_ms"])),
        ("revoked", moment(&key["revoked_ms"])),
        ("successor", text(key, "successor")),
    ])
}
