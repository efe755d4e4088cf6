//! What an answer says, read the plain way: from a tree, one dialect at a time, without the bridge.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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
    /// What the vendor ran itself, other than searches.
    pub(crate) ran: Vec<Ran>,
    pub(crate) stop: &'static str,
    pub(crate) usage: Option<Usage>,
    pub(crate) sources: Vec<Source>,
    /// Id and name of the files that are cited by an id.
    pub(crate) files: Vec<(String, String)>,
    /// Token, probability, bytes and the other likely tokens, as they were told.
    pub(crate) logprobs: Vec<Value>,
    /// What of the reasoning only its maker can read, in its order.
    pub(crate) opaque: Vec<Opaque>,
    /// Whether there is reasoning that its maker did not sign.
    pub(crate) unsigned: bool,
}

/// A tool that the vendor ran itself, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ran {
    /// The MCP server and its tool; none of code.
    pub(crate) tool: Option<(String, String)>,
    pub(crate) input: Value,
    /// `done`, `failed` or `unknown`.
    pub(crate) outcome: &'static str,
    /// All that it gave.
    pub(crate) text: String,
}

/// A page that is cited.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    pub(crate) url: String,
    pub(crate) title: String,
    /// The stretch of the text that it stands behind: of Messages the whole block.
    pub(crate) stretch: String,
}

/// What a vendor signed or encrypted: out of every seal that was put around it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opaque {
    /// `signature`, `redacted` or `item`.
    pub(crate) kind: String,
    /// Byte for byte; of an item its id, a line feed, its encrypted content.
    pub(crate) payload: String,
}

impl Opaque {
    /// What nobody but its maker may be shown.
    pub(crate) fn secret(&self) -> &str {
        match self.kind.as_str() {
            "item" => self.payload.split_once('\n').unwrap().1,
            _ => &self.payload,
        }
    }
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

/// What a vendor of Responses encrypted by each of its items' own last words: it encrypts anew in each event.
pub(crate) fn encrypted_last(told: &mut Summary, stream: &str) {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    let events = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    for event in events.filter(|event| event["type"] == "response.output_item.done") {
        let (id, encrypted) = (&event["item"]["id"], &event["item"]["encrypted_content"]);
        let begins = format!("{}\n", string(id));
        let known = told
            .opaque
            .iter_mut()
            .find(|opaque| opaque.payload.starts_with(&begins));
        if let (Some(opaque), Some(encrypted)) = (known, some(encrypted)) {
            opaque.payload = begins + encrypted;
        }
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn items(value: &Value) -> &[Value] {
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
        ran: Vec::new(),
        stop: "turn",
        usage: None,
        sources: Vec::new(),
        files: Vec::new(),
        logprobs: Vec::new(),
        opaque: Vec::new(),
        unsigned: false,
    }
}

/// Takes what was sealed out of `tg1.<family>.<kind>.<base64url>`, however often it was sealed.
fn unsealed(kind: &str, payload: &str) -> Opaque {
    let sealed = match kind {
        "item" => payload.split_once('\n').unwrap().1,
        _ => payload,
    };
    let Some(sealed) = sealed.strip_prefix("tg1.") else {
        return Opaque {
            kind: kind.to_owned(),
            payload: payload.to_owned(),
        };
    };
    let parts: Vec<&str> = sealed.splitn(3, '.').collect();
    assert_eq!(parts[0], "maker", "it names who made it");
    let inner = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    unsealed(parts[1], &String::from_utf8(inner).unwrap())
}

impl Summary {
    /// A thought: its text, and what only its maker can read, if it has any.
    fn think(&mut self, text: &str, kind: &str, payload: Option<String>) {
        self.reasoning += text;
        match payload.map(|payload| unsealed(kind, &payload)) {
            Some(opaque) if opaque.kind != "plain" => self.opaque.push(opaque),
            Some(_) => self.unsigned = true,
            None => self.unsigned |= !text.is_empty(),
        }
    }

    /// A citation of a page in the manner of both of OpenAI's dialects.
    fn cite(&mut self, page: &Value, text: &str) {
        let place = |name: &str| usize::try_from(page[name].as_u64().unwrap_or(0)).unwrap();
        let (start, end) = (place("start_index"), place("end_index"));
        self.sources.push(Source {
            url: string(&page["url"]),
            title: string(&page["title"]),
            stretch: text.chars().take(end).skip(start).collect(),
        });
    }
}

fn some(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
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
    let reasoning = some(&message["reasoning_content"]).or(some(&message["reasoning"]));
    summary.reasoning += reasoning.unwrap_or_default();
    summary.unsigned = !summary.reasoning.is_empty();
    summary.logprobs = items(&choice["logprobs"]["content"]).to_vec();
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
    let text = summary.text.clone();
    for annotation in items(&message["annotations"]) {
        summary.cite(&annotation["url_citation"], &text);
    }
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
                    summary.logprobs.extend_from_slice(items(&part["logprobs"]));
                    for annotation in items(&part["annotations"]) {
                        match annotation["type"].as_str() {
                            Some("url_citation") => {
                                summary.cite(annotation, &string(&part["text"]))
                            }
                            Some("file_citation") => summary.files.push((
                                string(&annotation["file_id"]),
                                string(&annotation["filename"]),
                            )),
                            _ => {}
                        }
                    }
                }
            }
            Some("reasoning") => {
                let texts = items(&item["summary"])
                    .iter()
                    .chain(items(&item["content"]));
                let text: String = texts.map(|part| string(&part["text"])).collect();
                let id = string(&item["id"]);
                let encrypted = some(&item["encrypted_content"]);
                summary.think(
                    &text,
                    "item",
                    encrypted.map(|encrypted| format!("{id}\n{encrypted}")),
                );
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
            Some("mcp_call") => {
                let error = &item["error"];
                let outcome = match (error.is_null(), item["output"].is_null()) {
                    (false, _) => "failed",
                    (true, false) => "done",
                    (true, true) => "unknown",
                };
                summary.ran.push(Ran {
                    tool: Some((string(&item["server_label"]), string(&item["name"]))),
                    input: arguments(&string(&item["arguments"])),
                    outcome,
                    text: texts(&item["output"])
                        + &texts(error)
                        + &texts(&error["content"])
                        + &string(&error["message"]),
                });
            }
            Some("code_interpreter_call") => summary.ran.push(Ran {
                tool: None,
                input: arguments(&string(&item["code"])),
                outcome: match item["status"].as_str() {
                    Some("completed") => "done",
                    Some("failed") => "failed",
                    _ => "unknown",
                },
                text: items(&item["outputs"])
                    .iter()
                    .map(|output| string(&output["logs"]))
                    .collect(),
            }),
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

/// A text, or the texts of a list of parts.
pub(crate) fn texts(value: &Value) -> String {
    let parts = items(value).iter().map(|part| string(&part["text"]));
    string(value) + &parts.collect::<String>()
}

/// A tool that a vendor of Messages ran, by the block that calls it and the one that says what came of it.
fn ran(block: &Value, content: &[Value]) -> Ran {
    let came = content
        .iter()
        .find(|came| came["tool_use_id"] == block["id"]);
    let input = &block["input"];
    if block["type"] == "mcp_tool_use" {
        return Ran {
            tool: Some((string(&block["server_name"]), string(&block["name"]))),
            input: input.clone(),
            outcome: match came {
                None => "unknown",
                Some(came) if came["is_error"] == true => "failed",
                Some(_) => "done",
            },
            text: came.map_or_else(String::new, |came| texts(&came["content"])),
        };
    }
    let code = some(&input["code"])
        .or(some(&input["command"]).filter(|_| block["name"] == "bash_code_execution"));
    let result = came.map_or(&Value::Null, |came| &came["content"]);
    let written = ["stdout", "stderr", "error_code"].map(|name| string(&result[name]));
    let lines = items(&result["lines"]).iter().map(string);
    let failed = result["return_code"].as_u64().is_some_and(|code| code != 0);
    Ran {
        tool: None,
        input: code.map_or_else(|| input.clone(), arguments),
        outcome: match came {
            None => "unknown",
            Some(_) if failed || result["error_code"].is_string() => "failed",
            Some(_) => "done",
        },
        text: written.concat() + &string(&result["content"]) + &lines.collect::<String>(),
    }
}

fn messages(answer: &Value) -> Summary {
    let mut summary = empty();
    for block in items(&answer["content"]) {
        match block["type"].as_str() {
            Some("text") => {
                summary.text += &string(&block["text"]);
                for citation in items(&block["citations"]) {
                    if let Some(url) = some(&citation["url"]).or(some(&citation["source"])) {
                        summary.sources.push(Source {
                            url: url.to_owned(),
                            title: string(&citation["title"]),
                            stretch: string(&block["text"]),
                        });
                    } else if let Some(id) = some(&citation["file_id"]) {
                        let name = string(&citation["document_title"]);
                        summary.files.push((id.to_owned(), name));
                    }
                }
            }
            Some("thinking") => summary.think(
                &string(&block["thinking"]),
                "signature",
                some(&block["signature"]).map(str::to_owned),
            ),
            Some("redacted_thinking") => {
                summary.think("", "redacted", some(&block["data"]).map(str::to_owned));
            }
            Some("tool_use") => summary.calls.push((
                string(&block["id"]),
                string(&block["name"]),
                block["input"].clone(),
            )),
            Some("mcp_tool_use") => summary.ran.push(ran(block, items(&answer["content"]))),
            Some("server_tool_use") if string(&block["name"]).ends_with("code_execution") => {
                summary.ran.push(ran(block, items(&answer["content"])));
            }
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
