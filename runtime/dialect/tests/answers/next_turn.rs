//! What only its maker can read, one turn later: the client sends the answer back as its dialect has it, and the vendor
//! family that made it gets its own bytes, and no other gets any of them.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_dialect::bridge::{Abilities, Target, request, strip_sealed};
use tollgate_dialect::{Dialect, Document};

use super::plain::{self, Summary, items, texts};
use super::support::*;

/// What the client asks next, as it is told by the clients' own SDKs to: with all that was answered.
fn next_request(client: Dialect, answer: &Value, told: &Summary) -> Value {
    match client {
        RESPONSES => {
            let mut input = vec![json!({ "role": "user", "content": "Go" })];
            input.extend_from_slice(items(&answer["output"]));
            for item in items(&answer["output"]) {
                let kind = item["type"].as_str().unwrap_or_default();
                if matches!(kind, "function_call" | "custom_tool_call") {
                    let kind = format!("{kind}_output");
                    input.push(json!({ "type": kind, "call_id": item["call_id"], "output": "!" }));
                }
            }
            input.push(json!({ "role": "user", "content": "More" }));
            let mut tools =
                vec![json!({ "type": "code_interpreter", "container": { "type": "auto" } })];
            tools.extend(servers(told).into_iter().map(|server| {
                json!({ "type": "mcp", "server_label": server, "server_url": "https://s.example",
                    "require_approval": "never" })
            }));
            json!({ "model": "asked", "input": input, "tools": tools })
        }
        MESSAGES => {
            let mut content: Vec<Value> = told
                .calls
                .iter()
                .map(|(id, ..)| json!({ "type": "tool_result", "tool_use_id": id, "content": "!" }))
                .collect();
            content.push(json!({ "type": "text", "text": "More" }));
            json!({ "model": "asked", "max_tokens": 9_000, "messages": [
                { "role": "user", "content": "Go" },
                { "role": "assistant", "content": answer["content"] },
                { "role": "user", "content": content },
            ], "tools": [{ "type": "code_execution_20250825", "name": "code_execution" }],
            "mcp_servers": servers(told).into_iter().map(|server| {
                json!({ "type": "url", "url": "https://s.example", "name": server })
            }).collect::<Vec<_>>() })
        }
        _ => unreachable!("a client of Chat has nothing to send back"),
    }
}

fn target(dialect: Dialect, family: &'static str) -> Target<'static> {
    Target {
        dialect,
        family,
        model: "asked",
        max_output_tokens: None,
        default_output_tokens: Some(32_000),
        abilities: Abilities::from_names([
            "reasoning",
            "adaptive-thinking",
            "custom-tools",
            "web-search",
            "mcp",
            "code-execution",
        ]),
    }
}

/// The MCP servers whose tools were called, each once.
fn servers(told: &Summary) -> BTreeSet<&str> {
    let tools = told.ran.iter().filter_map(|ran| ran.tool.as_ref());
    tools.map(|(server, _)| server.as_str()).collect()
}

/// What a vendor wants back unchanged of a part of its answer, or of the assistant's turn in a request.
fn own(part: &Value) -> Option<Value> {
    let some = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    match part["type"].as_str() {
        // A signature holds for its text to the byte.
        Some("thinking") if some(&part["signature"]) => {
            Some(json!([part["thinking"], part["signature"]]))
        }
        Some("redacted_thinking") => Some(json!([part["data"]])),
        // What can be read of an encrypted item is not what the vendor reads: paragraphs may be one there.
        Some("reasoning") if some(&part["encrypted_content"]) => {
            Some(json!([part["id"], part["encrypted_content"]]))
        }
        _ => None,
    }
}

/// What its vendor ran itself, as it is told again.
fn ran(part: &Value) -> Option<Value> {
    match part["type"].as_str() {
        Some("mcp_call") => Some(json!([
            part["id"],
            part["server_label"],
            part["name"],
            arguments(&part["arguments"]),
            part["output"],
            part["error"].is_null(),
        ])),
        Some("code_interpreter_call") => Some(json!([
            part["id"],
            part["container_id"],
            part["code"],
            logs(&part["outputs"]),
        ])),
        Some("mcp_tool_use") => Some(json!([part["server_name"], part["name"], part["input"]])),
        Some("mcp_tool_result") => Some(json!([part["is_error"], texts(&part["content"])])),
        _ => None,
    }
}

fn arguments(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap_or_default()).unwrap_or(Value::Null)
}

fn logs(outputs: &Value) -> String {
    let logs = items(outputs)
        .iter()
        .filter_map(|output| output["logs"].as_str());
    logs.collect()
}

/// Whether reasoning before these parts goes back: vendors refuse what led to nothing, those of Responses also what led to
/// a search that is taken out again.
fn leads_on(after: &[Value]) -> bool {
    let shown = |part: &&Value| match part["type"].as_str() {
        Some("text") => !part["text"].as_str().unwrap_or_default().trim().is_empty(),
        Some("tool_use" | "message" | "function_call" | "custom_tool_call") => true,
        Some("mcp_call" | "code_interpreter_call" | "mcp_tool_use") => true,
        Some("server_tool_use") => part["name"].as_str().unwrap().ends_with("code_execution"),
        Some("web_search_call") => part["action"]["type"] == "search",
        _ => false,
    };
    let next = after.iter().find(shown);
    next.is_some_and(|part| part["type"] != "web_search_call")
}

/// The parts that the vendor is sent of its own.
fn sent_back(vendor: Dialect, body: &Value, own: impl Fn(&Value) -> Option<Value>) -> Vec<Value> {
    match vendor {
        RESPONSES => items(&body["input"]).iter().filter_map(own).collect(),
        _ => items(&body["messages"])
            .iter()
            .flat_map(|message| items(&message["content"]))
            .filter_map(own)
            .collect(),
    }
}

/// How many pieces of it went all the way.
pub(crate) fn comes_back(vendor: Dialect, answer: &Value, name: &str) -> usize {
    let told = plain::summary(vendor, answer);
    if told.opaque.is_empty() {
        return 0;
    }
    let member = if vendor == RESPONSES {
        "output"
    } else {
        "content"
    };
    let parts = items(&answer[member]);
    let made: Vec<Value> = (1..)
        .zip(parts)
        .filter(|(after, _)| leads_on(&parts[*after..]))
        .filter_map(|(_, part)| own(part).or_else(|| ran(part)))
        .collect();
    let client = if vendor == RESPONSES {
        MESSAGES
    } else {
        RESPONSES
    };
    let name = format!("{name} to {}", short(client));
    let context = tollgate_dialect::bridge::Context {
        tools: Vec::new(),
        ..context(client, vendor)
    };
    let arrived = whole(&context, answer.to_string().as_bytes()).unwrap();
    let arrived: Value = serde_json::from_slice(&arrived).unwrap();
    let next = next_request(client, &arrived, &plain::summary(client, &arrived));
    let asked = |family| {
        let bridged = request(client, next.to_string().as_bytes(), &target(vendor, family))
            .unwrap_or_else(|error| panic!("{name}: {error:?}\n{next:#}"));
        serde_json::from_slice::<Value>(&bridged.body).unwrap()
    };
    let sent = sent_back(vendor, &asked("maker"), |part| {
        own(part).or_else(|| ran(part))
    });
    for (sent, made) in sent.iter().zip(&made) {
        assert_eq!(sent, made, "{name}");
    }
    assert_eq!(sent.len(), made.len(), "{name}: {sent:#?}\n{made:#?}");
    let other = asked("another");
    assert_eq!(
        sent_back(vendor, &other, own),
        Vec::<Value>::new(),
        "{name}"
    );
    // A vendor of the client's own dialect gets it no more than any other.
    let mut own = Document::parse(Bytes::from(next.to_string())).unwrap();
    strip_sealed(&mut own, plain::operation(client)).unwrap();
    for sent in [other.to_string(), text(&own.to_bytes()).to_owned()] {
        assert!(!sent.contains("\"tg1."), "{name}: {sent}");
        for opaque in &told.opaque {
            assert!(!sent.contains(opaque.secret()), "{name}: {opaque:?}");
        }
    }
    made.len()
}

#[test]
fn what_only_its_maker_can_read_goes_back_to_it_alone() {
    let mut back = 0;
    for fixture in fixtures() {
        let answer = if fixture.streams {
            plain::whole_of_stream(fixture.vendor, &fixture.bytes)
        } else {
            serde_json::from_slice(&fixture.bytes).map_err(|error| error.to_string())
        };
        if let Ok(answer) = answer {
            back += comes_back(fixture.vendor, &answer, &fixture.name);
        }
    }
    assert!(back > 4, "{back} pieces went back");
}
