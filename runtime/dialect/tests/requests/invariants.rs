//! What every request of a dialect keeps to, checked the plain way.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use tollgate_dialect::Dialect;

/// Whether the dialect's vendors take this request.
pub(crate) fn valid(dialect: Dialect, body: &Value) -> Result<(), String> {
    match dialect {
        Dialect::OpenaiChat => chat(body),
        Dialect::OpenaiResponses => responses(body),
        Dialect::AnthropicMessages => messages(body),
        Dialect::OpenaiEmbeddings => Ok(()),
    }
}

pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn ensure(holds: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(wrong()) }
}

fn plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn only(value: &Value, known: &[&str]) -> Result<(), String> {
    let object: &Map<String, Value> = value.as_object().ok_or("no object")?;
    for name in object.keys() {
        ensure(known.contains(&name.as_str()), || {
            format!("unknown member {name}")
        })?;
    }
    Ok(())
}

fn chat(body: &Value) -> Result<(), String> {
    only(
        body,
        &[
            "model",
            "messages",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "stream",
            "stream_options",
            "max_tokens",
            "temperature",
            "top_p",
            "stop",
            "logprobs",
            "top_logprobs",
            "reasoning_effort",
            "verbosity",
            "service_tier",
            "metadata",
            "user",
            "prompt_cache_key",
            "prompt_cache_retention",
            "prompt_cache_options",
            "response_format",
            "web_search_options",
        ],
    )?;
    let messages = list(body, "messages");
    ensure(!messages.is_empty(), || "no messages".into())?;
    let mut waiting: BTreeSet<&str> = BTreeSet::new();
    for message in messages {
        let role = message["role"].as_str().ok_or("a message without a role")?;
        ensure(
            matches!(role, "system" | "developer" | "user" | "assistant" | "tool"),
            || format!("role {role}"),
        )?;
        if role == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            ensure(waiting.remove(id), || format!("nobody called {id}"))?;
            for part in list(message, "content") {
                ensure(part["type"] == "text", || format!("{part} in a result"))?;
            }
            ensure(!message["content"].is_null(), || "a result of null".into())?;
            continue;
        }
        ensure(waiting.is_empty(), || format!("no results of {waiting:?}"))?;
        for part in list(message, "content") {
            let fits = role != "assistant" || part["type"] == "text";
            ensure(fits, || format!("{part} of the assistant"))?;
        }
        let calls = list(message, "tool_calls");
        ensure(calls.is_empty() || role == "assistant", || {
            "a call of a user".into()
        })?;
        ensure(
            !message["content"].is_null() || !calls.is_empty() || message["refusal"].is_string(),
            || format!("says nothing: {message}"),
        )?;
        for call in calls {
            let id = call["id"].as_str().unwrap_or_default();
            ensure(!id.is_empty() && id.len() <= 40, || format!("id {id}"))?;
            waiting.insert(id);
            let inner = &call[call["type"].as_str().unwrap_or_default()];
            let name = inner["name"].as_str().unwrap_or_default();
            ensure(plain(name) && name.len() <= 64, || format!("name {name}"))?;
            ensure(
                inner["arguments"].is_string() || inner["input"].is_string(),
                || format!("{call}"),
            )?;
        }
    }
    ensure(waiting.is_empty(), || format!("no results of {waiting:?}"))?;
    for tool in list(body, "tools") {
        let inner = &tool[tool["type"].as_str().unwrap_or_default()];
        let name = inner["name"].as_str().unwrap_or_default();
        ensure(plain(name) && name.len() <= 64, || format!("name {name}"))?;
        ensure(
            tool["type"] == "custom" || inner["parameters"].is_object(),
            || format!("no schema: {tool}"),
        )?;
    }
    distinct(list(body, "tools").iter().map(|tool| {
        tool[tool["type"].as_str().unwrap_or_default()]["name"]
            .as_str()
            .unwrap_or_default()
    }))?;
    tools_before_choice(body)
}

fn tools_before_choice(body: &Value) -> Result<(), String> {
    ensure(
        !list(body, "tools").is_empty()
            || (body["tool_choice"].is_null() && body["parallel_tool_calls"].is_null()),
        || "a choice among no tools".into(),
    )
}

fn distinct<'v>(names: impl Iterator<Item = &'v str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        ensure(seen.insert(name), || format!("two tools named {name}"))?;
    }
    Ok(())
}

fn responses(body: &Value) -> Result<(), String> {
    only(
        body,
        &[
            "model",
            "input",
            "instructions",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "stream",
            "store",
            "max_output_tokens",
            "temperature",
            "top_p",
            "reasoning",
            "include",
            "top_logprobs",
            "service_tier",
            "metadata",
            "safety_identifier",
            "prompt_cache_key",
            "prompt_cache_retention",
            "prompt_cache_options",
            "text",
            "max_tool_calls",
        ],
    )?;
    ensure(!list(body, "input").is_empty(), || "no input".into())?;
    ensure(body["store"].is_boolean(), || "store is not said".into())?;
    let mut called = BTreeSet::new();
    for item in list(body, "input") {
        let id = item["call_id"].as_str().unwrap_or_default();
        match item["type"].as_str().unwrap_or_default() {
            "message" => {
                let role = item["role"].as_str().unwrap_or_default();
                let parts = list(item, "content").iter();
                let kinds: Vec<_> = parts
                    .map(|part| part["type"].as_str().unwrap_or_default())
                    .collect();
                // Without the vendor's id an assistant's message takes one text; only refusals come in parts.
                let fits = match role {
                    "assistant" if kinds.is_empty() => item["content"].is_string(),
                    "assistant" => kinds.contains(&"refusal"),
                    _ => kinds
                        .iter()
                        .all(|kind| matches!(*kind, "input_text" | "input_image" | "input_file")),
                };
                ensure(fits, || format!("{kinds:?} of {role}"))?;
            }
            "function_call" => {
                ensure(!id.is_empty() && id.len() <= 64, || format!("id {id}"))?;
                ensure(item["arguments"].is_string(), || format!("{item}"))?;
                called.insert(id);
            }
            "custom_tool_call" => {
                ensure(item["input"].is_string(), || format!("{item}"))?;
                called.insert(id);
            }
            "function_call_output" | "custom_tool_call_output" => {
                ensure(called.contains(id), || format!("nobody called {id}"))?;
            }
            "reasoning" => ensure(item["summary"].is_array(), || format!("{item}"))?,
            "mcp_call" => {
                let id = item["id"].as_str().unwrap_or_default();
                ensure(id.starts_with("mcp_") && plain(id), || format!("id {id}"))?;
                ensure(
                    item["server_label"].is_string() && item["name"].is_string(),
                    || format!("{item}"),
                )?;
                ensure(item["arguments"].is_string(), || format!("{item}"))?;
                ensure(
                    item["output"].is_string() != item["error"].is_object(),
                    || format!("{item}"),
                )?;
            }
            "code_interpreter_call" => {
                for (name, begin) in [("id", "ci_"), ("container_id", "cntr_"), ("code", "")] {
                    let fits = item[name]
                        .as_str()
                        .is_some_and(|text| text.starts_with(begin));
                    ensure(fits, || format!("{name} of {item}"))?;
                }
                ensure(item["outputs"].is_array(), || format!("{item}"))?;
            }
            other => return Err(format!("item {other}")),
        }
    }
    for tool in list(body, "tools") {
        match tool["type"].as_str().unwrap_or_default() {
            "web_search" => continue,
            "code_interpreter" => {
                ensure(tool["container"]["type"] == "auto", || format!("{tool}"))?;
                continue;
            }
            "mcp" => {
                ensure(
                    tool["server_label"].is_string()
                        && tool["server_url"].is_string()
                        && tool["require_approval"] == "never",
                    || format!("{tool}"),
                )?;
                continue;
            }
            _ => {}
        }
        let name = tool["name"].as_str().unwrap_or_default();
        ensure(plain(name) && name.len() <= 64, || format!("name {name}"))?;
        ensure(
            tool["type"] == "custom"
                || (tool["parameters"].is_object() && tool["strict"].is_boolean()),
            || format!("{tool}"),
        )?;
    }
    distinct(
        list(body, "tools")
            .iter()
            .filter_map(|tool| tool["name"].as_str()),
    )?;
    tools_before_choice(body)
}

fn messages(body: &Value) -> Result<(), String> {
    only(
        body,
        &[
            "model",
            "max_tokens",
            "stream",
            "temperature",
            "top_p",
            "top_k",
            "stop_sequences",
            "service_tier",
            "metadata",
            "thinking",
            "output_config",
            "tools",
            "tool_choice",
            "mcp_servers",
            "system",
            "messages",
        ],
    )?;
    let cap = body["max_tokens"].as_u64().ok_or("no max_tokens")?;
    ensure(cap > 0, || "max_tokens of 0".into())?;
    let thinking = &body["thinking"];
    if thinking["type"] == "enabled" {
        let budget = thinking["budget_tokens"].as_u64().unwrap_or(0);
        ensure((1_024..cap).contains(&budget), || {
            format!("budget {budget} of {cap}")
        })?;
    }
    if matches!(thinking["type"].as_str(), Some("enabled" | "adaptive")) {
        ensure(
            ["temperature", "top_p", "top_k"]
                .iter()
                .all(|name| body[*name].is_null()),
            || "sampling while thinking".into(),
        )?;
        ensure(
            !matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool")),
            || "a forced tool while thinking".into(),
        )?;
    }
    if let Some(temperature) = body["temperature"].as_f64() {
        ensure(temperature <= 1.0, || format!("temperature {temperature}"))?;
    }
    for block in list(body, "system") {
        ensure(block["type"] == "text", || format!("{block}"))?;
        said(block)?;
    }
    let mut before = "";
    let mut waiting: Vec<&str> = Vec::new();
    let mut uses_tools = false;
    for message in list(body, "messages") {
        let role = message["role"].as_str().unwrap_or_default();
        ensure(role != before, || format!("{role} twice"))?;
        ensure(!before.is_empty() || role == "user", || {
            "does not begin with the user".into()
        })?;
        before = role;
        let blocks = message["content"].as_array().ok_or("content is no list")?;
        ensure(!blocks.is_empty(), || "an empty message".into())?;
        let results: Vec<&str> = blocks
            .iter()
            .take_while(|block| block["type"] == "tool_result")
            .map(|block| block["tool_use_id"].as_str().unwrap_or_default())
            .collect();
        let all = blocks
            .iter()
            .filter(|block| block["type"] == "tool_result")
            .count();
        ensure(results.len() == all, || {
            "a result after something else".into()
        })?;
        let (mut came, mut called) = (results.clone(), waiting.clone());
        came.sort_unstable();
        called.sort_unstable();
        ensure(came == called, || {
            format!("calls {called:?}, results {came:?}")
        })?;
        waiting.clear();
        // What came of a tool that the vendor ran stands right behind it.
        let mut ran = None;
        for block in blocks {
            let came: Option<&Value> = ran.take();
            ensure(
                came == block.get("tool_use_id").filter(|_| role == "assistant"),
                || format!("{block} behind {came:?}"),
            )?;
            match block["type"].as_str().unwrap_or_default() {
                "text" => said(block)?,
                "image" | "document" if role == "assistant" => {
                    return Err(format!("{block} of the assistant"));
                }
                "tool_use" => {
                    uses_tools = true;
                    let id = block["id"].as_str().unwrap_or_default();
                    ensure(plain(id), || format!("id {id}"))?;
                    ensure(block["input"].is_object(), || format!("{block}"))?;
                    waiting.push(id);
                }
                "tool_result" => {
                    for inner in list(block, "content") {
                        if inner["type"] == "text" {
                            said(inner)?;
                        }
                    }
                }
                "mcp_tool_use" | "server_tool_use" => {
                    let id = block["id"].as_str().unwrap_or_default();
                    ensure(plain(id) && role == "assistant", || format!("id {id}"))?;
                    ensure(block["input"].is_object(), || format!("{block}"))?;
                    ran = Some(&block["id"]);
                }
                "mcp_tool_result" | "code_execution_tool_result" => {}
                "thinking" => ensure(block["signature"].is_string(), || format!("{block}"))?,
                "image" | "document" | "redacted_thinking" => {}
                other => return Err(format!("block {other}")),
            }
        }
    }
    ensure(!before.is_empty(), || "no messages".into())?;
    ensure(waiting.is_empty(), || format!("no results of {waiting:?}"))?;
    let tools = list(body, "tools");
    ensure(!uses_tools || !tools.is_empty(), || {
        "calls without tools".into()
    })?;
    let servers: Vec<_> = list(body, "mcp_servers")
        .iter()
        .map(|server| &server["name"])
        .collect();
    let toolsets: Vec<_> = tools
        .iter()
        .filter_map(|tool| tool.get("mcp_server_name"))
        .collect();
    ensure(servers == toolsets, || {
        format!("servers {servers:?}, toolsets {toolsets:?}")
    })?;
    for tool in tools {
        if tool["type"] == "mcp_toolset" {
            continue;
        }
        let name = tool["name"].as_str().unwrap_or_default();
        ensure(plain(name) && name.len() <= 128, || format!("name {name}"))?;
        ensure(
            tool["type"].is_string() || tool["input_schema"]["type"].is_string(),
            || format!("no schema: {tool}"),
        )?;
    }
    distinct(tools.iter().filter_map(|tool| tool["name"].as_str()))?;
    tools_before_choice(body)
}

fn said(block: &Value) -> Result<(), String> {
    let text = block["text"].as_str().unwrap_or_default();
    ensure(!text.trim().is_empty(), || "a blank text".into())
}
