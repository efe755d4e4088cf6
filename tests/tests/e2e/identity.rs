//! Who may ask for what: keys, accounts, allowed models, on every endpoint alike.

use serde_json::json;
use tollgate_tests::endpoints::ENDPOINTS;
use tollgate_tests::wire::Request;
use tollgate_tests::world::{ALICE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_good_key_nothing_is_served_on_any_endpoint() {
    let world = World::new().await;
    let revoked = world.management().key(ALICE).await;
    world.gateway.keep_secret(&revoked.secret);
    let mut flipped = world.key.secret.clone();
    let last = flipped.pop().unwrap();
    flipped.push(if last == 'A' { 'B' } else { 'A' });
    world.gateway.keep_secret(&flipped);
    let foreign = "sk-ant-REDACTED-not-ours-0123456789";
    world.gateway.keep_secret(foreign);
    for endpoint in &ENDPOINTS {
        let ask = |key: &str| Request::post(endpoint.path, endpoint.body(false)).bearer(key);
        assert_eq!(
            world.gateway.send(&ask(&revoked.secret)).await.status(),
            200,
            "{}",
            endpoint.path
        );
    }
    world.management().revoke(&revoked).await;
    world.simulator.forget();
    for endpoint in &ENDPOINTS {
        let word = if endpoint.anthropic {
            "authentication_error"
        } else {
            "invalid_api_key"
        };
        let plain = Request::post(endpoint.path, endpoint.body(false));
        let cases = [
            ("no key", plain.clone()),
            (
                "an empty key",
                plain.clone().header("authorization", "Bearer "),
            ),
            (
                "another scheme",
                plain
                    .clone()
                    .header("authorization", &format!("Basic {}", world.key.secret)),
            ),
            ("a foreign key", plain.clone().bearer(foreign)),
            ("a mistyped key", plain.clone().bearer(&flipped)),
            (
                "a mistyped key in x-api-key",
                plain.clone().header("x-api-key", &flipped),
            ),
            ("a revoked key", plain.clone().bearer(&revoked.secret)),
            (
                "the management token",
                plain.clone().bearer(world.management().token()),
            ),
        ];
        for (what, request) in cases {
            let reply = world.gateway.send(&request).await;
            println!("{what} on {}", endpoint.path);
            let error = endpoint.assert_error(&reply, 401, word);
            assert!(
                !error.to_string().contains(&flipped),
                "the key is repeated: {error}"
            );
        }
    }
    assert!(
        world.simulator.received().is_empty(),
        "something was served: {:?}",
        world.simulator.received()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_ancestor_stops_everything_below_it() {
    let world = World::new().await;
    world
        .management()
        .change("root/research", json!({ "status": "suspended" }))
        .await;
    for endpoint in &ENDPOINTS {
        let word = if endpoint.anthropic {
            "authentication_error"
        } else {
            "invalid_api_key"
        };
        endpoint.assert_error(&world.ask(endpoint, false).await, 401, word);
    }
    assert!(world.simulator.received().is_empty());
    world
        .management()
        .change("root/research", json!({ "status": "active" }))
        .await;
    assert_eq!(world.ask(&ENDPOINTS[0], false).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_is_not_there_or_not_allowed_reads_the_same() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        let word = if endpoint.anthropic {
            "not_found_error"
        } else {
            "model_not_found"
        };
        let reply = world
            .post(endpoint.path, endpoint.body_for("no-such-model", false))
            .await;
        endpoint.assert_error(&reply, 404, word);
    }
    // An ancestor allows other models only: what the account itself allows does not matter then.
    world
        .management()
        .change("root/research", json!({ "models": ["other-*"] }))
        .await;
    world
        .management()
        .change(ALICE, json!({ "models": ["*"] }))
        .await;
    for endpoint in &ENDPOINTS {
        let word = if endpoint.anthropic {
            "not_found_error"
        } else {
            "model_not_found"
        };
        let error = endpoint.assert_error(&world.ask(endpoint, false).await, 404, word);
        assert!(
            !error.to_string().contains("research"),
            "the error tells of an ancestor: {error}"
        );
    }
    // An empty list denies everything; none at all restricts nothing.
    world
        .management()
        .change("root/research", json!({ "models": [] }))
        .await;
    assert_eq!(world.ask(&ENDPOINTS[0], false).await.status(), 404);
    assert!(
        world.simulator.received().is_empty(),
        "{:?}",
        world.simulator.received()
    );
    world
        .management()
        .change("root/research", json!({ "models": null }))
        .await;
    for endpoint in &ENDPOINTS {
        assert_eq!(
            world.ask(endpoint, false).await.status(),
            200,
            "{}",
            endpoint.path
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_made_a_moment_ago_works_and_knows_only_its_own_account() {
    let world = World::new().await;
    world
        .management()
        .account("root", "sales", json!({ "models": ["none"] }))
        .await;
    let key = world.management().key("root/sales").await;
    world.gateway.keep_secret(&key.secret);
    let endpoint = &ENDPOINTS[0];
    let reply = world
        .gateway
        .send(&Request::post(endpoint.path, endpoint.body(false)).bearer(&key.secret))
        .await;
    assert_eq!(reply.status(), 404, "{}", reply.text());
    assert_eq!(world.ask(endpoint, false).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_management_api_takes_its_token_and_nothing_else() {
    let world = World::new().await;
    let address = world.management().address();
    for request in [
        Request::get("/api/accounts"),
        Request::get("/api/accounts").bearer(&world.key.secret),
        Request::get("/api/accounts").bearer("tgm-wrong"),
        Request::post("/api/keys", "{}"),
    ] {
        let reply = tollgate_tests::wire::send(address, &request).await;
        assert_eq!(reply.status(), 401, "{}", reply.text());
        assert!(reply.json()["error"]["message"].is_string());
    }
}
