//! A guest that the ordinary toolchain of another language built, WASI and all, does what a bundled one does.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::Setup;
use tollgate_tests::management::Key;
use tollgate_tests::places;
use tollgate_tests::wire::{Reply, Request};
use tollgate_tests::world::World;

use crate::byte_identity::request_id;
use crate::misbehaving_guests::{others_are_served, reason};

/// `examples/policy-in-python`.
const POLICY: &str = "model-budget";
const WORD: &str = "premium";
/// What the policy prints when it has denied a model.
const PRINTED: &str = "denied a model with `premium` in its name";
const BUDGET: u64 = 512;
/// Machine code for a whole interpreter takes its time, and the machine runs other tests meanwhile.
const COMPILING: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_in_python_allows_denies_narrows_prints_and_fails_closed() {
    if places::without_languages() {
        return;
    }
    // With every limit of components as it is shipped.
    let world =
        World::with(Setup::new(&["openai", "anthropic"]).shipped("components", "call_timeout_ms"))
            .await;
    let management = world.management();
    drop_in_while_others_are_served(&world).await;
    let config = json!({ "denied_words": [WORD], "max_output_tokens": BUDGET });
    management
        .policy("house", POLICY, "root/research", config)
        .await;
    management.account("root", "others", json!({})).await;
    let other = management.key("root/others").await;
    world.gateway.keep_secret(&other.secret);

    for endpoint in &ENDPOINTS {
        it_narrows(&world, endpoint).await;
        it_denies(&world, endpoint).await;
        an_exception_fails_closed(&world, endpoint, &other).await;
    }
    it_prints_into_the_log_and_nowhere_else(&world).await;
    it_refuses_a_configuration_in_its_own_words(&world).await;
    others_are_served(&world).await;
}

async fn drop_in_while_others_are_served(world: &World) {
    let bytes = fs::read(places::language(POLICY)).unwrap();
    world.gateway.drop_in(POLICY, &bytes);
    let began = Instant::now();
    let exports = loop {
        let components = world.management().get("/api/components").await;
        let loaded = components["loaded"].as_array().unwrap();
        if let Some(policy) = loaded.iter().find(|component| component["id"] == POLICY) {
            break policy["exports"].clone();
        }
        assert_eq!(reason(&components, POLICY), None, "it is not loaded");
        assert!(began.elapsed() < COMPILING, "it is never loaded");
        others_are_served(world).await;
    };
    assert_eq!(exports, json!(["admission", "configuration"]));
}

fn ask(endpoint: &Endpoint, model: &str) -> Request {
    Request::post(endpoint.path, endpoint.body_for(model, endpoint.streams))
}

/// What names no length is capped, what may not have a cap is not touched.
async fn it_narrows(world: &World, endpoint: &Endpoint) {
    let cap = match endpoint.operation {
        "chat-completions" => Some("max_completion_tokens"),
        "responses" | "compact" => Some("max_output_tokens"),
        _ => None,
    };
    let asked = ask(endpoint, endpoint.model).bearer(&world.key.secret);
    let reply = world.gateway.send(&asked).await;
    assert_eq!(reply.status(), 200, "{}: {}", endpoint.path, reply.text());
    let sent = world.simulator.last().json();
    let mut wanted: Value = serde_json::from_slice(&endpoint.body(endpoint.streams)).unwrap();
    if let Some(cap) = cap {
        assert_eq!(sent[cap], BUDGET, "{}", endpoint.path);
        wanted[cap] = json!(BUDGET);
    }
    // Where a cap holds, a summary is asked for in the host's own words.
    if endpoint.operation != "compact" {
        assert_eq!(sent, wanted, "{}", endpoint.path);
    }
}

async fn it_denies(world: &World, endpoint: &Endpoint) {
    let upstream = world.simulator.received().len();
    let asked = ask(endpoint, "gpt-Premium-9").bearer(&world.key.secret);
    let reply = world.gateway.send(&asked).await;
    let message = "Models with `premium` in their name are not for this account.";
    refused(world, endpoint, &reply, message, "model-denied").await;
    if endpoint.operation == "messages" {
        let asked = ask(endpoint, endpoint.model).bearer(&world.key.secret);
        let reply = world
            .gateway
            .send(&asked.header("x-output-budget", "100"))
            .await;
        let message = "Please ask for at most 100 tokens; this request asks for 256.";
        refused(world, endpoint, &reply, message, "answer-too-long").await;
    }
    assert_eq!(world.simulator.received().len(), upstream, "it was sent");
}

async fn an_exception_fails_closed(world: &World, endpoint: &Endpoint, other: &Key) {
    let upstream = world.simulator.received().len();
    let asked = ask(endpoint, endpoint.model).header("x-output-budget", "plenty");
    let reply = world
        .gateway
        .send(&asked.clone().bearer(&world.key.secret))
        .await;
    let message = "the policy `house` failed; the request was not sent";
    refused(world, endpoint, &reply, message, "policy-failed").await;
    assert_eq!(world.simulator.received().len(), upstream, "it was sent");
    // Nobody else notices, nor does the next request.
    let reply = world.gateway.send(&asked.bearer(&other.secret)).await;
    assert_eq!(reply.status(), 200, "{}: {}", endpoint.path, reply.text());
    let reply = world.ask(endpoint, endpoint.streams).await;
    assert_eq!(reply.status(), 200, "{}: {}", endpoint.path, reply.text());
}

/// A 403 in the caller's dialect with these words, and a usage row with this reason.
async fn refused(world: &World, endpoint: &Endpoint, reply: &Reply, message: &str, reason: &str) {
    let error = endpoint.assert_error(reply, 403, "permission_error");
    assert_eq!(error["message"], message, "{}", endpoint.path);
    let row = world.management().row_of(&request_id(reply)).await;
    assert!(row.0.to_string().contains(reason), "{}", row.0);
    assert_eq!(row.charged(), 0);
}

/// Each call has its line, though one instance serves many; a traceback is there, too.
async fn it_prints_into_the_log_and_nowhere_else(world: &World) {
    const MORE: usize = 100;
    let endpoint = &ENDPOINTS[0];
    for _ in 0..MORE {
        let asked = ask(endpoint, "gpt-premium").bearer(&world.key.secret);
        assert_eq!(world.gateway.send(&asked).await.status(), 403);
    }
    let logs: BTreeMap<&str, String> = ["stdout-1.log", "stderr-1.log"]
        .map(|name| {
            (
                name,
                fs::read_to_string(world.gateway.folder().join(name)).unwrap(),
            )
        })
        .into();
    let lines: Vec<&str> = logs["stderr-1.log"]
        .lines()
        .filter(|line| line.contains(PRINTED))
        .collect();
    assert_eq!(lines.len(), ENDPOINTS.len() + MORE);
    assert!(
        lines
            .iter()
            .all(|line| line.contains("tollgate::guest") && line.contains(POLICY)),
        "{}",
        lines[0]
    );
    assert!(
        logs["stderr-1.log"].contains("ValueError: invalid literal for int()"),
        "no traceback"
    );
    assert!(!logs["stdout-1.log"].contains(PRINTED));
    assert!(world.gateway.files_with(PRINTED).is_empty());
}

async fn it_refuses_a_configuration_in_its_own_words(world: &World) {
    let body = json!({
        "component": POLICY, "account": "root/research", "config": { "max_output_tokens": 0 },
    });
    let (status, answer) = world
        .management()
        .call("PUT", "/api/policies/house", Some(&body))
        .await;
    assert_eq!(status, 400, "{answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("`max_output_tokens` must be a whole number above 0"),
        "{message}"
    );
}
