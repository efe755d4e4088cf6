//! The contract's optional interfaces on the real gateway: the components that were frozen with a version of it, and the
//! simulator as a vendor that has a dialect of its own and wants every request signed.

use ring::{digest, hmac};
use serde_json::{Value, json};
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint, GPT};
use tollgate_tests::places;
use tollgate_tests::simulator::{Answer, Part, Received, spoken};
use tollgate_tests::wire::Request;
use tollgate_tests::world::{ALICE, ANTHROPIC_SECRET, OPENAI_SECRET, World, model};

const SECRET: &str = "frozen-upstream-secret-4b1d";

fn frozen(name: &str) -> Vec<u8> {
    let dir = places::workspace().join("runtime/plugin/tests/frozen/0.1.0");
    std::fs::read(dir.join(format!("{name}.wasm"))).unwrap()
}

async fn load(world: &World, name: &str, bytes: &[u8]) {
    world.gateway.drop_in(name, bytes);
    let digest: String = digest::digest(&digest::SHA256, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    world
        .management()
        .wait_for_components(name, |components| components.to_string().contains(&digest))
        .await;
}

/// A gateway with the frozen provider on the simulator, serving the model `frozen-1`.
async fn vendor(config: Value) -> World {
    let world = World::new().await;
    world.gateway.keep_secret(SECRET);
    load(&world, "frozen-provider", &frozen("provider")).await;
    let fields = json!({ "fields": { "key-id": "AK17", "secret-key": SECRET } });
    world
        .management()
        .done("PUT", "/api/credentials/frozen", Some(&fields))
        .await;
    let record = json!({
        "provider": "frozen-provider", "base_url": format!("{}/base", world.simulator.base_url()), "credential": "frozen",
        "models": [model("frozen-1")], "config": config,
    });
    world.management().upstream("frozen", record).await;
    world
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks what a vendor of the kind would check: the signature over what has arrived.
fn assert_signed(received: &Received) {
    assert_eq!(received.method, "POST");
    assert_eq!(received.target, "/base/v9/answers");
    assert_eq!(received.header("x-key-id"), Some("AK17"));
    let date = received.header("x-date").unwrap();
    let host = received.header("host").unwrap();
    let mut names = vec!["x-key-id", "x-attempt"];
    if received.header("x-note").is_some() {
        names.push("x-note");
    }
    let body = digest::digest(&digest::SHA256, &received.body);
    let text = format!(
        "POST\n{host}\n/base/v9/answers\n{date}\n{}\n{{key-id}}\n{}",
        names.join(";"),
        hex(body.as_ref())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, format!("FROZEN1{SECRET}").as_bytes());
    let expected = format!(
        "FROZEN1 AK17/north:{}",
        hex(hmac::sign(&key, text.as_bytes()).as_ref())
    );
    assert_eq!(received.header("authorization"), Some(expected.as_str()));
}

/// A standard answer in the vendor's words.
fn in_the_vendors_words(answer: &Answer, stream: bool) -> Answer {
    let body = answer.body();
    match stream {
        false => Answer::json(200, [b"{\"say\":", body.as_slice(), b"}"].concat()),
        true => Answer::stream(vec![Part::Bytes(quoted(&body))]).split_every(7),
    }
}

fn quoted(text: &[u8]) -> Vec<u8> {
    text.split_inclusive(|&byte| byte == b'\n')
        .flat_map(|line| [b">", line].concat())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_with_a_dialect_and_a_signature_of_its_own_is_served() {
    let world = vendor(json!({})).await;
    for endpoint in [Endpoint::of("chat-completions"), Endpoint::of("messages")] {
        for stream in [false, true] {
            let what = format!("{} {stream}", endpoint.operation);
            let standard = spoken(endpoint.operation, stream, "Translated words.");
            world
                .simulator
                .script(in_the_vendors_words(&standard, stream));
            let reply = world
                .post(endpoint.path, endpoint.body_for("frozen-1", stream))
                .await;
            assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
            let expected = String::from_utf8(standard.body()).unwrap();
            assert_eq!(reply.text(), expected, "{what}");
            let kind = reply.header("content-type").unwrap();
            let expected = if stream {
                "text/event-stream"
            } else {
                "application/json"
            };
            assert!(kind.starts_with(expected), "{what}: {kind}");
            let received = world.simulator.last();
            assert_signed(&received);
            // The edits were applied to the standard body, before it was translated.
            let sent = received.json();
            assert_eq!(sent["ask"]["flavour"], "plain", "{what}: {sent}");
            assert_eq!(sent["ask"]["model"], "frozen-1", "{what}: {sent}");
            let row = world
                .management()
                .row_of(&crate::byte_identity::request_id(&reply))
                .await;
            assert_eq!(row.tokens(), endpoint.tokens, "{what}: {}", row.0);
            assert!(!row.estimated(), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_collected_where_the_vendor_only_streams() {
    let world = vendor(json!({ "always": true })).await;
    for endpoint in [Endpoint::of("chat-completions"), Endpoint::of("messages")] {
        let standard = spoken(endpoint.operation, true, "Collected words.");
        world
            .simulator
            .script(in_the_vendors_words(&standard, true));
        let reply = world
            .post(endpoint.path, endpoint.body_for("frozen-1", false))
            .await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert!(reply.json().is_object() && reply.text().contains("Collected words."));
        let received = world.simulator.last();
        assert_signed(&received);
        assert_eq!(received.json()["ask"]["stream"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_translator_reports_reaches_the_client_in_its_dialect() {
    let world = vendor(json!({})).await;
    let endpoint = Endpoint::of("messages");
    // Before anything is sent: the client's own mistake.
    world.simulator.forget();
    let body = endpoint.body_with("frozen-1", false, "untranslatable");
    let reply = world.post(endpoint.path, body).await;
    assert_eq!(reply.status(), 400, "{}", reply.text());
    assert_eq!(reply.json()["type"], "error");
    assert!(
        reply.text().contains("Frozen cannot say this."),
        "{}",
        reply.text()
    );
    assert!(world.simulator.received().is_empty());
    // A success that is none, told by its head.
    let ask = || world.post(endpoint.path, endpoint.body_for("frozen-1", false));
    let head = Answer::json(200, "{\"say\":{}}").header("x-failure", "content-filtered");
    world.simulator.script(head);
    let reply = ask().await;
    assert_eq!(reply.status(), 400, "{}", reply.text());
    assert_eq!(reply.json()["type"], "error");
    // In the middle of a stream: what was said before, then an error event.
    let standard = spoken("messages", true, "First words.");
    let mut text = quoted(&standard.body());
    let cut = text.windows(10).position(|at| at == b"text_delta").unwrap();
    let line = cut + text[cut..].iter().position(|&byte| byte == b'\n').unwrap() + 1;
    text.truncate(line);
    text.extend(b">\n!overloaded Too many birds.\n");
    world
        .simulator
        .script(Answer::stream(vec![Part::Bytes(text)]));
    let reply = world
        .post(endpoint.path, endpoint.body_for("frozen-1", true))
        .await;
    assert_eq!(reply.status(), 200);
    assert!(reply.text().contains("text_delta"), "{}", reply.text());
    assert!(reply.text().contains("event: error"), "{}", reply.text());
    assert!(!reply.text().contains("!overloaded"), "{}", reply.text());
    // What it says there is what the client is told.
    for wanted in ["overloaded_error", "Too many birds."] {
        assert!(reply.text().contains(wanted), "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_never_reads_a_credential_that_a_vendor_repeats() {
    let world = vendor(json!({})).await;
    let endpoint = Endpoint::of("chat-completions");
    // The frozen provider says of a failure whatever the vendor said.
    let said = format!("{{\"error\":\"the secret was {SECRET}, so {SECRET}\"}}");
    let refusal = Answer::json(400, said).header("x-meaning", "invalid-request");
    world.simulator.script(refusal);
    let reply = world
        .post(endpoint.path, endpoint.body_for("frozen-1", false))
        .await;
    assert_eq!(reply.status(), 400, "{}", reply.text());
    assert!(
        reply.text().contains("the secret was ****"),
        "{}",
        reply.text()
    );
    assert!(!reply.text().contains(SECRET), "{}", reply.text());
    // Nor does it read one in a header of the answer.
    let refusal = Answer::json(400, "{}").header("x-meaning", SECRET);
    world.simulator.script(refusal);
    let reply = world
        .post(endpoint.path, endpoint.body_for("frozen-1", false))
        .await;
    assert!(!reply.text().contains(SECRET), "{}", reply.text());
    // A translator reads whole answers.
    let standard = spoken(endpoint.operation, false, &format!("It is {SECRET}."));
    world
        .simulator
        .script(in_the_vendors_words(&standard, false));
    let reply = world
        .post(endpoint.path, endpoint.body_for("frozen-1", false))
        .await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert!(reply.text().contains("It is ****"), "{}", reply.text());
    assert!(!world.gateway.log().contains(SECRET));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_policy_never_reads_a_credential_that_a_vendor_repeats_though_a_stream_cuts_it() {
    let world = World::new().await;
    load(&world, "watcher", &frozen("policy")).await;
    let streaming = ENDPOINTS.iter().filter(|endpoint| endpoint.streams);
    for (endpoint, stream) in streaming.flat_map(|of| [(of, false), (of, true)]) {
        let what = format!("{} {stream}", endpoint.operation);
        let secret = match endpoint.anthropic {
            true => ANTHROPIC_SECRET,
            false => OPENAI_SECRET,
        };
        let said = spoken(endpoint.operation, stream, &format!("It is {secret}, yes"));
        // Where no policy reads it the answer is the vendor's, byte for byte.
        world.simulator.script(said.clone());
        let reply = world.ask(endpoint, stream).await;
        assert_eq!(reply.text().as_bytes(), said.body(), "{what}");
        // The frozen policy puts a bird where it reads its word: so it has read nothing but stars. The last letter of the
        // text is the first one of the secret, and comes when no more can follow.
        let stars = json!({ "word": "*".repeat(secret.len()) });
        let management = world.management();
        management.policy("watching", "watcher", ALICE, stars).await;
        world.simulator.script(said);
        let reply = world.ask(endpoint, stream).await;
        assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
        assert!(
            reply.text().contains("It is [bird], yes"),
            "{what}: {}",
            reply.text()
        );
        assert!(!reply.text().contains(secret), "{what}: {}", reply.text());
        management
            .done("DELETE", "/api/policies/watching", None)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_braces_travel_as_they_are() {
    let world = vendor(json!({})).await;
    let endpoint = Endpoint::of("chat-completions");
    for text in ["{", "}", "{}", "{{}}", "{secret-key}", "a { b } c"] {
        let standard = spoken(endpoint.operation, false, "Hello.");
        world
            .simulator
            .script(in_the_vendors_words(&standard, false));
        let request = Request::post(endpoint.path, endpoint.body_for("frozen-1", false))
            .bearer(&world.key.secret)
            .header("x-note", text);
        let reply = world.gateway.send(&request).await;
        assert_eq!(reply.status(), 200, "{text:?}: {}", reply.text());
        let received = world.simulator.last();
        assert_eq!(received.header("x-note"), Some(text));
        assert_signed(&received);
    }
}

/// A gateway with the frozen policy attached.
async fn watched() -> World {
    let world = World::new().await;
    load(&world, "watcher", &frozen("policy")).await;
    world
        .management()
        .policy("watching", "watcher", ALICE, json!({}))
        .await;
    world
}

/// The frozen policy logs what it was told.
fn assert_observed(world: &World, expected: &str) {
    let log = world.gateway.log();
    let said = log.lines().filter(|line| line.contains("observed"));
    assert!(
        log.contains(expected),
        "{expected}\n{:?}",
        said.collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_is_told_how_each_request_ended() {
    let world = watched().await;
    let endpoint = Endpoint::of("chat-completions");
    for stream in [false, true] {
        let reply = world.ask(endpoint, stream).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let id = crate::byte_identity::request_id(&reply);
        let row = world.management().row_of(&id).await;
        let tokens = endpoint.tokens;
        let expected = format!(
            "observed {id} 200 {GPT} from openai: {} in, {} out, {} charged, {ALICE}",
            tokens.input + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h,
            tokens.output,
            row.charged(),
        );
        assert_observed(&world, &expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_is_told_of_requests_that_nobody_answered() {
    let world = watched().await;
    let endpoint = Endpoint::of("chat-completions");
    world.simulator.always(Some(Answer::hang_up()));
    let unanswered = world.ask(endpoint, false).await;
    assert_eq!(unanswered.status(), 503, "{}", unanswered.text());
    let unread = world.post(endpoint.path, "{").await;
    assert_eq!(unread.status(), 400, "{}", unread.text());
    for (reply, model) in [(unanswered, GPT), (unread, "")] {
        let id = crate::byte_identity::request_id(&reply);
        let expected = format!(
            "observed {id} {} {model} from : 0 in, 0 out, 0 charged, {ALICE}",
            reply.status()
        );
        assert_observed(&world, &expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_sees_no_credential_however_it_spells_the_name() {
    let world = watched().await;
    let endpoint = Endpoint::of("chat-completions");
    let ask = async |header: &str, name: &str| {
        let request = Request::post(endpoint.path, endpoint.body(false))
            .bearer(&world.key.secret)
            .header("x-api-key", &world.key.secret)
            .header("cookie", "session=1")
            .header("x-custom", "Bearer abc")
            .header("x-colour", "blue")
            .header(header, name);
        let reply = world.gateway.send(&request).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let id = crate::byte_identity::request_id(&reply);
        world.management().row_of(&id).await.0["tags"]["seen"].clone()
    };
    for name in [
        "authorization",
        "Authorization",
        "X-Api-Key",
        "x-api-key",
        "Cookie",
        // Its name says nothing.
        "x-custom",
    ] {
        assert_eq!(ask("x-ask-header", name).await, "nothing", "{name}");
    }
    assert_eq!(
        ask("x-ask-header", "content-type").await,
        "application/json"
    );
    assert_eq!(ask("x-ask-header", "x-colour").await, "blue");
    for name in ["messages", "Messages"] {
        assert_eq!(ask("x-ask-parameter", name).await, "nothing", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_that_refuses_a_stored_configuration_does_not_take_over() {
    let world = World::new().await;
    let taking = |longest: u32| tollgate_tests::guests::configurable(longest);
    load(&world, "fussy", &taking(40)).await;
    let config = json!({ "word": "0123456789" });
    world
        .management()
        .policy("attached", "fussy", ALICE, config)
        .await;
    let endpoint = Endpoint::of("chat-completions");
    assert_eq!(world.ask(endpoint, false).await.status(), 200);
    load(&world, "fussy", &taking(5)).await;
    for _ in 0..3 {
        let reply = world.ask(endpoint, false).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
    }
}
