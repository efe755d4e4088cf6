//! Takes out of a request what no vendor but its maker can read. Mostly that was made on another bridge: a client that changed its model sends it along, and no vendor
//! but its maker can read it. That is reasoning which was sealed, searches of foreign vendors, and ids of items that were made
//! here: a vendor that keeps its own items may look for them and say that there is no such item.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{found, made};
use crate::json::walk::Raw;
use crate::opaque;
use crate::{Document, Edit, Invalid, Operation};
use bytes::Bytes;

/// What every sealed string begins with, as it stands in JSON text.
const SEALED: &[u8] = br#""tg1."#;

/// Whether something in a request may be sealed, found by a foreign search, or named by us: a look at its bytes.
pub fn has_sealed(document: &Document, operation: Operation) -> bool {
    let content = member(operation).and_then(|member| document.get(member));
    let named =
        |content: &[u8]| operation.reads_as() == Operation::Responses && made::stands_in(content);
    content.is_some_and(|content| is_suspect(content) || named(content))
}

/// Whether what marks our own stands in these bytes: at the beginning of a string, or inside an id.
fn is_suspect(bytes: &[u8]) -> bool {
    memchr::memmem::find_iter(bytes, b"tg1").any(|at| {
        let around = (at.checked_sub(1).map(|at| bytes[at]), bytes.get(at + 3));
        matches!(around, (Some(b'"'), Some(b'.')) | (Some(b'_'), Some(b'_')))
    })
}

fn member(operation: Operation) -> Option<&'static str> {
    match operation.reads_as() {
        Operation::Responses => Some("input"),
        Operation::Messages => Some("messages"),
        _ => None,
    }
}

/// Takes sealed reasoning, and what foreign searches found, out of a request that goes to its vendor in the client's own
/// dialect. Where there is none nothing is touched.
///
/// # Errors
/// The content is not what the dialect says.
pub fn strip_sealed(document: &mut Document, operation: Operation) -> Result<(), Invalid> {
    match has_sealed(document, operation) {
        true => strip(document, operation, None),
        false => Ok(()),
    }
}

/// Says whether another vendor made what has this mark.
type Foreign<'a> = &'a dyn Fn(u64) -> bool;

/// Whether there is reasoning in a request that another vendor made.
pub fn has_foreign(document: &Document, operation: Operation, foreign: Foreign<'_>) -> bool {
    let content = member(operation).and_then(|member| document.get(member));
    let marks = content.map(opaque::opaque_marks).unwrap_or_default();
    marks.into_iter().any(foreign)
}

/// Takes out reasoning that another vendor of the client's own dialect signed or encrypted, and says nothing of its maker: the
/// one that is asked now refuses it, or gets what is not its own. Where there is none nothing is touched.
///
/// # Errors
/// The content is not what the dialect says.
pub fn strip_foreign(
    document: &mut Document,
    operation: Operation,
    foreign: Foreign<'_>,
) -> Result<(), Invalid> {
    let content = member(operation).and_then(|member| document.get(member));
    match content.is_some_and(opaque::stands_in) {
        true => strip(document, operation, Some(foreign)),
        false => Ok(()),
    }
}

fn strip(
    document: &mut Document,
    operation: Operation,
    foreign: Option<Foreign<'_>>,
) -> Result<(), Invalid> {
    let Some(member) = member(operation) else {
        return Ok(());
    };
    let Some(content) = document.get(member) else {
        return Ok(());
    };
    let Ok(all) = serde_json::from_slice::<Vec<&RawValue>>(content) else {
        return Ok(());
    };
    let mut touched = false;
    // Of the assistant's last turn.
    let mut thinking_lost = false;
    let kept: Vec<Cow<'_, RawValue>> = all
        .into_iter()
        .filter_map(|item| {
            let (left, lost) = match operation.reads_as() {
                Operation::Responses => (unnamed(item, foreign), false),
                _ => stripped(item, foreign),
            };
            touched |= !matches!(left, Some(Cow::Borrowed(_)));
            if is_of_assistant(item) {
                // A turn that goes whole leaves the one before it as the last.
                thinking_lost = lost || (left.is_none() && thinking_lost);
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

/// A reasoning item or thinking block that carries a sealed string, or one of another vendor's.
fn is_sealed(item: &RawValue, foreign: Option<Foreign<'_>>) -> bool {
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
    // Serde takes an object from an array, too.
    let object = item
        .get()
        .starts_with('{')
        .then(|| serde_json::from_str::<Item<'_>>(item.get()));
    let Some(Ok(item)) = object else {
        return false;
    };
    let carried = match &*item.kind {
        "reasoning" => item.encrypted_content,
        "thinking" => item.signature,
        "redacted_thinking" => item.data,
        _ => None,
    };
    let is_foreign = |text: &[u8]| {
        let inner = text
            .strip_prefix(b"\"")
            .and_then(|text| text.strip_suffix(b"\""));
        let mark = inner.and_then(opaque::mark);
        foreign
            .zip(mark)
            .is_some_and(|(foreign, mark)| foreign(mark))
    };
    carried.is_some_and(|text| {
        let text = text.get().as_bytes();
        text.starts_with(SEALED) || is_foreign(text)
    })
}

/// A block of the assistant that is looked at.
enum Block<'a> {
    /// It stays as it is, or without some of its citations.
    Kept(Cow<'a, str>),
    /// Sealed reasoning.
    Sealed,
    /// A search of a foreign vendor, or what it found, or code that it ran.
    Searched,
}

/// An item without what is not for its vendor, none if that is all of it.
fn unnamed<'a>(item: &'a RawValue, foreign: Option<Foreign<'_>>) -> Option<Cow<'a, RawValue>> {
    if is_sealed(item, foreign) {
        return None;
    }
    let raw = Raw::new(item.get().as_bytes());
    let text = |member: &str| raw.get(member).and_then(Raw::inner);
    if !text("id").is_some_and(made::is_ours) {
        return Some(Cow::Borrowed(item));
    }
    match text("type") {
        // It asks for the item that is named; what the gateway keeps has taken the place of its reference by now.
        Some(b"item_reference") => return Some(Cow::Borrowed(item)),
        // Their ids are demanded, and what came of them follows.
        Some(b"computer_call" | b"local_shell_call") => return Some(Cow::Borrowed(item)),
        // What is not sealed nobody can check. A vendor that stores what it answers may look for the id of a tool that one
        // ran, and without an id it takes no such item; over the bridge nothing is stored.
        Some(b"reasoning") if text("encrypted_content").is_none() => return None,
        Some(b"web_search_call" | b"mcp_call" | b"code_interpreter_call") => return None,
        _ => {}
    }
    Some(without_id(item).map_or(Cow::Borrowed(item), Cow::Owned))
}

/// The item as it was written, but for its id.
fn without_id(item: &RawValue) -> Option<Box<RawValue>> {
    let mut document = Document::parse(Bytes::copy_from_slice(item.get().as_bytes())).ok()?;
    let pointer = "/id".to_owned();
    document.apply(&Edit::Remove { pointer }).ok()?;
    let left = String::from_utf8(document.to_bytes().to_vec()).ok()?;
    RawValue::from_string(left).ok()
}

/// A message without what is not for its vendor, none if nothing is left of it; and whether it lost reasoning.
fn stripped<'a>(
    message: &'a RawValue,
    foreign: Option<Foreign<'_>>,
) -> (Option<Cow<'a, RawValue>>, bool) {
    let whole = || (Some(Cow::Borrowed(message)), false);
    let bytes = message.get().as_bytes();
    if !is_suspect(bytes) && (foreign.is_none() || !opaque::stands_in(bytes)) {
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
    let (mut kept, mut changed, mut lost) = (Vec::with_capacity(blocks.len()), false, false);
    for block in blocks {
        match looked_at(block, foreign) {
            Block::Kept(left) => {
                changed |= matches!(left, Cow::Owned(_));
                kept.push(left);
            }
            Block::Sealed => lost = true,
            Block::Searched => changed = true,
        }
    }
    if !changed && !lost {
        return whole();
    }
    if kept.is_empty() {
        return (None, lost);
    }
    // All else of the message stays where it stood.
    let content = kept.join(",");
    let left = [&text[..place.start], "[", &content, "]", &text[place.end..]].concat();
    (RawValue::from_string(left).ok().map(Cow::Owned), lost)
}

fn looked_at<'a>(block: &'a RawValue, foreign: Option<Foreign<'_>>) -> Block<'a> {
    if is_sealed(block, foreign) {
        return Block::Sealed;
    }
    let text = block.get();
    let raw = Raw::new(text.as_bytes());
    let is_ours = |member: &str| {
        let id = raw.get(member).and_then(Raw::inner);
        id.is_some_and(found::is_ours)
    };
    match raw.get("type").and_then(Raw::inner) {
        Some(b"server_tool_use") if is_ours("id") => Block::Searched,
        Some(b"web_search_tool_result" | b"code_execution_tool_result")
            if is_ours("tool_use_id") =>
        {
            Block::Searched
        }
        Some(b"text") => Block::Kept(without_citations(text, raw)),
        _ => Block::Kept(Cow::Borrowed(text)),
    }
}

/// A text block without citations of what only a foreign search found.
fn without_citations<'a>(text: &'a str, block: Raw<'a>) -> Cow<'a, str> {
    let Some(citations) = block.get("citations") else {
        return Cow::Borrowed(text);
    };
    let all = citations.items().count();
    let kept: Vec<_> = citations
        .items()
        .filter(|citation| {
            let index = citation.get("encrypted_index").and_then(Raw::inner);
            index != Some(found::ENCRYPTED.as_bytes())
        })
        .filter_map(|citation| std::str::from_utf8(citation.bytes).ok())
        .collect();
    if kept.len() == all {
        return Cow::Borrowed(text);
    }
    let left = match kept.is_empty() {
        true => "null".to_owned(),
        false => format!("[{}]", kept.join(",")),
    };
    let (before, after) = (citations.at, citations.at + citations.bytes.len());
    Cow::Owned([&text[..before], &left, &text[after..]].concat())
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
    fn what_a_foreign_search_found_is_taken_out_and_a_vendors_own_stays_byte_for_byte() {
        let search = |id: &str, encrypted: &str| {
            [
                format!(r#"{{"type":"server_tool_use","id":"{id}","name":"web_search","input":{{"query":"x"}}}}"#),
                format!(r#"{{"type":"web_search_tool_result","tool_use_id":"{id}","content":[{{"type":"web_search_result","url":"u","title":"t","encrypted_content":"{encrypted}"}}]}}"#),
            ]
            .join(", ")
        };
        let cited = |encrypted: &str| {
            format!(
                r#"{{"type":"web_search_result_location","encrypted_index":"{encrypted}","url":"u"}}"#
            )
        };
        let asked = |content: &str| {
            format!(
                r#"{{"thinking":{{"type":"enabled"}}, "messages":[{{"role":"assistant","content":[{content}]}}]}}"#
            )
        };
        let left = |body: &str| {
            let mut document = Document::parse(body.to_owned().into()).unwrap();
            strip_sealed(&mut document, Operation::Messages).unwrap();
            String::from_utf8(document.to_bytes().to_vec()).unwrap()
        };
        let thought = r#"{"type":"thinking","thinking":"hm","signature":"c2ln"}"#;
        // A vendor that encrypts nothing is a vendor all the same.
        for encrypted in ["EqgfCio", ""] {
            let native = asked(
                &[
                    thought,
                    &search("srvtoolu_01", encrypted),
                    &format!(
                        r#"{{"type":"text","text":"so", "citations":[{}]}}"#,
                        cited(encrypted)
                    ),
                ]
                .join(", "),
            );
            assert_eq!(left(&native), native);
        }
        let ours = search(&(found::id(0) + "req"), found::ENCRYPTED);
        let empty =
            r#"{"type":"web_search_tool_result","tool_use_id":"srvtoolu_tg1_3_req","content":[]}"#;
        let text = |citations: &str| {
            format!(r#"{{"type":"text","text":"so","citations":{citations},"zeta":1.0}}"#)
        };
        let both = text(&format!("[{},{}]", cited(found::ENCRYPTED), cited("E1")));
        let one = text(&format!("[{}]", cited(found::ENCRYPTED)));
        let mixed = asked(&[thought, &ours, empty, &both, &one].join(","));
        let kept = asked(&[thought, &text(&format!("[{}]", cited("E1"))), &text("null")].join(","));
        // Its own thinking is still there, so it goes on thinking.
        assert_eq!(left(&mixed), kept);
        // A message of nothing else is gone.
        assert!(left(&asked(&ours)).contains(r#""messages":[]"#));
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

    #[test]
    fn what_another_vendor_of_the_same_dialect_made_is_taken_out_and_what_the_vendor_made_itself_stays()
     {
        let (theirs, own) = (
            "EqQBCkgIChABGAIiQL2UoU0b1OHYi0",
            "Cl8KIKdOqBm1x0QkS9rBqHuVfY7d2Z",
        );
        let mark = opaque::mark(theirs.as_bytes()).unwrap();
        let left = |operation: Operation, body: &str| {
            let mut document = Document::parse(body.to_owned().into()).unwrap();
            strip_foreign(&mut document, operation, &|found| found == mark).unwrap();
            String::from_utf8(document.to_bytes().to_vec()).unwrap()
        };
        let call = r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#;
        let thought = |signature: &str| {
            format!(r#"{{"type":"thinking","thinking":"hm","signature":"{signature}"}}"#)
        };
        let hidden = |data: &str| format!(r#"{{"type":"redacted_thinking","data":"{data}"}}"#);
        let asked = |thinking: &str, blocks: &[&str]| {
            let content = blocks.join(",");
            format!(
                r#"{{{thinking}"messages":[{{"role":"user","content":"\"signature\""}},{{"role":"assistant","content":[{content}]}}]}}"#
            )
        };
        let budget = r#""thinking":{"type":"enabled","budget_tokens":2048},"#;
        for block in [thought, hidden] as [fn(&str) -> String; 2] {
            let (foreign, native) = (block(theirs), block(own));
            let both = asked(budget, &[&foreign, &native, call]);
            // A turn with a budget that calls tools must begin with its thinking.
            assert_eq!(
                left(Operation::Messages, &both),
                asked("", &[&native, call])
            );
            let alone = asked(budget, &[&native, call]);
            assert_eq!(left(Operation::Messages, &alone), alone);
        }
        let item = |text: &str| {
            format!(
                r#"{{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"{text}"}}"#
            )
        };
        let input = |items: &[&str]| format!(r#"{{"input":[{}]}}"#, items.join(","));
        assert_eq!(
            left(Operation::Responses, &input(&[&item(theirs), &item(own)])),
            input(&[&item(own)])
        );
    }

    #[test]
    fn ids_that_were_made_here_do_not_reach_a_vendor_that_keeps_items_of_its_own() {
        const REAL: &str = "01a22a7e37217df285d8c285881470f0";
        let ours = |kind: &str| format!("{kind}_{REAL}_3");
        let left = |items: &str| {
            let body = format!(r#"{{"model":"m", "input":[{items}]}}"#);
            let mut document = Document::parse(body.into()).unwrap();
            strip_sealed(&mut document, Operation::Responses).unwrap();
            String::from_utf8(document.to_bytes().to_vec()).unwrap()
        };
        let item = |kind: &str, id: &str| {
            format!(r#"{{"type":"{kind}", "id":"{id}","zeta":1.0,"call_id":"c","alpha":"\u00e9"}}"#)
        };
        for (kind, prefix) in [
            ("message", "msg"),
            ("function_call", "fc"),
            ("custom_tool_call", "ctc"),
            ("tool_search_call", "tsc"),
        ] {
            for id in [
                ours(prefix),
                format!("item_0_resp_{REAL}"),
                format!("item_7_conv_{REAL}"),
                format!("item_{REAL}"),
            ] {
                let got = left(&item(kind, &id));
                assert!(!got.contains(REAL), "{got}");
                assert!(
                    got.contains(&format!("\"type\":\"{kind}\""))
                        && got.contains(r#""zeta":1.0,"call_id":"c","alpha":"\u00e9"}"#),
                    "{got}"
                );
            }
            // A vendor's own, and one of the client's, stay as they were written.
            for id in ["msg_68c1f2a0b7b48190a1d4f0a9c2f3e4d5", "mine"] {
                let native = item(kind, id);
                assert_eq!(
                    left(&native),
                    format!(r#"{{"model":"m", "input":[{native}]}}"#)
                );
            }
        }
        // Reasoning that nobody can check, and a search of another vendor, go whole.
        for (kind, prefix) in [("reasoning", "rs"), ("web_search_call", "ws")] {
            assert!(left(&item(kind, &ours(prefix))).ends_with(r#""input":[]}"#));
            let native = item(kind, "rs_68c1f2a0b7b48190");
            assert!(left(&native).contains(&native));
        }
        // One that is asked for is not there, and the vendor says so.
        let asked = item("item_reference", &ours("msg"));
        assert!(left(&asked).contains(&asked));
        // What somebody says of such an id is no id.
        let said = format!(r#"{{"role":"user","content":"\"id\": {}"}}"#, ours("msg"));
        assert!(left(&said).contains(&said));
    }

    /// Nobody here knows who made a signature that is not sealed: taken out, it would be missing where it is wanted.
    #[test]
    fn of_what_nobody_knows_the_maker_only_what_says_it_is_taken_out() {
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
        // A turn that was nothing but a foreign search goes whole, and the one before it is the last.
        let mut searched = body(sealed, "enabled", false);
        let found = json!({ "role": "assistant", "content": [
            { "type": "server_tool_use", "id": found::id(0) + "req", "name": "web_search", "input": {} },
        ] });
        searched["messages"].as_array_mut().unwrap().push(found);
        let left = after(Operation::Messages, &searched);
        assert_eq!(left["messages"].as_array().unwrap().len(), 3);
        assert!(left.get("thinking").is_none());
    }
}
