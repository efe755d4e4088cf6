//! Responses: whole answers and streams.

use serde_json::{Value, json};

use super::answer::Answer;
use super::dialogue::{Conversation, ENCRYPTED_CONTENT, Say, ToolCall, pieces};
use super::tokens::OPENAI;

const SUMMARY: &str = "The vendor of responses weighs it.";

pub(super) fn answer(conversation: &Conversation) -> Answer {
    let mut output = Vec::new();
    if conversation.reasons {
        output.push(reasoning(conversation.encrypted));
    }
    match &conversation.say {
        Say::Text(text) => output.push(message(text)),
        Say::Calls(calls) => output.extend(calls.iter().map(call)),
    }
    let done = response(conversation, "completed", json!(output), usage());
    if !conversation.stream {
        return Answer::json(200, done.to_string());
    }
    let mut events = Events::default();
    let started = response(conversation, "in_progress", json!([]), Value::Null);
    events.add("response.created", json!({ "response": started }));
    events.add("response.in_progress", json!({ "response": started }));
    for (index, item) in output.iter().enumerate() {
        let place = json!({ "item_id": item["id"], "output_index": index });
        let mut begun = item.clone();
        if item.get("status").is_some() {
            begun["status"] = json!("in_progress");
        }
        for (member, empty) in [
            ("arguments", json!("")),
            ("content", json!([])),
            ("summary", json!([])),
        ] {
            if item.get(member).is_some() {
                begun[member] = empty;
            }
        }
        events.add(
            "response.output_item.added",
            json!({ "output_index": index, "item": begun }),
        );
        match item["type"].as_str() {
            Some("message") => stream_message(&mut events, &place, &item["content"][0]["text"]),
            Some("reasoning") => stream_summary(&mut events, &place),
            _ => stream_call(&mut events, &place, &item["arguments"]),
        }
        events.add(
            "response.output_item.done",
            json!({ "output_index": index, "item": item }),
        );
    }
    events.add("response.completed", json!({ "response": done }));
    Answer::events(events.text)
}

/// A compacted conversation; what the vendor encrypts only it can read.
pub(super) fn compacted(conversation: &Conversation) -> Answer {
    let said = json!([{ "type": "input_text", "text": conversation.model }]);
    let whole = json!({
        "id": "resp_simulated", "object": "response.compaction", "created_at": 1_790_000_000,
        "output": [
            { "type": "message", "id": "msg_1", "role": "user", "status": "completed", "content": said },
            { "type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAAASimulated" },
        ],
        "usage": usage(),
    });
    Answer::json(200, whole.to_string())
}

fn stream_call(events: &mut Events, place: &Value, arguments: &Value) {
    for piece in pieces(arguments.as_str().unwrap_or_default()) {
        events.add(
            "response.function_call_arguments.delta",
            with(place, "delta", json!(piece)),
        );
    }
    let whole = with(place, "arguments", arguments.clone());
    events.add("response.function_call_arguments.done", whole);
}

fn stream_summary(events: &mut Events, place: &Value) {
    let place = with(place, "summary_index", json!(0));
    let part = |text: &str| json!({ "type": "summary_text", "text": text });
    events.add(
        "response.reasoning_summary_part.added",
        with(&place, "part", part("")),
    );
    for piece in pieces(SUMMARY) {
        events.add(
            "response.reasoning_summary_text.delta",
            with(&place, "delta", json!(piece)),
        );
    }
    events.add(
        "response.reasoning_summary_text.done",
        with(&place, "text", json!(SUMMARY)),
    );
    events.add(
        "response.reasoning_summary_part.done",
        with(&place, "part", part(SUMMARY)),
    );
}

fn stream_message(events: &mut Events, place: &Value, text: &Value) {
    let text = text.as_str().unwrap_or_default();
    let place = with(place, "content_index", json!(0));
    let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] });
    events.add(
        "response.content_part.added",
        with(&place, "part", part("")),
    );
    for piece in pieces(text) {
        let delta = with(&with(&place, "delta", json!(piece)), "logprobs", json!([]));
        events.add(
            "response.output_text.delta",
            with(&delta, "obfuscation", json!("xYz")),
        );
    }
    events.add(
        "response.output_text.done",
        with(&with(&place, "text", json!(text)), "logprobs", json!([])),
    );
    events.add(
        "response.content_part.done",
        with(&place, "part", part(text)),
    );
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

fn message(text: &str) -> Value {
    json!({
        "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": text, "annotations": [], "logprobs": [] }],
    })
}

fn call(call: &ToolCall) -> Value {
    json!({
        "type": "function_call", "id": format!("fc_{}", call.number), "call_id": format!("call_{}", call.number),
        "status": "completed", "name": call.name, "arguments": call.arguments,
    })
}

fn reasoning(encrypted: bool) -> Value {
    let mut item = json!({
        "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": SUMMARY }],
    });
    if encrypted {
        item["encrypted_content"] = json!(ENCRYPTED_CONTENT);
    }
    item
}

fn usage() -> Value {
    let input = OPENAI.input + OPENAI.cache_read;
    json!({
        "input_tokens": input,
        "input_tokens_details": { "cached_tokens": OPENAI.cache_read },
        "output_tokens": OPENAI.output,
        "output_tokens_details": { "reasoning_tokens": OPENAI.reasoning },
        "total_tokens": input + OPENAI.output,
    })
}

fn response(conversation: &Conversation, status: &str, output: Value, usage: Value) -> Value {
    json!({
        "id": "resp_simulated", "object": "response", "created_at": 1_790_000_000, "status": status,
        "error": null, "incomplete_details": null, "instructions": null, "metadata": {},
        "model": conversation.model, "output": output, "parallel_tool_calls": true,
        "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, "usage": usage,
    })
}

#[derive(Default)]
struct Events {
    text: String,
    count: u64,
}

impl Events {
    fn add(&mut self, kind: &str, mut body: Value) {
        body["type"] = json!(kind);
        body["sequence_number"] = json!(self.count);
        self.count += 1;
        self.text
            .push_str(&format!("event: {kind}\ndata: {body}\n\n"));
    }
}
