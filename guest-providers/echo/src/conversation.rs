//! Reads what matters of a request, whatever the dialect: what the user said last, what a tool returned, which tools
//! there are.

use tollgate_guest::json::Json;

use crate::tokens;

/// What is to be answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The user said this.
    Said(String),
    /// The user asked for this tool call.
    Tool(ToolCall),
    /// A tool returned this.
    Returned(String),
}

/// A tool call to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolCall {
    pub(crate) name: String,
    /// JSON text for a function, any text for a free-form tool.
    pub(crate) input: String,
    /// The tool takes free text (`custom` tools of the responses dialect).
    pub(crate) free_form: bool,
    /// The namespace in which the tool was declared (responses dialect).
    pub(crate) namespace: Option<String>,
}

/// A request, read.
pub(crate) struct Conversation {
    pub(crate) turn: Turn,
    pub(crate) input_tokens: u64,
}

/// What a chat format adds to each message.
const TOKENS_PER_MESSAGE: u64 = 3;

/// Reads a request of the dialects for chat completions, responses and messages.
pub(crate) fn read(body: &Json) -> Conversation {
    let text;
    let items = match (body.get("messages"), body.get("input")) {
        (Some(Json::Array(items)), _) | (None, Some(Json::Array(items))) => items.as_slice(),
        (_, Some(Json::String(said))) => {
            text = [Json::object([
                ("role", "user".into()),
                ("content", said.as_str().into()),
            ])];
            &text
        }
        _ => &[],
    };
    let around = ["system", "instructions", "tools"];
    let around = around.iter().filter_map(|name| body.get(name));
    let messages: u64 = items
        .iter()
        .map(|item| weight(item) + TOKENS_PER_MESSAGE)
        .sum();
    Conversation {
        input_tokens: messages + around.map(weight).sum::<u64>(),
        turn: turn(items, body),
    }
}

/// The tokens of all text in a value; names of members do not count, and neither does what is not text.
fn weight(value: &Json) -> u64 {
    match value {
        Json::String(text) => tokens::count(text),
        Json::Array(items) => items.iter().map(weight).sum(),
        Json::Object(members) => {
            // Pictures and files are megabytes of base64 that no vendor counts by the letter.
            let counted = |name: &str| {
                !matches!(
                    name,
                    "type" | "id" | "data" | "url" | "image_url" | "file_data"
                )
            };
            members
                .iter()
                .filter(|(name, _)| counted(name))
                .map(|(_, value)| weight(value))
                .sum()
        }
        _ => 0,
    }
}

/// The last item that a user or a tool is behind.
fn turn(items: &[Json], body: &Json) -> Turn {
    for item in items.iter().rev() {
        let role = item.get("role").and_then(Json::as_str).unwrap_or_default();
        let kind = item.get("type").and_then(Json::as_str).unwrap_or_default();
        if role == "tool" {
            return Turn::Returned(text_of(item.get("content")));
        }
        if kind.ends_with("_call_output") {
            return Turn::Returned(text_of(item.get("output")));
        }
        if role == "user" {
            return match tool_results(item) {
                Some(result) => Turn::Returned(result),
                None => said(item, body),
            };
        }
    }
    Turn::Said(String::new())
}

/// The results in a user message of the messages dialect.
fn tool_results(message: &Json) -> Option<String> {
    let blocks = message.get("content")?.as_array()?;
    let is_result = |block: &&Json| block.get("type").and_then(Json::as_str) == Some("tool_result");
    let results: Vec<String> = blocks
        .iter()
        .filter(is_result)
        .map(|block| text_of(block.get("content")))
        .collect();
    (!results.is_empty()).then(|| results.join("\n"))
}

fn said(message: &Json, body: &Json) -> Turn {
    let text = text_of(message.get("content"));
    match text.lines().find_map(|line| tool_call(line, body)) {
        Some(call) => Turn::Tool(call),
        None => Turn::Said(text),
    }
}

/// The text of a content: a string, or the text parts of an array. Reminders that a client puts beside the user's
/// words are not what the user said.
fn text_of(content: Option<&Json>) -> String {
    match content {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(parts)) => {
            let texts = parts
                .iter()
                .filter_map(|part| part.get("text").and_then(Json::as_str));
            let texts: Vec<&str> = texts
                .filter(|text| !text.trim_start().starts_with("<system-reminder>"))
                .collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// A line `!tool NAME INPUT`.
fn tool_call(line: &str, body: &Json) -> Option<ToolCall> {
    let rest = line.trim().strip_prefix("!tool ")?.trim_start();
    let (name, input) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let declared = declaration(name, body);
    let free_form = declared.as_ref().is_some_and(|declared| declared.free_form);
    let input = input.trim();
    if name.is_empty() || (!free_form && !input.is_empty() && !is_object(input)) {
        return None;
    }
    Some(ToolCall {
        name: name.to_owned(),
        input: if input.is_empty() && !free_form {
            "{}"
        } else {
            input
        }
        .to_owned(),
        free_form,
        namespace: declared.and_then(|declared| declared.namespace),
    })
}

fn is_object(text: &str) -> bool {
    matches!(Json::parse(text), Ok(Json::Object(_)))
}

/// How a tool was declared.
struct Declaration {
    free_form: bool,
    namespace: Option<String>,
}

/// Looks for a tool in `tools` and among the tools that come as an item of the input, namespaces included.
fn declaration(name: &str, body: &Json) -> Option<Declaration> {
    let items = body
        .get("input")
        .and_then(Json::as_array)
        .unwrap_or_default();
    let added = items
        .iter()
        .filter(|item| item.get("type").and_then(Json::as_str) == Some("additional_tools"));
    let lists = std::iter::once(body).chain(added);
    lists
        .filter_map(|of| of.get("tools")?.as_array())
        .find_map(|tools| find(name, tools, None))
}

fn find(name: &str, tools: &[Json], namespace: Option<&str>) -> Option<Declaration> {
    for tool in tools {
        let of = |member: &str| tool.get(member).and_then(Json::as_str).unwrap_or_default();
        if of("type") == "namespace" {
            let inner = tool
                .get("tools")
                .and_then(Json::as_array)
                .unwrap_or_default();
            if let Some(found) = find(name, inner, Some(of("name"))) {
                return Some(found);
            }
        } else if of("name") == name {
            return Some(Declaration {
                free_form: of("type") == "custom",
                namespace: namespace.map(str::to_owned),
            });
        }
    }
    None
}
