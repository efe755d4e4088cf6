//! Canonical JSON: one way to write a value, so that a hash of it can be computed again by anybody.

use std::fmt::Write as _;

use serde_json::Value;

/// Writes a value as RFC 8785 says: members sorted by the UTF-16 units of their names, no white space, strings with as
/// few escapes as JSON allows. Whole numbers are written in full, which is all that entries of the audit log have.
#[must_use]
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (place, (name, member)) in sorted.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                text(out, name);
                out.push(':');
                write(out, member);
            }
            out.push('}');
        }
        Value::String(string) => text(out, string),
        // `null`, `true`, `false` and numbers have one way to be written already.
        other => {
            // Writing to a String cannot fail.
            let _ = write!(out, "{other}");
        }
    }
}

fn text(out: &mut String, string: &str) {
    out.push('"');
    for c in string.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{9}' => out.push_str("\\t"),
            '\u{a}' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\u{d}' => out.push_str("\\r"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_and_nothing_is_written_that_need_not_be() {
        let value = json!({ "b": [1, true, null, -7], "a": { "z": "", "y": 18_446_744_073_709_551_615_u64 } });
        let text = r#"{"a":{"y":18446744073709551615,"z":""},"b":[1,true,null,-7]}"#;
        assert_eq!(canonical_json(&value), text);
    }

    #[test]
    fn strings_have_as_few_escapes_as_json_allows() {
        let value = json!("\u{8}\t\n\u{c}\r\u{1}\"\\/é\u{7f}\u{2028}");
        let text = "\"\\b\\t\\n\\f\\r\\u0001\\\"\\\\/é\u{7f}\u{2028}\"";
        assert_eq!(canonical_json(&value), text);
    }

    #[test]
    fn names_are_sorted_by_their_units_of_utf_16() {
        // In UTF-8 and by code points the last two stand the other way round.
        let value = json!({ "\u{fb33}": 1, "\u{1f600}": 2, "é": 3, "1": 4, "\r": 5 });
        let text = "{\"\\r\":5,\"1\":4,\"é\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}";
        assert_eq!(canonical_json(&value), text);
    }
}
