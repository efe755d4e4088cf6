//! What is unfolded is collected again, and is what it was.

use std::path::Path;

use serde_json::{Value, json};

use super::unfold;
use crate::{Aggregator, Operation};

const FOLDERS: [(&str, Operation); 3] = [
    ("chat", Operation::ChatCompletions),
    ("messages", Operation::Messages),
    ("responses", Operation::Responses),
];

fn collected(operation: Operation, stream: &[u8]) -> Value {
    let mut aggregator = Aggregator::new(operation, 1 << 20);
    aggregator.push(stream).unwrap();
    serde_json::from_slice(&aggregator.finish().unwrap()).unwrap()
}

fn events(operation: Operation, answer: &Value) -> Vec<Value> {
    let stream = unfold(operation, answer.to_string().as_bytes(), true).unwrap();
    let stream = String::from_utf8(stream).unwrap();
    let data = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// Every whole answer among the golden files, of whatever vendor it stands for.
#[test]
fn every_answer_is_what_it_was_once_it_is_collected_again() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/answers");
    let mut seen = [0; 3];
    for (folder, _) in FOLDERS {
        for file in std::fs::read_dir(golden.join(folder)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let Some(stem) = name.strip_suffix(".json") else {
                continue;
            };
            let said = stem.rsplit_once('.').map_or(folder, |(_, dialect)| dialect);
            let place = FOLDERS.iter().position(|(folder, _)| *folder == said);
            let operation = FOLDERS[place.unwrap()].1;
            let answer: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let Some(stream) = unfold(operation, answer.to_string().as_bytes(), true) else {
                // A failure is no answer.
                assert!(answer.get("error").is_some(), "{name}");
                continue;
            };
            assert_eq!(collected(operation, &stream), answer, "{name}");
            seen[place.unwrap()] += 1;
        }
    }
    assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
}

#[test]
fn a_response_has_every_event_of_the_grammar_with_the_vendors_own_ids() {
    let answer = json!({
        "id": "resp_theirs", "object": "response", "status": "completed",
        "output": [
            { "id": "rs_1", "type": "reasoning", "summary": [{ "type": "summary_text", "text": "hm" }], "encrypted_content": "abc" },
            { "id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [
                { "type": "output_text", "text": "hello", "annotations": [{ "type": "url_citation", "url": "https://a.example" }], "logprobs": [] },
            ] },
            { "id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "now", "arguments": "{}", "status": "completed" },
            { "id": "ws_1", "type": "web_search_call", "status": "completed", "action": { "type": "search", "query": "q" } },
        ],
        "usage": { "input_tokens": 1, "output_tokens": 2, "total_tokens": 3 },
    });
    let events = events(Operation::Responses, &answer);
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| {
            event["type"]
                .as_str()
                .unwrap()
                .strip_prefix("response.")
                .unwrap()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.annotation.added",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "output_item.done",
            "completed",
        ]
    );
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    assert_eq!(events[8]["item"]["content"], json!([]));
    assert_eq!(events[8]["item"]["status"], "in_progress");
    assert_eq!(events[10]["item_id"], "msg_1");
    assert_eq!(events[16]["delta"], "{}");
    assert_eq!(events.last().unwrap()["response"], answer);
}

#[test]
fn what_is_no_answer_and_what_is_never_streamed_has_no_stream() {
    for (operation, body) in [
        (Operation::ChatCompletions, r#"{"error":{"message":"no"}}"#),
        (Operation::Messages, r#"{"type":"error","error":{}}"#),
        (Operation::Responses, r#"{"output":"text"}"#),
        (Operation::Responses, "[]"),
        (Operation::Responses, "<html>"),
        (Operation::Embeddings, r#"{"data":[]}"#),
    ] {
        assert_eq!(unfold(operation, body.as_bytes(), true), None, "{body}");
    }
}

#[test]
fn usage_is_told_in_a_chunk_of_its_own_to_whom_asked_for_it() {
    let answer = json!({ "id": "c", "choices": [{ "message": { "role": "assistant", "content": "x" }, "finish_reason": "stop" }], "usage": { "prompt_tokens": 1 } });
    let body = answer.to_string();
    let told = |usage| {
        let stream = unfold(Operation::ChatCompletions, body.as_bytes(), usage).unwrap();
        String::from_utf8(stream).unwrap().contains("prompt_tokens")
    };
    assert!(told(true) && !told(false));
}
