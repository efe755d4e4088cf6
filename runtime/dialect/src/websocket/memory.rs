//! What a connection remembers of its conversations, so that a request may bring only what is new.
//!
//! Of each stream the last response: what went in and what came out, as the items' own bytes. A request made whole is
//! byte for byte the beginning of the one before it and so hits the vendor's prompt cache.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Create, Fault};
use crate::json::walk::{Raw, Shape};
use crate::{Document, Edit, Invalid};

/// The conversations of one connection.
#[derive(Debug)]
pub struct Memory {
    /// Oldest first.
    kept: Vec<Kept>,
    most: usize,
}

#[derive(Debug)]
struct Kept {
    id: String,
    lane: Option<String>,
    /// Elements of `input`, separated by commas.
    items: Vec<u8>,
}

/// A response under way.
#[derive(Debug)]
pub struct Turn {
    lane: Option<String>,
    previous: Option<String>,
    /// Everything the next response goes on from, as far as it is known: input, then output.
    items: Vec<u8>,
    /// Items of the output have come.
    answered: bool,
    stored: bool,
    most: usize,
    /// It cannot be remembered: it is too long, or what came before it is kept elsewhere.
    incomplete: bool,
}

impl Memory {
    /// Remembers up to so many bytes, all streams together.
    pub fn new(most: usize) -> Self {
        Self {
            kept: Vec::new(),
            most,
        }
    }

    /// Makes a request whole: the body to send, and its place in the conversation.
    ///
    /// A response that is not remembered may be kept elsewhere, where clients let responses be stored: then it stays
    /// named, and whoever serves the request looks for it.
    ///
    /// # Errors
    /// It goes on from a response that is not remembered, and nothing of this conversation is to be stored.
    pub fn begin(&self, create: Create) -> Result<(Bytes, Turn), Fault> {
        let lane = create.lane().map(str::to_owned);
        let mut document = create.document;
        let remembered = create.previous.as_deref().map(|id| (id, self.find(id)));
        let (before, elsewhere) = match remembered {
            None => (None, None),
            Some((_, Some(kept))) => (Some(&*kept.items), None),
            Some((id, None)) if create.stored => (None, Some(id)),
            Some((id, None)) => return Err(Fault::not_found(id).on(lane.as_deref())),
        };
        let items = join(&mut document, before)
            .and_then(|items| {
                if let Some(id) = elsewhere {
                    document.apply(&Edit::Set {
                        pointer: "/previous_response_id".to_owned(),
                        value: Value::from(id).to_string(),
                    })?;
                }
                Ok(items)
            })
            .map_err(|invalid| Fault::from(invalid).on(lane.as_deref()))?;
        let turn = Turn {
            lane,
            incomplete: elsewhere.is_some() || items.len() > self.most,
            previous: create.previous,
            items,
            answered: false,
            stored: create.stored,
            most: self.most,
        };
        Ok((document.to_bytes(), turn))
    }

    /// A response has ended with this id, which the next request may name.
    pub fn keep(&mut self, turn: Turn, id: String) {
        // Of each stream one: what came before it is in it.
        self.kept
            .retain(|kept| kept.lane != turn.lane && kept.id != id);
        if turn.incomplete {
            return;
        }
        self.kept.push(Kept {
            id,
            lane: turn.lane,
            items: turn.items,
        });
        while self.size() > self.most {
            self.kept.remove(0);
        }
    }

    /// A response has failed. What it went on from is forgotten, as the protocol has it: the client sends the whole.
    /// Where that belongs to another stream, that one goes on.
    pub fn fail(&mut self, turn: &Turn) {
        if let Some(previous) = &turn.previous {
            self.kept
                .retain(|kept| kept.id != *previous || kept.lane != turn.lane);
        }
    }

    fn find(&self, id: &str) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.id == id)
    }

    pub(super) fn size(&self) -> usize {
        self.kept.iter().map(|kept| kept.items.len()).sum()
    }
}

impl Turn {
    /// The stream it belongs to.
    pub fn lane(&self) -> Option<&str> {
        self.lane.as_deref()
    }

    /// The response it goes on from.
    pub(super) fn previous(&self) -> Option<&str> {
        self.previous.as_deref()
    }

    /// Takes an item of the answer.
    pub(super) fn answer(&mut self, item: &RawValue) {
        self.answered = true;
        let item = item.get();
        if self.incomplete || (!self.stored && is_lost(item)) {
            return;
        }
        push(&mut self.items, item.as_bytes());
        if self.items.len() > self.most {
            self.incomplete = true;
            self.items = Vec::new();
        }
    }

    /// Whether items of the answer have come.
    pub(super) fn is_answered(&self) -> bool {
        self.answered
    }
}

/// Whether an item cannot be sent back: reasoning that a vendor neither keeps nor has sealed. It is refused there.
fn is_lost(item: &str) -> bool {
    #[derive(Deserialize)]
    struct Item<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<&'a RawValue>,
        #[serde(borrow)]
        encrypted_content: Option<&'a RawValue>,
    }
    let Ok(item) = serde_json::from_str::<Item<'_>>(item) else {
        return false;
    };
    let is = |value: Option<&RawValue>, text: &str| value.is_some_and(|value| value.get() == text);
    is(item.kind, "\"reasoning\"")
        && (item.encrypted_content.is_none() || is(item.encrypted_content, "\"\""))
}

/// Adds an item to items.
pub(super) fn push(items: &mut Vec<u8>, item: &[u8]) {
    if !items.is_empty() {
        items.push(b',');
    }
    items.extend_from_slice(item);
}

/// What an input that is a string stands for; `text` is in its quotes.
pub(super) fn as_item(text: &[u8]) -> Vec<u8> {
    [br#"{"type":"message","role":"user","content":"#, text, b"}"].concat()
}

/// Puts what was before in front of the input, and gives all of it as elements.
fn join(document: &mut Document, before: Option<&[u8]>) -> Result<Vec<u8>, Invalid> {
    let input = document.get("input").map(Raw::new);
    let new = match input.map(|input| (input.shape(), input.bytes)) {
        None | Some((Shape::Null, _)) => Vec::new(),
        Some((Shape::Array, bytes)) => bytes[1..bytes.len() - 1].trim_ascii().to_vec(),
        Some((Shape::String, bytes)) => as_item(bytes),
        // The pipeline says what is wrong with it.
        Some(_) => return Ok(Vec::new()),
    };
    let Some(before) = before else {
        return Ok(new);
    };
    let comma: &[u8] = match before.is_empty() || new.is_empty() {
        true => b"",
        false => b",",
    };
    let items = [before, comma, &new].concat();
    let mut value = String::with_capacity(items.len() + 2);
    value.push('[');
    value.push_str(&String::from_utf8_lossy(&items));
    value.push(']');
    document.apply(&Edit::Set {
        pointer: "/input".to_owned(),
        value,
    })?;
    Ok(items)
}
