//! A whole message as events.

use serde_json::{Value, json};

use super::{Object, begun, begun_text};

pub(super) fn events(mut message: Object) -> Option<Vec<Value>> {
    let Some(Value::Array(blocks)) = begun(&mut message, "content", json!([])) else {
        return None;
    };
    let reason = begun(&mut message, "stop_reason", Value::Null).unwrap_or_default();
    let sequence = begun(&mut message, "stop_sequence", Value::Null).unwrap_or_default();
    let usage = message.get("usage").cloned().unwrap_or_else(|| json!({}));
    if let Some(Value::Object(usage)) = message.get_mut("usage") {
        usage.insert("output_tokens".to_owned(), 0.into());
    }
    let mut events = vec![json!({ "type": "message_start", "message": message })];
    for (index, block) in blocks.into_iter().enumerate() {
        let Value::Object(block) = block else {
            return None;
        };
        let (start, deltas) = block_events(block);
        events
            .push(json!({ "type": "content_block_start", "index": index, "content_block": start }));
        for delta in deltas {
            events.push(json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        }
        events.push(json!({ "type": "content_block_stop", "index": index }));
    }
    let delta = json!({ "stop_reason": reason, "stop_sequence": sequence });
    events.push(json!({ "type": "message_delta", "delta": delta, "usage": usage }));
    events.push(json!({ "type": "message_stop" }));
    Some(events)
}

/// A block as it begins, and what comes to it.
fn block_events(mut block: Object) -> (Object, Vec<Value>) {
    let mut deltas = Vec::new();
    match block.get("type").and_then(Value::as_str) {
        Some("text") => {
            let citations = match block.get("citations") {
                Some(Value::Array(_)) => begun(&mut block, "citations", json!([])),
                _ => None,
            };
            if let Some(text) = begun_text(&mut block, "text") {
                deltas.push(json!({ "type": "text_delta", "text": text }));
            }
            if let Some(Value::Array(citations)) = citations {
                let cited = citations.into_iter();
                deltas
                    .extend(cited.map(
                        |citation| json!({ "type": "citations_delta", "citation": citation }),
                    ));
            }
        }
        Some("thinking") => {
            if let Some(thinking) = begun_text(&mut block, "thinking") {
                deltas.push(json!({ "type": "thinking_delta", "thinking": thinking }));
            }
            if let Some(signature) = begun_text(&mut block, "signature") {
                deltas.push(json!({ "type": "signature_delta", "signature": signature }));
            }
        }
        Some("tool_use" | "server_tool_use" | "mcp_tool_use") => {
            if let Some(input) = begun(&mut block, "input", json!({})) {
                let text = input.to_string();
                deltas.push(json!({ "type": "input_json_delta", "partial_json": text }));
            }
        }
        // All else comes whole with its beginning.
        _ => {}
    }
    (block, deltas)
}
