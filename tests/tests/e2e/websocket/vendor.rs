//! Vendors that have a WebSocket themselves: asked over it for what came over one, and over HTTP where they have none.

use serde_json::{Value, json};
use tollgate_tests::endpoints::{EMBED, GPT};
use tollgate_tests::gateway::Setup;
use tollgate_tests::recordings::events;
use tollgate_tests::simulator::{
    Answer, Ending, OPENAI, Part, Received, Simulator, openai_error, spoken,
};
use tollgate_tests::socket::Socket;
use tollgate_tests::world::{OPENAI_SECRET, World, upstream};

use super::{create, create_with, kinds, open, stream};

/// Sends a request that goes on from the answer before it, and returns its answer.
async fn next(socket: &mut Socket, before: &[Value], mut body: Value) -> Vec<Value> {
    body["previous_response_id"] = before.last().unwrap()["response"]["id"].clone();
    socket.send(&body).await;
    completed(socket).await
}

async fn completed(socket: &mut Socket) -> Vec<Value> {
    let told = socket.answer().await;
    assert_eq!(
        told.last().unwrap()["type"],
        "response.completed",
        "{told:?}"
    );
    told
}

fn said(text: &str) -> Value {
    json!({ "type": "message", "role": "user", "content": text })
}

/// The items of an answer.
fn items(told: &[Value]) -> Vec<Value> {
    let done = told
        .iter()
        .filter(|event| event["type"] == "response.output_item.done");
    done.map(|event| event["item"].clone()).collect()
}

/// What a message has that brings the whole.
fn assert_whole(received: &Received, input: &[Value]) {
    let message = received.json();
    assert!(received.over_websocket());
    assert!(message.get("previous_response_id").is_none(), "{message}");
    assert_eq!(message["input"], json!(input));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_go_over_one_connection_and_bring_only_what_is_new() {
    let world = World::new().await;
    let mut socket = open(&world).await;
    let turn = |text: &str, number: u64| {
        let counted = json!({ "client_metadata": { "turn": number }, "metadata": { "n": "1" } });
        create_with(text, counted)
    };
    socket.send(&turn("One", 1)).await;
    let first = completed(&mut socket).await;
    let second = next(&mut socket, &first, turn("Two", 2)).await;
    let third = next(&mut socket, &second, turn("Three", 3)).await;
    // Another way to answer is another conversation to a vendor's cache: it gets the whole, on the same connection.
    let mut other = turn("Four", 4);
    other["temperature"] = json!(0.5);
    next(&mut socket, &third, other).await;

    let handshakes = world.simulator.handshakes();
    assert_eq!(handshakes.len(), 1);
    let asked = &handshakes[0];
    assert_eq!((&*asked.method, &*asked.target), ("GET", "/v1/responses"));
    let bearer = format!("Bearer {OPENAI_SECRET}");
    assert_eq!(asked.header("authorization"), Some(&*bearer));
    for absent in ["content-type", "content-length", "sec-websocket-extensions"] {
        assert_eq!(asked.header(absent), None, "{absent}");
    }
    assert!(!format!("{:?}", asked.headers).contains(&world.key.secret));

    let received = world.simulator.received();
    assert_eq!(received.len(), 4);
    for received in &received {
        let message = received.json();
        assert!(received.over_websocket());
        assert_eq!(message["type"], "response.create");
        for absent in ["stream", "background", "generate", "stream_id"] {
            assert!(message.get(absent).is_none(), "{message}");
        }
    }
    assert_whole(&received[0], &[said("One")]);
    for (number, before, text) in [(1, &first, "Two"), (2, &second, "Three")] {
        let message = received[number].json();
        assert_eq!(message["input"], json!([said(text)]), "{message}");
        let id = &before.last().unwrap()["response"]["id"];
        assert_eq!(message["previous_response_id"], *id);
        assert_eq!(message["client_metadata"]["turn"], number + 1);
    }
    let mut all = Vec::new();
    for (told, text) in [(&first, "One"), (&second, "Two"), (&third, "Three")] {
        all.push(said(text));
        all.extend(items(told));
    }
    assert_eq!(received[2].whole()["input"], json!(all[..all.len() - 1]));
    all.push(said("Four"));
    assert_whole(&received[3], &all);

    let rows = world.management().wait_for_rows(4).await;
    for row in &rows {
        assert_eq!((row.status(), row.text("operation")), (200, "responses"));
        assert_eq!(row.tokens(), OPENAI);
        assert!(!row.estimated() && row.charged() == rows[0].charged());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_has_the_events_that_http_has_and_costs_the_same() {
    let world = World::new().await;
    let mut body = create("Good morning.");
    let mut socket = open(&world).await;
    socket.send(&body).await;
    let told = completed(&mut socket).await;
    body.as_object_mut().unwrap().remove("type");
    body["stream"] = json!(true);
    let reply = world.post("/v1/responses", body.to_string()).await;
    let id = told[0]["response"]["id"].as_str().unwrap();
    let over_http = reply
        .text()
        .replace("\"resp_simulated\"", &json!(id).to_string());
    assert_eq!(told, events(&over_http));
    let received = world.simulator.received();
    let ways: Vec<_> = received.iter().map(|r| r.over_websocket()).collect();
    assert_eq!(ways, [true, false], "what comes over HTTP stays there");
    let rows = world.management().wait_for_rows(2).await;
    assert_eq!(rows[0].charged(), rows[1].charged());
    assert_eq!((rows[0].tokens(), rows[1].tokens()), (OPENAI, OPENAI));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_belongs_to_one_client_and_one_credential() {
    let world = World::new().await;
    let mut one = open(&world).await;
    let mut other = open(&world).await;
    one.send(&create("One")).await;
    let told = completed(&mut one).await;
    other.send(&create("Other")).await;
    completed(&mut other).await;
    let received = world.simulator.received();
    assert_ne!(received[0].connection, received[1].connection);
    // From the next turn on the vendor hears the new secret, and gets the whole.
    let fresh = "sk-upstream-secret-openai-fresh-1";
    world.gateway.keep_secret(fresh);
    world.management().credential("openai", fresh).await;
    next(&mut one, &told, create("Two")).await;
    let handshakes = world.simulator.handshakes();
    let bearer = format!("Bearer {fresh}");
    assert_eq!(handshakes.len(), 3);
    assert_eq!(handshakes[2].header("authorization"), Some(&*bearer));
    let mut all = vec![said("One")];
    all.extend(items(&told));
    all.push(said("Two"));
    assert_whole(&world.simulator.last(), &all);
    // A client that goes takes its connections along.
    let gate = tollgate_tests::simulator::Gate::default();
    world
        .simulator
        .script(stream().with_part(3, Part::Wait(gate)));
    one.send(&create("Three")).await;
    one.event().await;
    drop(one);
    assert_eq!(world.simulator.wait_for_ending().await, Ending::CallerLeft);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_grants_no_websocket_is_asked_over_http() {
    let world = World::new().await;
    let refusals = [400, 403, 404, 405, 426, 501]
        .map(|status| openai_error(status, "invalid_request_error", "no"));
    for (number, refusal) in refusals.into_iter().chain([Answer::hang_up()]).enumerate() {
        world.simulator.forget();
        world.simulator.refuse_websockets(Some(refusal));
        // What was remembered of the upstream was of another record.
        let mut record = upstream(&world.simulator, "openai", &[GPT, EMBED]);
        record["priority"] = json!(number + 1);
        world.management().upstream("openai", record).await;
        let mut socket = open(&world).await;
        socket.send(&create("One")).await;
        let told = completed(&mut socket).await;
        next(&mut socket, &told, create("Two")).await;
        let received = world.simulator.received();
        assert_eq!(received.len(), 2);
        for received in &received {
            assert!(!received.over_websocket());
            assert_eq!(
                (&*received.method, received.path()),
                ("POST", "/v1/responses")
            );
            assert_eq!(received.json()["stream"], true);
        }
        assert_eq!(received[1].json()["input"].as_array().unwrap().len(), 3);
        let asked = world.simulator.handshakes().len();
        assert_eq!(asked, 1, "a refusal is remembered");
    }
    let rows = world.management().wait_for_rows(14).await;
    assert!(rows.iter().all(|row| row.tokens() == OPENAI), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_can_be_switched_off() {
    let setup = Setup::new(&["openai", "anthropic"]).set("upstream", "websocket", "false");
    let world = World::with(setup).await;
    let mut socket = open(&world).await;
    socket.send(&create("One")).await;
    completed(&mut socket).await;
    assert!(world.simulator.handshakes().is_empty());
    assert!(!world.simulator.last().over_websocket());
}

/// The usual world, and a second upstream that is asked when the first has failed.
async fn with_a_second() -> (World, Simulator) {
    let world = World::new().await;
    let second = Simulator::start().await;
    let mut record = upstream(&second, "openai", &[GPT]);
    record["priority"] = json!(-10);
    world.management().upstream("second", record).await;
    (world, second)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_refuses_us_at_the_upgrade_is_not_asked_over_http() {
    for status in [401, 429, 500, 503] {
        let (world, second) = with_a_second().await;
        let refusal = openai_error(status, "server_error", "no");
        world.simulator.refuse_websockets(Some(refusal));
        let mut socket = open(&world).await;
        socket.send(&create("One")).await;
        completed(&mut socket).await;
        assert!(world.simulator.received().is_empty(), "{status}");
        assert_eq!(second.received().len(), 1, "{status}");
        let rows = world.management().wait_for_rows(1).await;
        assert_eq!(rows[0].text("upstream"), "second");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_before_the_first_event_is_a_failed_attempt_with_its_status() {
    let failed = Answer::events(
        "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n\
         event: error\ndata: {\"type\":\"error\",\"status\":503,\"error\":{\"code\":\"server_is_overloaded\",\"message\":\"no\"}}\n\n",
    );
    for answer in [
        openai_error(429, "rate_limit_exceeded", "slow").header("retry-after", "7"),
        openai_error(500, "server_error", "no"),
        openai_error(401, "invalid_api_key", "no"),
        failed,
        stream().then(1, Part::Cut),
        Answer::hang_up(),
    ] {
        let (world, second) = with_a_second().await;
        world.simulator.script(answer);
        let mut socket = open(&world).await;
        socket.send(&create("One")).await;
        let told = completed(&mut socket).await;
        assert_eq!(told[0]["type"], "response.created", "nothing came before");
        assert_eq!(world.simulator.received().len(), 1);
        assert!(second.last().over_websocket());
        let rows = world.management().wait_for_rows(1).await;
        assert_eq!(
            (rows[0].text("upstream"), rows[0].tokens()),
            ("second", OPENAI)
        );
    }
    // With nobody else to ask, the client reads how long to wait.
    let world = World::new().await;
    let busy = openai_error(429, "rate_limit_exceeded", "slow").header("retry-after", "7");
    world.simulator.script(busy);
    let mut socket = open(&world).await;
    socket.send(&create("One")).await;
    let told = socket.answer().await;
    assert_eq!(kinds(&told), ["error"], "{told:?}");
    assert_eq!(told[0]["headers"]["retry-after"], "7", "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_cut_is_told_and_charged_and_the_next_begins_anew() {
    let world = World::new().await;
    let mut socket = open(&world).await;
    socket.send(&create("One")).await;
    let told = completed(&mut socket).await;
    world.simulator.script(stream().then(7, Part::Cut));
    let mut body = create("Two");
    body["previous_response_id"] = told.last().unwrap()["response"]["id"].clone();
    socket.send(&body).await;
    let told = socket.answer().await;
    let last = told.last().unwrap();
    assert_eq!(
        (&last["type"], &last["status"]),
        (&json!("error"), &json!(502))
    );
    assert!(told.len() > 2, "{told:?}");
    let rows = world.management().wait_for_rows(2).await;
    let cut = rows
        .iter()
        .find(|row| !row.text("error").is_empty())
        .unwrap();
    assert!(cut.charged() > 0, "{}", cut.0);
    socket.send(&create("Three")).await;
    completed(&mut socket).await;
    assert_eq!(world.simulator.handshakes().len(), 2);
    assert_whole(&world.simulator.last(), &[said("Three")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_between_turns_is_replaced_unseen() {
    let not_found = r#"{"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"Previous response not found.","param":"previous_response_id"}}"#;
    let too_old = r#"{"error":{"type":"invalid_request_error","code":"websocket_connection_limit_reached","message":"60 minutes","param":null}}"#;
    // What ends it: the first answer, or what is said to the second request.
    for (first, second) in [
        (Some(stream().closing()), None),
        (Some(stream().closing_silently()), None),
        (None, Some(Answer::hang_up())),
        (None, Some(Answer::json(400, not_found))),
        (None, Some(Answer::json(400, too_old))),
    ] {
        let world = World::new().await;
        let mut socket = open(&world).await;
        if let Some(first) = first {
            world.simulator.script(first);
        }
        socket.send(&create("One")).await;
        let told = completed(&mut socket).await;
        let is_asked = second.is_some();
        if let Some(second) = second {
            world.simulator.script(second);
        }
        let mut all = vec![said("One")];
        all.extend(items(&told));
        all.push(said("Two"));
        next(&mut socket, &told, create("Two")).await;
        assert_eq!(world.simulator.handshakes().len(), 2);
        let received = world.simulator.received();
        assert_whole(received.last().unwrap(), &all);
        if is_asked {
            assert_eq!(received.len(), 3);
            assert_eq!(received[1].json()["input"], json!([said("Two")]));
        }
        let rows = world.management().wait_for_rows(2).await;
        assert!(rows.iter().all(|row| row.tokens() == OPENAI), "{rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_policy_takes_out_stays_out_in_every_turn() {
    const MAIL: &str = "ada.lovelace@example.org";
    let world = World::with(Setup::new(&["openai", "anthropic", "redact"])).await;
    let config = json!({ "patterns": [{ "name": "email" }] });
    world
        .management()
        .policy("attached", "redact", "root/research", config)
        .await;
    let mut socket = open(&world).await;
    socket.send(&create(&format!("Write to {MAIL}"))).await;
    let first = completed(&mut socket).await;
    world
        .simulator
        .script(spoken("responses", true, &format!("I wrote to {MAIL}.")));
    let second = next(&mut socket, &first, create(&format!("Again to {MAIL}"))).await;
    assert!(!format!("{second:?}").contains(MAIL), "{second:?}");
    // What the client has of the second answer is not what the vendor said: it gets what the client has.
    next(&mut socket, &second, create("Thanks")).await;
    let received = world.simulator.received();
    assert_eq!(received.len(), 3);
    assert!(
        received
            .iter()
            .all(|message| !message.text().contains(MAIL))
    );
    assert_whole(&received[0], &[said("Write to [redacted]")]);
    let message = received[1].json();
    assert_eq!(message["input"], json!([said("Again to [redacted]")]));
    assert!(message["previous_response_id"].is_string());
    let message = received[2].json();
    assert!(message.get("previous_response_id").is_none(), "{message}");
    assert_eq!(message["input"].as_array().unwrap().len(), 5, "{message}");
    assert_eq!(world.simulator.handshakes().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_vendor_tells_about_itself_stays_here() {
    let world = World::new().await;
    let about = "data: {\"type\":\"vendor.rate_limits\",\"remaining\":7}\n\n";
    let answer = String::from_utf8(stream().body()).unwrap();
    let answer = Answer::events(format!("{about}{answer}{about}"));
    world.simulator.script(answer);
    let mut socket = open(&world).await;
    socket.send(&create("One")).await;
    let told = completed(&mut socket).await;
    assert!(!format!("{told:?}").contains("vendor.rate_limits"));
    next(&mut socket, &told, create("Two")).await;
    assert_eq!(world.simulator.handshakes().len(), 1);
    assert_eq!(world.simulator.last().json()["input"], json!([said("Two")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_is_reached_over_tls_too() {
    let (vendor, authority) = Simulator::start_tls().await;
    let (stranger, _) = Simulator::start_tls().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority).unwrap();
    let path = format!("{:?}", file.path());
    let setup = Setup::new(&["openai", "anthropic"]).set("upstream", "extra_ca_file", &path);
    let world = World::with(setup).await;
    for (simulator, reached) in [(&stranger, false), (&vendor, true)] {
        let record = upstream(simulator, "openai", &[GPT]);
        world.management().upstream("openai", record).await;
        let mut socket = open(&world).await;
        socket.send(&create("One")).await;
        let told = socket.answer().await;
        let completed = told.last().unwrap()["type"] == "response.completed";
        assert_eq!(completed, reached, "{told:?}");
    }
    assert!(stranger.handshakes().is_empty() && stranger.received().is_empty());
    assert!(vendor.last().over_websocket());
}
