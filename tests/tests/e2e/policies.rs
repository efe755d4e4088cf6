//! The bundled policies, attached to an ancestor of the account that asks.

use serde_json::{Value, json};
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint, GPT};
use tollgate_tests::gateway::Setup;
use tollgate_tests::recordings::events;
use tollgate_tests::simulator::{Simulator, called, spoken};
use tollgate_tests::wire::Request;
use tollgate_tests::world::{World, upstream};

use crate::byte_identity::request_id;

const MAIL: &str = "ada.lovelace@example.org";
const LITERAL: &str = "Project Nightingale";

async fn world(policy: &str, config: Value) -> World {
    let world = World::with(Setup::new(&["openai", "anthropic", policy])).await;
    world
        .management()
        .policy("attached", policy, "root/research", config)
        .await;
    world
}

fn redacting() -> Value {
    json!({ "patterns": [{ "name": "email" }, { "literal": LITERAL }] })
}

fn streaming() -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS.iter().filter(|endpoint| endpoint.streams)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redact_takes_secrets_out_of_requests_and_touches_nothing_else() {
    let world = world("redact", redacting()).await;
    for endpoint in &ENDPOINTS {
        let text = format!("Write to {MAIL} about {LITERAL}, caf\u{e9}.");
        let body =
            String::from_utf8(endpoint.body_with(endpoint.model, endpoint.streams, &text)).unwrap();
        let body = body.replacen('{', "{ \"x_odd\" : 1.0e1 , ", 1);
        let reply = world.post(endpoint.path, body.as_str()).await;
        assert_eq!(reply.status(), 200, "{}: {}", endpoint.path, reply.text());
        let sent = world.simulator.last().text();
        assert!(
            !sent.contains(MAIL) && !sent.contains(LITERAL),
            "{}: {sent}",
            endpoint.path
        );
        let wanted = body
            .replace(MAIL, "[redacted]")
            .replace(LITERAL, "[redacted]");
        let plain = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(plain(&sent), plain(&wanted), "{}", endpoint.path);
        assert!(
            sent.starts_with("{ \"x_odd\" : 1.0e1 , "),
            "more was rewritten than the text: {sent}"
        );
        let row = world.management().row_of(&request_id(&reply)).await;
        assert_eq!(row.0["policies"][0]["component"], "redact", "{}", row.0);
        // What holds nothing of the kind goes through byte for byte.
        let clean = endpoint.body(endpoint.streams);
        assert_eq!(world.post(endpoint.path, clean.clone()).await.status(), 200);
        assert!(world.simulator.last().body == clean, "{}", endpoint.path);
    }
}

/// With the time-out that is shipped: half a million tokens and more are a conversation like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redact_has_time_for_a_conversation_of_four_megabytes_and_others_are_served_meanwhile() {
    let setup = Setup::new(&["openai", "anthropic", "redact"]);
    let world = World::with(setup.shipped("components", "call_timeout_ms")).await;
    let config = json!({ "patterns": [{ "name": "email" }, { "literal": LITERAL }] });
    let management = world.management();
    management
        .policy("attached", "redact", "root/research", config)
        .await;
    let line = format!("Write to {MAIL} about {LITERAL}; the rest of this line is code. ");
    let whole = line.repeat((4 << 20) / line.len());
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.streams) {
        let body = endpoint.body_with(endpoint.model, false, &whole);
        for _ in 0..4 {
            let reply = world.post(endpoint.path, body.clone()).await;
            assert_eq!(reply.status(), 200, "{}: {}", endpoint.path, reply.text());
            assert!(!world.simulator.last().text().contains(MAIL));
        }
        assert_eq!(world.ask(endpoint, false).await.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redact_reads_tool_arguments_and_results_too() {
    let world = world("redact", redacting()).await;
    let arguments = format!("{{\"to\":\"{MAIL}\",\"n\":1.0}}");
    let bodies = [
        (
            "chat-completions",
            json!({ "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "Hi" }] },
            { "role": "assistant", "content": null, "tool_calls":
                [{ "id": "c", "type": "function", "function": { "name": "mail", "arguments": arguments } }] },
            { "role": "tool", "tool_call_id": "c", "content": format!("sent to {MAIL}") },
        ] }),
        ),
        (
            "responses",
            json!({ "instructions": format!("Mind {LITERAL}."), "input": [
            { "role": "user", "content": [{ "type": "input_text", "text": "Hi" }] },
            { "type": "function_call", "call_id": "c", "name": "mail", "arguments": arguments },
            { "type": "function_call_output", "call_id": "c", "output": format!("sent to {MAIL}") },
        ] }),
        ),
        (
            "messages",
            json!({ "max_tokens": 99, "system": [{ "type": "text", "text": format!("Mind {LITERAL}.") }], "messages": [
            { "role": "user", "content": "Hi" },
            { "role": "assistant", "content": [{ "type": "tool_use", "id": "c", "name": "mail", "input": { "to": MAIL } }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "c", "content": [{ "type": "text", "text": format!("sent to {MAIL}") }] }] },
        ] }),
        ),
    ];
    for (operation, mut body) in bodies {
        let endpoint = Endpoint::of(operation);
        body["model"] = json!(endpoint.model);
        let reply = world.post(endpoint.path, body.to_string()).await;
        assert_eq!(reply.status(), 200, "{operation}: {}", reply.text());
        let sent = world.simulator.last();
        assert!(
            !sent.text().contains(MAIL) && !sent.text().contains(LITERAL),
            "{operation}: {}",
            sent.text()
        );
        assert!(
            sent.text().contains("sent to [redacted]"),
            "{operation}: {}",
            sent.text()
        );
        assert!(sent.json().is_object());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redact_takes_secrets_out_of_whole_answers() {
    let world = world("redact", redacting()).await;
    for endpoint in streaming() {
        world.simulator.script(spoken(
            endpoint.operation,
            false,
            &format!("Write to {MAIL} about {LITERAL}."),
        ));
        let reply = world.ask(endpoint, false).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert!(
            reply
                .text()
                .contains("Write to [redacted] about [redacted]."),
            "{}",
            reply.text()
        );
        assert!(reply.json().is_object());
        let row = world.management().row_of(&request_id(&reply)).await;
        assert_eq!(row.tokens(), endpoint.tokens, "{}", row.0);
        world.simulator.script(called(
            endpoint.operation,
            false,
            "mail",
            &format!("{{\"to\":\"{MAIL}\"}}"),
        ));
        let reply = world.ask(endpoint, false).await;
        assert!(
            reply.text().contains("[redacted]") && !reply.text().contains(MAIL),
            "{}",
            reply.text()
        );
        assert!(reply.json().is_object());
    }
}

/// All text and all tool arguments that a stream's deltas add up to.
fn streamed(stream: &str) -> String {
    let mut all = String::new();
    for event in events(stream) {
        let delta = &event["choices"][0]["delta"];
        for piece in [
            &delta["content"],
            &delta["tool_calls"][0]["function"]["arguments"],
            &event["delta"]["text"],
            &event["delta"]["partial_json"],
        ] {
            all.push_str(piece.as_str().unwrap_or_default());
        }
        if event["type"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("response.") && kind.ends_with(".delta"))
        {
            all.push_str(event["delta"].as_str().unwrap_or_default());
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redact_takes_secrets_out_of_streams_though_split_over_deltas() {
    let world = world("redact", redacting()).await;
    let text = format!("Write to {MAIL} about {LITERAL}, please. The rest is plain, a@b is not.");
    let clean = text
        .replace(MAIL, "[redacted]")
        .replace(LITERAL, "[redacted]");
    for endpoint in streaming() {
        for size in [0, 1, 5, 1000] {
            let answer = spoken(endpoint.operation, true, &text);
            world.simulator.script(if size == 0 {
                answer
            } else {
                answer.split_every(size)
            });
            let reply = world.ask(endpoint, true).await;
            let got = reply.text();
            assert!(reply.complete, "{got}");
            assert_eq!(streamed(&got), clean, "{}: {got}", endpoint.path);
            // Not in an event that repeats the whole text either.
            assert!(
                !got.contains(MAIL) && !got.contains("lovelace") && !got.contains("Nightingale"),
                "{got}"
            );
            if endpoint.operation == "responses" {
                assert_eq!(
                    got.matches(&clean).count(),
                    4,
                    "the events that repeat the text must agree: {got}"
                );
            }
            let row = world.management().row_of(&request_id(&reply)).await;
            assert_eq!(row.tokens(), endpoint.tokens, "{}", row.0);
        }
        world.simulator.script(called(
            endpoint.operation,
            true,
            "mail",
            &format!("{{\"to\":\"{MAIL}\",\"n\":1}}"),
        ));
        let got = world.ask(endpoint, true).await.text();
        let arguments = streamed(&got);
        let arguments: Value =
            serde_json::from_str(&arguments).unwrap_or_else(|error| panic!("{error}: {arguments}"));
        assert_eq!(arguments, json!({ "to": "[redacted]", "n": 1 }), "{got}");
        assert!(!got.contains("lovelace"), "{got}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_cut_gives_nothing_away_that_was_held_back() {
    let world = world("redact", redacting()).await;
    for endpoint in streaming() {
        let answer = spoken(
            endpoint.operation,
            true,
            &format!("Write to {MAIL} about nothing."),
        );
        let whole = String::from_utf8(answer.body()).unwrap();
        // Cut where the address is under way.
        let cut = whole
            .split_inclusive("\n\n")
            .position(|event| event.contains("ada"))
            .unwrap()
            + 2;
        world
            .simulator
            .script(answer.then(cut, tollgate_tests::simulator::Part::Cut));
        let reply = world.ask(endpoint, true).await;
        assert!(reply.complete, "{}", reply.text());
        assert!(
            !streamed(&reply.text()).contains("ada.love"),
            "{}",
            reply.text()
        );
        assert!(reply.text().contains("error"), "{}", reply.text());
    }
}

/// Today's weekday in UTC, 1 for Monday.
pub(crate) fn weekday() -> u64 {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    // The epoch was a Thursday.
    (seconds / 86_400 + 3) % 7 + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn office_hours_are_kept_on_every_endpoint_with_the_policys_own_words() {
    let message = "Come back on another day, please.";
    let config = |day: u64| json!({ "zone": "UTC", "days": [day], "message": message });
    // Three days off: no test lasts so long, and no night shift reaches over.
    let closed = (weekday() + 2) % 7 + 1;
    let world = world("office-hours", config(closed)).await;
    for endpoint in &ENDPOINTS {
        let word = if endpoint.anthropic {
            "permission_error"
        } else {
            "permission_denied"
        };
        let reply = world.ask(endpoint, endpoint.streams).await;
        assert_eq!(reply.status(), 403, "{}: {}", endpoint.path, reply.text());
        let error = &reply.json()["error"];
        assert_eq!(error["message"], message, "{}", reply.text());
        if endpoint.anthropic {
            assert_eq!(error["type"], word, "{}", reply.text());
        }
        let row = world.management().row_of(&request_id(&reply)).await;
        assert!(
            row.0.to_string().contains("outside-office-hours"),
            "the reason is not kept: {}",
            row.0
        );
        assert_eq!(row.charged(), 0);
        // Of several policies it can be told which one it was.
        let acted = &row.0["policies"][0];
        assert_eq!(acted["component"], "office-hours", "{}", row.0);
    }
    assert!(world.simulator.received().is_empty());
    // A sibling department has no office hours.
    world.management().account("root", "night", json!({})).await;
    let key = world.management().key("root/night").await;
    world.gateway.keep_secret(&key.secret);
    let endpoint = &ENDPOINTS[0];
    let request = Request::post(endpoint.path, endpoint.body(false)).bearer(&key.secret);
    assert_eq!(world.gateway.send(&request).await.status(), 200);
    // All days, round the clock.
    let open =
        json!({ "zone": "UTC", "days": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "24:00" });
    world
        .management()
        .policy("attached", "office-hours", "root/research", open)
        .await;
    for endpoint in &ENDPOINTS {
        assert_eq!(
            world.ask(endpoint, endpoint.streams).await.status(),
            200,
            "{}",
            endpoint.path
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_the_policy_refuses_is_refused_and_the_old_one_stays() {
    let world = world("office-hours", json!({ "days": [(weekday() + 2) % 7 + 1] })).await;
    for config in [
        json!({ "zone": "Mars/Olympus" }),
        json!({ "nonsense": 1 }),
        json!([]),
    ] {
        let body =
            json!({ "component": "office-hours", "account": "root/research", "config": config });
        let (status, answer) = world
            .management()
            .call("PUT", "/api/policies/attached", Some(&body))
            .await;
        assert_eq!(status, 400, "{answer}");
        assert!(
            answer["error"]["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty()),
            "{answer}"
        );
    }
    assert_eq!(
        world.ask(&ENDPOINTS[0], false).await.status(),
        403,
        "the old configuration is gone"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn model_tiers_choose_the_upstream() {
    let world = world(
        "model-tiers",
        json!({ "tiers": [["premium"], ["standard"]], "by": "price" }),
    )
    .await;
    let (cheap, premium) = (Simulator::start().await, Simulator::start().await);
    for (name, simulator, tier, input) in [
        ("cheap", &cheap, "standard", 1),
        ("premium", &premium, "premium", 9_000_000),
    ] {
        let mut record = upstream(simulator, "openai", &[GPT]);
        record["tier"] = json!(tier);
        record["models"][0]["price"]["input"] = json!(input);
        world.management().upstream(name, record).await;
    }
    let endpoint = Endpoint::of("chat-completions");
    let ask = async || assert_eq!(world.ask(endpoint, false).await.status(), 200);
    ask().await;
    assert_eq!(
        (cheap.received().len(), premium.received().len()),
        (0, 1),
        "the best tier first"
    );
    let tiers = json!({ "tiers": [["standard", "premium"]], "by": "price" });
    world
        .management()
        .policy("attached", "model-tiers", "root/research", tiers)
        .await;
    ask().await;
    assert_eq!(
        (cheap.received().len(), premium.received().len()),
        (1, 1),
        "within a tier the cheapest"
    );
    // Strict: whoever has another label is not asked even when all others fail.
    let strict = json!({ "tiers": [["premium"]], "strict": true });
    world
        .management()
        .policy("attached", "model-tiers", "root/research", strict)
        .await;
    premium.always(Some(tollgate_tests::simulator::openai_error(
        500,
        "server_error",
        "broken",
    )));
    let reply = world.ask(endpoint, false).await;
    assert!(reply.status() >= 500, "{}", reply.text());
    assert_eq!(cheap.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_of_an_ancestor_and_one_of_the_account_both_act_root_first() {
    let world = World::with(Setup::new(&[
        "openai",
        "anthropic",
        "redact",
        "office-hours",
    ]))
    .await;
    let closed = json!({ "days": [(weekday() + 2) % 7 + 1], "message": "closed" });
    world
        .management()
        .policy("hours", "office-hours", "root", closed)
        .await;
    world
        .management()
        .policy(
            "redact",
            "redact",
            tollgate_tests::world::ALICE,
            redacting(),
        )
        .await;
    assert_eq!(
        world.ask(&ENDPOINTS[0], false).await.status(),
        403,
        "a child's policy undid its ancestor's"
    );
    world
        .management()
        .done("DELETE", "/api/policies/hours", None)
        .await;
    let endpoint = &ENDPOINTS[0];
    let reply = world
        .post(endpoint.path, endpoint.body_with(GPT, false, MAIL))
        .await;
    assert_eq!(reply.status(), 200);
    assert!(!world.simulator.last().text().contains(MAIL));
}
