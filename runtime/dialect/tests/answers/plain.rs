//! What an answer says, read the plain way: from a tree, one dialect at a time, without the bridge.

use serde_json::Value;
use tollgate_dialect::{Aggregator, Dialect, Operation, Usage, UsageHints, read_usage};

use super::support::*;

/// Everything that has to survive.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Summary {
    pub(crate) text: String,
    pub(crate) refusal: String,
    /// Without white space: dialects join its paragraphs differently.
    pub(crate) reasoning: String,
    /// Id, name, arguments or input.
    pub(crate) calls: Vec<(String, String, Value)>,
    pub(crate) stop: &'static str,
    pub(crate) usage: Option<Usage>,
    /// Addresses of the sources.
    pub(crate) sources: Vec<String>,
}

pub(crate) fn operation(dialect: Dialect) -> Operation {
    match dialect {
        CHAT => Operation::ChatCompletions,
        RESPONSES => Operation::Responses,
        _ => Operation::Messages,
    }
}

/// A stream, made whole by the aggregator, which knows nothing of the bridge.
pub(crate) fn whole_of_stream(dialect: Dialect, stream: &[u8]) -> Result<Value, String> {
    let mut aggregator = Aggregator::new(operation(dialect), 8 * LIMIT);
    aggregator.push(stream).map_err(|why| format!("{why:?}"))?;
    let body = aggregator.finish().map_err(|why| format!("{why:?}"))?;
    Ok(serde_json::from_slice(&body).unwrap())
}

pub(crate) fn summary_of_stream(dialect: Dialect, stream: &[u8]) -> Result<Summary, String> {
    Ok(summary(dialect, &whole_of_stream(dialect, stream)?))
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Arguments as JSON where they are, else as the text they are. None are the empty object.
fn arguments(text: &str) -> Value {
    if text.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

pub(crate) fn summary(dialect: Dialect, answer: &Value) -> Summary {
    let mut summary = match dialect {
        CHAT => chat(answer),
        RESPONSES => responses(answer),
        _ => messages(answer),
    };
    summary.reasoning.retain(|letter| !letter.is_whitespace());
    summary.usage = read_usage(
        operation(dialect),
        answer.to_string().as_bytes(),
        &UsageHints::default(),
    );
    summary
}

fn empty() -> Summary {
    Summary {
        text: String::new(),
        refusal: String::new(),
        reasoning: String::new(),
        calls: Vec::new(),
        stop: "turn",
        usage: None,
        sources: Vec::new(),
    }
}

fn chat(answer: &Value) -> Summary {
    let choice = &answer["choices"][0];
    let message = &choice["message"];
    let mut summary = empty();
    summary.text = string(&message["content"]);
    for part in items(&message["content"]) {
        summary.text += &string(&part["text"]);
        for thought in items(&part["thinking"]) {
            summary.reasoning += &string(&thought["text"]);
        }
    }
    summary.refusal = string(&message["refusal"]);
    let reasoning = string(&message["reasoning_content"]);
    summary.reasoning += &if reasoning.is_empty() {
        string(&message["reasoning"])
    } else {
        reasoning
    };
    for call in items(&message["tool_calls"]) {
        let (name, input) = if call["custom"].is_object() {
            (&call["custom"]["name"], call["custom"]["input"].clone())
        } else {
            let function = &call["function"];
            (
                &function["name"],
                arguments(&string(&function["arguments"])),
            )
        };
        summary
            .calls
            .push((string(&call["id"]), string(name), input));
    }
    summary.sources = items(&message["annotations"])
        .iter()
        .map(|annotation| string(&annotation["url_citation"]["url"]))
        .collect();
    summary.stop = match choice["finish_reason"].as_str() {
        Some("length") => "length",
        Some("content_filter") => "filter",
        _ if !summary.calls.is_empty() => "calls",
        _ => "turn",
    };
    summary
}

fn responses(answer: &Value) -> Summary {
    let mut summary = empty();
    for item in items(&answer["output"]) {
        match item["type"].as_str() {
            Some("message") => {
                for part in items(&item["content"]) {
                    summary.text += &string(&part["text"]);
                    summary.refusal += &string(&part["refusal"]);
                    for annotation in items(&part["annotations"]) {
                        if annotation["type"] == "url_citation" {
                            summary.sources.push(string(&annotation["url"]));
                        }
                    }
                }
            }
            Some("reasoning") => {
                for part in items(&item["summary"])
                    .iter()
                    .chain(items(&item["content"]))
                {
                    summary.reasoning += &string(&part["text"]);
                }
            }
            Some("function_call") => summary.calls.push((
                string(&item["call_id"]),
                string(&item["name"]),
                arguments(&string(&item["arguments"])),
            )),
            Some("custom_tool_call") => summary.calls.push((
                string(&item["call_id"]),
                string(&item["name"]),
                item["input"].clone(),
            )),
            _ => {}
        }
    }
    let reason = answer["incomplete_details"]["reason"].as_str();
    summary.stop = match (answer["status"].as_str(), reason) {
        (_, Some("content_filter")) => "filter",
        (Some("incomplete"), _) => "length",
        _ if !summary.calls.is_empty() => "calls",
        _ => "turn",
    };
    summary
}

fn messages(answer: &Value) -> Summary {
    let mut summary = empty();
    for block in items(&answer["content"]) {
        match block["type"].as_str() {
            Some("text") => {
                summary.text += &string(&block["text"]);
                for citation in items(&block["citations"]) {
                    let url = if citation["url"].is_string() {
                        &citation["url"]
                    } else {
                        &citation["source"]
                    };
                    if url.is_string() {
                        summary.sources.push(string(url));
                    }
                }
            }
            Some("thinking") => summary.reasoning += &string(&block["thinking"]),
            Some("tool_use") => summary.calls.push((
                string(&block["id"]),
                string(&block["name"]),
                block["input"].clone(),
            )),
            _ => {}
        }
    }
    summary.stop = match answer["stop_reason"].as_str() {
        Some("max_tokens" | "model_context_window_exceeded" | "pause_turn" | "compaction") => {
            "length"
        }
        Some("refusal") => "filter",
        _ if !summary.calls.is_empty() => "calls",
        _ => "turn",
    };
    if summary.stop == "filter" {
        summary.refusal = string(&answer["stop_details"]["explanation"]);
    }
    summary
}
