//! A whole answer as its vendor streams it: the events that its dialect has for it, told the plain way.

use serde_json::{Value, json};
use tollgate_dialect::Dialect;

use super::super::support::*;

/// Events on the wire.
pub(super) fn framed(vendor: Dialect, events: &[Value]) -> String {
    let event = |event: &Value| match event["type"].as_str() {
        Some(name) if vendor != CHAT => format!("event: {name}\ndata: {event}\n\n"),
        _ => format!("data: {event}\n\n"),
    };
    let done = if vendor == CHAT {
        "data: [DONE]\n\n"
    } else {
        ""
    };
    events.iter().map(event).collect::<String>() + done
}

/// The events of an answer.
pub(super) fn events(vendor: Dialect, whole: &Value) -> Vec<Value> {
    match vendor {
        RESPONSES => responses(whole),
        MESSAGES => messages(whole),
        _ => chat(whole),
    }
}

fn without(value: &Value, names: &[&str]) -> Value {
    let mut value = value.clone();
    for name in names {
        value.as_object_mut().unwrap().remove(*name);
    }
    value
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn chat(whole: &Value) -> Vec<Value> {
    let head = without(whole, &["choices", "usage", "error"]);
    let chunk = |choices: Vec<Value>| {
        let mut chunk = head.clone();
        chunk["object"] = "chat.completion.chunk".into();
        chunk["choices"] = choices.into();
        chunk
    };
    let (mut deltas, mut ends) = (Vec::new(), Vec::new());
    for choice in list(&whole["choices"]) {
        let mut begun = without(choice, &["message", "finish_reason", "stop_reason"]);
        begun["delta"] = choice["message"].clone();
        if let Some(calls) = begun["delta"]["tool_calls"].as_array_mut() {
            for (index, call) in calls.iter_mut().enumerate() {
                call["index"] = index.into();
            }
        }
        deltas.push(begun);
        let mut ended = without(choice, &["message", "logprobs"]);
        ended["delta"] = json!({});
        ends.push(ended);
    }
    let mut events = vec![chunk(deltas)];
    if whole["error"].is_null() {
        events.push(chunk(ends));
    } else {
        events.push(json!({ "error": whole["error"] }));
    }
    if !whole["usage"].is_null() {
        let mut last = chunk(Vec::new());
        last["usage"] = whole["usage"].clone();
        events.push(last);
    }
    events
}

fn messages(whole: &Value) -> Vec<Value> {
    let mut start = without(whole, &["content", "stop_details", "error"]);
    start["content"] = json!([]);
    start["stop_reason"] = Value::Null;
    start["stop_sequence"] = Value::Null;
    let mut events = vec![json!({"type": "message_start", "message": start})];
    for (index, block) in list(&whole["content"]).iter().enumerate() {
        let (begun, deltas) = block_told(block);
        events.push(json!({"type": "content_block_start", "index": index, "content_block": begun}));
        for delta in deltas {
            events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    if !whole["error"].is_null() {
        events.push(json!({"type": "error", "error": whole["error"]}));
        return events;
    }
    let mut delta = json!({});
    for name in ["stop_reason", "stop_sequence", "stop_details", "container"] {
        if let Some(value) = whole.get(name) {
            delta[name] = value.clone();
        }
    }
    events.push(json!({"type": "message_delta", "delta": delta, "usage": whole["usage"]}));
    events.push(json!({"type": "message_stop"}));
    events
}

/// What a block begins with, and its deltas.
fn block_told(block: &Value) -> (Value, Vec<Value>) {
    let mut begun = block.clone();
    let mut deltas = Vec::new();
    match block["type"].as_str().unwrap() {
        "text" => {
            begun["text"] = "".into();
            deltas.push(json!({"type": "text_delta", "text": block["text"]}));
            for citation in list(&block["citations"]) {
                deltas.push(json!({"type": "citations_delta", "citation": citation}));
            }
            begun.as_object_mut().unwrap().remove("citations");
        }
        "thinking" => {
            begun["thinking"] = "".into();
            begun["signature"] = "".into();
            deltas.push(json!({"type": "thinking_delta", "thinking": block["thinking"]}));
            if block["signature"].is_string() {
                deltas.push(json!({"type": "signature_delta", "signature": block["signature"]}));
            }
        }
        "tool_use" | "server_tool_use" => {
            begun["input"] = json!({});
            let json = block["input"].to_string();
            deltas.push(json!({"type": "input_json_delta", "partial_json": json}));
        }
        _ => {}
    }
    (begun, deltas)
}

fn responses(whole: &Value) -> Vec<Value> {
    let mut begun = without(whole, &["output", "usage", "error", "incomplete_details"]);
    begun["output"] = json!([]);
    begun["status"] = "in_progress".into();
    let mut events = vec![json!({"type": "response.created", "response": begun})];
    for (index, item) in list(&whole["output"]).iter().enumerate() {
        events.extend(item_told(item).into_iter().map(|mut event| {
            event["output_index"] = index.into();
            event["item_id"] = item["id"].clone();
            event
        }));
    }
    let end = match whole["status"].as_str().unwrap_or("completed") {
        "incomplete" => "response.incomplete",
        "failed" => "response.failed",
        _ => "response.completed",
    };
    events.push(json!({"type": end, "response": whole}));
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = number.into();
    }
    events
}

fn item_told(item: &Value) -> Vec<Value> {
    let mut begun = item.clone();
    begun["status"] = "in_progress".into();
    for name in ["content", "summary"] {
        if begun[name].is_array() {
            begun[name] = json!([]);
        } else {
            begun.as_object_mut().unwrap().remove(name);
        }
    }
    let mut inner = Vec::new();
    for (at, part) in list(&item["content"]).iter().enumerate() {
        let kind = part["type"].as_str().unwrap();
        let (name, word) = match kind {
            "refusal" => ("response.refusal", "refusal"),
            "reasoning_text" => ("response.reasoning_text", "text"),
            _ => ("response.output_text", "text"),
        };
        let mut empty = part.clone();
        empty[word] = "".into();
        inner.push(
            json!({"type": "response.content_part.added", "content_index": at, "part": empty}),
        );
        inner.push(
            json!({"type": format!("{name}.delta"), "content_index": at, "delta": part[word],
            "logprobs": part["logprobs"]}),
        );
        for (number, annotation) in list(&part["annotations"]).iter().enumerate() {
            inner.push(
                json!({"type": "response.output_text.annotation.added", "content_index": at,
                "annotation_index": number, "annotation": annotation}),
            );
        }
        inner.push(json!({"type": format!("{name}.done"), "content_index": at, word: part[word]}));
        inner
            .push(json!({"type": "response.content_part.done", "content_index": at, "part": part}));
    }
    for (at, part) in list(&item["summary"]).iter().enumerate() {
        let place = json!({"type": "summary_text", "text": ""});
        inner.push(json!({"type": "response.reasoning_summary_part.added", "summary_index": at, "part": place}));
        for (end, word) in [("delta", "delta"), ("done", "text")] {
            inner.push(json!({"type": format!("response.reasoning_summary_text.{end}"), "summary_index": at,
                word: part["text"]}));
        }
        inner.push(json!({"type": "response.reasoning_summary_part.done", "summary_index": at, "part": part}));
    }
    for (kind, word, name) in [
        (
            "function_call",
            "arguments",
            "response.function_call_arguments",
        ),
        (
            "custom_tool_call",
            "input",
            "response.custom_tool_call_input",
        ),
    ] {
        if item["type"] == kind {
            begun[word] = "".into();
            inner.push(json!({"type": format!("{name}.delta"), "delta": item[word]}));
            inner.push(json!({"type": format!("{name}.done"), word: item[word]}));
        }
    }
    let mut events = vec![json!({"type": "response.output_item.added", "item": begun})];
    events.append(&mut inner);
    events.push(json!({"type": "response.output_item.done", "item": item}));
    events
}
