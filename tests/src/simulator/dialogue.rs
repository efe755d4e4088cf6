//! What a vendor would say to a request: reads the conversation, decides between text and tool calls.
//!
//! When the user's text holds `TOOL_PLEASE` and a tool is offered that the simulator knows how to call, it calls it;
//! when the tool's output comes back, it repeats that output in its text. So a client's round trip can be checked from
//! both sides. Further wishes: `ROUNDS_PLEASE` (two rounds of two calls at once, with reasoning before each),
//! `IMAGE_PLEASE` (it tells what it sees), `OBJECT_PLEASE` (it calls the tool that takes a structured answer), and those
//! of [`trouble`]. A schema that the request demands is filled in without a wish.

use serde_json::{Value, json};

use super::answer::Answer;
use super::received::Received;
use super::trouble::Trouble;
use super::{chat, embeddings, messages, responses};

/// The shell command that tool calls run: its output (`the answer is 42`) is not in its text, so a client that shows it
/// has run it.
const COMMAND: &str = "echo the answer is $((6 * 7))";

/// The readable reasoning of a vendor of chat completions, which takes it back.
pub const REASONING_CONTENT: &str = "The vendor of chat completions weighs it.";
/// The opaque reasoning of a vendor of responses, given to those who ask for it.
pub const ENCRYPTED_CONTENT: &str = "Z0FBQUFBQm9wYXF1ZSByZWFzb25pbmcgb2YgdGhlIHNpbXVsYXRvcg==";
/// The signature under the thinking of a vendor of messages.
pub const SIGNATURE: &str = "c2lnbmVkIGJ5IHRoZSBzaW11bGF0b3I=";

/// The calls of a round.
const AT_ONCE: usize = 2;
/// The rounds before there is an answer.
const ROUNDS: usize = 2;

/// What a demanded schema is filled with.
fn object() -> Value {
    json!({ "city": "Hamburg", "degrees": 19 })
}

/// A tool call to make.
#[derive(Clone, Debug)]
pub(super) struct ToolCall {
    /// The how-manieth of the conversation, from 1; ids are made of it.
    pub(super) number: usize,
    pub(super) name: String,
    /// JSON text.
    pub(super) arguments: String,
}

/// What the vendor says.
#[derive(Clone, Debug)]
pub(super) enum Say {
    Text(String),
    Calls(Vec<ToolCall>),
}

/// A request as far as it matters here.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    /// Whether it reasons first, and shows that it did.
    pub(super) reasons: bool,
    /// Whether opaque reasoning was asked for (Responses).
    pub(super) encrypted: bool,
    pub(super) say: Say,
}

/// Answers as the vendor of the path's dialect.
pub(super) fn answer(received: &Received) -> Answer {
    let path = received.path();
    let body = match received.over_websocket() {
        true => received.whole(),
        false if received.method != "POST" => return models(path),
        false => match serde_json::from_slice(&received.body) {
            Ok(body) => body,
            Err(_) => {
                return super::openai_error(400, "invalid_request_error", "The body is not JSON.");
            }
        },
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
    let (conversation, asked) = Conversation::read(&body);
    if path.ends_with("/responses/compact") {
        return responses::compacted(&conversation);
    }
    let operation = if path.ends_with("/chat/completions") {
        "chat-completions"
    } else if path.ends_with("/responses") {
        "responses"
    } else if path.ends_with("/messages") {
        "messages"
    } else {
        return super::openai_error(404, "not_found", &format!("There is no {path} here."));
    };
    match Trouble::asked_for(&asked) {
        Some(trouble) => trouble.befall(operation, conversation),
        None => in_dialect(operation, &conversation),
    }
}

/// The answer in a dialect.
pub(super) fn in_dialect(operation: &str, conversation: &Conversation) -> Answer {
    match operation {
        "chat-completions" => chat::answer(conversation),
        "responses" => responses::answer(conversation),
        "messages" => messages::answer(conversation),
        other => panic!("nobody speaks in {other}"),
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
        Say::Calls(vec![ToolCall {
            number: 1,
            name: name.into(),
            arguments: arguments.into(),
        }]),
    )
}

fn said(operation: &str, stream: bool, say: Say) -> Answer {
    let conversation = Conversation {
        model: "simulated".into(),
        stream,
        include_usage: true,
        reasons: false,
        encrypted: false,
        say,
    };
    in_dialect(operation, &conversation)
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
    /// The conversation, and what the user asked for.
    fn read(body: &Value) -> (Self, String) {
        let mut asked = String::new();
        let mut outputs = Vec::new();
        let turns = body["messages"]
            .as_array()
            .or_else(|| body["input"].as_array());
        for turn in turns.into_iter().flatten() {
            outputs.extend(outputs_of(turn));
            let said = if turn["role"] == "user" {
                text_of(&turn["content"])
            } else {
                String::new()
            };
            // Clients add texts of their own after a tool's output: they are no new wish.
            if !said.is_empty() && outputs.is_empty() {
                asked = said;
            }
        }
        if let Some(text) = body["input"].as_str() {
            asked = text.into();
        }
        let rounds = asked.contains("ROUNDS_PLEASE");
        let conversation = Self {
            model: body["model"].as_str().unwrap_or_default().into(),
            stream: body["stream"] == true,
            include_usage: body["stream_options"]["include_usage"] == true,
            reasons: rounds,
            encrypted: body["include"]
                .as_array()
                .is_some_and(|list| list.contains(&json!("reasoning.encrypted_content"))),
            say: say(body, &asked, &outputs, rounds),
        };
        (conversation, asked)
    }
}

fn say(body: &Value, asked: &str, outputs: &[String], rounds: bool) -> Say {
    let made = outputs.len();
    if rounds && made < ROUNDS * AT_ONCE {
        let calls: Vec<_> = (made + 1..=made + AT_ONCE)
            .filter_map(|number| tool_call(body, number, true))
            .collect();
        if !calls.is_empty() {
            return Say::Calls(calls);
        }
    }
    if rounds && made > 0 {
        let outputs: Vec<&str> = outputs.iter().map(|output| output.trim()).collect();
        return Say::Text(format!("The tools said: {}", outputs.join(" | ")));
    }
    if let Some(output) = outputs.last() {
        return Say::Text(format!("The tool said: {}", output.trim()));
    }
    if let Some(name) = tool_for_an_object(body, asked) {
        return Say::Calls(vec![ToolCall {
            number: 1,
            name,
            arguments: object().to_string(),
        }]);
    }
    let formats = ["/response_format", "/text/format", "/output_config/format"];
    let schema = |pointer: &&str| {
        body.pointer(pointer)
            .is_some_and(|format| format["type"] == "json_schema")
    };
    if formats.iter().any(schema) {
        return Say::Text(object().to_string());
    }
    if asked.contains("IMAGE_PLEASE") {
        return Say::Text(format!("I see {}.", images(body).join(" and ")));
    }
    match tool_call(body, 1, false) {
        Some(call) if asked.contains("TOOL_PLEASE") => Say::Calls(vec![call]),
        _ => Say::Text("Hello from the simulator, all is well.".into()),
    }
}

/// The tool that takes a structured answer: the agents' own, or the one that must be called.
fn tool_for_an_object(body: &Value, asked: &str) -> Option<String> {
    /// Claude Code and opencode call it the same.
    const OF_AGENTS: &str = "StructuredOutput";
    let tools = body["tools"].as_array()?;
    let name = |tool: &Value| {
        let name = tool["name"].as_str();
        name.or_else(|| tool["function"]["name"].as_str())
            .map(str::to_owned)
    };
    let own = tools.iter().filter_map(name).find(|n| n == OF_AGENTS);
    let choice = &body["tool_choice"];
    if choice == "required" || choice["type"] == "any" {
        return own.or_else(|| tools.first().and_then(name));
    }
    if choice["type"] == "tool" || choice["type"] == "function" {
        return name(choice);
    }
    own.filter(|_| asked.contains("OBJECT_PLEASE"))
}

/// The images of the conversation, as the dialect has them: media type and letters of base64.
fn images(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let turns = body["messages"]
        .as_array()
        .or_else(|| body["input"].as_array());
    let parts = turns
        .into_iter()
        .flatten()
        .filter_map(|turn| turn["content"].as_array())
        .flatten();
    for part in parts {
        let seen = match part["type"].as_str() {
            Some("image_url") => data_url(&part["image_url"]["url"]),
            Some("input_image") => data_url(&part["image_url"]),
            Some("image") if part["source"]["type"] == "base64" => {
                let source = &part["source"];
                source["media_type"].as_str().zip(source["data"].as_str())
            }
            _ => None,
        };
        if let Some((kind, data)) = seen {
            found.push(format!("{kind} in {} letters", data.len()));
        }
    }
    if found.is_empty() {
        found.push("nothing".into());
    }
    found
}

fn data_url(url: &Value) -> Option<(&str, &str)> {
    let (kind, data) = url.as_str()?.split_once(";base64,")?;
    Some((kind.strip_prefix("data:")?, data))
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

/// The outputs of tools that the turn brings, in any of the three dialects.
fn outputs_of(turn: &Value) -> Vec<String> {
    if turn["role"] == "tool" {
        return vec![text_of(&turn["content"])];
    }
    if turn["type"] == "function_call_output" || turn["type"] == "custom_tool_call_output" {
        return vec![text_of(&turn["output"])];
    }
    let parts = turn["content"].as_array().into_iter().flatten();
    let results = parts.filter(|part| part["type"] == "tool_result");
    results.map(|result| text_of(&result["content"])).collect()
}

/// A call of the first tool offered that can be called; one of several asks for something of its own.
fn tool_call(body: &Value, number: usize, one_of_several: bool) -> Option<ToolCall> {
    let command = match one_of_several {
        true => format!("echo call {number} gave $(({number} * 11))"),
        false => COMMAND.to_owned(),
    };
    let city = match number {
        1 => "Hamburg",
        2 => "Bremen",
        3 => "Kiel",
        _ => "L\u{fc}beck",
    };
    body["tools"].as_array()?.iter().find_map(|tool| {
        let name = tool["name"]
            .as_str()
            .or_else(|| tool["function"]["name"].as_str())?;
        let arguments = match name {
            "exec_command" => json!({ "cmd": command }),
            "Bash" | "bash" => {
                json!({ "command": command, "description": "Compute the answer" })
            }
            "get_weather" => json!({ "city": city }),
            _ => return None,
        };
        Some(ToolCall {
            number,
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
