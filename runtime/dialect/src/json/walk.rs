//! Walking JSON values without checking them again. On bytes that are no JSON it finds nothing; it never panics.

use std::borrow::Cow;

use super::scan::whitespace;
use super::text::unescape;

/// A value inside a larger text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a> {
    /// The value's bytes, without surrounding whitespace.
    pub(crate) bytes: &'a [u8],
    /// Where they begin in the text that was walked.
    pub(crate) at: usize,
}

/// A member's name between its quotes, still escaped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a>(pub(crate) &'a [u8]);

impl<'a> Key<'a> {
    /// Whether this is the name, escaped or not.
    pub(crate) fn is(self, name: &str) -> bool {
        if self.0 == name.as_bytes() {
            // With a backslash these bytes stand for another name.
            return !name.contains('\\');
        }
        self.0.contains(&b'\\') && unescape(self.0) == name
    }

    /// The name's bytes, unescaped.
    pub(crate) fn bytes(self) -> Cow<'a, [u8]> {
        if self.0.contains(&b'\\') {
            Cow::Owned(unescape(self.0).into_owned().into_bytes())
        } else {
            Cow::Borrowed(self.0)
        }
    }

    /// The name, unescaped.
    pub(crate) fn text(self) -> Cow<'a, str> {
        unescape(self.0)
    }
}

/// What kind of value this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl Shape {
    /// With its article, for sentences.
    pub(crate) const fn named(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Null => "null",
        }
    }
}

impl<'a> Raw<'a> {
    /// The value in `text`, surrounding whitespace cut off.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let start = whitespace(text, 0);
        let mut end = text.len();
        while end > start && matches!(text[end - 1], b' ' | b'\n' | b'\r' | b'\t') {
            end -= 1;
        }
        Self {
            bytes: &text[start..end],
            at: start,
        }
    }

    pub(crate) fn shape(self) -> Shape {
        match self.bytes.first() {
            Some(b'{') => Shape::Object,
            Some(b'[') => Shape::Array,
            Some(b'"') => Shape::String,
            Some(b't' | b'f') => Shape::Bool,
            Some(b'n') | None => Shape::Null,
            _ => Shape::Number,
        }
    }

    pub(crate) fn is_null(self) -> bool {
        self.shape() == Shape::Null
    }

    /// The members, if this is an object; else none.
    pub(crate) fn members(self) -> Members<'a> {
        Members(Parts::of(self, b'{'))
    }

    /// The elements, if this is an array; else none.
    pub(crate) fn items(self) -> Items<'a> {
        Items(Parts::of(self, b'['))
    }

    /// The member of this name; of several the last.
    pub(crate) fn get(self, name: &str) -> Option<Raw<'a>> {
        self.members()
            .filter(|(key, _)| key.is(name))
            .last()
            .map(|(_, value)| value)
    }

    /// What is between the quotes, if this is a string.
    pub(crate) fn inner(self) -> Option<&'a [u8]> {
        match self.bytes {
            [b'"', inner @ .., b'"'] => Some(inner),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        self.inner().map(unescape)
    }

    /// Whether this is the string `word`.
    pub(crate) fn is_word(self, word: &str) -> bool {
        self.inner().is_some_and(|inner| Key(inner).is(word))
    }

    /// The number as a count: negative is 0, a fraction is cut off. `None` if this is no number.
    pub(crate) fn count(self) -> Option<u64> {
        if self.shape() != Shape::Number {
            return None;
        }
        let text = std::str::from_utf8(self.bytes).ok()?;
        // A float to integer cast saturates, and maps negative numbers to 0.
        text.parse()
            .ok()
            .or_else(|| text.parse::<f64>().ok().map(|number| number as u64))
    }

    /// The value at a JSON Pointer.
    pub(crate) fn at_pointer(self, pointer: &str) -> Option<Raw<'a>> {
        if pointer.is_empty() {
            return Some(self);
        }
        let mut value = self;
        for token in pointer.strip_prefix('/')?.split('/') {
            let token = super::pointer::unescape(token);
            value = match value.shape() {
                Shape::Object => value.get(&token)?,
                Shape::Array => value.items().nth(super::pointer::index(&token)?)?,
                _ => return None,
            };
        }
        Some(value)
    }
}

/// What members and elements have in common: a position in the container's bytes.
#[derive(Debug, Clone)]
struct Parts<'a> {
    bytes: &'a [u8],
    base: usize,
    next: usize,
}

impl<'a> Parts<'a> {
    fn of(value: Raw<'a>, open: u8) -> Self {
        match value.bytes.first() {
            Some(&first) if first == open => Self {
                bytes: value.bytes,
                base: value.at,
                next: 1,
            },
            _ => Self {
                bytes: &[],
                base: value.at,
                next: 0,
            },
        }
    }

    /// The value at `start`; moves past it and the comma after it.
    fn value(&mut self, start: usize) -> Option<Raw<'a>> {
        let Some(end) = skip(self.bytes, start) else {
            self.next = self.bytes.len();
            return None;
        };
        let comma = whitespace(self.bytes, end);
        self.next = if self.bytes.get(comma) == Some(&b',') {
            comma + 1
        } else {
            self.bytes.len()
        };
        Some(Raw {
            bytes: &self.bytes[start..end],
            at: self.base + start,
        })
    }
}

/// The members of an object. See [`Raw::members`].
#[derive(Debug, Clone)]
pub(crate) struct Members<'a>(Parts<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Key<'a>, Raw<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0.bytes;
        let start = whitespace(bytes, self.0.next);
        if bytes.get(start) != Some(&b'"') {
            return None;
        }
        let end = skip_string(bytes, start)?;
        let colon = whitespace(bytes, end);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        let value = self.0.value(whitespace(bytes, colon + 1))?;
        Some((Key(&bytes[start + 1..end - 1]), value))
    }
}

/// The elements of an array. See [`Raw::items`].
#[derive(Debug, Clone)]
pub(crate) struct Items<'a>(Parts<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = whitespace(self.0.bytes, self.0.next);
        if matches!(self.0.bytes.get(start), None | Some(b']')) {
            return None;
        }
        self.0.value(start)
    }
}

/// The position after the string that begins at `at` with its quote.
#[inline]
pub(crate) fn skip_string(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    // Most strings are short: look at a few bytes before asking for the vector search.
    let near = bytes.len().min(at + 16);
    while at < near {
        match bytes[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[found] == b'"' {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

/// The position after the value that begins at `at`.
pub(crate) fn skip(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => skip_string(bytes, at),
        b'{' | b'[' => {
            let mut depth = 0usize;
            let mut at = at;
            loop {
                match bytes.get(at)? {
                    b'"' => {
                        at = skip_string(bytes, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
        }
        b',' | b'}' | b']' | b':' => None,
        _ => {
            let end = bytes[at..]
                .iter()
                .position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'));
            Some(end.map_or(bytes.len(), |length| at + length))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_found_by_pointer() {
        let text = br#" {"a" : [ 1 , {"b\u0063":"x\"y"} , null ], "d~/":{"":true} } "#;
        let value = Raw::new(text);
        let found = |pointer| {
            value
                .at_pointer(pointer)
                .map(|found| std::str::from_utf8(found.bytes).unwrap().to_owned())
        };
        assert_eq!(found("/a/0").as_deref(), Some("1"));
        assert_eq!(found("/a/1/bc").as_deref(), Some(r#""x\"y""#));
        assert_eq!(found("/a/2").as_deref(), Some("null"));
        assert_eq!(found("/d~0~1/").as_deref(), Some("true"));
        assert_eq!(found("/a/3"), None);
        assert_eq!(found("/a/-1"), None);
        assert_eq!(found("a"), None);
        let inner = value.at_pointer("/a/1/bc").unwrap();
        assert_eq!(
            &text[inner.at..inner.at + inner.bytes.len()],
            inner.bytes,
            "offsets count from the walked text"
        );
    }

    /// An edit of one name must not change another's member.
    #[test]
    fn a_name_is_compared_as_it_reads_not_as_it_is_written() {
        let key = Key(br#"a\"b"#);
        assert!(key.is("a\"b"));
        assert!(
            !key.is(r#"a\"b"#),
            "that name would be written with more backslashes"
        );
        assert!(Key(br"\u0061").is("a") && !Key(br"\u0061").is(r"\u0061"));
    }

    #[test]
    fn counts_never_wrap() {
        let count = |text: &str| Raw::new(text.as_bytes()).count();
        assert_eq!(count("12"), Some(12));
        assert_eq!(count("12.9"), Some(12));
        assert_eq!(count("1e3"), Some(1000));
        assert_eq!(count("-5"), Some(0));
        assert_eq!(count("1e300"), Some(u64::MAX));
        assert_eq!(count("\"12\""), None);
        assert_eq!(count("null"), None);
    }

    fn visit(value: Raw<'_>, depth: usize) {
        let _ = (value.text(), value.count());
        if depth < 8 {
            value
                .members()
                .for_each(|(_, value)| visit(value, depth + 1));
            value.items().for_each(|value| visit(value, depth + 1));
        }
    }

    proptest! {
        #[test]
        fn walking_survives_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            visit(Raw::new(&bytes), 0);
        }

        #[test]
        fn walking_survives_almost_json(text in r#"([\[\]{},:"\\ 1a]|null|"a"){0,40}"#) {
            visit(Raw::new(text.as_bytes()), 0);
        }
    }
}
