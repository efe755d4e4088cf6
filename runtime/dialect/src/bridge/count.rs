//! Counts the tokens of a request at a vendor that counts in another dialect.

use serde::Deserialize;

use super::{Headers, Target, request};
use crate::{ApiError, Dialect, Document, Edit, ErrorKind, Operation};

/// What counting takes of a Responses request.
const RESPONSES: &[&str] = &[
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "truncation",
];

/// What counting takes of a Messages request.
const MESSAGES: &[&str] = &[
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "mcp_servers",
];

/// A Messages request must have a cap, one to count has none: this one stands in, above any budget for thinking.
const SOME_CAP: &str = "128000";

/// The request `body` of the dialect `from`, as the vendor counts it, and the headers that belong to it.
///
/// # Errors
/// It is no request, or says what cannot be said over there.
pub fn count_request(
    from: Dialect,
    body: &[u8],
    to: &Target<'_>,
) -> Result<(Document, Headers), ApiError> {
    let mut asked = Document::parse(body.to_vec().into())?;
    if from == Dialect::AnthropicMessages {
        asked.apply(&Edit::SetDefault {
            pointer: "/max_tokens".to_owned(),
            value: SOME_CAP.to_owned(),
        })?;
    }
    let bridged = request(from, &asked.to_bytes(), to)?;
    let headers = bridged.headers;
    let mut document = Document::parse(bridged.body.into())?;
    let names = match to.dialect {
        Dialect::AnthropicMessages => MESSAGES,
        _ => RESPONSES,
    };
    document.apply(&Edit::Retain {
        pointer: String::new(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    })?;
    Ok((document, headers))
}

/// A vendor's count, whichever dialect it is in, as the client of `asked` reads it.
///
/// # Errors
/// The answer holds no count.
pub fn counted(asked: Operation, answer: &[u8]) -> Result<Vec<u8>, ApiError> {
    #[derive(Deserialize)]
    struct Count {
        input_tokens: u64,
    }
    let Count { input_tokens } =
        serde_json::from_slice(crate::json::unmarked(answer)).map_err(|_| {
            ApiError::new(
                ErrorKind::UpstreamFailed,
                "the vendor's answer holds no count of tokens",
            )
        })?;
    Ok(told(asked, input_tokens))
}

/// A count as the client of `asked` reads it.
pub fn told(asked: Operation, tokens: u64) -> Vec<u8> {
    match asked {
        Operation::InputTokens => {
            format!(r#"{{"object":"response.input_tokens","input_tokens":{tokens}}}"#)
        }
        _ => format!(r#"{{"input_tokens":{tokens}}}"#),
    }
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::bridge::Abilities;

    fn to(dialect: Dialect) -> Target<'static> {
        Target {
            dialect,
            family: "maker",
            model: "theirs",
            max_output_tokens: Some(4_096),
            default_output_tokens: None,
            abilities: Abilities {
                reasoning: true,
                mcp: true,
                ..Abilities::default()
            },
        }
    }

    fn counting(from: Dialect, dialect: Dialect, body: &Value) -> Value {
        let (asked, _) = count_request(from, body.to_string().as_bytes(), &to(dialect)).unwrap();
        serde_json::from_slice(&asked.to_bytes()).unwrap()
    }

    #[test]
    fn the_tools_of_a_server_are_counted_and_the_flag_that_they_are_behind_goes_along() {
        let body = json!({ "model": "mine", "input": "Go", "tools": [{ "type": "mcp", "server_label": "s",
            "server_url": "https://s.example", "require_approval": "never" }] });
        let to = to(Dialect::AnthropicMessages);
        let (asked, headers) =
            count_request(Dialect::OpenaiResponses, body.to_string().as_bytes(), &to).unwrap();
        assert!(asked.get("mcp_servers").is_some() && asked.get("tools").is_some());
        assert_eq!(
            headers.first().map(|header| header.0),
            Some("anthropic-beta")
        );
    }

    #[test]
    fn only_what_counting_takes_is_sent() {
        let body = json!({
            "model": "mine", "input": "How long am I?", "instructions": "Count.", "max_output_tokens": 100,
            "temperature": 0.5, "metadata": { "a": "b" }, "store": false, "service_tier": "auto", "user": "u",
        });
        let sent = counting(Dialect::OpenaiResponses, Dialect::AnthropicMessages, &body);
        let names: Vec<_> = sent.as_object().unwrap().keys().collect();
        assert_eq!(names, ["messages", "model", "system"], "{sent}");
        assert_eq!(sent["model"], "theirs");
        // No cap, as these requests have none; a budget for thinking all the same.
        let body = json!({
            "model": "mine", "system": "Count.", "messages": [{ "role": "user", "content": "How long am I?" }],
            "thinking": { "type": "enabled", "budget_tokens": 10_000 },
            "tools": [{ "name": "measure", "input_schema": { "type": "object" } }],
        });
        let sent = counting(Dialect::AnthropicMessages, Dialect::OpenaiResponses, &body);
        for name in ["input", "tools"] {
            assert!(sent[name].is_array(), "{sent}");
        }
        for name in ["max_output_tokens", "store", "include", "stream"] {
            assert!(sent.get(name).is_none(), "{name}: {sent}");
        }
    }

    #[test]
    fn a_count_is_told_as_its_client_reads_it_and_anything_else_is_a_failure() {
        let of = |asked, body: &str| {
            counted(asked, body.as_bytes()).map(|told| String::from_utf8(told).unwrap())
        };
        assert_eq!(
            of(Operation::InputTokens, r#"{"input_tokens":65}"#).unwrap(),
            r#"{"object":"response.input_tokens","input_tokens":65}"#
        );
        assert_eq!(
            of(
                Operation::CountTokens,
                r#"{"object":"response.input_tokens","input_tokens":16}"#
            )
            .unwrap(),
            r#"{"input_tokens":16}"#
        );
        for broken in ["", "{}", r#"{"input_tokens":-1}"#, "<html>"] {
            assert!(of(Operation::CountTokens, broken).is_err(), "{broken}");
        }
    }
}
