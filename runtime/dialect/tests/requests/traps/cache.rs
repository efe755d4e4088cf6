//! What a vendor keeps of a prompt: the same beginning in every turn, and marks that reach it.

use serde_json::{Value, json};
use tollgate_dialect::Dialect;
use tollgate_dialect::bridge::opaque::{self, OpaqueKind};

use super::{CHAT, MESSAGES, RESPONSES, agent, with};
use crate::support::*;

#[test]
fn the_first_system_block_that_changes_with_every_version_does_not_spoil_the_prompt_cache() {
    let ask = |version: &str| {
        json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}],
            "system": [{"type": "text", "text": format!("x-vendor-billing-header: cc_version={version};")},
                {"type": "text", "text": "You are an agent."}]})
    };
    for to in [CHAT, RESPONSES] {
        assert_eq!(
            value(MESSAGES, &ask("1"), &able(to)),
            value(MESSAGES, &ask("2"), &able(to))
        );
    }
}

#[test]
fn a_cache_mark_on_a_tool_result_reaches_a_vendor_of_chat_that_takes_marks() {
    let mark = json!({"type": "ephemeral"});
    let marked = |content: Value, error: bool| {
        let body = json!({"model": "asked", "max_tokens": 9, "messages": [
            {"role": "user", "content": "Go"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": content,
                "is_error": error, "cache_control": mark}]}]});
        let made = value(
            MESSAGES,
            &body,
            &with(&["cache-control", "string-content"], CHAT),
        );
        // A vendor without marks gets none.
        let plain = value(MESSAGES, &body, &bare(CHAT)).to_string();
        assert!(!plain.contains("cache_control"), "{plain}");
        made["messages"].clone()
    };
    assert_eq!(
        marked(json!("done"), false)[2]["content"],
        json!([{"type": "text", "text": "done", "cache_control": mark}])
    );
    assert_eq!(
        marked(json!("broken"), true)[2]["content"],
        json!([{"type": "text", "text": "Error: broken", "cache_control": mark}])
    );
    let two = json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]);
    assert_eq!(
        marked(two, false)[2]["content"],
        json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two", "cache_control": mark}])
    );
    // What is said last of the result carries it, wherever that stands.
    let image =
        json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}});
    let messages = marked(json!([{"type": "text", "text": "one"}, image]), false);
    assert_eq!(messages[2]["content"], "one");
    assert_eq!(messages[3]["content"][1]["cache_control"], mark);
    // Nothing to mark.
    assert_eq!(marked(json!([]), false)[2]["content"], "");
}

#[test]
fn every_cache_mark_of_a_request_is_there_for_a_vendor_of_chat_that_takes_marks() {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let text = |text: &str| json!({"type": "text", "text": text, "cache_control": mark});
    let body = json!({"model": "asked", "max_tokens": 9, "system": [text("Rules.")],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark}],
        "messages": [{"role": "user", "content": [text("Look"),
            {"type": "image", "cache_control": mark,
                "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {"type": "document", "title": "d", "cache_control": mark,
                "source": {"type": "text", "media_type": "text/plain", "data": "x"}}]}]});
    let made = value(MESSAGES, &body, &with(&["cache-control"], CHAT));
    for place in [
        "/tools/0",
        "/messages/0/content/0",
        "/messages/1/content/0",
        "/messages/1/content/1",
        "/messages/1/content/2",
    ] {
        let kept = made.pointer(&format!("{place}/cache_control"));
        assert_eq!(kept, Some(&mark), "{place} of {made:#}");
    }
}

#[test]
fn a_mark_on_the_whole_request_is_not_lost_but_stands_on_the_last_part_that_can_carry_it() {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let said = |messages: Value| json!({"model": "asked", "max_tokens": 9, "system": "Rules.", "cache_control": mark, "messages": messages});
    let user = json!({"role": "user", "content": "Go"});
    let called = json!({"role": "assistant", "content": [{"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "a", "name": "f", "input": {}}]});
    let result = |content: Value| {
        json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": content}]})
    };
    let takes = with(&["cache-control"], CHAT);
    for (messages, place) in [
        (json!([user]), "/messages/1/content/0"),
        (
            json!([user, called, result(json!("done"))]),
            "/messages/3/content/0",
        ),
        // Nothing came back, and a call has no place for a mark: what was said before it has.
        (
            json!([user, called, result(json!([]))]),
            "/messages/2/content/0",
        ),
    ] {
        let body = said(messages);
        let made = value(MESSAGES, &body, &takes);
        let kept = made.pointer(&format!("{place}/cache_control"));
        assert_eq!(kept, Some(&mark), "{place} of {made:#}");
        assert_eq!(made.to_string().matches("cache_control").count(), 1);
        // Nothing is left where no marks are taken.
        for to in [bare(CHAT), bare(RESPONSES)] {
            let plain = value(MESSAGES, &body, &to).to_string();
            assert!(!plain.contains("cache"), "{plain}");
        }
    }
    // The client's own mark on that part stays as it is.
    let own = json!({"type": "ephemeral"});
    let body = said(json!([{"role": "user", "content": [
        {"type": "text", "text": "Go", "cache_control": own}]}]));
    let made = value(MESSAGES, &body, &takes);
    assert_eq!(made["messages"][1]["content"][0]["cache_control"], own);
}

#[test]
fn a_mark_on_a_call_stands_on_what_was_said_before_it() {
    let mark = json!({"type": "ephemeral"});
    let body = json!({"model": "asked", "max_tokens": 9, "messages": [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": [{"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "a", "name": "f", "input": {}, "cache_control": mark}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "done"}]}]});
    let made = value(MESSAGES, &body, &with(&["cache-control"], CHAT));
    assert_eq!(
        made["messages"][1]["content"],
        json!([{"type": "text", "text": "I look.", "cache_control": mark}])
    );
    // The assistant's words carry none in Responses: the user's before them do.
    let made = value(
        MESSAGES,
        &body,
        &with(&["prompt-cache-breakpoints"], RESPONSES),
    );
    assert_eq!(
        made["input"][0]["content"],
        json!([{"type": "input_text", "text": "Go", "prompt_cache_breakpoint": {"mode": "explicit"}}])
    );
}

#[test]
fn marks_of_messages_become_breakpoints_at_vendors_that_take_those_and_at_no_other() {
    let mark = json!({"type": "ephemeral"});
    let text = |text: &str| json!({"type": "text", "text": text, "cache_control": mark});
    let body = json!({"model": "asked", "max_tokens": 9,
        "system": [{"type": "text", "text": "Rules."}, text("More rules.")],
        "messages": [
            {"role": "user", "content": [text("Look")]},
            {"role": "assistant", "content": [text("I look."),
                {"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "broken",
                "is_error": true, "cache_control": mark}]}]});
    let breakpoint = json!({"mode": "explicit"});
    let there = |made: &Value, places: &[&str]| {
        for place in places {
            let kept = made.pointer(&format!("{place}/prompt_cache_breakpoint"));
            assert_eq!(kept, Some(&breakpoint), "{place} of {made:#}");
        }
        let all = made.to_string().matches("breakpoint").count();
        assert_eq!(all, places.len(), "{made:#}");
    };
    let made = value(
        MESSAGES,
        &body,
        &with(&["prompt-cache-breakpoints"], RESPONSES),
    );
    let places = [
        "/input/0/content/1",
        "/input/1/content/0",
        "/input/4/output/1",
    ];
    there(&made, &places);
    // Its string would carry no mark.
    assert!(made["instructions"].is_null() && made["input"][0]["role"] == "developer");
    let made = value(MESSAGES, &body, &with(&["prompt-cache-breakpoints"], CHAT));
    there(
        &made,
        &[
            "/messages/0/content/1",
            "/messages/1/content/0",
            "/messages/3/content/0",
        ],
    );
    // A key of the prompt cache is no sign that marks are taken: older models have the key alone.
    for to in [CHAT, RESPONSES] {
        let plain = value(MESSAGES, &body, &with(&["prompt-cache-key"], to)).to_string();
        assert!(!plain.contains("breakpoint"), "{plain}");
    }
}

#[test]
fn a_mark_that_goes_on_with_the_conversation_leaves_what_it_stood_on_as_it_was() {
    let mark = json!({"type": "ephemeral"});
    let turn = |id: &str, marked: bool| {
        let mut result = json!({"type": "tool_result", "tool_use_id": id, "content": "done"});
        if marked {
            result["cache_control"] = mark.clone();
        }
        [
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": {}}]}),
            json!({"role": "user", "content": [result]}),
        ]
    };
    let made = |turns: &[(&str, bool)]| {
        let mut messages = vec![json!({"role": "user", "content": "Go"})];
        messages.extend(turns.iter().flat_map(|(id, marked)| turn(id, *marked)));
        let body = json!({"model": "asked", "max_tokens": 9, "messages": messages});
        let made = value(
            MESSAGES,
            &body,
            &with(&["prompt-cache-breakpoints"], RESPONSES),
        );
        let mut input = made["input"].as_array().unwrap().clone();
        for part in input.iter_mut().flat_map(|item| {
            let parts = item.get_mut("output").and_then(Value::as_array_mut);
            parts.into_iter().flatten()
        }) {
            part.as_object_mut()
                .unwrap()
                .remove("prompt_cache_breakpoint");
        }
        input
    };
    let first = made(&[("a", true)]);
    assert_eq!(made(&[("a", false), ("b", true)])[..first.len()], first);
}

/// A vendor binds what it thought to the conversation it thought it in, and answers another beginning with a 400; and its
/// prompt cache is read only where the beginning is the same.
#[test]
fn a_conversation_begins_with_the_same_bytes_in_every_later_turn_for_thinking_is_bound_to_it() {
    let thought = |text: &str| {
        json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": text}],
            "encrypted_content": opaque::seal(FAMILY, OpaqueKind::Signature, text)})
    };
    let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{ \"b\": 1, \"a\": 2 }"});
    let came = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "done"});
    let all = [
        json!({"role": "developer", "content": "Rules."}),
        json!({"role": "user", "content": "Go"}),
        thought("one"),
        json!({"role": "assistant", "content": "I look. "}),
        call("a"),
        call("b"),
        came("b"),
        came("a"),
        thought("two"),
        call("c"),
        came("c"),
        thought("three"),
        json!({"role": "assistant", "content": "Done."}),
        json!({"role": "user", "content": "More"}),
    ];
    let tools = json!([{"type": "function", "name": "f", "strict": true, "parameters": {"type": "object",
        "properties": {"b": {"type": "integer", "minimum": 1}, "a": {}}}}]);
    for to in [able(MESSAGES), bare(MESSAGES)] {
        for keyed in [false, true] {
            let mut before: Option<(String, Vec<Value>)> = None;
            for length in [2, 8, 11, 14] {
                let mut body = agent(json!(all[..length]), tools.clone());
                body["reasoning"] = json!({"effort": "high"});
                if keyed {
                    body["prompt_cache_key"] = json!("k");
                }
                let mut made = value(RESPONSES, &body, &to);
                if keyed {
                    // The bridge's own marks go on with the conversation.
                    unmark(&mut made["messages"]);
                }
                let head = format!("{} {} {}", made["system"], made["tools"], made["thinking"]);
                let messages = made["messages"].as_array().unwrap().clone();
                if let Some((first, earlier)) = before {
                    assert_eq!(head, first);
                    assert_eq!(messages[..earlier.len()], earlier, "{length}");
                    assert!(messages.len() > earlier.len());
                }
                let signed = made.to_string().matches("\"signature\"").count();
                assert_eq!(
                    signed,
                    [0, 1, 2, 3][[2, 8, 11, 14].iter().position(|at| *at == length).unwrap()]
                );
                before = Some((head, messages));
            }
        }
    }
}

fn unmark(messages: &mut Value) {
    for block in messages
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .flat_map(|message| message["content"].as_array_mut().unwrap().iter_mut())
    {
        block.as_object_mut().unwrap().remove("cache_control");
    }
}

/// With `explicit` nothing is cached but what is marked: the marks alone would mean another thing.
#[test]
fn how_the_prompt_is_cached_crosses_with_the_marks_and_never_without() {
    let able = &["prompt-cache-breakpoints"];
    let options = |from: Dialect, options: Value, to: Dialect, names: &[&'static str]| {
        let mut body = json!({"model": "asked", "prompt_cache_options": options});
        let said = json!([{"role": "user", "content": "Go"}]);
        body[if from == CHAT { "messages" } else { "input" }] = said;
        value(from, &body, &with(names, to))["prompt_cache_options"].clone()
    };
    let both = json!({"mode": "explicit", "ttl": "30m"});
    assert_eq!(options(CHAT, both.clone(), RESPONSES, able), both);
    assert_eq!(options(RESPONSES, both.clone(), CHAT, able), both);
    // What only Responses has.
    let more = json!({"mode": "explicit", "ttl": "12h", "prewarm": false, "comparison_response_id": "resp_1"});
    assert_eq!(
        options(RESPONSES, more, CHAT, able),
        json!({"mode": "explicit"})
    );
    for less in [json!({"ttl": "12h"}), json!({}), Value::Null] {
        assert!(options(RESPONSES, less, CHAT, able).is_null());
    }
    for to in [CHAT, RESPONSES, MESSAGES] {
        for from in [CHAT, RESPONSES].into_iter().filter(|from| *from != to) {
            assert!(options(from, both.clone(), to, &[]).is_null());
        }
    }
    assert!(options(CHAT, both, MESSAGES, able).is_null());
}
