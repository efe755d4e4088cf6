//! The text in the deltas of a stream, measured without reading what surrounds it again and again.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::json::scan::whitespace;
use crate::json::walk::skip_string;

static DELTA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(NAME));

const NAME: &[u8] = b"\"delta\"";

/// A delta's value and the text in it.
pub(super) struct Delta {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Bytes.
    pub(super) text: u64,
}

/// Measures the delta that begins at `start`.
fn delta_text(data: &[u8], start: usize) -> Option<Delta> {
    let mut at = start;
    let mut depth = 0usize;
    let mut text = 0;
    let mut counts = true;
    loop {
        match data.get(at)? {
            b'"' => {
                let end = skip_string(data, at)?;
                let inner = &data[at + 1..end - 1];
                at = whitespace(data, end);
                if depth > 0 && data.get(at) == Some(&b':') {
                    counts = !matches!(
                        inner,
                        b"role"
                            | b"type"
                            | b"id"
                            | b"name"
                            | b"signature"
                            | b"index"
                            | b"encrypted_content"
                    );
                    at += 1;
                } else if counts {
                    text += inner.len() as u64;
                }
                if depth == 0 {
                    return Some(Delta { start, end, text });
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(Delta {
                        start,
                        end: at + 1,
                        text,
                    });
                }
            }
            b',' if depth == 0 => return None,
            _ => {}
        }
        at += 1;
    }
}

/// Position of the value behind a name that ends at `at`.
pub(super) fn value_at(data: &[u8], at: usize) -> usize {
    let colon = whitespace(data, at);
    if data.get(colon) == Some(&b':') {
        whitespace(data, colon + 1)
    } else {
        data.len()
    }
}

/// What surrounds the deltas of one stream: nearly always the same bytes, at least up to the delta.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// Where the last delta's name was.
    name_at: usize,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Envelope {
    /// Finds an event's delta.
    pub(super) fn delta(&mut self, data: &[u8]) -> Option<Delta> {
        if !data
            .get(self.name_at..)
            .is_some_and(|rest| rest.starts_with(NAME))
        {
            self.name_at = DELTA.find(data)?;
        }
        delta_text(data, value_at(data, self.name_at + NAME.len()))
    }

    /// The bytes of text in an event with the very envelope remembered.
    pub(super) fn text_within(&self, data: &[u8]) -> Option<u64> {
        if self.before.is_empty() || !data.starts_with(&self.before) {
            return None;
        }
        let delta = delta_text(data, self.before.len())?;
        (data[delta.end..] == self.after).then_some(delta.text)
    }

    /// Remembers an event that had nothing to say but its delta.
    pub(super) fn remember(&mut self, data: &[u8], delta: &Delta) {
        self.before.clear();
        self.after.clear();
        // An event with a huge envelope is not worth remembering.
        if data.len() < 4_096 {
            self.before.extend_from_slice(&data[..delta.start]);
            self.after.extend_from_slice(&data[delta.end..]);
        }
    }
}
