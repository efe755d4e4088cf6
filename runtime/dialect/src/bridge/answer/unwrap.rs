//! The text of a custom tool out of the arguments of the function that stands in for it, as it comes.
//!
//! The arguments are `{"input":"…"}`: what is between the quotes is already escaped as the client's own JSON needs it,
//! so it is passed on while it streams. Models are not bound to the form: arguments that are no object, or have no such
//! member, are the text themselves.

use super::escaped::{Escaped, escaped};

/// Follows the arguments of one call.
#[derive(Debug, Default)]
pub(crate) struct Unwrap {
    at: At,
    /// What came before the text was found, unescaped: all there is, if it never is.
    seen: Vec<u8>,
    /// An escape that is not whole yet.
    escape: Vec<u8>,
    out: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the object.
    #[default]
    Start,
    /// In the object, before a name.
    Member,
    /// In a name that began at this place in `seen`.
    Name(usize),
    /// Behind a name, and whether it was the one.
    Colon(bool),
    /// Before the value of the one.
    Value,
    /// In the text.
    Input,
    /// In another value: how deep, and whether in a string.
    Other {
        depth: u32,
        text: bool,
        backslash: bool,
    },
    /// Behind the text.
    End,
    /// There is no object: all is text.
    Plain,
}

const NAME: &[u8] = b"\"input\"";

impl Unwrap {
    /// Takes arguments; gives text.
    pub(crate) fn push(&mut self, arguments: Escaped<'_>, give: &mut dyn FnMut(Escaped<'_>)) {
        if self.at == At::Plain {
            return give(arguments);
        }
        for &byte in arguments.text().as_bytes() {
            self.byte(byte);
        }
        self.give(give);
    }

    /// The call is whole.
    pub(crate) fn finish(&mut self, give: &mut dyn FnMut(Escaped<'_>)) {
        if !matches!(self.at, At::Input | At::End | At::Plain) {
            let seen = std::mem::take(&mut self.seen);
            self.out = escaped(&String::from_utf8_lossy(&seen));
        }
        // Half an escape at the end of what was cut off says nothing.
        self.give(give);
    }

    /// Bytes held back.
    pub(crate) fn held(&self) -> usize {
        self.seen.len() + self.escape.len()
    }

    fn give(&mut self, give: &mut dyn FnMut(Escaped<'_>)) {
        if !self.out.is_empty() {
            give(Escaped::trusted(&self.out));
            self.out.clear();
        }
    }

    fn byte(&mut self, byte: u8) {
        let space = matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        if !matches!(self.at, At::Input | At::End | At::Plain) {
            self.seen.push(byte);
        }
        self.at = match self.at {
            At::Start if space => At::Start,
            At::Start if byte == b'{' => At::Member,
            At::Start | At::Plain => {
                let text = std::mem::take(&mut self.seen);
                if text.is_empty() {
                    self.raw(byte);
                } else {
                    text.into_iter().for_each(|byte| self.raw(byte));
                }
                At::Plain
            }
            At::Member if byte == b'"' => At::Name(self.seen.len() - 1),
            At::Member => At::Member,
            At::Name(from) if byte == b'"' && !self.ends_in_escape(from) => {
                At::Colon(&self.seen[from..] == NAME)
            }
            At::Name(from) => At::Name(from),
            At::Colon(found) if byte == b':' => {
                if found {
                    At::Value
                } else {
                    OTHER
                }
            }
            At::Colon(found) => At::Colon(found),
            At::Value if space => At::Value,
            At::Value if byte == b'"' => {
                self.seen = Vec::new();
                At::Input
            }
            At::Value => other(0, false, false, byte),
            At::Other {
                depth,
                text,
                backslash,
            } => other(depth, text, backslash, byte),
            At::Input => self.input(byte),
            At::End => At::End,
        };
    }

    /// Whether the name so far, its closing quote at hand, ends in an escaping backslash.
    fn ends_in_escape(&self, from: usize) -> bool {
        let inner = &self.seen[from + 1..self.seen.len() - 1];
        let backslashes = inner
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        backslashes % 2 == 1
    }

    /// A byte of text that is not escaped.
    fn raw(&mut self, byte: u8) {
        match byte {
            b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => self
                .out
                .extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => self.out.push(byte),
        }
    }

    /// A byte of the text, as the model wrote it: its escapes are checked, for nobody has checked them yet.
    fn input(&mut self, byte: u8) -> At {
        if self.escape.is_empty() {
            match byte {
                b'"' => return At::End,
                b'\\' => self.escape.push(byte),
                _ => self.raw(byte),
            }
            return At::Input;
        }
        self.escape.push(byte);
        match self.escape.as_slice() {
            [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'] | [_, b'u', _, _, _, _]
                if self.escape[2..].iter().all(u8::is_ascii_hexdigit) =>
            {
                self.out.append(&mut self.escape);
            }
            [_, b'u', digits @ ..] if digits.iter().all(u8::is_ascii_hexdigit) => {}
            // No escape after all: the backslash is one, and what follows is text.
            _ => {
                let text = std::mem::take(&mut self.escape);
                let (last, before) = text.split_last().unwrap_or((&byte, &[]));
                before.iter().for_each(|byte| self.raw(*byte));
                return self.input(*last);
            }
        }
        At::Input
    }
}

const OTHER: At = At::Other {
    depth: 0,
    text: false,
    backslash: false,
};

fn other(depth: u32, text: bool, backslash: bool, byte: u8) -> At {
    let state = |depth, text, backslash| At::Other {
        depth,
        text,
        backslash,
    };
    if text {
        return match byte {
            _ if backslash => state(depth, true, false),
            b'\\' => state(depth, true, true),
            b'"' => state(depth, false, false),
            _ => state(depth, true, false),
        };
    }
    match byte {
        b'"' => state(depth, true, false),
        b'{' | b'[' => state(depth.saturating_add(1), false, false),
        b'}' | b']' if depth > 0 => state(depth - 1, false, false),
        b',' if depth == 0 => At::Member,
        _ => state(depth, false, false),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text of arguments that come in pieces of at most `size` characters.
    fn unwrapped(arguments: &str, size: usize) -> String {
        let mut unwrap = Unwrap::default();
        let mut json = vec![b'"'];
        let mut give = |text: Escaped<'_>| json.extend_from_slice(text.bytes());
        let letters: Vec<char> = arguments.chars().collect();
        for piece in letters.chunks(size.max(1)) {
            let piece = escaped(&piece.iter().collect::<String>());
            unwrap.push(Escaped::trusted(&piece), &mut give);
        }
        unwrap.finish(&mut give);
        json.push(b'"');
        serde_json::from_slice(&json).unwrap()
    }

    proptest! {
        #[test]
        fn the_text_comes_out_as_the_model_meant_it(
            text in "\\PC*[\n\"\\\\]?\\PC*", before in any::<bool>(), space in "[ \n]{0,2}", size in 1usize..9,
        ) {
            let extra = if before { "\"a\\\"b\":{\"input\":[\"}\\\\\"]}," } else { "" };
            let quoted = serde_json::to_string(&text).unwrap();
            let arguments = format!("{space}{{{extra}{space}\"input\"{space}:{space}{quoted}{space}}}");
            prop_assert_eq!(unwrapped(&arguments, size), text);
        }

        #[test]
        fn any_arguments_give_text(arguments in r#"[{}":,\\ainput\n0]{0,30}"#, size in 1usize..5) {
            prop_assert_eq!(unwrapped(&arguments, size), unwrapped(&arguments, 100));
        }
    }

    #[test]
    fn arguments_of_another_form_are_the_text_themselves() {
        for arguments in [
            "",
            "*** Begin Patch\n\"x\"",
            "[1]",
            "{}",
            r#"{"text":"a"}"#,
            r#"{"input":5}"#,
            r#"{"input""#,
        ] {
            assert_eq!(unwrapped(arguments, 3), arguments);
        }
    }

    #[test]
    fn what_is_wrongly_escaped_is_text_and_what_is_cut_off_is_kept() {
        assert_eq!(unwrapped("{\"input\":\"a\\x\\u12\nb", 2), "a\\x\\u12\nb");
        assert_eq!(unwrapped(r#"{"input":"ab\"#, 100), "ab");
        assert_eq!(unwrapped(r#"{"input":"a"} tail"#, 4), "a");
        assert_eq!(unwrapped(r#"{"input":"\u00e4\"""#, 1), "ä\"");
    }

    #[test]
    fn text_is_not_held_back() {
        let mut unwrap = Unwrap::default();
        let mut given = Vec::new();
        for piece in [r#"{\"input\":\"abc"#, "def", r"\\", "n"] {
            unwrap.push(Escaped::trusted(piece.as_bytes()), &mut |text| {
                given.push(String::from_utf8(text.bytes().to_vec()).unwrap());
            });
            assert!(unwrap.held() <= 1);
        }
        assert_eq!(given, ["abc", "def", "\\n"]);
    }
}
