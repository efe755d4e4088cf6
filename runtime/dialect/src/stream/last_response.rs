//! The response object at the end of a Responses stream.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::sse::{self, Splitter};

/// Reads a Responses stream, in any chunking, for the response object that its last event carries.
#[derive(Debug)]
pub struct LastResponse {
    splitter: Splitter,
    limit: usize,
    found: Option<String>,
    given_up: bool,
}

#[derive(Deserialize)]
struct Last<'a> {
    #[serde(borrow)]
    response: Option<&'a RawValue>,
}

impl LastResponse {
    /// Holds at most `limit` bytes; a stream with a larger event has no last response.
    pub fn new(limit: usize) -> Self {
        Self {
            splitter: Splitter::default(),
            limit,
            found: None,
            given_up: false,
        }
    }

    /// Takes bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.given_up {
            return;
        }
        let found = &mut self.found;
        // Nothing here fails.
        let _ = self.splitter.push(bytes, |event| {
            if let Some(event) = sse::read(event)
                && matches!(
                    event.name,
                    Some(b"response.completed" | b"response.incomplete")
                )
                && let Ok(last) = serde_json::from_slice::<Last<'_>>(&event.data)
            {
                *found = last.response.map(|response| response.get().to_owned());
            }
            Ok::<(), ()>(())
        });
        if self.splitter.held() > self.limit {
            self.given_up = true;
            self.splitter = Splitter::default();
        }
    }

    /// Whether it gave up at an event that was larger than the limit.
    pub fn is_too_long(&self) -> bool {
        self.given_up
    }

    /// The object, once its event has been seen.
    pub fn take(&mut self) -> Option<String> {
        self.found.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"a\"}}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"a\",\"output\":[ 1 ]}}\n\n";

    #[test]
    fn the_last_response_is_found_in_any_chunking() {
        for size in 1..STREAM.len() {
            let mut last = LastResponse::new(1 << 20);
            for chunk in STREAM.as_bytes().chunks(size) {
                last.push(chunk);
            }
            assert_eq!(last.take().unwrap(), r#"{"id":"a","output":[ 1 ]}"#);
        }
    }

    #[test]
    fn a_failed_or_cut_stream_has_none_and_a_huge_event_is_not_held() {
        let mut last = LastResponse::new(1 << 20);
        last.push(&STREAM.as_bytes()[..STREAM.len() - 1]);
        assert_eq!(last.take(), None);
        let mut last = LastResponse::new(40);
        for chunk in STREAM.as_bytes().chunks(10) {
            last.push(chunk);
        }
        assert_eq!(last.take(), None);
    }
}
