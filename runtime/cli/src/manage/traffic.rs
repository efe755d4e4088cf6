//! Credentials, upstreams, policies, components: where model traffic goes, and by which rules.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Show, rows};
use crate::api::{Api, segment};
use crate::args::{Credential, Policy, Upstream, UpstreamSet};
use crate::report::{list, moment, text};
use crate::secrets;
use crate::table::table;

pub(super) fn credential(api: &Api, command: &Credential) -> anyhow::Result<(Value, Show)> {
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

pub(super) fn upstream(api: &Api, command: &Upstream) -> anyhow::Result<(Value, Show)> {
    Ok(match command {
        Upstream::Set(set) => {
            let body = upstream_body(set, &api.get("/api/upstreams")?)?;
            (
                api.send(
                    "PUT",
                    &format!("/api/upstreams/{}", segment(&set.name)),
                    Some(&body),
                )?,
                |upstream| match unpriced(upstream) {
                    none if none.is_empty() => "Set.\n".to_owned(),
                    some => format!("Set. It does not serve what is {some}.\n"),
                },
            )
        }
        Upstream::List => (api.get("/api/upstreams")?, upstreams_table),
        Upstream::Delete { name } => (
            api.send("DELETE", &format!("/api/upstreams/{}", segment(name)), None)?,
            |_| "Deleted.\n".into(),
        ),
    })
}

/// What is said to set an upstream, its provider apart.
const SAID: [&str; 7] = [
    "endpoint",
    "base_url",
    "credential",
    "models",
    "tier",
    "priority",
    "config",
];

/// What is not given stays as it was, as with accounts: who set a priority anew sent all traffic from the company's proxy
/// to the vendor. Of another provider nothing stays.
fn upstream_body(set: &UpstreamSet, listed: &Value) -> anyhow::Result<Value> {
    let mut before = rows(listed, "upstreams")
        .find(|upstream| upstream["name"] == *set.name && upstream["provider"] == *set.provider)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    before.retain(|name, value| SAID.contains(&&**name) && !value.is_null());
    let mut body = Value::Object(before);
    body["provider"] = json!(set.provider);
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
    let models = set.models.iter().map(|model| match model.split_once('=') {
        Some((id, upstream_id)) => json!({ "id": id, "upstream_id": upstream_id }),
        None => json!({ "id": model }),
    });
    match &set.models_json {
        Some(text) => body["models"] = json_argument(text)?,
        None if set.models.is_empty() => {}
        None => body["models"] = models.collect(),
    }
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

pub(super) fn policy(api: &Api, command: &Policy) -> anyhow::Result<(Value, Show)> {
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
                endpoint(u),
                text(u, "base_url"),
                text(u, "credential"),
                text(u, "tier"),
                text(u, "priority"),
                models.join(","),
                state(u),
            ]
        })
        .collect();
    table(
        &[
            "NAME",
            "PROVIDER",
            "ENDPOINT",
            "BASE URL",
            "CREDENTIAL",
            "TIER",
            "PRIORITY",
            "EXTRA MODELS",
            "STATE",
        ],
        &rows,
        &[6],
    )
}

/// The endpoint that it goes to; the one that is set where it cannot be used.
fn endpoint(upstream: &Value) -> String {
    match text(upstream, "effective_endpoint") {
        none if none.is_empty() => text(upstream, "endpoint"),
        taken => taken,
    }
}

/// Whether it serves, and which of its models it does not.
fn state(upstream: &Value) -> String {
    let whole = upstream["problem"].as_str().unwrap_or("ready");
    match unpriced(upstream) {
        none if none.is_empty() => whole.to_owned(),
        some => format!("{whole}; {some}"),
    }
}

/// Its models that nobody can price; empty if there are none.
fn unpriced(upstream: &Value) -> String {
    let names: Vec<_> = rows(upstream, "unpriced_models")
        .filter_map(Value::as_str)
        .collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("without a price: {}", names.join(",")),
    }
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

pub(super) fn components_table(answer: &Value) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_of_an_upstream_stays_as_it_was() {
        let listed = json!({ "upstreams": [
            { "name": "b", "provider": "p", "priority": 1 },
            { "name": "a", "provider": "p", "priority": 0, "base_url": "http://proxy", "credential": "c", "tier": null,
              "models": [{ "id": "m" }], "effective_endpoint": "first", "updated_ms": 1, "config": null },
        ] });
        let mut set = UpstreamSet {
            name: "a".to_owned(),
            provider: "p".to_owned(),
            priority: Some(5),
            ..UpstreamSet::default()
        };
        let kept = json!({ "provider": "p", "priority": 5, "base_url": "http://proxy", "credential": "c",
            "models": [{ "id": "m" }] });
        assert_eq!(upstream_body(&set, &listed).unwrap(), kept);
        set.models = vec!["n=o".to_owned()];
        let models = &upstream_body(&set, &listed).unwrap()["models"];
        assert_eq!(*models, json!([{ "id": "n", "upstream_id": "o" }]));
        set.provider = "q".to_owned();
        set.models.clear();
        let anew = json!({ "provider": "q", "priority": 5 });
        assert_eq!(upstream_body(&set, &listed).unwrap(), anew);
    }

    #[test]
    fn an_upstream_is_listed_with_the_endpoint_that_it_takes() {
        let upstreams = json!([
            { "name": "a", "provider": "p", "priority": 0, "effective_endpoint": "first" },
            { "name": "b", "provider": "p", "priority": 0, "endpoint": "second", "problem": "no credential" },
        ]);
        let text = upstreams_table(&json!({ "upstreams": upstreams }));
        let endpoints: Vec<_> = text
            .lines()
            .map(|line| line.split_whitespace().nth(2))
            .collect();
        assert_eq!(
            endpoints,
            ["ENDPOINT", "first", "second"].map(Some),
            "{text}"
        );
    }

    #[test]
    fn an_upstream_is_listed_with_the_models_that_have_no_price() {
        let upstreams = json!([
            { "name": "whole", "provider": "p", "priority": 0 },
            { "name": "half", "provider": "p", "priority": 0, "unpriced_models": ["a", "b"] },
            { "name": "none", "provider": "p", "priority": 0, "problem": "no credential" },
        ]);
        let text = upstreams_table(&json!({ "upstreams": upstreams }));
        let states: Vec<_> = text.lines().map(|line| line.rsplit("  ").next()).collect();
        let wanted = [
            "STATE",
            "ready",
            "ready; without a price: a,b",
            "no credential",
        ];
        assert_eq!(states, wanted.map(Some), "{text}");
    }
}
