//! What a vendor would say to a request: reads the conversation, decides between text and a tool call.
//!
//! When the user's text holds `TOOL_PLEASE` and a tool is offered that the simulator knows how to call, it calls it;
//! when the tool's output comes back, it repeats that output in its text. So a client's round trip can be checked from
//! both sides.

use serde_json::{Value, json};

use super::answer::Answer;
use super::received::Received;
use super::{chat, embeddings, messages, responses};

/// The shell command that tool calls run: its output (`the answer is 42`) is not in its text, so a client that shows it
/// has run it.
const COMMAND: &str = "echo the answer is $((6 * 7))";

/// A tool call to make.
#[derive(Clone, Debug)]
pub(super) struct ToolCall {
    pub(super) name: String,
    /// JSON text.
    pub(super) arguments: String,
}

/// What the vendor says.
#[derive(Clone, Debug)]
pub(super) enum Say {
    Text(String),
    Call(ToolCall),
}

/// A request as far as it matters here.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) say: Say,
}

/// Answers as the vendor of the path's dialect.
pub(super) fn answer(received: &Received) -> Answer {
    let path = received.path();
    if received.method != "POST" {
        return models(path);
    }
    let Ok(body) = serde_json::from_slice::<Value>(&received.body) else {
        return super::openai_error(400, "invalid_request_error", "The body is not JSON.");
    };
    if path.ends_with("/messages/count_tokens") {
        return Answer::json(200, r#"{"input_tokens":65}"#);
    }
    if path.ends_with("/responses/input_tokens") {
        return Answer::json(
            200,
            r#"{"object":"response.input_tokens","input_tokens":29}"#,
        );
    }
    if path.ends_with("/embeddings") {
        return embeddings::answer(&body);
    }
    let conversation = Conversation::read(&body);
    if path.ends_with("/chat/completions") {
        chat::answer(&conversation)
    } else if path.ends_with("/responses/compact") {
        responses::compacted(&conversation)
    } else if path.ends_with("/responses") {
        responses::answer(&conversation)
    } else if path.ends_with("/messages") {
        messages::answer(&conversation)
    } else {
        super::openai_error(404, "not_found", &format!("There is no {path} here."))
    }
}

/// What a vendor answers that says this text.
pub fn spoken(operation: &str, stream: bool, text: &str) -> Answer {
    said(operation, stream, Say::Text(text.into()))
}

/// What a vendor answers that calls this tool; `arguments` is JSON text.
pub fn called(operation: &str, stream: bool, name: &str, arguments: &str) -> Answer {
    said(
        operation,
        stream,
        Say::Call(ToolCall {
            name: name.into(),
            arguments: arguments.into(),
        }),
    )
}

fn said(operation: &str, stream: bool, say: Say) -> Answer {
    let conversation = Conversation {
        model: "simulated".into(),
        stream,
        include_usage: true,
        say,
    };
    match operation {
        "chat-completions" => chat::answer(&conversation),
        "responses" => responses::answer(&conversation),
        "messages" => messages::answer(&conversation),
        other => panic!("nobody speaks in {other}"),
    }
}

fn models(path: &str) -> Answer {
    let body = json!({ "object": "list", "data": [{ "id": "simulated", "object": "model", "owned_by": "us" }] });
    if path.ends_with("/models") {
        Answer::json(200, body.to_string())
    } else {
        super::openai_error(404, "not_found", "There is nothing here.")
    }
}

impl Conversation {
    fn read(body: &Value) -> Self {
        let mut asked = String::new();
        let mut tool_output = None;
        let turns = body["messages"]
            .as_array()
            .or_else(|| body["input"].as_array());
        for turn in turns.into_iter().flatten() {
            if let Some(output) = tool_output_of(turn) {
                tool_output = Some(output);
            }
            let said = if turn["role"] == "user" {
                text_of(&turn["content"])
            } else {
                String::new()
            };
            if !said.is_empty() {
                // Clients add texts of their own after a tool's output; only a new wish of the user resets the talk.
                if said.contains("TOOL_PLEASE") && tool_output.is_none() || tool_output.is_none() {
                    asked = said;
                }
            }
        }
        if let Some(text) = body["input"].as_str() {
            asked = text.into();
        }
        let say = match (tool_output, tool_call(body)) {
            (Some(output), _) => Say::Text(format!("The tool said: {}", output.trim())),
            (None, Some(call)) if asked.contains("TOOL_PLEASE") => Say::Call(call),
            _ => Say::Text("Hello from the simulator, all is well.".into()),
        };
        Self {
            model: body["model"].as_str().unwrap_or_default().into(),
            stream: body["stream"] == true,
            include_usage: body["stream_options"]["include_usage"] == true,
            say,
        }
    }
}

/// The text of a content, whether a string or a list of parts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// The output of a tool, if the turn brings one, in any of the three dialects.
fn tool_output_of(turn: &Value) -> Option<String> {
    if turn["role"] == "tool" {
        return Some(text_of(&turn["content"]));
    }
    if turn["type"] == "function_call_output" || turn["type"] == "custom_tool_call_output" {
        return Some(text_of(&turn["output"]));
    }
    let result = turn["content"]
        .as_array()?
        .iter()
        .find(|part| part["type"] == "tool_result")?;
    Some(text_of(&result["content"]))
}

/// The first tool offered that can be called.
fn tool_call(body: &Value) -> Option<ToolCall> {
    body["tools"].as_array()?.iter().find_map(|tool| {
        let name = tool["name"]
            .as_str()
            .or_else(|| tool["function"]["name"].as_str())?;
        let arguments = match name {
            "exec_command" => json!({ "cmd": COMMAND }),
            "Bash" => json!({ "command": COMMAND, "description": "Compute the answer" }),
            "get_weather" => json!({ "city": "Hamburg" }),
            _ => return None,
        };
        Some(ToolCall {
            name: name.into(),
            arguments: arguments.to_string(),
        })
    })
}

/// Text in a few pieces, as a model streams it.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.char_indices().nth(7).map_or(rest.len(), |(at, _)| at);
        pieces.push(&rest[..end]);
        rest = &rest[end..];
    }
    pieces
}
