//! Responses: whole answers and streams.

use serde_json::{Value, json};

use super::answer::Answer;
use super::dialogue::{Conversation, Say, pieces};
use super::tokens::OPENAI;

pub(super) fn answer(conversation: &Conversation) -> Answer {
    let item = item(&conversation.say, "completed");
    let done = response(conversation, "completed", json!([item]), usage());
    if !conversation.stream {
        return Answer::json(200, done.to_string());
    }
    let mut events = Events::default();
    let started = response(conversation, "in_progress", json!([]), Value::Null);
    events.add("response.created", json!({ "response": started }));
    events.add("response.in_progress", json!({ "response": started }));
    match &conversation.say {
        Say::Text(text) => message(&mut events, text),
        Say::Call(call) => {
            let mut empty = item.clone();
            empty["arguments"] = json!("");
            empty["status"] = json!("in_progress");
            events.add(
                "response.output_item.added",
                json!({ "output_index": 0, "item": empty }),
            );
            let place = json!({ "item_id": "fc_1", "output_index": 0 });
            for piece in pieces(&call.arguments) {
                events.add(
                    "response.function_call_arguments.delta",
                    with(&place, "delta", json!(piece)),
                );
            }
            let whole = with(&place, "arguments", json!(call.arguments));
            events.add("response.function_call_arguments.done", whole);
        }
    }
    events.add(
        "response.output_item.done",
        json!({ "output_index": 0, "item": item }),
    );
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

fn message(events: &mut Events, text: &str) {
    let place = json!({ "item_id": "msg_1", "output_index": 0, "content_index": 0 });
    let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] });
    let empty = json!({ "type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": [] });
    events.add(
        "response.output_item.added",
        json!({ "output_index": 0, "item": empty }),
    );
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

fn item(say: &Say, status: &str) -> Value {
    match say {
        Say::Text(text) => json!({
            "type": "message", "id": "msg_1", "role": "assistant", "status": status,
            "content": [{ "type": "output_text", "text": text, "annotations": [], "logprobs": [] }],
        }),
        Say::Call(call) => json!({
            "type": "function_call", "id": "fc_1", "call_id": "call_1", "status": status,
            "name": call.name, "arguments": call.arguments,
        }),
    }
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
