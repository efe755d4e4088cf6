//! Looks at the beginning of an answer before it is committed to the client, and finds failures told inside a success.

use super::tap::event_type;
use crate::Operation;
use crate::json::walk::{Raw, Shape};
use crate::sse::{self, Boundaries};

/// What the beginning of a stream says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// Nothing yet: read on.
    Wait,
    /// The answer has begun.
    Go,
    /// The stream reports a failure instead of an answer.
    Failed {
        /// Empty if there was none.
        code: String,
        /// Empty if there was none.
        message: String,
        /// The failing event's data, for the provider to classify.
        data: Vec<u8>,
    },
}

/// Judges the bytes received so far, from the very start of the stream. Comments, pings and the events that only
/// announce an answer do not count as its beginning.
pub fn commit_check(operation: Operation, received: &[u8]) -> Commit {
    let mut boundaries = Boundaries::default();
    let mut start = 0;
    // No further than to the event that tells: a burst has all the others behind it.
    for end in boundaries.ends(received) {
        let event = sse::read(&received[start..end]);
        start = end;
        let Some(event) = event else { continue };
        let data = event.data.trim_ascii();
        if let Some((code, message)) = first_event_failure(operation, data) {
            let data = data.to_vec();
            return Commit::Failed {
                code,
                message,
                data,
            };
        }
        if !announces(operation, data) {
            return Commit::Go;
        }
    }
    Commit::Wait
}

/// Events before the answer proper, after which a failure is still the whole answer.
fn announces(operation: Operation, data: &[u8]) -> bool {
    match (operation, event_type(Raw::new(data))) {
        (Operation::Responses, Some(kind)) => {
            matches!(
                kind,
                b"response.created" | b"response.in_progress" | b"response.queued"
            ) || !kind.starts_with(b"response.")
        }
        (Operation::Messages, Some(kind)) => matches!(kind, b"ping" | b"message_start"),
        _ => data.is_empty(),
    }
}

/// A failure told inside a success: `data` is an event's data or a whole JSON answer. Code and message, either empty
/// where missing.
pub fn first_event_failure(operation: Operation, data: &[u8]) -> Option<(String, String)> {
    failure(operation, Raw::new(crate::json::unmarked(data)))
}

/// The failure that an event or a whole answer reports, if any.
pub(crate) fn failure(operation: Operation, value: Raw<'_>) -> Option<(String, String)> {
    // All that is looked for below has one of these words. To look at each member of a first event for nothing took 2.5 µs,
    // as long as to read the usage of ten events.
    let may_report = ["error", "failed"]
        .iter()
        .any(|word| memchr::memmem::find(value.bytes, word.as_bytes()).is_some());
    if !may_report {
        return None;
    }
    if let Some(error) = value.get("error").filter(|error| reports(*error)) {
        return Some(described(error));
    }
    match operation {
        Operation::Responses => match event_type(value) {
            // Both the flat form of the documents and the nested one of the wire (above).
            Some(b"error") => Some(described(value)),
            Some(b"response.failed") => Some(
                value
                    .at_pointer("/response/error")
                    .filter(|error| reports(*error))
                    .map(described)
                    .unwrap_or_default(),
            ),
            _ => value
                .get("status")
                .filter(|status| status.is_word("failed"))
                .map(|_| Default::default()),
        },
        Operation::Messages if event_type(value) == Some(b"error") => Some(described(value)),
        Operation::ChatCompletions => {
            let reason = value.at_pointer("/choices/0/finish_reason")?;
            reason.is_word("error").then(Default::default)
        }
        _ => None,
    }
}

/// Whether the value of `error` is more than a placeholder.
fn reports(error: Raw<'_>) -> bool {
    match error.shape() {
        Shape::Object => error.members().next().is_some(),
        Shape::String => error.bytes.len() > 2,
        _ => false,
    }
}

/// Code and message of an error object, or of an error that is only text.
fn described(error: Raw<'_>) -> (String, String) {
    if let Some(text) = error.text() {
        return (String::new(), text.into_owned());
    }
    let word = |name: &str| {
        let value = error.get(name)?;
        match value.shape() {
            Shape::String => value
                .text()
                .map(|text| text.into_owned())
                .filter(|text| !text.is_empty()),
            // Some codes are numbers.
            Shape::Number => std::str::from_utf8(value.bytes).ok().map(str::to_owned),
            _ => None,
        }
    };
    let code = word("code").or_else(|| word("type").filter(|kind| kind != "error"));
    (
        code.unwrap_or_default(),
        word("message").unwrap_or_default(),
    )
}

/// Whether these first bytes of a body look like an event stream: some vendors send no content type.
pub fn sniff_event_stream(bytes: &[u8]) -> bool {
    let bytes = crate::json::unmarked(bytes).trim_ascii_start();
    let fields: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];
    fields.iter().any(|field| bytes.starts_with(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(operation: Operation, data: &str) -> Option<(String, String)> {
        first_event_failure(operation, data.as_bytes())
    }

    fn pair(code: &str, message: &str) -> Option<(String, String)> {
        Some((code.into(), message.into()))
    }

    #[test]
    fn failures_inside_a_success_are_found_in_every_form() {
        let chat = Operation::ChatCompletions;
        assert_eq!(
            failed(chat, r#"{"error":{"message":"m","type":"t","code":null}}"#),
            pair("t", "m")
        );
        assert_eq!(
            failed(chat, r#"{"error":{"message":"m","code":502},"choices":[]}"#),
            pair("502", "m")
        );
        assert_eq!(failed(chat, r#"{"error":"broken"}"#), pair("", "broken"));
        assert_eq!(
            failed(chat, r#"{"choices":[{"finish_reason":"error"}]}"#),
            pair("", "")
        );
        assert_eq!(
            failed(
                Operation::Messages,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#
            ),
            pair("overloaded_error", "m")
        );
        let responses = Operation::Responses;
        assert_eq!(
            failed(
                responses,
                r#"{"type":"error","code":"c","message":"m","param":null}"#
            ),
            pair("c", "m")
        );
        assert_eq!(
            failed(
                responses,
                r#"{"type":"error","error":{"type":"t","code":"c","message":"m"}}"#
            ),
            pair("c", "m")
        );
        assert_eq!(
            failed(
                responses,
                r#"{"type":"response.failed","response":{"error":{"code":"c","message":"m"}}}"#
            ),
            pair("c", "m")
        );
        assert_eq!(
            failed(
                responses,
                r#"{"id":"r","status":"failed","error":{"code":"c","message":"m"}}"#
            ),
            pair("c", "m")
        );
    }

    #[test]
    fn answers_are_no_failures() {
        for (operation, data) in [
            (
                Operation::ChatCompletions,
                r#"{"choices":[{"delta":{"content":"\"error\""},"finish_reason":null}],"error":null}"#,
            ),
            (Operation::ChatCompletions, r#"{"error":{},"choices":[]}"#),
            (Operation::ChatCompletions, "[DONE]"),
            (
                Operation::Responses,
                r#"{"id":"r","status":"completed","error":null}"#,
            ),
            (
                Operation::Responses,
                r#"{"type":"response.created","response":{"error":null}}"#,
            ),
            (
                Operation::Messages,
                r#"{"type":"message","content":[{"type":"text","text":"error"}]}"#,
            ),
            (Operation::Embeddings, r#"{"data":[]}"#),
        ] {
            assert_eq!(failed(operation, data), None, "{data}");
        }
    }

    #[test]
    fn the_first_byte_waits_for_the_first_event_that_counts() {
        let created =
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{}}\n\n";
        let check = |text: &str| commit_check(Operation::Responses, text.as_bytes());
        assert_eq!(check(": ping\n\n"), Commit::Wait);
        assert_eq!(check(created), Commit::Wait);
        assert_eq!(
            check(&format!(
                "{created}data: {{\"type\":\"response.output_item.added\""
            )),
            Commit::Wait
        );
        assert_eq!(
            check(&format!(
                "{created}data: {{\"type\":\"response.output_item.added\"}}\n\n"
            )),
            Commit::Go
        );
        let failure =
            r#"{"type":"response.failed","response":{"error":{"code":"c","message":"m"}}}"#;
        assert_eq!(
            check(&format!("{created}data: {failure}\n\n")),
            Commit::Failed {
                code: "c".into(),
                message: "m".into(),
                data: failure.into()
            }
        );
        assert_eq!(
            commit_check(Operation::ChatCompletions, b"data: {\"choices\":[]}\n\n"),
            Commit::Go
        );
        assert_eq!(
            commit_check(Operation::ChatCompletions, b"data: [DONE]\n\n"),
            Commit::Go
        );
        let ping = b"event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n";
        assert_eq!(commit_check(Operation::Messages, ping), Commit::Wait);
    }

    #[test]
    fn streams_are_recognised_without_a_content_type() {
        for yes in [
            "data: {}",
            "event: x",
            ": hi",
            "\n\ndata:",
            "\u{feff}data: 1",
            "id: 1",
            "retry: 5",
        ] {
            assert!(sniff_event_stream(yes.as_bytes()), "{yes}");
        }
        for no in ["{\"data\":1}", "", "<html>", "dat", "database: x"] {
            assert!(!sniff_event_stream(no.as_bytes()), "{no}");
        }
    }
}
