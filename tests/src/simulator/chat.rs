//! Chat completions: whole answers and streams.

use serde_json::{Value, json};

use super::answer::Answer;
use super::dialogue::{Conversation, REASONING_CONTENT, Say, ToolCall, pieces};
use super::tokens::OPENAI;

pub(super) fn answer(conversation: &Conversation) -> Answer {
    if conversation.stream {
        stream(conversation)
    } else {
        whole(conversation)
    }
}

fn usage() -> Value {
    let prompt = OPENAI.input + OPENAI.cache_read;
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": OPENAI.output,
        "total_tokens": prompt + OPENAI.output,
        "prompt_tokens_details": { "cached_tokens": OPENAI.cache_read, "audio_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": OPENAI.reasoning },
    })
}

fn whole(conversation: &Conversation) -> Answer {
    let (mut message, reason) = match &conversation.say {
        Say::Text(text) => (
            json!({ "role": "assistant", "content": text, "refusal": null }),
            "stop",
        ),
        Say::Calls(calls) => {
            let calls: Vec<Value> = calls
                .iter()
                .map(|call| tool_call(call, &call.arguments))
                .collect();
            (
                json!({ "role": "assistant", "content": null, "tool_calls": calls }),
                "tool_calls",
            )
        }
    };
    if conversation.reasons {
        message["reasoning_content"] = json!(REASONING_CONTENT);
    }
    let body = json!({
        "id": "chatcmpl-simulated",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": conversation.model,
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": reason }],
        "usage": usage(),
        "system_fingerprint": "fp_simulated",
    });
    Answer::json(200, body.to_string())
}

fn tool_call(call: &ToolCall, arguments: &str) -> Value {
    let function = json!({ "name": call.name, "arguments": arguments });
    json!({ "id": format!("call_{}", call.number), "type": "function", "function": function })
}

fn stream(conversation: &Conversation) -> Answer {
    let mut text = String::new();
    let mut chunk = |choices: Value, usage: Value| {
        let mut body = json!({
            "id": "chatcmpl-simulated",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": conversation.model,
            "choices": choices,
        });
        if conversation.include_usage {
            body["usage"] = usage;
        }
        text.push_str(&format!("data: {body}\n\n"));
    };
    let choice = |delta: Value, reason: Value| json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason }]);
    chunk(
        choice(
            json!({ "role": "assistant", "content": "", "refusal": null }),
            Value::Null,
        ),
        Value::Null,
    );
    if conversation.reasons {
        for piece in pieces(REASONING_CONTENT) {
            chunk(
                choice(json!({ "reasoning_content": piece }), Value::Null),
                Value::Null,
            );
        }
    }
    let reason = match &conversation.say {
        Say::Text(text) => {
            for piece in pieces(text) {
                chunk(
                    choice(json!({ "content": piece }), Value::Null),
                    Value::Null,
                );
            }
            "stop"
        }
        Say::Calls(calls) => {
            for (index, call) in calls.iter().enumerate() {
                let mut first = tool_call(call, "");
                first["index"] = json!(index);
                chunk(
                    choice(json!({ "tool_calls": [first] }), Value::Null),
                    Value::Null,
                );
                for piece in pieces(&call.arguments) {
                    let more = json!([{ "index": index, "function": { "arguments": piece } }]);
                    chunk(
                        choice(json!({ "tool_calls": more }), Value::Null),
                        Value::Null,
                    );
                }
            }
            "tool_calls"
        }
    };
    chunk(choice(json!({}), json!(reason)), Value::Null);
    if conversation.include_usage {
        chunk(json!([]), usage());
    }
    text.push_str("data: [DONE]\n\n");
    Answer::events(text)
}
