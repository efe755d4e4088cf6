//! The grammar of each dialect's streams, as a machine that knows nothing of the bridge: every required event, in the
//! right order, with the right indices and numbers, and exactly one end.

use serde_json::Value;
use tollgate_dialect::Dialect;

use super::grammar_responses;
use super::support::*;

/// How a stream ended.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum End {
    Complete,
    Failed,
}

pub(crate) type Checked<T> = Result<T, String>;

/// Checks that this holds, and says what did not.
macro_rules! need {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}
pub(crate) use need;

/// Events as they stand: name and data.
pub(crate) fn frames(stream: &[u8]) -> Checked<Vec<(Option<String>, String)>> {
    let stream = std::str::from_utf8(stream).map_err(|_| "the stream is not UTF-8")?;
    need!(
        stream.is_empty() || stream.ends_with("\n\n"),
        "the last event is not ended"
    );
    let mut frames = Vec::new();
    for event in stream.split("\n\n").filter(|event| !event.is_empty()) {
        let (mut name, mut data) = (None, None);
        for line in event.lines() {
            if let Some(value) = line.strip_prefix("event: ") {
                need!(name.replace(value.to_owned()).is_none(), "two names");
            } else if let Some(value) = line.strip_prefix("data: ") {
                need!(data.replace(value.to_owned()).is_none(), "two data lines");
            } else {
                need!(line.starts_with(':'), "a strange line: {line}");
            }
        }
        if let Some(data) = data {
            frames.push((name, data));
        }
    }
    Ok(frames)
}

pub(crate) fn parse(data: &str) -> Checked<Value> {
    serde_json::from_str(data).map_err(|wrong| format!("{wrong} in {data}"))
}

/// Checks that an object has these members.
pub(crate) fn members(value: &Value, names: &[&str]) -> Checked<()> {
    for name in names {
        need!(value.get(name).is_some(), "`{name}` is missing in {value}");
    }
    Ok(())
}

pub(crate) fn items(value: &Value) -> Checked<&Vec<Value>> {
    value.as_array().ok_or_else(|| format!("no array: {value}"))
}

/// Checks a whole stream of this dialect.
pub(crate) fn check(dialect: Dialect, stream: &[u8]) -> Checked<End> {
    let frames = frames(stream)?;
    match dialect {
        CHAT => chat(&frames),
        RESPONSES => grammar_responses::check(&frames),
        _ => messages(&frames),
    }
}

/// Checks a whole answer of this dialect.
pub(crate) fn check_whole(dialect: Dialect, answer: &Value) -> Checked<()> {
    match dialect {
        CHAT => {
            members(answer, &["id", "created", "model", "choices"])?;
            need!(answer["object"] == "chat.completion", "{answer}");
            let choice = &answer["choices"][0];
            members(choice, &["index", "message", "finish_reason", "logprobs"])?;
            members(&choice["message"], &["role", "content", "refusal"])?;
            finish_reason(choice["finish_reason"].as_str())?;
            for call in choice["message"]["tool_calls"]
                .as_array()
                .into_iter()
                .flatten()
            {
                new_call(call)?;
            }
            answer.get("usage").map_or(Ok(()), chat_usage)
        }
        RESPONSES => {
            grammar_responses::response(answer)?;
            need!(
                matches!(answer["status"].as_str(), Some("completed" | "incomplete")),
                "{answer}"
            );
            items(&answer["output"])?
                .iter()
                .try_for_each(|item| grammar_responses::item(item, true))
        }
        _ => {
            members(answer, &["id", "model", "content", "stop_sequence"])?;
            need!(
                answer["type"] == "message" && answer["role"] == "assistant",
                "{answer}"
            );
            let mut calls = false;
            for block in items(&answer["content"])? {
                whole_block(block)?;
                calls |= block["type"] == "tool_use";
            }
            stop_reason(answer["stop_reason"].as_str(), calls)?;
            messages_usage(&answer["usage"])
        }
    }
}

fn whole_block(block: &Value) -> Checked<()> {
    match block["type"].as_str() {
        Some("text") => members(block, &["text"]),
        Some("thinking") => members(block, &["thinking", "signature"]),
        Some("redacted_thinking") => members(block, &["data"]),
        Some(kind @ ("tool_use" | "server_tool_use" | "mcp_tool_use")) => {
            members(block, &["id", "name"])?;
            need!(
                kind != "mcp_tool_use" || block["server_name"].is_string(),
                "a tool of no server: {block}"
            );
            need!(
                block["input"].is_object(),
                "an input that is no object: {block}"
            );
            Ok(())
        }
        Some("web_search_tool_result") => members(block, &["tool_use_id", "content"]),
        Some("mcp_tool_result") => {
            members(block, &["tool_use_id"])?;
            need!(
                block["is_error"].is_boolean(),
                "neither well nor ill: {block}"
            );
            items(&block["content"])?
                .iter()
                .try_for_each(|part| members(part, &["type", "text"]))
        }
        Some("code_execution_tool_result") => {
            members(block, &["tool_use_id"])?;
            members(
                &block["content"],
                &["type", "stdout", "stderr", "return_code", "content"],
            )
        }
        _ => Err(format!("a strange block: {block}")),
    }
}

fn finish_reason(reason: Option<&str>) -> Checked<()> {
    need!(
        matches!(
            reason,
            Some("stop" | "length" | "tool_calls" | "content_filter")
        ),
        "finish_reason {reason:?}"
    );
    Ok(())
}

fn new_call(call: &Value) -> Checked<()> {
    let kind = call["type"].as_str().unwrap_or_default();
    members(call, &["id", kind])?;
    let text = if kind == "custom" {
        "input"
    } else {
        "arguments"
    };
    need!(
        call["id"].as_str().is_some_and(|id| !id.is_empty())
            && call[kind]["name"].is_string()
            && call[kind][text].is_string(),
        "a call that is not whole: {call}"
    );
    Ok(())
}

fn chat_usage(usage: &Value) -> Checked<()> {
    members(
        usage,
        &[
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "prompt_tokens_details",
            "completion_tokens_details",
        ],
    )
}

fn messages_usage(usage: &Value) -> Checked<()> {
    members(
        usage,
        &[
            "input_tokens",
            "output_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
        ],
    )
}

/// Streams here are checked as if usage was asked for, unless there is none.
fn chat(frames: &[(Option<String>, String)]) -> Checked<End> {
    let (mut calls, mut finished, mut usage) = (Vec::new(), None, false);
    let mut head = None;
    let mut ended = None;
    for (name, data) in frames {
        need!(ended.is_none(), "something follows the end: {data}");
        need!(name.is_none(), "a named event: {name:?}");
        if data == "[DONE]" {
            need!(finished.is_some(), "an end without a finish_reason");
            ended = Some(End::Complete);
            continue;
        }
        let chunk = parse(data)?;
        if let Some(error) = chunk.get("error") {
            members(error, &["message", "type", "param", "code"])?;
            ended = Some(End::Failed);
            continue;
        }
        need!(chunk["object"] == "chat.completion.chunk", "{chunk}");
        let this = (
            chunk["id"].clone(),
            chunk["created"].clone(),
            chunk["model"].clone(),
        );
        members(&chunk, &["id", "created", "model", "choices"])?;
        let first = head.is_none();
        need!(
            *head.get_or_insert_with(|| this.clone()) == this,
            "another id, time or model"
        );
        let choices = items(&chunk["choices"])?;
        if choices.is_empty() {
            need!(finished.is_some() && !usage, "usage at the wrong place");
            usage = true;
            chat_usage(&chunk["usage"])?;
            continue;
        }
        need!(chunk["usage"].is_null(), "usage within the answer");
        need!(finished.is_none(), "a delta behind the finish");
        let choice = &choices[0];
        members(choice, &["index", "delta", "logprobs", "finish_reason"])?;
        let delta = &choice["delta"];
        need!(
            first == (delta["role"] == "assistant"),
            "the role stands in the first chunk and only there: {chunk}"
        );
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = call["index"].as_u64().ok_or("a call without index")? as usize;
            if index == calls.len() {
                new_call(call)?;
                need!(!calls.contains(&call["id"]), "one id for two calls");
                calls.push(call["id"].clone());
            } else {
                need!(index < calls.len(), "an index that was left out: {call}");
                need!(call.get("id").is_none(), "an id told twice: {call}");
            }
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            finish_reason(Some(reason))?;
            need!(
                reason != "tool_calls" || !calls.is_empty(),
                "tool_calls without a call"
            );
            finished = Some(());
        }
    }
    ended.ok_or_else(|| "no end".to_owned())
}

fn stop_reason(reason: Option<&str>, calls: bool) -> Checked<()> {
    match reason {
        Some("tool_use") => need!(calls, "tool_use without a call"),
        Some("end_turn") => need!(!calls, "a call that nobody is told to answer"),
        Some("max_tokens" | "stop_sequence" | "refusal" | "pause_turn") => {}
        _ => return Err(format!("stop_reason {reason:?}")),
    }
    Ok(())
}

fn messages(frames: &[(Option<String>, String)]) -> Checked<End> {
    let (mut started, mut open, mut next, mut delta_told) = (false, None::<Value>, 0, false);
    let (mut signed, mut calls, mut ids) = (false, false, Vec::new());
    // The last block, where the vendor ran what it says: what came of it must follow at once.
    let mut ran = None::<Value>;
    let mut ended = None;
    for (name, data) in frames {
        need!(ended.is_none(), "something follows the end: {data}");
        let event = parse(data)?;
        need!(
            event["type"].as_str() == name.as_deref(),
            "the name {name:?} of {data}"
        );
        let kind = event["type"].as_str().unwrap_or_default();
        if kind == "error" {
            members(&event["error"], &["type", "message"])?;
            ended = Some(End::Failed);
            continue;
        }
        if kind == "ping" {
            continue;
        }
        need!(started != (kind == "message_start"), "{kind} out of order");
        need!(
            !delta_told || kind == "message_stop",
            "{kind} behind the message_delta"
        );
        match kind {
            "message_start" => {
                started = true;
                let message = &event["message"];
                members(message, &["id", "model", "stop_reason", "stop_sequence"])?;
                need!(
                    message["type"] == "message"
                        && message["role"] == "assistant"
                        && message["content"] == serde_json::json!([])
                        && message["stop_reason"].is_null(),
                    "{message}"
                );
                messages_usage(&message["usage"])?;
            }
            "content_block_start" => {
                need!(open.is_none(), "a block within a block: {data}");
                need!(event["index"] == next, "index {data}, {next} is next");
                let block = event["content_block"].clone();
                whole_block(&block)?;
                if let Some(called) = ran.take() {
                    need!(
                        block["tool_use_id"] == called["id"],
                        "{block} behind {called}"
                    );
                }
                if matches!(
                    block["type"].as_str(),
                    Some("server_tool_use" | "mcp_tool_use")
                ) {
                    ran = Some(block.clone());
                }
                if block["type"] == "tool_use" {
                    calls = true;
                    need!(!ids.contains(&block["id"]), "one id for two calls");
                    ids.push(block["id"].clone());
                    need!(block["id"] != "", "an empty id");
                }
                signed = false;
                open = Some(block);
            }
            "content_block_delta" => {
                let block = open.as_ref().ok_or("a delta outside a block")?;
                need!(event["index"] == next, "index {data}, {next} is open");
                let delta = event["delta"]["type"].as_str().unwrap_or_default();
                let (fits, text) = match block["type"].as_str().unwrap_or_default() {
                    "text" if delta == "citations_delta" => (true, "citation"),
                    "text" => (delta == "text_delta", "text"),
                    "thinking" if delta == "signature_delta" => {
                        need!(!signed, "two signatures");
                        signed = true;
                        (true, "signature")
                    }
                    "thinking" => (delta == "thinking_delta" && !signed, "thinking"),
                    "tool_use" | "server_tool_use" | "mcp_tool_use" => {
                        (delta == "input_json_delta", "partial_json")
                    }
                    _ => (false, "type"),
                };
                need!(fits, "{delta} in {block}");
                members(&event["delta"], &[text])?;
            }
            "content_block_stop" => {
                need!(event["index"] == next, "index {data}, {next} is open");
                need!(open.take().is_some(), "the end of no block");
                next += 1;
            }
            "message_delta" => {
                need!(open.is_none(), "a message_delta within a block");
                need!(ran.is_none(), "nothing came of {ran:?}");
                delta_told = true;
                members(&event["delta"], &["stop_reason", "stop_sequence"])?;
                stop_reason(event["delta"]["stop_reason"].as_str(), calls)?;
                messages_usage(&event["usage"])?;
            }
            "message_stop" => {
                need!(delta_told, "no message_delta");
                ended = Some(End::Complete);
            }
            _ => return Err(format!("a strange event: {data}")),
        }
    }
    ended.ok_or_else(|| "no end".to_owned())
}
