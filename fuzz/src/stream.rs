//! What more than one check asks of a stream of events.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::framing::{self, Splitter};

/// An event: its name and its data.
pub(crate) type Event = (Option<Vec<u8>>, Vec<u8>);

/// The events that have data, and the bytes behind the last blank line.
pub(crate) fn events(stream: &[u8]) -> (Vec<Event>, Vec<u8>) {
    let mut splitter = Splitter::default();
    let mut events = Vec::new();
    let taken = splitter.push(stream, |event| {
        events.extend(framing::read(event).map(owned));
        Ok::<_, ()>(())
    });
    assert_eq!(taken, Ok(()));
    (events, splitter.rest())
}

pub(crate) fn owned(event: framing::Event<'_>) -> Event {
    (event.name.map(<[u8]>::to_vec), event.data.into_owned())
}

/// Whether this is one JSON value, of whatever depth and with numbers of whatever size.
pub(crate) fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(text).is_ok()
}

/// Whether a tree can be made of every event: where half a surrogate pair, or a number that no float holds, passes as the
/// JSON text that it is, the grammars cannot look.
pub(crate) fn is_legible(stream: &[u8]) -> bool {
    events(stream).0.iter().all(|(_, data)| {
        let json = is_json(data);
        assert!(json || data == b"[DONE]", "no JSON: {}", shown(data));
        !json || serde_json::from_slice::<serde_json::Value>(data).is_ok()
    })
}

/// Whether an object of some event has a name twice. JSON does not say which one counts, no vendor does it, and what is done
/// with the one that does not count is nobody's concern.
pub(crate) fn says_twice(stream: &[u8]) -> bool {
    let events = events(stream).0;
    events.iter().any(|(_, data)| {
        let data = legible(data);
        serde_json::from_slice::<Once>(&data).is_err_and(|error| error.to_string().contains(TWICE))
    })
}

/// JSON with the same names of which a tree can be made: numbers are 0, and half a surrogate pair is another letter.
fn legible(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let mut quoted = false;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'\\' if quoted => {
                out.push(b'\\');
                let escape = json.get(at).copied();
                out.extend(escape);
                at += 1;
                if escape == Some(b'u') && matches!(json.get(at), Some(b'd' | b'D')) {
                    out.push(b'e');
                    at += 1;
                }
            }
            b'"' => {
                quoted = !quoted;
                out.push(b'"');
            }
            b'0'..=b'9' | b'-' if !quoted => {
                let more = json[at..].iter();
                at += more
                    .take_while(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
                    .count();
                out.push(b'0');
            }
            _ => out.push(*byte),
        }
    }
    out
}

const TWICE: &str = "there twice";

/// A value in which no name is twice.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom(TWICE));
            }
            members.next_value::<Self>()?;
        }
        Ok(self)
    }
}

/// Bytes for a message, cut where they are many.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(4_000)]).into_owned()
}
