//! What is wrong with a body, in words of JSON: serde speaks of lines that no client sees, and of types of Rust.

/// What is said of a value with more levels than serde reads, which counts from the value that is read.
const DEEPEST: &str = "objects and arrays are nested deeper than 127";

/// What serde says, without the line and column of a body that its sender never saw as lines.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let said = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(said, _)| said);
    if said == "recursion limit exceeded" {
        return DEEPEST.to_owned();
    }
    // What stands before may repeat what the client wrote, whatever it was.
    match said.rsplit_once(", expected ") {
        Some((found, wanted)) => format!("{}, expected {}", in_json(found), wanted_in_json(wanted)),
        None => said.to_owned(),
    }
}

/// What was found instead.
fn in_json(found: &str) -> String {
    let Some((what, value)) = found.split_once(": ") else {
        return found.to_owned();
    };
    match value {
        "map" => format!("{what}: object"),
        "sequence" => format!("{what}: array"),
        value => match value.strip_prefix("floating point") {
            Some(number) => format!("{what}: number{number}"),
            None => found.to_owned(),
        },
    }
}

/// What should have been there.
fn wanted_in_json(wanted: &str) -> &str {
    let first = wanted.split(' ').next().unwrap_or_default();
    match first {
        "struct" => "an object",
        "f32" | "f64" => "a number",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        _ => match wanted {
            "a map" => "an object",
            "a sequence" => "an array",
            "a borrowed string" => "a string",
            wanted => wanted,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::bridge::request::text::{Content, Str};

    fn said<T: for<'a> Deserialize<'a>>(json: &str) -> String {
        match serde_json::from_str::<T>(json) {
            Ok(_) => panic!("{json} is valid"),
            Err(error) => plain(&error),
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_types_of_json() {
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "only read")]
        struct One {
            a: u64,
            b: bool,
        }
        for (got, wanted) in [
            (
                said::<One>("3"),
                "invalid type: integer `3`, expected an object",
            ),
            (said::<One>("[1]"), "invalid length 1, expected an object"),
            (said::<One>(r#"{"a":1}"#), "missing field `b`"),
            (
                said::<One>(r#"{"a":-1}"#),
                "invalid value: integer `-1`, expected a whole number, not negative",
            ),
            (
                said::<i64>("0.5"),
                "invalid type: number `0.5`, expected a whole number",
            ),
            (said::<f64>("{}"), "invalid type: object, expected a number"),
            (said::<f64>("[]"), "invalid type: array, expected a number"),
            (
                said::<bool>("null"),
                "invalid type: null, expected a boolean",
            ),
            (
                said::<Vec<u64>>("{}"),
                "invalid type: object, expected an array",
            ),
            (
                said::<BTreeMap<String, u64>>("[]"),
                "invalid type: array, expected an object",
            ),
            (
                said::<Vec<f64>>(r#"["x, expected struct y"]"#),
                "invalid type: string \"x, expected struct y\", expected a number",
            ),
        ] {
            assert_eq!(got, wanted);
        }
        let error = serde_json::from_str::<Str<'_>>("1").unwrap_err();
        assert_eq!(
            plain(&error),
            "invalid type: integer `1`, expected a string"
        );
        let error = serde_json::from_str::<Content<'_, One>>("1")
            .map(|_| ())
            .unwrap_err();
        assert_eq!(
            plain(&error),
            "invalid type: integer `1`, expected a string or an array"
        );
    }
}
