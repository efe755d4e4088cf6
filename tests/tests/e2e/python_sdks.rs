//! The OpenAI and Anthropic SDKs for Python through the gateway: text, streams, tools, errors.

use serde_json::Value;
use tollgate_tests::clients::{Clients, run, skipped};
use tollgate_tests::endpoints::{CLAUDE, EMBED, ENDPOINTS, GPT};
use tollgate_tests::simulator::Received;
use tollgate_tests::world::World;

use crate::bridge::foreign;
use crate::quickstart::Quickstart;

/// Runs a script against a fresh world; its last line of output is a JSON object of findings.
async fn findings(script: &str) -> (World, Value) {
    let world = World::new().await;
    let findings = findings_in(&world, script, GPT, CLAUDE).await;
    (world, findings)
}

/// The same in this world, with these models for the SDK of OpenAI and of Anthropic.
async fn findings_in(world: &World, script: &str, openai: &str, anthropic: &str) -> Value {
    let clients = Clients::ensure().unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut command = clients.script(script);
    command.env("HOME", home.path()).args([
        &world.gateway.base_url(),
        world.key.secret.as_str(),
        openai,
        anthropic,
        EMBED,
    ]);
    let outcome = tokio::task::spawn_blocking(move || run(&mut command, home.path()))
        .await
        .unwrap()
        .unwrap();
    assert!(
        outcome.success,
        "{script} failed:\n{}\n{}",
        outcome.output, outcome.errors
    );
    let last = outcome.output.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {}", outcome.output))
}

fn bodies(received: &[std::sync::Arc<Received>], path: &str) -> Vec<Value> {
    received
        .iter()
        .filter(|received| received.path() == path)
        .map(|received| received.json())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_openai_sdk_works() {
    if skipped() {
        return;
    }
    let (world, findings) = findings("openai_sdk.py").await;
    let hello = "Hello from the simulator, all is well.";
    for name in [
        "chat_text",
        "chat_stream",
        "responses_text",
        "responses_stream",
    ] {
        assert_eq!(findings[name], hello, "{name} in {findings}");
    }
    for name in ["chat_tool", "responses_tool"] {
        assert_eq!(
            findings[name], "The tool said: 19 degrees in Hamburg",
            "{name} in {findings}"
        );
    }
    assert_eq!(findings["chat_stream_usage"], 13);
    assert_eq!(findings["embedding"], 3);
    assert!(
        findings["models"]
            .as_array()
            .unwrap()
            .iter()
            .any(|id| id == GPT),
        "{findings}"
    );
    assert_eq!(findings["model"], GPT);
    assert_eq!(
        findings["unknown_model"],
        "NotFoundError 404 model_not_found"
    );
    assert_eq!(
        findings["bad_key"],
        "AuthenticationError 401 invalid_api_key"
    );
    let received = world.simulator.received();
    let chats = bodies(&received, "/v1/chat/completions");
    let results = chats
        .iter()
        .flat_map(|chat| chat["messages"].as_array().unwrap())
        .filter(|turn| turn["role"] == "tool");
    assert_eq!(results.count(), 1, "{chats:?}");
    let responses = bodies(&received, "/v1/responses");
    let outputs = responses
        .iter()
        .filter_map(|body| body["input"].as_array())
        .flatten();
    assert_eq!(
        outputs
            .filter(|item| item["type"] == "function_call_output")
            .count(),
        1,
        "{responses:?}"
    );
    assert_rows_are_exact(&world, received.len()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_anthropic_sdk_works() {
    if skipped() {
        return;
    }
    let (world, findings) = findings("anthropic_sdk.py").await;
    let hello = "Hello from the simulator, all is well.";
    assert_eq!(findings["text"], hello);
    assert_eq!(findings["stream"], hello);
    assert_eq!(findings["stream_usage"], 11);
    assert_eq!(findings["tool"], "The tool said: 19 degrees in Hamburg");
    assert_eq!(findings["tokens"], 65);
    assert!(
        findings["models"]
            .as_array()
            .unwrap()
            .iter()
            .any(|id| id == CLAUDE),
        "{findings}"
    );
    assert_eq!(
        findings["unknown_model"],
        "NotFoundError 404 not_found_error"
    );
    assert_eq!(
        findings["bad_key"],
        "AuthenticationError 401 authentication_error"
    );
    let received = world.simulator.received();
    let messages = bodies(&received, "/v1/messages");
    let turns = messages
        .iter()
        .flat_map(|body| body["messages"].as_array().unwrap());
    let results = turns
        .filter_map(|turn| turn["content"].as_array())
        .flatten();
    assert_eq!(
        results.filter(|part| part["type"] == "tool_result").count(),
        1,
        "{messages:?}"
    );
    // The thinking's signature came back as the vendor had given it.
    let signed = received
        .iter()
        .any(|received| received.text().contains("c2lnbmVkIGJ5IHRoZSBzaW11bGF0b3I="));
    assert!(signed, "the signature was lost on the way");
    assert_rows_are_exact(&world, received.len()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdks_work_on_vendors_of_every_other_dialect() {
    if skipped() {
        return;
    }
    let world = foreign().await;
    let hello = "Hello from the simulator, all is well.";
    for model in ["chat-only", "responses-only", "messages-only"] {
        let found = findings_in(&world, "openai_sdk.py", model, CLAUDE).await;
        for name in [
            "chat_text",
            "chat_stream",
            "responses_text",
            "responses_stream",
        ] {
            assert_eq!(found[name], hello, "{model}: {name} in {found}");
        }
        for name in ["chat_tool", "responses_tool"] {
            assert_eq!(
                found[name], "The tool said: 19 degrees in Hamburg",
                "{model}: {name} in {found}"
            );
        }
        let found = findings_in(&world, "anthropic_sdk.py", GPT, model).await;
        assert_eq!(found["text"], hello, "{model}: {found}");
        assert_eq!(found["stream"], hello, "{model}: {found}");
        assert_eq!(
            found["tool"], "The tool said: 19 degrees in Hamburg",
            "{model}: {found}"
        );
    }
    let rows = world.management().rows().await;
    assert!(rows.iter().all(|row| !row.estimated()), "{rows:?}");
}

/// Every request that reached the vendor has a row with exactly what the vendor told.
async fn assert_rows_are_exact(world: &World, served: usize) {
    let rows = world.management().rows().await;
    let served_rows: Vec<_> = rows.iter().filter(|row| row.status() == 200).collect();
    assert_eq!(served_rows.len(), served);
    for row in served_rows {
        let endpoint = ENDPOINTS
            .iter()
            .find(|endpoint| endpoint.operation == row.text("operation"))
            .unwrap();
        assert_eq!(row.tokens(), endpoint.tokens, "{}", row.0);
    }
}

/// A client that is told nothing but what the environment says, as a person would begin, and a tool round trip with
/// `echo` in each of the SDK's two dialects.
const OPENAI_FROM_THE_ENVIRONMENT: &str = r#"
import json, openai
client = openai.OpenAI(max_retries=0)
model = next(model.id for model in client.models.list() if not model.id.startswith("claude"))
line = '!tool get_weather {"city":"Hamburg"}'
schema = {"type": "object", "properties": {"city": {"type": "string"}}}

messages = [{"role": "user", "content": line}]
tools = [{"type": "function", "function": {"name": "get_weather", "parameters": schema}}]
message = client.chat.completions.create(model=model, messages=messages, tools=tools).choices[0].message
call = message.tool_calls[0]
messages += [message, {"role": "tool", "tool_call_id": call.id, "content": json.loads(call.function.arguments)["city"]}]
stream = client.chat.completions.create(model=model, messages=messages, tools=tools, stream=True)
print("chat:", "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))

items = [{"role": "user", "content": line}]
tools = [{"type": "function", "name": "get_weather", "parameters": schema, "strict": False}]
with client.responses.stream(model=model, input=items, tools=tools) as stream:
    call = next(item for item in stream.get_final_response().output if item.type == "function_call")
items += [
    {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
    {"type": "function_call_output", "call_id": call.call_id, "output": json.loads(call.arguments)["city"]},
]
print("responses:", client.responses.create(model=model, input=items, tools=tools).output_text)
"#;

const ANTHROPIC_FROM_THE_ENVIRONMENT: &str = r#"
import anthropic
client = anthropic.Anthropic(max_retries=0)
model = next(model.id for model in client.models.list() if model.id.startswith("claude"))
tools = [{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]
messages = [{"role": "user", "content": '!tool get_weather {"city":"Hamburg"}'}]
first = client.messages.create(model=model, max_tokens=256, messages=messages, tools=tools)
call = next(block for block in first.content if block.type == "tool_use")
messages += [
    {"role": "assistant", "content": [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": call.input["city"]}]},
]
with client.messages.stream(model=model, max_tokens=256, messages=messages, tools=tools) as stream:
    print("messages:", "".join(stream.text_stream))
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdks_work_with_the_printed_settings_and_nothing_else() {
    if skipped() {
        return;
    }
    let clients = Clients::ensure().unwrap();
    let quickstart = Quickstart::start().await;
    for (heading, program, wanted) in [
        (
            "OpenAI SDK:",
            OPENAI_FROM_THE_ENVIRONMENT,
            "chat: Hamburg\nresponses: Hamburg\n",
        ),
        (
            "Anthropic SDK:",
            ANTHROPIC_FROM_THE_ENVIRONMENT,
            "messages: Hamburg\n",
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("program.py"), program).unwrap();
        let settings = quickstart.to_paste(heading);
        let mut command = clients.shell(&format!("{settings}\npython3 program.py"));
        command.env("HOME", home.path()).current_dir(home.path());
        let outcome = tokio::task::spawn_blocking(move || run(&mut command, home.path()))
            .await
            .unwrap()
            .unwrap();
        assert!(outcome.success, "{heading} {}", outcome.errors);
        assert_eq!(outcome.output, wanted, "{heading} {}", outcome.errors);
    }
}
