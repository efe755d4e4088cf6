//! Messages: whole answers and streams.

use serde_json::{Value, json};

use super::answer::Answer;
use super::dialogue::{Conversation, SIGNATURE, Say, pieces};
use super::tokens::ANTHROPIC;

pub(super) fn answer(conversation: &Conversation) -> Answer {
    if conversation.stream {
        stream(conversation)
    } else {
        whole(conversation)
    }
}

fn usage(output: u64) -> Value {
    json!({
        "input_tokens": ANTHROPIC.input,
        "cache_creation_input_tokens": ANTHROPIC.cache_write_5m + ANTHROPIC.cache_write_1h,
        "cache_read_input_tokens": ANTHROPIC.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": ANTHROPIC.cache_write_5m,
            "ephemeral_1h_input_tokens": ANTHROPIC.cache_write_1h,
        },
        "output_tokens": output,
        "service_tier": "standard",
    })
}

fn message(conversation: &Conversation, content: Value, reason: Value, usage: Value) -> Value {
    json!({
        "id": "msg_simulated", "type": "message", "role": "assistant", "model": conversation.model,
        "content": content, "stop_reason": reason, "stop_sequence": null, "usage": usage,
    })
}

fn whole(conversation: &Conversation) -> Answer {
    let mut content = Vec::new();
    if conversation.reasons {
        content.push(
            json!({ "type": "thinking", "thinking": "A tool is needed.", "signature": SIGNATURE }),
        );
    }
    let reason = match &conversation.say {
        Say::Text(text) => {
            content.push(json!({ "type": "text", "text": text }));
            "end_turn"
        }
        Say::Calls(calls) => {
            content.push(json!({ "type": "text", "text": "Let me look." }));
            for call in calls {
                let input: Value = serde_json::from_str(&call.arguments).unwrap();
                content.push(json!({
                    "type": "tool_use", "id": format!("toolu_{}", call.number), "name": call.name, "input": input,
                }));
            }
            "tool_use"
        }
    };
    let body = message(
        conversation,
        json!(content),
        json!(reason),
        usage(ANTHROPIC.output),
    );
    Answer::json(200, body.to_string())
}

fn stream(conversation: &Conversation) -> Answer {
    let mut text = String::new();
    let mut add = |kind: &str, mut body: Value| {
        body["type"] = json!(kind);
        text.push_str(&format!("event: {kind}\ndata: {body}\n\n"));
    };
    let start = message(conversation, json!([]), Value::Null, usage(1));
    add("message_start", json!({ "message": start }));
    let first = match &conversation.say {
        Say::Text(_) => "Hmm, let me think.",
        Say::Calls(_) => "A tool is needed.",
    };
    add(
        "content_block_start",
        json!({ "index": 0, "content_block": { "type": "thinking", "thinking": "", "signature": "" } }),
    );
    add("ping", json!({}));
    for piece in pieces(first) {
        add(
            "content_block_delta",
            json!({ "index": 0, "delta": { "type": "thinking_delta", "thinking": piece } }),
        );
    }
    let signature = json!({ "type": "signature_delta", "signature": SIGNATURE });
    add(
        "content_block_delta",
        json!({ "index": 0, "delta": signature }),
    );
    add("content_block_stop", json!({ "index": 0 }));
    let reason = match &conversation.say {
        Say::Text(said) => {
            add(
                "content_block_start",
                json!({ "index": 1, "content_block": { "type": "text", "text": "" } }),
            );
            for piece in pieces(said) {
                add(
                    "content_block_delta",
                    json!({ "index": 1, "delta": { "type": "text_delta", "text": piece } }),
                );
            }
            add("content_block_stop", json!({ "index": 1 }));
            "end_turn"
        }
        Say::Calls(calls) => {
            for (call, index) in calls.iter().zip(1..) {
                let id = format!("toolu_{}", call.number);
                let block = json!({ "type": "tool_use", "id": id, "name": call.name, "input": {} });
                add(
                    "content_block_start",
                    json!({ "index": index, "content_block": block }),
                );
                for piece in std::iter::once("").chain(pieces(&call.arguments)) {
                    let delta = json!({ "type": "input_json_delta", "partial_json": piece });
                    add(
                        "content_block_delta",
                        json!({ "index": index, "delta": delta }),
                    );
                }
                add("content_block_stop", json!({ "index": index }));
            }
            "tool_use"
        }
    };
    let delta = json!({ "stop_reason": reason, "stop_sequence": null });
    add(
        "message_delta",
        json!({ "delta": delta, "usage": usage(ANTHROPIC.output) }),
    );
    add("message_stop", json!({}));
    Answer::events(text)
}
