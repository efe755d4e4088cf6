//! A call that a cap on the output cut is not told as one that is complete: clients act on its last event.

use serde_json::Value;

use super::damage::message;
use super::support::*;

fn begun(at: usize, input: &str) -> String {
    format!(
        r#"{{"type":"content_block_start","index":{at},"content_block":{{"type":"tool_use","id":"c{at}","name":"n","input":{input}}}}}"#
    )
}

fn arguments(at: usize, escaped: &str) -> String {
    format!(
        r#"{{"type":"content_block_delta","index":{at},"delta":{{"type":"input_json_delta","partial_json":"{escaped}"}}}}"#
    )
}

fn ended(at: usize) -> String {
    format!(r#"{{"type":"content_block_stop","index":{at}}}"#)
}

/// Status and arguments of each call: as its last event says, and as the response does.
fn calls(events: &[String], reason: &str) -> Vec<(String, String)> {
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    let sent = message(&events, reason);
    let out = stream(&context(RESPONSES, MESSAGES), sent.as_bytes());
    let (mut done, mut last) = (Vec::new(), Vec::new());
    for data in text(&out)
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
    {
        let event: Value = serde_json::from_str(data).unwrap();
        match event["type"].as_str().unwrap() {
            "response.output_item.done" => done.push(event["item"].clone()),
            "response.completed" | "response.incomplete" => {
                last.extend(
                    event["response"]["output"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .cloned(),
                );
            }
            _ => {}
        }
    }
    assert_eq!(done, last);
    done.iter().map(said).collect()
}

fn said(item: &Value) -> (String, String) {
    let word = |name: &str| item[name].as_str().unwrap().to_owned();
    (word("status"), word("arguments"))
}

fn pair(status: &str, arguments: &str) -> (String, String) {
    (status.to_owned(), arguments.to_owned())
}

#[test]
fn a_call_that_the_cap_cut_is_incomplete() {
    let cut = [begun(0, "{}"), arguments(0, r#"{\"a\""#), ended(0)];
    assert_eq!(calls(&cut, "max_tokens"), [pair("incomplete", r#"{"a""#)]);
    // Before its first argument, too.
    let cut = [begun(0, "{}"), ended(0)];
    assert_eq!(calls(&cut, "max_tokens"), [pair("incomplete", "{}")]);
    assert_eq!(calls(&cut, "tool_use"), [pair("completed", "{}")]);
    // Whole arguments are a whole call, and so is one that something follows.
    let whole = [begun(0, "{}"), arguments(0, r#"{\"a\":1}"#), ended(0)];
    let one = pair("completed", r#"{"a":1}"#);
    assert_eq!(calls(&whole, "max_tokens"), std::slice::from_ref(&one));
    let two = [&whole[..], &[begun(1, "{}"), arguments(1, "{"), ended(1)]].concat();
    assert_eq!(
        calls(&two, "max_tokens"),
        [one.clone(), pair("incomplete", "{")]
    );
    let two = [begun(0, "{}"), ended(0), begun(1, r#"{"a":1}"#), ended(1)];
    assert_eq!(calls(&two, "max_tokens"), [pair("completed", "{}"), one]);
}

#[test]
fn pieces_of_a_call_are_told_at_once_and_its_end_when_something_follows() {
    let mut bridge = bridge(&context(RESPONSES, MESSAGES));
    let mut push = |event: &str| {
        let mut out = Vec::new();
        bridge.push(format!("data: {event}\n\n").as_bytes(), &mut out);
        text(&out).to_owned()
    };
    push(&begun(0, "{}"));
    assert!(push(&arguments(0, "{")).contains("function_call_arguments.delta"));
    assert_eq!(push(&ended(0)), "");
    let next = push(&begun(1, "{}"));
    let (done, added) = (
        next.find("output_item.done"),
        next.find("output_item.added"),
    );
    assert!(done.is_some() && done < added, "{next}");
    push(&arguments(1, "{}"));
    assert!(push(&ended(1)).contains("output_item.done"));
}

#[test]
fn the_last_call_of_a_whole_answer_that_the_cap_cut_is_incomplete() {
    let body = |reason: &str| {
        let block = |id: &str, input: &str| {
            format!(r#"{{"type":"tool_use","id":"{id}","name":"n","input":{input}}}"#)
        };
        let blocks = [block("a", r#"{"a":1}"#), block("b", r#"{"b":1}"#)].join(",");
        format!(r#"{{"type":"message","content":[{blocks}],"stop_reason":"{reason}"}}"#)
    };
    let statuses = |reason: &str| {
        let out = whole(&context(RESPONSES, MESSAGES), body(reason).as_bytes()).unwrap();
        let answer: Value = serde_json::from_slice(&out).unwrap();
        let items = answer["output"].as_array().unwrap();
        items
            .iter()
            .map(said)
            .map(|said| said.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(statuses("max_tokens"), ["completed", "incomplete"]);
    assert_eq!(statuses("tool_use"), ["completed", "completed"]);
}
