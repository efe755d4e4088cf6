//! `tollgate account`: the tree.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::account_view::{account_lines, accounts_table, archived_table};
use super::{Show, give_list, of_account};
use crate::api::{Api, path};
use crate::args::{Account, Boundaries, Boundary, KeepAnswers};
use crate::report::text;

pub(super) fn run(api: &Api, command: &Account) -> anyhow::Result<(Value, Show)> {
    Ok(match command {
        Account::Create {
            name,
            parent,
            boundaries,
        } => {
            let mut body = given(boundaries);
            body.insert("name".into(), json!(name));
            if let Some(parent) = parent {
                body.insert("parent".into(), json!(parent));
            }
            let answer = api.send("POST", "/api/accounts", Some(&Value::Object(body)))?;
            (answer, account_lines)
        }
        Account::List { archived: true, .. } => {
            (api.get("/api/archived-accounts")?, archived_table)
        }
        Account::List { account, .. } => {
            let listed = format!("/api/accounts{}", of_account(account.as_deref()));
            (api.get(&listed)?, accounts_table)
        }
        Account::Show { account } => (api.get(&of(account))?, account_lines),
        Account::Update {
            account,
            name,
            boundaries,
            enable,
            disable,
            unset,
        } => {
            let mut body = given(boundaries);
            if let Some(name) = name {
                body.insert("name".into(), json!(name));
            }
            if *enable || *disable {
                let status = if *enable { "active" } else { "suspended" };
                body.insert("status".into(), json!(status));
            }
            for boundary in unset {
                take_away(&mut body, *boundary);
            }
            (change(api, account, Value::Object(body))?, account_lines)
        }
        Account::Move { account, to } => (
            change(api, account, json!({ "parent": to }))?,
            account_lines,
        ),
        Account::Suspend { account } => (
            change(api, account, json!({ "status": "suspended" }))?,
            |answer| format!("{} is suspended.\n", text(answer, "path")),
        ),
        Account::Resume { account } => (
            change(api, account, json!({ "status": "active" }))?,
            resumed,
        ),
        Account::Delete { account, mode } => {
            let mode = mode.to_possible_value();
            let mode = mode.as_ref().map_or("refuse", |mode| mode.get_name());
            let answer = api.send("DELETE", &format!("{}?mode={mode}", of(account)), None)?;
            (answer, deleted)
        }
    })
}

fn of(account: &str) -> String {
    format!("/api/accounts/{}", path(account))
}

fn change(api: &Api, account: &str, body: Value) -> anyhow::Result<Value> {
    api.send("PATCH", &of(account), Some(&body))
}

fn resumed(answer: &Value) -> String {
    let path = text(answer, "path");
    match answer["effective"]["disabled_by"].as_str() {
        None => format!("{path} is active.\n"),
        Some(above) => format!("{path} is active, but {above} above it is not.\n"),
    }
}

fn deleted(answer: &Value) -> String {
    let path = text(answer, "path");
    let others = answer["accounts"].as_u64().unwrap_or(1).saturating_sub(1);
    let with = match others {
        0 => String::new(),
        1 => " and 1 account below it".to_owned(),
        others => format!(" and {others} accounts below it"),
    };
    match answer["state"].as_str() {
        Some("closing") => format!(
            "{path}{with}: new requests are refused; deleted when those under way have ended.\n"
        ),
        _ => format!("Deleted {path}{with}.\n"),
    }
}

/// Only what was given: what is absent stays as it is.
fn given(boundaries: &Boundaries) -> Map<String, Value> {
    let mut body = Map::new();
    for (member, list) in [
        ("models", &boundaries.models),
        ("denied_models", &boundaries.denied_models),
        ("providers", &boundaries.providers),
        ("endpoints", &boundaries.endpoints),
        ("cidrs", &boundaries.cidrs),
    ] {
        give_list(&mut body, member, list);
    }
    for (member, pairs) in [
        ("model_map", &boundaries.model_map),
        ("tags", &boundaries.tags),
    ] {
        if !pairs.is_empty() {
            let map: Map<_, _> = pairs
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect();
            body.insert(member.into(), Value::Object(map));
        }
    }
    let word = |choice: Option<clap::builder::PossibleValue>| {
        choice.map(|choice| json!(choice.get_name()))
    };
    for (member, value) in [
        ("output_cap", boundaries.output_cap.map(Value::from)),
        ("default_output", boundaries.default_output.map(Value::from)),
        ("price_factor", boundaries.price_factor.map(Value::from)),
        (
            "on_exhaust",
            word(
                boundaries
                    .on_exhaust
                    .and_then(|choice| choice.to_possible_value()),
            ),
        ),
        (
            "budget_mode",
            word(
                boundaries
                    .budget_mode
                    .and_then(|choice| choice.to_possible_value()),
            ),
        ),
        (
            "billing",
            word(
                boundaries
                    .billing
                    .and_then(|choice| choice.to_possible_value()),
            ),
        ),
        (
            "keep_answers",
            boundaries
                .keep_answers
                .map(|choice| json!(choice == KeepAnswers::Yes)),
        ),
        (
            "time_zone",
            boundaries.time_zone.as_ref().map(|text| json!(text)),
        ),
        ("alias", boundaries.alias.as_ref().map(|text| json!(text))),
        ("email", boundaries.email.as_ref().map(|text| json!(text))),
    ] {
        if let Some(value) = value {
            body.insert(member.into(), value);
        }
    }
    for (name, value) in boundaries.limits.given() {
        limit(&mut body, name, json!(value));
    }
    body
}

fn take_away(body: &mut Map<String, Value>, boundary: Boundary) {
    let Some(name) = boundary.to_possible_value() else {
        return;
    };
    let member = name.get_name().replace('-', "_");
    match boundary {
        Boundary::Tags => {
            body.insert(member, json!({}));
        }
        Boundary::Rpm
        | Boundary::Rph
        | Boundary::Rpd
        | Boundary::Tpm
        | Boundary::Tph
        | Boundary::Tpd
        | Boundary::Concurrency
        | Boundary::DailyLimit
        | Boundary::MonthlyLimit => limit(body, &member, Value::Null),
        _ => {
            body.insert(member, Value::Null);
        }
    }
}

fn limit(body: &mut Map<String, Value>, name: &str, value: Value) {
    let limits = body.entry("limits").or_insert_with(|| json!({}));
    limits[name] = value;
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    fn body(arguments: &[&str]) -> Value {
        let words = ["tollgate", "account", "update", "root"];
        let cli = Cli::parse_from(words.iter().chain(arguments));
        let Command::Account(Account::Update {
            boundaries, unset, ..
        }) = &cli.command
        else {
            panic!("{cli:?}");
        };
        let mut body = given(boundaries);
        unset
            .iter()
            .for_each(|boundary| take_away(&mut body, *boundary));
        Value::Object(body)
    }

    #[test]
    fn what_is_not_given_is_not_sent() {
        assert_eq!(body(&[]), json!({}));
    }

    #[test]
    fn an_empty_name_is_the_empty_list_which_allows_nothing() {
        assert_eq!(body(&["--model", ""]), json!({ "models": [] }));
        assert_eq!(
            body(&["--model", "a*,b", "--model", "c"]),
            json!({ "models": ["a*", "b", "c"] })
        );
    }

    #[test]
    fn every_boundary_reaches_the_member_of_its_name_set_or_unset() {
        let set = body(&[
            "--deny-model",
            "x",
            "--provider",
            "p",
            "--endpoint",
            "messages",
            "--cidr",
            "10.0.0.0/8",
            "--map",
            "a*=b",
            "--output-cap",
            "5",
            "--default-output",
            "6",
            "--price-factor",
            "1.2",
            "--on-exhaust",
            "cut",
            "--budget-mode",
            "soft",
            "--billing",
            "prepaid",
            "--keep-answers",
            "no",
            "--time-zone",
            "UTC",
            "--alias",
            "A",
            "--email",
            "a@b",
            "--tag",
            "n=v",
            "--model",
            "m",
            "--rpm",
            "1",
            "--rph",
            "2",
            "--rpd",
            "3",
            "--tpm",
            "4",
            "--tph",
            "5",
            "--tpd",
            "6",
            "--concurrency",
            "7",
            "--daily-limit",
            "8",
            "--monthly-limit",
            "9.5",
        ]);
        assert_eq!(set["price_factor"], 1_200_000);
        assert_eq!(set["limits"]["monthly_limit"], 9_500_000);
        assert_eq!(set["on_exhaust"], "cut");
        assert_eq!(set["keep_answers"], false);
        let on = body(&["--keep-answers", "yes"]);
        assert_eq!(on, json!({ "keep_answers": true }));
        let names: Vec<_> = Boundary::value_variants()
            .iter()
            .map(|boundary| boundary.to_possible_value().unwrap().get_name().to_owned())
            .collect();
        let unset = body(&["--unset", &names.join(",")]);
        let members = |value: &Value| {
            let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        assert_eq!(members(&set), members(&unset));
        assert_eq!(members(&set["limits"]), members(&unset["limits"]));
        assert!(
            unset["limits"]
                .as_object()
                .unwrap()
                .values()
                .all(Value::is_null)
        );
        assert_eq!(unset["tags"], json!({}));
        let options = "model,deny-model,provider,endpoint,cidr,map,tag";
        let members = "models,denied-models,providers,endpoints,cidrs,model-map,tags";
        assert_eq!(body(&["--unset", options]), body(&["--unset", members]));
    }
}
