//! Bodies that a vendor sends with the status 200, and that are no answers, or answers of an unusual form.

use serde_json::{Value, json};
use tollgate_dialect::{Dialect, Operation, UsageHints, first_event_failure, read_usage};

use super::grammar::{self, End};
use super::plain;
use super::support::*;

fn clients(vendor: Dialect) -> impl Iterator<Item = Dialect> {
    DIALECTS.into_iter().filter(move |client| *client != vendor)
}

/// The stream of a client whose vendor sent this body where a stream was asked for.
fn body_as_stream(client: Dialect, vendor: Dialect, body: &str) -> Vec<u8> {
    let mut bridge = bridge(&context(client, vendor));
    let mut out = Vec::new();
    bridge.whole(body.as_bytes(), &mut out);
    assert!(bridge.is_ended());
    out
}

fn assert_failure(vendor: Dialect, body: &str) {
    for client in clients(vendor) {
        let name = format!("{} {} {body}", short(vendor), short(client));
        assert!(
            whole(&context(client, vendor), body.as_bytes()).is_err(),
            "{name}"
        );
        let out = body_as_stream(client, vendor, body);
        assert_eq!(grammar::check(client, &out), Ok(End::Failed), "{name}");
    }
}

fn summary(client: Dialect, vendor: Dialect, body: &str) -> plain::Summary {
    let answer = whole(&context(client, vendor), body.as_bytes()).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let out = body_as_stream(client, vendor, body);
    assert_eq!(grammar::check(client, &out), Ok(End::Complete));
    let told = plain::summary(client, &answer);
    assert_eq!(plain::summary_of_stream(client, &out), Ok(told.clone()));
    told
}

#[test]
fn a_failure_that_is_called_a_success_is_no_empty_answer() {
    for body in [
        r#"{"id":"x","content":null,"output":null,"choices":null,"base_resp":{"status_code":1027,"status_msg":"sensitive"}}"#,
        r#"{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}"#,
        r#"{"success":false,"code":500,"msg":"x"}"#,
        r#"{"content":{},"output":{},"choices":{}}"#,
        r#"{"content":5,"output":"x","choices":"x"}"#,
        r#"{"choices":[{"index":0}]}"#,
        r#"{"choices":[{"index":0,"message":null,"finish_reason":"stop"}]}"#,
        r#"{"choices":[]}"#,
        "{}",
        "[]",
        "null",
        "\"x\"",
    ] {
        for vendor in DIALECTS {
            assert_failure(vendor, body);
        }
    }
}

#[test]
fn a_response_that_is_not_complete_by_its_status_is_a_failure() {
    let item = r#"{"type":"message","id":"m","content":[{"type":"output_text","text":"a"}]}"#;
    let body = |output: &str, status: &str| format!(r#"{{"id":"r","output":[{output}]{status}}}"#);
    for status in [
        "\"failed\"",
        "\"queued\"",
        "\"in_progress\"",
        "\"cancelled\"",
        "\"weather\"",
        "\"\"",
        "null",
        "5",
    ] {
        let status = format!(r#","status":{status}"#);
        assert_failure(RESPONSES, &body("", &status));
        assert_failure(RESPONSES, &body(item, &status));
    }
    assert_failure(RESPONSES, &body("", ""));
    let error = body(
        "",
        r#","status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"}"#,
    );
    let told = whole(&context(CHAT, RESPONSES), error.as_bytes()).unwrap_err();
    assert_eq!(told.kind, tollgate_dialect::ErrorKind::RateLimited);
    for client in [CHAT, MESSAGES] {
        for status in ["", r#","status":"completed""#] {
            let told = summary(client, RESPONSES, &body(item, status));
            assert_eq!((told.text.as_str(), told.stop), ("a", "turn"));
        }
        let told = summary(client, RESPONSES, &body(item, r#","status":"incomplete""#));
        assert_eq!(told.stop, "length");
        let told = summary(client, RESPONSES, &body("", r#","status":"completed""#));
        assert_eq!((told.text.as_str(), told.stop), ("", "turn"));
    }
}

#[test]
fn a_stream_whose_last_response_failed_or_was_cancelled_has_failed() {
    use super::damage::{event, failed, told};
    let text = event(
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}"#,
    );
    let end = |status: &str| {
        text.clone()
            + &event(&format!(
                r#"{{"type":"response.completed","response":{{"output":[]{status}}}}}"#
            ))
    };
    for client in [CHAT, MESSAGES] {
        failed(client, RESPONSES, &end(r#","status":"cancelled""#));
        let sent = end(
            r#","status":"failed","error":{"code":"server_error","message":"the model broke"}"#,
        );
        assert!(failed(client, RESPONSES, &sent).contains("the model broke"));
        for status in ["", r#","status":null"#, r#","status":"completed""#] {
            assert_eq!(told(client, RESPONSES, &end(status)).text, "a", "{status}");
        }
    }
}

#[test]
fn content_of_messages_that_is_a_text_is_one() {
    let body = r#"{"content":"A\n","stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"#;
    for client in [CHAT, RESPONSES] {
        let told = summary(client, MESSAGES, body);
        assert_eq!((told.text.as_str(), told.stop), ("A\n", "turn"));
    }
}

#[test]
fn a_body_that_begins_with_a_byte_order_mark_is_read() {
    for fixture in fixtures().iter().filter(|fixture| !fixture.streams) {
        let marked = [b"\xef\xbb\xbf", &fixture.bytes[..]].concat();
        for client in fixture.clients() {
            let context = context(client, fixture.vendor);
            let expected = whole(&context, &fixture.bytes);
            assert_eq!(whole(&context, &marked), expected, "{}", fixture.name);
        }
        let operation = plain::operation(fixture.vendor);
        let hints = UsageHints::default();
        assert_eq!(
            read_usage(operation, &marked, &hints),
            read_usage(operation, &fixture.bytes, &hints),
            "what it cost is known, too"
        );
    }
    let failure = "\u{feff}{\"error\":{\"code\":\"c\",\"message\":\"m\"}}";
    let told = first_event_failure(Operation::ChatCompletions, failure.as_bytes());
    assert_eq!(told, Some(("c".into(), "m".into())));
}

#[test]
fn what_a_chat_vendor_tells_of_its_cache_in_its_own_place_is_told_on() {
    let usage = json!({
        "prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105,
        "prompt_cache_hit_tokens": 60, "prompt_cache_miss_tokens": 40,
    });
    let body = json!({
        "choices": [{ "index": 0, "message": { "content": "a" }, "finish_reason": "stop" }],
        "usage": usage,
    });
    for client in [RESPONSES, MESSAGES] {
        let usage = summary(client, CHAT, &body.to_string()).usage.unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.output), (40, 60, 5));
    }
}
