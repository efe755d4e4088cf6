//! Every front-end dialect on vendors that speak only another one, on the real binary.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::Setup;
use tollgate_tests::recordings::events;
use tollgate_tests::simulator::{
    Answer, OPENAI, Part, Tokens, anthropic_error, openai_error, spoken,
};
use tollgate_tests::wire::Reply;
use tollgate_tests::world::{World, model, upstream};

use crate::stream_failures::assert_terminal_error;

/// What a vendor speaks, the model of the upstream that speaks only that, what it reports.
pub(crate) const VENDORS: [(&str, &str, Tokens); 3] = [
    ("chat-completions", "chat-only", OPENAI),
    ("responses", "responses-only", OPENAI),
    (
        "messages",
        "messages-only",
        tollgate_tests::simulator::ANTHROPIC,
    ),
];

/// A world whose vendors speak one dialect each.
pub(crate) async fn foreign() -> World {
    foreign_with(Setup::new(&["openai", "anthropic"])).await
}

/// The same with settings of its own.
pub(crate) async fn foreign_with(setup: Setup) -> World {
    let world = World::with(setup).await;
    for (operation, name, _) in VENDORS {
        let record = speaking(&world, operation, name);
        world.management().upstream(name, record).await;
    }
    world
}

/// An upstream that serves a model in one dialect only.
pub(crate) fn speaking(world: &World, operation: &str, name: &str) -> Value {
    let provider = match operation {
        "messages" => "anthropic",
        _ => "openai",
    };
    let mut record = upstream(&world.simulator, provider, &[]);
    let mut only = model(name);
    only["operations"] = json!([operation]);
    record["models"] = json!([only]);
    record
}

/// Each client's endpoint with each vendor that does not speak its dialect.
pub(crate) fn pairs()
-> impl Iterator<Item = (&'static Endpoint, (&'static str, &'static str, Tokens))> {
    let clients = ENDPOINTS.iter().filter(|endpoint| endpoint.streams);
    clients.flat_map(|client| {
        let foreign = VENDORS.into_iter();
        foreign
            .filter(|(operation, ..)| *operation != client.operation)
            .map(move |vendor| (client, vendor))
    })
}

/// It gives a stream whole, as an answer: that was read as one of JSON.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_answers_by_itself_is_bridged_as_a_vendor_is() {
    let world = World::with(Setup::new(&["openai", "anthropic", "echo"])).await;
    for (operation, ..) in VENDORS {
        let name = format!("{operation}-echo");
        let mut only = model(&name);
        only["operations"] = json!([operation]);
        let record = json!({ "provider": "echo", "models": [only] });
        world.management().upstream(&name, record).await;
        let clients = ENDPOINTS.iter().filter(|endpoint| endpoint.streams);
        for client in clients.filter(|client| client.operation != operation) {
            for stream in [false, true] {
                let body = client.body_with(&name, stream, "Say this again, please.");
                let reply = world.post(client.path, body).await;
                let what = format!("{} on {name}, stream {stream}", client.path);
                assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
                assert!(reply.complete, "{what}");
                let said = text(client, stream, &reply);
                assert!(said.contains("Say this again, please."), "{what}: {said}");
                let row = world
                    .management()
                    .row_of(&crate::byte_identity::request_id(&reply))
                    .await;
                assert!(!row.0["usage"]["estimated"].as_bool().unwrap(), "{what}");
            }
        }
    }
}

/// The answer's text, as the client's dialect has it.
pub(crate) fn text(client: &Endpoint, stream: bool, reply: &Reply) -> String {
    let strings = |value: &Value, pointer: &str| {
        let found = value.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    if stream {
        let pointer = match client.operation {
            "chat-completions" => "/choices/0/delta/content",
            "responses" => "/delta",
            _ => "/delta/text",
        };
        let told = events(&reply.text());
        let told = told.iter().filter(|event| {
            client.operation != "responses" || event["type"] == "response.output_text.delta"
        });
        return told.map(|event| strings(event, pointer)).collect();
    }
    let body = reply.json();
    match client.operation {
        "chat-completions" => strings(&body, "/choices/0/message/content"),
        "responses" => parts(&body["output"])
            .iter()
            .flat_map(|item| parts(&item["content"]))
            .map(|part| strings(&part, "/text"))
            .collect(),
        _ => parts(&body["content"])
            .iter()
            .map(|part| strings(part, "/text"))
            .collect(),
    }
}

fn parts(list: &Value) -> Vec<Value> {
    list.as_array().cloned().unwrap_or_default()
}

/// The answer's one tool call: id, name, arguments.
fn call(client: &Endpoint, reply: &Reply) -> (String, String, Value) {
    let body = reply.json();
    let string = |value: &Value| {
        value
            .as_str()
            .unwrap_or_else(|| panic!("{body}"))
            .to_owned()
    };
    let parsed = |value: &Value| serde_json::from_str(&string(value)).unwrap();
    match client.operation {
        "chat-completions" => {
            let call = &body["choices"][0]["message"]["tool_calls"][0];
            assert_eq!(body["choices"][0]["finish_reason"], "tool_calls", "{body}");
            let function = &call["function"];
            (
                string(&call["id"]),
                string(&function["name"]),
                parsed(&function["arguments"]),
            )
        }
        "responses" => {
            let output = parts(&body["output"]);
            let call = output.iter().find(|item| item["type"] == "function_call");
            let call = call.unwrap_or_else(|| panic!("{body}"));
            (
                string(&call["call_id"]),
                string(&call["name"]),
                parsed(&call["arguments"]),
            )
        }
        _ => {
            assert_eq!(body["stop_reason"], "tool_use", "{body}");
            let content = parts(&body["content"]);
            let call = content.iter().find(|part| part["type"] == "tool_use");
            let call = call.unwrap_or_else(|| panic!("{body}"));
            (
                string(&call["id"]),
                string(&call["name"]),
                call["input"].clone(),
            )
        }
    }
}

/// A request that offers a tool, and after a call the one that brings its output.
fn with_tool(client: &Endpoint, model: &str, made: Option<(&str, &str, &Value, &str)>) -> Vec<u8> {
    let schema = json!({
        "type": "object", "required": ["city"],
        "properties": { "city": { "type": "string" } },
    });
    let please = "TOOL_PLEASE";
    let mut body: Value = serde_json::from_slice(&client.body_with(model, false, please)).unwrap();
    body["tools"] = match client.operation {
        "chat-completions" => {
            json!([{ "type": "function", "function": { "name": "get_weather", "parameters": schema } }])
        }
        "responses" => {
            json!([{ "type": "function", "name": "get_weather", "parameters": schema, "strict": false }])
        }
        _ => json!([{ "name": "get_weather", "input_schema": schema }]),
    };
    if let Some((id, name, arguments, output)) = made {
        let said = match client.operation {
            "chat-completions" => json!([
                { "role": "user", "content": please },
                { "role": "assistant", "content": null, "tool_calls": [
                    { "id": id, "type": "function", "function": { "name": name, "arguments": arguments.to_string() } },
                ] },
                { "role": "tool", "tool_call_id": id, "content": output },
            ]),
            "responses" => json!([
                { "role": "user", "content": please },
                { "type": "function_call", "call_id": id, "name": name, "arguments": arguments.to_string() },
                { "type": "function_call_output", "call_id": id, "output": output },
            ]),
            _ => json!([
                { "role": "user", "content": please },
                { "role": "assistant", "content": [{ "type": "tool_use", "id": id, "name": name, "input": arguments }] },
                { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": output }] },
            ]),
        };
        body[client.content] = said;
    }
    body.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_dialect_is_served_by_vendors_of_every_other_and_charged_what_they_told() {
    let world = foreign().await;
    for (client, (operation, name, tokens)) in pairs() {
        for stream in [false, true] {
            let what = format!("{} on {operation}, stream: {stream}", client.operation);
            let said = "Good morning to you, too: \"quoted\", \u{1f600} and\na second line.";
            world.simulator.script(spoken(operation, stream, said));
            let reply = world.post(client.path, client.body_for(name, stream)).await;
            assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
            assert!(reply.complete, "{what}");
            let kind = reply.header("content-type").unwrap_or_default();
            assert_eq!(
                kind.starts_with("text/event-stream"),
                stream,
                "{what}: {kind}"
            );
            assert_eq!(
                text(client, stream, &reply),
                said,
                "{what}: {}",
                reply.text()
            );
            let received = world.simulator.last();
            let path = Endpoint::of(operation).path;
            assert!(
                received.path().ends_with(path),
                "{what}: {}",
                received.path()
            );
            let sent: Value = serde_json::from_slice(&received.body).unwrap();
            assert_eq!(sent["model"], name, "{what}");
            let row = world
                .management()
                .row_of(reply.header("x-request-id").unwrap())
                .await;
            assert_eq!(row.tokens(), tokens, "{what}");
            assert!(!row.estimated(), "{what}");
            let dialects = [client.operation, operation].map(|operation| match operation {
                "chat-completions" => "openai-chat",
                "responses" => "openai-responses",
                _ => "anthropic-messages",
            });
            assert_eq!(
                [row.text("dialect"), row.text("dialect_out")],
                dialects,
                "{what}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_answers_at_once_where_a_stream_was_asked_for_is_told_as_one() {
    let world = foreign().await;
    for (client, (operation, name, tokens)) in pairs() {
        let what = format!("{} on {operation}", client.operation);
        let said = "All of it at once.";
        world.simulator.script(spoken(operation, false, said));
        let reply = world.post(client.path, client.body_for(name, true)).await;
        assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
        let kind = reply.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/event-stream"), "{what}: {kind}");
        assert_eq!(text(client, true, &reply), said, "{what}: {}", reply.text());
        let request = reply.header("x-request-id").unwrap();
        let row = world.management().row_of(request).await;
        assert_eq!(row.tokens(), tokens, "{what}");
    }
}

/// Labels lie: some vendors stream to everybody, others call their streams JSON or nothing at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_what_it_looks_like_and_not_what_it_is_labelled() {
    let world = foreign().await;
    for (client, (operation, name, tokens)) in pairs() {
        let what = format!("{} on {operation}", client.operation);
        let said = "As it comes.";
        for (wanted, label) in [
            (false, "text/event-stream"),
            (true, "application/json"),
            (true, "text/plain"),
        ] {
            let answer = spoken(operation, true, said).labelled(label);
            world.simulator.script(answer);
            let reply = world.post(client.path, client.body_for(name, wanted)).await;
            assert_eq!(reply.status(), 200, "{what}, {label}: {}", reply.text());
            assert_eq!(
                text(client, wanted, &reply),
                said,
                "{what}, {label}: {}",
                reply.text()
            );
            let request = reply.header("x-request-id").unwrap();
            let row = world.management().row_of(request).await;
            assert_eq!(row.tokens(), tokens, "{what}, {label}: {}", row.0);
        }
    }
}

/// Nothing has gone to the client: whoever else serves the model is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_cannot_be_bridged_is_another_vendors_turn() {
    let page = "<html><body>We are back soon.</body></html>";
    for (client, (operation, name, tokens)) in pairs() {
        for stream in [false, true] {
            for body in [page, "{\"id\":", ""] {
                // Of its own: a failing upstream may be left alone for a while afterwards.
                let world = foreign().await;
                let mut spare = speaking(&world, operation, name);
                spare["priority"] = json!(-10);
                world.management().upstream("spare", spare).await;
                let what = format!("{} on {operation}, {stream}, {body:?}", client.operation);
                let label = if body == page {
                    "text/html"
                } else {
                    "application/json"
                };
                let broken = Answer::json(200, body).labelled(label);
                world.simulator.script(broken);
                world
                    .simulator
                    .script(spoken(operation, stream, "From the other."));
                let reply = world.post(client.path, client.body_for(name, stream)).await;
                assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
                assert_eq!(text(client, stream, &reply), "From the other.", "{what}");
                let request = reply.header("x-request-id").unwrap();
                let row = world.management().row_of(request).await;
                assert_eq!(row.text("upstream"), "spare", "{what}");
                assert_eq!(row.tokens(), tokens, "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_of_the_clients_dialect_is_asked_before_one_behind_the_bridge() {
    let world = foreign().await;
    // Each vendor serves the same model; by their names alone the first would always be asked.
    for (operation, name, _) in VENDORS {
        let record = speaking(&world, operation, "shared");
        world.management().upstream(name, record).await;
    }
    let clients = || ENDPOINTS.iter().filter(|endpoint| endpoint.streams);
    for client in clients() {
        let reply = world
            .post(client.path, client.body_for("shared", false))
            .await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let asked = world.simulator.last();
        assert!(asked.path().ends_with(client.path), "{}", asked.path());
    }
    // Unless the operator says that another comes first.
    let mut record = speaking(&world, "chat-completions", "shared");
    record["priority"] = json!(1);
    world.management().upstream("chat-only", record).await;
    for client in clients() {
        let reply = world
            .post(client.path, client.body_for("shared", false))
            .await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let asked = world.simulator.last();
        assert!(
            asked.path().ends_with("/chat/completions"),
            "{}",
            asked.path()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_is_called_and_its_output_comes_back_over_every_bridge() {
    let world = foreign().await;
    for (client, (operation, name, _)) in pairs() {
        let what = format!("{} on {operation}", client.operation);
        let reply = world.post(client.path, with_tool(client, name, None)).await;
        assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
        let (id, tool, arguments) = call(client, &reply);
        assert_eq!(tool, "get_weather", "{what}");
        assert!(arguments["city"].is_string(), "{what}: {arguments}");
        let output = "the answer is 42";
        let next = with_tool(client, name, Some((&id, &tool, &arguments, output)));
        let reply = world.post(client.path, next).await;
        assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
        let said = text(client, false, &reply);
        assert!(said.contains(output), "{what}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_of_foreign_vendors_are_told_in_the_clients_dialect() {
    let world = foreign().await;
    for (client, (operation, name, _)) in pairs() {
        let what = format!("{} on {operation}", client.operation);
        let too_long = "This model's maximum context length is 200000 tokens.";
        let refusal = match operation {
            "messages" => anthropic_error(
                400,
                "invalid_request_error",
                "prompt is too long: 210000 tokens > 200000 maximum",
            ),
            _ => openai_error(400, "context_length_exceeded", too_long),
        };
        world.simulator.script(refusal);
        let reply = world.post(client.path, client.body_for(name, false)).await;
        assert_eq!(reply.status(), 400, "{what}: {}", reply.text());
        let body = reply.json();
        assert_eq!(body["type"] == "error", client.anthropic, "{what}: {body}");
        assert!(body["error"]["message"].is_string(), "{what}: {body}");
        // Cut in the middle: the client's own terminal error.
        let answer =
            spoken(operation, true, &"many words, ".repeat(20)).dripping(Duration::from_millis(1));
        let count = 12;
        world.simulator.script(answer.then(count, Part::Cut));
        let reply = world.post(client.path, client.body_for(name, true)).await;
        assert_eq!(reply.status(), 200, "{what}");
        assert_terminal_error(client, &reply);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_inside_a_200_is_one_over_the_bridge_too_and_costs_nothing() {
    let world = foreign().await;
    for (client, (operation, name, _)) in pairs() {
        let what = format!("{} on {operation}", client.operation);
        world.simulator.script(match operation {
            "messages" => anthropic_error(200, "overloaded_error", "Too many."),
            _ => openai_error(200, "engine_overloaded", "Too many."),
        });
        let reply = world.post(client.path, client.body_for(name, false)).await;
        assert!(
            reply.status() >= 500,
            "{what}: {} {}",
            reply.status(),
            reply.text()
        );
        let id = crate::byte_identity::request_id(&reply);
        let row = world.management().row_of(&id).await;
        assert_eq!(
            (row.charged(), row.tokens()),
            (0, Tokens::default()),
            "{what}: {}",
            row.0
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_vendors_dialect_cannot_say_is_refused_by_name_and_costs_nothing() {
    let world = foreign().await;
    let chat = Endpoint::of("chat-completions");
    let mut body: Value = serde_json::from_slice(&chat.body_for("messages-only", false)).unwrap();
    body["n"] = json!(2);
    let reply = world.post(chat.path, body.to_string()).await;
    let error = chat.assert_error(&reply, 400, "unsupported_parameter");
    assert_eq!(error["param"], "n");
    assert!(world.simulator.received().is_empty());
    let rows = world.management().wait_for_rows(1).await;
    assert_eq!(rows[0].charged(), 0);
    // A vendor that can say it is asked instead.
    let mut record = upstream(&world.simulator, "openai", &[]);
    record["models"] = json!([model("messages-only")]);
    record["priority"] = json!(-1);
    world.management().upstream("can", record.clone()).await;
    let reply = world.post(chat.path, body.to_string()).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let sent: Value = serde_json::from_slice(&world.simulator.last().body).unwrap();
    assert_eq!(sent["n"], 2);
    // While that one is out of order the request is to be tried again, not to be mended.
    world
        .simulator
        .script(openai_error(503, "server_error", "no"));
    record["priority"] = json!(1);
    world.management().upstream("can", record).await;
    let reply = world.post(chat.path, body.to_string()).await;
    assert!(reply.status() >= 500, "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_vendor_was_asked_is_refused_in_reports_and_what_one_was_asked_names_it() {
    let world = foreign().await;
    let (chat, management) = (Endpoint::of("chat-completions"), world.management());
    let mut twice: Value = serde_json::from_slice(&chat.body_for("messages-only", false)).unwrap();
    twice["n"] = json!(2);
    let silent = json!({ "model": "messages-only", "messages": [] });
    for body in [&twice, &silent] {
        let reply = world.post(chat.path, body.to_string()).await;
        assert_eq!(reply.status(), 400, "{body}: {}", reply.text());
        let id = crate::byte_identity::request_id(&reply);
        let row = management.row_of(&id).await;
        let vendor = ["provider", "upstream", "upstream_model"].map(|name| row.text(name));
        assert_eq!(vendor, ["", "", ""], "{body}: {}", row.0);
    }
    assert!(world.simulator.received().is_empty());
    let report = management.get("/api/usage/report").await;
    let totals = &report["totals"];
    assert_eq!(
        (&totals["refused"], &totals["failed"]),
        (&json!(2), &json!(0)),
        "{report}"
    );
    // One that could have been told all of it was asked first, and does not have the model.
    let mut record = upstream(&world.simulator, "openai", &[]);
    record["models"] = json!([model("messages-only")]);
    record["priority"] = json!(1);
    management.upstream("asked", record).await;
    let missing = openai_error(404, "model_not_found", "no");
    world.simulator.script(missing);
    let reply = world.post(chat.path, twice.to_string()).await;
    chat.assert_error(&reply, 400, "unsupported_parameter");
    assert_eq!(world.simulator.received().len(), 1);
    let id = crate::byte_identity::request_id(&reply);
    let row = management.row_of(&id).await;
    assert_eq!(row.text("upstream"), "asked", "{}", row.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effort_that_a_model_refuses_becomes_the_nearest_that_its_manifest_lists() {
    let world = World::new().await;
    let told = |effort: &str, model: &str| {
        let body = json!({ "model": model, "input": "Go", "reasoning": { "effort": effort } });
        let world = &world;
        async move {
            let reply = world.post("/v1/responses", body.to_string()).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            let sent = world.simulator.last().json();
            let thinking = sent["thinking"]["type"].as_str().map(str::to_owned);
            let effort = sent["output_config"]["effort"].as_str().map(str::to_owned);
            (thinking.unwrap_or_default(), effort.unwrap_or_default())
        }
    };
    for (asked, model, thinking, sent) in [
        ("xhigh", "claude-opus-4-6", "adaptive", "max"),
        ("xhigh", "claude-opus-4-7", "adaptive", "xhigh"),
        ("none", "claude-opus-4-7", "disabled", ""),
        ("none", "claude-opus-5-5", "adaptive", "low"),
    ] {
        assert_eq!(
            told(asked, model).await,
            (thinking.to_owned(), sent.to_owned()),
            "{asked} of {model}"
        );
    }
    // One that always thinks and knows three efforts, in Chat Completions.
    let world = crate::foreign_vendors::vendors().await;
    for (asked, sent) in [("none", "low"), ("medium", "high"), ("xhigh", "max")] {
        let body = json!({ "model": "chat-only", "input": "Go", "reasoning": { "effort": asked } });
        let reply = world.post("/v1/responses", body.to_string()).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let received = world.simulator.last().json();
        assert_eq!(received["reasoning_effort"], sent, "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_estimated_where_no_vendor_counts_and_the_answer_says_so() {
    let world = foreign().await;
    let counting = Endpoint::of("count-tokens");
    for name in ["chat-only", "responses-only"] {
        let body = counting.body_with(name, false, &"Good morning. ".repeat(40));
        let reply = world.post(counting.path, body).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert_eq!(reply.header("x-tollgate-estimated"), Some("input_tokens"));
        let tokens = reply.json()["input_tokens"].as_u64().unwrap();
        assert!((100..250).contains(&tokens), "{tokens}");
    }
    assert!(world.simulator.received().is_empty());
    let rows = world.management().wait_for_rows(2).await;
    assert!(rows.iter().all(|row| row.charged() == 0));
}
