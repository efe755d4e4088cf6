//! Management tokens of accounts on the real binary: what a department's head can do with one, and until when.

use serde_json::{Value, json};
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::management::Management;
use tollgate_tests::wire::Request;
use tollgate_tests::world::{ALICE, World};

/// Makes a token of an account; its id, and the management API to its bearer.
async fn token(world: &World, account: &str, role: &str) -> (String, Management) {
    let body = json!({ "account": account, "role": role });
    let made = world
        .management()
        .done("POST", "/api/tokens", Some(&body))
        .await;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    world.gateway.keep_secret(&text("token"));
    let bearer = world.management().with_token(&text("token"));
    (text("id"), bearer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_runs_his_department_and_is_told_nothing_of_the_others() {
    let world = World::new().await;
    let operator = world.management();
    operator.account("root", "marketing", json!({})).await;
    let other = operator.key("root/marketing").await;
    operator
        .change(
            "root",
            json!({ "limits": { "monthly_limit": 987_654_321 } }),
        )
        .await;
    let (_, head) = token(&world, "root/research", "manage").await;
    // He makes an account with a limit and a key of it, which works.
    head.account("research", "bob", json!({ "limits": { "rpm": 1 } }))
        .await;
    let bob = head.key("research/bob").await;
    world.gateway.keep_secret(&bob.secret);
    let endpoint = Endpoint::of("messages");
    let ask = async |key: &str| {
        let request = Request::post(endpoint.path, endpoint.body(false)).bearer(key);
        world.gateway.send(&request).await.status()
    };
    assert_eq!(ask(&bob.secret).await, 200);
    assert_eq!(ask(&bob.secret).await, 429, "his limit holds");
    assert_eq!(ask(&other.secret).await, 200);
    assert_eq!(ask(&world.key.secret).await, 200);
    operator.wait_for_rows(4).await;
    let rows = head.rows().await;
    assert_eq!(rows.len(), 3, "bob's two and alice's");
    assert!(
        rows.iter()
            .all(|row| row.text("account").starts_with("research/"))
    );
    assert!(
        rows.iter()
            .any(|row| row.text("limited_by") == "rpm@research/bob")
    );
    for path in [
        "/api/accounts",
        "/api/accounts/research",
        "/api/limits/research/bob",
        "/api/keys",
        "/api/usage",
        "/api/usage/report?by=account,key",
        "/api/audit?limit=1000",
    ] {
        let text = head.get(path).await.to_string();
        for hidden in ["marketing", "root", "987654321", &other.id] {
            assert!(!text.contains(hidden), "{path}: {hidden} in {text}");
        }
    }
    // What he may not, changes nothing.
    for (method, path, body, status) in [
        (
            "PATCH",
            "/api/accounts/research",
            json!({ "limits": { "rpm": 9 } }),
            403,
        ),
        (
            "PATCH",
            "/api/accounts/root/marketing",
            json!({ "status": "suspended" }),
            404,
        ),
        (
            "DELETE",
            &*format!("/api/keys/{}", other.id),
            Value::Null,
            404,
        ),
        (
            "PUT",
            "/api/upstreams/mine",
            json!({ "provider": "openai" }),
            403,
        ),
        (
            "PUT",
            "/api/policies/mine",
            json!({ "component": "redact", "account": ALICE }),
            403,
        ),
        (
            "POST",
            "/api/backup",
            json!({ "folder": "/tmp/never" }),
            403,
        ),
        ("GET", "/api/credentials", Value::Null, 403),
        ("GET", "/api/ledger", Value::Null, 403),
    ] {
        let (got, answer) = head.call(method, path, Some(&body)).await;
        assert_eq!(got, status, "{method} {path}: {answer}");
    }
    assert_eq!(ask(&other.secret).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_management_token_calls_no_model_whoever_is_its_bearer() {
    let world = World::new().await;
    let (_, head) = token(&world, "root/research", "manage").await;
    for endpoint in &ENDPOINTS {
        for bearer in [head.token(), world.management().token()] {
            let request = Request::post(endpoint.path, endpoint.body(false)).bearer(bearer);
            let reply = world.gateway.send(&request).await;
            endpoint.assert_error(
                &reply,
                401,
                match endpoint.anthropic {
                    true => "authentication_error",
                    false => "invalid_api_key",
                },
            );
        }
    }
    assert!(world.simulator.received().is_empty(), "no vendor was asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_works_until_it_or_its_account_is_stopped_across_kill_9() {
    let mut world = World::new().await;
    let (id, head) = token(&world, "root/research", "manage").await;
    let (_, reader) = token(&world, ALICE, "read").await;
    world.gateway.kill();
    world.gateway.restart().await;
    // Where it listens may have changed.
    let again = |old: &Management| world.management().with_token(old.token());
    let (head, reader) = (again(&head), again(&reader));
    assert_eq!(
        head.get("/api/accounts").await["accounts"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let body = json!({ "account": "alice" });
    let (status, answer) = reader.call("POST", "/api/keys", Some(&body)).await;
    assert_eq!(status, 403, "{answer}");
    assert_eq!(
        reader.get("/api/keys").await["keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let operator = world.management();
    operator
        .change("root/research", json!({ "status": "suspended" }))
        .await;
    for stopped in [&head, &reader] {
        assert_eq!(stopped.call("GET", "/api/accounts", None).await.0, 401);
    }
    operator
        .change("root/research", json!({ "status": "active" }))
        .await;
    assert_eq!(reader.call("GET", "/api/accounts", None).await.0, 200);
    let shown = operator.get(&format!("/api/tokens/{id}")).await;
    assert!(shown["last_used_ms"].is_u64(), "{shown}");
    operator
        .done("DELETE", &format!("/api/tokens/{id}"), None)
        .await;
    assert_eq!(head.call("GET", "/api/accounts", None).await.0, 401);
    // Deleting the account takes its tokens along.
    let path = format!("/api/accounts/{ALICE}?mode=cascade");
    operator.done("DELETE", &path, None).await;
    assert_eq!(reader.call("GET", "/api/accounts", None).await.0, 401);
}
