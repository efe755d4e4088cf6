//! A small JSON reader and writer, so that a guest needs no other crate for error bodies and configurations.
//!
//! ```
//! use tollgate_guest::json::Json;
//! let body = Json::parse(r#"{"error":{"code":"slow_down","type":null}}"#).unwrap();
//! assert_eq!(body.at("/error/code").and_then(Json::as_str), Some("slow_down"));
//! ```

mod read;

use std::fmt;

pub use read::Malformed;

/// A JSON value. Numbers keep their text, objects their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object; of members with the same name the last one counts.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a text. Nesting deeper than 128 is refused; a lone surrogate becomes U+FFFD.
    ///
    /// # Errors
    /// Where the text is not JSON, and why.
    ///
    /// ```
    /// use tollgate_guest::json::Json;
    /// let why = Json::parse("[1,]").unwrap_err();
    /// assert_eq!(why.to_string(), "a value was expected at byte 3");
    /// ```
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        read::document(text)
    }

    /// Reads bytes; they must be UTF-8.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    ///
    /// ```
    /// use tollgate_guest::json::Json;
    /// assert!(Json::parse_bytes(b"\xff").is_err());
    /// ```
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes)
            .map_err(|why| Malformed::new("UTF-8 was expected", why.valid_up_to()))?;
        Self::parse(text)
    }

    /// The member of an object.
    ///
    /// ```
    /// use tollgate_guest::json::Json;
    /// assert_eq!(Json::parse(r#"{"a":1}"#).unwrap().get("a").and_then(Json::as_u64), Some(1));
    /// ```
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => {
                let found = members.iter().rev().find(|(member, _)| member == name);
                found.map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The value at a JSON Pointer.
    ///
    /// ```
    /// use tollgate_guest::json::Json;
    /// let body = Json::parse(r#"{"choices":[{"text":"hi"}]}"#).unwrap();
    /// assert_eq!(body.at("/choices/0/text").and_then(Json::as_str), Some("hi"));
    /// ```
    pub fn at(&self, pointer: &str) -> Option<&Self> {
        let mut here = self;
        for step in pointer.split('/').skip(1) {
            here = match here {
                Self::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ if step.contains('~') => here.get(&step.replace("~1", "/").replace("~0", "~"))?,
                _ => here.get(step)?,
            };
        }
        Some(here)
    }

    /// The text of a string.
    ///
    /// ```
    /// # use tollgate_guest::json::Json;
    /// assert_eq!(Json::from("a").as_str(), Some("a"));
    /// ```
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a number that is whole, not negative, and fits.
    ///
    /// ```
    /// # use tollgate_guest::json::Json;
    /// assert_eq!(Json::parse("1.5").unwrap().as_u64(), None);
    /// ```
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The value of `true` and `false`.
    ///
    /// ```
    /// # use tollgate_guest::json::Json;
    /// assert_eq!(Json::from(true).as_bool(), Some(true));
    /// ```
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The items of an array.
    ///
    /// ```
    /// # use tollgate_guest::json::Json;
    /// assert_eq!(Json::parse("[1,2]").unwrap().as_array().map(<[Json]>::len), Some(2));
    /// ```
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members of an object, in their order.
    ///
    /// ```
    /// # use tollgate_guest::json::Json;
    /// assert_eq!(Json::parse(r#"{"a":1}"#).unwrap().as_object().unwrap()[0].0, "a");
    /// ```
    pub fn as_object(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Whether it is `null`.
    ///
    /// ```
    /// # use tollgate_guest::json::Json;
    /// assert!(Json::Null.is_null());
    /// ```
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// An object of the members given, in their order.
    ///
    /// ```
    /// # use tollgate_guest::json::Json;
    /// let object = Json::object([("a", Json::from(1u64)), ("b", Json::Null)]);
    /// assert_eq!(object.to_string(), r#"{"a":1,"b":null}"#);
    /// ```
    pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let members = members.into_iter();
        Self::Object(
            members
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }
}

/// Writes compact JSON.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(true) => f.write_str("true"),
            Self::Bool(false) => f.write_str("false"),
            Self::Number(text) => f.write_str(text),
            Self::String(text) => write_quoted(f, text),
            Self::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    write_quoted(f, name)?;
                    f.write_str(":")?;
                    value.fmt(f)?;
                }
                f.write_str("}")
            }
        }
    }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    let mut written = 0;
    for (index, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..=0x1f => "",
            _ => continue,
        };
        f.write_str(&text[written..index])?;
        if escape.is_empty() {
            write!(f, "\\u{byte:04x}")?;
        } else {
            f.write_str(escape)?;
        }
        written = index + 1;
    }
    f.write_str(&text[written..])?;
    f.write_str("\"")
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<i32> for Json {
    fn from(value: i32) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<usize> for Json {
    fn from(value: usize) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<Vec<Json>> for Json {
    fn from(items: Vec<Json>) -> Self {
        Self::Array(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_written_back_value_for_value() {
        let texts = [
            r#"{"a":[1,-2.5e+3,true,false,null,"x"],"b":{},"c":[]}"#,
            r#"{"a":1,"a":2}"#,
            r#""\u0001\n\t\"\\ü😀""#,
            "123456789012345678901234567890",
        ];
        for text in texts {
            assert_eq!(Json::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_last_of_two_members_counts() {
        let value = Json::parse(r#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(value.get("a").and_then(Json::as_u64), Some(2));
    }

    #[test]
    fn pointers_are_unescaped() {
        let value = Json::parse(r#"{"a/b":{"c~d":[10,20]}}"#).unwrap();
        assert_eq!(value.at("/a~1b/c~0d/1").and_then(Json::as_u64), Some(20));
        assert_eq!(value.at("/a~1b/c~0d/2"), None);
        assert_eq!(value.at(""), Some(&value));
    }
}
