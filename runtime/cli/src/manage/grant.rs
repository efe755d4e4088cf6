//! `tollgate grant`: prepaid credit.

use std::io::Read as _;

use anyhow::Context as _;
use clap::ValueEnum as _;
use serde_json::{Value, json};

use super::{Show, rows};
use crate::api::{Api, Refused, path};
use crate::args::{Counterpart, Grant};
use crate::money;
use crate::report::{moment, text};
use crate::table::table;

pub(super) fn run(api: &Api, command: &Grant) -> anyhow::Result<(Value, Show)> {
    Ok(match command {
        Grant::Add {
            account,
            amount,
            from,
            expires,
            idempotency_key,
        } => {
            let mut body = json!({ "account": account, "amount": amount });
            if let Some(from) = from {
                body["from"] = word(*from);
            }
            if let Some(expires) = expires {
                body["expires_ms"] = json!(expires);
            }
            (
                once(api, "/api/grants", body, idempotency_key.as_deref())?,
                |answer| moved(answer, "Granted"),
            )
        }
        Grant::Reclaim {
            account,
            amount,
            to,
            idempotency_key,
        } => {
            let mut body = json!({ "account": account, "amount": amount });
            if let Some(to) = to {
                body["to"] = word(*to);
            }
            (
                once(api, "/api/reclaims", body, idempotency_key.as_deref())?,
                |answer| moved(answer, "Reclaimed"),
            )
        }
        Grant::Show {
            account: Some(account),
        } => (
            api.get(&format!("/api/wallets/{}", path(account)))?,
            wallet_lines,
        ),
        Grant::Show { account: None } => (api.get("/api/ledger")?, ledger_lines),
    })
}

fn word(counterpart: Counterpart) -> Value {
    let name = counterpart.to_possible_value();
    json!(name.as_ref().map(|name| name.get_name()))
}

/// Sends what must not be done twice. Where nobody can tell whether it was done, says how to make sure.
fn once(api: &Api, path: &str, mut body: Value, key: Option<&str>) -> anyhow::Result<Value> {
    let key = match key {
        Some(key) => key.to_owned(),
        None => new_key()?,
    };
    body["idempotency_key"] = json!(key);
    let answer = api.send("POST", path, Some(&body));
    match answer.as_ref().is_err_and(is_unknown) {
        false => answer,
        true => answer.with_context(|| again(&key, body["expires_ms"].as_u64())),
    }
}

/// A refusal moved nothing; of a request that got no answer nobody knows, and after a failure of the gateway's own credit may
/// have moved, or has and is not on the disk yet.
fn is_unknown(error: &anyhow::Error) -> bool {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return refused.status >= 500;
    }
    let text = error.to_string();
    text.starts_with("no gateway answers") || text.starts_with("the answer broke off")
}

/// How to say the same once more. A span counts from now, so the moment that it gave is said instead.
fn again(key: &str, expires_ms: Option<u64>) -> String {
    let expires = expires_ms.map_or_else(String::new, |moment| {
        format!(" and say `--expires {moment}`")
    });
    format!("to try again without moving it twice add `--idempotency-key {key}`{expires}")
}

fn new_key() -> anyhow::Result<String> {
    let mut bytes = [0u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("/dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn amount(value: &Value) -> String {
    money::show(value.as_i64().unwrap_or(0).into())
}

fn moved(answer: &Value, done: &str) -> String {
    let repeated = match answer["repeated"].as_bool() {
        Some(true) => " before; nothing was done now",
        _ => "",
    };
    format!(
        "{done} {}{repeated} (idempotency key {}).\n{}",
        amount(&answer["amount"]),
        text(answer, "idempotency_key"),
        wallet_lines(&answer["wallet"]),
    )
}

fn wallet_lines(wallet: &Value) -> String {
    let path = text(wallet, "path");
    let mut out = format!(
        "{path}: {} {} available, {} held",
        amount(&wallet["available"]),
        text(wallet, "currency"),
        amount(&wallet["held"]),
    );
    if wallet["expired"].as_i64().unwrap_or(0) > 0 {
        out.push_str(&format!(", {} expired", amount(&wallet["expired"])));
    }
    out.push('\n');
    if wallet["pays"] == json!(false) {
        out.push_str(&format!(
            "Requests of {path} are not paid from this wallet: `tollgate account update {path} --billing prepaid` changes that.\n"
        ));
    }
    let lots: Vec<_> = rows(wallet, "lots")
        .map(|lot| {
            let expires = match lot["expires_ms"].is_null() {
                true => "never".to_owned(),
                false => moment(&lot["expires_ms"]),
            };
            vec![text(lot, "id"), amount(&lot["left"]), expires]
        })
        .collect();
    if !lots.is_empty() {
        out.push('\n');
        out.push_str(&table(&["LOT", "LEFT", "EXPIRES"], &lots, &[0, 1]));
    }
    out
}

fn ledger_lines(ledger: &Value) -> String {
    let totals = &ledger["totals"];
    let mut lines: Vec<_> = [
        "treasury",
        "wallets",
        "held",
        "moving",
        "consumed",
        "expired",
        "fees",
        "uncovered",
    ]
    .into_iter()
    .map(|book| vec![book.to_owned(), amount(&totals[book])])
    .collect();
    lines.push(vec!["imbalance".to_owned(), amount(&ledger["imbalance"])]);
    table(&["BOOK", &text(ledger, "currency")], &lines, &[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gave_no_key_is_told_it_where_credit_may_have_moved_and_only_there() {
        for (status, unknown) in [(400, false), (409, false), (500, true), (503, true)] {
            let error = Refused::new(status, "why").into();
            assert_eq!(is_unknown(&error), unknown, "{status}");
        }
        assert!(is_unknown(&anyhow::anyhow!("no gateway answers at 1")));
    }

    #[test]
    fn what_is_tried_again_expires_at_the_same_moment() {
        let plain = again("k", None);
        assert!(plain.ends_with("`--idempotency-key k`"), "{plain}");
        let expiring = again("k", Some(7));
        assert!(
            expiring.ends_with("`--idempotency-key k` and say `--expires 7`"),
            "{expiring}"
        );
    }
}
