//! Keys: what they may do less than their account, when, and how they end.

use serde_json::{Value, json};
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint, GPT};
use tollgate_tests::simulator::{Answer, Gate, Part};
use tollgate_tests::wire::{Request, send};
use tollgate_tests::world::{ALICE, World};

async fn make(world: &World, rest: Value) -> (String, String) {
    let mut body = json!({ "account": ALICE });
    body.as_object_mut()
        .unwrap()
        .extend(rest.as_object().unwrap().clone());
    let made = world
        .management()
        .done("POST", "/api/keys", Some(&body))
        .await;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    world.gateway.keep_secret(&text("key"));
    (text("id"), text("key"))
}

async fn status(world: &World, key: &str, endpoint: &Endpoint) -> u16 {
    let request = Request::post(endpoint.path, endpoint.body(false)).bearer(key);
    world.gateway.send(&request).await.status()
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap().as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_narrows_on_every_endpoint_and_never_widens() {
    let world = World::new().await;
    for (scope, allowed, refusal) in [
        (json!({ "models": [GPT] }), "model", 404),
        (json!({ "endpoints": ["responses"] }), "operation", 403),
        (json!({ "providers": ["openai"] }), "upstream", 404),
        (json!({ "cidrs": ["192.0.2.0/24"] }), "nothing", 403),
    ] {
        let (_, key) = make(&world, json!({ "scope": scope })).await;
        for endpoint in &ENDPOINTS {
            let passes = match allowed {
                "model" => endpoint.model == GPT,
                "operation" => endpoint.operation == "responses",
                "upstream" => endpoint.upstream == "openai",
                _ => false,
            };
            let expected = if passes { 200 } else { refusal };
            assert_eq!(
                status(&world, &key, endpoint).await,
                expected,
                "{scope} {}",
                endpoint.path
            );
        }
    }
    // What the account may not, a key of it may not either.
    world
        .management()
        .change(ALICE, json!({ "models": ["claude-*"] }))
        .await;
    let (_, key) = make(&world, json!({ "scope": { "models": ["*"] } })).await;
    assert_eq!(status(&world, &key, Endpoint::of("responses")).await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_works_in_its_time_alone_and_says_the_same_as_an_unknown_one_outside_of_it() {
    let world = World::new().await;
    let endpoint = Endpoint::of("messages");
    // On a slow machine the moment may come before the answers do: then once more, with a later one.
    let mut lead = 1_500;
    let (soon, ends, begins) = loop {
        assert!(lead < 60_000, "no answer comes in time");
        let soon = now_ms() + lead;
        lead *= 4;
        let (_, begins) = make(&world, json!({ "not_before_ms": soon })).await;
        let body = json!({ "account": ALICE, "expires_ms": soon });
        let (_, made) = world
            .management()
            .call("POST", "/api/keys", Some(&body))
            .await;
        let Some(ends) = made["key"].as_str() else {
            assert!(
                now_ms() >= soon,
                "only a key that is over is refused: {made}"
            );
            continue;
        };
        world.gateway.keep_secret(ends);
        let valid = status(&world, ends, endpoint).await;
        let request = Request::post(endpoint.path, endpoint.body(false)).bearer(&begins);
        let early = world.gateway.send(&request).await;
        if now_ms() < soon {
            assert_eq!(valid, 200);
            endpoint.assert_error(&early, 401, "authentication_error");
            break (soon, ends.to_owned(), begins);
        }
    };
    tokio::time::sleep(std::time::Duration::from_millis(
        soon.saturating_sub(now_ms()) + 50,
    ))
    .await;
    assert_eq!(status(&world, &ends, endpoint).await, 401);
    assert_eq!(status(&world, &begins, endpoint).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_goes_on_for_its_grace_and_its_successor_may_do_the_same() {
    let world = World::new().await;
    let (chat, messages) = (Endpoint::of("chat-completions"), Endpoint::of("messages"));
    let (id, old) = make(&world, json!({ "scope": { "models": [GPT] } })).await;
    let path = format!("/api/keys/{id}/rotate");
    let body = json!({ "grace_ms": 86_400_000 });
    let new = world.management().done("POST", &path, Some(&body)).await;
    let (new_id, new) = (
        new["id"].as_str().unwrap(),
        new["key"].as_str().unwrap().to_owned(),
    );
    world.gateway.keep_secret(&new);
    for key in [&old, &new] {
        assert_eq!(status(&world, key, chat).await, 200);
        assert_eq!(status(&world, key, messages).await, 404);
    }
    // Without grace the old one ends at once.
    let path = format!("/api/keys/{new_id}/rotate");
    let last = world
        .management()
        .done("POST", &path, Some(&json!({ "grace_ms": 0 })))
        .await;
    let last = last["key"].as_str().unwrap().to_owned();
    world.gateway.keep_secret(&last);
    assert_eq!(status(&world, &new, chat).await, 401);
    assert_eq!(status(&world, &last, chat).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoking_lets_live_streams_end_by_themselves_and_kill_ends_them_in_their_dialect() {
    let world = World::new().await;
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.streams) {
        for kill in [false, true] {
            let (id, key) = make(&world, json!({})).await;
            let text =
                tollgate_tests::places::fixture(&format!("answers/{}.sse", endpoint.operation));
            let gate = Gate::default();
            let answer = Answer::events(String::from_utf8(text).unwrap());
            let whole = answer.body();
            world
                .simulator
                .script(answer.with_part(2, Part::Wait(gate.clone())));
            let mut connection = world.gateway.connect().await;
            let request = Request::post(endpoint.path, endpoint.body(true)).bearer(&key);
            let head = connection.send(&request).await.unwrap();
            let mut got = connection.piece().await.unwrap().unwrap();
            let path = format!("/api/keys/{id}{}", if kill { "?kill=true" } else { "" });
            world.management().done("DELETE", &path, None).await;
            assert_eq!(send(world.gateway.address(), &request).await.status(), 401);
            if !kill {
                gate.open();
            }
            let (rest, complete) = connection.rest().await;
            gate.open();
            got.extend(rest);
            assert!(complete, "{}: never a silent end", endpoint.path);
            let text = String::from_utf8(got).unwrap();
            if kill {
                assert!(text.contains("revoked"), "{}: {text}", endpoint.path);
                if endpoint.operation == "responses" {
                    let told = tollgate_tests::recordings::events(&text);
                    let last = told.last().unwrap();
                    assert_eq!(last["type"], "response.failed", "{text}");
                    let code = &last["response"]["error"]["code"];
                    assert_eq!(code, "invalid_api_key", "no fault of the prompt: {text}");
                }
                let id = head.header("x-request-id").unwrap();
                let row = world.management().row_of(id).await;
                assert_eq!(row.text("error"), "key-revoked", "{}", row.0);
                assert!(row.charged() > 0, "what was streamed is charged: {}", row.0);
            } else {
                assert!(text.as_bytes() == whole, "{}: {text}", endpoint.path);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_revoked_while_its_body_comes_gets_no_answer() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        let (id, key) = make(&world, json!({})).await;
        let body = endpoint.body(endpoint.streams);
        let request = Request::post(endpoint.path, body.clone())
            .bearer(&key)
            .header("expect", "100-continue");
        let bytes = request.to_bytes("x");
        let mut connection = world.gateway.connect().await;
        let head = &bytes[..bytes.len() - body.len()];
        connection.write(head).await.unwrap();
        // The gateway asks for the body when it has found the key good.
        let asked = connection.raw_status_line().await;
        assert!(asked.contains(" 100 "), "{}: {asked}", endpoint.path);
        let path = format!("/api/keys/{id}?kill=true");
        world.management().done("DELETE", &path, None).await;
        let sent = world.simulator.received().len();
        connection.write(&body).await.unwrap();
        let status = connection.read_head(false).await.unwrap().status;
        assert_eq!(status, 401, "{}", endpoint.path);
        assert_eq!(world.simulator.received().len(), sent, "{}", endpoint.path);
    }
}
