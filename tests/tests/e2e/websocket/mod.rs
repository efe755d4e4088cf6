//! Responses over a WebSocket: the same requests as over HTTP, and what only a connection has.

mod connection;
mod conversation;
mod vendor;

use serde_json::{Value, json};
use tollgate_tests::endpoints::{Endpoint, GPT};
use tollgate_tests::gateway::Setup;
use tollgate_tests::recordings::events;
use tollgate_tests::simulator::{Answer, Gate, OPENAI, Part, openai_error};
use tollgate_tests::socket::Socket;
use tollgate_tests::wire::Request;
use tollgate_tests::world::{ALICE, World};

async fn open(world: &World) -> Socket {
    Socket::open(world.gateway.address(), &world.key.secret).await
}

/// The usual world, whose vendor has no WebSocket.
async fn on_http() -> World {
    let world = World::new().await;
    let unknown = openai_error(404, "not_found", "There is nothing here.");
    world.simulator.refuse_websockets(Some(unknown));
    world
}

/// A request that says `text`.
fn create(text: &str) -> Value {
    json!({
        "type": "response.create", "model": GPT, "store": false,
        "input": [{ "type": "message", "role": "user", "content": text }],
    })
}

/// The same with further members, or others.
fn create_with(text: &str, rest: Value) -> Value {
    let mut body = create(text);
    body.as_object_mut()
        .unwrap()
        .extend(rest.as_object().unwrap().clone());
    body
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

/// A stream of the vendor's, as events.
fn stream() -> Answer {
    tollgate_tests::simulator::spoken("responses", true, "Good morning to you, too.")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_has_the_events_that_http_has_and_costs_the_same() {
    let world = on_http().await;
    let mut body = create("Good morning.");
    let mut socket = open(&world).await;
    socket.send(&body).await;
    let told = socket.answer().await;
    body.as_object_mut().unwrap().remove("type");
    body["stream"] = json!(true);
    let reply = world.post("/v1/responses", body.to_string()).await;
    assert_eq!(told, events(&reply.text()));
    let received = world.simulator.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].json(), received[1].json());
    // A vendor that is asked over HTTP hears nothing of the WebSocket.
    let headers = |number: usize| {
        let mut names: Vec<_> = received[number]
            .headers
            .iter()
            .map(|(name, _)| name)
            .collect();
        names.sort();
        names
    };
    assert_eq!(headers(0), headers(1));
    let rows = world.management().wait_for_rows(2).await;
    for row in &rows {
        assert_eq!((row.status(), row.text("operation")), (200, "responses"));
        assert_eq!(row.tokens(), OPENAI);
        assert_eq!(row.charged(), rows[0].charged());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bytes_of_a_request_go_to_the_vendor_as_they_came() {
    let world = on_http().await;
    let mut socket = open(&world).await;
    let text = format!(
        r#"{{ "type":"response.create", "model":"{GPT}", "input":[ {{"role":"user","content":"Caf\u00e9 1.0e0"}} ],"unknown":{{"b":1.0,"a":2}} }}"#
    );
    socket
        .send_as(tokio_tungstenite::tungstenite::Message::text(text.clone()))
        .await;
    assert_eq!(
        socket.answer().await.last().unwrap()["type"],
        "response.completed"
    );
    let mut expected = text.replace(r#""type":"response.create", "#, "");
    expected = expected.replace("\"a\":2}", "\"a\":2},\"stream\":true");
    assert_eq!(world.simulator.last().text(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_passed_on_as_they_come() {
    let world = World::new().await;
    let gate = Gate::default();
    let parts = stream().body();
    let count = String::from_utf8(parts).unwrap().matches("\n\n").count();
    world
        .simulator
        .script(stream().with_part(5, Part::Wait(gate.clone())));
    let mut socket = open(&world).await;
    socket.send(&create("Hello")).await;
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(socket.event().await);
    }
    // The vendor waits, and so does the client; the connection lives.
    socket.ping().await;
    gate.open();
    told.extend(socket.answer().await);
    assert_eq!(told.len(), count);
    let numbers: Vec<_> = told
        .iter()
        .map(|event| event["sequence_number"].as_u64().unwrap())
        .collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_told_in_one_event_and_the_connection_goes_on() {
    let world = World::new().await;
    let mut socket = open(&world).await;
    let text = |text: &str| tokio_tungstenite::tungstenite::Message::text(text.to_owned());
    let model = create_with("Hello", json!({ "model": "no-such-model" })).to_string();
    let wrong = create_with("Hello", json!({ "input": 7 })).to_string();
    let vendors = create_with("Hello", json!({ "stream_id": "main" })).to_string();
    for (message, status, code, param) in [
        ("{".to_owned(), 400, Value::Null, Value::Null),
        (
            r#"{"type":"session.update"}"#.to_owned(),
            400,
            json!("unknown_event"),
            json!("type"),
        ),
        (model, 404, json!("model_not_found"), json!("model")),
        (wrong, 400, Value::Null, json!("input")),
        (vendors, 400, json!("bad_thing"), Value::Null),
    ] {
        let refusal = r#"{"error":{"message":"No.","type":"invalid_request_error","param":null,"code":"bad_thing"}}"#;
        world.simulator.always(Some(Answer::json(400, refusal)));
        socket.send_as(text(&message)).await;
        let told = socket.event().await;
        assert_eq!(told["type"], "error", "{message}: {told}");
        assert_eq!(told["status"], status, "{message}: {told}");
        let error = &told["error"];
        assert_eq!(
            (&error["code"], &error["param"]),
            (&code, &param),
            "{message}: {told}"
        );
        assert!(error["message"].is_string() && error["type"].is_string());
        let main = message.contains("main");
        assert_eq!(told["stream_id"] == "main", main, "{told}");
    }
    world.simulator.always(None);
    socket.send(&create("Hello")).await;
    let told = socket.answer().await;
    assert_eq!(told.last().unwrap()["type"], "response.completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_felt_at_each_request_and_says_how_long_to_wait() {
    let world = World::new().await;
    let mut socket = open(&world).await;
    socket.send(&create("One")).await;
    socket.answer().await;
    // Set while the connection is open.
    world
        .management()
        .change(ALICE, json!({ "limits": { "rpm": 1 } }))
        .await;
    socket.send(&create("Two")).await;
    let told = socket.answer().await;
    assert_eq!(told.last().unwrap()["type"], "response.completed");
    socket.send(&create("Three")).await;
    let told = socket.answer().await;
    assert_eq!(kinds(&told), ["error"]);
    let told = &told[0];
    assert_eq!(told["status"], 429, "{told}");
    assert_eq!(told["error"]["code"], "rate_limit_exceeded");
    let header = |name: &str| told["headers"][name].as_str().unwrap_or_default();
    let wait: u64 = header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{told}");
    assert_eq!(header("x-ratelimit-limit-requests"), "1", "{told}");
    assert_eq!(world.simulator.received().len(), 2);
    let row = world.management().row_of(header("x-request-id")).await;
    assert_eq!((row.status(), row.charged()), (429, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_upstream_is_asked_before_anything_was_told() {
    let world = World::new().await;
    let second = tollgate_tests::simulator::Simulator::start().await;
    let mut record = tollgate_tests::world::upstream(&second, "openai", &[GPT]);
    record["priority"] = json!(-10);
    world.management().upstream("second", record).await;
    let busy = openai_error(503, "server_error", "busy");
    world.simulator.always(Some(busy.clone()));
    let mut socket = open(&world).await;
    socket.send(&create("Hello")).await;
    let told = socket.answer().await;
    assert_eq!(told.last().unwrap()["type"], "response.completed");
    assert_eq!(second.received().len(), 1);
    // And if there is none, the client hears that it may come again.
    second.always(Some(busy));
    socket.send(&create("Hello")).await;
    let told = socket.answer().await;
    assert_eq!(
        (kinds(&told), &told[0]["status"]),
        (vec!["error"], &json!(503))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_breaks_off_is_told_in_one_event_and_charged() {
    let world = World::new().await;
    let mut socket = open(&world).await;
    for (number, answer) in [
        stream().then(7, Part::Cut),
        Answer::events(
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n\
             event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n\
             event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"no\",\"param\":null}\n\n",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        world.simulator.script(answer);
        socket.send(&create("Hello")).await;
        let told = socket.answer().await;
        let last = told.last().unwrap();
        assert_eq!(last["type"], "error", "{told:?}");
        assert!(last["status"].as_u64().is_some_and(|status| status >= 500));
        let rows = world.management().wait_for_rows(number + 1).await;
        assert!(rows.iter().all(|row| !row.text("error").is_empty()));
    }
    // Nothing of it comes late.
    socket.send(&create("Hello")).await;
    let told = socket.answer().await;
    assert_eq!(told[0]["type"], "response.created", "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_does_not_stream_is_told_as_events() {
    let world = on_http().await;
    let answer = tollgate_tests::simulator::spoken("responses", false, "Good morning.");
    world.simulator.script(answer);
    let mut socket = open(&world).await;
    socket.send(&create("Hello")).await;
    let told = socket.answer().await;
    assert_eq!(
        kinds(&told),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed"
        ]
    );
    assert_eq!(told[4]["delta"], "Good morning.");
    assert_eq!(told[7]["item"]["content"][0]["text"], "Good morning.");
    let rows = world.management().wait_for_rows(1).await;
    assert_eq!(rows[0].tokens(), OPENAI);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_may_ask_for_responses_gets_a_websocket() {
    let world = World::new().await;
    let address = world.gateway.address();
    for path in ["/v1/responses", "/responses"] {
        assert!(Socket::ask(address, path, &world.key.secret).await.is_ok());
    }
    let (status, body) = Socket::ask(address, "/v1/responses", "tg-nonsense")
        .await
        .err()
        .unwrap();
    assert_eq!(status, 401, "{body}");
    assert!(body.contains("invalid_api_key"), "{body}");
    let (status, _) = Socket::ask(address, "/v1/messages", &world.key.secret)
        .await
        .err()
        .unwrap();
    assert_eq!(status, 426);
    world
        .management()
        .change(ALICE, json!({ "endpoints": ["messages"] }))
        .await;
    let (status, body) = Socket::ask(address, "/v1/responses", &world.key.secret)
        .await
        .err()
        .unwrap();
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("endpoint_not_allowed"), "{body}");
    assert!(world.simulator.received().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_is_none_is_refused() {
    let world = World::new().await;
    let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let version = ("sec-websocket-version", "13");
    let connection = ("connection", "Upgrade");
    for (upgrade, headers, status) in [
        ("websocket", vec![connection, version, key], 101),
        (
            "WebSocket",
            vec![("connection", "keep-alive, upgrade"), version, key],
            101,
        ),
        ("h2c", vec![connection, version, key], 426),
        (
            "websocket",
            vec![connection, ("sec-websocket-version", "8"), key],
            426,
        ),
        ("websocket", vec![connection, version], 400),
        ("websocket", vec![version, key], 400),
    ] {
        let mut request = Request::get("/v1/responses")
            .bearer(&world.key.secret)
            .header("upgrade", upgrade);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let mut socket = world.gateway.connect().await;
        socket.write(&request.to_bytes("x")).await.unwrap();
        let line = socket.raw_status_line().await;
        assert!(
            line.contains(&format!(" {status} ")),
            "{upgrade} {headers:?}: {line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_is_switched_off_clients_are_sent_back_to_http() {
    let setup = Setup::new(&["openai", "anthropic"]).set("server", "websocket", "false");
    let world = World::with(setup).await;
    for endpoint in ["responses", "messages"] {
        let path = Endpoint::of(endpoint).path;
        let asked = Socket::ask(world.gateway.address(), path, &world.key.secret).await;
        assert_eq!(asked.err().unwrap().0, 426, "{path}");
    }
    assert!(world.simulator.received().is_empty());
}
