//! What only its maker can read, one turn later: the client sends the answer back as its dialect has it, and the vendor
//! family that made it gets its own bytes, and no other gets any of them.

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_dialect::bridge::{Abilities, Target, request, strip_sealed};
use tollgate_dialect::{Dialect, Document};

use super::plain::{self, Summary, items};
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
            json!({ "model": "asked", "input": input })
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
            ] })
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
        ]),
    }
}

/// The reasoning of an answer, or of the assistant's turn in a request, that its maker wants back unchanged.
fn own(content: &[Value]) -> Vec<Value> {
    let some = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let own = content
        .iter()
        .filter_map(|part| match part["type"].as_str() {
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
        });
    own.collect()
}

fn sent_back(vendor: Dialect, body: &Value) -> Vec<Value> {
    match vendor {
        RESPONSES => own(items(&body["input"])),
        _ => items(&body["messages"])
            .iter()
            .flat_map(|message| own(items(&message["content"])))
            .collect(),
    }
}

/// Whether an answer ends in reasoning that led to nothing: that is not sent again.
fn led_to_nothing(told: &Summary) -> bool {
    told.text.trim().is_empty() && told.calls.is_empty() && told.refusal.is_empty()
}

/// How many pieces of it went all the way.
pub(crate) fn comes_back(vendor: Dialect, answer: &Value, name: &str) -> usize {
    let told = plain::summary(vendor, answer);
    if told.opaque.is_empty() || led_to_nothing(&told) {
        return 0;
    }
    let member = if vendor == RESPONSES {
        "output"
    } else {
        "content"
    };
    let made = own(items(&answer[member]));
    assert_eq!(made.len(), told.opaque.len(), "{name}");
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
    assert_eq!(sent_back(vendor, &asked("maker")), made, "{name}");
    let other = asked("another");
    assert_eq!(sent_back(vendor, &other), Vec::<Value>::new(), "{name}");
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
