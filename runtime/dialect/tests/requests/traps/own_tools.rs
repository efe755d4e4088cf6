//! Tools that vendors run themselves: MCP servers and the running of code.

use serde_json::{Value, json};
use tollgate_dialect::ErrorKind;
use tollgate_dialect::bridge::opaque;

use super::{CHAT, MESSAGES, RESPONSES};
use crate::support::*;

#[test]
fn a_request_with_servers_goes_to_messages_with_the_flag_that_these_are_behind_and_no_other_does() {
    let flags = |body: &Value, to| {
        bridged(RESPONSES, &body.to_string(), &able(to))
            .unwrap()
            .headers
    };
    let tool = json!({"type": "mcp", "server_label": "s", "server_url": "https://s.example", "require_approval": "never"});
    let body = json!({"model": "asked", "input": "Go", "tools": [tool]});
    assert_eq!(
        flags(&body, MESSAGES),
        [("anthropic-beta", "mcp-client-2025-11-20")]
    );
    let body = json!({"model": "asked", "input": "Go"});
    assert!(flags(&body, MESSAGES).is_empty() && flags(&body, CHAT).is_empty());
    let body = json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}],
        "mcp_servers": [{"type": "url", "url": "https://s.example", "name": "s"}]});
    let there = bridged(MESSAGES, &body.to_string(), &able(RESPONSES)).unwrap();
    assert!(there.headers.is_empty());
}

#[test]
fn a_toolset_of_a_server_that_is_not_there_is_a_fault_of_the_request() {
    let body = json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}],
        "mcp_servers": [{"type": "url", "url": "https://s.example", "name": "s"}],
        "tools": [{"type": "mcp_toolset", "mcp_server_name": "other"}]});
    let error = bridged(MESSAGES, &body.to_string(), &able(RESPONSES)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert_eq!(error.param.as_deref(), Some("tools[0].mcp_server_name"));
    for (body, param) in [
        (
            json!([{"type": "mcp", "server_url": "https://s.example", "require_approval": "never"}]),
            "tools[0].server_label",
        ),
        (
            json!([{"type": "mcp", "server_label": "s", "require_approval": "never"}]),
            "tools[0].server_url",
        ),
        (
            json!([{"type": "mcp", "server_label": 5, "server_url": "u", "require_approval": "never"}]),
            "tools[0].server_label",
        ),
        (
            json!([{"type": "mcp", "server_label": "s", "server_url": "u", "require_approval": "never", "headers": [1]}]),
            "tools[0].headers",
        ),
        (
            json!([{"type": "mcp", "server_label": "s", "server_url": "u", "require_approval": "never", "allowed_tools": [1]}]),
            "tools[0].allowed_tools[0]",
        ),
        (json!([{"type": "code_interpreter"}]), "tools[0].container"),
        (
            json!([{"type": "code_interpreter", "container": {"file_ids": 5}}]),
            "tools[0].container.file_ids",
        ),
    ] {
        let body = json!({"model": "asked", "input": "Go", "tools": body});
        let error = bridged(RESPONSES, &body.to_string(), &able(MESSAGES)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{error:?}");
        assert_eq!(error.param.as_deref(), Some(param));
    }
}

#[test]
fn reasoning_that_led_to_a_tool_which_is_not_told_again_is_not_either_and_other_reasoning_is() {
    let sealed = |id: &str| json!({"type": "thinking", "thinking": "hm", "signature": opaque::seal_item(FAMILY, id, "gAAAA")});
    let call = |server: &str| json!({"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "f", "server_name": server, "input": {}});
    let came = json!({"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": false, "content": "x"});
    let body = |server: &str| {
        json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"},
        {"role": "assistant", "content": [sealed("rs_1"), call(server), came, sealed("rs_2"), {"type": "text", "text": "Hi"}]},
        {"role": "user", "content": "On"}],
        "mcp_servers": [{"type": "url", "url": "https://s.example", "name": "s"}]})
    };
    let kinds = |server| {
        let made = value(MESSAGES, &body(server), &able(RESPONSES));
        let items = made["input"].as_array().unwrap().iter();
        items
            .map(|item| {
                item["id"]
                    .as_str()
                    .or(item["type"].as_str())
                    .unwrap()
                    .to_owned()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        kinds("s"),
        ["message", "rs_1", "mcp_1", "rs_2", "message", "message"]
    );
    assert_eq!(kinds("gone"), ["message", "rs_2", "message", "message"]);
}
