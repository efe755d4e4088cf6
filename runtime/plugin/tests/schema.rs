//! The schema that vendors read and the reader that the host uses say the same.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use serde_json::{Value, json};
use tollgate_plugin::Manifest;

fn schema() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../wit/0.1.0/manifest.schema.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// As much of JSON Schema as the file uses for shapes: `$ref`, `required`, `type`, `properties`, `items`.
fn fits(schema: &Value, part: &Value, value: &Value) -> Result<(), String> {
    if let Some(name) = part.get("$ref").and_then(Value::as_str) {
        let target = schema
            .pointer(name.trim_start_matches('#'))
            .ok_or(format!("no {name}"))?;
        fits(schema, target, value)?;
    }
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    };
    match part.get("type") {
        Some(Value::String(kind)) if !is(kind) => return Err(format!("{value} is no {kind}")),
        Some(Value::Array(kinds)) if !kinds.iter().any(|kind| is(kind.as_str().unwrap())) => {
            return Err(format!("{value} is none of {kinds:?}"));
        }
        _ => {}
    }
    for name in part
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        value
            .get(name.as_str().unwrap())
            .ok_or(format!("{name} is missing in {value}"))?;
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        if let Some(part) = part.pointer(&format!("/properties/{name}")) {
            fits(schema, part, member)?;
        }
    }
    for item in value.as_array().into_iter().flatten() {
        if let Some(part) = part.get("items") {
            fits(schema, part, item)?;
        }
    }
    Ok(())
}

/// The part of the schema for a place in a manifest.
fn at<'a>(schema: &'a Value, place: &str) -> &'a Value {
    let mut part = schema;
    for step in place.split('/').skip(1) {
        part = match step.parse::<usize>() {
            Ok(_) => &part["items"],
            Err(_) => &part["properties"][step],
        };
        if let Some(name) = part.get("$ref").and_then(Value::as_str) {
            part = schema.pointer(name.trim_start_matches('#')).unwrap();
        }
    }
    part
}

fn full() -> Value {
    json!({
        "id": "vendor", "name": "Vendor", "later": { "unknown": true },
        "endpoints": [{ "name": "eu", "base_url": "https://eu.vendor.example/api", "region": "eu", "plan": "metered",
            "operations": ["chat-completions", "messages"] }],
        "credential": { "fields": [{ "name": "api-key", "label": "API key", "secret": true, "required": true }] },
        "models": [{ "id": "m1", "aliases": ["m"], "context_window": 200000, "max_output_tokens": 8000,
            "operations": ["messages"], "abilities": ["tools"],
            "price": { "currency": "USD", "input": 3000000, "cache_read": 300000, "cache_write_5m": 3750000,
                "cache_write_1h": 6000000, "output": 15000000, "request": 100, "version": "2026-11",
                "tiers": [{ "above": 200000, "input": 6000000, "cache_read": 600000, "cache_write_5m": 7500000,
                    "cache_write_1h": 12000000, "output": 22500000 }] } }],
        "any_model": false,
        "usage": { "stream_pointers": ["/choices/0/usage"], "pointers": ["/usage"], "cached_tokens_pointers": ["/cached_tokens"] },
        "configuration_schema": {}
    })
}

#[test]
fn what_the_schema_requires_the_host_requires_and_nothing_else() {
    let schema = schema();
    let everything = full();
    assert_eq!(fits(&schema, &schema, &everything), Ok(()));
    let manifest = Manifest::parse(&everything.to_string()).unwrap();
    // Every member that the host knows is described, and the other way round.
    let known = serde_json::to_value(&manifest).unwrap();
    let mut described: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    let mut read: Vec<_> = known.as_object().unwrap().keys().collect();
    described.sort();
    read.sort();
    assert_eq!(described, read);
    for (place, members) in [
        ("/endpoints/0", &known["endpoints"][0]),
        ("/credential/fields/0", &known["credential"]["fields"][0]),
        ("/models/0", &known["models"][0]),
        ("/models/0/price", &known["models"][0]["price"]),
        (
            "/models/0/price/tiers/0",
            &known["models"][0]["price"]["tiers"][0],
        ),
        ("/usage", &known["usage"]),
    ] {
        let mut described: Vec<_> = at(&schema, place)["properties"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        let mut read: Vec<_> = members.as_object().unwrap().keys().collect();
        described.sort();
        read.sort();
        assert_eq!(described, read, "{place}");
    }

    // Taking any single member away is a mistake for both or for neither.
    let paths = [
        "",
        "/endpoints/0",
        "/credential/fields/0",
        "/models/0",
        "/models/0/price",
        "/models/0/price/tiers/0",
    ];
    for path in paths {
        let members: Vec<_> = everything
            .pointer(path)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        for member in members {
            let mut without = everything.clone();
            without
                .pointer_mut(path)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(&member);
            let by_schema = fits(&schema, &schema, &without);
            let by_host = Manifest::parse(&without.to_string());
            let no_models = path.is_empty() && member == "models";
            let by_field_use = path.is_empty() && member == "credential";
            assert!(
                by_schema.is_ok() == by_host.is_ok() || no_models || by_field_use,
                "{path}/{member}: schema {by_schema:?}, host {by_host:?}"
            );
        }
    }
}

#[test]
fn the_fixtures_of_these_tests_fit_the_schema() {
    let schema = schema();
    let manifest: Value = serde_json::from_str(&common::manifest("vendor")).unwrap();
    assert_eq!(fits(&schema, &schema, &manifest), Ok(()));
}

#[test]
fn mistakes_are_named() {
    let refuse = |pointer: &str, value: Value| {
        let mut manifest = full();
        *manifest.pointer_mut(pointer).unwrap() = value;
        Manifest::parse(&manifest.to_string()).unwrap_err()
    };
    for (pointer, value, why) in [
        ("/id", json!("Up Case"), "manifest.id"),
        ("/id", json!(""), "manifest.id"),
        ("/name", json!(" "), "manifest.name"),
        ("/endpoints", json!([]), "endpoints is empty"),
        ("/endpoints/0/base_url", json!("vendor.example"), "base_url"),
        (
            "/endpoints/0/base_url",
            json!("https://user@vendor.example"),
            "no plain host",
        ),
        (
            "/endpoints/0/base_url",
            json!("https:///x"),
            "no plain host",
        ),
        (
            "/endpoints/0/base_url",
            json!("https://v.example/?x"),
            "base_url",
        ),
        (
            "/endpoints/0/base_url",
            json!("https://v.example/api/"),
            "ends with `/`",
        ),
        ("/endpoints/0/operations", json!([]), "operations is empty"),
        ("/models", json!([]), "models is empty"),
        ("/models/0/aliases", json!(["m1"]), "`m1` is there twice"),
        ("/models/0/price/input", json!(-1), "price"),
        ("/models/0/price/input", json!(1.5), "price"),
        ("/models/0/price/currency", json!("usd"), "ISO 4217"),
        ("/usage/pointers", json!(["usage"]), "JSON Pointer"),
        ("/any_model", json!("yes"), "any_model"),
    ] {
        let error = refuse(pointer, value);
        let last = pointer.rsplit('/').next().unwrap();
        assert!(
            error.contains(why) || error.contains("invalid"),
            "{last}: {error}"
        );
    }
    let twice = {
        let mut manifest = full();
        let endpoint = manifest["endpoints"][0].clone();
        manifest["endpoints"].as_array_mut().unwrap().push(endpoint);
        Manifest::parse(&manifest.to_string()).unwrap_err()
    };
    assert!(twice.contains("`eu` is there twice"));
}
