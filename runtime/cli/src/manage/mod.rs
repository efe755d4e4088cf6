//! The commands that ask or tell a running gateway: one API request each, its answer as a table or as JSON.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::api::{Api, path, segment};
use crate::args::{
    Account, Boundary, Command, Component, Credential, Key, Limits, Place, Policy, Upstream,
    UpstreamSet,
};
use crate::report::{self, list, moment, text};
use crate::table::table;
use crate::{configuration, money, secrets};

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
        report::print(&show(&answer))?
    }
    Ok(ExitCode::SUCCESS)
}

/// How an answer is shown to people.
type Show = fn(&Value) -> String;

fn ask(api: &Api, command: &Command) -> anyhow::Result<(Value, Show)> {
    match command {
        Command::Account(command) => account(api, command),
        Command::Key(command) => key(api, command),
        Command::Credential(command) => credential(api, command),
        Command::Upstream(command) => upstream(api, command),
        Command::Policy(command) => policy(api, command),
        Command::Component(Component::List) => Ok((api.get("/api/components")?, components_table)),
        Command::Serve(_) | Command::Init(_) | Command::Usage(_) | Command::Doctor => {
            anyhow::bail!("this command does not manage")
        }
    }
}

fn account(api: &Api, command: &Account) -> anyhow::Result<(Value, Show)> {
    Ok(match command {
        Account::Create {
            name,
            parent,
            limits,
        } => {
            let mut body = boundaries(limits);
            body.insert("name".into(), json!(name));
            body.insert("parent".into(), json!(parent));
            (
                api.send("POST", "/api/accounts", Some(&Value::Object(body)))?,
                account_lines,
            )
        }
        Account::List => (api.get("/api/accounts")?, accounts_table),
        Account::Show { account } => (
            api.get(&format!("/api/accounts/{}", path(account)))?,
            account_lines,
        ),
        Account::Update {
            account,
            name,
            limits,
            enable,
            disable,
            unset,
        } => {
            let mut body = boundaries(limits);
            if let Some(name) = name {
                body.insert("name".into(), json!(name));
            }
            if *enable || *disable {
                body.insert(
                    "status".into(),
                    json!(if *enable { "active" } else { "suspended" }),
                );
            }
            for boundary in unset {
                match boundary {
                    Boundary::Models => body.insert("models".into(), Value::Null),
                    Boundary::Rpm => limit(&mut body, "rpm", Value::Null),
                    Boundary::DailyLimit => limit(&mut body, "daily_limit", Value::Null),
                };
            }
            let answer = api.send(
                "PATCH",
                &format!("/api/accounts/{}", path(account)),
                Some(&Value::Object(body)),
            )?;
            (answer, account_lines)
        }
        Account::Delete { account } => (
            api.send("DELETE", &format!("/api/accounts/{}", path(account)), None)?,
            |_| "Deleted.\n".into(),
        ),
    })
}

/// Only what was given: what is absent stays as it is.
fn boundaries(limits: &Limits) -> Map<String, Value> {
    let mut body = Map::new();
    if !limits.models.is_empty() {
        body.insert("models".into(), json!(limits.models));
    }
    if let Some(rpm) = limits.rpm {
        limit(&mut body, "rpm", json!(rpm));
    }
    if let Some(money) = limits.daily_limit {
        limit(&mut body, "daily_limit", json!(money));
    }
    if !limits.tags.is_empty() {
        body.insert(
            "tags".into(),
            limits
                .tags
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect(),
        );
    }
    body
}

fn limit(body: &mut Map<String, Value>, name: &str, value: Value) -> Option<Value> {
    let limits = body.entry("limits").or_insert_with(|| json!({}));
    limits.as_object_mut()?.insert(name.to_owned(), value)
}

fn key(api: &Api, command: &Key) -> anyhow::Result<(Value, Show)> {
    Ok(match command {
        Key::Create { account, label } => {
            let body = json!({ "account": account, "label": label });
            (api.send("POST", "/api/keys", Some(&body))?, |answer| {
                format!(
                    "{}\n\nThis is the only time that the key is shown.\n",
                    text(answer, "key")
                )
            })
        }
        Key::List { account } => {
            let filter = account
                .as_ref()
                .map(|a| format!("?account={}", segment(a)))
                .unwrap_or_default();
            (api.get(&format!("/api/keys{filter}"))?, keys_table)
        }
        Key::Revoke { id } => (
            api.send("DELETE", &format!("/api/keys/{}", segment(id)), None)?,
            |_| "Revoked.\n".into(),
        ),
    })
}

fn credential(api: &Api, command: &Credential) -> anyhow::Result<(Value, Show)> {
    Ok(match command {
        Credential::Set { name, fields } => {
            let body = json!({ "fields": secrets::ask(fields)? });
            (
                api.send(
                    "PUT",
                    &format!("/api/credentials/{}", segment(name)),
                    Some(&body),
                )?,
                |_| "Stored.\n".into(),
            )
        }
        Credential::List => (api.get("/api/credentials")?, credentials_table),
        Credential::Delete { name } => (
            api.send(
                "DELETE",
                &format!("/api/credentials/{}", segment(name)),
                None,
            )?,
            |_| "Deleted.\n".into(),
        ),
    })
}

fn upstream(api: &Api, command: &Upstream) -> anyhow::Result<(Value, Show)> {
    Ok(match command {
        Upstream::Set(set) => {
            let body = upstream_body(set)?;
            (
                api.send(
                    "PUT",
                    &format!("/api/upstreams/{}", segment(&set.name)),
                    Some(&body),
                )?,
                |_| "Set.\n".into(),
            )
        }
        Upstream::List => (api.get("/api/upstreams")?, upstreams_table),
        Upstream::Delete { name } => (
            api.send("DELETE", &format!("/api/upstreams/{}", segment(name)), None)?,
            |_| "Deleted.\n".into(),
        ),
    })
}

fn upstream_body(set: &UpstreamSet) -> anyhow::Result<Value> {
    let mut body = json!({ "provider": set.provider });
    let optional = [
        ("endpoint", set.endpoint.as_ref().map(|text| json!(text))),
        ("base_url", set.base_url.as_ref().map(|text| json!(text))),
        (
            "credential",
            set.credential.as_ref().map(|text| json!(text)),
        ),
        ("tier", set.tier.as_ref().map(|tier| json!(tier))),
        ("priority", set.priority.map(|number| json!(number))),
        (
            "config",
            set.component_config
                .as_deref()
                .map(json_argument)
                .transpose()?,
        ),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    body["models"] = match &set.models_json {
        Some(text) => json_argument(text)?,
        None => set
            .models
            .iter()
            .map(|model| match model.split_once('=') {
                Some((id, upstream_id)) => json!({ "id": id, "upstream_id": upstream_id }),
                None => json!({ "id": model }),
            })
            .collect(),
    };
    Ok(body)
}

/// JSON text, or `@FILE` for the JSON in a file.
fn json_argument(text: &str) -> anyhow::Result<Value> {
    match text.strip_prefix('@') {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| file.to_owned())?;
            serde_json::from_str(&text).with_context(|| format!("{file} is not JSON"))
        }
        None => serde_json::from_str(text).with_context(|| format!("{text:?} is not JSON")),
    }
}

fn policy(api: &Api, command: &Policy) -> anyhow::Result<(Value, Show)> {
    Ok(match command {
        Policy::Attach {
            id,
            component,
            account,
            component_config,
            order,
        } => {
            let mut body = json!({ "component": component, "account": account, "config": json_argument(component_config)? });
            if let Some(order) = order {
                body["order"] = json!(order);
            }
            (
                api.send(
                    "PUT",
                    &format!("/api/policies/{}", segment(id)),
                    Some(&body),
                )?,
                |_| "Attached.\n".into(),
            )
        }
        Policy::List => (api.get("/api/policies")?, policies_table),
        Policy::Detach { id } => (
            api.send("DELETE", &format!("/api/policies/{}", segment(id)), None)?,
            |_| "Detached.\n".into(),
        ),
    })
}

fn rows<'a>(answer: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    answer[member].as_array().into_iter().flatten()
}

fn accounts_table(answer: &Value) -> String {
    let rows: Vec<_> = rows(answer, "accounts")
        .map(|account| {
            vec![
                text(account, "path"),
                text(account, "id"),
                text(account, "status"),
                list(&account["models"]),
                text(&account["limits"], "rpm"),
                account["limits"]["daily_limit"]
                    .as_u64()
                    .map(|m| money::show(m.into()))
                    .unwrap_or_default(),
            ]
        })
        .collect();
    table(
        &["PATH", "ID", "STATUS", "MODELS", "RPM", "DAILY LIMIT"],
        &rows,
        &[4, 5],
    )
}

fn account_lines(account: &Value) -> String {
    let effective = &account["effective"];
    let limits = rows(effective, "limits").map(|limit| {
        let value = match limit["kind"].as_str() {
            Some("daily_limit") => money::show(limit["value"].as_u64().unwrap_or(0).into()),
            _ => text(limit, "value"),
        };
        vec![
            format!("{} of {}", text(limit, "kind"), text(limit, "source")),
            value,
        ]
    });
    let models = rows(effective, "models").map(|rule| {
        vec![
            format!("models of {}", text(rule, "source")),
            list(&rule["models"]),
        ]
    });
    let lines: Vec<_> = [
        vec!["path".to_owned(), text(account, "path")],
        vec!["id".to_owned(), text(account, "id")],
        vec!["status".to_owned(), text(account, "status")],
        vec![
            "in use".to_owned(),
            if effective["enabled"] == json!(true) {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
        ],
    ]
    .into_iter()
    .chain(models)
    .chain(limits)
    .collect();
    table(&["", ""], &lines, &[]).trim_start().to_owned()
}

fn keys_table(answer: &Value) -> String {
    let rows: Vec<_> = rows(answer, "keys")
        .map(|key| {
            let state = if key["revoked_ms"].is_null() {
                "active"
            } else {
                "revoked"
            };
            vec![
                text(key, "id"),
                text(key, "prefix"),
                text(key, "path"),
                text(key, "label"),
                moment(&key["created_ms"]),
                state.to_owned(),
            ]
        })
        .collect();
    table(
        &["ID", "KEY", "ACCOUNT", "LABEL", "CREATED", "STATE"],
        &rows,
        &[],
    )
}

fn credentials_table(answer: &Value) -> String {
    let rows: Vec<_> = rows(answer, "credentials")
        .map(|c| {
            vec![
                text(c, "name"),
                list(&c["fields"]),
                list(&c["used_by"]),
                moment(&c["updated_ms"]),
            ]
        })
        .collect();
    table(&["NAME", "FIELDS", "USED BY", "SET"], &rows, &[])
}

fn upstreams_table(answer: &Value) -> String {
    let rows: Vec<_> = rows(answer, "upstreams")
        .map(|u| {
            let models: Vec<_> = rows(u, "models").map(|m| text(m, "id")).collect();
            vec![
                text(u, "name"),
                text(u, "provider"),
                text(u, "endpoint"),
                text(u, "credential"),
                text(u, "tier"),
                text(u, "priority"),
                models.join(","),
                u["problem"].as_str().unwrap_or("ready").to_owned(),
            ]
        })
        .collect();
    table(
        &[
            "NAME",
            "PROVIDER",
            "ENDPOINT",
            "CREDENTIAL",
            "TIER",
            "PRIORITY",
            "EXTRA MODELS",
            "STATE",
        ],
        &rows,
        &[5],
    )
}

fn policies_table(answer: &Value) -> String {
    let rows: Vec<_> = rows(answer, "policies")
        .map(|p| {
            vec![
                text(p, "id"),
                text(p, "component"),
                text(p, "path"),
                text(p, "order"),
                text(p, "config"),
                p["problem"].as_str().unwrap_or("ready").to_owned(),
            ]
        })
        .collect();
    table(
        &["ID", "COMPONENT", "ACCOUNT", "ORDER", "CONFIG", "STATE"],
        &rows,
        &[3],
    )
}

pub(crate) fn components_table(answer: &Value) -> String {
    let loaded = rows(answer, "loaded").map(|c| {
        let digest: String = text(c, "digest").chars().take(12).collect();
        vec![
            text(c, "id"),
            text(c, "kind"),
            text(c, "file"),
            digest,
            list(&c["exports"]),
        ]
    });
    let failed = rows(answer, "failed").map(|f| {
        vec![
            String::new(),
            "failed".to_owned(),
            text(f, "file"),
            String::new(),
            text(f, "reason"),
        ]
    });
    let rows: Vec<_> = loaded.chain(failed).collect();
    table(&["ID", "KIND", "FILE", "SHA-256", "EXPORTS"], &rows, &[])
}
