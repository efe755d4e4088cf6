//! A whole response as events.

use serde_json::{Value, json};

use super::{Object, begun, begun_text};

/// The events, numbered. None where it is no response.
pub(crate) fn events(response: Object) -> Option<Vec<Value>> {
    let items = response.get("output")?.as_array()?.clone();
    let mut start = response.clone();
    start.insert("status".to_owned(), "in_progress".into());
    start.insert("output".to_owned(), json!([]));
    start.insert("usage".to_owned(), Value::Null);
    let last = match response.get("status").and_then(Value::as_str) {
        Some("failed") => "response.failed",
        Some("incomplete") => "response.incomplete",
        _ => "response.completed",
    };
    let mut events = vec![
        json!({ "type": "response.created", "response": start }),
        json!({ "type": "response.in_progress", "response": start }),
    ];
    for (place, item) in items.into_iter().enumerate() {
        of_item(&mut events, place, item);
    }
    events.push(json!({ "type": last, "response": response }));
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = number.into();
    }
    Some(events)
}

fn of_item(events: &mut Vec<Value>, place: usize, item: Value) {
    let mut start = item.clone();
    let mut inside = Vec::new();
    if let Value::Object(start) = &mut start {
        let id = start.get("id").cloned().unwrap_or_default();
        let event = |kind: &str, more: Value| {
            let mut event = json!({ "type": kind, "item_id": id, "output_index": place });
            if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
                event.extend(more);
            }
            event
        };
        match start.get("type").and_then(Value::as_str) {
            Some("message") => {
                for (index, part) in taken(start, "content").into_iter().enumerate() {
                    of_part(&mut inside, &event, "content", index, part);
                }
            }
            Some("reasoning") => {
                for (index, part) in taken(start, "summary").into_iter().enumerate() {
                    of_part(&mut inside, &event, "summary", index, part);
                }
                for (index, part) in taken(start, "content").into_iter().enumerate() {
                    of_part(&mut inside, &event, "content", index, part);
                }
            }
            Some("function_call") => {
                let text = begun_text(start, "arguments");
                of_text(
                    &mut inside,
                    &event,
                    "function_call_arguments",
                    "arguments",
                    text,
                );
            }
            Some("custom_tool_call") => {
                let text = begun_text(start, "input");
                of_text(&mut inside, &event, "custom_tool_call_input", "input", text);
            }
            _ => {}
        }
        if start.contains_key("status") {
            start.insert("status".to_owned(), "in_progress".into());
        }
    }
    events.push(
        json!({ "type": "response.output_item.added", "output_index": place, "item": start }),
    );
    events.append(&mut inside);
    events
        .push(json!({ "type": "response.output_item.done", "output_index": place, "item": item }));
}

/// The parts of a list, of which the item that begins has none.
fn taken(item: &mut Object, member: &str) -> Vec<Value> {
    match begun(item, member, json!([])) {
        Some(Value::Array(parts)) => parts,
        _ => Vec::new(),
    }
}

/// Text that comes in one piece, and is told to be over.
fn of_text(
    events: &mut Vec<Value>,
    event: &impl Fn(&str, Value) -> Value,
    name: &str,
    member: &str,
    text: Option<Value>,
) {
    let Some(text) = text else { return };
    events.push(event(
        &format!("response.{name}.delta"),
        json!({ "delta": text }),
    ));
    events.push(event(
        &format!("response.{name}.done"),
        json!({ member: text }),
    ));
}

/// A part of a message's content or of reasoning.
fn of_part(
    events: &mut Vec<Value>,
    event: &impl Fn(&str, Value) -> Value,
    list: &str,
    index: usize,
    part: Value,
) {
    let Value::Object(part) = part else { return };
    let at = format!("{list}_index");
    let whole = match list {
        "summary" => "reasoning_summary_part",
        _ => "content_part",
    };
    let (text, member) = match part.get("type").and_then(Value::as_str) {
        Some("output_text") => ("output_text", "text"),
        Some("refusal") => ("refusal", "refusal"),
        Some("summary_text") => ("reasoning_summary_text", "text"),
        Some("reasoning_text") => ("reasoning_text", "text"),
        _ => ("", ""),
    };
    let mut start = part.clone();
    let said = begun_text(&mut start, member);
    let annotations = taken(&mut start, "annotations");
    let odds = begun(&mut start, "logprobs", json!([]));
    events.push(event(
        &format!("response.{whole}.added"),
        json!({ &at: index, "part": start }),
    ));
    if let Some(said) = said {
        let mut delta = json!({ &at: index, "delta": said });
        let mut done = json!({ &at: index, member: said });
        if text == "output_text" {
            // The events of the SDKs always have them.
            let odds = odds.unwrap_or_else(|| json!([]));
            delta["logprobs"] = odds.clone();
            done["logprobs"] = odds;
        }
        events.push(event(&format!("response.{text}.delta"), delta));
        for (number, annotation) in annotations.into_iter().enumerate() {
            let more = json!({ &at: index, "annotation_index": number, "annotation": annotation });
            events.push(event("response.output_text.annotation.added", more));
        }
        events.push(event(&format!("response.{text}.done"), done));
    }
    events.push(event(
        &format!("response.{whole}.done"),
        json!({ &at: index, "part": part }),
    ));
}
