//! Schemas of the OpenAPI description. A test holds every answer of the API against them.

use serde_json::{Map, Value, json};

/// All schemas by name.
pub(crate) fn schemas() -> Value {
    let mut all = Map::new();
    for (name, schema) in shared()
        .into_iter()
        .chain(accounts())
        .chain(traffic())
        .chain(state())
    {
        all.insert(name.to_owned(), schema);
    }
    Value::Object(all)
}

type Named = (&'static str, Value);

/// An object: required members, then optional ones.
fn object(required: Value, optional: Value) -> Value {
    let names: Vec<String> = required
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect();
    let mut properties = required.as_object().cloned().unwrap_or_default();
    properties.extend(optional.as_object().cloned().unwrap_or_default());
    json!({ "type": "object", "required": names, "properties": properties, "additionalProperties": false })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn count(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn moment() -> Value {
    json!({ "type": "integer", "minimum": 0, "description": "Milliseconds since 1970, UTC." })
}

fn money(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": format!("{description} Micro-units of the base currency.") })
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn list_of(name: &str) -> Value {
    json!({ "type": "array", "items": reference(name) })
}

fn nullable(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn tags() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "string" } })
}

fn models() -> Value {
    json!({ "type": "array", "items": { "type": "string" },
        "description": "Model names and patterns with `*`. Absent: no restriction. Empty: none is allowed." })
}

fn shared() -> Vec<Named> {
    let anything = json!({ "description": "Any JSON." });
    vec![
        ("Anything", anything),
        (
            "Refusal",
            object(
                json!({ "error": object(
                    json!({ "message": text("A whole sentence.") }),
                    json!({ "field": text("The member of the request that is to blame, as a dotted path.") }),
                ) }),
                json!({}),
            ),
        ),
        (
            "Deleted",
            object(
                json!({ "deleted": text("Name or id of what was deleted.") }),
                json!({}),
            ),
        ),
        (
            "Limits",
            object(
                json!({}),
                json!({ "rpm": count("Requests in any 60 seconds."), "daily_limit": money("Money per calendar day.") }),
            ),
        ),
        (
            "LimitsPatch",
            object(
                json!({}),
                json!({ "rpm": nullable(count("Requests in any 60 seconds.")),
                    "daily_limit": nullable(money("Money per calendar day.")) }),
            ),
        ),
        (
            "Price",
            object(
                json!({ "currency": text("ISO 4217."), "input": count("Micro-units per million tokens."),
                    "output": count("Reasoning included.") }),
                json!({ "cache_read": count("As `input` if absent."), "cache_write_5m": count("As `input` if absent."),
                    "cache_write_1h": count("As `cache_write_5m` if absent.") }),
            ),
        ),
    ]
}

fn accounts() -> Vec<Named> {
    let status = json!({ "type": "string", "enum": ["active", "suspended"] });
    let effective = object(
        json!({
            "enabled": { "type": "boolean", "description": "Whether every account of the path is active." },
            "models": { "type": "array", "items": object(
                json!({ "source": text("Path of the account that set it."), "models": models() }), json!({})) },
            "limits": { "type": "array", "items": object(
                json!({ "source": text("Path of the account that set it, whose subtree it counts."),
                    "kind": { "type": "string", "enum": ["rpm", "daily_limit"] }, "value": count("Requests or micro-units.") }),
                json!({})) },
            "spent_today": money("Spent by the subtree in the current day."),
            "held": money("Held for its running requests."),
        }),
        json!({}),
    );
    let key = json!({
        "id": text("UUID."), "account": text("UUID of the account."), "path": text("Path of the account."),
        "label": text("What people call it."), "prefix": text("Beginning of the key, to recognise it."),
        "created_ms": moment(),
    });
    let mut issued = key.clone();
    issued["key"] = text("The key. Shown in this answer only.");
    vec![
        (
            "Account",
            object(
                json!({ "id": text("UUID."), "name": text("Unique among siblings."), "path": text("`root/dept/alice`."),
                    "status": status, "limits": reference("Limits"), "created_ms": moment(), "updated_ms": moment(),
                    "effective": effective }),
                json!({ "parent": text("UUID of the account above."), "alias": text("A friendlier name."),
                    "email": text("Whom to write to."), "tags": tags(), "models": models(),
                    "time_zone": text("IANA zone of its days; on the root only.") }),
            ),
        ),
        (
            "AccountList",
            object(json!({ "accounts": list_of("Account") }), json!({})),
        ),
        (
            "NewAccount",
            object(
                json!({ "name": text("Unique among siblings; no `/`.") }),
                json!({ "parent": text("Id or path; the root if absent."), "alias": text("A friendlier name."),
                    "email": text("Whom to write to."), "tags": tags(), "models": nullable(models()),
                    "limits": reference("Limits") }),
            ),
        ),
        (
            "AccountPatch",
            object(
                json!({}),
                json!({ "name": text("A new name."), "parent": text("Id or path: moves the whole subtree."),
                    "alias": nullable(text("A friendlier name.")), "email": nullable(text("Whom to write to.")),
                    "tags": tags(), "status": { "type": "string", "enum": ["active", "suspended"] },
                    "models": nullable(models()), "limits": reference("LimitsPatch"),
                    "time_zone": nullable(text("IANA zone of its days; on the root only.")) }),
            ),
        ),
        (
            "NewKey",
            object(
                json!({ "account": text("Id or path.") }),
                json!({ "label": text("What people call it.") }),
            ),
        ),
        ("Key", object(key, json!({ "revoked_ms": moment() }))),
        ("IssuedKey", object(issued, json!({}))),
        (
            "KeyList",
            object(json!({ "keys": list_of("Key") }), json!({})),
        ),
        (
            "NewCredential",
            object(
                json!({ "fields": { "type": "object", "additionalProperties": { "type": "string", "writeOnly": true },
                    "description": "Secrets by field name." } }),
                json!({}),
            ),
        ),
        (
            "Credential",
            object(
                json!({ "name": text("Chosen by the operator."), "fields": texts(), "used_by": texts(),
                    "created_ms": moment(), "updated_ms": moment() }),
                json!({}),
            ),
        ),
        (
            "CredentialList",
            object(json!({ "credentials": list_of("Credential") }), json!({})),
        ),
    ]
}

fn traffic() -> Vec<Named> {
    let draft = |tier: Value| {
        json!({ "endpoint": nullable(text("The provider's endpoint; its first if absent.")),
            "base_url": nullable(text("Instead of the endpoint's.")), "credential": nullable(text("Name of a credential.")),
            "models": list_of("UpstreamModel"), "tier": tier,
            "priority": { "type": "integer", "description": "Higher is tried first." },
            "config": reference("Anything") })
    };
    let tier = || nullable(text("The operator's label, which routing policies read."));
    let mut upstream = draft(tier());
    upstream["problem"] = text("Why it cannot be used now.");
    vec![
        (
            "UpstreamModel",
            object(
                json!({ "id": text("The name clients ask for.") }),
                json!({ "upstream_id": text("The name the vendor knows."), "operations": texts(),
                    "price": reference("Price"), "context_window": count("Tokens."),
                    "max_output_tokens": count("Tokens.") }),
            ),
        ),
        (
            "UpstreamDraft",
            object(
                json!({ "provider": text("Provider component.") }),
                draft(tier()),
            ),
        ),
        (
            "Upstream",
            object(
                json!({ "name": text("Chosen by the operator."), "provider": text("Provider component."),
                    "created_ms": moment(), "updated_ms": moment() }),
                upstream,
            ),
        ),
        (
            "UpstreamList",
            object(json!({ "upstreams": list_of("Upstream") }), json!({})),
        ),
        (
            "PolicyDraft",
            object(
                json!({ "component": text("File stem of the component.") }),
                json!({ "account": nullable(text("Id or path; the root if absent.")), "config": reference("Anything"),
                    "order": { "type": "integer", "description": "Among those of one account, lower runs first." } }),
            ),
        ),
        (
            "Policy",
            object(
                json!({ "id": text("Chosen by the operator."), "component": text("File stem of the component."),
                    "account": text("UUID of the account."), "path": text("Path of the account."),
                    "config": reference("Anything"), "order": { "type": "integer" },
                    "created_ms": moment(), "updated_ms": moment() }),
                json!({ "problem": text("Why it cannot be asked now; until then it denies everything.") }),
            ),
        ),
        (
            "PolicyList",
            object(json!({ "policies": list_of("Policy") }), json!({})),
        ),
    ]
}

fn state() -> Vec<Named> {
    let tokens = json!({
        "input": count("Neither read from nor written to a cache."), "cache_read": count("Tokens."),
        "cache_write_5m": count("Tokens."), "cache_write_1h": count("Tokens."),
        "output": count("Reasoning included."), "reasoning": count("Part of `output`."),
    });
    let mut usage = tokens.clone();
    usage["estimated"] =
        json!({ "type": "boolean", "description": "Whether the vendor did not tell." });
    vec![
        (
            "ComponentList",
            object(
                json!({
                    "loaded": { "type": "array", "items": object(
                        json!({ "id": text("Provider id or file stem."),
                            "kind": { "type": "string", "enum": ["provider", "policy"] },
                            "file": text("In the components folder."), "digest": text("SHA-256, hex."), "exports": texts() }),
                        json!({ "manifest": reference("Anything") })) },
                    "failed": { "type": "array", "items": object(
                        json!({ "file": text("In the components folder."), "reason": text("Why.") }), json!({})) },
                }),
                json!({}),
            ),
        ),
        (
            "UsageRow",
            object(
                json!({
                    "request_id": text("UUID."), "admitted_ms": moment(), "ended_ms": moment(),
                    "account": text("Path of the account at that time."), "account_id": text("UUID."), "tags": tags(),
                    "key": text("UUID."), "key_label": text("At that time."), "operation": text("`messages` …"),
                    "dialect": text("The client's."), "requested_model": text("By the client."),
                    "upstream_model": text("Of the vendor."), "provider": text("Component."), "upstream": text("Name."),
                    "credential": text("Name."), "stream": { "type": "boolean" }, "status": count("HTTP status."),
                    "error": text("Failure class; empty if none."), "limited_by": text("`rpm@root/dept`; empty if none."),
                    "usage": object(usage, json!({})), "charged": money("Charged."), "hold": money("Held before dispatch."),
                    "base_cost": money("What the price alone says."), "price_version": text("Names the price it was charged at."),
                    "recovered": { "type": "boolean" },
                    "total_ms": count("To the last byte."), "retries": count("Attempts after the first."),
                    "session": text("The client's; empty if none."),
                    "policies": { "type": "array", "items": object(
                        json!({ "component": text("File stem."), "digest": text("SHA-256, hex.") }), json!({})) },
                }),
                json!({ "ttfb_ms": count("To the first byte.") }),
            ),
        ),
        (
            "UsagePage",
            object(
                json!({
                    "rows": list_of("UsageRow"),
                    "totals": object(
                        json!({ "requests": count("Rows that fit."), "usage": object(tokens, json!({})),
                            "charged": money("Charged.") }),
                        json!({})),
                    "currency": text("The base currency."),
                }),
                json!({}),
            ),
        ),
        (
            "Status",
            object(
                json!({
                    "version": text("Of the gateway."), "started_ms": moment(), "now_ms": moment(),
                    "counts": { "type": "object", "additionalProperties": { "type": "integer" } },
                    "problems": { "type": "array", "items": object(
                        json!({ "what": text("What cannot be used."), "why": text("One sentence.") }), json!({})) },
                }),
                json!({}),
            ),
        ),
    ]
}
