//! A whole chat completion as chunks.

use serde_json::{Value, json};

use super::Object;

/// The chunks, without the `[DONE]` behind them.
pub(super) fn chunks(mut answer: Object, usage: bool) -> Option<Vec<Value>> {
    let Some(Value::Array(choices)) = answer.remove("choices") else {
        return None;
    };
    let used = answer.remove("usage").filter(|_| usage);
    answer.insert("object".to_owned(), "chat.completion.chunk".into());
    let chunk = |choices: Value| {
        let mut chunk = answer.clone();
        chunk.insert("choices".to_owned(), choices);
        chunk
    };
    let mut chunks = Vec::new();
    for (place, choice) in choices.into_iter().enumerate() {
        let Value::Object(mut choice) = choice else {
            return None;
        };
        let message = choice.remove("message")?;
        let finish = choice.remove("finish_reason").unwrap_or(Value::Null);
        choice.entry("index").or_insert_with(|| place.into());
        let end = json!({ "index": choice["index"], "delta": {}, "finish_reason": finish });
        choice.insert("delta".to_owned(), delta(message));
        choice.insert("finish_reason".to_owned(), Value::Null);
        chunks.push(chunk(json!([choice])).into());
        chunks.push(chunk(json!([end])).into());
    }
    if let Some(used) = used {
        let mut last = chunk(json!([]));
        last.insert("usage".to_owned(), used);
        chunks.push(last.into());
    }
    Some(chunks)
}

/// A message as one delta: calls have their places there.
fn delta(mut message: Value) -> Value {
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
    for (place, call) in calls.into_iter().flatten().enumerate() {
        if let Value::Object(call) = call {
            call.entry("index").or_insert_with(|| place.into());
        }
    }
    message
}
