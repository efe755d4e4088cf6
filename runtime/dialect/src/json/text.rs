//! JSON strings: from their escaped form and back.

use std::borrow::Cow;

/// The text of a string, given what is between its quotes. Half a surrogate pair and invalid UTF-8 become U+FFFD.
pub(crate) fn unescape(raw: &[u8]) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', raw) else {
        return String::from_utf8_lossy(raw);
    };
    let mut text = String::with_capacity(raw.len());
    text.push_str(&String::from_utf8_lossy(&raw[..first]));
    let mut rest = &raw[first..];
    while let Some((_, escape)) = rest.split_first() {
        let (decoded, used) = one_escape(escape);
        text.push(decoded);
        rest = escape.get(used..).unwrap_or_default();
        let next = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        text.push_str(&String::from_utf8_lossy(&rest[..next]));
        rest = &rest[next..];
    }
    Cow::Owned(text)
}

/// Whether the text between these quotes has no half surrogate pair, so that it is text at all.
pub(crate) fn is_text(raw: &[u8]) -> bool {
    memchr::memchr(b'\\', raw).is_none()
        || serde_json::from_slice::<String>(&quoted_raw(raw)).is_ok()
}

fn quoted_raw(raw: &[u8]) -> Vec<u8> {
    [b"\"", raw, b"\""].concat()
}

/// Decodes what follows a backslash; returns the character and how many bytes it took.
fn one_escape(escape: &[u8]) -> (char, usize) {
    let simple = match escape.first() {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => return unicode_escape(escape),
        Some(&other) if other.is_ascii() => char::from(other),
        _ => char::REPLACEMENT_CHARACTER,
    };
    (simple, 1)
}

fn unicode_escape(escape: &[u8]) -> (char, usize) {
    let unit = |bytes: Option<&[u8]>| {
        let digits = std::str::from_utf8(bytes?).ok()?;
        u32::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(escape.get(1..5)) else {
        return (char::REPLACEMENT_CHARACTER, escape.len());
    };
    if let 0xD800..=0xDBFF = first
        && escape.get(5..7) == Some(b"\\u")
        && let Some(second @ 0xDC00..=0xDFFF) = unit(escape.get(7..11))
    {
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
            11,
        );
    }
    (
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER),
        5,
    )
}

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn quote(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(out, text);
    out.push(b'"');
}

/// Appends `text` escaped, without quotes.
pub(crate) fn escape(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    // Room for some escapes too, so that a long text is not moved half written.
    out.reserve(text.len() + text.len() / 16);
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let at = next_special(bytes, from);
        out.extend_from_slice(&bytes[from..at]);
        let Some(&byte) = bytes.get(at) else { return };
        let short = match byte {
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x8 => b'b',
            0xC => b'f',
            0..0x20 => 0,
            same => same,
        };
        if short == 0 {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
        from = at + 1;
    }
}

/// Where the next byte is that must be escaped, from `at` on; the end if there is none. Eight bytes at a time.
fn next_special(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    while let Some(Ok(eight)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let eight = u64::from_le_bytes(eight);
        let quote = eight ^ (ONES * u64::from(b'"'));
        let backslash = eight ^ (ONES * u64::from(b'\\'));
        // A byte below 32, or one that became zero, borrows into its high bit; only the lowest such bit is sure.
        let found = (eight.wrapping_sub(ONES * 0x20) & !eight)
            | (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash);
        let found = found & HIGHS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    bytes[at..]
        .iter()
        .position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'))
        .map_or(bytes.len(), |further| at + further)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_quoted_reads_back_as_it_was(text in any::<String>()) {
            let mut quoted = Vec::new();
            quote(&mut quoted, &text);
            prop_assert_eq!(&serde_json::from_slice::<String>(&quoted).unwrap(), &text);
            prop_assert_eq!(unescape(&quoted[1..quoted.len() - 1]), text);
        }

        #[test]
        fn quoting_agrees_with_serde_json(text in "[a-zé𝄞\"\\\\\u{0}-\u{20}\u{7f}\u{80}\u{ff}]{0,40}") {
            let mut quoted = Vec::new();
            quote(&mut quoted, &text);
            prop_assert_eq!(quoted, serde_json::to_vec(&text).unwrap());
        }

        #[test]
        fn unescaping_agrees_with_serde_json(raw in r#"([a-zä𝄞 ]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}|\\ud83d\\ude00){0,12}"#) {
            let whole = format!("\"{raw}\"");
            match serde_json::from_str::<String>(&whole) {
                Ok(text) => {
                    prop_assert_eq!(unescape(raw.as_bytes()), text);
                    prop_assert!(is_text(raw.as_bytes()));
                }
                Err(_) => {
                    prop_assert!(unescape(raw.as_bytes()).contains(char::REPLACEMENT_CHARACTER));
                    prop_assert!(!is_text(raw.as_bytes()));
                }
            }
        }

        #[test]
        fn unescaping_survives_any_bytes(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
            unescape(&raw);
        }
    }
}
