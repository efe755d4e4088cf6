//! Messages in and out: what vendors get of a conversation, and what clients get of an answer.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn create(body: Value) -> Create {
    Create::read(body.to_string().into()).unwrap()
}

fn fault(text: &str) -> Value {
    let fault = Create::read(text.to_owned().into()).unwrap_err();
    serde_json::from_slice(&fault.message()).unwrap()
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn sse(events: &[Value]) -> Vec<u8> {
    let text = events.iter().map(|event| {
        let kind = event["type"].as_str().unwrap();
        format!("event: {kind}\ndata: {event}\n\n")
    });
    text.collect::<String>().into_bytes()
}

fn done(item: Value) -> Value {
    json!({ "type": "response.output_item.done", "item": item })
}

fn completed(id: &str) -> Value {
    json!({ "type": "response.completed", "response": { "id": id, "output": [] } })
}

/// Lets a response end as the vendor's events say; the messages, and the id that was kept.
fn answer(memory: &mut Memory, turn: &mut Turn, stream: &[u8]) -> (Vec<Bytes>, Option<String>) {
    let (mut messages, mut out) = (Messages::default(), Vec::new());
    messages.push(stream, turn, &mut out);
    messages.finish(turn, &mut out);
    assert!(messages.is_ended());
    let id = messages.id();
    if id.is_none() {
        memory.fail(turn);
    }
    (out, id)
}

#[test]
fn what_is_about_the_connection_is_taken_out_and_the_rest_stays_byte_for_byte() {
    let text = r#"{"type":"response.create", "model":"m","input":[ {"a":1.0} ],"x":{"y":"\u00e9"},"previous_response_id":null,"background":false}"#;
    let create = Create::read(text.into()).unwrap();
    assert!(!create.is_warm_up());
    assert_eq!((create.lane(), &*create.model()), (None, "m"));
    let (body, _) = Memory::new(1 << 20).begin(create).unwrap();
    assert_eq!(
        body,
        r#"{"model":"m","input":[ {"a":1.0} ],"x":{"y":"\u00e9"},"stream":true}"#
    );
}

#[test]
fn a_message_that_is_no_request_is_told_why() {
    for (text, code, param) in [
        ("{", Value::Null, Value::Null),
        ("[]", Value::Null, Value::Null),
        ("{}", json!("unknown_event"), json!("type")),
        (
            r#"{"type":"response.cancel"}"#,
            json!("unknown_event"),
            json!("type"),
        ),
        (r#"{"type":7}"#, Value::Null, json!("type")),
        (
            r#"{"type":"response.create","stream_id":""}"#,
            json!("invalid_stream_id"),
            json!("stream_id"),
        ),
        (
            r#"{"type":"response.create","stream_id":"a b"}"#,
            json!("invalid_stream_id"),
            json!("stream_id"),
        ),
        (
            r#"{"type":"response.create","generate":1}"#,
            Value::Null,
            json!("generate"),
        ),
        (
            r#"{"type":"response.create","model":"a","model":"b"}"#,
            Value::Null,
            json!("model"),
        ),
    ] {
        let told = fault(text);
        assert_eq!(
            (&told["type"], &told["status"]),
            (&json!("error"), &json!(400)),
            "{text}"
        );
        let error = &told["error"];
        assert_eq!(error["type"], "invalid_request_error", "{text}");
        assert_eq!(
            (&error["code"], &error["param"]),
            (&code, &param),
            "{text}: {told}"
        );
    }
    let told = fault(r#"{"type":"x","stream_id":"main"}"#);
    assert_eq!(told["stream_id"], "main");
}

#[test]
fn a_request_that_goes_on_is_made_whole_with_the_bytes_of_what_was_before() {
    let mut memory = Memory::new(1 << 20);
    let first =
        r#"{"type":"response.create","model":"m","input":[{"role":"user","content":"One é"}]}"#;
    let (_, mut turn) = memory.begin(Create::read(first.into()).unwrap()).unwrap();
    let call = json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" });
    let (_, id) = answer(
        &mut memory,
        &mut turn,
        &sse(&[done(call.clone()), completed("resp_1")]),
    );
    memory.keep(turn, id.unwrap());
    let output = json!({ "type": "function_call_output", "call_id": "c", "output": "42" });
    let (body, mut turn) = memory
        .begin(create(json!({
            "type": "response.create", "model": "m", "previous_response_id": "resp_1", "input": [output],
        })))
        .unwrap();
    let body = json_of(&body);
    let said = json!({ "role": "user", "content": "One é" });
    assert_eq!(body["input"], json!([said, call, output]));
    assert!(body.get("previous_response_id").is_none());
    // And so on: each response holds all that was before it. Text is an item like any other.
    let (_, id) = answer(&mut memory, &mut turn, &sse(&[completed("resp_2")]));
    memory.keep(turn, id.unwrap());
    let (body, _) = memory
        .begin(create(json!({
            "type": "response.create", "model": "m", "previous_response_id": "resp_2", "input": "And?",
        })))
        .unwrap();
    let and = json!({ "type": "message", "role": "user", "content": "And?" });
    assert_eq!(json_of(&body)["input"], json!([said, call, output, and]));
    // Nothing new is allowed, too.
    let (body, _) = memory
        .begin(create(
            json!({ "type": "response.create", "previous_response_id": "resp_2" }),
        ))
        .unwrap();
    assert_eq!(json_of(&body)["input"], json!([said, call, output]));
}

#[test]
fn what_is_not_remembered_is_not_found_under_the_code_that_clients_know() {
    let mut memory = Memory::new(1 << 20);
    let ask = |memory: &mut Memory, previous: &str, lane: &str| {
        let body = json!({
            "type": "response.create", "model": "m", "previous_response_id": previous, "stream_id": lane, "input": [1],
            "store": false,
        });
        memory
            .begin(create(body))
            .map(|(body, turn)| (json_of(&body), turn))
    };
    let refused = |outcome: Result<(Value, Turn), Fault>| json_of(&outcome.unwrap_err().message());
    let told = refused(ask(&mut memory, "resp_x", "a"));
    assert_eq!(
        told,
        json!({
            "type": "error", "status": 400, "stream_id": "a",
            "error": {
                "type": "invalid_request_error", "code": "previous_response_not_found",
                "message": "Previous response with id 'resp_x' not found.", "param": "previous_response_id",
            },
        })
    );
    // Each stream has one response to go on from, and another stream may go on from it.
    let turn = |memory: &mut Memory, lane: &str| {
        let body = json!({ "type": "response.create", "stream_id": lane, "input": [0] });
        memory.begin(create(body)).unwrap().1
    };
    for (lane, id) in [("a", "resp_1"), ("a", "resp_2"), ("b", "resp_3")] {
        let begun = turn(&mut memory, lane);
        memory.keep(begun, id.to_owned());
    }
    assert!(ask(&mut memory, "resp_1", "a").is_err());
    let (body, forked) = ask(&mut memory, "resp_2", "b").unwrap();
    assert_eq!(body["input"], json!([0, 1]));
    // A failure on another stream leaves it; one on its own does not.
    memory.fail(&forked);
    let (_, own) = ask(&mut memory, "resp_2", "a").unwrap();
    memory.fail(&own);
    assert!(ask(&mut memory, "resp_2", "a").is_err());
    assert!(ask(&mut memory, "resp_3", "a").is_ok());
}

#[test]
fn what_may_be_stored_elsewhere_stays_named_and_is_looked_for_there_from_then_on() {
    let mut memory = Memory::new(1 << 20);
    let ask = |memory: &Memory, previous: &str| {
        let body =
            json!({ "type": "response.create", "previous_response_id": previous, "input": "more" });
        memory.begin(create(body)).unwrap()
    };
    let (body, mut turn) = ask(&memory, "resp_elsewhere");
    let sent = json_of(&body);
    assert_eq!(sent["previous_response_id"], "resp_elsewhere");
    assert_eq!(sent["input"], "more");
    let stream = sse(&[done(json!({ "text": "answer" })), completed("resp_1")]);
    let (_, id) = answer(&mut memory, &mut turn, &stream);
    memory.keep(turn, id.unwrap());
    // The connection knows only the end of it.
    let (body, _) = ask(&memory, "resp_1");
    assert_eq!(json_of(&body)["previous_response_id"], "resp_1");
    assert_eq!(memory.size(), 0);
}

#[test]
fn memory_is_bounded() {
    let mut memory = Memory::new(100);
    let begin = |memory: &Memory, lane: &str, size: usize| {
        let body =
            json!({ "type": "response.create", "stream_id": lane, "input": ["x".repeat(size)] });
        memory.begin(create(body)).unwrap().1
    };
    let known = |memory: &Memory, id: &str| {
        let body = json!({ "type": "response.create", "previous_response_id": id, "store": false });
        memory.begin(create(body)).is_ok()
    };
    for (lane, id, size) in [
        ("a", "1", 50),
        ("b", "2", 30),
        ("c", "3", 40),
        ("d", "4", 200),
    ] {
        let turn = begin(&memory, lane, size);
        memory.keep(turn, id.to_owned());
        assert!(memory.size() <= 100);
    }
    // The oldest went, the one that was too long never came.
    assert_eq!(
        ["1", "2", "3", "4"].map(|id| known(&memory, id)),
        [false, true, true, false]
    );
    let mut turn = begin(&memory, "b", 10);
    let long = sse(&[done(json!({ "text": "y".repeat(200) })), completed("5")]);
    let (_, id) = answer(&mut memory, &mut turn, &long);
    memory.keep(turn, id.unwrap());
    assert!(!known(&memory, "5") && !known(&memory, "2") && known(&memory, "3"));
}

#[test]
fn reasoning_that_nobody_can_read_again_is_not_sent_back() {
    let items = [
        json!({ "type": "reasoning", "id": "rs_1", "summary": [] }),
        json!({ "type": "reasoning", "id": "rs_2", "encrypted_content": "sealed" }),
        json!({ "type": "message", "id": "msg_1" }),
    ];
    for (store, expected) in [(json!(false), &items[1..]), (json!(true), &items[..])] {
        let mut memory = Memory::new(1 << 20);
        let body = json!({ "type": "response.create", "store": store, "input": [] });
        let (_, mut turn) = memory.begin(create(body)).unwrap();
        let mut events: Vec<_> = items.iter().cloned().map(done).collect();
        events.push(completed("r"));
        let (_, id) = answer(&mut memory, &mut turn, &sse(&events));
        memory.keep(turn, id.unwrap());
        let body = json!({ "type": "response.create", "previous_response_id": "r" });
        let (body, _) = memory.begin(create(body)).unwrap();
        assert_eq!(json_of(&body)["input"], json!(expected));
    }
}

#[test]
fn items_told_only_at_the_end_are_remembered_as_well() {
    let mut memory = Memory::new(1 << 20);
    let (_, mut turn) = memory
        .begin(create(json!({ "type": "response.create", "input": [] })))
        .unwrap();
    let end =
        json!({ "type": "response.incomplete", "response": { "id": "r", "output": [{ "a": 1 }] } });
    let (_, id) = answer(&mut memory, &mut turn, &sse(&[end]));
    memory.keep(turn, id.unwrap());
    let (body, _) = memory
        .begin(create(
            json!({ "type": "response.create", "previous_response_id": "r" }),
        ))
        .unwrap();
    assert_eq!(json_of(&body)["input"], json!([{ "a": 1 }]));
}

fn turn(lane: Option<&str>) -> Turn {
    let body = json!({ "type": "response.create", "stream_id": lane, "input": [] });
    Memory::new(1 << 20).begin(create(body)).unwrap().1
}

#[test]
fn each_event_is_one_message_and_one_message_ends_the_answer() {
    let created = json!({ "type": "response.created", "response": { "id": "r" } });
    let failed = json!({ "type": "response.failed", "response": { "id": "r" } });
    // What HTTP ends with, for two families of clients.
    let error = json!({
        "type": "error", "sequence_number": 4,
        "error": { "type": "authentication_error", "code": "invalid_api_key", "message": "no", "param": null },
    });
    let mut memory = Memory::new(1 << 20);
    let stream = [
        b": hello\n\n".as_slice(),
        &sse(&[created.clone(), error.clone(), failed.clone()]),
        b"data: [DONE]\n\n",
    ]
    .concat();
    let (out, id) = answer(&mut memory, &mut turn(None), &stream);
    let out: Vec<_> = out.iter().map(|message| json_of(message)).collect();
    assert_eq!(out[0], created);
    assert_eq!(
        out[1],
        json!({ "type": "error", "status": 401, "error": error["error"] })
    );
    assert_eq!((out.len(), id), (2, None));
    // As vendors write it.
    let bare = json!({ "type": "error", "code": "server_is_overloaded", "message": "busy", "param": null });
    let (out, _) = answer(&mut memory, &mut turn(Some("main")), &sse(&[bare]));
    assert_eq!(
        json_of(&out[0]),
        json!({
            "type": "error", "status": 503, "stream_id": "main",
            "error": { "type": "server_error", "code": "server_is_overloaded", "message": "busy", "param": null },
        })
    );
    let (out, _) = answer(
        &mut memory,
        &mut turn(None),
        &sse(std::slice::from_ref(&failed)),
    );
    assert_eq!(json_of(&out[0]), failed);
    // A stream that just stops is ended all the same.
    let (out, id) = answer(&mut memory, &mut turn(None), &sse(&[created]));
    assert_eq!(json_of(&out[1])["status"], 502);
    assert_eq!((out.len(), id), (2, None));
}

#[test]
fn events_of_a_named_stream_carry_its_name_and_stay_as_they_were() {
    for (data, expected) in [
        (
            r#"{"type":"x","n":1.0}"#,
            r#"{"stream_id":"a-1","type":"x","n":1.0}"#,
        ),
        (r#" { "type":"x"}"#, r#"{"stream_id":"a-1", "type":"x"}"#),
    ] {
        let (mut messages, mut out) = (Messages::default(), Vec::new());
        let stream = format!("data: {data}\n\n");
        messages.push(stream.as_bytes(), &mut turn(Some("a-1")), &mut out);
        assert_eq!(out, [expected]);
    }
    assert_eq!(addressed(b"{}", Some("a")), b"{\"stream_id\":\"a\"}");
    assert_eq!(addressed(b"{}", None), b"{}");
}

#[test]
fn bytes_that_are_no_text_do_not_end_the_connection() {
    let (mut messages, mut out) = (Messages::default(), Vec::new());
    messages.push(
        b"data: {\"type\":\"x\",\"delta\":\"\xff\"}\n\n",
        &mut turn(None),
        &mut out,
    );
    assert_eq!(json_of(&out[0])["delta"], "\u{fffd}");
}

/// A list was taken for the event that its strings make, and went to a client that names its streams without a name.
#[test]
fn a_list_is_no_event() {
    let (mut messages, mut out) = (Messages::default(), Vec::new());
    let stream = b"data: [\"response.completed\",\"x\",\"y\"]\n\n";
    messages.push(stream, &mut turn(Some("lane")), &mut out);
    assert!(out.is_empty() && !messages.is_ended(), "{out:?}");
}

#[test]
fn a_whole_answer_is_told_as_events() {
    let item = json!({ "type": "message", "id": "m" });
    let body = json!({ "id": "r", "object": "response", "status": "completed", "output": [item] });
    let (mut messages, mut out) = (Messages::default(), Vec::new());
    messages.whole(body.to_string().as_bytes(), &mut turn(None), &mut out);
    let out: Vec<_> = out.iter().map(|message| json_of(message)).collect();
    let kinds: Vec<_> = out
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.output_item.done",
            "response.completed",
        ]
    );
    assert_eq!((&out[3]["item"], &out[4]["response"]), (&item, &body));
    assert_eq!(out[4]["sequence_number"], 4);
    assert_eq!(messages.id().as_deref(), Some("r"));
    let (mut messages, mut out) = (Messages::default(), Vec::new());
    messages.whole(b"<html>", &mut turn(None), &mut out);
    assert_eq!(json_of(&out[0])["status"], 502);
}

#[test]
fn a_refusal_keeps_status_error_and_headers() {
    let body = br#"{"error":{"message":"wait","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}"#;
    let told = json_of(&refusal(
        429,
        body,
        [("retry-after", "2")].into_iter(),
        Some("a"),
    ));
    assert_eq!(
        (&told["status"], &told["stream_id"]),
        (&json!(429), &json!("a"))
    );
    assert_eq!(told["error"]["code"], "rate_limit_exceeded");
    assert_eq!(told["headers"], json!({ "retry-after": "2" }));
    let told = json_of(&refusal(502, b"<html>", std::iter::empty(), None));
    assert_eq!(told["error"]["type"], "server_error");
}

#[test]
fn a_warm_up_is_a_response_without_output() {
    let out = warm_up(&turn(Some("a")), "resp_w", "m", 7);
    let kinds: Vec<_> = out
        .iter()
        .map(|message| json_of(message)["type"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.in_progress",
            "response.completed"
        ]
    );
    let last = json_of(&out[2]);
    assert_eq!(
        (&last["stream_id"], &last["response"]["id"]),
        (&json!("a"), &json!("resp_w"))
    );
    assert_eq!(last["response"]["output"], json!([]));
    assert_eq!(last["response"]["usage"]["total_tokens"], 0);
}

proptest! {
    #[test]
    fn messages_are_the_same_wherever_the_stream_is_cut(cuts in prop::collection::vec(0_usize..400, 0..8)) {
        let stream = sse(&[
            json!({ "type": "response.created", "response": { "id": "r" } }),
            json!({ "type": "response.output_text.delta", "delta": "é\r\n" }),
            done(json!({ "type": "message" })),
            completed("r"),
        ]);
        let mut memory = Memory::new(1 << 20);
        let (whole, _) = answer(&mut memory, &mut turn(None), &stream);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.sort_unstable();
        let (mut messages, mut out, mut from) = (Messages::default(), Vec::new(), 0);
        let mut turn = turn(None);
        for cut in cuts.into_iter().chain([stream.len()]) {
            messages.push(&stream[from..cut], &mut turn, &mut out);
            from = cut;
        }
        prop_assert_eq!(out, whole);
        let id = messages.id();
        prop_assert_eq!(id.as_deref(), Some("r"));
    }

    #[test]
    fn no_message_of_a_client_makes_it_panic(text in ".{0,200}", cut in 0_usize..200) {
        let valid = r#"{"type":"response.create","previous_response_id":"r","stream_id":"a","input":[{"a":"é"}],"generate":false}"#;
        let cut = (0..=cut.min(valid.len())).rev().find(|at| valid.is_char_boundary(*at)).unwrap_or(0);
        for text in [text.clone(), format!("{}{text}{}", &valid[..cut], &valid[cut..])] {
            if let Ok(create) = Create::read(text.into()) {
                let _ = Memory::new(100).begin(create);
            }
        }
    }
}
