//! Reasoning that a client of Chat has in one text.

use serde_json::Value;

use super::damage::{event, message};
use super::plain;
use super::support::*;

/// The text of the reasoning, white space and all, whole and streamed: the same.
fn text_of(vendor: tollgate_dialect::Dialect, body: &str, sent: &str) -> String {
    let context = context(CHAT, vendor);
    let answer = whole(&context, body.as_bytes()).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let streamed = plain::whole_of_stream(CHAT, &stream(&context, sent.as_bytes())).unwrap();
    let said = |answer: &Value| answer["choices"][0]["message"]["reasoning_content"].clone();
    assert_eq!(said(&answer), said(&streamed));
    said(&answer).as_str().unwrap().to_owned()
}

#[test]
fn reasoning_that_nobody_can_read_leaves_no_blank_line_in_what_can_be_read() {
    let thinking = |text: &str| format!(r#"{{"type":"thinking","thinking":"{text}"}}"#);
    let redacted = r#"{"type":"redacted_thinking","data":"R"}"#.to_owned();
    let (one, two) = (thinking("T"), thinking("U"));
    let reasoning = |text: &str| {
        let summary = match text {
            "" => String::new(),
            text => format!(r#"{{"type":"summary_text","text":"{text}"}}"#),
        };
        format!(r#"{{"type":"reasoning","summary":[{summary}],"encrypted_content":"E"}}"#)
    };
    for (parts, expected) in [(["T", ""], "T"), (["", "T"], "T"), (["T", "U"], "T\n\nU")] {
        let blocks = parts.map(|part| match part {
            "" => redacted.clone(),
            "T" => one.clone(),
            _ => two.clone(),
        });
        let body = format!(
            r#"{{"content":[{}],"stop_reason":"end_turn"}}"#,
            blocks.join(",")
        );
        let mut events = Vec::new();
        for (at, block) in blocks.iter().enumerate() {
            events.push(format!(
                r#"{{"type":"content_block_start","index":{at},"content_block":{block}}}"#
            ));
            events.push(format!(r#"{{"type":"content_block_stop","index":{at}}}"#));
        }
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let sent = message(&events, "end_turn");
        assert_eq!(text_of(MESSAGES, &body, &sent), expected);
        let items = parts.map(reasoning);
        let body = format!(r#"{{"status":"completed","output":[{}]}}"#, items.join(","));
        let done = items.iter().enumerate().map(|(at, item)| {
            event(&format!(
                r#"{{"type":"response.output_item.done","output_index":{at},"item":{item}}}"#
            ))
        });
        let sent = done.collect::<String>()
            + &event(r#"{"type":"response.completed","response":{"output":[]}}"#);
        assert_eq!(text_of(RESPONSES, &body, &sent), expected);
    }
}
