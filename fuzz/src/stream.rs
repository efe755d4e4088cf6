//! What more than one check asks of a stream of events.

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

/// Bytes for a message, cut where they are many.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(4_000)]).into_owned()
}
