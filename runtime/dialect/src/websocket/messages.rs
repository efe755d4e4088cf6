//! An answer as messages: one for each event, and exactly one that ends it.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Turn, addressed, fault};
use crate::sse::{self, Splitter};
use crate::unfold::response_events;

/// An event longer than this is not passed on; the answer ends there. Bytes.
const LONGEST_EVENT: usize = 64 << 20;

/// Makes messages of an event stream, in any chunking.
#[derive(Debug, Default)]
pub struct Messages {
    splitter: Splitter,
    ended: bool,
    id: Option<String>,
}

/// As much of an event as matters here.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) response: Option<&'a RawValue>,
}

/// As much of a response as matters here.
#[derive(Deserialize)]
pub(super) struct Response<'a> {
    pub(super) id: Option<String>,
    #[serde(borrow)]
    pub(super) output: Option<Vec<&'a RawValue>>,
}

impl Messages {
    /// Takes a chunk of the stream; appends the messages to send.
    pub fn push(&mut self, chunk: &[u8], turn: &mut Turn, out: &mut Vec<Bytes>) {
        let mut splitter = std::mem::take(&mut self.splitter);
        let pushed: Result<(), std::convert::Infallible> = splitter.push(chunk, |event| {
            self.event(event, turn, out);
            Ok(())
        });
        let Ok(()) = pushed;
        if splitter.held() > LONGEST_EVENT {
            splitter.rest();
            self.give_up("an event of the answer is too long", turn, out);
        }
        self.splitter = splitter;
    }

    /// The stream has ended. An answer that does not say so itself is ended with an error.
    pub fn finish(&mut self, turn: &mut Turn, out: &mut Vec<Bytes>) {
        let rest = self.splitter.rest();
        self.event(&rest, turn, out);
        self.give_up("the upstream ended its answer too early", turn, out);
    }

    /// Takes a whole response, from an upstream that does not stream, as the events that it stands for.
    pub fn whole(&mut self, body: &[u8], turn: &mut Turn, out: &mut Vec<Bytes>) {
        let events = match serde_json::from_slice(body) {
            Ok(Value::Object(response)) => response_events(response),
            _ => None,
        };
        let Some(events) = events else {
            return self.give_up("the upstream's answer cannot be read", turn, out);
        };
        for event in events {
            self.message(event.to_string().as_bytes(), turn, out);
        }
    }

    /// Whether the message that ends the answer has been made.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// The id of the response, if it ended so that another one can go on from it.
    pub fn id(self) -> Option<String> {
        self.id
    }

    fn event(&mut self, event: &[u8], turn: &mut Turn, out: &mut Vec<Bytes>) {
        if let Some(event) = sse::read(event) {
            self.message(&event.data, turn, out);
        }
    }

    fn message(&mut self, data: &[u8], turn: &mut Turn, out: &mut Vec<Bytes>) {
        // A message that is not UTF-8 would end the connection.
        let data = String::from_utf8_lossy(data);
        let data = data.as_bytes();
        // What is not an event (`[DONE]`), and what comes behind the end: a client counts one end for each response.
        // Serde takes an object from an array, too, and that has no place for the name of its stream.
        let object = data.trim_ascii_start().starts_with(b"{");
        let Some(Ok(event)) = object.then(|| serde_json::from_slice::<Event<'_>>(data)) else {
            return;
        };
        if self.ended {
            return;
        }
        match &*event.kind {
            "response.output_item.done" => {
                if let Some(item) = event.item {
                    turn.answer(item);
                }
            }
            "response.completed" | "response.incomplete" => {
                self.ended = true;
                self.complete(event.response, turn);
            }
            "response.failed" => self.ended = true,
            "error" => {
                self.ended = true;
                out.push(fault::in_stream(data, turn.lane()));
                return;
            }
            _ => {}
        }
        out.push(addressed(data, turn.lane()).into());
    }

    fn complete(&mut self, response: Option<&RawValue>, turn: &mut Turn) {
        let response =
            response.and_then(|raw| serde_json::from_str::<Response<'_>>(raw.get()).ok());
        let Some(response) = response else { return };
        if !turn.is_answered() {
            for item in response.output.into_iter().flatten() {
                turn.answer(item);
            }
        }
        self.id = response.id.filter(|id| !id.is_empty());
    }

    fn give_up(&mut self, why: &str, turn: &Turn, out: &mut Vec<Bytes>) {
        if !std::mem::replace(&mut self.ended, true) {
            let error = json!({
                "error": { "type": "server_error", "code": "upstream_error", "message": why, "param": null },
            });
            out.push(fault::in_stream(error.to_string().as_bytes(), turn.lane()));
        }
    }
}

/// The answer to a warm-up: a response without output, which the next request may go on from.
pub fn warm_up(turn: &Turn, id: &str, model: &str, unix_seconds: u64) -> Vec<Bytes> {
    let response = |status: &str, usage: Value| {
        json!({
            "id": id, "object": "response", "created_at": unix_seconds, "status": status, "background": false,
            "error": null, "incomplete_details": null, "instructions": null, "max_output_tokens": null,
            "metadata": {}, "model": model, "output": [], "parallel_tool_calls": true,
            "previous_response_id": turn.previous(), "reasoning": { "effort": null, "summary": null },
            "store": false, "temperature": 1.0, "text": { "format": { "type": "text" } }, "tool_choice": "auto",
            "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": usage, "user": null,
        })
    };
    let usage = json!({
        "input_tokens": 0, "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": 0, "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": 0,
    });
    let events = [
        ("response.created", response("in_progress", Value::Null)),
        ("response.in_progress", response("in_progress", Value::Null)),
        ("response.completed", response("completed", usage)),
    ];
    let numbered = events
        .into_iter()
        .enumerate()
        .map(|(number, (kind, response))| {
            let event = json!({ "type": kind, "sequence_number": number, "response": response });
            addressed(event.to_string().as_bytes(), turn.lane()).into()
        });
    numbered.collect()
}
