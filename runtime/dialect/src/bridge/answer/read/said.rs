//! What was said of a text, without the text: enough to tell what a last word on it adds.

use crate::bridge::answer::escaped::Escaped;

/// The length and the fingerprint of a text that came in pieces. However its pieces were escaped, and wherever they
/// were cut, the same text is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    bytes: usize,
    print: u64,
    /// The first half of a surrogate pair, whose other half has not come.
    half: Option<u32>,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            bytes: 0,
            // FNV-1a: nothing here is worth an attack, and most texts are short.
            print: 0xcbf2_9ce4_8422_2325,
            half: None,
        }
    }
}

impl Said {
    pub(super) fn of(text: Escaped<'_>) -> Self {
        let mut said = Self::default();
        said.push(text);
        said
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes == 0 && self.half.is_none()
    }

    pub(super) fn push(&mut self, piece: Escaped<'_>) {
        let mut rest = piece.bytes();
        while !rest.is_empty() {
            rest = self.step(rest, usize::MAX);
        }
    }

    /// What `whole` has beyond what was said; nothing where it says something else from the beginning on.
    pub(super) fn rest<'a>(&self, whole: Escaped<'a>) -> Option<Escaped<'a>> {
        let mut again = Self::default();
        let mut rest = whole.bytes();
        while (again.bytes, again.half) != (self.bytes, self.half) {
            if rest.is_empty() || again.bytes > self.bytes {
                return None;
            }
            rest = again.step(rest, self.bytes - again.bytes);
        }
        (again.print == self.print).then(|| Escaped::trusted(rest))
    }

    /// Takes one escape, or at most so many bytes before the next one, at least one; returns what is behind.
    fn step<'a>(&mut self, text: &'a [u8], most: usize) -> &'a [u8] {
        let (used, character) = match text {
            [b'\\', b'u', digits @ ..] => {
                let digits = &digits[..digits.len().min(4)];
                (2 + digits.len(), hexadecimal(digits))
            }
            [b'\\', escape, ..] => {
                let character = match escape {
                    b'n' => 0x0A,
                    b't' => 0x09,
                    b'r' => 0x0D,
                    b'b' => 0x08,
                    b'f' => 0x0C,
                    other => u32::from(*other),
                };
                (2, character)
            }
            _ if self.half.is_some() => {
                self.lose_half();
                return text;
            }
            _ => {
                let plain = memchr::memchr(b'\\', text).unwrap_or(text.len());
                let (plain, behind) = text.split_at(plain.min(most).max(1).min(text.len()));
                self.take(plain);
                return behind;
            }
        };
        let second = matches!(character, 0xDC00..=0xDFFF);
        let character = match self.half.take_if(|_| second) {
            Some(first) => 0x1_0000 + ((first - 0xD800) << 10) + (character - 0xDC00),
            None => character,
        };
        self.lose_half();
        if let 0xD800..=0xDBFF = character {
            self.half = Some(character);
        } else {
            let character = char::from_u32(character).unwrap_or(char::REPLACEMENT_CHARACTER);
            self.take(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        &text[used..]
    }

    /// Half a character whose other half did not follow is a character that was lost.
    fn lose_half(&mut self) {
        if self.half.take().is_some() {
            self.take("\u{fffd}".as_bytes());
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        for byte in bytes {
            self.print = (self.print ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

fn hexadecimal(digits: &[u8]) -> u32 {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0);
    digits
        .iter()
        .fold(0, |value, byte| value << 4 | digit(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rest(pieces: &[&str], whole: &str) -> Option<String> {
        let mut said = Said::default();
        for piece in pieces {
            said.push(Escaped::trusted(piece.as_bytes()));
        }
        let rest = said.rest(Escaped::trusted(whole.as_bytes()))?;
        Some(String::from_utf8(rest.bytes().to_vec()).unwrap())
    }

    #[test]
    fn the_rest_is_what_was_not_said_however_it_is_escaped() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(rest(&[], r"a\n"), some(r"a\n"));
        assert_eq!(rest(&["a", "b"], "abc"), some("c"));
        assert_eq!(rest(&["abc"], "abc"), some(""));
        assert_eq!(rest(&[r"\u00e4\/"], r"ä/\n"), some(r"\n"));
        assert_eq!(rest(&["ä/"], r"\u00e4\/x"), some("x"));
        assert_eq!(rest(&[r"\ud834", r"\udd1e"], "𝄞x"), some("x"));
        assert_eq!(rest(&["𝄞"], r"\uD834\uDD1Ex"), some("x"));
        assert_eq!(rest(&[r"a\ud834"], r"a\ud834\udd1e"), some(r"\udd1e"));
        for (said, whole) in [("abc", "ab"), ("abc", "abd"), ("b", "abc"), ("ab", "äb")] {
            assert_eq!(rest(&[said], whole), None, "{said} {whole}");
        }
    }

    proptest! {
        #[test]
        fn any_cut_of_a_text_leaves_its_other_half(
            text in proptest::collection::vec(r#"[aä𝄞]|\\\\|\\n|\\u00e4|\\ud834|\\uDD1E"#, 0..8), at in 0usize..9,
        ) {
            let at = at.min(text.len());
            let before: Vec<&str> = text[..at].iter().map(String::as_str).collect();
            let whole = text.concat();
            let left = rest(&before, &whole);
            prop_assert_eq!(left, Some(text[at..].concat()));
        }
    }
}
