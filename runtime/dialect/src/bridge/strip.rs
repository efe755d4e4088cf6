//! Takes out of a request what was sealed on another bridge: a client that changed its model sends it along, and no
//! vendor but its maker can read it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::walk::Raw;
use crate::{Document, Edit, Invalid, Operation};

/// What every sealed string begins with, as it stands in JSON text.
const SEALED: &[u8] = br#""tg1."#;

/// Whether something in a request may be sealed: a look at its bytes.
pub fn has_sealed(document: &Document, operation: Operation) -> bool {
    member(operation)
        .and_then(|member| document.get(member))
        .is_some_and(|content| memchr::memmem::find(content, SEALED).is_some())
}

fn member(operation: Operation) -> Option<&'static str> {
    match operation.reads_as() {
        Operation::Responses => Some("input"),
        Operation::Messages => Some("messages"),
        _ => None,
    }
}

/// Takes sealed reasoning out of a request that goes to its vendor in the client's own dialect. Where there is none
/// nothing is touched.
///
/// # Errors
/// The content is not what the dialect says.
pub fn strip_sealed(document: &mut Document, operation: Operation) -> Result<(), Invalid> {
    let Some(member) = member(operation) else {
        return Ok(());
    };
    let Some(content) = document.get(member) else {
        return Ok(());
    };
    if !has_sealed(document, operation) {
        return Ok(());
    }
    let Ok(all) = serde_json::from_slice::<Vec<&RawValue>>(content) else {
        return Ok(());
    };
    let mut touched = false;
    // Of the assistant's last turn.
    let mut thinking_lost = false;
    let kept: Vec<Cow<'_, RawValue>> = all
        .into_iter()
        .filter_map(|item| {
            let left = match operation.reads_as() {
                Operation::Responses => (!is_sealed(item)).then_some(Cow::Borrowed(item)),
                _ => stripped(item),
            };
            let changed = !matches!(left, Some(Cow::Borrowed(_)));
            touched |= changed;
            if is_of_assistant(item) {
                thinking_lost = changed;
            }
            left
        })
        .collect();
    // What looked sealed is something that somebody said.
    if !touched {
        return Ok(());
    }
    let value = serde_json::to_string(&kept).unwrap_or_else(|_| "[]".to_owned());
    let pointer = format!("/{member}");
    document.apply(&Edit::Set { pointer, value })?;
    // With a budget for thinking, a turn that calls tools must begin with its thinking, and cannot any more.
    if thinking_lost && document.get("thinking").is_some_and(is_budget) {
        document.apply(&Edit::Remove {
            pointer: "/thinking".to_owned(),
        })?;
    }
    Ok(())
}

fn is_budget(thinking: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Thinking<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
    }
    serde_json::from_slice::<Thinking<'_>>(thinking)
        .is_ok_and(|thinking| thinking.kind == "enabled")
}

fn is_of_assistant(message: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        role: Cow<'a, str>,
    }
    serde_json::from_str::<Message<'_>>(message.get())
        .is_ok_and(|message| message.role == "assistant")
}

/// A reasoning item or thinking block that carries a sealed string.
fn is_sealed(item: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Item<'a> {
        #[serde(rename = "type", default)]
        kind: String,
        #[serde(borrow, default)]
        encrypted_content: Option<&'a RawValue>,
        #[serde(borrow, default)]
        signature: Option<&'a RawValue>,
        #[serde(borrow, default)]
        data: Option<&'a RawValue>,
    }
    let Ok(item) = serde_json::from_str::<Item<'_>>(item.get()) else {
        return false;
    };
    let carried = match &*item.kind {
        "reasoning" => item.encrypted_content,
        "thinking" => item.signature,
        "redacted_thinking" => item.data,
        _ => None,
    };
    carried.is_some_and(|text| text.get().as_bytes().starts_with(SEALED))
}

/// A message without its sealed blocks; none if nothing is left of it.
fn stripped(message: &RawValue) -> Option<Cow<'_, RawValue>> {
    let whole = || Some(Cow::Borrowed(message));
    if memchr::memmem::find(message.get().as_bytes(), SEALED).is_none() {
        return whole();
    }
    let text = message.get();
    let Some(content) = Raw::new(text.as_bytes()).get("content") else {
        return whole();
    };
    let place = content.at..content.at + content.bytes.len();
    let Ok(blocks) = serde_json::from_str::<Vec<&RawValue>>(&text[place.clone()]) else {
        return whole();
    };
    let kept: Vec<&RawValue> = blocks
        .iter()
        .copied()
        .filter(|block| !is_sealed(block))
        .collect();
    if kept.len() == blocks.len() {
        return whole();
    }
    if kept.is_empty() {
        return None;
    }
    // All else of the message stays where it stood.
    let content = serde_json::to_string(&kept).ok()?;
    let left = [&text[..place.start], &content, &text[place.end..]].concat();
    RawValue::from_string(left).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn after(operation: Operation, body: &Value) -> Value {
        let mut document = Document::parse(body.to_string().into()).unwrap();
        strip_sealed(&mut document, operation).unwrap();
        serde_json::from_slice(&document.to_bytes()).unwrap()
    }

    #[test]
    fn sealed_reasoning_is_taken_out_and_a_vendors_own_stays() {
        let own = json!({ "type": "reasoning", "id": "rs_1", "encrypted_content": "gAAAA", "summary": [] });
        let sealed = json!({ "type": "reasoning", "id": "rs_2", "encrypted_content": "tg1.a.item.eA", "summary": [] });
        let said = json!({ "role": "user", "content": "what is \"tg1.\"?" });
        let body = json!({ "model": "m", "input": [own, sealed, said] });
        assert_eq!(
            after(Operation::Responses, &body),
            json!({ "model": "m", "input": [own, said] })
        );
        let own = json!({ "type": "thinking", "thinking": "hm", "signature": "c2ln" });
        let sealed =
            json!({ "type": "thinking", "thinking": "hm", "signature": "tg1.a.signature.eA" });
        let redacted = json!({ "type": "redacted_thinking", "data": "tg1.a.redacted.eA" });
        let text = json!({ "type": "text", "text": "tg1." });
        let body = json!({ "model": "m", "max_tokens": 1, "messages": [
            { "role": "user", "content": "x" },
            { "role": "assistant", "content": [own, sealed, text] },
            { "role": "assistant", "content": [redacted] },
        ] });
        assert_eq!(
            after(Operation::Messages, &body)["messages"],
            json!([{ "role": "user", "content": "x" }, { "role": "assistant", "content": [own, text] }])
        );
    }

    #[test]
    fn a_message_that_lost_a_block_keeps_all_else_as_it_was_written() {
        let body = concat!(
            r#"{"model":"m", "messages":[{ "role" : "assistant", "zeta":1.0, "content" : [{"type":"thinking","thinking":"","#,
            r#""signature":"tg1.a.signature.eA"},{"type":"tool_use","id":"t","name":"f","input":{"b":1,"a":2e0}}], "alpha":"\u00e9" }]}"#,
        );
        let mut document = Document::parse(body.into()).unwrap();
        strip_sealed(&mut document, Operation::Messages).unwrap();
        assert_eq!(
            document.to_bytes(),
            concat!(
                r#"{"model":"m", "messages":[{ "role" : "assistant", "zeta":1.0, "content" : "#,
                r#"[{"type":"tool_use","id":"t","name":"f","input":{"b":1,"a":2e0}}], "alpha":"\u00e9" }]}"#,
            )
        );
    }

    /// Nobody here knows who made a signature that is not sealed: taken out, it would be missing where it is wanted.
    #[test]
    fn on_a_switch_of_vendors_within_one_dialect_only_what_says_its_maker_is_taken_out() {
        let raw = r#"{"type":"thinking","thinking":"hm", "signature":"EqQBCkYIAhgC"}"#;
        let hidden = r#"{"type":"redacted_thinking","data":"EmwKAhgB"}"#;
        let native = format!(
            r#"{{"thinking":{{"type":"enabled"}},"messages":[{{"role":"assistant","content":[{raw},{hidden}]}}]}}"#
        );
        let mut document = Document::parse(native.clone().into()).unwrap();
        strip_sealed(&mut document, Operation::Messages).unwrap();
        assert!(!document.is_modified());
        assert_eq!(document.to_bytes(), native);
        // Beside what was made over a bridge it stays too, byte for byte.
        let sealed = r#"{"type":"thinking","thinking":"hm","signature":"tg1.a.signature.eA"}"#;
        let mixed = format!(
            r#"{{"messages":[{{"role":"assistant","content":[{sealed},{raw},{hidden}]}}]}}"#
        );
        let mut document = Document::parse(mixed.into()).unwrap();
        strip_sealed(&mut document, Operation::Messages).unwrap();
        let left = document.to_bytes();
        let left = std::str::from_utf8(&left).unwrap();
        assert!(
            left.contains(&format!("[{raw},{hidden}]")) && !left.contains("tg1."),
            "{left}"
        );
        let item = r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAA"}"#;
        let body = format!(r#"{{"input":[{item},{{"role":"user","content":"on"}}]}}"#);
        let mut document = Document::parse(body.clone().into()).unwrap();
        strip_sealed(&mut document, Operation::Responses).unwrap();
        assert_eq!(document.to_bytes(), body);
    }

    #[test]
    fn what_has_nothing_sealed_is_not_touched() {
        let body = r#"{ "model":"m", "input" : [ {"role":"user","content":"tg1."} ] }"#;
        let mut document = Document::parse(body.into()).unwrap();
        strip_sealed(&mut document, Operation::Responses).unwrap();
        assert!(!document.is_modified());
        assert_eq!(document.to_bytes(), body);
    }

    #[test]
    fn a_turn_that_lost_its_thinking_goes_on_without_a_budget_for_it() {
        let body = |signature: &str, kind: &str, later: bool| {
            let mut messages = vec![
                json!({ "role": "user", "content": "go" }),
                json!({ "role": "assistant", "content": [
                    { "type": "thinking", "thinking": "hm", "signature": signature },
                    { "type": "tool_use", "id": "t", "name": "f", "input": {} },
                ] }),
                json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t" }] }),
            ];
            if later {
                messages.push(json!({ "role": "assistant", "content": "done" }));
            }
            json!({ "thinking": { "type": kind }, "messages": messages })
        };
        let sealed = "tg1.a.signature.eA";
        for (signature, kind, later, kept) in [
            (sealed, "enabled", false, false),
            (sealed, "adaptive", false, true),
            (sealed, "enabled", true, true),
            ("c2ln", "enabled", false, true),
        ] {
            let left = after(Operation::Messages, &body(signature, kind, later));
            assert_eq!(
                left.get("thinking").is_some(),
                kept,
                "{signature} {kind} {later}"
            );
        }
    }
}
