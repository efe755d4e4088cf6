//! Calls of tools.

use serde_json::{Value, json};
use tollgate_dialect::Dialect;
use tollgate_dialect::bridge::{Abilities, ClientTool, Target, ToolName, request};

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
            item: None,
        },
        ToolName {
            wire: "crm__find".into(),
            name: "find".into(),
            namespace: Some("crm".into()),
            custom: false,
            item: None,
        },
        ToolName {
            wire: "tool_search".into(),
            name: "tool_search".into(),
            namespace: None,
            custom: false,
            item: Some(ClientTool::Search),
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

/// A tool that its client knows by its type is a function to another vendor, and its own again in the answer.
#[test]
fn a_call_of_a_tool_that_the_client_knows_by_its_type_is_what_the_client_expects_of_it() {
    let responses = [
        (
            "computer",
            r#"{"actions":[{"type":"click","x":1,"y":2}]}"#,
            "computer_call",
            "/actions/0/x",
            json!(1),
        ),
        (
            "computer_use_preview",
            r#"{"action":{"type":"wait"}}"#,
            "computer_call",
            "/action/type",
            json!("wait"),
        ),
        (
            "shell",
            r#"{"commands":["ls"]}"#,
            "shell_call",
            "/action/commands/0",
            json!("ls"),
        ),
        (
            "local_shell",
            r#"{"command":["ls"]}"#,
            "local_shell_call",
            "/action",
            json!({"type": "exec", "env": {}, "command": ["ls"]}),
        ),
        (
            "apply_patch",
            r#"{"type":"delete_file","path":"x"}"#,
            "apply_patch_call",
            "/operation/path",
            json!("x"),
        ),
        (
            "shell",
            r#"{"commands":"ls"}"#,
            "shell_call",
            "/action/commands",
            json!(["ls"]),
        ),
        (
            "computer",
            r#"{"actions":[{"type":"click","x":1,"y":2},{"type":"scroll","x":1,"y":2,"scroll_y":9}]}"#,
            "computer_call",
            "/actions",
            json!([{"type": "click", "x": 1, "y": 2, "button": "left"}, {"type": "scroll", "x": 1, "y": 2, "scroll_x": 0, "scroll_y": 9}]),
        ),
        (
            "apply_patch",
            r#"{"diff":"+a","path":"x","type":"create_file"}"#,
            "apply_patch_call",
            "/operation",
            json!({"type": "create_file", "path": "x", "diff": "+a"}),
        ),
        (
            "local_shell",
            r#"{"command":["ls"],"env":null}"#,
            "local_shell_call",
            "/action/env",
            json!({}),
        ),
    ];
    for (tool, arguments, item, at, wanted) in responses {
        let asked = json!({"model": "m", "input": "Go", "stream": true, "tools": [{"type": tool}]});
        let name = if tool.starts_with("computer") {
            "computer"
        } else {
            tool
        };
        for called in calls_of(RESPONSES, &asked, name, arguments) {
            let call = &called["output"][0];
            assert_eq!(call["type"], item, "{called}");
            assert_eq!(call.pointer(at), Some(&wanted), "{called}");
            assert_eq!(
                (&call["call_id"], &call["status"]),
                (&json!("call_1"), &json!("completed"))
            );
        }
    }
    let asked = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}], "stream": true,
        "tools": [{"type": "computer_toolset_20260801"}, {"type": "bash_20250124", "name": "bash"}]});
    for called in calls_of(
        MESSAGES,
        &asked,
        "computer__left_click",
        r#"{"coordinate":[1,2]}"#,
    ) {
        assert_eq!(
            called["content"][0],
            json!({"type": "tool_use", "id": "call_1", "name": "left_click", "toolset_name": "computer",
                "caller": {"type": "direct"}, "input": {"coordinate": [1, 2]}})
        );
    }
    for called in calls_of(MESSAGES, &asked, "bash", r#"{"command":"ls"}"#) {
        assert_eq!(
            called["content"][0],
            json!({"type": "tool_use", "id": "call_1", "name": "bash", "input": {"command": "ls"}})
        );
    }
}

/// Arguments of another form would else be told as a whole call of nothing, which its client does and the model takes for done.
#[test]
fn a_call_that_the_model_wrote_in_no_form_the_client_knows_does_nothing_and_is_not_complete() {
    let nothing = json!({"type": "update_file", "path": "", "diff": ""});
    let strange = [
        ("computer", "not JSON", "/actions", json!([])),
        ("computer", r#"{"actions":{}}"#, "/actions", json!([])),
        ("computer", r#"{"actions":["wait"]}"#, "/actions", json!([])),
        (
            "computer_use_preview",
            r#"{"action":{"x":1}}"#,
            "/action",
            json!({"type": "screenshot"}),
        ),
        ("shell", "not JSON", "/action/commands", json!([])),
        ("shell", r#"{"commands":[]}"#, "/action/commands", json!([])),
        (
            "shell",
            r#"{"commands":["rm -r build",7]}"#,
            "/action/commands",
            json!([]),
        ),
        (
            "local_shell",
            r#"{"command":"ls"}"#,
            "/action/command",
            json!([]),
        ),
        (
            "apply_patch",
            r#"{"type":"move_file","path":"x","diff":"+a"}"#,
            "/operation",
            nothing.clone(),
        ),
        (
            "apply_patch",
            r#"{"type":"update_file","path":"x"}"#,
            "/operation",
            nothing.clone(),
        ),
        (
            "apply_patch",
            r#"{"type":"delete_file"}"#,
            "/operation",
            nothing,
        ),
    ];
    for (tool, arguments, at, wanted) in strange {
        let asked = json!({"model": "m", "input": "Go", "stream": true, "tools": [{"type": tool}]});
        let name = tool.strip_suffix("_use_preview").unwrap_or(tool);
        for called in calls_of(RESPONSES, &asked, name, arguments) {
            let call = &called["output"][0];
            assert_eq!(call.pointer(at), Some(&wanted), "{called}");
            let status = match tool {
                "apply_patch" => "in_progress",
                _ => "incomplete",
            };
            assert_eq!(call["status"], status, "{called}");
        }
    }
}

/// What a client that asked so is told by a vendor of Chat that calls this: whole, and made whole of a stream.
fn calls_of(client: Dialect, asked: &Value, name: &str, arguments: &str) -> [Value; 2] {
    let (told, stream) = called(client, asked, name, arguments);
    [told, plain::whole_of_stream(client, &stream).unwrap()]
}

fn called(client: Dialect, asked: &Value, name: &str, arguments: &str) -> (Value, Vec<u8>) {
    let to = Target {
        dialect: CHAT,
        family: "maker",
        model: "m",
        max_output_tokens: None,
        default_output_tokens: None,
        abilities: Abilities::default(),
    };
    let context = request(client, asked.to_string().as_bytes(), &to)
        .unwrap()
        .context;
    let call = json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}});
    let answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": null, "tool_calls": [call]}, "finish_reason": "tool_calls"}]});
    let told = whole(&context, answer.to_string().as_bytes()).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    grammar::check_whole(client, &told).unwrap();
    let chunk = |delta: Value, end: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": end});
        format!(
            "data: {}\n\n",
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})
        )
    };
    let events = chunk(json!({"role": "assistant", "tool_calls": [call]}), None)
        + &chunk(json!({}), Some("tool_calls"))
        + "data: [DONE]\n\n";
    let stream = stream(&context, events.as_bytes());
    assert_eq!(
        grammar::check(client, &stream),
        Ok(End::Complete),
        "{}",
        text(&stream)
    );
    (told, stream)
}

/// As their own vendor streams them; and nothing is begun before it is known which file an edit is of.
#[test]
fn an_edit_begins_with_its_file_and_the_commands_of_a_shell_are_told_one_by_one() {
    let asked = json!({"model": "m", "input": "Go", "stream": true, "tools": [{"type": "apply_patch"}, {"type": "shell"}]});
    let patch = r#"{"diff":"+a","path":"x","type":"create_file"}"#;
    let told = events_of(&asked, "apply_patch", patch);
    assert_eq!(
        told[0]["item"]["operation"],
        json!({"type": "create_file", "path": "x", "diff": ""})
    );
    let kinds: Vec<_> = told
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["response.output_item.added", "response.output_item.done",]
    );
    let told = events_of(
        &asked,
        "shell",
        r#"{"commands":["ls","pwd"],"timeout_ms":5}"#,
    );
    let done: Vec<_> = told
        .iter()
        .filter(|event| event["type"] == "response.shell_call_command.done")
        .collect();
    assert_eq!(
        (&done[0]["command"], &done[1]["command"]),
        (&json!("ls"), &json!("pwd"))
    );
    assert_eq!(done[1]["command_index"], 1);
    let last = told.last().unwrap();
    assert_eq!(
        last["item"]["action"],
        json!({"commands": ["ls", "pwd"], "timeout_ms": 5})
    );
}

/// The events about the one item that a vendor of Chat makes by this call.
fn events_of(asked: &Value, name: &str, arguments: &str) -> Vec<Value> {
    let (_, stream) = called(RESPONSES, asked, name, arguments);
    let data = text(&stream)
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let events = data.map(|data| serde_json::from_str::<Value>(data).unwrap());
    events.filter(|event| event["output_index"] == 0).collect()
}
