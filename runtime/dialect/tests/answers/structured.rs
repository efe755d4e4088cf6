//! Answers that follow the client's schema by a tool that the vendor was made to call: a client parses the content.

use serde_json::Value;
use tollgate_dialect::Dialect;

use super::damage::message;
use super::grammar::{self, End};
use super::plain::{self, Summary};
use super::support::*;

const CLIENTS: [Dialect; 2] = [CHAT, RESPONSES];

/// A block of the vendor's: text, or a call with this input.
#[derive(Clone, Copy)]
enum Block {
    Text(&'static str),
    Call(&'static str, &'static str),
}
use Block::{Call, Text};

const ANSWER: &str = "answer_schema";

fn context_of(client: Dialect) -> tollgate_dialect::bridge::Context {
    let mut context = context(client, MESSAGES);
    context.structured_tool = Some(ANSWER.to_owned());
    context
}

fn body(blocks: &[Block], reason: &str) -> String {
    let blocks: Vec<String> = blocks
        .iter()
        .enumerate()
        .map(|(at, block)| match block {
            Text(text) => format!(r#"{{"type":"text","text":"{text}"}}"#),
            Call(name, input) => {
                format!(r#"{{"type":"tool_use","id":"t{at}","name":"{name}","input":{input}}}"#)
            }
        })
        .collect();
    format!(
        r#"{{"content":[{}],"stop_reason":"{reason}"}}"#,
        blocks.join(",")
    )
}

fn events(blocks: &[Block], reason: &str) -> String {
    let mut events = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let (start, delta) = match block {
            Text(text) => (
                r#"{"type":"text","text":""}"#.to_owned(),
                format!(r#"{{"type":"text_delta","text":"{text}"}}"#),
            ),
            Call(name, input) => {
                // No input is told by no delta.
                let input = if *input == "{}" { "" } else { input };
                (
                    format!(r#"{{"type":"tool_use","id":"t{at}","name":"{name}","input":{{}}}}"#),
                    format!(
                        r#"{{"type":"input_json_delta","partial_json":{}}}"#,
                        serde_json::to_string(input).unwrap()
                    ),
                )
            }
        };
        events.push(format!(
            r#"{{"type":"content_block_start","index":{at},"content_block":{start}}}"#
        ));
        events.push(format!(
            r#"{{"type":"content_block_delta","index":{at},"delta":{delta}}}"#
        ));
        events.push(format!(r#"{{"type":"content_block_stop","index":{at}}}"#));
    }
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    message(&events, reason)
}

/// What a client is told, whole and streamed: the same.
fn told(client: Dialect, blocks: &[Block], reason: &str) -> Summary {
    let context = context_of(client);
    let answer = whole(&context, body(blocks, reason).as_bytes()).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    grammar::check_whole(client, &answer).unwrap();
    let out = stream(&context, events(blocks, reason).as_bytes());
    assert_eq!(grammar::check(client, &out), Ok(End::Complete));
    let mut streamed = plain::summary_of_stream(client, &out).unwrap();
    let answer = plain::summary(client, &answer);
    streamed.usage = answer.usage;
    assert_eq!(streamed, answer);
    answer
}

#[test]
fn an_answer_by_tool_is_the_arguments_of_its_first_call_and_nothing_else() {
    let one = Call(ANSWER, r#"{"x":1}"#);
    let two = Call(ANSWER, r#"{"x":2}"#);
    for (blocks, expected) in [
        (&[one][..], r#"{"x":1}"#),
        (&[Call(ANSWER, "{}")], "{}"),
        (&[Text("Let me answer"), one], r#"{"x":1}"#),
        (&[Text("Let me "), Text("answer"), one], r#"{"x":1}"#),
        (&[Text("So"), Call(ANSWER, "{}")], "{}"),
        (&[one, Text("Done.")], r#"{"x":1}"#),
        (&[one, two], r#"{"x":1}"#),
        (&[Text("So"), one, Text("or"), two], r#"{"x":1}"#),
    ] {
        for client in CLIENTS {
            let told = told(client, blocks, "tool_use");
            assert_eq!(told.text, expected);
            assert_eq!((told.stop, told.calls.len()), ("turn", 0));
        }
    }
}

#[test]
fn a_text_without_the_tool_is_told_for_it_is_all_there_is() {
    for client in CLIENTS {
        let words = told(client, &[Text("I will "), Text("not.")], "end_turn");
        assert_eq!(words.text, "I will not.");
        let cut = told(client, &[Text("Let me")], "max_tokens");
        assert_eq!((cut.text.as_str(), cut.stop), ("Let me", "length"));
        let called = told(
            client,
            &[Text("Let me look."), Call("look", r#"{"at":1}"#)],
            "tool_use",
        );
        assert_eq!(called.text, "Let me look.");
        assert_eq!((called.calls.len(), called.stop), (1, "calls"));
    }
}

#[test]
fn a_text_that_waits_for_the_tool_counts_for_the_limit() {
    use std::sync::Arc;
    use tollgate_dialect::{UsageHints, bridge::StreamBridge};
    let piece = super::damage::event(&format!(
        r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{}"}}}}"#,
        "x".repeat(1000)
    ));
    for client in CLIENTS {
        let hints = Arc::new(UsageHints::default());
        let mut bridge = StreamBridge::new(context_of(client), stamp(), hints, 20_000);
        let (mut out, mut pushed) = (Vec::new(), 0);
        while !bridge.is_ended() {
            bridge.push(piece.as_bytes(), &mut out);
            pushed += 1;
            assert!(pushed < 30);
        }
        assert!(pushed > 15 && text(&out).contains("larger than"));
    }
}
