//! The commands that ask or tell a running gateway: one API request each, its answer as a table or as JSON.

mod account;
mod account_view;
mod grant;
mod key;
mod limit;
mod token;
mod traffic;

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use crate::api::{Api, segment};
use crate::args::{Command, Component, Place};
use crate::{configuration, money, report};

/// Runs one of them.
///
/// # Errors
/// No gateway answers, or it refuses; the error is its own sentence.
pub(crate) fn run(place: &Place, command: &Command) -> anyhow::Result<ExitCode> {
    let config = configuration::load(place)?;
    let api = Api::find(&config, place.management.as_deref())?;
    let (answer, show) = ask(&api, command)?;
    if place.json {
        report::json(&answer)?
    } else {
        report::print(&show(&answer))?;
        // Beside the output, so that `KEY=$(tollgate key create …)` is the key and nothing else.
        match command {
            Command::Key(_) => report::remark(&key::remark(&answer))?,
            Command::Token(_) => report::remark(&token::remark(&answer))?,
            _ => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How an answer is shown to people.
type Show = fn(&Value) -> String;

fn ask(api: &Api, command: &Command) -> anyhow::Result<(Value, Show)> {
    match command {
        Command::Account(command) => account::run(api, command),
        Command::Key(command) => key::run(api, command),
        Command::Token(command) => token::run(api, command),
        Command::Limit(command) => limit::run(api, command),
        Command::Grant(command) => grant::run(api, command),
        Command::Credential(command) => traffic::credential(api, command),
        Command::Upstream(command) => traffic::upstream(api, command),
        Command::Policy(command) => traffic::policy(api, command),
        Command::Component(Component::List) => {
            Ok((api.get("/api/components")?, traffic::components_table))
        }
        Command::Serve(_)
        | Command::Init(_)
        | Command::Usage(_)
        | Command::Audit(_)
        | Command::Component(_)
        | Command::Backup { .. }
        | Command::Restore { .. }
        | Command::Doctor => {
            anyhow::bail!("this command does not manage")
        }
    }
}

fn rows<'a>(answer: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    answer[member].as_array().into_iter().flatten()
}

/// The query that asks for what is of one account, if one is named.
fn of_account(account: Option<&str>) -> String {
    account.map_or_else(String::new, |account| {
        format!("?account={}", segment(account))
    })
}

/// Sets a member to a list that was given. One empty name is the empty list, which allows nothing.
fn give_list(body: &mut Map<String, Value>, member: &str, list: &[String]) {
    match list {
        [] => {}
        [only] if only.is_empty() => {
            body.insert(member.to_owned(), json!([]));
        }
        list => {
            body.insert(member.to_owned(), json!(list));
        }
    }
}

/// A limit's value or use: money where it is money.
fn figure(kind: &str, value: &Value) -> String {
    match value.as_u64() {
        Some(micros) if kind.ends_with("_limit") => money::show(micros.into()),
        Some(count) => count.to_string(),
        None => String::new(),
    }
}
