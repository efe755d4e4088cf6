//! Calls of tools.

use serde_json::{Value, json};
use tollgate_dialect::bridge::ToolName;

use super::{block, delta};
use crate::damage::{chunk, event, finish, message, told};
use crate::grammar::{self, End};
use crate::plain;
use crate::support::*;

#[test]
fn arguments_told_only_when_they_are_whole_arrive() {
    let added = r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"f","type":"function_call","call_id":"c","name":"n","arguments":""}}"#;
    let end = event(r#"{"type":"response.completed","response":{"output":[]}}"#);
    for done in [
        r#"{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"a\":1}"}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"id":"f","type":"function_call","call_id":"c","name":"n","arguments":"{\"a\":1}"}}"#,
    ] {
        let sent = event(added) + &event(done) + &end;
        for client in [CHAT, MESSAGES] {
            assert_eq!(told(client, RESPONSES, &sent).calls[0].2, json!({"a": 1}));
        }
    }
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let sent =
        chunk(r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"now","arguments":""}}]}"#)
            + &finish("tool_calls");
    let out = stream(&context(RESPONSES, CHAT), sent.as_bytes());
    assert!(
        text(&out).contains(r#""arguments":"{}""#),
        "clients parse it"
    );
    let sent = message(
        &[&block(
            0,
            r#"{"type":"tool_use","id":"t","name":"now","input":{}}"#,
        )],
        "tool_use",
    );
    let out = stream(&context(CHAT, MESSAGES), sent.as_bytes());
    assert!(text(&out).contains(r#""function":{"arguments":"{}"}"#));
}

#[test]
fn an_input_that_a_block_begins_with_is_not_lost() {
    let sent = message(
        &[&block(
            0,
            r#"{"type":"tool_use","id":"t","name":"n","input":{"a":"\""}}"#,
        )],
        "tool_use",
    );
    for client in [CHAT, RESPONSES] {
        assert_eq!(told(client, MESSAGES, &sent).calls[0].2, json!({"a": "\""}));
    }
}

#[test]
fn custom_and_namespaced_tools_come_back_as_the_client_knows_them() {
    let mut context = context(RESPONSES, CHAT);
    context.tools = vec![
        ToolName {
            wire: "functions__exec".into(),
            name: "exec".into(),
            namespace: Some("functions".into()),
            custom: true,
            search: false,
        },
        ToolName {
            wire: "crm__find".into(),
            name: "find".into(),
            namespace: Some("crm".into()),
            custom: false,
            search: false,
        },
        ToolName {
            wire: "tool_search".into(),
            name: "tool_search".into(),
            namespace: None,
            custom: false,
            search: true,
        },
    ];
    let sent = chunk(
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"functions__exec","arguments":"{\"input\":\"1+1\\n\"}"}}]}"#,
    ) + &chunk(
        r#"{"tool_calls":[{"index":1,"id":"d","function":{"name":"crm__find","arguments":"{\"a\":1}"}}]}"#,
    ) + &chunk(
        r#"{"tool_calls":[{"index":2,"id":"e","function":{"name":"tool_search","arguments":"{\"query\":\"mail\"}"}}]}"#,
    ) + &finish("tool_calls");
    let out = stream(&context, sent.as_bytes());
    assert_eq!(grammar::check(RESPONSES, &out), Ok(End::Complete));
    let answer = plain::whole_of_stream(RESPONSES, &out).unwrap();
    let output = &answer["output"];
    assert_eq!(output[0]["type"], "custom_tool_call");
    assert_eq!(
        (
            &output[0]["name"],
            &output[0]["namespace"],
            &output[0]["input"]
        ),
        (&json!("exec"), &json!("functions"), &json!("1+1\n"))
    );
    assert_eq!(output[2]["type"], "tool_search_call");
    assert_eq!(
        (
            &output[2]["call_id"],
            &output[2]["execution"],
            &output[2]["arguments"]
        ),
        (&json!("e"), &json!("client"), &json!({"query": "mail"}))
    );
    assert_eq!(output[1]["type"], "function_call");
    assert_eq!(
        (&output[1]["name"], &output[1]["namespace"]),
        (&json!("find"), &json!("crm"))
    );
}

#[test]
fn empty_ids_and_names_in_later_deltas_are_none() {
    let sent = chunk(
        r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"n","arguments":""}}]}"#,
    ) + &chunk(
        r#"{"tool_calls":[{"index":0,"id":"","type":"function","function":{"name":"","arguments":"{\"a\":"}}]}"#,
    ) + &chunk(
        r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"","arguments":"1}"}}]}"#,
    ) + &finish("tool_calls");
    for client in [RESPONSES, MESSAGES] {
        let calls = told(client, CHAT, &sent).calls;
        assert_eq!(calls, [("c".into(), "n".into(), json!({"a": 1}))]);
    }
}

#[test]
fn several_calls_under_one_index_are_several_calls() {
    let sent = chunk(
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"n","arguments":"{\"a\":1}"}}]}"#,
    ) + &chunk(
        r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"n","arguments":"{\"a\":2}"}}]}"#,
    ) + &chunk(
        r#"{"tool_calls":[{"id":"c","function":{"name":"n","arguments":"{\"a\":3}"}}]}"#,
    ) + &finish("tool_calls");
    for client in [RESPONSES, MESSAGES] {
        let calls = told(client, CHAT, &sent).calls;
        let inputs: Vec<&Value> = calls.iter().map(|call| &call.2["a"]).collect();
        assert_eq!(inputs, [1, 2, 3]);
    }
}

#[test]
fn calls_are_answered_whatever_word_the_vendor_stops_with() {
    let sent =
        chunk(r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"n","arguments":"{}"}}]}"#)
            + &finish("stop");
    let out = stream(&context(MESSAGES, CHAT), sent.as_bytes());
    assert!(text(&out).contains(r#""stop_reason":"tool_use""#));
    let none = chunk(r#"{"content":"a"}"#) + &finish("tool_calls");
    let out = stream(&context(MESSAGES, CHAT), none.as_bytes());
    assert!(
        text(&out).contains(r#""stop_reason":"end_turn""#),
        "no client waits for a call"
    );
}

#[test]
fn what_a_vendors_own_tool_said_is_no_part_of_the_answer() {
    let sent = chunk(r#"{"role":"tool","content":"search result"}"#)
        + &chunk(r#"{"role":"assistant","content":"a"}"#)
        + &finish("stop");
    for client in [RESPONSES, MESSAGES] {
        assert_eq!(told(client, CHAT, &sent).text, "a");
    }
}

#[test]
fn text_behind_calls_is_told_behind_them() {
    let sent = chunk(
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"n","arguments":"{\"a\":1}"}}]}"#,
    ) + &chunk(r#"{"content":"after"}"#)
        + &finish("tool_calls");
    let out = stream(&context(MESSAGES, CHAT), sent.as_bytes());
    assert_eq!(grammar::check(MESSAGES, &out), Ok(End::Complete));
    let whole = plain::whole_of_stream(MESSAGES, &out).unwrap();
    assert_eq!(whole["content"][0]["type"], "tool_use");
    assert_eq!(whole["content"][1]["text"], "after");
}

/// A request's own context leads its answer back: a coding agent's request of Responses at a vendor of each other
/// dialect, whose free-form tool is a function there.
#[test]
fn the_answer_to_a_bridged_request_is_the_one_its_client_waits_for() {
    let body = json!({
        "model": "asked-model", "stream": true, "store": false, "include": ["reasoning.encrypted_content"],
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "fix it"}]}],
        "tools": [
            {"type": "custom", "name": "apply_patch", "description": "edits files", "format": {"type": "text"}},
            {"type": "function", "name": "exec", "parameters": {"type": "object", "properties": {}}, "strict": false},
        ],
        "parallel_tool_calls": true, "prompt_cache_key": "k",
    });
    let calls = [
        (
            CHAT,
            chunk(r#"{"reasoning_content":"hm"}"#)
                + &chunk(
                    r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"apply_patch","arguments":"{\"input\":\"*** Begin\\n\"}"}}]}"#,
                )
                + &finish("tool_calls"),
        ),
        (
            MESSAGES,
            message(
                &[
                    &block(
                        0,
                        r#"{"type":"thinking","thinking":"hm","signature":"c2ln"}"#,
                    ),
                    &block(
                        1,
                        r#"{"type":"tool_use","id":"c","name":"apply_patch","input":{}}"#,
                    ),
                    &delta(
                        1,
                        r#"{"type":"input_json_delta","partial_json":"{\"input\":\"*** Begin\\n\"}"}"#,
                    ),
                ],
                "tool_use",
            ),
        ),
    ];
    for (vendor, sent) in calls {
        let target = tollgate_dialect::bridge::Target {
            dialect: vendor,
            family: "maker",
            model: "vendor-model",
            max_output_tokens: None,
            default_output_tokens: None,
            abilities: tollgate_dialect::bridge::Abilities::default(),
        };
        let bridged =
            tollgate_dialect::bridge::request(RESPONSES, body.to_string().as_bytes(), &target);
        let out = stream(&bridged.unwrap().context, sent.as_bytes());
        assert_eq!(grammar::check(RESPONSES, &out), Ok(End::Complete));
        let answer = plain::whole_of_stream(RESPONSES, &out).unwrap();
        assert_eq!(answer["model"], "asked-model");
        assert_eq!(answer["store"], false);
        assert_eq!(answer["tools"], body["tools"]);
        assert_eq!(answer["output"][0]["type"], "reasoning");
        assert!(answer["output"][0]["encrypted_content"].is_string());
        assert_eq!(answer["output"][1]["type"], "custom_tool_call");
        assert_eq!(answer["output"][1]["input"], "*** Begin\n");
    }
}
