//! Every kind in every dialect, and the wordings that clients act on.

use serde_json::{Value, json};

use super::*;

const KINDS: [ErrorKind; 25] = [
    ErrorKind::RateLimited,
    ErrorKind::QuotaExceeded,
    ErrorKind::LargerThanLimit,
    ErrorKind::WalletEmpty,
    ErrorKind::ModelNotFound,
    ErrorKind::EndpointForbidden,
    ErrorKind::AddressForbidden,
    ErrorKind::InvalidKey,
    ErrorKind::DeniedByPolicy,
    ErrorKind::Overloaded,
    ErrorKind::InvalidRequest,
    ErrorKind::Unsupported,
    ErrorKind::BodyTooLarge,
    ErrorKind::RequestTimeout,
    ErrorKind::TurnNotFound,
    ErrorKind::ConversationLocked,
    ErrorKind::AnswerNotFound,
    ErrorKind::NotFound,
    ErrorKind::MethodNotAllowed,
    ErrorKind::UpstreamRejected,
    ErrorKind::ContextLength,
    ErrorKind::ContentFiltered,
    ErrorKind::UpstreamTimeout,
    ErrorKind::UpstreamFailed,
    ErrorKind::Internal,
];

fn body(rendered: &Rendered) -> Value {
    serde_json::from_slice(&rendered.body).unwrap()
}

fn header<'a>(rendered: &'a Rendered, name: &str) -> Option<&'a str> {
    rendered
        .headers
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.as_str())
}

/// One line a kind: chat, responses, messages as `status type code`, and whether repeating is discouraged.
#[test]
fn the_table_is_what_clients_were_promised() {
    let mut table = String::new();
    for kind in KINDS {
        let error = ApiError::new(kind, "said");
        let cell = |dialect| {
            let rendered = render(dialect, &error, "id");
            let error = &body(&rendered)["error"];
            let code = error.get("code").map_or(String::new(), |code| {
                format!(" {}", code.as_str().unwrap_or("-"))
            });
            format!(
                "{} {}{code}",
                rendered.status,
                error["type"].as_str().unwrap()
            )
        };
        let retry = render(Dialect::OpenaiChat, &error, "id");
        table.push_str(&format!(
            "{kind:?} | {} | {} | {} | {}\n",
            cell(Dialect::OpenaiChat),
            cell(Dialect::OpenaiResponses),
            cell(Dialect::AnthropicMessages),
            header(&retry, "x-should-retry").unwrap_or("-"),
        ));
        assert_eq!(cell(Dialect::OpenaiChat), cell(Dialect::OpenaiEmbeddings));
    }
    let promised = include_str!("table.txt");
    assert_eq!(table, promised, "\n{table}");
}

#[test]
fn every_error_is_json_in_every_dialect_whatever_is_said() {
    for kind in KINDS {
        for dialect in Dialect::ALL {
            let mut error = ApiError::new(kind, "a \"quote\", a \\, a\nline, ü and \u{1}")
                .with_param("messages[0]");
            error.retry_after_ms = Some(1_001);
            error.resets_at = Some(5_000);
            let rendered = render(dialect, &error, "the-id");
            let body = body(&rendered);
            assert!(
                body["error"]["message"]
                    .as_str()
                    .unwrap()
                    .contains("a \"quote\", a \\, a\nline, ü and \u{1}")
            );
            assert_eq!(
                header(&rendered, "retry-after"),
                Some("2"),
                "whole seconds, rounded up"
            );
            assert_eq!(header(&rendered, "retry-after-ms"), Some("1001"));
            assert_eq!(header(&rendered, "content-type"), Some("application/json"));
            if dialect == Dialect::AnthropicMessages {
                assert_eq!(
                    (&body["type"], &body["request_id"]),
                    (&json!("error"), &json!("the-id"))
                );
            } else {
                assert_eq!(body["error"]["param"], "messages[0]");
            }
            let stream = stream_error(dialect, &error, "the-id", &StreamPosition::default());
            let text = std::str::from_utf8(&stream).unwrap();
            assert!(text.ends_with("\n\n") && !text.contains("[DONE]"));
            for line in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
                serde_json::from_str::<Value>(line).unwrap();
            }
        }
    }
}

#[test]
fn a_rate_limit_says_when_to_come_back_in_words_too() {
    let error =
        ApiError::new(ErrorKind::RateLimited, "Rate limit reached").with_retry_after_ms(6_200);
    for dialect in Dialect::ALL {
        assert_eq!(
            body(&render(dialect, &error, ""))["error"]["message"],
            "Rate limit reached. Please try again in 7s."
        );
    }
    let said = ApiError::new(ErrorKind::RateLimited, "Slow down, try again in 3s")
        .with_retry_after_ms(3_000);
    assert_eq!(
        body(&render(Dialect::OpenaiChat, &said, ""))["error"]["message"],
        "Slow down, try again in 3s"
    );
}

#[test]
fn a_used_up_limit_tells_codex_when_it_resets() {
    let error = ApiError::new(ErrorKind::QuotaExceeded, "Daily limit reached")
        .with_retry_after_ms(90_500)
        .with_resets_at(1_700_000_000_500);
    let rendered = render(Dialect::OpenaiResponses, &error, "");
    let error_body = &body(&rendered)["error"];
    assert_eq!(error_body["type"], "usage_limit_reached");
    assert_eq!(
        (&error_body["resets_at"], &error_body["resets_in_seconds"]),
        (&json!(1_700_000_001u64), &json!(91))
    );
    assert_eq!(header(&rendered, "retry-after"), Some("91"));
    assert!(
        body(&render(Dialect::OpenaiChat, &error, ""))["error"]
            .get("resets_at")
            .is_none()
    );
}

#[test]
fn an_overlong_prompt_is_told_in_the_words_claude_code_acts_on() {
    let said = |message: &str| {
        let error = ApiError::new(ErrorKind::ContextLength, message);
        body(&render(Dialect::AnthropicMessages, &error, ""))["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        said("prompt is too long: 9 tokens > 8 maximum"),
        "prompt is too long: 9 tokens > 8 maximum"
    );
    assert_eq!(
        said(
            "This model's maximum context length is 8192 tokens. However, you requested 9,000 tokens."
        ),
        "prompt is too long: 9000 tokens > 8192 maximum"
    );
    assert_eq!(
        said("too many tokens for gpt-4096"),
        "prompt is too long: too many tokens for gpt-4096"
    );
    let error = ApiError::new(ErrorKind::ContextLength, "too long");
    assert_eq!(
        body(&render(Dialect::OpenaiResponses, &error, ""))["error"]["code"],
        "context_length_exceeded"
    );
}

#[test]
fn a_stream_ends_in_the_failure_events_of_its_dialect() {
    let error = ApiError::new(ErrorKind::Overloaded, "gone");
    let position = StreamPosition {
        next_sequence: 7,
        response_id: Some("resp_1".into()),
        mid_event: true,
    };
    let stream = |dialect| {
        String::from_utf8(stream_error(dialect, &error, "id", &position).to_vec()).unwrap()
    };

    let chat = stream(Dialect::OpenaiChat);
    assert!(
        chat.starts_with("\n\ndata: {\"error\":{"),
        "the cut event is ended first"
    );

    let messages = stream(Dialect::AnthropicMessages);
    assert!(messages.starts_with(
        "\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\""
    ));

    let responses = stream(Dialect::OpenaiResponses);
    let events: Vec<Value> = responses
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 2);
    assert_eq!(
        (&events[0]["type"], &events[0]["sequence_number"]),
        (&json!("error"), &json!(7))
    );
    assert_eq!(events[0]["error"]["code"], "server_is_overloaded");
    assert_eq!(
        (&events[1]["type"], &events[1]["sequence_number"]),
        (&json!("response.failed"), &json!(8))
    );
    assert_eq!(events[1]["response"]["id"], "resp_1");
    assert_eq!(
        events[1]["response"]["error"],
        json!({"code": "server_is_overloaded", "message": "gone"})
    );
    for event in ["event: error\n", "event: response.failed\n"] {
        assert!(responses.contains(event));
    }
}

/// The code of the failed response that a stream ends with.
fn code(kind: ErrorKind) -> String {
    let events = stream_error(
        Dialect::OpenaiResponses,
        &ApiError::new(kind, ""),
        "",
        &StreamPosition::default(),
    );
    let text = String::from_utf8(events.to_vec()).unwrap();
    let failed: Value = serde_json::from_str(
        text.lines()
            .rfind(|line| !line.is_empty())
            .unwrap()
            .strip_prefix("data: ")
            .unwrap(),
    )
    .unwrap();
    failed["response"]["error"]["code"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_key_that_is_revoked_in_a_stream_is_not_told_as_a_fault_of_the_prompt() {
    let error = ApiError::new(ErrorKind::InvalidKey, "the API key was revoked");
    assert_eq!(code(ErrorKind::InvalidKey), "invalid_api_key");
    let (told, failed) = response_errors(&error);
    let told = [b"{", &*told, b"}"].concat();
    let event: Value = serde_json::from_slice(&told).unwrap();
    let nested = event["error"].to_string().into_bytes();
    for error in [told, nested, failed] {
        let error: Value = serde_json::from_slice(&error).unwrap();
        assert_eq!(error["code"], "invalid_api_key");
        assert_eq!(error["message"], "the API key was revoked");
    }
}

#[test]
fn codex_does_not_repeat_what_would_fail_again() {
    for kind in [
        ErrorKind::DeniedByPolicy,
        ErrorKind::UpstreamRejected,
        ErrorKind::ContentFiltered,
    ] {
        assert_eq!(code(kind), "invalid_prompt");
    }
    assert_eq!(code(ErrorKind::QuotaExceeded), "insufficient_quota");
    assert_eq!(code(ErrorKind::ContextLength), "context_length_exceeded");
    assert_eq!(code(ErrorKind::RateLimited), "rate_limit_exceeded");
    assert_eq!(code(ErrorKind::UpstreamFailed), "upstream_error");
}

/// The SDK's runner of tools begins a thread by itself, and goes on without one only when it reads this.
#[test]
fn a_thread_that_cannot_be_is_refused_so_that_the_sdk_goes_on_without() {
    let refused = |param| {
        let error = ApiError::new(ErrorKind::Unsupported, "said").with_param(param);
        body(&render(Dialect::AnthropicMessages, &error, "id"))["error"]["details"].clone()
    };
    assert_eq!(
        refused("thread"),
        json!({"error_code": "thread_unsupported_request", "unsupported": ["thread"]})
    );
    assert_eq!(refused("container"), Value::Null);
}
