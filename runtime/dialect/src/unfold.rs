//! A whole answer as the stream that says the same: some vendors answer at once where they were asked for events, and the
//! clients' streaming parsers read nothing of that. What no event has a place for goes with the object it stands in; the
//! vendor's ids stay, so that an answer can be named later. The way back is [`Aggregator`](crate::Aggregator).

mod chat;
mod messages;
mod responses;

use serde_json::{Map, Value};

use crate::Operation;

pub(crate) use responses::events as response_events;

type Object = Map<String, Value>;

/// The stream of a whole answer; none where it is no answer to `operation`, or one that is never streamed. `usage`: whether
/// a Chat client asked for a chunk of usage.
#[must_use]
pub fn unfold(operation: Operation, body: &[u8], usage: bool) -> Option<Vec<u8>> {
    let Ok(Value::Object(answer)) = serde_json::from_slice(crate::json::unmarked(body)) else {
        return None;
    };
    let mut out = Vec::with_capacity(2 * body.len());
    match operation {
        Operation::ChatCompletions => {
            for chunk in chat::chunks(answer, usage)? {
                put(&mut out, None, &chunk);
            }
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
        Operation::Messages => named(&mut out, messages::events(answer)?),
        Operation::Responses => named(&mut out, responses::events(answer)?),
        _ => return None,
    }
    Some(out)
}

fn named(out: &mut Vec<u8>, events: Vec<Value>) {
    for event in events {
        let name = event.get("type").and_then(Value::as_str);
        put(out, name, &event);
    }
}

fn put(out: &mut Vec<u8>, name: Option<&str>, data: &Value) {
    if let Some(name) = name {
        out.extend_from_slice(format!("event: {name}\n").as_bytes());
    }
    out.extend_from_slice(format!("data: {data}\n\n").as_bytes());
}

/// Takes a text out, and leaves an empty one.
fn begun_text(object: &mut Object, member: &str) -> Option<Value> {
    let said = object.get_mut(member).filter(|value| value.is_string())?;
    Some(std::mem::replace(said, "".into()))
}

/// Takes a member out, and leaves what an event has there that begins.
fn begun(object: &mut Object, member: &str, with: Value) -> Option<Value> {
    object
        .get_mut(member)
        .map(|value| std::mem::replace(value, with))
}

#[cfg(test)]
mod tests;
