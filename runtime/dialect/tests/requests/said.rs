//! What a request says, whatever its dialect, and whether a bridge keeps it: read the plain way.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use serde_json::{Map, Value};
use tollgate_dialect::Dialect;
use tollgate_dialect::bridge::Context;

use super::invariants::{ensure, list};

/// What a request says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// Every text, of whoever, results and files of text included.
    pub(crate) texts: Vec<String>,
    /// How often each tool is called with what.
    pub(crate) calls: BTreeMap<String, usize>,
    /// Ids of results.
    pub(crate) results: usize,
    /// Images, and files that are not text.
    pub(crate) media: usize,
    /// Tools offered that are not the vendor's own, with their namespaces.
    pub(crate) tools: BTreeSet<(String, String)>,
    /// Whether the choice leaves only some of them.
    pub(crate) narrowed: bool,
}

/// Reads what a request says.
pub(crate) fn said_in(dialect: Dialect, body: &Value) -> Said {
    let mut said = Said {
        narrowed: body["tool_choice"]["type"] == "allowed_tools",
        ..Said::default()
    };
    match dialect {
        Dialect::OpenaiResponses => {
            content(&mut said, &body["instructions"]);
            content(&mut said, &body["input"]);
            for item in list(body, "input") {
                match item["type"].as_str().unwrap_or("message") {
                    "message" => content(&mut said, &item["content"]),
                    "function_call" => said.call(&item["arguments"]),
                    "custom_tool_call" => said.call(&item["input"]),
                    "tool_search_call" if item["execution"] == "client" => {
                        said.call(&item["arguments"]);
                    }
                    "computer_call" if item["actions"].is_array() => {
                        said.call(&serde_json::json!({"actions": item["actions"]}));
                    }
                    "computer_call" => said.call(&serde_json::json!({"action": item["action"]})),
                    "shell_call" | "local_shell_call" => said.call(&item["action"]),
                    "apply_patch_call" => said.call(&item["operation"]),
                    "computer_call_output" => {
                        said.results += 1;
                        said.media += 1;
                    }
                    "shell_call_output" | "local_shell_call_output" | "apply_patch_call_output" => {
                        said.results += 1;
                        content(&mut said, &item["output"]);
                    }
                    "function_call_output" | "custom_tool_call_output" => {
                        said.results += 1;
                        content(&mut said, &item["output"]);
                    }
                    "tool_search_output" if item["execution"] == "client" => {
                        said.results += 1;
                        said.offer(list(item, "tools"), "");
                    }
                    "additional_tools" => said.offer(list(item, "tools"), ""),
                    _ => {}
                }
            }
        }
        Dialect::AnthropicMessages => {
            content(&mut said, &body["system"]);
            for message in list(body, "messages") {
                content(&mut said, &message["content"]);
            }
        }
        _ => {
            for message in list(body, "messages") {
                content(&mut said, &message["content"]);
                content(&mut said, &message["refusal"]);
                said.results += usize::from(message["role"] == "tool");
                for call in list(message, "tool_calls") {
                    let inner = &call[call["type"].as_str().unwrap_or("function")];
                    let called = if inner["arguments"].is_null() {
                        "input"
                    } else {
                        "arguments"
                    };
                    said.call(&inner[called]);
                }
            }
        }
    }
    said.offer(list(body, "tools"), "");
    said
}

impl Said {
    /// A call, by what it is called with. A custom tool's text is as good as an object with that text as its `input`, and
    /// what is no object as one with it as its `arguments`.
    fn call(&mut self, arguments: &Value) {
        let value = match arguments {
            Value::String(text) if text.is_empty() => Value::Object(Map::new()),
            Value::String(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
            }
            other => other.clone(),
        };
        let value = match value {
            Value::Object(mut object) if object.len() == 1 => {
                let inner = object
                    .remove("input")
                    .or_else(|| object.remove("arguments"));
                inner.unwrap_or(Value::Object(object))
            }
            other => other,
        };
        *self.calls.entry(value.to_string()).or_default() += 1;
    }

    fn offer(&mut self, tools: &[Value], namespace: &str) {
        for tool in tools {
            let kind = tool["type"].as_str().unwrap_or("function");
            if kind == "namespace" {
                let namespace = tool["name"].as_str().unwrap_or_default();
                self.offer(list(tool, "tools"), namespace);
            } else if kind == "tool_search" && tool["execution"] == "client" {
                self.tools.insert((String::new(), kind.to_owned()));
            } else if let "computer"
            | "computer_use_preview"
            | "shell"
            | "local_shell"
            | "apply_patch" = kind
            {
                let name = kind.replace("computer_use_preview", "computer");
                self.tools.insert((String::new(), name));
            } else if kind == "computer_toolset_20260801" {
                let members = "screenshot zoom left_click right_click middle_click double_click triple_click \
                    left_click_drag left_mouse_down left_mouse_up mouse_move cursor_position scroll type key hold_key wait";
                let on = |member: &&str| tool["configs"][*member]["enabled"] != false;
                let members = members.split_whitespace().filter(on);
                self.tools
                    .extend(members.map(|member| ("computer".to_owned(), member.to_owned())));
            } else if [
                "function",
                "custom",
                "bash_",
                "text_editor_",
                "memory_",
                "computer_",
            ]
            .iter()
            .any(|known| kind.starts_with(known))
            {
                let name = tool["name"].as_str().or(tool[kind]["name"].as_str());
                let name = name.unwrap_or_default().to_owned();
                self.tools.insert((namespace.to_owned(), name));
            }
        }
    }

    /// The tools by the names that the client gave them.
    fn named(&self, context: &Context) -> BTreeSet<(String, String)> {
        let names = self.tools.iter().map(|(namespace, wire)| {
            let known = context.tool(wire);
            known.map_or_else(
                || (namespace.clone(), wire.clone()),
                |tool| {
                    let namespace = tool.namespace.clone().unwrap_or_default();
                    (namespace, tool.name.clone())
                },
            )
        });
        names.collect()
    }

    fn file(&mut self, data: &str) {
        let text = data
            .strip_prefix("data:")
            .and_then(|rest| rest.split_once(";base64,"))
            .filter(|(kind, _)| kind.starts_with("text/") || kind.starts_with("application/json"))
            .and_then(|(_, data)| {
                let engine = base64::engine::general_purpose::STANDARD;
                String::from_utf8(engine.decode(data).ok()?).ok()
            });
        match text {
            Some(text) => self.texts.push(text),
            None => self.media += 1,
        }
    }
}

fn content(said: &mut Said, value: &Value) {
    match value {
        Value::String(text) => said.texts.push(text.clone()),
        Value::Array(parts) => parts.iter().for_each(|part| gather_part(said, part)),
        _ => {}
    }
}

fn gather_part(said: &mut Said, part: &Value) {
    let text = |name: &str| part[name].as_str().unwrap_or_default().to_owned();
    match part["type"].as_str().unwrap_or_default() {
        "text" | "input_text" | "output_text" => said.texts.push(text("text")),
        "refusal" => said.texts.push(text("refusal")),
        "document" => match part["source"]["type"].as_str() {
            Some("text") => said
                .texts
                .extend(part["source"]["data"].as_str().map(str::to_owned)),
            Some("content") => content(said, &part["source"]["content"]),
            _ => said.media += 1,
        },
        "search_result" => content(said, &part["content"]),
        "file" => said.file(part["file"]["file_data"].as_str().unwrap_or_default()),
        "input_file" => said.file(part["file_data"].as_str().unwrap_or_default()),
        "image" | "image_url" | "input_image" => said.media += 1,
        "tool_use" => said.call(&part["input"]),
        "tool_result" => {
            said.results += 1;
            content(said, &part["content"]);
        }
        // Without a definition it speaks of one that is among the tools.
        "tool_addition" if part["tool"]["definition"].is_object() => {
            said.offer(std::slice::from_ref(&part["tool"]["definition"]), "");
        }
        _ => {}
    }
}

/// Whether everything that was said before is said after, to a vendor whose answer `context` leads back.
pub(crate) fn kept(before: &Said, after: &Said, context: &Context) -> Result<(), String> {
    let whole = after.texts.join("\n");
    for text in &before.texts {
        let bills = text.starts_with("x-") && text.contains("-billing-header: ");
        ensure(bills || whole.contains(text.trim()), || {
            format!("lost text: {text}")
        })?;
    }
    ensure(before.calls == after.calls, || {
        format!("calls: {:?}\nnow: {:?}", before.calls, after.calls)
    })?;
    ensure(before.results == after.results, || {
        format!("{} results, now {}", before.results, after.results)
    })?;
    ensure(before.media == after.media, || {
        format!("{} images and files, now {}", before.media, after.media)
    })?;
    let mut tools = after.named(context);
    if let Some(structured) = &context.structured_tool {
        tools.remove(&(String::new(), structured.clone()));
    }
    // A choice may leave some of them; and where there are none but calls of some, these are declared.
    let fits = match before.tools.is_empty() {
        true => tools.is_empty() || !before.calls.is_empty(),
        false if before.narrowed => tools.is_subset(&before.tools),
        false => tools == before.tools,
    };
    ensure(fits, || {
        format!("tools: {:?}\nnow: {tools:?}", before.tools)
    })
}
