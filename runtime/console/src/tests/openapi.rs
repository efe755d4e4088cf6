//! The description is true: it names every route, and every answer has the shape it says.

use serde_json::{Value, json};

use super::World;
use super::auth::concrete;
use crate::openapi::describe;
use crate::routes::table;

/// Checks a value against a schema, as far as our schemas go; says where it does not fit.
fn check(all: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        let target = &all["components"]["schemas"][name];
        assert!(target.is_object(), "{reference} leads nowhere");
        return check(all, target, value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return if any.iter().any(|one| check(all, one, value, at).is_ok()) {
            Ok(())
        } else {
            Err(format!("{at}: {value}"))
        };
    }
    if let Some(list) = schema["enum"].as_array()
        && !list.contains(value)
    {
        return Err(format!("{at}: {value} is not one of {list:?}"));
    }
    match schema["type"].as_str() {
        None => Ok(()),
        Some("string") if value.is_string() => Ok(()),
        Some("boolean") if value.is_boolean() => Ok(()),
        Some("null") if value.is_null() => Ok(()),
        Some("integer") if value.is_u64() || (value.is_i64() && schema["minimum"].is_null()) => {
            Ok(())
        }
        Some("array") if value.is_array() => value
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .try_for_each(|(i, item)| check(all, &schema["items"], item, &format!("{at}[{i}]"))),
        Some("object") if value.is_object() => object(all, schema, value, at),
        Some(kind) => Err(format!("{at}: {value} is not of type {kind}")),
    }
}

fn object(all: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        if value.get(name).is_none() {
            return Err(format!("{at}: {name} is missing in {value}"));
        }
    }
    for (name, member) in value.as_object().unwrap() {
        let at = format!("{at}.{name}");
        match schema["properties"].get(name) {
            Some(property) => check(all, property, member, &at)?,
            None if schema["additionalProperties"].is_object() => {
                check(all, &schema["additionalProperties"], member, &at)?
            }
            None => return Err(format!("{at} is not described")),
        }
    }
    Ok(())
}

#[test]
fn every_route_is_described_and_nothing_else_is() {
    let description = describe();
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            described.push((path.clone(), method.clone()));
            assert!(
                !operation["summary"].as_str().unwrap().is_empty(),
                "{method} {path}"
            );
            assert!(operation["operationId"].is_string());
            assert_eq!(
                path.matches('{').count(),
                operation["parameters"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|p| p["in"] == "path")
                    .count(),
                "{path}"
            );
        }
    }
    let mut routes: Vec<_> = table()
        .iter()
        .map(|r| (r.path.replace("{*", "{"), r.method.to_owned()))
        .collect();
    routes.sort();
    described.sort();
    assert_eq!(described, routes);
    let mut ids: Vec<_> = table().iter().map(|r| r.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), routes.len(), "operation ids are unique");
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(all: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref") {
                    let pointer = reference.as_str().unwrap().trim_start_matches('#');
                    assert!(all.pointer(pointer).is_some(), "{reference}");
                }
                members.values().for_each(|member| walk(all, member));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(all, item)),
            _ => {}
        }
    }
    let all = describe();
    walk(&all, &all);
}

#[tokio::test]
async fn every_route_answers_and_not_with_no_such_path() {
    let world = World::new();
    for route in table() {
        let (status, text) = world
            .send(world.request(
                &route.method.to_uppercase(),
                &concrete(route.path),
                Some(&json!({})),
            ))
            .await;
        assert_ne!(status, 405, "{} {}", route.method, route.path);
        assert!(
            !text.contains("there is nothing at this path"),
            "{} {}",
            route.method,
            route.path
        );
        assert_ne!(status, 500, "{} {}: {text}", route.method, route.path);
    }
}

#[tokio::test]
async fn every_answer_has_the_shape_that_is_described() {
    let world = World::new();
    let key = world.furnish().await;
    let id = key["id"].as_str().unwrap();
    world.used("root/sales");
    let token = json!({ "account": "root/sales", "role": "manage" });
    let token = world.done("POST", "/api/tokens", token).await;
    let token = token["id"].as_str().unwrap();
    let all = describe();
    let account = json!({ "name": "temp", "parent": "root", "alias": "T", "email": "t@example.org", "models": ["m*"],
        "denied_models": ["x"], "providers": ["self"], "endpoints": ["messages"], "cidrs": ["10.0.0.0/8"],
        "model_map": { "a*": "b" }, "output_cap": 5, "default_output": 4, "price_factor": 1_100_000,
        "on_exhaust": "cut", "budget_mode": "soft", "billing": "prepaid", "keep_answers": false, "tags": { "a": "b" },
        "limits": { "rpm": 1, "rph": 2, "rpd": 3, "tpm": 4, "tph": 5, "tpd": 6, "concurrency": 7, "daily_limit": 8,
            "monthly_limit": 9 },
        "model_limits": { "m*": { "rpm": 1 } } });
    let far = 9_000_000_000_000_u64;
    let copy = world.folder.path().join("copy");
    let upstream = json!({ "provider": "self", "endpoint": "other", "base_url": "https://x.invalid", "tier": "cheap",
        "priority": -3, "models": [{ "id": "m", "upstream_id": "n", "operations": ["chat-completions"],
            "price": { "currency": "USD", "input": 1, "output": 2, "cache_read": 3, "request": 4, "version": "a",
                "tiers": [{ "above": 5, "input": 2, "output": 3, "cache_read": 1 }] }, "context_window": 5 },
            { "id": "unpriced" }] });
    // One request for each operation, in an order in which each succeeds.
    let requests = [
        ("createAccount", "/api/accounts".to_owned(), account),
        ("listAccounts", "/api/accounts".to_owned(), Value::Null),
        (
            "showAccount",
            "/api/accounts/root/temp".to_owned(),
            Value::Null,
        ),
        (
            "updateAccount",
            "/api/accounts/root/temp".to_owned(),
            json!({ "alias": null, "status": "suspended", "model_limits": { "m*": null } }),
        ),
        (
            "changeLimits",
            "/api/limits/root/temp".to_owned(),
            json!({ "limits": { "rpm": null, "tpm": 9 }, "model_limits": { "n*": { "rpd": 1 } } }),
        ),
        (
            "showLimits",
            "/api/limits/root/temp".to_owned(),
            Value::Null,
        ),
        (
            "grant",
            "/api/grants".to_owned(),
            json!({ "account": "root/temp", "amount": 9, "idempotency_key": "k", "from": "treasury",
                "expires_ms": far }),
        ),
        (
            "reclaim",
            "/api/reclaims".to_owned(),
            json!({ "account": "root/temp", "amount": 4, "idempotency_key": "l", "to": "parent" }),
        ),
        (
            "showWallet",
            "/api/wallets/root/temp".to_owned(),
            Value::Null,
        ),
        ("showLedger", "/api/ledger".to_owned(), Value::Null),
        (
            "deleteAccount",
            "/api/accounts/root/temp?mode=cascade".to_owned(),
            Value::Null,
        ),
        (
            "listArchivedAccounts",
            "/api/archived-accounts".to_owned(),
            Value::Null,
        ),
        (
            "createKey",
            "/api/keys".to_owned(),
            json!({ "account": "root", "label": "l", "not_before_ms": 5, "expires_ms": far,
                "scope": { "models": ["m*"], "providers": [], "endpoints": ["messages"], "cidrs": ["::/0"] } }),
        ),
        (
            "rotateKey",
            format!("/api/keys/{id}/rotate"),
            json!({ "grace_ms": 60_000 }),
        ),
        ("showKey", format!("/api/keys/{id}"), Value::Null),
        (
            "revokeKey",
            format!("/api/keys/{id}?kill=true"),
            Value::Null,
        ),
        (
            "listKeys",
            "/api/keys?account=root/sales".to_owned(),
            Value::Null,
        ),
        (
            "createToken",
            "/api/tokens".to_owned(),
            json!({ "account": "root", "role": "read", "label": "l", "expires_ms": far }),
        ),
        ("listTokens", "/api/tokens".to_owned(), Value::Null),
        ("showToken", format!("/api/tokens/{token}"), Value::Null),
        ("revokeToken", format!("/api/tokens/{token}"), Value::Null),
        (
            "setCredential",
            "/api/credentials/spare".to_owned(),
            json!({ "fields": { "a": "b", "c": "d" } }),
        ),
        (
            "listCredentials",
            "/api/credentials".to_owned(),
            Value::Null,
        ),
        (
            "deleteCredential",
            "/api/credentials/spare".to_owned(),
            Value::Null,
        ),
        ("setUpstream", "/api/upstreams/third".to_owned(), upstream),
        ("listUpstreams", "/api/upstreams".to_owned(), Value::Null),
        (
            "showUpstream",
            "/api/upstreams/third".to_owned(),
            Value::Null,
        ),
        (
            "deleteUpstream",
            "/api/upstreams/third".to_owned(),
            Value::Null,
        ),
        (
            "attachPolicy",
            "/api/policies/q".to_owned(),
            json!({ "component": "rule", "order": -1 }),
        ),
        ("listPolicies", "/api/policies".to_owned(), Value::Null),
        ("showPolicy", "/api/policies/q".to_owned(), Value::Null),
        ("detachPolicy", "/api/policies/q".to_owned(), Value::Null),
        ("listComponents", "/api/components".to_owned(), Value::Null),
        ("listUsage", "/api/usage?limit=5".to_owned(), Value::Null),
        (
            "reportUsage",
            "/api/usage/report?by=account,key,provider,model,tag:cc&span=day".to_owned(),
            Value::Null,
        ),
        (
            "backUp",
            "/api/backup".to_owned(),
            json!({ "folder": copy }),
        ),
        ("status", "/api/status".to_owned(), Value::Null),
        (
            "checkpointAudit",
            "/api/audit/checkpoint".to_owned(),
            Value::Null,
        ),
        (
            "listAudit",
            "/api/audit?after=1&limit=1000".to_owned(),
            Value::Null,
        ),
        ("describe", "/api/openapi.json".to_owned(), Value::Null),
    ];
    let mut left: Vec<&str> = table()
        .iter()
        .map(|route| route.id)
        .filter(|id| !["page", "exportUsage"].contains(id))
        .collect();
    for (operation, path, body) in requests {
        let route = table()
            .into_iter()
            .find(|route| route.id == operation)
            .unwrap();
        let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        if let Some(name) = route.request {
            check(&all, &schema(name), &body, operation).unwrap();
        }
        let (status, answer) = world
            .call(
                &route.method.to_uppercase(),
                &path,
                (!body.is_null()).then_some(&body),
            )
            .await;
        assert_eq!(status, route.answer.0, "{operation}: {answer}");
        check(&all, &schema(route.answer.1.unwrap()), &answer, operation).unwrap();
        for list in [
            "rows", "lines", "accounts", "keys", "tokens", "lots", "entries",
        ] {
            let empty = answer[list].as_array().is_some_and(Vec::is_empty);
            assert!(
                !empty,
                "{operation}: no {list}, so their shape was not looked at"
            );
        }
        left.retain(|id| *id != operation);
    }
    assert!(left.is_empty(), "not tried: {left:?}");
    let (_, refusal) = world.call("GET", "/api/accounts/none", None).await;
    check(
        &all,
        &json!({ "$ref": "#/components/schemas/Refusal" }),
        &refusal,
        "refusal",
    )
    .unwrap();
}
