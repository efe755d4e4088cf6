//! Streams of our own writing, whole and in pieces, and recorded ones where they are at hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::stream::{Ended, StreamTap};
use crate::{UsageHints, read_usage};

const LIMIT: usize = 1 << 20;

fn collect(operation: Operation, stream: &[u8], chunk: usize) -> Result<Value, Incomplete> {
    let mut aggregator = Aggregator::new(operation, LIMIT);
    for chunk in stream.chunks(chunk) {
        aggregator.push(chunk)?;
    }
    Ok(serde_json::from_slice(&aggregator.finish()?).unwrap())
}

/// Events as their vendor frames them.
fn framed(operation: Operation, events: &[Value]) -> String {
    let event = |event: &Value| match operation {
        Operation::ChatCompletions => format!("data: {event}\n\n"),
        _ => format!(
            "event: {}\ndata: {event}\n\n",
            event["type"].as_str().unwrap()
        ),
    };
    let done = if operation == Operation::ChatCompletions {
        "data: [DONE]\n\n"
    } else {
        ""
    };
    events.iter().map(event).collect::<String>() + done
}

fn answer(operation: Operation, events: &[Value]) -> Result<Value, Incomplete> {
    let stream = framed(operation, events);
    collect(operation, stream.as_bytes(), stream.len())
}

/// One choice's message from its deltas.
fn message(deltas: &[Value]) -> Value {
    let chunks: Vec<Value> = deltas
        .iter()
        .map(|delta| json!({ "choices": [{ "index": 0, "delta": delta }] }))
        .collect();
    answer(Operation::ChatCompletions, &chunks).unwrap()["choices"][0]["message"].clone()
}

fn chat_stream() -> Vec<Value> {
    let head = |rest: Value| {
        let mut chunk = json!({ "id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m", "obfuscation": "x", "usage": null });
        chunk
            .as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        chunk
    };
    let prob =
        |token: &str| json!({ "content": [{ "token": token, "logprob": -0.5 }], "refusal": null });
    vec![
        json!({ "id": "", "model": "", "choices": [], "prompt_filter_results": [{ "prompt_index": 0 }] }),
        head(
            json!({ "choices": [{ "index": 1, "delta": { "role": "assistant", "content": null, "refusal": null }, "finish_reason": null }] }),
        ),
        head(
            json!({ "choices": [{ "index": 0, "delta": { "role": "assistant", "content": "" }, "logprobs": null, "finish_reason": null }] }),
        ),
        head(json!({ "choices": [{ "index": 0, "delta": { "reasoning_content": "Well" } }] })),
        head(json!({ "choices": [{ "index": 0, "delta": { "reasoning_content": "…" } }] })),
        head(
            json!({ "choices": [{ "index": 0, "delta": { "content": "Grüß" }, "logprobs": prob("Grüß") }] }),
        ),
        head(
            json!({ "choices": [{ "index": 0, "delta": { "content": " Gott" }, "logprobs": prob(" Gott") }, { "index": 1, "delta": { "refusal": "N" } }] }),
        ),
        head(
            json!({ "choices": [{ "index": 1, "delta": { "refusal": "o" }, "finish_reason": "content_filter", "content_filter_results": { "hate": true } }] }),
        ),
        head(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] })),
        head(
            json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 2 }, "service_tier": "default" }),
        ),
    ]
}

#[test]
fn a_chat_stream_becomes_its_choices_with_all_they_carry() {
    let logprobs = json!({ "content": [{ "token": "Grüß", "logprob": -0.5 }, { "token": " Gott", "logprob": -0.5 }], "refusal": null });
    let whole = json!({
        "id": "c1", "object": "chat.completion", "created": 7, "model": "m", "service_tier": "default",
        "usage": { "prompt_tokens": 3, "completion_tokens": 2 }, "prompt_filter_results": [{ "prompt_index": 0 }],
        "choices": [
            { "index": 0, "finish_reason": "stop", "logprobs": logprobs,
              "message": { "role": "assistant", "content": "Grüß Gott", "reasoning_content": "Well…" } },
            { "index": 1, "finish_reason": "content_filter", "content_filter_results": { "hate": true },
              "message": { "role": "assistant", "content": null, "refusal": "No" } },
        ],
    });
    assert_eq!(
        answer(Operation::ChatCompletions, &chat_stream()),
        Ok(whole)
    );
}

#[test]
fn tool_calls_are_put_together_from_whatever_pieces_vendors_send() {
    let call = |id: &str, name: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } });
    let piece = |rest: Value| json!({ "tool_calls": [rest] });
    // By index, interleaved.
    let both = message(&[
        piece(
            json!({ "index": 0, "id": "a", "type": "function", "function": { "name": "f", "arguments": "" } }),
        ),
        piece(
            json!({ "index": 1, "id": "b", "type": "function", "function": { "name": "g", "arguments": "{" } }),
        ),
        piece(json!({ "index": 0, "function": { "arguments": "{\"x\"" } })),
        piece(json!({ "index": 1, "function": { "arguments": "}" } })),
        piece(json!({ "index": 0, "function": { "arguments": ":1}" } })),
    ]);
    assert_eq!(
        both,
        json!({ "role": "assistant", "content": null, "tool_calls": [call("a", "f", "{\"x\":1}"), call("b", "g", "{}")] })
    );
    // The same id again with an empty name; no index at all; a bare piece.
    let again = message(&[
        piece(
            json!({ "id": "a", "type": "function", "function": { "name": "f", "arguments": "" } }),
        ),
        piece(
            json!({ "id": "a", "type": "function", "function": { "name": "", "arguments": "{\"x\":" } }),
        ),
        piece(json!({ "function": { "arguments": "1}" } })),
        piece(
            json!({ "id": "b", "type": "function", "function": { "name": "g", "arguments": "{}" } }),
        ),
    ]);
    assert_eq!(again["tool_calls"], both["tool_calls"]);
    // The name last, with the id or behind it, with an index and without.
    for (first, second) in [
        (
            json!({ "index": 0, "id": "a", "function": { "name": null, "arguments": "{\"x\"" } }),
            json!({ "index": 0, "function": { "name": "f", "arguments": ":1}" } }),
        ),
        (
            json!({ "id": "a", "type": "function", "function": { "arguments": "{\"x\"" } }),
            json!({ "function": { "name": "f", "arguments": ":1}" } }),
        ),
        (
            json!({ "function": { "arguments": "{\"x\"" } }),
            json!({ "id": "a", "function": { "name": "f", "arguments": ":1}" } }),
        ),
    ] {
        let late = message(&[piece(first), piece(second)]);
        assert_eq!(late["tool_calls"], json!([call("a", "f", "{\"x\":1}")]));
    }
    // The id behind the name, which comes again with it; an empty id is none.
    for first in [
        json!({ "index": 0, "function": { "name": "f", "arguments": "" } }),
        json!({ "index": 0, "id": null, "function": { "name": "f", "arguments": "" } }),
        json!({ "index": 0, "id": "", "function": { "name": "f", "arguments": "" } }),
    ] {
        let second =
            json!({ "index": 0, "id": "a", "function": { "name": "f", "arguments": "{}" } });
        let late = message(&[piece(first), piece(second)]);
        assert_eq!(late["tool_calls"], json!([call("a", "f", "{}")]));
    }
    // The name in pieces, or again with each piece.
    for (first, second) in [("get_", "weather"), ("get_weather", "get_weather")] {
        let named = message(&[
            piece(json!({ "index": 0, "id": "a", "function": { "name": first, "arguments": "" } })),
            piece(json!({ "index": 0, "function": { "name": second, "arguments": "{" } })),
            piece(json!({ "index": 0, "function": { "arguments": "}" } })),
        ]);
        assert_eq!(named["tool_calls"], json!([call("a", "get_weather", "{}")]));
    }
    // Every call at index 0, arguments as an object; a tool that takes nothing; a custom tool.
    let zeros = message(&[
        piece(
            json!({ "index": 0, "id": "a", "type": "function", "function": { "name": "f", "arguments": { "x": 1 } } }),
        ),
        piece(json!({ "index": 0, "id": "b", "function": { "name": "g" } })),
        piece(
            json!({ "index": 0, "id": "c", "type": "custom", "custom": { "name": "h", "input": "*** " } }),
        ),
        piece(json!({ "index": 0, "id": "c", "custom": { "input": "Begin" } })),
    ]);
    let custom =
        json!({ "id": "c", "type": "custom", "custom": { "name": "h", "input": "*** Begin" } });
    assert_eq!(
        zeros["tool_calls"],
        json!([call("a", "f", "{\"x\":1}"), call("b", "g", ""), custom])
    );
    let legacy = message(&[
        json!({ "function_call": { "name": "f", "arguments": "{" } }),
        json!({ "function_call": { "arguments": "}" } }),
    ]);
    assert_eq!(
        legacy["function_call"],
        json!({ "name": "f", "arguments": "{}" })
    );
}

#[test]
fn what_has_no_index_is_the_one_at_its_place_and_a_call_the_one_that_it_names() {
    let chunk = |choices: Value| json!({ "choices": choices });
    let both = answer(
        Operation::ChatCompletions,
        &[
            chunk(json!([{ "delta": { "content": "O" } }, { "delta": { "content": "T" } }])),
            chunk(json!([{ "delta": { "content": "ne" } }, { "delta": { "content": "wo" } }])),
            // One that says which it is, behind one that does not; and one alone.
            chunk(json!([{ "delta": {} }, { "index": 1, "delta": {}, "finish_reason": "length" }])),
            chunk(json!([{ "delta": {}, "finish_reason": "stop" }])),
        ],
    );
    let choice = |index: u64, text: &str, reason: &str| json!({ "index": index, "finish_reason": reason, "message": { "role": "assistant", "content": text } });
    assert_eq!(
        both.unwrap()["choices"],
        json!([choice(0, "One", "stop"), choice(1, "Two", "length")])
    );
    let call = |id: &str, name: &str| json!({ "id": id, "type": "function", "function": { "name": name, "arguments": "{}" } });
    let told = json!([call("a", "f"), call("b", "g")]);
    // Several at once, each with its id; without ids, each with its name; a bare piece goes on with the last.
    assert_eq!(
        message(&[json!({ "tool_calls": told })])["tool_calls"],
        told
    );
    let nameless = |name: &str, arguments: &str| json!({ "type": "function", "function": { "name": name, "arguments": arguments } });
    let without_ids = message(&[
        json!({ "tool_calls": [nameless("f", "{}"), nameless("g", "{")] }),
        json!({ "tool_calls": [{ "function": { "arguments": "}" } }] }),
    ]);
    assert_eq!(
        without_ids["tool_calls"],
        json!([nameless("f", "{}"), nameless("g", "{}")])
    );
}

#[test]
fn members_of_vendors_survive_in_a_chat_message() {
    let text = |text: &str| json!({ "type": "text", "text": text });
    let parts = message(&[
        json!({ "content": [{ "type": "thinking", "thinking": [text("So")] }] }),
        json!({ "content": [{ "type": "thinking", "thinking": [text(" far")] }] }),
        json!({ "content": "An" }),
        json!({ "content": "swer" }),
    ]);
    assert_eq!(
        parts["content"],
        json!([{ "type": "thinking", "thinking": [text("So far")] }, text("Answer")])
    );
    let text_first = message(&[
        json!({ "content": "An" }),
        json!({ "content": [text("swer"), { "type": "reference", "ids": [1] }] }),
    ]);
    assert_eq!(
        text_first["content"],
        json!([text("Answer"), { "type": "reference", "ids": [1] }])
    );
    let detail =
        |index: u64, text: &str| json!({ "type": "reasoning.text", "index": index, "text": text });
    let sealed = json!({ "type": "reasoning.encrypted", "index": 0, "data": "AA==" });
    let marked = message(&[
        json!({ "reasoning": "a", "channel": "analysis", "reasoning_details": [detail(0, "a")] }),
        json!({ "reasoning": "b", "channel": "analysis", "reasoning_details": [detail(0, "b"), detail(1, "c")] }),
        json!({ "reasoning_details": [sealed], "annotations": [{ "type": "url_citation" }] }),
        json!({ "reasoning_details": [sealed], "annotations": [{ "type": "url_citation" }] }),
    ]);
    let details = json!([detail(0, "ab"), detail(1, "c"), sealed, sealed]);
    assert_eq!(
        (
            &marked["reasoning"],
            &marked["channel"],
            &marked["reasoning_details"]
        ),
        (&json!("ab"), &json!("analysis"), &details)
    );
    assert_eq!(marked["annotations"].as_array().unwrap().len(), 2);
}

#[test]
fn usage_hidden_in_a_choice_and_a_message_repeated_at_the_end_land_where_they_belong() {
    let end = json!({ "index": 0, "delta": {}, "finish_reason": "stop", "usage": { "prompt_tokens": 1 }, "message": { "content": "Hi" } });
    let deltas = [
        json!({ "choices": [{ "index": 0, "delta": { "content": "Hi" } }] }),
        json!({ "choices": [end] }),
    ];
    let with_deltas = answer(Operation::ChatCompletions, &deltas).unwrap();
    assert_eq!(
        with_deltas,
        answer(Operation::ChatCompletions, &deltas[1..])
            .map(|mut alone| {
                alone["choices"][0]["message"]["role"] = "assistant".into();
                alone
            })
            .unwrap()
    );
    assert_eq!(
        (
            &with_deltas["usage"],
            &with_deltas["choices"][0]["message"]["content"]
        ),
        (&json!({ "prompt_tokens": 1 }), &json!("Hi"))
    );
    assert_eq!(with_deltas["choices"][0].get("usage"), None);
}

fn responses_stream(output: Value) -> Vec<Value> {
    let item = |id: &str| json!({ "id": id, "type": "message", "content": [{ "type": "output_text", "text": id }] });
    vec![
        json!({ "type": "response.created", "response": { "id": "r", "object": "response", "status": "in_progress", "output": [], "tools": [1] } }),
        json!({ "type": "response.output_text.delta", "delta": "on" }),
        json!({ "type": "response.output_item.done", "output_index": 1, "item": item("two") }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item("one") }),
        json!({ "type": "response.completed", "response": { "id": "r", "object": "response", "status": "completed", "output": output, "usage": { "input_tokens": 1 } } }),
    ]
}

#[test]
fn a_responses_answer_is_that_of_its_terminal_event() {
    let told = answer(
        Operation::Responses,
        &responses_stream(json!([{ "id": "told" }])),
    )
    .unwrap();
    let whole = json!({ "id": "r", "object": "response", "status": "completed", "output": [{ "id": "told" }], "usage": { "input_tokens": 1 }, "tools": [1] });
    assert_eq!(told, whole);
    let mut stopped = responses_stream(json!([{ "id": "told" }]));
    stopped[4] = json!({ "type": "response.incomplete", "response": { "incomplete_details": { "reason": "max_output_tokens" } } });
    let stopped = answer(Operation::Responses, &stopped).unwrap();
    assert_eq!(
        (
            &stopped["status"],
            &stopped["id"],
            &stopped["output"][1]["id"]
        ),
        (&json!("incomplete"), &json!("r"), &json!("two"))
    );
}

#[test]
fn a_response_that_does_not_say_that_it_is_complete_is_what_its_event_says() {
    for (told, is) in [
        (json!(null), "completed"),
        (json!("in_progress"), "completed"),
        (json!("cancelled"), "cancelled"),
    ] {
        let mut events = responses_stream(json!([]));
        events[4]["response"]["status"] = told;
        let whole = answer(Operation::Responses, &events).unwrap();
        assert_eq!(whole["status"], is);
    }
}

#[test]
fn an_output_that_the_terminal_event_omits_is_rebuilt_in_order() {
    for empty in [json!([]), Value::Null] {
        let rebuilt = answer(Operation::Responses, &responses_stream(empty)).unwrap();
        let ids: Vec<_> = rebuilt["output"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, ["one", "two"]);
    }
}

fn messages_stream() -> Vec<Value> {
    let start = |index: u64, block: Value| json!({ "type": "content_block_start", "index": index, "content_block": block });
    let delta = |index: u64, delta: Value| json!({ "type": "content_block_delta", "index": index, "delta": delta });
    let opening = json!({ "type": "message_start", "message": {
        "id": "m", "type": "message", "role": "assistant", "model": "x", "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": 0, "cache_read_input_tokens": 9, "output_tokens": 1 },
    } });
    vec![
        opening,
        json!({ "type": "ping" }),
        json!({ "type": "message_start", "message": { "id": "once more" } }),
        start(
            0,
            json!({ "type": "thinking", "thinking": "", "signature": "" }),
        ),
        delta(0, json!({ "type": "thinking_delta", "thinking": "Hm" })),
        delta(0, json!({ "type": "thinking_delta", "thinking": "m" })),
        delta(0, json!({ "type": "signature_delta", "signature": "S==" })),
        json!({ "type": "content_block_stop", "index": 0 }),
        start(1, json!({ "type": "redacted_thinking", "data": "sealed" })),
        start(2, json!({ "type": "text", "text": "", "citations": [] })),
        delta(2, json!({ "type": "text_delta", "text": "Hel" })),
        delta(
            2,
            json!({ "type": "citations_delta", "citation": { "cited_text": "c" } }),
        ),
        delta(2, json!({ "type": "text_delta", "text": "lo" })),
        start(
            3,
            json!({ "type": "web_search_tool_result", "tool_use_id": "t", "content": [{ "url": "u" }] }),
        ),
        start(
            4,
            json!({ "type": "tool_use", "id": "t4", "name": "f", "input": {} }),
        ),
        delta(4, json!({ "type": "input_json_delta", "partial_json": "" })),
        start(
            5,
            json!({ "type": "tool_use", "id": "t5", "name": "g", "input": {} }),
        ),
        delta(
            5,
            json!({ "type": "input_json_delta", "partial_json": "{\"a\": [1," }),
        ),
        delta(
            5,
            json!({ "type": "input_json_delta", "partial_json": " 2]}" }),
        ),
        start(6, json!({ "type": "compaction", "content": null })),
        delta(6, json!({ "type": "compaction_delta", "content": "short" })),
        json!({
            "type": "message_delta", "delta": { "stop_reason": "tool_use", "stop_sequence": null },
            "usage": { "input_tokens": 5, "output_tokens": 20 }, "context_management": { "applied_edits": [] },
        }),
        json!({ "type": "message_stop" }),
    ]
}

#[test]
fn a_messages_stream_becomes_its_blocks_with_the_usage_of_its_end() {
    let whole = json!({
        "id": "m", "type": "message", "role": "assistant", "model": "x", "stop_reason": "tool_use", "stop_sequence": null,
        "usage": { "input_tokens": 5, "cache_read_input_tokens": 9, "output_tokens": 20 },
        "context_management": { "applied_edits": [] },
        "content": [
            { "type": "thinking", "thinking": "Hmm", "signature": "S==" },
            { "type": "redacted_thinking", "data": "sealed" },
            { "type": "text", "text": "Hello", "citations": [{ "cited_text": "c" }] },
            { "type": "web_search_tool_result", "tool_use_id": "t", "content": [{ "url": "u" }] },
            { "type": "tool_use", "id": "t4", "name": "f", "input": {} },
            { "type": "tool_use", "id": "t5", "name": "g", "input": { "a": [1, 2] } },
            { "type": "compaction", "content": "short" },
        ],
    });
    assert_eq!(answer(Operation::Messages, &messages_stream()), Ok(whole));
}

#[test]
fn a_broken_tool_input_is_an_error_unless_the_model_was_stopped_in_it() {
    let mut events = messages_stream();
    events.remove(18);
    assert!(matches!(
        answer(Operation::Messages, &events),
        Err(Incomplete::Unreadable(_))
    ));
    let end = events
        .iter_mut()
        .find(|event| event["type"] == "message_delta")
        .unwrap();
    end["delta"]["stop_reason"] = "max_tokens".into();
    let stopped = answer(Operation::Messages, &events).unwrap();
    assert_eq!(
        (&stopped["stop_reason"], &stopped["content"][5]["input"]),
        (&json!("max_tokens"), &json!({}))
    );
}

/// A small stream of each operation, and its frames.
fn small_streams() -> [(Operation, String); 3] {
    [
        (Operation::ChatCompletions, chat_stream()),
        (Operation::Responses, responses_stream(json!([]))),
        (Operation::Messages, messages_stream()),
    ]
    .map(|(operation, events)| (operation, framed(operation, &events)))
}

#[test]
fn every_split_of_a_stream_gives_the_same_answer() {
    for (operation, stream) in small_streams() {
        for stream in [
            stream.replace('\n', "\r\n"),
            format!("\u{feff}: hello\n\n{stream}"),
        ] {
            let stream = stream.as_bytes();
            let whole = collect(operation, stream, stream.len()).unwrap();
            for size in [1, 2, 3, 7, 64] {
                assert_eq!(
                    collect(operation, stream, size).unwrap(),
                    whole,
                    "{operation:?} by {size}"
                );
            }
            for cut in 1..stream.len() {
                let mut aggregator = Aggregator::new(operation, LIMIT);
                aggregator.push(&stream[..cut]).unwrap();
                aggregator.push(&stream[cut..]).unwrap();
                let answer: Value = serde_json::from_slice(&aggregator.finish().unwrap()).unwrap();
                assert_eq!(answer, whole, "{operation:?} cut at {cut}");
            }
        }
    }
}

#[test]
fn a_stream_without_its_end_is_cut_wherever_it_stops() {
    for (operation, stream) in small_streams() {
        let last = stream.trim_end().rfind("\n\n").unwrap() + 2;
        // A chat whose choices have all told why they finished is whole without `[DONE]`.
        let finished = stream
            .find("\"stop\"")
            .map_or(last, |at| at + stream[at..].find('\n').unwrap());
        for stop in 0..last {
            let collected = collect(operation, &stream.as_bytes()[..stop], LIMIT);
            if operation == Operation::ChatCompletions && stop >= finished {
                assert!(
                    collected.is_ok(),
                    "stops at {stop} of {finished}: {collected:?}"
                );
            } else {
                assert_eq!(
                    collected,
                    Err(Incomplete::Cut),
                    "{operation:?} stops at {stop}"
                );
            }
        }
        assert!(
            collect(operation, stream.trim_end().as_bytes(), LIMIT).is_ok(),
            "the blank line may be missing"
        );
        let junk = format!("{stream}data: not JSON\n\n");
        assert!(
            collect(operation, junk.as_bytes(), LIMIT).is_ok(),
            "what follows the end is of no interest"
        );
    }
    assert_eq!(
        collect(Operation::ChatCompletions, b"data: [DONE]\n\n", LIMIT),
        Err(Incomplete::Cut)
    );
}

#[test]
fn failures_are_told_as_the_vendor_told_them() {
    let chat = json!({ "error": { "code": 502, "message": "gone" } });
    let responses = json!({ "type": "response.failed", "response": { "status": "failed", "error": { "code": "slow_down", "message": "later" } } });
    let messages =
        json!({ "type": "error", "error": { "type": "overloaded_error", "message": "busy" } });
    for (operation, failure, code, message) in [
        (Operation::ChatCompletions, &chat, "502", "gone"),
        (Operation::Responses, &responses, "slow_down", "later"),
        (Operation::Messages, &messages, "overloaded_error", "busy"),
    ] {
        let (_, stream) = small_streams()
            .into_iter()
            .find(|(small, _)| *small == operation)
            .unwrap();
        let begun = &stream[..stream.find("\n\n").unwrap() + 2];
        let expected = Incomplete::Failed {
            code: code.into(),
            message: message.into(),
            data: failure.to_string().into(),
        };
        let mut aggregator = Aggregator::new(operation, LIMIT);
        aggregator.push(begun.as_bytes()).unwrap();
        assert_eq!(
            aggregator.push(format!("data: {failure}\n\n").as_bytes()),
            Err(expected.clone())
        );
        assert_eq!(
            aggregator.push(b"data: [DONE]\n\n"),
            Err(expected.clone()),
            "nothing mends it"
        );
        assert_eq!(aggregator.finish(), Err(expected.clone()));
        let unterminated = format!("{begun}data: {failure}");
        assert_eq!(
            collect(operation, unterminated.as_bytes(), LIMIT),
            Err(expected)
        );
    }
}

#[test]
fn what_cannot_be_read_says_where_and_not_what() {
    for (operation, bad) in [
        (Operation::ChatCompletions, "data: {\"secret\n\n"),
        (Operation::ChatCompletions, "data: \"secret\"\n\n"),
        (Operation::Messages, "data: {\"secret\":1}\n\n"),
        (
            Operation::Messages,
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"text\":\"secret\"}}\n\n",
        ),
        (
            Operation::Responses,
            "data: {\"type\":\"response.completed\",\"secret\":1}\n\n",
        ),
        (Operation::Embeddings, "data: {\"secret\":1}\n\n"),
    ] {
        let Err(Incomplete::Unreadable(why)) = collect(operation, bad.as_bytes(), LIMIT) else {
            panic!("{bad} was read")
        };
        assert!(!why.is_empty() && !why.contains("secret"), "{why}");
    }
}

#[test]
fn the_limit_is_on_what_is_held_and_not_on_what_passes() {
    let chunk = |text: &str| {
        framed(
            Operation::ChatCompletions,
            &[json!({ "id": "c", "choices": [{ "index": 0, "delta": { "content": text } }] })],
        )
    };
    let event = chunk("ab").replace("data: [DONE]\n\n", "");
    let mut aggregator = Aggregator::new(Operation::ChatCompletions, 1_000);
    for _ in 0..300 {
        aggregator.push(event.as_bytes()).unwrap();
    }
    let more = (0..500).find_map(|_| aggregator.push(event.as_bytes()).err());
    assert_eq!(more, Some(Incomplete::TooLarge));
    let mut unfinished = Aggregator::new(Operation::Responses, 1_000);
    let more = (0..1_000).find_map(|_| unfinished.push(b"data: ab").err());
    assert_eq!(more, Some(Incomplete::TooLarge));
}

fn recordings() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("TOLLGATE_RECORDINGS").map(PathBuf::from) {
        assert!(named.is_dir(), "TOLLGATE_RECORDINGS is no folder");
        return Some(named);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/recordings");
    beside.is_dir().then_some(beside)
}

#[test]
fn recorded_streams_aggregate_to_what_the_side_reader_saw() {
    let Some(folder) = recordings() else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let operation = match name.split('.').nth(1) {
            Some("openai-chat") => Operation::ChatCompletions,
            Some("openai-responses") => Operation::Responses,
            Some("anthropic-messages") => Operation::Messages,
            _ => continue,
        };
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let recording: Value = serde_json::from_str(line).unwrap();
            let Some(stream) = recording["response"]["sse"].as_str() else {
                continue;
            };
            let case = format!("{name}: {}", recording["case"]);
            let hints = Arc::new(UsageHints::default());
            let mut tap = StreamTap::new(operation, Arc::clone(&hints));
            tap.push(stream.as_bytes());
            let seen_aside = tap.finish();
            let mut aggregator = Aggregator::new(operation, 64 << 20);
            let pushed = stream
                .as_bytes()
                .chunks(11)
                .try_for_each(|chunk| aggregator.push(chunk));
            match (pushed.and_then(|()| aggregator.finish()), seen_aside.ended) {
                (Ok(answer), Ended::Complete) => {
                    assert_eq!(
                        read_usage(operation, &answer, &hints),
                        seen_aside.usage,
                        "{case}"
                    );
                    let answer: Value = serde_json::from_slice(&answer).unwrap();
                    assert!(
                        answer["id"].is_string() && answer["model"].is_string(),
                        "{case}: {answer}"
                    );
                }
                (
                    Err(Incomplete::Failed { code, message, .. }),
                    Ended::Failed {
                        code: code_aside,
                        message: message_aside,
                    },
                ) => {
                    assert_eq!((code, message), (code_aside, message_aside), "{case}");
                }
                (Err(Incomplete::Cut), Ended::Cut) => {}
                (collected, ended) => {
                    panic!("{case}: {collected:?}, but the stream ended {ended:?}")
                }
            }
            seen += 1;
        }
    }
    assert!(seen > 0, "recordings without streams");
}

#[test]
fn an_item_without_a_place_behind_the_last_place_there_is_breaks_nothing() {
    let done = |place: Value| json!({ "type": "response.output_item.done", "output_index": place, "item": { "type": "message" } });
    let events = [
        done(json!(u64::MAX)),
        done(Value::Null),
        json!({ "type": "response.completed", "response": { "id": "r" } }),
    ];
    let whole = answer(Operation::Responses, &events).unwrap();
    assert_eq!(whole["output"], json!([{ "type": "message" }]));
}
