//! `tollgate token`: management tokens of accounts.

use clap::ValueEnum as _;
use serde_json::{Value, json};

use super::{Show, of_account, rows};
use crate::api::{Api, segment};
use crate::args::{Role, Token};
use crate::report::{moment, text};
use crate::table::{facts, table};

pub(super) fn run(api: &Api, command: &Token) -> anyhow::Result<(Value, Show)> {
    Ok(match command {
        Token::Create {
            account,
            role,
            label,
            expires,
        } => {
            let body = json!({
                "account": account, "role": name(*role), "label": label, "expires_ms": expires,
            });
            (api.send("POST", "/api/tokens", Some(&body))?, issued)
        }
        Token::List { account } => {
            let listed = format!("/api/tokens{}", of_account(account.as_deref()));
            (api.get(&listed)?, tokens_table)
        }
        Token::Show { id } => (api.get(&of(id))?, token_lines),
        Token::Revoke { id } => {
            let answer = api.send("DELETE", &of(id), None)?;
            (answer, |_| "Revoked.\n".into())
        }
    })
}

fn of(id: &str) -> String {
    format!("/api/tokens/{}", segment(id))
}

fn name(role: Role) -> String {
    let value = role.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

fn issued(answer: &Value) -> String {
    format!("{}\n", text(answer, "token"))
}

/// What to know of a token that was issued; nothing of one that was not.
pub(super) fn remark(answer: &Value) -> String {
    if !answer["token"].is_string() {
        return String::new();
    }
    format!(
        "This is the only time that the token is shown. Its id, for `token revoke`, is {}.\n\
         Its bearer sets TOLLGATE_TOKEN to it; to him paths begin with {:?}.\n",
        text(answer, "id"),
        text(answer, "path").rsplit('/').next().unwrap_or_default()
    )
}

fn tokens_table(answer: &Value) -> String {
    let rows: Vec<_> = rows(answer, "tokens")
        .map(|token| {
            vec![
                text(token, "id"),
                text(token, "prefix"),
                text(token, "path"),
                text(token, "role"),
                text(token, "label"),
                text(token, "state"),
                moment(&token["created_ms"]),
                moment(&token["last_used_ms"]),
                moment(&token["expires_ms"]),
            ]
        })
        .collect();
    table(
        &[
            "ID",
            "TOKEN",
            "ACCOUNT",
            "ROLE",
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

fn token_lines(token: &Value) -> String {
    facts([
        ("id", text(token, "id")),
        ("token", text(token, "prefix")),
        ("account", text(token, "path")),
        ("role", text(token, "role")),
        ("label", text(token, "label")),
        ("state", text(token, "state")),
        ("expires", moment(&token["expires_ms"])),
        ("created", moment(&token["created_ms"])),
        ("last used", moment(&token["last_used_ms"])),
        ("revoked", moment(&token["revoked_ms"])),
    ])
}
