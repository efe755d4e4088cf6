//! A filter that holds back what may become the secret, in every dialect and any chunking.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::*;

const SECRET: &str = "hunter2";
const MASK: &str = "*******!";

/// Masks the secret; holds back every end that may be the beginning of one.
#[derive(Default)]
struct Mask {
    held: HashMap<Channel, String>,
    kinds: Vec<Kind>,
    deny: bool,
}

impl TextFilter for Mask {
    fn push(&mut self, channel: Channel, kind: Kind, text: &str) -> Result<String, Denied> {
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
        let held = self.held.entry(channel).or_default();
        held.push_str(text);
        if self.deny && held.contains(SECRET) {
            return Err(Denied {
                reason: "secret".into(),
                message: "no".into(),
            });
        }
        let masked = held.replace(SECRET, MASK);
        let keep = (1..SECRET.len())
            .rev()
            .find(|&length| masked.ends_with(&SECRET[..length]))
            .unwrap_or(0);
        *held = masked[masked.len() - keep..].to_owned();
        Ok(masked[..masked.len() - keep].to_owned())
    }

    fn finish(&mut self, channel: Channel) -> Result<String, Denied> {
        Ok(self.held.remove(&channel).unwrap_or_default())
    }
}

fn rewrite(operation: Operation, stream: &str, cuts: &[usize]) -> (String, Mask) {
    let mut rewriter = AnswerRewriter::new(operation);
    let mut mask = Mask::default();
    let mut out = Vec::new();
    let mut from = 0;
    for &cut in cuts.iter().chain([&stream.len()]) {
        rewriter
            .push(&stream.as_bytes()[from..cut], &mut mask, &mut out)
            .unwrap();
        from = cut;
    }
    rewriter.finish(&mut mask, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), mask)
}

/// Rewrites the stream whole, cut once at every place and byte by byte: always the same.
fn masked(operation: Operation, stream: &str) -> String {
    let (whole, mask) = rewrite(operation, stream, &[]);
    for cut in 1..stream.len() {
        assert_eq!(rewrite(operation, stream, &[cut]).0, whole, "cut at {cut}");
    }
    assert_eq!(
        rewrite(operation, stream, &(1..stream.len()).collect::<Vec<_>>()).0,
        whole
    );
    assert!(!whole.contains(SECRET));
    assert!(
        mask.held.values().all(String::is_empty),
        "every channel was ended"
    );
    whole
}

fn data(stream: &str) -> Vec<Value> {
    stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn sse(events: &[Value]) -> String {
    events
        .iter()
        .map(|event| {
            format!(
                "event: {}\ndata: {event}\n\n",
                event["type"].as_str().unwrap_or("x")
            )
        })
        .collect()
}

fn joined<'a>(events: &'a [Value], text: impl Fn(&'a Value) -> Option<&'a str>) -> String {
    events.iter().filter_map(text).collect()
}

/// A chat chunk of choice 0.
fn chunk(delta: Value, finish: Value) -> String {
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta, "logprobs": {"content": [{"token": "x"}]}, "finish_reason": finish}]});
    format!("data: {chunk}\n\n")
}

#[test]
fn a_chat_stream_leaks_nothing_and_loses_nothing() {
    let stream = [
        ": hello\n\n".to_owned(),
        chunk(json!({"role": "assistant", "content": ""}), Value::Null),
        chunk(json!({"reasoning_content": "I think hunt"}), Value::Null),
        chunk(json!({"content": "the word is hun"}), Value::Null),
        chunk(json!({"content": "ter2, I"}), Value::Null),
        chunk(json!({"content": " said hunter"}), Value::Null),
        chunk(json!({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": "{\"a\":\"hunt"}}]}), Value::Null),
        chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": "er2\"}h"}}]}), Value::Null),
        chunk(json!({}), json!("tool_calls")),
        "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n".to_owned(),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let out = masked(Operation::ChatCompletions, &stream);
    let events = data(&out);
    let text = |name: &'static str| {
        joined(&events, move |event| {
            event["choices"][0]["delta"][name].as_str()
        })
    };
    assert_eq!(
        text("content"),
        format!("the word is {MASK}, I said hunter")
    );
    assert_eq!(text("reasoning_content"), "I think hunt");
    let arguments = joined(&events, |event| {
        event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()
    });
    assert_eq!(arguments, format!("{{\"a\":\"{MASK}\"}}h"));

    let first = |wanted: &dyn Fn(&Value) -> bool| events.iter().position(wanted).unwrap();
    let last_reasoning = events
        .iter()
        .rposition(|event| event["choices"][0]["delta"]["reasoning_content"].is_string())
        .unwrap();
    assert!(
        last_reasoning
            < first(&|event| event["choices"][0]["delta"]["content"]
                .as_str()
                .is_some_and(|text| !text.is_empty()))
    );
    let finish = first(&|event| event["choices"][0]["finish_reason"].is_string());
    assert!(
        events[finish + 1..]
            .iter()
            .all(|event| event["choices"].as_array().unwrap().is_empty()),
        "nothing behind the end"
    );
    let put_in = &events[finish - 1];
    assert_eq!(
        (&put_in["id"], &put_in["model"], &put_in["object"]),
        (&json!("c"), &json!("m"), &json!("chat.completion.chunk"))
    );

    assert!(
        out.starts_with(&stream[..stream.find("data: ").unwrap()]),
        "comments stay"
    );
    assert!(
        out.ends_with(&stream[stream.find("data: {\"id\":\"c\",\"choices\":[],").unwrap()..]),
        "events without text stay"
    );
    for event in &events {
        let choice = &event["choices"][0];
        if choice["delta"]["content"]
            .as_str()
            .is_some_and(|text| text.contains(MASK))
        {
            assert_eq!(
                choice["logprobs"],
                Value::Null,
                "probabilities would spell the secret"
            );
        }
    }
}

#[test]
fn choices_are_judged_apart() {
    let piece = |index: u32, text: &str, finish: Value| {
        let chunk = json!({"id": "c", "choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let stream = [
        piece(0, "hunt", Value::Null),
        piece(1, "er2", Value::Null),
        piece(0, "er2", json!("stop")),
        piece(1, " hunt", json!("stop")),
    ];
    let out = masked(Operation::ChatCompletions, &stream.concat());
    let events = data(&out);
    let of = |index: u32| {
        joined(&events, move |event| {
            event["choices"][0]["delta"]["content"]
                .as_str()
                .filter(|_| event["choices"][0]["index"] == index)
        })
    };
    assert_eq!(of(0), MASK);
    assert_eq!(of(1), "er2 hunt");
    assert_eq!(
        events.len(),
        4,
        "what was held back went out with the last delta"
    );
}

/// What was held back of them would come before what had gone out, or as another part.
#[test]
fn text_in_parts_and_reasoning_beside_the_answer_keep_their_order() {
    let stream = [
        chunk(json!({"content": [{"type": "text", "text": "one hunt"}, {"type": "text", "text": "er2, two hun"}]}), json!(null)),
        chunk(json!({"content": [{"type": "thinking", "thinking": "a hunt"}, {"type": "text", "text": "t"}]}), json!(null)),
        // In this order, which a map does not keep.
        chunk(json!("both"), json!(null)).replace(r#""both""#, r#"{"reasoning":"b hunt","content":"s"}"#),
        chunk(json!({"content": [{"type": "text", "text": " hunt"}, {"type": "text", "text": ""}]}), json!("stop")),
    ]
    .concat();
    let out = data(&masked(Operation::ChatCompletions, &stream));
    let delta = |at: usize| &out[at]["choices"][0]["delta"];
    assert_eq!(delta(0)["content"][0]["text"], "one ");
    assert_eq!(delta(0)["content"][1]["text"], format!("{MASK}, two "));
    assert_eq!(delta(1)["content"][0]["thinking"], "a hunt");
    assert_eq!(delta(1)["content"][1]["text"], "");
    assert_eq!(
        delta(2),
        &json!({"reasoning": "b hunt", "content": "hunts"})
    );
    assert_eq!(delta(3)["content"][0]["text"], " hunt");
    assert_eq!(out.len(), 4, "nothing was put in");
}

#[test]
fn a_stream_without_its_end_gives_back_what_was_held() {
    let stream = chunk(json!({"content": "a hunt"}), Value::Null);
    for stream in [stream.clone(), format!("{stream}data: [DONE]\n\n")] {
        let events = data(&masked(Operation::ChatCompletions, &stream));
        assert_eq!(
            joined(&events, |event| event["choices"][0]["delta"]["content"]
                .as_str()),
            "a hunt"
        );
    }
}

fn responses_stream() -> Vec<Value> {
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let message = |status: &str, content: Value| json!({"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content});
    let reasoning = |summary: Value| json!({"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "opaque"});
    let call = |arguments: &str| json!({"id": "fc_1", "type": "function_call", "name": "f", "call_id": "c", "arguments": arguments});
    let custom = json!({"id": "ct_1", "type": "custom_tool_call", "name": "g", "call_id": "d", "input": "raw hunter2"});
    let summary = json!([{"type": "summary_text", "text": "about hunter2 h"}]);
    let text = "the word is hunter2, h";
    let mut events = vec![
        json!({"type": "response.created", "response": {"id": "r", "output": [], "instructions": "i"}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": reasoning(json!([]))}),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": ""}}),
        json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "delta": "about hun"}),
        json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "delta": "ter2 h"}),
        json!({"type": "response.reasoning_summary_text.done", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "text": "about hunter2 h"}),
        json!({"type": "response.reasoning_summary_part.done", "output_index": 0, "summary_index": 0, "part": summary[0]}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": reasoning(summary.clone())}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": message("in_progress", json!([]))}),
        json!({"type": "response.content_part.added", "item_id": "msg_1", "output_index": 1, "content_index": 0, "part": part("")}),
    ];
    for piece in ["the word is h", "unter", "2, h"] {
        events.push(json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 1, "content_index": 0, "delta": piece, "logprobs": [{"token": piece}]}));
    }
    events.extend([
        json!({"type": "response.output_text.done", "item_id": "msg_1", "output_index": 1, "content_index": 0, "text": text, "logprobs": [{"token": "hunter2"}]}),
        json!({"type": "response.content_part.done", "item_id": "msg_1", "output_index": 1, "content_index": 0, "part": part(text)}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": message("completed", json!([part(text)]))}),
        json!({"type": "response.output_item.added", "output_index": 2, "item": call("")}),
        json!({"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 2, "arguments": "{\"a\":\"hunter2\"}"}),
        json!({"type": "response.output_item.done", "output_index": 2, "item": call("{\"a\":\"hunter2\"}")}),
        json!({"type": "response.output_item.done", "output_index": 3, "item": custom}),
        json!({"type": "response.completed", "response": {"id": "r", "usage": {"input_tokens": 1}, "output": [reasoning(summary), message("completed", json!([part(text)])), call("{\"a\":\"hunter2\"}"), custom]}}),
    ]);
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = number.into();
    }
    events
}

#[test]
fn a_responses_stream_leaks_nothing_in_deltas_or_repetitions() {
    let stream = sse(&responses_stream());
    let out = masked(Operation::Responses, &stream);
    let events = data(&out);
    let text = format!("the word is {MASK}, h");
    let deltas = |kind: &'static str| {
        joined(&events, move |event| {
            event["delta"].as_str().filter(|_| event["type"] == kind)
        })
    };
    assert_eq!(deltas("response.output_text.delta"), text);
    assert_eq!(
        deltas("response.reasoning_summary_text.delta"),
        format!("about {MASK} h")
    );
    let of = |kind: &'static str| {
        events
            .iter()
            .filter(move |event| event["type"] == kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("response.output_text.done")[0]["text"], text);
    assert_eq!(of("response.output_text.done")[0]["logprobs"], json!([]));
    assert_eq!(of("response.content_part.done")[0]["part"]["text"], text);
    assert_eq!(
        of("response.output_item.done")[1]["item"]["content"][0]["text"],
        text
    );
    assert_eq!(
        of("response.function_call_arguments.done")[0]["arguments"],
        format!("{{\"a\":\"{MASK}\"}}")
    );
    assert_eq!(
        of("response.output_item.done")[3]["item"]["input"],
        format!("raw {MASK}")
    );
    let completed = &of("response.completed")[0]["response"];
    assert_eq!(
        completed["output"][0]["summary"][0]["text"],
        format!("about {MASK} h")
    );
    assert_eq!(completed["output"][0]["encrypted_content"], "opaque");
    assert_eq!(completed["output"][1]["content"][0]["text"], text);
    assert_eq!(
        completed["output"][2]["arguments"],
        format!("{{\"a\":\"{MASK}\"}}")
    );

    let numbers: Vec<_> = events
        .iter()
        .map(|event| event["sequence_number"].as_u64().unwrap())
        .collect();
    assert_eq!(
        numbers,
        (0..events.len() as u64).collect::<Vec<_>>(),
        "numbers go on without a gap"
    );
    assert_eq!(
        events.len(),
        responses_stream().len() + 2,
        "one delta put in for each channel that held something back"
    );
    for lines in out.split("\n\n").filter(|event| !event.is_empty()) {
        let (name, data) = lines
            .strip_prefix("event: ")
            .unwrap()
            .split_once("\ndata: ")
            .unwrap();
        assert_eq!(serde_json::from_str::<Value>(data).unwrap()["type"], name);
    }
    let untouched = stream
        .find("event: response.reasoning_summary_text.delta")
        .unwrap();
    assert!(
        out.starts_with(&stream[..untouched]),
        "events without text stay byte for byte"
    );
}

#[test]
fn sparse_responses_streams_are_judged_too() {
    let events = [
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "say hunt"}]}}),
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "er2"}),
        json!({"type": "response.completed", "response": {"output": [{"type": "message", "content": [{"type": "output_text", "text": "say hunter2"}]}], "output_text": "say hunter2"}}),
    ];
    let out = data(&masked(Operation::Responses, &sse(&events)));
    assert_eq!(out[0]["item"]["content"][0]["text"], "say ");
    assert_eq!(out[1]["delta"], MASK);
    assert_eq!(
        out[2]["response"]["output"][0]["content"][0]["text"],
        format!("say {MASK}")
    );
    assert_eq!(out[2]["response"]["output_text"], format!("say {MASK}"));
}

/// What a beginning says is taken for what was streamed only where it is that, or the client would lose it.
#[test]
fn a_beginning_told_once_more_is_replaced_only_where_it_says_the_same() {
    let begins = |text: &str| json!({"type": "response.content_part.added", "output_index": 0, "content_index": 0, "part": {"type": "output_text", "text": text}});
    let events = [
        begins("say hunter2"),
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": " now"}),
        begins("say hunter2 now"),
        begins("another hunter2"),
    ];
    let out = data(&masked(Operation::Responses, &sse(&events)));
    assert_eq!(out[0]["part"]["text"], format!("say {MASK}"));
    assert_eq!(out[2]["part"]["text"], format!("say {MASK} now"));
    assert_eq!(out[3]["part"]["text"], format!("another {MASK}"));
}

#[test]
fn a_messages_stream_leaks_nothing_and_loses_nothing() {
    let delta = |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let events = [
        json!({"type": "message_start", "message": {"id": "m", "content": []}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "ping"}),
        delta(
            0,
            json!({"type": "thinking_delta", "thinking": "well, hunt"}),
        ),
        delta(
            0,
            json!({"type": "signature_delta", "signature": "hunter2 is opaque here".replace("hunter2", "opaque")}),
        ),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}),
        delta(1, json!({"type": "text_delta", "text": "it is hunter"})),
        delta(1, json!({"type": "text_delta", "text": "2 or hunter"})),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}}),
        delta(2, json!({"type": "input_json_delta", "partial_json": ""})),
        delta(
            2,
            json!({"type": "input_json_delta", "partial_json": "{\"a\":\"hun"}),
        ),
        delta(
            2,
            json!({"type": "input_json_delta", "partial_json": "ter2\"}"}),
        ),
        json!({"type": "content_block_stop", "index": 2}),
        json!({"type": "content_block_start", "index": 3, "content_block": {"type": "web_search_tool_result", "tool_use_id": "t", "content": [{"type": "web_search_result", "title": "hunter2"}]}}),
        json!({"type": "content_block_stop", "index": 3}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}),
        json!({"type": "message_stop"}),
    ];
    let out = data(&masked(Operation::Messages, &sse(&events)));
    let text = |index: u32, name: &'static str| {
        joined(&out, move |event| {
            event["delta"][name]
                .as_str()
                .filter(|_| event["index"] == index)
        })
    };
    assert_eq!(text(0, "thinking"), "well, hunt");
    assert_eq!(text(1, "text"), format!("it is {MASK} or hunter"));
    assert_eq!(text(2, "partial_json"), format!("{{\"a\":\"{MASK}\"}}"));
    let at = |wanted: &dyn Fn(&Value) -> bool| out.iter().rposition(wanted).unwrap();
    assert!(
        at(&|event| event["delta"]["type"] == "thinking_delta")
            < at(&|event| event["delta"]["type"] == "signature_delta")
    );
    assert!(
        at(&|event| event["delta"]["type"] == "text_delta")
            < at(&|event| event["type"] == "content_block_stop" && event["index"] == 1)
    );
    let (_, mask) = rewrite(Operation::Messages, &sse(&events), &[]);
    assert_eq!(
        mask.kinds,
        [
            Kind::Reasoning,
            Kind::Text,
            Kind::ToolArguments,
            Kind::ToolResult
        ]
    );
}

#[test]
fn a_denial_lets_out_what_was_judged_and_nothing_more() {
    let stream = [
        chunk(json!({"content": "fine"}), Value::Null),
        chunk(json!({"content": "hunter2"}), Value::Null),
        chunk(json!({"content": "more"}), Value::Null),
    ];
    let mut rewriter = AnswerRewriter::new(Operation::ChatCompletions);
    let mut mask = Mask {
        deny: true,
        ..Mask::default()
    };
    let mut out = Vec::new();
    let denied = rewriter
        .push(stream.concat().as_bytes(), &mut mask, &mut out)
        .unwrap_err();
    assert_eq!(denied.reason, "secret");
    rewriter
        .push(stream[0].as_bytes(), &mut mask, &mut out)
        .unwrap();
    rewriter.finish(&mut mask, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), stream[0]);
}

#[test]
fn what_cannot_be_read_does_not_pass() {
    for (operation, event) in [
        (
            Operation::ChatCompletions,
            "data: {\"choices\":[{\"delta\":{\"content\":\"hunter2\n\n",
        ),
        (Operation::ChatCompletions, "data: hunter2\n\n"),
        (
            Operation::ChatCompletions,
            "data: {\"choices\":[{\"delta\":{\"content\":[5]}}]}\n\n",
        ),
        (
            Operation::Responses,
            "data: {\"type\":\"response.output_item.done\",\"item\":\"hunter2\" \"}\n\n",
        ),
        (Operation::Messages, "data: {\n\n"),
    ] {
        let mut out = Vec::new();
        let denied = AnswerRewriter::new(operation)
            .push(event.as_bytes(), &mut Mask::default(), &mut out)
            .unwrap_err();
        assert_eq!(denied.reason, "unreadable-answer", "{event}");
        assert!(out.is_empty());
    }
    let mut rewriter = AnswerRewriter::new(Operation::ChatCompletions);
    let mut out = Vec::new();
    rewriter
        .push(
            b"data: {\"choices\":[{\"delta\":{\"content\":\"hunt",
            &mut Mask::default(),
            &mut out,
        )
        .unwrap();
    rewriter.finish(&mut Mask::default(), &mut out).unwrap();
    assert!(out.is_empty(), "an event that was cut off is dropped");
    let mut rewriter = AnswerRewriter::new(Operation::ChatCompletions);
    rewriter
        .push(b"data: ", &mut Mask::default(), &mut out)
        .unwrap();
    let piece = vec![b'x'; 1 << 20];
    let outcome = (0..20).try_for_each(|_| rewriter.push(&piece, &mut Mask::default(), &mut out));
    assert_eq!(outcome.unwrap_err().reason, "unreadable-answer");
}

#[test]
fn data_of_several_lines_is_rewritten_too() {
    let stream = "event: x\ndata: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"hunter2\"}}]}\n\n";
    let (out, _) = rewrite(Operation::ChatCompletions, stream, &[]);
    assert_eq!(out, stream.replace(SECRET, MASK));
}

#[test]
fn the_largest_sequence_number_stays_one() {
    let stream = sse(&[
        json!({"type": "response.output_text.delta", "sequence_number": 1, "output_index": 0, "content_index": 0, "delta": "hunter", "logprobs": []}),
        json!({"type": "response.output_text.done", "sequence_number": u64::MAX, "output_index": 0, "content_index": 0, "text": "hunter", "logprobs": []}),
    ]);
    let events = data(&masked(Operation::Responses, &stream));
    let numbers: Vec<_> = events
        .iter()
        .map(|event| event["sequence_number"].as_u64())
        .collect();
    assert_eq!(numbers, [Some(1), Some(u64::MAX), Some(u64::MAX)]);
}

#[test]
fn what_was_held_back_is_an_event_of_its_own_after_one_without_its_blank_line() {
    for rest in ["", "\n", "\nx"] {
        let said = json!({"choices": [{"index": 0, "delta": {"content": "say hunter"}}]});
        let events = data(&masked(
            Operation::ChatCompletions,
            &format!("data: {said}{rest}"),
        ));
        let text: String = events
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
            .collect();
        assert_eq!((text.as_str(), events.len()), ("say hunter", 2), "{rest:?}");
    }
}
