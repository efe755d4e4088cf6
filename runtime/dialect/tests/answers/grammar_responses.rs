//! The grammar of a Responses stream.

use std::collections::BTreeMap;

use serde_json::Value;

use super::grammar::{Checked, End, items, members, need, parse};

/// Members that strict clients want in every response object.
const RESPONSE: [&str; 26] = [
    "id",
    "object",
    "created_at",
    "status",
    "background",
    "error",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "model",
    "output",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "reasoning",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "truncation",
    "usage",
    "user",
    "metadata",
];

pub(crate) fn response(response: &Value) -> Checked<()> {
    members(response, &RESPONSE)?;
    need!(response["object"] == "response", "{response}");
    if !response["usage"].is_null() {
        members(
            &response["usage"],
            &[
                "input_tokens",
                "input_tokens_details",
                "output_tokens",
                "output_tokens_details",
                "total_tokens",
            ],
        )?;
    }
    Ok(())
}

/// Checks an item, whole or just begun.
pub(crate) fn item(item: &Value, whole: bool) -> Checked<()> {
    members(item, &["id", "type"])?;
    match item["type"].as_str() {
        Some("message") => {
            members(item, &["status", "role", "content"])?;
            need!(whole != items(&item["content"])?.is_empty(), "{item}");
            items(&item["content"])?.iter().try_for_each(part)
        }
        Some("reasoning") => members(item, &["summary"]),
        Some("function_call") => members(item, &["status", "call_id", "name", "arguments"]),
        Some("custom_tool_call") => members(item, &["call_id", "name", "input"]),
        Some("tool_search_call") => {
            members(item, &["status", "call_id", "execution"])?;
            need!(item["arguments"].is_object(), "{item}");
            Ok(())
        }
        Some("web_search_call") => members(item, &["status", "action"]),
        Some("computer_call") => {
            members(item, &["status", "call_id", "pending_safety_checks"])?;
            need!(
                item["actions"].is_array() || item["action"].is_object(),
                "{item}"
            );
            Ok(())
        }
        Some("shell_call" | "local_shell_call") => {
            members(item, &["status", "call_id"])?;
            need!(item["action"].is_object(), "{item}");
            Ok(())
        }
        Some("apply_patch_call") => {
            members(item, &["status", "call_id"])?;
            need!(item["operation"].is_object(), "{item}");
            Ok(())
        }
        Some("mcp_call") => {
            members(
                item,
                &[
                    "status",
                    "server_label",
                    "name",
                    "arguments",
                    "output",
                    "error",
                ],
            )?;
            let error = &item["error"];
            need!(
                error.is_null() || (error["type"].is_string() && error["content"].is_array()),
                "{item}"
            );
            need!(
                (item["status"] == "failed") != error.is_null()
                    && (item["status"] == "completed") == item["output"].is_string(),
                "{item}"
            );
            Ok(())
        }
        Some("code_interpreter_call") => {
            members(item, &["status", "code", "container_id", "outputs"])?;
            need!(item["outputs"].is_array() == whole, "{item}");
            Ok(())
        }
        _ => Err(format!("a strange item: {item}")),
    }
}

fn part(part: &Value) -> Checked<()> {
    match part["type"].as_str() {
        Some("output_text") => members(part, &["text", "annotations", "logprobs"]),
        Some("refusal") => members(part, &["refusal"]),
        _ => Err(format!("a strange part: {part}")),
    }
}

/// An item under way.
struct Open {
    item: Value,
    text: String,
    annotations: u64,
    /// What came last.
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Added,
    Part,
    Text,
    TextDone,
    PartDone,
}

pub(crate) fn check(frames: &[(Option<String>, String)]) -> Checked<End> {
    let mut open = BTreeMap::<u64, Open>::new();
    let mut done = BTreeMap::<u64, Value>::new();
    let mut call_ids = Vec::new();
    let mut ended = None;
    let mut error = false;
    for (number, (name, data)) in frames.iter().enumerate() {
        need!(ended.is_none(), "something follows the end: {data}");
        let event = parse(data)?;
        let kind = event["type"].as_str().unwrap_or_default();
        need!(name.as_deref() == Some(kind), "the name {name:?} of {data}");
        need!(
            event["sequence_number"] == number,
            "number {number}: {data}"
        );
        let begins = match number {
            0 => kind == "response.created",
            1 => kind == "response.in_progress",
            _ => !matches!(kind, "response.created" | "response.in_progress"),
        };
        need!(begins, "{kind} at {number}");
        need!(!error || kind == "response.failed", "{kind} after an error");
        match kind {
            "response.created" | "response.in_progress" => {
                response(&event["response"])?;
                need!(event["response"]["status"] == "in_progress", "{event}");
            }
            "response.completed" | "response.incomplete" => {
                let whole = &event["response"];
                response(whole)?;
                need!(
                    kind.ends_with(whole["status"].as_str().unwrap_or("?")),
                    "{whole}"
                );
                need!(
                    (kind == "response.incomplete") == whole["incomplete_details"].is_object(),
                    "{whole}"
                );
                need!(open.is_empty(), "an item that was not ended");
                let output: Vec<Value> = done.values().cloned().collect();
                need!(
                    items(&whole["output"])? == &output,
                    "the output is not what was told: {whole}"
                );
                ended = Some(End::Complete);
            }
            "error" => {
                error = true;
                members(&event["error"], &["type", "code", "message", "param"])?;
            }
            "response.failed" => {
                need!(error, "a failure without its error");
                response(&event["response"])?;
                members(&event["response"]["error"], &["code", "message"])?;
                need!(event["response"]["status"] == "failed", "{event}");
                ended = Some(End::Failed);
            }
            _ => {
                let index = event["output_index"].as_u64().ok_or("no output_index")?;
                one(kind, index, &event, &mut open, &mut done, &mut call_ids)?;
            }
        }
    }
    ended.ok_or_else(|| "no end".to_owned())
}

fn one(
    kind: &str,
    index: u64,
    event: &Value,
    open: &mut BTreeMap<u64, Open>,
    done: &mut BTreeMap<u64, Value>,
    call_ids: &mut Vec<Value>,
) -> Checked<()> {
    if kind == "response.output_item.added" {
        need!(
            index == (open.len() + done.len()) as u64,
            "output_index {index} is not the next"
        );
        item(&event["item"], false)?;
        if let Some(id) = event["item"].get("call_id") {
            need!(!call_ids.contains(id) && id != "", "one id for two calls");
            call_ids.push(id.clone());
        }
        open.insert(
            index,
            Open {
                item: event["item"].clone(),
                text: String::new(),
                annotations: 0,
                stage: Stage::Added,
            },
        );
        return Ok(());
    }
    let known = open
        .get_mut(&index)
        .ok_or_else(|| format!("{kind} of no open item"))?;
    if kind == "response.output_item.done" {
        let whole = &event["item"];
        item(whole, true)?;
        for same in ["id", "type", "call_id", "name"] {
            need!(whole.get(same) == known.item.get(same), "{same}: {whole}");
        }
        let (told, expected) = match whole["type"].as_str() {
            Some("message") => {
                let part = &whole["content"][0];
                let text = if part["type"] == "refusal" {
                    "refusal"
                } else {
                    "text"
                };
                (part[text].clone(), Stage::PartDone)
            }
            Some("function_call") => (whole["arguments"].clone(), Stage::TextDone),
            Some("custom_tool_call") => (whole["input"].clone(), Stage::TextDone),
            Some("mcp_call") => (whole["arguments"].clone(), Stage::TextDone),
            Some("code_interpreter_call") => (whole["code"].clone(), Stage::TextDone),
            Some("reasoning") => (
                whole
                    .pointer("/summary/0/text")
                    .cloned()
                    .unwrap_or_else(|| "".into()),
                if known.stage == Stage::Added {
                    Stage::Added
                } else {
                    Stage::PartDone
                },
            ),
            _ => ("".into(), known.stage),
        };
        need!(known.stage == expected, "{kind} after {:?}", known.stage);
        need!(told == known.text.as_str(), "{whole} is not what was told");
        open.remove(&index);
        done.insert(index, whole.clone());
        return Ok(());
    }
    let of = known.item["type"].as_str().unwrap_or_default();
    // Those of a shell have only its place.
    let placed = of == "shell_call" && event.get("item_id").is_none();
    need!(
        placed || event["item_id"] == known.item["id"],
        "item_id of {event}"
    );
    // Told at once, each with its last word.
    if kind.starts_with("response.shell_call_command.") {
        let fits = of == "shell_call" && event["command_index"].is_u64();
        need!(fits, "{kind} of {of}");
        return Ok(());
    }
    if let Some(status) = kind
        .strip_prefix("response.")
        .and_then(|kind| kind.strip_prefix(of)?.strip_prefix('.'))
    {
        // Of what the vendor ran itself. What a search is for comes with its last word.
        let told = match (of, status) {
            ("web_search_call", "in_progress" | "searching" | "completed") => known.stage,
            ("mcp_call" | "code_interpreter_call", "in_progress") => Stage::Added,
            ("mcp_call", "completed" | "failed")
            | ("code_interpreter_call", "interpreting" | "completed") => Stage::TextDone,
            _ => return Err(format!("{kind} of {of}")),
        };
        need!(known.stage == told, "{kind} after {:?}", known.stage);
        return Ok(());
    }
    let (delta, text_done, begins_with_part) = match of {
        "message" if kind.contains("refusal") => {
            ("response.refusal.delta", "response.refusal.done", true)
        }
        "message" => (
            "response.output_text.delta",
            "response.output_text.done",
            true,
        ),
        "reasoning" => (
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done",
            true,
        ),
        "function_call" => (
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            false,
        ),
        "custom_tool_call" => (
            "response.custom_tool_call_input.delta",
            "response.custom_tool_call_input.done",
            false,
        ),
        "mcp_call" => (
            "response.mcp_call_arguments.delta",
            "response.mcp_call_arguments.done",
            false,
        ),
        "code_interpreter_call" => (
            "response.code_interpreter_call_code.delta",
            "response.code_interpreter_call_code.done",
            false,
        ),
        _ => return Err(format!("{kind} of {of}")),
    };
    match of {
        "message" => members(event, &["content_index"])?,
        "reasoning" => members(event, &["summary_index"])?,
        _ => {}
    }
    let next = match kind {
        "response.content_part.added" | "response.reasoning_summary_part.added" => {
            need!(begins_with_part && known.stage == Stage::Added, "{kind}");
            Stage::Part
        }
        "response.content_part.done" | "response.reasoning_summary_part.done" => {
            need!(known.stage == Stage::TextDone, "{kind}");
            let part = &event["part"];
            let text = if part["type"] == "refusal" {
                "refusal"
            } else {
                "text"
            };
            need!(
                part[text] == known.text.as_str(),
                "{part} is not what was told"
            );
            Stage::PartDone
        }
        "response.output_text.annotation.added" => {
            need!(event["annotation_index"] == known.annotations, "{event}");
            known.annotations += 1;
            members(&event["annotation"], &["type"])?;
            Stage::Text
        }
        _ if kind == delta => {
            let began = if begins_with_part {
                Stage::Part
            } else {
                Stage::Added
            };
            need!(
                (began..=Stage::Text).contains(&known.stage),
                "{kind} after {:?}",
                known.stage
            );
            let text = event["delta"].as_str().ok_or("a delta without text")?;
            need!(!text.is_empty(), "an empty delta");
            need!(
                of != "message" || delta.contains("refusal") || event["logprobs"].is_array(),
                "{event}"
            );
            known.text.push_str(text);
            Stage::Text
        }
        _ if kind == text_done => {
            need!(known.stage <= Stage::Text, "{kind} after {:?}", known.stage);
            let told = ["text", "arguments", "input", "refusal", "code"]
                .iter()
                .find_map(|name| event.get(name))
                .ok_or("no text")?;
            need!(*told == known.text.as_str(), "{event} is not what was told");
            Stage::TextDone
        }
        _ => return Err(format!("a strange event: {event}")),
    };
    known.stage = next;
    Ok(())
}
