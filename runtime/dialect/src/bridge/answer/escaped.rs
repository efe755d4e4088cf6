//! Text as it stands between the quotes of a JSON string: copied from one string into another without being read.

use std::borrow::Cow;

use crate::json::text::{escape, unescape};
use crate::json::walk::Raw;

/// Escaped text out of JSON that has been checked, so that it may be written between two quotes as it is. Pieces of
/// escaped text one after the other are escaped text; even a surrogate pair that was cut in two is mended that way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Escaped<'a>(&'a [u8]);

impl<'a> Escaped<'a> {
    /// What separates two texts that become one.
    pub(crate) const PARAGRAPH: Escaped<'static> = Escaped(b"\\n\\n");

    /// The text of a string; nothing if this is none.
    pub(crate) fn of(value: Raw<'a>) -> Option<Self> {
        value.inner().map(Self)
    }

    /// The text of a string; nothing if it is none or empty.
    pub(crate) fn some(value: Raw<'a>) -> Option<Self> {
        Self::of(value).filter(|text| !text.is_empty())
    }

    /// Bytes that were escaped by this house.
    pub(crate) const fn trusted(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The text itself.
    pub(crate) fn text(self) -> Cow<'a, str> {
        unescape(self.0)
    }

    /// Whether it is the text `word`.
    pub(crate) fn is(self, word: &str) -> bool {
        self.0 == word.as_bytes() || (self.0.contains(&b'\\') && self.text() == word)
    }

    /// How many characters it has: the unit of annotations. A surrogate pair is one.
    pub(crate) fn characters(self) -> u64 {
        let bytes = self.0;
        let mut count = 0;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if byte == b'\\' {
                let unicode = bytes.get(at + 1) == Some(&b'u');
                // The second half of a pair (\uDC00 to \uDFFF) is counted with the first.
                let second = unicode
                    && matches!(bytes.get(at + 2), Some(b'd' | b'D'))
                    && matches!(bytes.get(at + 3), Some(b'c'..=b'f' | b'C'..=b'F'));
                count += u64::from(!second);
                at += if unicode { 6 } else { 2 };
            } else {
                count += u64::from(byte & 0xC0 != 0x80);
                at += 1;
            }
        }
        count
    }
}

/// `text`, escaped.
pub(crate) fn escaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    escape(&mut out, text);
    out
}

/// Appends escaped text as a JSON string, quotes included.
pub(crate) fn string(out: &mut Vec<u8>, text: Escaped<'_>) {
    out.push(b'"');
    out.extend_from_slice(text.0);
    out.push(b'"');
}

/// Appends JSON on one line: events end where a line does. Within strings there are no ends of lines, so nothing is lost.
pub(crate) fn line(out: &mut Vec<u8>, json: &[u8]) {
    let from = out.len();
    out.extend_from_slice(json);
    if memchr::memchr2(b'\n', b'\r', json).is_some() {
        for byte in &mut out[from..] {
            if matches!(*byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
}

/// Appends a number.
pub(crate) fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_as_annotations_count_them() {
        for (text, count) in [
            ("", 0),
            ("abc", 3),
            ("ä€𝄞", 3),
            (r"a\n\\\u00e4", 4),
            (r"\ud834\udd1e!", 2),
        ] {
            assert_eq!(Escaped(text.as_bytes()).characters(), count, "{text}");
        }
    }

    #[test]
    fn numbers_are_written_as_they_are() {
        for value in [0, 7, 10, 4_294_967_296, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(out, value.to_string().into_bytes());
        }
    }
}
