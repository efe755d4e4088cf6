//! Schemas of the OpenAPI description. A test holds every answer of the API against them.

mod accounts;
mod audit;
mod credit;
mod keys;
mod state;
mod tokens;
mod traffic;
mod usage;

use serde_json::{Map, Value, json};

/// All schemas by name.
pub(crate) fn schemas() -> Value {
    let mut all = Map::new();
    for (name, schema) in shared()
        .into_iter()
        .chain(accounts::schemas())
        .chain(keys::schemas())
        .chain(tokens::schemas())
        .chain(credit::schemas())
        .chain(traffic::schemas())
        .chain(state::schemas())
        .chain(usage::schemas())
        .chain(audit::schemas())
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

/// Money that may be below zero.
fn balance(description: &str) -> Value {
    json!({ "type": "integer", "description": format!("{description} Micro-units of the base currency.") })
}

fn choice(values: &[&str]) -> Value {
    json!({ "type": "string", "enum": values })
}

fn flag(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
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

/// A list that restricts.
fn allowed(description: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" },
        "description": format!("{description} Absent: no restriction. Empty: none is allowed.") })
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
            "Price",
            object(
                json!({ "currency": text("ISO 4217."), "input": count("Micro-units per million tokens."),
                    "output": count("Reasoning included.") }),
                json!({ "cache_read": count("As `input` if absent."), "cache_write_5m": count("As `input` if absent."),
                    "cache_write_1h": count("As `cache_write_5m` if absent."),
                    "request": count("Micro-units for each call, whatever its size; none if absent."),
                    "tiers": list_of("PriceTier"),
                    "version": text("A name for this state of the price, for usage rows.") }),
            ),
        ),
        (
            "PriceTier",
            object(
                json!({ "above": count("Tokens of input, cached ones included: a longer prompt pays this, for the whole call. Ascending."),
                    "input": count("Micro-units per million tokens."), "output": count("Reasoning included.") }),
                json!({ "cache_read": count("In the proportion to `input` of the shortest prompts if absent, as those that follow."),
                    "cache_write_5m": count("Likewise."), "cache_write_1h": count("Likewise.") }),
            ),
        ),
    ]
}
