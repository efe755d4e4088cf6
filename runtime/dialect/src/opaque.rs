//! Marks of what only its maker can read: signatures of thinking, encrypted reasoning. They do not say who made them, so a
//! gateway with several vendors remembers it, and of each no more than a number.

use std::sync::LazyLock;

use memchr::memmem::{Finder, find};

static SIGNATURE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"signature\""));
static ENCRYPTED: LazyLock<Finder<'static>> =
    LazyLock::new(|| Finder::new(b"\"encrypted_content\""));
static DATA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"data\""));
static REDACTED: LazyLock<Finder<'static>> =
    LazyLock::new(|| Finder::new(b"\"redacted_thinking\""));

/// Shorter strings are no signature. Bytes.
const SHORTEST: usize = 16;
/// The end of a string tells it from all others: what vendors sign and encrypt looks random. Bytes.
const LOOKED_AT: usize = 64;

/// Whether there is anything of the kind in these bytes of JSON.
pub(crate) fn stands_in(bytes: &[u8]) -> bool {
    [&SIGNATURE, &ENCRYPTED, &REDACTED]
        .iter()
        .any(|name| name.find(bytes).is_some())
}

/// The mark of a string, as it stands in JSON without its quotes; none for one that is too short.
pub(crate) fn mark(text: &[u8]) -> Option<u64> {
    if text.len() < SHORTEST {
        return None;
    }
    let end = &text[text.len().saturating_sub(LOOKED_AT)..];
    // FNV-1a: whoever makes two of one mark up deceives nobody but itself.
    let start = 0xcbf2_9ce4_8422_2325 ^ text.len() as u64;
    Some(end.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    }))
}

/// Appends the marks of all that stands in an answer, or in an event of one.
pub(crate) fn marks(bytes: &[u8], out: &mut Vec<u64>) {
    of_members(&SIGNATURE, bytes, out);
    of_members(&ENCRYPTED, bytes, out);
    if REDACTED.find(bytes).is_some() {
        of_members(&DATA, bytes, out);
    }
}

/// The marks in a whole answer.
#[must_use]
pub fn opaque_marks(answer: &[u8]) -> Vec<u64> {
    let mut out = Vec::new();
    marks(answer, &mut out);
    out
}

/// Whether an event of Messages brings a signature, or thinking that cannot be read.
pub(crate) fn is_brought_by(event: &[u8]) -> bool {
    find(event, b"\"signature_delta\"").is_some() || REDACTED.find(event).is_some()
}

fn of_members(name: &Finder<'_>, bytes: &[u8], out: &mut Vec<u64>) {
    for at in name.find_iter(bytes) {
        let rest = bytes[at + name.needle().len()..].trim_ascii_start();
        let Some(rest) = rest.strip_prefix(b":") else {
            continue;
        };
        let Some(text) = rest.trim_ascii_start().strip_prefix(b"\"") else {
            continue;
        };
        out.extend(inner(text).and_then(mark));
    }
}

/// The string that begins here, without its last quote.
fn inner(text: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &text[at..])?;
        match text[at] {
            b'"' => return text.get(..at),
            _ => at += 2,
        }
        if at > text.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "EqQBCkgIChABGAIiQL2UoU0b1OHYi0";

    #[test]
    fn a_string_has_one_mark_wherever_it_stands_and_another_string_another() {
        let own = mark(SIGNED.as_bytes()).unwrap();
        for answer in [
            format!(r#"{{"type":"thinking","thinking":"hm","signature":"{SIGNED}"}}"#),
            format!(r#"{{"delta": {{"type": "signature_delta", "signature" : "{SIGNED}"}}}}"#),
            format!(r#"{{"type":"reasoning","encrypted_content":"{SIGNED}","summary":[]}}"#),
            format!(r#"{{"type":"redacted_thinking","data":"{SIGNED}"}}"#),
        ] {
            assert!(stands_in(answer.as_bytes()), "{answer}");
            assert_eq!(opaque_marks(answer.as_bytes()), [own], "{answer}");
        }
        assert_ne!(mark(format!("{SIGNED}x").as_bytes()), Some(own));
        let long = "x".repeat(3_000) + SIGNED;
        assert_ne!(mark(long.as_bytes()), Some(own));
    }

    #[test]
    fn what_somebody_says_about_signatures_is_none() {
        let said = r#"{"text":"\"signature\":\"EqQBCkgIChABGAIiQL2UoU0b1OHYi0\"","data":"EqQBCkgIChABGAIiQL2UoU0b1OHYi0","signature":""}"#;
        assert!(opaque_marks(said.as_bytes()).is_empty());
        for broken in [
            "\"signature\"",
            "\"signature\":",
            "\"signature\":\"EqQBCkgIChABGAIiQ",
        ] {
            assert!(opaque_marks(broken.as_bytes()).is_empty(), "{broken}");
        }
    }
}
