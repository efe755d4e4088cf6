//! Tools that a vendor runs itself, MCP servers and code, for a client that speaks another dialect: asked for, shown, and told
//! to the vendor again in the next turn.

use serde_json::{Value, json};
use tollgate_tests::endpoints::Endpoint;
use tollgate_tests::gateway::Setup;
use tollgate_tests::places::workspace;
use tollgate_tests::simulator::{Answer, Received};
use tollgate_tests::wire::Reply;
use tollgate_tests::world::World;

use crate::bridge::{foreign, speaking};
use crate::kept::{ask, id_of};

const SERVER: &str = "https://wiki.example/mcp";

/// Vendors that run such tools, in a dialect each.
async fn vendors() -> World {
    let world = World::with(Setup::new(&["openai", "anthropic"])).await;
    for (operation, name) in [
        ("messages", "messages-runs"),
        ("responses", "responses-runs"),
    ] {
        let mut record = speaking(&world, operation, name);
        if operation == "messages" {
            record["models"][0]["operations"] = json!([operation, "count-tokens"]);
        }
        record["models"][0]["abilities"] = json!(["tools", "reasoning", "mcp", "code-execution"]);
        world.management().upstream(name, record).await;
    }
    world
}

/// An answer in which the vendor has run its tools: it asked a server twice, once in vain, and ran code.
fn ran(dialect: &str, stream: bool) -> Answer {
    let end = if stream { "sse" } else { "json" };
    let file = format!("runtime/dialect/tests/golden/answers/{dialect}/vendor-tools.{end}");
    let text = std::fs::read_to_string(workspace().join(file)).unwrap();
    match stream {
        true => Answer::events(text),
        false => Answer::json(200, text),
    }
}

fn in_responses(model: &str, stream: bool, input: Value) -> Value {
    json!({ "model": model, "stream": stream, "input": input, "tools": [
        { "type": "mcp", "server_label": "wiki", "server_url": SERVER, "authorization": "t-1",
            "allowed_tools": ["ask"], "require_approval": "never" },
        { "type": "code_interpreter", "container": { "type": "auto" } },
    ] })
}

fn in_messages(model: &str, stream: bool, messages: Value) -> Value {
    json!({ "model": model, "stream": stream, "max_tokens": 900, "messages": messages,
        "mcp_servers": [{ "type": "url", "url": SERVER, "name": "wiki", "authorization_token": "t-1" }],
        "tools": [{ "type": "mcp_toolset", "mcp_server_name": "wiki" },
            { "type": "code_execution_20250825", "name": "code_execution" }],
    })
}

async fn ask_in_messages(world: &World, body: &Value) -> Reply {
    let endpoint = Endpoint::of("messages");
    let request = world.request(endpoint.path, body.to_string());
    let request = request.header("anthropic-beta", "mcp-client-2025-11-20");
    world.gateway.send(&request).await
}

/// The kinds of a list's elements.
fn kinds(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.filter_map(|element| element["type"].as_str())
        .collect()
}

/// What a stream of Messages makes.
fn message(reply: &Reply, stream: bool) -> Value {
    assert_eq!(reply.status(), 200, "{}", reply.text());
    if !stream {
        return reply.json();
    }
    let mut content = Vec::new();
    let mut input = String::new();
    for event in tollgate_tests::recordings::events(&reply.text()) {
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                input.clear();
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let (last, delta) = (content.last_mut().unwrap(), &event["delta"]);
                if let Some(piece) = delta["partial_json"].as_str() {
                    input += piece;
                    last["input"] = serde_json::from_str(&input).unwrap_or_default();
                } else if let Some(piece) = delta["text"].as_str() {
                    let text = format!("{}{piece}", last["text"].as_str().unwrap());
                    last["text"] = json!(text);
                }
            }
            _ => {}
        }
    }
    json!({ "content": content })
}

fn beta(received: &Received) -> Option<&str> {
    received.header("anthropic-beta")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_responses_has_its_servers_called_and_code_run_by_a_vendor_of_messages_turn_after_turn()
 {
    let world = vendors().await;
    for stream in [false, true] {
        world.simulator.script(ran("messages", stream));
        let reply = ask(
            &world,
            in_responses("messages-runs", stream, json!("Count.")),
        )
        .await;
        let id = id_of(&reply, stream);
        let sent = world.simulator.last();
        assert_eq!(beta(&sent), Some("mcp-client-2025-11-20"));
        let body = sent.json();
        assert_eq!(
            body["mcp_servers"],
            json!([{ "type": "url", "url": SERVER, "name": "wiki", "authorization_token": "t-1" }])
        );
        assert_eq!(
            kinds(&body["tools"]),
            ["mcp_toolset", "code_execution_20250825"]
        );
        let answer = match stream {
            false => reply.json(),
            true => tollgate_tests::recordings::events(&reply.text())
                .pop()
                .unwrap()["response"]
                .clone(),
        };
        let output = &answer["output"];
        let code = "code_interpreter_call";
        assert_eq!(
            kinds(output),
            ["message", "mcp_call", "mcp_call", code, code, "message"]
        );
        assert_eq!(output[1]["output"], "Seven.\nOr so.");
        assert_eq!(output[2]["error"]["content"][0]["text"], "Bad gateway");
        assert_eq!(output[3]["outputs"][0]["logs"], "7\n");
        // Nobody reads what the server is shown, in the answer or later.
        let path = format!("/v1/responses/{id}");
        let kept = crate::kept::call(&world, &world.key.secret, "GET", &path).await;
        for text in [reply.text(), kept.text()] {
            assert!(text.contains("https://wiki.example/<redacted>"), "{text}");
            assert!(!text.contains("t-1") && !text.contains(SERVER), "{text}");
        }
        // The next turn, by the id of what the gateway keeps, and by the items themselves.
        let mut input = vec![json!({ "role": "user", "content": "Count." })];
        input.extend(output.as_array().unwrap().iter().cloned());
        input.push(json!({ "role": "user", "content": "Sure?" }));
        let whole = in_responses("messages-runs", stream, json!(input));
        let mut kept = in_responses("messages-runs", stream, json!("Sure?"));
        kept["previous_response_id"] = json!(id);
        for body in [whole, kept] {
            let reply = ask(&world, body).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            let sent = world.simulator.last().json();
            let content = &sent["messages"][1]["content"];
            assert_eq!(
                kinds(content),
                [
                    "text",
                    "mcp_tool_use",
                    "mcp_tool_result",
                    "mcp_tool_use",
                    "mcp_tool_result",
                    "server_tool_use",
                    "bash_code_execution_tool_result",
                    "server_tool_use",
                    "text_editor_code_execution_tool_result",
                    "text",
                ],
                "{sent}"
            );
            assert_eq!(content[1]["input"], json!({ "q": "How many \"files\"?" }));
            assert_eq!(content[2]["content"][0]["text"], "Seven.\nOr so.");
            assert_eq!(content[5]["input"], json!({ "command": "ls | wc -l" }));
            assert_eq!(
                (&content[4]["is_error"], &content[6]["content"]["stdout"]),
                (&json!(true), &json!("7\n"))
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_messages_has_them_run_by_a_vendor_of_responses_which_is_told_them_as_it_told_them()
 {
    let world = vendors().await;
    for stream in [false, true] {
        world.simulator.script(ran("responses", stream));
        let mut messages = vec![json!({ "role": "user", "content": "Count." })];
        let reply = ask_in_messages(
            &world,
            &in_messages("responses-runs", stream, json!(messages)),
        )
        .await;
        let sent = world.simulator.last();
        assert_eq!(beta(&sent), None, "a flag of another dialect");
        let body = sent.json();
        assert_eq!(
            body["tools"],
            json!([
                { "type": "mcp", "server_label": "wiki", "server_url": SERVER, "authorization": "t-1", "require_approval": "never" },
                { "type": "code_interpreter", "container": { "type": "auto" } },
            ])
        );
        let content = message(&reply, stream)["content"].take();
        assert_eq!(
            kinds(&content),
            [
                "mcp_tool_use",
                "mcp_tool_result",
                "mcp_tool_use",
                "mcp_tool_result",
                "server_tool_use",
                "code_execution_tool_result",
                "text",
            ]
        );
        assert_eq!(content[0]["input"], json!({ "q": "How many \"files\"?" }));
        assert_eq!(content[4]["input"], json!({ "code": "print(3 + 4)\n" }));
        messages.push(json!({ "role": "assistant", "content": content }));
        messages.push(json!({ "role": "user", "content": "Sure?" }));
        let reply = ask_in_messages(
            &world,
            &in_messages("responses-runs", stream, json!(messages)),
        )
        .await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let input = world.simulator.last().json()["input"].take();
        assert_eq!(
            kinds(&input),
            [
                "message",
                "mcp_call",
                "mcp_call",
                "code_interpreter_call",
                "message",
                "message"
            ]
        );
        assert_eq!(
            (&input[1]["id"], &input[1]["output"]),
            (&json!("mcp_68a1"), &json!("Seven.\nOr so."))
        );
        assert_eq!(input[2]["error"]["type"], "mcp_tool_execution_error");
        assert_eq!(
            input[3],
            json!({ "type": "code_interpreter_call", "id": "ci_68b1", "status": "completed", "code": "print(3 + 4)\n",
                "container_id": "cntr_68c1", "outputs": [{ "type": "logs", "logs": "7\n" }] })
        );
        // A vendor of the client's own dialect gets what any vendor can read, and not what names another's container.
        let reply = ask_in_messages(
            &world,
            &in_messages("messages-runs", stream, json!(messages)),
        )
        .await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let sent = world.simulator.last();
        assert_eq!(beta(&sent), Some("mcp-client-2025-11-20"));
        assert_eq!(
            kinds(&sent.json()["messages"][1]["content"]),
            [
                "mcp_tool_use",
                "mcp_tool_result",
                "mcp_tool_use",
                "mcp_tool_result",
                "text"
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_has_no_such_tool_is_not_asked_and_the_client_reads_which_one_it_was() {
    let world = foreign().await;
    for model in ["chat-only", "messages-only"] {
        let mut body = in_responses(model, false, json!("Count."));
        let reply = ask(&world, body.clone()).await;
        assert_eq!(reply.status(), 400, "{}", reply.text());
        assert_eq!(
            reply.json()["error"]["param"],
            "tools[0]",
            "{}",
            reply.text()
        );
        body["tools"].as_array_mut().unwrap().remove(0);
        let reply = ask(&world, body).await;
        assert_eq!(reply.status(), 400, "{}", reply.text());
        assert!(
            reply.text().contains("code_interpreter") || reply.text().contains("tools[0]"),
            "{}",
            reply.text()
        );
    }
    for model in ["chat-only", "responses-only"] {
        let messages = json!([{ "role": "user", "content": "Count." }]);
        let reply = ask_in_messages(&world, &in_messages(model, false, messages)).await;
        assert_eq!(reply.status(), 400, "{}", reply.text());
        assert_eq!(reply.json()["error"]["type"], "invalid_request_error");
    }
    // Nor does a server get tools called that a person is to be asked about.
    let world = vendors().await;
    let mut body = in_responses("messages-runs", false, json!("Count."));
    body["tools"][0]
        .as_object_mut()
        .unwrap()
        .remove("require_approval");
    let reply = ask(&world, body).await;
    assert_eq!(
        reply.json()["error"]["param"],
        "tools[0].require_approval",
        "{}",
        reply.text()
    );
    assert!(world.simulator.received().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_brings_is_counted_by_the_vendor_with_the_flag_that_it_is_behind() {
    let world = vendors().await;
    let body = in_responses("messages-runs", false, json!("Count."));
    let reply = world
        .post("/v1/responses/input_tokens", body.to_string())
        .await;
    assert_eq!(reply.json()["input_tokens"], 65, "{}", reply.text());
    let sent = world.simulator.last();
    assert_eq!(sent.path(), "/v1/messages/count_tokens");
    assert_eq!(beta(&sent), Some("mcp-client-2025-11-20"));
    assert_eq!(sent.json()["mcp_servers"][0]["name"], "wiki");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_flag_stands_beside_those_that_the_client_has_set() {
    let world = vendors().await;
    let body = in_responses("messages-runs", false, json!("Count."));
    let request = world.request(Endpoint::of("responses").path, body.to_string());
    let request = request.header("anthropic-beta", "context-1m-2025-08-07");
    let reply = world.gateway.send(&request).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let sent = world.simulator.last();
    assert_eq!(
        beta(&sent),
        Some("context-1m-2025-08-07,mcp-client-2025-11-20")
    );
}
