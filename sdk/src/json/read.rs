//! The reading half: one pass over the bytes, values owned.

use std::fmt;

use super::Json;

/// How deep values may nest. A guest's stack is small, and no configuration or body of a client comes near.
const MAX_DEPTH: usize = 128;

/// Why and where a text is not JSON.
///
/// ```
/// use tollgate_guest::json::Json;
/// assert_eq!(Json::parse("tru").unwrap_err().to_string(), "a value was expected at byte 0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    why: &'static str,
    at: usize,
}

impl Malformed {
    pub(super) fn new(why: &'static str, at: usize) -> Self {
        Self { why, at }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.why, self.at)
    }
}

impl std::error::Error for Malformed {}

/// Reads one value and nothing after it.
pub(super) fn document(text: &str) -> Result<Json, Malformed> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(reader.fault("the end was expected"));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn fault(&self, why: &'static str) -> Malformed {
        Malformed::new(why, self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes the byte, if it is next.
    fn takes(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    fn value(&mut self, depth: usize) -> Result<Json, Malformed> {
        if depth > MAX_DEPTH {
            return Err(self.fault("nesting is too deep"));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Json, Malformed> {
        let words = [
            ("null", Json::Null),
            ("true", Json::Bool(true)),
            ("false", Json::Bool(false)),
        ];
        for (word, value) in words {
            if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.fault("a value was expected"))
    }

    fn array(&mut self, depth: usize) -> Result<Json, Malformed> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.takes(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.takes(b']') {
                return Ok(Json::Array(items));
            }
            if !self.takes(b',') {
                return Err(self.fault("`,` or `]` was expected"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Malformed> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.takes(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.fault("a member's name was expected"));
            }
            let name = self.string()?;
            self.skip_space();
            if !self.takes(b':') {
                return Err(self.fault("`:` was expected"));
            }
            members.push((name, self.value(depth + 1)?));
            self.skip_space();
            if self.takes(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.takes(b',') {
                return Err(self.fault("`,` or `}` was expected"));
            }
        }
    }

    fn number(&mut self) -> Result<Json, Malformed> {
        let start = self.at;
        self.takes(b'-');
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            if !self.takes(b'+') {
                self.takes(b'-');
            }
            self.digits()?;
        }
        Ok(Json::Number(self.text[start..self.at].to_owned()))
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.fault("a digit was expected"));
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, Malformed> {
        self.at += 1;
        let mut value = String::new();
        let mut copied = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    value.push_str(&self.text[copied..self.at]);
                    self.at += 1;
                    return Ok(value);
                }
                Some(b'\\') => {
                    value.push_str(&self.text[copied..self.at]);
                    self.at += 1;
                    value.push(self.escape()?);
                    copied = self.at;
                }
                Some(0..=0x1f) => return Err(self.fault("a control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.fault("the end of the string was expected")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        let byte = self.peek();
        self.at += 1;
        match byte {
            Some(b'"') => Ok('"'),
            Some(b'\\') => Ok('\\'),
            Some(b'/') => Ok('/'),
            Some(b'b') => Ok('\u{8}'),
            Some(b'f') => Ok('\u{c}'),
            Some(b'n') => Ok('\n'),
            Some(b'r') => Ok('\r'),
            Some(b't') => Ok('\t'),
            Some(b'u') => self.unicode(),
            _ => {
                self.at -= 1;
                Err(self.fault("an escape was expected"))
            }
        }
    }

    fn unicode(&mut self) -> Result<char, Malformed> {
        let first = self.hex()?;
        if let 0xD800..=0xDBFF = first {
            // Half a pair: the other half may follow.
            let after_first = self.at;
            if self.takes(b'\\') && self.takes(b'u') {
                let second = self.hex()?;
                if let 0xDC00..=0xDFFF = second {
                    let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                    return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
            }
            self.at = after_first;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.fault("a hex digit was expected"))?;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_that_are_not_json_are_refused_with_a_place() {
        let cases = [
            ("", "a value was expected at byte 0"),
            ("{\"a\" 1}", "`:` was expected at byte 5"),
            ("{a:1}", "a member's name was expected at byte 1"),
            ("[1 2]", "`,` or `]` was expected at byte 3"),
            ("01", "the end was expected at byte 1"),
            ("1.", "a digit was expected at byte 2"),
            ("\"a\nb\"", "a control character in a string at byte 2"),
            ("\"\\x\"", "an escape was expected at byte 2"),
            ("\"\\u12g4\"", "a hex digit was expected at byte 5"),
            ("\"abc", "the end of the string was expected at byte 4"),
        ];
        for (text, expected) in cases {
            let why = document(text).expect_err(text);
            assert_eq!(why.to_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_bottomless_text_is_refused_and_does_not_overflow_the_stack() {
        let text = "[".repeat(1_000_000);
        assert_eq!(document(&text).unwrap_err().why, "nesting is too deep");
    }

    #[test]
    fn a_lone_surrogate_is_replaced_and_what_follows_is_kept() {
        assert_eq!(document(r#""\ud83d\n!""#), Ok(Json::from("\u{fffd}\n!")));
        assert_eq!(document(r#""\ud83d\ude00""#), Ok(Json::from("😀")));
        assert_eq!(document(r#""\ud83d\u0041""#), Ok(Json::from("\u{fffd}A")));
    }

    fn same(ours: &Json, theirs: &serde_json::Value) -> bool {
        match (ours, theirs) {
            (Json::Null, serde_json::Value::Null) => true,
            (Json::Bool(a), serde_json::Value::Bool(b)) => a == b,
            (Json::Number(a), serde_json::Value::Number(b)) => a.parse::<f64>().ok() == b.as_f64(),
            (Json::String(a), serde_json::Value::String(b)) => a == b,
            (Json::Array(a), serde_json::Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Json::Object(_), serde_json::Value::Object(b)) => b
                .iter()
                .all(|(name, value)| ours.get(name).is_some_and(|ours| same(ours, value))),
            _ => false,
        }
    }

    fn any_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            "\\PC*|[\\x00-\\x7f]*".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::vec(("[a-c\"\\\\/é]{0,3}", inner), 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read_the_same(value in any_value(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let ours = document(&text.unwrap()).unwrap();
            prop_assert!(same(&ours, &value), "{ours} is not {value}");
        }

        #[test]
        fn a_text_with_one_byte_changed_is_judged_as_serde_json_judges_it(
            value in any_value(), place in any::<prop::sample::Index>(), byte in 0x20u8..0x7f,
        ) {
            let mut bytes = value.to_string().into_bytes();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
            // Numbers beyond f64 and lone surrogates are the only texts read here that serde_json refuses.
            match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(_) => prop_assert!(document(&text).is_ok(), "{text:?}"),
                Err(why) if why.to_string().contains("number out of range") => {}
                Err(why) if why.to_string().contains("surrogate") => {}
                Err(_) => prop_assert!(document(&text).is_err(), "{text:?}"),
            }
        }

        #[test]
        fn any_string_survives_writing_and_reading(text in "\\PC*|[\\x00-\\x7f]*") {
            let written = Json::from(text.as_str()).to_string();
            prop_assert_eq!(document(&written), Ok(Json::from(text)));
        }
    }
}
