//! Surrogate pairs that a vendor cut in two: put together again, so that every event is text by itself.

use std::borrow::Cow;

use super::escaped::Escaped;

/// What stands for half a character whose other half never came.
const LOST: &[u8] = b"\\ufffd";

/// Mends the pieces of one text.
#[derive(Debug, Default)]
pub(crate) struct Mender {
    /// The first half that the last piece ended with, as an escape.
    half: Option<[u8; 6]>,
}

impl Mender {
    /// The piece, with what the one before it lacked; `room` is where it is put together if it has to be. Most pieces
    /// are whole and are given back as they are.
    pub(crate) fn mend<'a>(&mut self, piece: Escaped<'a>, room: &'a mut Vec<u8>) -> Escaped<'a> {
        if self.half.is_none() && !has_half(piece.bytes()) {
            return piece;
        }
        room.clear();
        let mut rest = piece.bytes();
        while let Some(unit) = next(&mut rest) {
            match (half(unit), self.half.take()) {
                (Some(Half::Second(second)), Some(first)) => {
                    room.extend_from_slice(&first);
                    room.extend_from_slice(&second);
                }
                (Some(Half::Second(_)), None) => room.extend_from_slice(LOST),
                (found, before) => {
                    if before.is_some() {
                        room.extend_from_slice(LOST);
                    }
                    match found {
                        Some(Half::First(first)) => self.half = Some(first),
                        _ => room.extend_from_slice(unit),
                    }
                }
            }
        }
        Escaped::trusted(room)
    }

    /// What is left to say when the text is whole.
    pub(crate) fn finish(&mut self) -> Option<Escaped<'static>> {
        self.half.take().map(|_| Escaped::trusted(LOST))
    }
}

/// A text that is whole, without lost halves.
pub(crate) fn mended<'a>(text: Escaped<'a>, room: &'a mut Vec<u8>) -> Escaped<'a> {
    if !has_half(text.bytes()) {
        return text;
    }
    let mut mender = Mender::default();
    mender.mend(text, room);
    if let Some(lost) = mender.finish() {
        room.extend_from_slice(lost.bytes());
    }
    Escaped::trusted(room)
}

/// A JSON text whose strings are text: a client that cuts its history in the middle of a character could never go on.
pub(crate) fn mended_json(json: &str) -> Cow<'_, str> {
    // Nearly all have none, and to look at each escape of a long conversation took longer than to bridge it.
    let may_have = ["\\ud", "\\uD"]
        .iter()
        .any(|start| memchr::memmem::find(json.as_bytes(), start.as_bytes()).is_some());
    if !may_have || !has_half(json.as_bytes()) {
        return Cow::Borrowed(json);
    }
    let mut room = Vec::new();
    mended(Escaped::trusted(json.as_bytes()), &mut room);
    String::from_utf8(room).map_or(Cow::Borrowed(json), Cow::Owned)
}

enum Half {
    First([u8; 6]),
    Second([u8; 6]),
}

fn half(unit: &[u8]) -> Option<Half> {
    let unit = <[u8; 6]>::try_from(unit).ok()?;
    match unit {
        [
            b'\\',
            b'u',
            b'd' | b'D',
            b'8' | b'9' | b'a' | b'b' | b'A' | b'B',
            ..,
        ] => Some(Half::First(unit)),
        [b'\\', b'u', b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..] => Some(Half::Second(unit)),
        _ => None,
    }
}

/// Cuts off one escape, or what stands before the next one.
fn next<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = match rest {
        [] => return None,
        [b'\\', b'u', ..] => 6,
        [b'\\', ..] => 2,
        _ => memchr::memchr(b'\\', rest).unwrap_or(rest.len()),
    };
    let (unit, after) = rest.split_at(length.min(rest.len()));
    *rest = after;
    Some(unit)
}

/// Whether there is an escape of half a character.
fn has_half(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        rest = &rest[at..];
        if next(&mut rest).is_some_and(|unit| half(unit).is_some()) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(pieces: &[&str]) -> String {
        let mut mender = Mender::default();
        let mut json = vec![b'"'];
        for piece in pieces {
            let mut room = Vec::new();
            let piece = mender.mend(Escaped::trusted(piece.as_bytes()), &mut room);
            let alone = [b"\"", piece.bytes(), b"\""].concat();
            serde_json::from_slice::<String>(&alone).expect("each piece is text by itself");
            json.extend_from_slice(piece.bytes());
        }
        json.extend(mender.finish().iter().flat_map(|lost| lost.bytes()));
        json.push(b'"');
        serde_json::from_slice(&json).unwrap()
    }

    #[test]
    fn halves_find_each_other_over_a_cut_and_lost_ones_are_marked() {
        assert_eq!(joined(&[r"a\ud834", r"\udd1eb"]), "a𝄞b");
        assert_eq!(joined(&[r"a\ud834\udd1eb"]), "a𝄞b");
        assert_eq!(joined(&[r"\ud834", "", r"\udd1e"]), "𝄞");
        assert_eq!(joined(&[r"\ud834", "x"]), "\u{fffd}x");
        assert_eq!(
            joined(&[r"\udd1e", r"\ud834\ud834", r"\n"]),
            "\u{fffd}\u{fffd}\u{fffd}\n"
        );
        assert_eq!(
            joined(&[r"\\ud834"]),
            r"\ud834",
            "an escaped backslash begins no half"
        );
        assert_eq!(joined(&[r"end \ud834"]), "end \u{fffd}");
    }

    proptest! {
        #[test]
        fn any_pieces_are_text(pieces in proptest::collection::vec(
            r#"([aä]|\\\\|\\n|\\u00e4|\\ud834|\\uDD1E){0,4}"#, 0..5,
        )) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let whole = pieces.concat();
            // What the house's own lossy reader makes of the whole.
            let expected = Escaped::trusted(whole.as_bytes()).text();
            prop_assert_eq!(joined(&pieces), expected);
        }
    }
}
