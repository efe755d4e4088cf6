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

#[test]
fn what_a_server_is_shown_to_prove_who_asks_is_in_no_error_and_in_nothing_that_is_repeated() {
    for tool in [
        json!({"type": "mcp", "server_label": "s", "server_url": "https://u:SECRET@s.example:8443/mcp?key=SECRET", "require_approval": "never",
            "authorization": "SECRET"}),
        json!({"type": "mcp", "server_label": "s", "server_url": "https://s.example:8443/SECRET", "require_approval": "never",
            "headers": {"Authorization": "Bearer SECRET"}}),
    ] {
        let body = json!({"model": "asked", "input": "Go", "tools": [{"type": "function", "name": "f"}, tool]});
        let context = bridged(RESPONSES, &body.to_string(), &able(MESSAGES))
            .unwrap()
            .context;
        let echo = context.echo.unwrap();
        let tools = echo.get("tools").unwrap().get();
        assert!(
            !tools.contains("SECRET") && tools.contains("https://s.example:8443/<redacted>"),
            "{tools}"
        );
    }
    let broken = [
        (
            RESPONSES,
            json!({"model": "asked", "input": "Go", "tools": [{"type": "mcp", "headers": "SECRET"}]}),
        ),
        (
            RESPONSES,
            json!({"model": "asked", "input": "Go", "tools": [{"type": "mcp", "authorization": ["SECRET"]}]}),
        ),
        (
            MESSAGES,
            json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}], "mcp_servers": ["SECRET"]}),
        ),
    ];
    for (from, body) in broken {
        for to in others(from) {
            let error = bridged(from, &body.to_string(), &able(to)).unwrap_err();
            assert!(!error.message.contains("SECRET"), "{error:?}");
        }
    }
}

#[test]
fn calls_of_one_id_or_none_are_told_apart_and_a_tool_that_gave_nothing_says_nothing() {
    let call = |id: &str| json!({"type": "mcp_call", "id": id, "server_label": "s", "name": "f", "arguments": "{}", "output": ""});
    let body = json!({"model": "asked", "input": [{"role": "user", "content": "Go"}, call("mcp_1"), call("mcp_1"), call(""), call(""),
        {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "On"}],
        "tools": [{"type": "mcp", "server_label": "s", "server_url": "https://s.example", "require_approval": "never"}]});
    let made = value(RESPONSES, &body, &able(MESSAGES));
    let content = made["messages"][1]["content"].as_array().unwrap();
    let calls = content
        .iter()
        .filter(|block| block["type"] == "mcp_tool_use");
    let ids: std::collections::HashSet<_> = calls.map(|block| block["id"].to_string()).collect();
    assert_eq!(ids.len(), 4, "{made}");
    assert_eq!(content[1]["content"], json!([]));
}

#[test]
fn a_tool_that_is_offered_twice_is_offered_once_and_a_server_has_a_name_that_its_vendor_takes() {
    let server = json!({"type": "url", "url": "https://s.example", "name": "My Wiki"});
    let run = json!({"type": "code_execution_20250825", "name": "code_execution"});
    let body = json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}],
        "mcp_servers": [server, server], "tools": [run, run]});
    let there = bridged(MESSAGES, &body.to_string(), &able(RESPONSES)).unwrap();
    let made: Value = serde_json::from_slice(&there.body).unwrap();
    let tools = made["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 2, "{made}");
    let label = tools[1]["server_label"].as_str().unwrap();
    assert!(label.starts_with("My_Wiki_"), "{label}");
    assert_eq!(there.context.servers[label], "My Wiki");
}

#[test]
fn what_a_server_is_configured_to_have_holds_for_its_toolset_too() {
    let made = |configuration: Value| {
        let body = json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}],
            "mcp_servers": [{"type": "url", "url": "https://s.example", "name": "s", "tool_configuration": configuration}],
            "tools": [{"type": "mcp_toolset", "mcp_server_name": "s"}]});
        value(MESSAGES, &body, &able(RESPONSES))
    };
    assert_eq!(
        made(json!({"allowed_tools": ["read"]}))["tools"][0]["allowed_tools"],
        json!(["read"])
    );
    assert!(made(json!({"enabled": false}))["tools"].is_null());
}

#[test]
fn a_cap_on_searches_is_none_on_the_vendors_other_tools() {
    let body = json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}],
        "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 1},
            {"type": "code_execution_20250825", "name": "code_execution"}]});
    assert!(value(MESSAGES, &body, &able(RESPONSES))["max_tool_calls"].is_null());
    let body = json!({"model": "asked", "input": "Go", "max_tool_calls": 3, "tools": [{"type": "web_search"},
        {"type": "code_interpreter", "container": {"type": "auto"}}]});
    assert!(value(RESPONSES, &body, &able(MESSAGES))["tools"][0]["max_uses"].is_null());
}

#[test]
fn a_list_of_the_vendors_own_tools_is_refused_where_it_has_none_and_needs_labels() {
    let body = |own: Value| {
        json!({"model": "asked", "input": "Go", "tools": [{"type": "function", "name": "f"}],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [own]}})
    };
    let asked = |own: Value, to| bridged(RESPONSES, &body(own).to_string(), &able(to)).unwrap_err();
    let error = asked(json!({"type": "mcp", "server_label": "s"}), CHAT);
    assert_eq!(
        (error.kind, error.param.as_deref()),
        (ErrorKind::Unsupported, Some("tool_choice"))
    );
    let error = asked(json!({"type": "mcp"}), MESSAGES);
    assert_eq!(
        error.param.as_deref(),
        Some("tool_choice.tools[].server_label")
    );
}

/// Each was once work or memory by the square of what was sent, or worse. Sizes are such that any of that is felt here.
#[test]
fn a_body_of_nothing_but_repeats_is_no_more_work_than_it_is_long() {
    let many = 30_000;
    let call = json!({"type": "mcp_call", "server_label": "s", "name": "f", "arguments": "{}", "output": "x"});
    let server = json!({"type": "mcp", "server_label": "s", "server_url": "https://s.example", "require_approval": "never"});
    let body = json!({"model": "asked", "input": vec![call; many], "tools": [server]});
    let made = value(RESPONSES, &body, &able(MESSAGES));
    assert_eq!(
        made["messages"][1]["content"].as_array().unwrap().len(),
        2 * many
    );
    let messages = |tools: Value, content: Value| {
        json!({"model": "asked", "max_tokens": 9, "tools": tools,
        "mcp_servers": [{"type": "url", "url": "https://s.example", "name": "s"}],
        "messages": [{"role": "user", "content": "Go"}, {"role": "assistant", "content": content}, {"role": "user", "content": "On"}]})
    };
    let uses =
        json!({"type": "mcp_tool_use", "id": "a", "name": "f", "server_name": "s", "input": {}});
    let came =
        json!({"type": "mcp_tool_result", "tool_use_id": "b", "is_error": false, "content": "x"});
    let content = [
        vec![uses; many],
        vec![came; many],
        vec![json!({"type": "text", "text": "Hi"})],
    ]
    .concat();
    value(
        MESSAGES,
        &messages(json!([]), json!(content)),
        &able(RESPONSES),
    );
    let set = json!({"type": "computer_toolset_20260801"});
    let made = value(
        MESSAGES,
        &messages(json!(vec![set; many]), json!("Hi")),
        &able(RESPONSES),
    );
    assert_eq!(made["tools"].as_array().unwrap().len(), 17 + 1);
    let shells =
        json!({"model": "asked", "input": "Go", "tools": vec![json!({"type": "shell"}); many]});
    assert_eq!(
        value(RESPONSES, &shells, &able(CHAT))["tools"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let toolset = json!({"type": "mcp_toolset", "mcp_server_name": "s"});
    let body = messages(json!([toolset, toolset]), json!("Hi"));
    let error = bridged(MESSAGES, &body.to_string(), &able(RESPONSES)).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("tools[1].mcp_server_name"));
}

#[test]
fn what_is_wrong_with_a_tool_is_named() {
    let server = |url| json!({"type": "mcp", "server_label": "s", "server_url": url, "require_approval": "never"});
    for (tools, param) in [
        (json!([{"name": "f"}]), "tools[0].type"),
        (
            json!([server("https://a.example"), server("https://b.example")]),
            "tools[1]",
        ),
    ] {
        let body = json!({"model": "asked", "input": "Go", "tools": tools});
        let error = bridged(RESPONSES, &body.to_string(), &able(MESSAGES)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{error:?}");
        assert_eq!(error.param.as_deref(), Some(param));
    }
    for (server, param) in [
        (json!({"type": "url", "name": "s"}), "mcp_servers[0].url"),
        (
            json!({"type": "url", "url": "https://s.example"}),
            "mcp_servers[0].name",
        ),
        (
            json!({"type": "stdio", "name": "s", "url": "https://s.example"}),
            "mcp_servers[0].type",
        ),
    ] {
        let body = json!({"model": "asked", "max_tokens": 9, "mcp_servers": [server],
            "messages": [{"role": "user", "content": "Go"}]});
        let error = bridged(MESSAGES, &body.to_string(), &able(RESPONSES)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{error:?}");
        assert_eq!(error.param.as_deref(), Some(param));
    }
}

#[test]
fn a_model_without_the_ability_says_what_its_vendor_does_not_do() {
    let body = json!({"model": "asked", "input": "Go", "tools": [
        {"type": "mcp", "server_label": "s", "server_url": "https://s.example", "require_approval": "never"}]});
    let mut unable = able(MESSAGES);
    unable.abilities.mcp = false;
    let error = bridged(RESPONSES, &body.to_string(), &unable).unwrap_err();
    assert_eq!(
        error.message,
        "`tools[0]` cannot be sent to this model: its vendor calls no MCP servers for it."
    );
}
