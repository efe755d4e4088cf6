//! What each operation does, and what it refuses.

use axum::body::Body;
use serde_json::{Value, json};

use super::World;
use super::guests::REFUSAL;

#[tokio::test]
async fn accounts_form_a_tree_whose_effect_is_shown_with_its_source() {
    let world = World::new();
    let sales = world
        .done(
            "POST",
            "/api/accounts",
            json!({ "name": "sales", "models": ["a*"], "limits": { "daily_limit": 5_000_000 } }),
        )
        .await;
    let alice = world
        .done(
            "POST",
            "/api/accounts",
            json!({ "name": "alice", "parent": "root/sales", "limits": { "rpm": 3 } }),
        )
        .await;
    assert_eq!(alice["path"], "root/sales/alice");
    assert_eq!(
        alice["effective"]["models"],
        json!([{ "source": "root/sales", "values": ["a*"] }])
    );
    assert_eq!(
        alice["effective"]["limits"],
        json!([
            { "source": "root/sales", "kind": "daily_limit", "value": 5_000_000, "used": 0, "decides": true },
            { "source": "root/sales/alice", "kind": "rpm", "value": 3, "used": 0, "decides": true },
        ])
    );
    let by_id = world
        .get(&format!("/api/accounts/{}", alice["id"].as_str().unwrap()))
        .await;
    assert_eq!(by_id["path"], alice["path"]);
    let changed = world
        .done(
            "PATCH",
            "/api/accounts/root/sales",
            json!({ "status": "suspended", "models": null, "limits": { "rpm": 9 } }),
        )
        .await;
    assert_eq!(
        changed["limits"],
        json!({ "rpm": 9, "daily_limit": 5_000_000 })
    );
    assert!(
        changed.get("models").is_none(),
        "null takes the boundary away"
    );
    assert_eq!(
        world.get("/api/accounts/root/sales/alice").await["effective"]["enabled"],
        false
    );
    let paths: Vec<Value> = world.get("/api/accounts").await["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| account["path"].clone())
        .collect();
    assert_eq!(paths, ["root", "root/sales", "root/sales/alice"]);
    assert_eq!(
        world
            .refused("DELETE", "/api/accounts/root/sales", Value::Null)
            .await
            .0,
        409
    );
    world
        .done("DELETE", "/api/accounts/root/sales/alice", Value::Null)
        .await;
    world
        .done(
            "DELETE",
            &format!("/api/accounts/{}", sales["id"].as_str().unwrap()),
            Value::Null,
        )
        .await;
    assert_eq!(
        world
            .refused("GET", "/api/accounts/root/sales", Value::Null)
            .await
            .0,
        404
    );
    assert_eq!(
        world
            .refused("DELETE", "/api/accounts/root", Value::Null)
            .await
            .0,
        409
    );
}

#[tokio::test]
async fn long_lists_are_told_page_by_page() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        let new = json!({ "name": name, "parent": "root" });
        world.done("POST", "/api/accounts", new).await;
        let new = json!({ "account": format!("root/{name}") });
        world.done("POST", "/api/keys", new).await;
    }
    for list in ["accounts", "keys"] {
        let whole = world.get(&format!("/api/{list}")).await;
        assert_eq!(whole["next"], Value::Null);
        let (mut pages, mut path) = (Vec::new(), format!("/api/{list}?limit=2"));
        loop {
            let page = world.get(&path).await;
            let told = page[list].as_array().unwrap();
            assert!(told.len() <= 2);
            pages.extend(told.iter().map(|one| one["id"].clone()));
            let Some(next) = page["next"].as_str() else {
                break;
            };
            path = format!("/api/{list}?limit=2&after={next}");
        }
        let whole = whole[list].as_array().unwrap().iter();
        assert!(whole.map(|one| &one["id"]).eq(&pages), "{list}: {pages:?}");
    }
}

#[tokio::test]
async fn bad_input_is_refused_with_the_field_to_blame() {
    let world = World::new();
    world.furnish().await;
    for (method, path, body, status, field) in [
        ("POST", "/api/accounts", json!({}), 400, "name"),
        (
            "POST",
            "/api/accounts",
            json!({ "name": "a/b" }),
            400,
            "name",
        ),
        (
            "POST",
            "/api/accounts",
            json!({ "name": "sales" }),
            409,
            "name",
        ),
        (
            "POST",
            "/api/accounts",
            json!({ "name": "a", "parent": "root/none" }),
            400,
            "parent",
        ),
        (
            "POST",
            "/api/accounts",
            json!({ "name": "a", "limits": { "rpn": 1 } }),
            400,
            "limits.rpn",
        ),
        (
            "POST",
            "/api/accounts",
            json!({ "name": "a", "limits": { "rpm": -1 } }),
            400,
            "limits.rpm",
        ),
        (
            "PATCH",
            "/api/accounts/root",
            json!({ "time_zone": "Mars/Base" }),
            400,
            "time_zone",
        ),
        (
            "PATCH",
            "/api/accounts/root",
            json!({ "nmae": "x" }),
            400,
            "nmae",
        ),
        (
            "POST",
            "/api/keys",
            json!({ "account": "root/none" }),
            400,
            "account",
        ),
        (
            "POST",
            "/api/keys",
            json!({ "account": "root", "label": "a\nb" }),
            400,
            "label",
        ),
        ("GET", "/api/keys?limit=0", Value::Null, 400, "limit"),
        ("GET", "/api/keys?after=here", Value::Null, 400, "after"),
        (
            "GET",
            "/api/accounts?after=0198c0de-0000-7000-8000-000000000000",
            Value::Null,
            400,
            "after",
        ),
        ("DELETE", "/api/keys/none", Value::Null, 404, ""),
        ("GET", "/api/keys/none", Value::Null, 404, ""),
        ("POST", "/api/keys/none/rotate", json!({}), 404, ""),
        (
            "POST",
            "/api/keys/none/rotate",
            json!({ "grace_ms": -1 }),
            400,
            "grace_ms",
        ),
        (
            "DELETE",
            "/api/keys/none?kill=perhaps",
            Value::Null,
            400,
            "kill",
        ),
        (
            "POST",
            "/api/keys",
            json!({ "account": "root", "expires_ms": 5 }),
            400,
            "expires_ms",
        ),
        (
            "POST",
            "/api/keys",
            json!({ "account": "root", "scope": { "model": [] } }),
            400,
            "scope.model",
        ),
        (
            "POST",
            "/api/keys",
            json!({ "account": "root", "scope": { "endpoints": ["x"] } }),
            400,
            "scope.endpoints",
        ),
        (
            "PATCH",
            "/api/accounts/root/sales",
            json!({ "parent": "root/sales" }),
            409,
            "parent",
        ),
        (
            "PATCH",
            "/api/accounts/root/sales",
            json!({ "endpoints": ["mesages"] }),
            400,
            "endpoints",
        ),
        (
            "PATCH",
            "/api/accounts/root/sales",
            json!({ "providers": ["none"] }),
            400,
            "providers",
        ),
        (
            "PATCH",
            "/api/accounts/root/sales",
            json!({ "price_factor": 1_000_000_001_u64 }),
            400,
            "price_factor",
        ),
        (
            "DELETE",
            "/api/accounts/root/sales?mode=perhaps",
            Value::Null,
            400,
            "mode",
        ),
        (
            "DELETE",
            "/api/accounts/root/sales",
            Value::Null,
            409,
            "account",
        ),
        ("GET", "/api/accounts?acount=x", Value::Null, 400, "acount"),
        ("GET", "/api/limits/root/none", Value::Null, 404, ""),
        (
            "PATCH",
            "/api/limits/root",
            json!({ "limits": { "rpn": 1 } }),
            400,
            "limits.rpn",
        ),
        (
            "PATCH",
            "/api/limits/root",
            json!({ "model_limits": { "gpt-?": { "rpm": 1 } } }),
            400,
            "model_limits",
        ),
        (
            "PATCH",
            "/api/limits/root",
            json!({ "limits": { "daily_limit": 9_223_372_036_854_775_808_u64 } }),
            400,
            "limits",
        ),
        (
            "POST",
            "/api/grants",
            json!({ "account": "root", "amount": 5 }),
            400,
            "idempotency_key",
        ),
        (
            "POST",
            "/api/grants",
            json!({ "account": "root", "amount": -5, "idempotency_key": "k" }),
            400,
            "amount",
        ),
        (
            "POST",
            "/api/grants",
            json!({ "account": "root", "amount": 9_223_372_036_854_775_808_u64, "idempotency_key": "k" }),
            400,
            "amount",
        ),
        (
            "POST",
            "/api/grants",
            json!({ "account": "root", "amount": 5, "idempotency_key": "k", "expires_ms": 5 }),
            400,
            "expires_ms",
        ),
        (
            "POST",
            "/api/grants",
            json!({ "account": "root/sales", "amount": 5, "idempotency_key": "k" }),
            409,
            "amount",
        ),
        (
            "POST",
            "/api/reclaims",
            json!({ "account": "root", "amount": 5, "idempotency_key": "k" }),
            409,
            "amount",
        ),
        (
            "POST",
            "/api/reclaims",
            json!({ "account": "root", "amount": 5, "idempotency_key": "k", "to": "parent" }),
            400,
            "to",
        ),
        ("GET", "/api/wallets/root/none", Value::Null, 404, ""),
        ("POST", "/api/backup", json!({}), 400, "folder"),
        (
            "POST",
            "/api/backup",
            json!({ "folder": "here" }),
            400,
            "folder",
        ),
        (
            "GET",
            "/api/usage/report?span=week",
            Value::Null,
            400,
            "span",
        ),
        (
            "GET",
            "/api/usage/report?by=model,colour",
            Value::Null,
            400,
            "by",
        ),
        (
            "GET",
            "/api/usage/report?until=yesterday",
            Value::Null,
            400,
            "until",
        ),
        ("GET", "/api/usage?key=x", Value::Null, 400, "key"),
        ("GET", "/api/usage?tag=cc", Value::Null, 400, "tag"),
        (
            "PUT",
            "/api/credentials/main",
            json!({ "fields": {} }),
            400,
            "fields",
        ),
        (
            "PUT",
            "/api/credentials/a%20b",
            json!({ "fields": { "a": "b" } }),
            400,
            "name",
        ),
        (
            "PUT",
            "/api/credentials/main",
            json!({ "fields": { "api-key": "" } }),
            400,
            "fields.api-key",
        ),
        (
            "PUT",
            "/api/credentials/main",
            json!({ "fields": { "api-key": "x\n" } }),
            400,
            "fields.api-key",
        ),
        (
            "PUT",
            "/api/credentials/main",
            json!({ "fields": { "api-key": 7 } }),
            400,
            "fields.api-key",
        ),
        (
            "PUT",
            "/api/credentials/main",
            json!({ "fields": { "wrong-field": "x" } }),
            400,
            "fields",
        ),
        (
            "DELETE",
            "/api/credentials/main",
            Value::Null,
            409,
            "credential",
        ),
        ("PUT", "/api/upstreams/u", json!({}), 400, "provider"),
        (
            "PUT",
            "/api/upstreams/u",
            json!({ "provider": "none" }),
            400,
            "provider",
        ),
        (
            "PUT",
            "/api/upstreams/u",
            json!({ "provider": "self", "endpoint": "none" }),
            400,
            "endpoint",
        ),
        (
            "PUT",
            "/api/upstreams/u",
            json!({ "provider": "self", "base_url": "ftp://x" }),
            400,
            "base_url",
        ),
        (
            "PUT",
            "/api/upstreams/u",
            json!({ "provider": "vendor" }),
            400,
            "credential",
        ),
        (
            "PUT",
            "/api/upstreams/u",
            json!({ "provider": "vendor", "credential": "none" }),
            400,
            "credential",
        ),
        (
            "PUT",
            "/api/upstreams/u",
            json!({ "provider": "self", "models": [{}] }),
            400,
            "models[0].id",
        ),
        (
            "PUT",
            "/api/policies/q",
            json!({ "component": "none" }),
            400,
            "component",
        ),
        (
            "PUT",
            "/api/policies/q",
            json!({ "component": "rule", "account": "root/none" }),
            400,
            "account",
        ),
        (
            "GET",
            "/api/usage?since=yesterday",
            Value::Null,
            400,
            "since",
        ),
        (
            "GET",
            "/api/usage?since=5&until=4",
            Value::Null,
            400,
            "until",
        ),
        ("GET", "/api/usage?limit=-1", Value::Null, 400, "limit"),
        (
            "GET",
            "/api/usage?account=root/none",
            Value::Null,
            400,
            "account",
        ),
        ("GET", "/api/usage?limti=1", Value::Null, 400, "limti"),
        ("GET", "/api/upstreams/none", Value::Null, 404, ""),
        ("GET", "/api/policies/none", Value::Null, 404, ""),
    ] {
        let refusal = world.refused(method, path, body.clone()).await;
        assert_eq!(
            (refusal.0, refusal.1.as_str()),
            (status, field),
            "{method} {path} {body}: {}",
            refusal.2
        );
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_or_too_large_is_refused() {
    let world = World::new();
    for (body, status) in [
        ("{".to_owned(), 400),
        (String::new(), 400),
        ("[]".to_owned(), 400),
        ("x".repeat(2 << 20), 413),
    ] {
        let mut request = world.request("POST", "/api/accounts", None);
        *request.body_mut() = Body::from(body);
        let (got, text) = world.send(request).await;
        assert_eq!(got, status, "{text}");
        assert!(serde_json::from_str::<Value>(&text).unwrap()["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn an_upstream_tells_which_endpoint_it_takes_and_a_refusal_which_there_are() {
    let world = World::new();
    for (set, taken) in [(json!(null), "main"), (json!("other"), "other")] {
        let set = json!({ "provider": "self", "endpoint": set });
        let told = world.done("PUT", "/api/upstreams/own", set).await;
        assert_eq!(told["effective_endpoint"], taken, "{told}");
    }
    let set = json!({ "provider": "self", "endpoint": "credential" });
    let (status, field, message) = world.refused("PUT", "/api/upstreams/own", set).await;
    assert_eq!((status, field.as_str()), (400, "endpoint"), "{message}");
    assert!(message.contains("there are: main, other"), "{message}");
}

#[tokio::test]
async fn an_upstream_tells_which_of_its_models_have_no_price() {
    let world = World::new();
    let price = json!({ "currency": "USD", "input": 1, "output": 1 });
    let models = json!([{ "id": "b" }, { "id": "a" }, { "id": "priced", "price": price }]);
    let set = json!({ "provider": "self", "models": models });
    let told = world.done("PUT", "/api/upstreams/own", set).await;
    assert_eq!(told["unpriced_models"], json!(["a", "b"]));
    let listed = world.get("/api/upstreams").await;
    assert_eq!(listed["upstreams"][0]["unpriced_models"], json!(["a", "b"]));
    // What the provider's manifest prices needs no word of the operator.
    let told = world
        .done(
            "PUT",
            "/api/upstreams/own",
            json!({ "provider": "self", "models": [{ "id": "c", "upstream_id": "self-model" }] }),
        )
        .await;
    assert!(told.get("unpriced_models").is_none(), "{told}");
}

#[tokio::test]
async fn a_price_that_cannot_be_charged_is_refused_with_the_name_of_its_model() {
    let world = World::new();
    let price = |currency: &str| json!({ "currency": currency, "input": 1, "output": 1 });
    let models =
        json!([{ "id": "good", "price": price("USD") }, { "id": "bad", "price": price("EUR") }]);
    let set = json!({ "provider": "self", "models": models });
    let (status, field, message) = world.refused("PUT", "/api/upstreams/own", set).await;
    assert_eq!((status, field.as_str()), (400, "models.price"));
    assert_eq!(
        message,
        "price of `bad` at upstream `own`: no exchange rate is set for currency `EUR`"
    );
}

#[tokio::test]
async fn what_a_component_refuses_leaves_the_old_record_in_place() {
    let world = World::new();
    world.furnish().await;
    let bad = json!({ "provider": "self", "config": { "a": 1 } });
    let (status, field, message) = world.refused("PUT", "/api/upstreams/own", bad).await;
    assert_eq!((status, field.as_str()), (400, "config"));
    assert!(message.contains(REFUSAL), "{message}");
    let own = world.get("/api/upstreams/own").await;
    assert!(
        own["priority"] == 1 && own.get("problem").is_none(),
        "{own}"
    );

    let bad = json!({ "component": "rule", "account": "root/sales", "config": { "a": 1 } });
    let (status, field, message) = world.refused("PUT", "/api/policies/p", bad.clone()).await;
    assert_eq!((status, field.as_str()), (400, "config"));
    assert!(message.contains(REFUSAL), "{message}");
    assert_eq!(world.get("/api/policies/p").await["config"], json!({}));
    world.refused("PUT", "/api/policies/new", bad).await;
    assert_eq!(
        world
            .refused("GET", "/api/policies/new", Value::Null)
            .await
            .0,
        404
    );
    assert_eq!(world.get("/api/status").await["problems"], json!([]));
}
