//! Writing JSON member by member, in the order in which it is said.

use crate::json::text::escape;

/// JSON under way. Commas come by themselves.
#[derive(Debug, Default)]
pub(crate) struct Json {
    out: Vec<u8>,
}

impl Json {
    /// An empty text with room for about this many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            out: Vec::with_capacity(bytes),
        }
    }

    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// How much was written so far.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    /// Adds a last member to the object that ended at `end` (a length as `len` told it).
    pub(crate) fn add_member_at(&mut self, end: usize, name: &str, json: &str) {
        let member = format!(",\"{name}\":{json}");
        let at = end.saturating_sub(1).min(self.out.len());
        self.out.splice(at..at, member.into_bytes());
    }

    fn separate(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
    }

    /// `{`.
    pub(crate) fn open(&mut self) {
        self.separate();
        self.out.push(b'{');
    }

    /// `}`.
    pub(crate) fn close(&mut self) {
        self.out.push(b'}');
    }

    /// `[`.
    pub(crate) fn open_list(&mut self) {
        self.separate();
        self.out.push(b'[');
    }

    /// `]`.
    pub(crate) fn close_list(&mut self) {
        self.out.push(b']');
    }

    /// The name of the member that comes next: a plain name of ours, without anything to escape.
    pub(crate) fn key(&mut self, name: &str) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// The name of the member that comes next, whatever it is.
    pub(crate) fn named(&mut self, name: &str) {
        self.text(name);
        self.out.push(b':');
    }

    /// A string.
    pub(crate) fn text(&mut self, text: &str) {
        self.texts(&[text]);
    }

    /// One string of several pieces.
    pub(crate) fn texts(&mut self, pieces: &[&str]) {
        self.separate();
        self.out.push(b'"');
        for piece in pieces {
            escape(&mut self.out, piece);
        }
        self.out.push(b'"');
    }

    /// JSON as it is.
    pub(crate) fn raw(&mut self, json: &str) {
        self.separate();
        self.out.extend_from_slice(json.as_bytes());
    }

    /// A member that is a string.
    pub(crate) fn text_member(&mut self, name: &str, text: &str) {
        self.key(name);
        self.text(text);
    }

    /// A member that is JSON as it is.
    pub(crate) fn raw_member(&mut self, name: &str, json: &str) {
        self.key(name);
        self.raw(json);
    }

    /// A member that is a whole number.
    pub(crate) fn number_member(&mut self, name: &str, number: u64) {
        self.raw_member(name, &number.to_string());
    }

    /// A member that is true or false.
    pub(crate) fn bool_member(&mut self, name: &str, value: bool) {
        self.raw_member(name, if value { "true" } else { "false" });
    }

    /// An object with `type` as its first member, left open.
    pub(crate) fn open_typed(&mut self, kind: &str) {
        self.open();
        self.text_member("type", kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_where_json_wants_them() {
        let mut json = Json::default();
        json.open_typed("a\"b");
        json.key("list");
        json.open_list();
        json.open();
        json.close();
        json.text("x[");
        json.raw("[1]");
        json.texts(&["data:", "\n", ";"]);
        json.close_list();
        json.number_member("n", 7);
        json.bool_member("b", true);
        json.close();
        assert_eq!(
            String::from_utf8(json.into_bytes()).unwrap(),
            r#"{"type":"a\"b","list":[{},"x[",[1],"data:\n;"],"n":7,"b":true}"#,
        );
    }
}
