//! What a vendor's WebSocket is sent, and what becomes of what it says.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Commit, Operation, commit_check};

const MOST: usize = 1 << 20;

fn asking(body: &Value) -> Asking {
    Asking::read(body.to_string().into(), MOST).unwrap()
}

fn said(text: &str) -> Value {
    json!({ "type": "message", "role": "user", "content": text })
}

fn body(items: &[Value]) -> Value {
    json!({ "model": "m", "stream": true, "store": false, "input": items })
}

/// The events of an answer that brings these items.
fn answer(id: &str, items: &[Value]) -> Vec<Value> {
    let done = |item: &Value| json!({ "type": "response.output_item.done", "item": item });
    let mut events = vec![json!({ "type": "response.created", "response": { "id": id } })];
    events.extend(items.iter().map(done));
    events.push(json!({ "type": "response.completed", "response": { "id": id } }));
    events
}

/// Lets it be answered; the stream, and what can be gone on from.
fn answered(mut asking: Asking, events: &[Value]) -> (String, Option<Standing>) {
    let mut out = Vec::new();
    for (number, event) in events.iter().enumerate() {
        let heard = asking.hear(event.to_string().as_bytes(), &mut out).unwrap();
        let last = number + 1 == events.len();
        assert_eq!(heard == Heard::Last, last, "{event}");
    }
    (String::from_utf8(out).unwrap(), asking.ended())
}

fn standing(body: &Value, output: &[Value]) -> Standing {
    answered(asking(body), &answer("resp_1", output)).1.unwrap()
}

fn since(body: &Value, standing: &Standing) -> Option<Value> {
    let message = asking(body).since(standing)?;
    Some(serde_json::from_slice(&message).unwrap())
}

#[test]
fn the_whole_is_the_body_byte_for_byte_without_what_only_http_has() {
    let text = r#"{"model":"m", "stream":true,"input":[ {"a":1.0} ],"x":{"y":"\u00e9"},"background":false}"#;
    let asking = Asking::read(Bytes::from_static(text.as_bytes()), MOST).unwrap();
    assert_eq!(
        asking.whole(),
        r#"{"model":"m","input":[ {"a":1.0} ],"x":{"y":"\u00e9"},"type":"response.create"}"#
    );
}

#[test]
fn only_what_is_new_follows_a_response() {
    let (question, reply) = (said("one"), json!({ "type": "message", "id": "msg_1" }));
    let standing = standing(
        &body(std::slice::from_ref(&question)),
        std::slice::from_ref(&reply),
    );
    let next = body(&[question, reply, said("two"), said("three")]);
    assert_eq!(
        since(&next, &standing).unwrap(),
        json!({
            "model": "m", "store": false, "input": [said("two"), said("three")],
            "type": "response.create", "previous_response_id": "resp_1",
        })
    );
}

#[test]
fn a_text_is_the_message_that_it_stands_for() {
    let mut first = body(&[]);
    first["input"] = json!("one, \"two\"");
    let standing = standing(&first, &[]);
    let next = body(&[said("one, \"two\""), said("three")]);
    // In the order in which clients and the gateway's memory write it.
    let text = next.to_string().replace(
        r#"{"content":"one, \"two\"","role":"user","type":"message"}"#,
        r#"{"type":"message","role":"user","content":"one, \"two\""}"#,
    );
    let message = Asking::read(text.into(), MOST)
        .unwrap()
        .since(&standing)
        .unwrap();
    let message: Value = serde_json::from_slice(&message).unwrap();
    assert_eq!(message["input"], json!([said("three")]));
}

#[test]
fn what_is_about_one_turn_alone_may_differ() {
    let first = json!({
        "model": "m", "input": [said("one")], "metadata": { "turn": "1" }, "client_metadata": { "turn": 1 },
        "max_output_tokens": 100,
    });
    let standing = standing(&first, &[]);
    let next = json!({
        "model": "m", "input": [said("one"), said("two")], "metadata": {}, "client_metadata": { "turn": 2 },
        "max_output_tokens": 50,
    });
    let message = since(&next, &standing).unwrap();
    assert_eq!(message["client_metadata"]["turn"], 2);
    assert_eq!(message["max_output_tokens"], 50);
}

#[test]
fn what_is_not_the_same_goes_whole() {
    let first = body(&[said("one"), said("two")]);
    let reply = json!({ "type": "message", "id": "msg_1", "content": "12" });
    let standing = standing(&first, std::slice::from_ref(&reply));
    let with = |items: &[Value], rest: Value| {
        let mut body = body(items);
        body.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        body
    };
    let (one, two, new) = (said("one"), said("two"), said("new"));
    let mut redacted = reply.clone();
    redacted["content"] = json!("[redacted]");
    for (what, next) in [
        (
            "another model",
            with(
                &[one.clone(), two.clone(), reply.clone(), new.clone()],
                json!({ "model": "n" }),
            ),
        ),
        (
            "another member",
            with(
                &[one.clone(), two.clone(), reply.clone(), new.clone()],
                json!({ "tools": [] }),
            ),
        ),
        (
            "nothing new",
            body(&[one.clone(), two.clone(), reply.clone()]),
        ),
        ("less", body(&[one.clone(), two.clone()])),
        (
            "without the answer",
            body(&[one.clone(), two.clone(), new.clone()]),
        ),
        (
            "another order",
            body(&[two.clone(), one.clone(), reply.clone(), new.clone()]),
        ),
        (
            "an edited answer",
            body(&[one.clone(), two.clone(), redacted, new.clone()]),
        ),
        (
            "a response that is kept elsewhere",
            with(
                &[one.clone(), two.clone(), reply.clone(), new.clone()],
                json!({ "previous_response_id": "r" }),
            ),
        ),
    ] {
        assert_eq!(since(&next, &standing), None, "{what}");
    }
    assert!(since(&body(&[one, two, reply, new]), &standing).is_some());
}

#[test]
fn an_item_that_begins_as_another_is_not_that_one() {
    // No vendor has such items; the comparison holds for any JSON.
    let standing = standing(&body(&[json!(1)]), &[]);
    assert_eq!(since(&body(&[json!(12), json!(3)]), &standing), None);
    assert_eq!(
        since(&body(&[json!(1), json!(3)]), &standing).unwrap()["input"],
        json!([3])
    );
}

#[test]
fn whitespace_between_items_does_not_matter() {
    let standing = standing(&body(&[said("one")]), &[said("two")]);
    let text = body(&[said("one"), said("two"), said("new")]).to_string();
    let spaced = text.replace("},{", "} ,\n {").replace(":[{", ": [ {");
    assert_ne!(text, spaced);
    let message = Asking::read(spaced.into(), MOST)
        .unwrap()
        .since(&standing)
        .unwrap();
    let message: Value = serde_json::from_slice(&message).unwrap();
    assert_eq!(message["input"], json!([said("new")]));
}

#[test]
fn what_is_too_long_or_has_failed_is_not_gone_on_from() {
    let question = body(&[said("one")]);
    let long = json!({ "type": "message", "content": "x".repeat(100) });
    for (most, is_kept) in [(60, false), (100, false), (300, true)] {
        let asking = Asking::read(question.to_string().into(), most).unwrap();
        let ended = answered(asking, &answer("resp_1", std::slice::from_ref(&long))).1;
        assert_eq!(ended.is_some(), is_kept, "{most}");
    }
    for last in [
        json!({ "type": "response.failed", "response": { "id": "r" } }),
        json!({ "type": "error", "error": {} }),
        json!({ "type": "response.completed", "response": { "id": "" } }),
        json!({ "type": "response.completed" }),
    ] {
        assert!(answered(asking(&question), &[last]).1.is_none());
    }
    let unended = asking(&question);
    assert!(unended.ended().is_none());
}

#[test]
fn items_that_came_only_at_the_end_count() {
    let last =
        json!({ "type": "response.completed", "response": { "id": "r", "output": [said("a")] } });
    let standing = answered(asking(&body(&[said("q")])), &[last]).1.unwrap();
    let next = body(&[said("q"), said("a"), said("new")]);
    assert_eq!(
        since(&next, &standing).unwrap()["input"],
        json!([said("new")])
    );
}

#[test]
fn messages_become_the_events_of_http() {
    let mut asking = asking(&body(&[said("one")]));
    let mut out = Vec::new();
    let aside = asking.hear(br#"{"type":"vendor.limits","left":1}"#, &mut out);
    assert_eq!((aside, out.len()), (Ok(Heard::Aside), 0));
    let spread = "{\"type\":\"response.output_text.delta\",\r\n\"delta\":\"a\\nb\"}";
    assert_eq!(asking.hear(spread.as_bytes(), &mut out), Ok(Heard::Event));
    let alive = br#"{"type":"keepalive"}"#;
    assert_eq!(asking.hear(alive, &mut out), Ok(Heard::Event));
    let sly = br#"{"type":"response.x\n\ndata: y"}"#;
    assert_eq!(asking.hear(sly, &mut out), Ok(Heard::Event));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "event: response.output_text.delta\n\
         data: {\"type\":\"response.output_text.delta\",  \"delta\":\"a\\nb\"}\n\n\
         event: keepalive\ndata: {\"type\":\"keepalive\"}\n\n\
         data: {\"type\":\"response.x\\n\\ndata: y\"}\n\n"
    );
    for nonsense in ["", "[DONE]", "[]", "{}", "{\"type\":1}"] {
        let heard = asking.hear(nonsense.as_bytes(), &mut Vec::new());
        assert_eq!(heard, Err(Unreadable), "{nonsense}");
    }
}

#[test]
fn a_failure_is_found_by_whoever_reads_the_stream() {
    let failure =
        json!({ "type": "error", "status": 500, "error": { "code": "c", "message": "m" } });
    let events = [answer("r", &[])[0].clone(), failure];
    let (stream, _) = answered(asking(&body(&[said("one")])), &events);
    let judged = commit_check(Operation::Responses, stream.as_bytes());
    assert!(matches!(judged, Commit::Failed { code, .. } if code == "c"));
}

#[test]
fn an_error_is_the_refusal_that_http_has() {
    let told = json!({
        "type": "error", "status": 429, "headers": { "retry-after": 7, "x-a": "b", "odd": [] },
        "error": { "type": "t", "code": "rate_limit_exceeded", "message": "m", "param": null },
    });
    let refusal = Refusal::read(told.to_string().as_bytes()).unwrap();
    assert_eq!(refusal.status, 429);
    let headers = [("retry-after", "7"), ("x-a", "b")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(refusal.headers, headers);
    let body: Value = serde_json::from_slice(&refusal.body).unwrap();
    assert_eq!(body, json!({ "error": told["error"] }));
    // The flat form, and a status that is none.
    let flat = br#"{"type":"error","status":200,"code":"server_is_overloaded","message":"m"}"#;
    let refusal = Refusal::read(flat).unwrap();
    let body: Value = serde_json::from_slice(&refusal.body).unwrap();
    assert_eq!(
        (refusal.status, &body["error"]["message"]),
        (503, &json!("m"))
    );
    for other in ["{\"type\":\"response.failed\"}", "nonsense", "{}"] {
        assert_eq!(Refusal::read(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn only_what_another_connection_would_not_say_is_the_connections() {
    for (code, continued, is_its_own) in [
        ("websocket_connection_limit_reached", false, true),
        ("previous_response_not_found", true, true),
        ("previous_response_not_found", false, false),
        ("rate_limit_exceeded", true, false),
    ] {
        let told = json!({ "type": "error", "status": 400, "error": { "code": code } });
        let refusal = Refusal::read(told.to_string().as_bytes()).unwrap();
        assert_eq!(refusal.is_the_connections(continued), is_its_own, "{code}");
    }
}

proptest! {
    /// What the vendor remembers and what it is sent make together what the body has.
    #[test]
    fn nothing_is_lost_and_nothing_is_said_twice(
        before in prop::collection::vec("[a-z,\\[\\]{}\"\\\\]{0,6}", 0..4),
        output in prop::collection::vec("[a-z,\\[\\]{}\"\\\\]{0,6}", 0..3),
        next in prop::collection::vec("[a-z,\\[\\]{}\"\\\\]{0,6}", 0..8),
        goes_on in any::<bool>(),
    ) {
        let items = |texts: &[String]| texts.iter().map(|text| said(text)).collect::<Vec<_>>();
        let (before, output, new) = (items(&before), items(&output), items(&next));
        let standing = standing(&body(&before), &output);
        let stood: Vec<Value> = before.into_iter().chain(output).collect();
        let all: Vec<Value> = match goes_on {
            true => stood.iter().cloned().chain(new).collect(),
            false => new,
        };
        match since(&body(&all), &standing) {
            Some(message) => {
                let sent = message["input"].as_array().unwrap().iter().cloned();
                let together: Vec<Value> = stood.into_iter().chain(sent).collect();
                prop_assert_eq!(together, all);
            }
            None => prop_assert!(stood.is_empty() || !all.starts_with(&stood) || all.len() == stood.len()),
        }
    }
}
