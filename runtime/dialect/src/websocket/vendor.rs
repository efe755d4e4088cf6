//! The vendor's side: a request as a WebSocket of the vendor's takes it, and its messages as the events that HTTP has.
//!
//! A connection remembers the last response. Whoever goes on from it sends only what is new: that is known by comparing
//! bytes, for the gateway has each request whole, after policies and edits. What is not the same to the byte goes whole.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::fault;
use super::memory::{as_item, push};
use super::messages::{Event, Response};
use crate::json::walk::{Raw, Shape};
use crate::{Document, Edit, Invalid};

#[cfg(test)]
mod tests;

/// Members that mean nothing over a WebSocket, where answers are always streamed.
const OF_HTTP: [&str; 2] = ["/stream", "/background"];

/// Members that may differ from turn to turn, as they are about one answer alone: clients count their turns there, and a
/// budget that shrinks lowers the cap.
const OF_THE_TURN: [&str; 4] = [
    "/input",
    "/metadata",
    "/client_metadata",
    "/max_output_tokens",
];

/// A response that a connection has ended with, and everything that it stands on: the next may go on from it.
#[derive(Debug)]
pub struct Standing {
    id: String,
    /// The request without what may differ.
    rest: Bytes,
    /// Input, then output, separated by commas.
    items: Vec<u8>,
}

/// A request under way on a vendor's connection.
#[derive(Debug)]
pub struct Asking {
    document: Document,
    rest: Bytes,
    /// Input, then as much of the output as has come. None where nobody can go on from it: it is too long, or what came
    /// before it is kept by the vendor.
    items: Option<Vec<u8>>,
    answered: bool,
    id: Option<String>,
    most: usize,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// An event of the answer.
    Event,
    /// The event that ends the answer.
    Last,
    /// About the vendor's account or the connection; HTTP has no such event, and it stays here.
    Aside,
}

/// A message that is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl Asking {
    /// Reads the body of a request. Up to `most` bytes of its conversation are remembered.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn read(body: Bytes, most: usize) -> Result<Self, Invalid> {
        let mut document = Document::parse(body)?;
        let kept_there = ["previous_response_id", "conversation"]
            .iter()
            .any(|name| document.get(name).is_some_and(|value| value != b"null"));
        let items = match kept_there {
            true => None,
            false => items(&document).filter(|items| items.len() <= most),
        };
        for pointer in OF_HTTP {
            remove(&mut document, pointer)?;
        }
        let mut rest = document.clone();
        for pointer in OF_THE_TURN {
            remove(&mut rest, pointer)?;
        }
        document.apply(&Edit::Set {
            pointer: "/type".to_owned(),
            value: "\"response.create\"".to_owned(),
        })?;
        Ok(Self {
            rest: rest.to_bytes(),
            document,
            items,
            answered: false,
            id: None,
            most,
        })
    }

    /// The message that asks for it, with all that it stands on.
    pub fn whole(&self) -> Bytes {
        self.document.to_bytes()
    }

    /// The message that asks for it with only what is new since `standing`; `None` unless everything else is the same.
    pub fn since(&self, standing: &Standing) -> Option<Bytes> {
        if self.rest != standing.rest {
            return None;
        }
        // Both are lists of JSON values, so what follows at a comma begins with a value.
        let new = self.items.as_ref()?.strip_prefix(&*standing.items)?;
        let new = std::str::from_utf8(new.strip_prefix(b",")?).ok()?;
        let mut document = self.document.clone();
        for (pointer, value) in [
            ("/input", format!("[{new}]")),
            (
                "/previous_response_id",
                Value::from(&*standing.id).to_string(),
            ),
        ] {
            let pointer = pointer.to_owned();
            document.apply(&Edit::Set { pointer, value }).ok()?;
        }
        Some(document.to_bytes())
    }

    /// Takes a message of the vendor's; appends it as an event of a stream where it is one of the answer.
    ///
    /// # Errors
    /// It is no event: the answer cannot be read on.
    pub fn hear(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<Heard, Unreadable> {
        let message = &*in_one_line(message);
        let event: Event<'_> = serde_json::from_slice(message).map_err(|_| Unreadable)?;
        let last = match &*event.kind {
            "response.output_item.done" => {
                if let Some(item) = event.item {
                    self.take(item);
                }
                false
            }
            "response.completed" | "response.incomplete" => {
                self.complete(event.response);
                true
            }
            "response.failed" | "error" => true,
            "keepalive" => false,
            kind if kind.starts_with("response.") => false,
            _ => return Ok(Heard::Aside),
        };
        frame(&event.kind, message, out);
        Ok(match last {
            true => Heard::Last,
            false => Heard::Event,
        })
    }

    /// What the next request may go on from; none if the answer has failed, or is too long to be remembered.
    pub fn ended(self) -> Option<Standing> {
        Some(Standing {
            id: self.id?,
            rest: self.rest,
            items: self.items?,
        })
    }

    fn take(&mut self, item: &RawValue) {
        self.answered = true;
        let Some(items) = &mut self.items else { return };
        push(items, item.get().as_bytes());
        if items.len() > self.most {
            self.items = None;
        }
    }

    fn complete(&mut self, response: Option<&RawValue>) {
        let response =
            response.and_then(|raw| serde_json::from_str::<Response<'_>>(raw.get()).ok());
        let Some(response) = response else { return };
        if !self.answered {
            for item in response.output.into_iter().flatten() {
                self.take(item);
            }
        }
        self.id = response.id.filter(|id| !id.is_empty());
    }
}

/// An error that came instead of an answer, as HTTP would have told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status of HTTP.
    pub status: u16,
    /// Names and values, as far as the message has them.
    pub headers: Vec<(String, String)>,
    /// The error in its envelope.
    pub body: Bytes,
    code: String,
}

impl Refusal {
    /// The error in a message; `None` if it is something else.
    pub fn read(message: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Told<'a> {
            #[serde(borrow, rename = "type")]
            kind: Cow<'a, str>,
            #[serde(default)]
            headers: Map<String, Value>,
        }
        let told: Told<'_> = serde_json::from_slice(message).ok()?;
        if told.kind != "error" {
            return None;
        }
        let (status, error) = fault::told(message);
        let text = |value: Value| match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let headers = told.headers.into_iter();
        Some(Self {
            status,
            headers: headers
                .filter_map(|(name, value)| Some((name, text(value)?)))
                .collect(),
            code: error["code"].as_str().unwrap_or_default().to_owned(),
            body: json!({ "error": error }).to_string().into(),
        })
    }

    /// Whether another connection would not say so: it is too old, or it does not know the response that the gateway
    /// went on from (`continued`).
    pub fn is_the_connections(&self, continued: bool) -> bool {
        match &*self.code {
            "websocket_connection_limit_reached" => true,
            "previous_response_not_found" => continued,
            _ => false,
        }
    }
}

fn remove(document: &mut Document, pointer: &str) -> Result<(), Invalid> {
    document.apply(&Edit::Remove {
        pointer: pointer.to_owned(),
    })
}

/// The elements of the input, without the whitespace between them.
fn items(document: &Document) -> Option<Vec<u8>> {
    let input = Raw::new(document.get("input")?);
    match input.shape() {
        Shape::Array => {
            let mut items = Vec::with_capacity(input.bytes.len());
            for item in input.items() {
                push(&mut items, item.bytes);
            }
            Some(items)
        }
        Shape::String => Some(as_item(input.bytes)),
        _ => None,
    }
}

/// Line ends in JSON stand between values only: there they are as good as spaces.
fn in_one_line(message: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\n', b'\r', message).is_none() {
        return Cow::Borrowed(message);
    }
    let spaced = message.iter().map(|byte| match byte {
        b'\n' | b'\r' => b' ',
        byte => *byte,
    });
    Cow::Owned(spaced.collect())
}

/// Writes a message as an event of a stream.
fn frame(kind: &str, message: &[u8], out: &mut Vec<u8>) {
    out.reserve(message.len() + kind.len() + 16);
    // A name that would not stay in its line is left out: readers go by the data.
    if kind.bytes().all(|byte| byte.is_ascii_graphic()) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(message);
    out.extend_from_slice(b"\n\n");
}
