//! Requests that go on from another one, warm-ups, and requests that come while an answer is under way.

use serde_json::{Value, json};
use tollgate_tests::simulator::{Gate, Part};
use tollgate_tests::world::World;

use super::{create, create_with, kinds, on_http, open, stream};

fn weather() -> Value {
    json!([{ "type": "function", "name": "get_weather", "parameters": { "type": "object" } }])
}

fn said(text: &str) -> Value {
    json!({ "type": "message", "role": "user", "content": text })
}

fn id_of(events: &[Value]) -> String {
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed", "{last}");
    last["response"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_only_what_is_new_reaches_the_vendor_whole() {
    let world = on_http().await;
    let mut socket = open(&world).await;
    let tools = json!({ "tools": weather() });
    socket
        .send(&create_with("TOOL_PLEASE weather", tools.clone()))
        .await;
    let told = socket.answer().await;
    let call = told
        .iter()
        .find(|event| event["type"] == "response.output_item.done")
        .unwrap()["item"]
        .clone();
    assert_eq!(call["type"], "function_call");
    let output =
        json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "rain" });
    let mut next = create_with("", tools);
    next["input"] = json!([output]);
    next["previous_response_id"] = json!(id_of(&told));
    socket.send(&next).await;
    let told = socket.answer().await;
    let id = id_of(&told);
    assert!(
        told.iter().any(|event| event.to_string().contains("rain")),
        "{told:?}"
    );
    let received = world.simulator.received();
    let (first, second) = (received[0].json(), received[1].json());
    let question = said("TOOL_PLEASE weather");
    assert_eq!(first["input"], json!([question]));
    assert_eq!(second["input"], json!([question, call, output]));
    assert!(second.get("previous_response_id").is_none());
    // Byte for byte the beginning of the one before: the vendor's cache finds it.
    let input = |text: &str| {
        let from = text.find("\"input\":[").unwrap();
        text[from..].split_once("}],").unwrap().0.to_owned()
    };
    let (first, second) = (received[0].text(), received[1].text());
    assert!(
        input(&second).starts_with(&input(&first)),
        "{first}\n{second}"
    );
    // A third goes on from both.
    next["input"] = json!("And tomorrow?");
    next["previous_response_id"] = json!(id);
    socket.send(&next).await;
    socket.answer().await;
    let third = world.simulator.last().json();
    let items = third["input"].as_array().unwrap();
    assert_eq!(items.len(), 5, "{items:?}");
    assert_eq!(items[..3], [question, call, output]);
    assert_eq!(items[3]["role"], "assistant");
    assert_eq!(items[4], said("And tomorrow?"));
    let rows = world.management().wait_for_rows(3).await;
    assert!(rows.iter().all(|row| row.status() == 200), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_connection_was_told_cannot_be_gone_on_from() {
    let world = World::new().await;
    let mut one = open(&world).await;
    one.send(&create("Hello")).await;
    let id = id_of(&one.answer().await);
    let mut other = open(&world).await;
    other
        .send(&create_with("And?", json!({ "previous_response_id": id })))
        .await;
    let told = other.answer().await;
    assert_eq!(
        told,
        [json!({
            "type": "error", "status": 400,
            "error": {
                "type": "invalid_request_error", "code": "previous_response_not_found",
                "message": format!("Previous response with id '{id}' not found."), "param": "previous_response_id",
            },
        })]
    );
    assert_eq!(world.simulator.received().len(), 1);
    // After a failure, clients send the whole.
    let failing = tollgate_tests::simulator::openai_error(400, "invalid_request_error", "no");
    world.simulator.script(failing);
    let next = create_with("And?", json!({ "previous_response_id": id }));
    for status in [400, 400] {
        one.send(&next).await;
        assert_eq!(one.answer().await[0]["status"], status);
    }
    assert_eq!(world.simulator.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_can_be_gone_on_from_on_another_connection() {
    let world = crate::bridge::foreign().await;
    for (model, vendor_keeps) in [("responses-only", true), ("chat-only", false)] {
        let stored = |rest: Value| {
            let mut body = create_with("Remember the number seven.", json!({ "model": model }));
            body["store"] = json!(true);
            body.as_object_mut()
                .unwrap()
                .extend(rest.as_object().unwrap().clone());
            body
        };
        let mut one = open(&world).await;
        one.send(&stored(json!({}))).await;
        let id = id_of(&one.answer().await);
        let mut other = open(&world).await;
        let next = json!({ "input": "Which one?", "previous_response_id": id });
        other.send(&stored(next)).await;
        id_of(&other.answer().await);
        let sent = world.simulator.last().text();
        let (named, told) = (sent.contains(&id), sent.contains("the number seven"));
        assert_eq!((named, told), (vendor_keeps, !vendor_keeps), "{sent}");
        assert!(sent.contains("Which one?"), "{sent}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warm_up_asks_no_vendor_costs_nothing_and_can_be_gone_on_from() {
    let world = World::new().await;
    let mut socket = open(&world).await;
    socket
        .send(&create_with(
            "You are a pirate.",
            json!({ "generate": false }),
        ))
        .await;
    let told = socket.answer().await;
    assert_eq!(
        kinds(&told),
        [
            "response.created",
            "response.in_progress",
            "response.completed"
        ]
    );
    let response = &told[2]["response"];
    assert_eq!(
        (&response["output"], &response["usage"]["total_tokens"]),
        (&json!([]), &json!(0))
    );
    assert!(world.simulator.received().is_empty());
    let id = id_of(&told);
    assert!(id.starts_with("resp_"), "{id}");
    socket
        .send(&create_with("Hello", json!({ "previous_response_id": id })))
        .await;
    socket.answer().await;
    let sent = world.simulator.last().json();
    assert_eq!(
        sent["input"],
        json!([said("You are a pirate."), said("Hello")])
    );
    assert!(sent.get("generate").is_none());
    world.management().wait_for_rows(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_come_meanwhile_wait_for_their_turn() {
    let world = World::new().await;
    let gate = Gate::default();
    world
        .simulator
        .script(stream().with_part(5, Part::Wait(gate.clone())));
    let mut socket = open(&world).await;
    socket.send(&create("Number 0")).await;
    for _ in 0..5 {
        socket.event().await;
    }
    for number in 1..=16 {
        let lane = format!("lane-{number}");
        let body = create_with(&format!("Number {number}"), json!({ "stream_id": lane }));
        socket.send(&body).await;
    }
    // One more than are held is refused, and nobody else suffers.
    socket
        .send(&create_with("Number 17", json!({ "stream_id": "lane-17" })))
        .await;
    let told = socket.event().await;
    assert_eq!(
        (&told["type"], &told["status"], &told["stream_id"]),
        (&json!("error"), &json!(429), &json!("lane-17"))
    );
    assert_eq!(told["error"]["code"], "websocket_queue_full");
    assert_eq!(world.simulator.received().len(), 1, "one at a time");
    gate.open();
    let rest = socket.answer().await;
    assert!(
        rest.iter().all(|event| event.get("stream_id").is_none()),
        "{rest:?}"
    );
    for number in 1..=16 {
        let told = socket.answer().await;
        let lane = format!("lane-{number}");
        assert!(
            told.iter().all(|event| event["stream_id"] == *lane),
            "{told:?}"
        );
        assert_eq!(told[0]["type"], "response.created");
        assert_eq!(told.last().unwrap()["type"], "response.completed");
    }
    let asked: Vec<_> = world
        .simulator
        .received()
        .iter()
        .map(|received| received.json()["input"][0]["content"].clone())
        .collect();
    let expected: Vec<_> = (0..=16)
        .map(|number| json!(format!("Number {number}")))
        .collect();
    assert_eq!(asked, expected);
}
