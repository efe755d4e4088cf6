//! Request bodies and queries into types, with an error that names the field to blame.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::answer::Refusal;

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<S, T> FromRequest<S> for Body<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                let message = if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    format!("the body is larger than {} bytes", crate::MAX_BODY)
                } else {
                    rejection.body_text()
                };
                Refusal::new(rejection.status(), message)
            })?;
        parse(&bytes).map(Body)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    // By itself serde takes a struct from an array, too, and `[]` for one whose members may all be missing.
    let object = bytes.trim_ascii_start().starts_with(b"{");
    if !object && serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "the body must be a JSON object",
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match field_of(&path, &inner.to_string()) {
            _ if inner.is_syntax() || inner.is_eof() => Refusal::new(
                StatusCode::BAD_REQUEST,
                format!("the body is not JSON: {inner}"),
            ),
            Some(field) => Refusal::field(field, said(&inner)),
            None => Refusal::new(StatusCode::BAD_REQUEST, said(&inner)),
        }
    })?;
    deserializer.end().map_err(|error| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            format!("the body is not one JSON value: {error}"),
        )
    })?;
    Ok(value)
}

/// What serde said, without the position, which the field says better, and without the text it found: that may be a
/// secret in the wrong place.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = &text[..text.rfind(" at line ").unwrap_or(text.len())];
    for kind in ["invalid type: string", "invalid value: string"] {
        if text.starts_with(kind) {
            return match text.rfind(", expected ") {
                Some(expected) => format!("{kind}{}", &text[expected..]),
                None => kind.to_owned(),
            };
        }
    }
    text.to_owned()
}

/// The path of the field to blame. Serde blames the object for a missing or unknown member and quotes its name.
fn field_of(path: &str, message: &str) -> Option<String> {
    let parent = if path == "." { "" } else { path };
    let member = ["missing field `", "unknown field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start))
        .and_then(|rest| rest.split_once('`'))
        .map(|(name, _)| name);
    let last = parent.rsplit('.').next().unwrap_or_default();
    match member {
        Some(name) if parent.is_empty() => Some(name.to_owned()),
        // For an unknown member the path leads to the member itself already.
        Some(name) if last == name => Some(parent.to_owned()),
        Some(name) => Some(format!("{parent}.{name}")),
        None if parent.is_empty() => None,
        None => Some(parent.to_owned()),
    }
}

/// A query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<S, T> FromRequestParts<S> for Query<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map(|query| Query(query.0))
            .map_err(|rejection| {
                let text = rejection.body_text();
                let text = text
                    .strip_prefix("Failed to deserialize query string: ")
                    .unwrap_or(&text);
                match text.split_once(": ") {
                    Some((field, why)) if !field.contains(' ') => Refusal::field(field, why),
                    _ => match field_of("", text) {
                        Some(field) => Refusal::field(field, text),
                        None => Refusal::new(StatusCode::BAD_REQUEST, text),
                    },
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Outer {
        name: String,
        #[serde(default)]
        list: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Inner {
        count: u64,
    }

    fn refused(body: &str) -> Refusal {
        parse::<Outer>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn the_field_to_blame_is_named_by_its_path() {
        for (body, field) in [
            (r#"{}"#, "name"),
            (r#"{"name":7}"#, "name"),
            (r#"{"name":"a","nmae":1}"#, "nmae"),
            (
                r#"{"name":"a","list":[{"count":1},{"count":"x"}]}"#,
                "list[1].count",
            ),
            (r#"{"name":"a","list":[{}]}"#, "list[0].count"),
            (
                r#"{"name":"a","list":[{"count":1,"cuont":2}]}"#,
                "list[0].cuont",
            ),
        ] {
            let refusal = refused(body);
            assert_eq!(
                refusal.field.as_deref(),
                Some(field),
                "{body}: {}",
                refusal.message
            );
            assert!(!refusal.message.contains("line"), "{}", refusal.message);
        }
    }

    #[test]
    fn a_text_in_the_wrong_place_is_not_repeated() {
        for body in [
            r#"{"name":"a","list":"hush, expected"}"#,
            r#"{"name":"a","list":[{"count":"hush"}]}"#,
        ] {
            let refusal = refused(body);
            assert!(
                !refusal.message.contains("hush") && refusal.message.contains("expected"),
                "{}",
                refusal.message
            );
        }
    }

    #[test]
    fn what_is_no_object_is_called_so() {
        for body in ["[]", r#" ["a",[]]"#, "null", "7", r#""hush""#] {
            let refusal = refused(body);
            assert_eq!(refusal.field, None, "{body}");
            assert_eq!(refusal.message, "the body must be a JSON object", "{body}");
        }
    }

    #[test]
    fn what_is_not_json_is_called_so() {
        for body in ["", "{", "{\"name\":\"a\"} x", "\u{feff}{}"] {
            let refusal = refused(body);
            assert!(
                refusal.field.is_none() && refusal.message.contains("JSON"),
                "{body:?}: {}",
                refusal.message
            );
        }
    }
}
