//! What surrounds the deltas of a Chat stream: nearly always the same bytes, which need not be read each time.

use crate::json::scan::is_value;
use crate::json::walk::{Raw, skip};

/// The surroundings of a delta that had nothing beside it. A chunk with the same ones has nothing beside its delta
/// either, and is JSON if the delta is.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    before: Vec<u8>,
    /// Up to the padding, where a vendor pads its chunks.
    after: Vec<u8>,
    padded: bool,
}

/// What stands before a vendor's padding.
const PADDING: &[u8] = b"\"obfuscation\":\"";

/// A chunk with more around its delta is read as a whole.
const LARGEST: usize = 4_096;

impl Envelope {
    /// The delta of a chunk with these surroundings.
    pub(super) fn delta<'a>(&self, data: &'a [u8]) -> Option<Raw<'a>> {
        if self.before.is_empty() || !data.starts_with(&self.before) {
            return None;
        }
        let start = self.before.len();
        let end = skip(data, start)?;
        let rest = data[end..].strip_prefix(self.after.as_slice())?;
        let known = if self.padded {
            matches!(rest, [padding @ .., b'"', b'}'] if padding.iter().all(u8::is_ascii_alphanumeric))
        } else {
            rest.is_empty()
        };
        (known && is_value(&data[start..end])).then(|| Raw::new(&data[start..end]))
    }

    /// Remembers what surrounds a delta, known to be valid.
    pub(super) fn remember(&mut self, data: &[u8], delta: Raw<'_>) {
        let end = delta.at + delta.bytes.len();
        self.before.clear();
        self.after.clear();
        if data.len() - delta.bytes.len() > LARGEST {
            return;
        }
        let rest = &data[end..];
        let padding = memchr::memmem::find(rest, PADDING).map(|at| at + PADDING.len());
        self.padded = padding.is_some();
        self.before.extend_from_slice(&data[..delta.at]);
        self.after
            .extend_from_slice(&rest[..padding.unwrap_or(rest.len())]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_surroundings_have_nothing_beside_the_delta() {
        let chunk = |delta: &str, finish: &str, tail: &str| {
            format!(r#"{{"choices":[{{"delta":{delta},"finish_reason":{finish}}}]{tail}}}"#)
        };
        for (tail, other, strange) in [
            ("", "", r#","usage":{"prompt_tokens":1}"#),
            (
                r#","obfuscation":"ab""#,
                r#","obfuscation":"x9z""#,
                r#","obfuscation":"a","usage":{"prompt_tokens":1},"b":"c""#,
            ),
        ] {
            let mut envelope = Envelope::default();
            let first = chunk(r#"{"content":"a"}"#, "null", tail);
            assert!(envelope.delta(first.as_bytes()).is_none());
            let delta = Raw::new(first.as_bytes()).at_pointer("/choices/0/delta");
            envelope.remember(first.as_bytes(), delta.unwrap());
            let text = |data: &str| {
                let delta = envelope.delta(data.as_bytes())?;
                Some(delta.get("content")?.text()?.into_owned())
            };
            let next = chunk(r#"{"content":"b\"}"}"#, "null", other);
            assert_eq!(text(&next).as_deref(), Some("b\"}"));
            for different in [
                chunk(r#"{"content":"b"}"#, "\"stop\"", other),
                chunk(r#"{"content":"b"}"#, "null", strange),
                chunk(r#"{"content":"\x"}"#, "null", other),
                chunk(r#"{"content":"b"}"#, "null", other) + "}",
                chunk(r#"{"content":"b""#, "null", other),
            ] {
                assert_eq!(text(&different), None, "{different}");
            }
        }
    }
}
