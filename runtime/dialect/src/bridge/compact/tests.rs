use serde_json::Value;

use super::*;
use crate::Dialect;
use crate::bridge::{Abilities, Target, has_sealed, request, strip_sealed};

fn document(body: &Value) -> Document {
    Document::parse(body.to_string().into()).unwrap()
}

fn read(document: &Document) -> Value {
    serde_json::from_slice(&document.to_bytes()).unwrap()
}

fn stamp() -> Stamp {
    Stamp {
        request_id: "0123".to_owned(),
        created: 1_790_000_000,
    }
}

fn answer(text: &str) -> Value {
    json!({
        "id": "resp_x", "object": "response", "status": "completed",
        "output": [
            { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": "hm" }] },
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": text, "annotations": [] }] },
        ],
        "usage": { "input_tokens": 9, "output_tokens": 3, "total_tokens": 12 },
    })
}

fn compact(input: &Value, text: &str) -> Value {
    let input = input.to_string();
    let whole = compacted(
        Some(input.as_bytes()),
        answer(text).to_string().as_bytes(),
        &stamp(),
    );
    serde_json::from_slice(&whole.unwrap()).unwrap()
}

fn user(text: &str) -> Value {
    json!({ "role": "user", "content": text })
}

/// The text of an opened summary.
fn opened(text: &str) -> Value {
    json!({
        "type": "message", "role": "user",
        "content": [{ "type": "input_text", "text": format!("{OPENED}{text}") }],
    })
}

#[test]
fn the_call_that_sums_up_begins_as_the_conversation_did_and_asks_last() {
    let tools = json!([{ "type": "function", "name": "f", "parameters": {} }]);
    let said = json!([user("one"), { "role": "assistant", "content": "two" }]);
    let body = json!({
        "model": "m", "input": said, "instructions": "Be brief.", "tools": tools, "prompt_cache_key": "k",
        "reasoning": { "effort": "low" }, "text": { "format": { "type": "json_object" } }, "tool_choice": "required",
        "parallel_tool_calls": true, "stream": true, "store": true, "previous_response_id": "resp_1", "x": 1,
    });
    let asked = read(&summarising(&document(&body)).unwrap());
    let items = asked["input"].as_array().unwrap();
    assert_eq!(items[..2], said.as_array().unwrap()[..]);
    assert_eq!(items.len(), 3);
    assert_eq!(items[2]["content"][0]["text"], ASKED);
    for same in [
        "model",
        "instructions",
        "tools",
        "prompt_cache_key",
        "reasoning",
        "previous_response_id",
    ] {
        assert_eq!(asked[same], body[same], "{same}");
    }
    for left in ["text", "parallel_tool_calls", "stream", "x"] {
        assert!(asked.get(left).is_none(), "{left}: {asked}");
    }
    assert_eq!(asked["store"], false);
    assert_eq!(asked["tool_choice"], "none");
    // Without tools there is nothing to forbid, and vendors refuse a choice among none.
    for body in [
        json!({ "model": "m", "input": "one" }),
        json!({ "model": "m", "previous_response_id": "resp_1", "tools": [] }),
    ] {
        let asked = read(&summarising(&document(&body)).unwrap());
        assert!(asked.get("tool_choice").is_none(), "{asked}");
        let count = usize::from(body.get("input").is_some());
        assert_eq!(asked["input"].as_array().unwrap().len(), count + 1);
    }
}

#[test]
fn what_users_said_is_kept_and_the_rest_is_one_sealed_item() {
    let parts = json!([{ "type": "input_text", "text": "three" }, { "type": "input_image", "image_url": "data:," }]);
    let input = json!([
        { "role": "developer", "content": "rules" },
        user("one"),
        { "type": "message", "role": "assistant", "content": "two" },
        { "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" },
        { "type": "function_call_output", "call_id": "c", "output": "o" },
        { "type": "message", "role": "user", "content": parts },
    ]);
    let whole = compact(&input, " They counted. ");
    assert_eq!(whole["object"], "response.compaction");
    assert_eq!(whole["id"], "resp_0123");
    assert_eq!(whole["created_at"], 1_790_000_000);
    assert_eq!(whole["usage"], answer("")["usage"]);
    let output = whole["output"].as_array().unwrap();
    let told: Vec<_> = output
        .iter()
        .map(|item| (item["role"].as_str(), &item["content"]))
        .collect();
    let text = |text: &str| json!([{ "type": "input_text", "text": text }]);
    assert_eq!(told[0], (Some("developer"), &text("rules")));
    assert_eq!(told[1], (Some("user"), &text("one")));
    assert_eq!(told[2], (Some("user"), &parts));
    assert_eq!(output.len(), 4);
    assert_eq!(output[1]["type"], "message");
    assert_eq!(output[1]["status"], "completed");
    assert_ne!(output[1]["id"], output[2]["id"]);
    let item = &output[3];
    assert_eq!(item["type"], "compaction");
    assert_eq!(item["id"], "cmp_0123");
    let sealed = item["encrypted_content"].as_str().unwrap();
    assert!(!sealed.contains("counted"), "{sealed}");
    // A later request brings it back.
    let body = json!({ "model": "m", "input": [item, user("go on")] });
    let mut later = document(&body);
    open_summaries(&mut later, Operation::Responses).unwrap();
    assert_eq!(
        read(&later)["input"],
        json!([opened("They counted."), user("go on")])
    );
}

#[test]
fn a_summary_of_a_summary_does_not_keep_both() {
    let input = json!([opened("the old one"), user("go on")]);
    let output = compact(&input, "the new one")["output"].clone();
    let output = output.as_array().unwrap();
    assert_eq!(output.len(), 2, "{output:?}");
    assert_eq!(output[0]["content"][0]["text"], "go on");
}

#[test]
fn a_conversation_of_long_pastes_gets_shorter() {
    let long = "x".repeat(MOST_KEPT - 1_000);
    let input = json!([user("first"), user(&long), user(&long), user("last")]);
    let output = compact(&input, "short")["output"].clone();
    let kept: Vec<_> = output
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["content"][0]["text"].as_str())
        .collect();
    assert_eq!(kept, [long.as_str(), "last"], "the newest, without a gap");
}

#[test]
fn what_is_no_whole_summary_is_none() {
    let mut cut = answer("half of");
    cut["status"] = json!("incomplete");
    let mut call = answer("");
    call["output"] =
        json!([{ "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" }]);
    let mut refusal = answer("");
    refusal["output"][1]["content"] = json!([{ "type": "refusal", "refusal": "No." }]);
    for broken in [cut, call, refusal, answer(" \n"), json!("x")] {
        let refused = compacted(None, broken.to_string().as_bytes(), &stamp());
        assert_eq!(
            refused.unwrap_err().kind,
            ErrorKind::UpstreamFailed,
            "{broken}"
        );
    }
}

#[test]
fn only_our_own_summaries_are_opened_and_nothing_else_is_touched() {
    let sealed = |kind, text: &str| opaque::seal(ANY, kind, text);
    for untouched in [
        json!({ "model": "m", "input": "tg1." }),
        json!({ "model": "m", "input": [{ "type": "compaction", "encrypted_content": "gAAAA" }] }),
        json!({ "model": "m", "input": [{ "type": "compaction", "encrypted_content": "tg1.any.summary.!" }] }),
        json!({ "model": "m", "input": [
            { "type": "compaction", "encrypted_content": sealed(OpaqueKind::Redacted, "x") },
            { "type": "reasoning", "encrypted_content": sealed(OpaqueKind::Summary, "x") },
            user(&sealed(OpaqueKind::Summary, "x")),
        ] }),
    ] {
        let mut document = document(&untouched);
        open_summaries(&mut document, Operation::Responses).unwrap();
        assert!(!document.is_modified(), "{untouched}");
    }
    let sealed = sealed(OpaqueKind::Summary, "We spoke of Paris.");
    let body = json!({ "messages": [{ "type": "compaction", "encrypted_content": sealed }] });
    let mut foreign = document(&body);
    open_summaries(&mut foreign, Operation::Messages).unwrap();
    assert!(!foreign.is_modified());
    // Escapes hide nothing from those who judge the text.
    let escaped = sealed.replace("tg1", "t\\u0067\\u0031");
    let body = format!(
        r#"{{"model":"m", "input":[ {{"typ\u0065":"comp\u0061ction","encrypted_content":"{escaped}"}} , 1.0e0 ]}}"#
    );
    for operation in [
        Operation::Responses,
        Operation::Compact,
        Operation::InputTokens,
    ] {
        let mut document = Document::parse(body.clone().into()).unwrap();
        open_summaries(&mut document, operation).unwrap();
        let text = String::from_utf8(document.to_bytes().to_vec()).unwrap();
        assert!(text.contains("We spoke of Paris."), "{text}");
        assert!(text.contains(",1.0e0]"), "{text}");
    }
}

#[test]
fn a_summary_reaches_every_vendor_and_is_never_stripped() {
    let item = compact(&json!([]), "We spoke of Paris.")["output"][0].clone();
    let body = json!({ "model": "m", "input": [item, user("go on")] });
    for dialect in [Dialect::OpenaiChat, Dialect::AnthropicMessages] {
        let to = Target {
            dialect,
            family: "maker",
            model: "theirs",
            max_output_tokens: None,
            default_output_tokens: None,
            abilities: Abilities::default(),
        };
        let sent = request(Dialect::OpenaiResponses, body.to_string().as_bytes(), &to).unwrap();
        let sent = String::from_utf8(sent.body).unwrap();
        assert!(sent.contains("We spoke of Paris."), "{sent}");
    }
    let mut native = document(&body);
    open_summaries(&mut native, Operation::Responses).unwrap();
    assert!(!has_sealed(&native, Operation::Responses));
    strip_sealed(&mut native, Operation::Responses).unwrap();
    assert!(
        native
            .to_bytes()
            .windows(18)
            .any(|part| part == b"We spoke of Paris.")
    );
}
