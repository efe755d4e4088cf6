//! Messages: whole answers and streams.

use serde_json::{Value, json};

use super::answer::Answer;
use super::dialogue::{Conversation, Say, pieces};
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
    let (content, reason) = match &conversation.say {
        Say::Text(text) => (json!([{ "type": "text", "text": text }]), "end_turn"),
        Say::Call(call) => {
            let input: Value = serde_json::from_str(&call.arguments).unwrap();
            let block =
                json!({ "type": "tool_use", "id": "toolu_1", "name": call.name, "input": input });
            (
                json!([{ "type": "text", "text": "Let me look." }, block]),
                "tool_use",
            )
        }
    };
    let body = message(
        conversation,
        content,
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
    let (first, said) = match &conversation.say {
        Say::Text(text) => ("Hmm, let me think.", Some(text)),
        Say::Call(_) => ("A tool is needed.", None),
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
    let signature =
        json!({ "type": "signature_delta", "signature": "c2lnbmVkIGJ5IHRoZSBzaW11bGF0b3I=" });
    add(
        "content_block_delta",
        json!({ "index": 0, "delta": signature }),
    );
    add("content_block_stop", json!({ "index": 0 }));
    let reason = match (said, &conversation.say) {
        (Some(said), _) => {
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
            "end_turn"
        }
        (None, Say::Call(call)) => {
            let block =
                json!({ "type": "tool_use", "id": "toolu_1", "name": call.name, "input": {} });
            add(
                "content_block_start",
                json!({ "index": 1, "content_block": block }),
            );
            add(
                "content_block_delta",
                json!({ "index": 1, "delta": { "type": "input_json_delta", "partial_json": "" } }),
            );
            for piece in pieces(&call.arguments) {
                let delta = json!({ "type": "input_json_delta", "partial_json": piece });
                add("content_block_delta", json!({ "index": 1, "delta": delta }));
            }
            "tool_use"
        }
        (None, Say::Text(_)) => unreachable!("text is said"),
    };
    add("content_block_stop", json!({ "index": 1 }));
    let delta = json!({ "stop_reason": reason, "stop_sequence": null });
    add(
        "message_delta",
        json!({ "delta": delta, "usage": usage(ANTHROPIC.output) }),
    );
    add("message_stop", json!({}));
    Answer::events(text)
}
