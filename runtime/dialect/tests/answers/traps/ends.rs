//! How an answer ends: failures, reasons to stop, usage, the last word.

use tollgate_dialect::Dialect;

use crate::damage::{chunk, event, failed, message, told};
use crate::grammar::{self, End};
use crate::support::*;

#[test]
fn an_error_event_becomes_a_failed_response() {
    let sent = message(
        &[r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#],
        "end_turn",
    );
    let told = failed(RESPONSES, MESSAGES, &sent);
    assert!(told.contains("event: response.failed\n") && told.contains("server_is_overloaded"));
    let sent =
        event(r#"{"type":"error","code":"rate_limit_exceeded","message":"slow","param":null}"#);
    assert!(failed(MESSAGES, RESPONSES, &sent).contains("rate_limit_error"));
    assert!(
        !failed(CHAT, RESPONSES, &sent).contains("[DONE]"),
        "the client must notice"
    );
}

#[test]
fn what_a_failed_response_cost_is_told() {
    let sent = event(
        r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"m"},"usage":{"input_tokens":5,"output_tokens":1}}}"#,
    );
    failed(MESSAGES, RESPONSES, &sent);
    let sent = event(r#"{"type":"response.output_text.delta","output_index":0,"delta":"a"}"#)
        + &event(
            r#"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":5,"output_tokens":1}}}"#,
        );
    let told = told(MESSAGES, RESPONSES, &sent);
    assert_eq!((told.usage.unwrap().input, told.stop), (5, "length"));
}

#[test]
fn usage_stands_where_the_vendor_tells_it_last() {
    let sent = event(
        r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":0,"output_tokens":0}}}"#,
    ) + &event(
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":42,"output_tokens":7,"cache_read_input_tokens":3}}"#,
    ) + &event(r#"{"type":"message_stop"}"#);
    for client in [CHAT, RESPONSES] {
        let usage = told(client, MESSAGES, &sent).usage.unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.output), (42, 3, 7));
    }
    // Beside the finish_reason, within the choice, or twice: the last one counts.
    for end in [
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":42,"completion_tokens":7}}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":42,"completion_tokens":7}}]}"#,
    ] {
        let sent = chunk(r#"{"content":"a"}"#)
            + &event(r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#)
            + &event(end)
            + "data: [DONE]\n\n";
        for client in [RESPONSES, MESSAGES] {
            let usage = told(client, CHAT, &sent).usage.unwrap();
            assert_eq!((usage.input, usage.output), (42, 7));
        }
    }
}

#[test]
fn usage_that_the_client_did_not_ask_for_is_not_shown() {
    let mut context = context(CHAT, MESSAGES);
    context.include_usage = false;
    let out = stream(&context, message(&[], "end_turn").as_bytes());
    assert_eq!(grammar::check(CHAT, &out), Ok(End::Complete));
    assert!(!text(&out).contains("usage"));
}

#[test]
fn two_finishes_are_one_and_words_that_are_none_do_not_count() {
    let sent = event(r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"null"}]}"#)
        + &event(r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"length"}]}"#)
        + &event(
            r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#,
        )
        + "data: [DONE]\n\n";
    for client in [RESPONSES, MESSAGES] {
        assert_eq!(told(client, CHAT, &sent).stop, "length");
    }
}

#[test]
fn a_stop_sequence_that_is_the_clients_is_named() {
    let sent = |reason: &str| {
        chunk(r#"{"content":"a"}"#)
            + &event(&format!(
                r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop","stop_reason":{reason}}}]}}"#
            ))
            + "data: [DONE]\n\n"
    };
    let out = stream(&context(MESSAGES, CHAT), sent("\"END\"").as_bytes());
    assert!(text(&out).contains(r#""stop_reason":"stop_sequence","stop_sequence":"END""#));
    for other in ["\"<|eot|>\"", "128009", "null"] {
        let out = stream(&context(MESSAGES, CHAT), sent(other).as_bytes());
        assert!(text(&out).contains(r#""stop_reason":"end_turn","stop_sequence":null"#));
    }
}

#[test]
fn a_last_snapshot_that_leaves_items_out_repeats_nothing() {
    let said = |item: &str, deltas: &str| {
        event(r#"{"type":"response.created","response":{}}"#)
            + &event(&format!(
                r#"{{"type":"response.output_item.added","output_index":1,"item":{item}}}"#
            ))
            + deltas
            + &event(&format!(
                r#"{{"type":"response.output_item.done","output_index":1,"item":{item}}}"#
            ))
            + &event(&format!(
                r#"{{"type":"response.completed","response":{{"status":"completed","output":[{item}]}}}}"#
            ))
    };
    let message = r#"{"type":"message","id":"m1","role":"assistant","content":[{"type":"output_text","text":"Hello","annotations":[]}]}"#;
    let delta = event(
        r#"{"type":"response.output_text.delta","output_index":1,"item_id":"m1","content_index":0,"delta":"Hello"}"#,
    );
    let call = r#"{"type":"function_call","id":"f1","call_id":"c1","name":"f","arguments":"{}"}"#;
    for client in [CHAT, MESSAGES] {
        assert_eq!(
            told(client, RESPONSES, &said(message, &delta)).text,
            "Hello"
        );
        assert_eq!(told(client, RESPONSES, &said(call, "")).calls.len(), 1);
    }
}

fn run(client: Dialect, vendor: Dialect, sent: &str) -> String {
    text(&stream(&context(client, vendor), sent.as_bytes())).to_owned()
}

/// As the page says: none in Chat Completions, null in Responses, zeros in Messages, which demands some.
#[test]
fn a_vendor_that_tells_no_usage_leaves_none_to_tell() {
    let chat = chunk(r#"{"content":"a"}"#)
        + &event(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#)
        + "data: [DONE]\n\n";
    let messages = event(r#"{"type":"message_start","message":{"id":"m"}}"#)
        + &event(
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}"#,
        )
        + &event(r#"{"type":"content_block_stop","index":0}"#)
        + &event(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#)
        + &event(r#"{"type":"message_stop"}"#);
    let told = run(RESPONSES, CHAT, &chat);
    assert!(
        told.contains("event: response.completed") && told.contains("\"usage\":null"),
        "{told}"
    );
    let told = run(MESSAGES, CHAT, &chat);
    assert!(
        told.contains("message_stop") && told.contains("\"output_tokens\":0"),
        "{told}"
    );
    let told = run(CHAT, MESSAGES, &messages);
    assert!(
        told.contains("[DONE]") && !told.contains("prompt_tokens"),
        "{told}"
    );
}

/// Some clients know only the one event, some only the other; nothing comes behind them.
#[test]
fn a_failed_responses_stream_ends_in_an_error_and_a_failed_response() {
    let sent = chunk(r#"{"content":"a"}"#)
        + &event(r#"{"error":{"message":"gone","type":"server_error"}}"#)
        + &chunk(r#"{"content":"b"}"#)
        + "data: [DONE]\n\n";
    let told = run(RESPONSES, CHAT, &sent);
    let names: Vec<_> = told
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    assert!(names.ends_with(&["error", "response.failed"]), "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "error").count(), 1);
    assert!(!run(MESSAGES, CHAT, &sent).contains("message_stop"));
}
