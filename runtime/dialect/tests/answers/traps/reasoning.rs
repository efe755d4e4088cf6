//! What a model thought.

use super::{block, delta};
use crate::damage::{chunk, event, finish, message, told};
use crate::grammar::{self, End};
use crate::plain;
use crate::support::*;

#[test]
fn thinking_in_a_text_block_is_thinking() {
    let sent = message(
        &[
            &block(0, r#"{"type":"text","text":""}"#),
            &delta(0, r#"{"type":"thinking_delta","thinking":"hm"}"#),
            &delta(0, r#"{"type":"text_delta","text":"ok"}"#),
        ],
        "end_turn",
    );
    for client in [CHAT, RESPONSES] {
        let told = told(client, MESSAGES, &sent);
        assert_eq!((told.reasoning.as_str(), told.text.as_str()), ("hm", "ok"));
    }
}

#[test]
fn signatures_are_not_dropped_and_come_back_to_their_maker_only() {
    let sent = message(
        &[
            &block(0, r#"{"type":"thinking","thinking":"","signature":""}"#),
            &delta(0, r#"{"type":"thinking_delta","thinking":"hm"}"#),
            &delta(0, r#"{"type":"signature_delta","signature":"EqQB+/="}"#),
            r#"{"type":"content_block_stop","index":0}"#,
        ],
        "end_turn",
    );
    let whole = plain::whole_of_stream(
        RESPONSES,
        &stream(&context(RESPONSES, MESSAGES), sent.as_bytes()),
    );
    let item = whole.unwrap()["output"][0].clone();
    let sealed = item["encrypted_content"].as_str().unwrap();
    let opened = tollgate_dialect::bridge::opaque::open(sealed).unwrap();
    assert_eq!(opened.payload, "EqQB+/=");
    assert!(opened.is_from("maker") && !opened.is_from("another"));
    // A client that did not ask for it gets none.
    let mut plain_context = context(RESPONSES, MESSAGES);
    plain_context.encrypted_reasoning = false;
    let out = stream(&plain_context, sent.as_bytes());
    assert!(!text(&out).contains("encrypted_content"));
}

#[test]
fn reasoning_that_nobody_may_read_is_carried_without_its_text() {
    let mut context = context(MESSAGES, RESPONSES);
    context.readable_reasoning = false;
    let reasoning = fixtures()
        .into_iter()
        .find(|fixture| {
            fixture.vendor == RESPONSES && fixture.name == "reasoning" && fixture.streams
        })
        .unwrap();
    let out = stream(&context, &reasoning.bytes);
    assert_eq!(grammar::check(MESSAGES, &out), Ok(End::Complete));
    assert!(!text(&out).contains("think.") && text(&out).contains("redacted_thinking"));
}

/// Agents ask for `display: omitted`, and vendors of chat completions that reason want their words back.
#[test]
fn reasoning_that_nobody_may_read_and_nobody_encrypted_is_sealed_with_its_text() {
    use tollgate_dialect::bridge::opaque::{OpaqueKind, open};
    let mut context = context(MESSAGES, CHAT);
    context.readable_reasoning = false;
    let sent = chunk(r#"{"reasoning_content":"h\u00e4 \ud83e"}"#)
        + &chunk(r#"{"reasoning_content":"\udd80\nm"}"#)
        + &chunk(r#"{"content":"ok"}"#)
        + &finish("stop");
    let out = stream(&context, sent.as_bytes());
    assert_eq!(grammar::check(MESSAGES, &out), Ok(End::Complete));
    let out = text(&out);
    assert!(!out.contains("thinking_delta"), "{out}");
    let (_, data) = out.split_once(r#""redacted_thinking","data":""#).unwrap();
    let sealed = open(data.split('"').next().unwrap()).unwrap();
    assert_eq!(
        (sealed.kind, &*sealed.payload),
        (OpaqueKind::Plain, "h\u{e4} \u{1f980}\nm")
    );
    assert!(sealed.is_from("maker"));
    // Anybody can open it: where a policy looks at answers it must not carry what the policy has not seen.
    context.hidden_reasoning = false;
    let out = stream(&context, sent.as_bytes());
    assert_eq!(grammar::check(MESSAGES, &out), Ok(End::Complete));
    let out = text(&out);
    let (_, data) = out.split_once(r#""redacted_thinking","data":""#).unwrap();
    let sealed = open(data.split('"').next().unwrap()).unwrap();
    assert_eq!(&*sealed.payload, "");
}

/// A vendor told an item without any mark of which it is, and ended it twice: a sealed block has no deltas.
#[test]
fn a_thought_that_is_sealed_twice_is_two_sealed_blocks() {
    let done = event(
        r#"{"type":"response.output_item.done","item":{"type":"reasoning","encrypted_content":"gAAA=="}}"#,
    );
    let sent = done.repeat(2)
        + &event(
            r#"{"type":"response.completed","response":{"id":"resp_v1","status":"completed","output":[]}}"#,
        );
    let out = stream(&context(MESSAGES, RESPONSES), sent.as_bytes());
    assert_eq!(grammar::check(MESSAGES, &out), Ok(End::Complete));
    assert_eq!(text(&out).matches("redacted_thinking").count(), 2);
}

/// The same vendor went on with what it had ended: no text stands behind a mark.
#[test]
fn what_is_thought_after_an_item_without_a_mark_has_ended_is_another_thought() {
    let sent = [
        r#"{"type":"response.reasoning_summary_text.delta","delta":"One."}"#,
        r#"{"type":"response.output_item.done","item":{"type":"reasoning","summary":[{"type":"summary_text","text":"One."}],"encrypted_content":"gAAA=="}}"#,
        r#"{"type":"response.reasoning_summary_text.delta","delta":"Two."}"#,
        r#"{"type":"response.output_item.done","item":{"type":"reasoning","summary":[{"type":"summary_text","text":"Two."}],"encrypted_content":"gBBB=="}}"#,
        r#"{"type":"response.completed","response":{"id":"resp_v1","status":"completed","output":[]}}"#,
    ]
    .map(event)
    .concat();
    let out = stream(&context(MESSAGES, RESPONSES), sent.as_bytes());
    assert_eq!(grammar::check(MESSAGES, &out), Ok(End::Complete));
    let told = plain::whole_of_stream(MESSAGES, &out).unwrap();
    let blocks = told["content"].as_array().unwrap();
    let texts: Vec<_> = blocks.iter().map(|block| &block["thinking"]).collect();
    assert_eq!(texts, ["One.", "Two."]);
    assert_ne!(blocks[0]["signature"], blocks[1]["signature"]);
}

#[test]
fn reasoning_content_is_not_dropped_under_either_name() {
    for name in ["reasoning_content", "reasoning"] {
        let sent = chunk(&format!(r#"{{"{name}":"hm","content":null}}"#))
            + &chunk(r#"{"content":"ok"}"#)
            + &finish("stop");
        for client in [RESPONSES, MESSAGES] {
            assert_eq!(told(client, CHAT, &sent).reasoning, "hm", "{name}");
        }
    }
    let both = chunk(r#"{"reasoning":"hm","reasoning_content":"hm"}"#) + &finish("stop");
    assert_eq!(told(MESSAGES, CHAT, &both).reasoning, "hm");
}
