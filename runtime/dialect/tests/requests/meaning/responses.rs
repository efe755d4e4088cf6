//! Reads Responses the plain way.

use std::collections::BTreeSet;

use base64::Engine;
use serde_json::{Value, json};

use super::super::invariants::list;
use super::chat::place;
use super::{
    Body, Input, Item, Part, Ran, Settings, Tool, Who, arguments, image, inline_file, joined,
    lines, parts, schema, serve, string,
};

/// What stands in for the client's own search among its tools.
const SEARCH: &str = "tool_search";

pub(super) fn items(body: &Value, tools: &mut Vec<Tool>, settings: &mut Settings) -> Vec<Item> {
    for tool in list(body, "tools") {
        offer(tool, None, tools, Some(settings));
    }
    let mut items = Vec::new();
    if let Some(text) = body["instructions"]
        .as_str()
        .filter(|text| !text.is_empty())
    {
        items.push(Item::Said(Who::System, vec![Part::text(text)]));
    }
    if let Some(text) = body["input"].as_str() {
        items.push(Item::Said(Who::User, vec![Part::text(text)]));
    }
    for item in list(body, "input") {
        read(item, &mut items, tools, settings);
    }
    items
}

fn read(item: &Value, items: &mut Vec<Item>, tools: &mut Vec<Tool>, settings: &mut Settings) {
    let id = || string(&item["call_id"]);
    let kind = item["type"].as_str().unwrap_or("message");
    let client = item["execution"] == "client";
    match kind {
        "message" => {
            let who = match item["role"].as_str().unwrap() {
                "system" | "developer" => Who::System,
                "assistant" => Who::Assistant,
                _ => Who::User,
            };
            items.push(Item::Said(who, parts(&item["content"], part)));
        }
        "function_call" => items.push(Item::Call {
            id: id(),
            tool: joined(item["namespace"].as_str(), item["name"].as_str().unwrap()),
            input: arguments(&item["arguments"]),
        }),
        "custom_tool_call" => items.push(Item::Call {
            id: id(),
            tool: joined(item["namespace"].as_str(), item["name"].as_str().unwrap()),
            input: Input::Free(string(&item["input"])),
        }),
        "function_call_output" | "custom_tool_call_output" => items.push(Item::Result {
            id: id(),
            error: false,
            parts: parts(&item["output"], part),
        }),
        "tool_search_call" if client => items.push(Item::Call {
            id: id(),
            tool: SEARCH.to_owned(),
            input: arguments(&item["arguments"]),
        }),
        "tool_search_output" if client => {
            let before = tools.len();
            for tool in list(item, "tools") {
                offer(tool, None, tools, None);
            }
            let found: Vec<_> = tools[before..]
                .iter()
                .map(|tool| tool.name.replace('/', "__"))
                .collect();
            let told = match found.is_empty() {
                true => "No tools were found.".to_owned(),
                false => format!("Found, and ready to be called: {}", found.join(", ")),
            };
            items.push(Item::Result {
                id: id(),
                error: false,
                parts: vec![Part::text(told)],
            });
        }
        "computer_call" | "shell_call" | "local_shell_call" | "apply_patch_call" => {
            let input = match kind {
                "computer_call" if item["actions"].is_array() => {
                    json!({"actions": item["actions"]})
                }
                "computer_call" => json!({"action": item["action"]}),
                "apply_patch_call" => item["operation"].clone(),
                _ => item["action"].clone(),
            };
            let tool = kind.strip_suffix("_call").unwrap().to_owned();
            items.push(Item::Call {
                id: id(),
                tool,
                input: Input::Json(input),
            });
        }
        "computer_call_output"
        | "shell_call_output"
        | "local_shell_call_output"
        | "apply_patch_call_output" => {
            let output = &item["output"];
            let parts = match kind {
                "computer_call_output" => vec![Part {
                    body: image(&output["image_url"], &Value::Null),
                    mark: None,
                }],
                "shell_call_output" => {
                    let texts = list(item, "output").iter().map(|one| {
                        let told =
                            [string(&one["stdout"]), string(&one["stderr"])].map(|text| text);
                        Part::text(
                            told.into_iter()
                                .filter(|text| !text.is_empty())
                                .collect::<Vec<_>>()
                                .join("\n"),
                        )
                    });
                    texts.collect()
                }
                _ => output.as_str().map(Part::text).into_iter().collect(),
            };
            let call = item["call_id"].as_str().or(item["id"].as_str()).unwrap();
            items.push(Item::Result {
                id: call.to_owned(),
                error: item["status"] == "failed",
                parts,
            });
        }
        "additional_tools" => {
            for tool in list(item, "tools") {
                offer(tool, None, tools, None);
            }
        }
        "configuration_update" => {
            settings.insert("effort", item["reasoning"]["effort"].clone());
        }
        "agent_message" => {
            let word = |word: &str, name: &Value| match name.as_str() {
                Some(name) if !name.is_empty() => format!(" {word} {name}"),
                _ => String::new(),
            };
            let from = word("from", &item["author"]) + &word("to", &item["recipient"]);
            let mut said = vec![Part::text(format!("Message{from}:"))];
            let texts = parts(&item["content"], |piece, out| {
                out.extend(piece["text"].as_str().map(Part::text));
            });
            said.extend(texts);
            items.push(Item::Said(Who::User, said));
        }
        "mcp_call" if item["output"].is_null() && item["error"].is_null() => {}
        "mcp_call" => items.push(Item::Ran(Ran {
            tool: Some((string(&item["server_label"]), string(&item["name"]))),
            input: arguments(&item["arguments"]),
            error: !item["error"].is_null(),
            text: string(&item["output"])
                + &lines(&item["error"]["content"])
                + &string(&item["error"]["message"]),
        })),
        "code_interpreter_call" if item["status"] == "incomplete" => {}
        "code_interpreter_call" => items.push(Item::Ran(Ran {
            tool: None,
            input: Input::Free(string(&item["code"])),
            error: item["status"] == "failed",
            text: list(item, "outputs")
                .iter()
                .map(|output| string(&output["logs"]))
                .collect(),
        })),
        // The gateway's own: what was summed up is the last piece of its seal.
        "compaction" | "compaction_summary" => {
            let sealed = item["encrypted_content"].as_str().unwrap();
            let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
            let summary = engine.decode(sealed.rsplit('.').next().unwrap()).unwrap();
            let summary = Part::text(String::from_utf8(summary).unwrap());
            items.push(Item::Said(Who::User, vec![summary]));
        }
        // Nothing of these is said to another vendor.
        "reasoning" | "agent_reasoning" | "web_search_call" | "file_search_call"
        | "mcp_list_tools" | "tool_search_call" | "tool_search_output" => {}
        other => panic!("the item {other} is not known here"),
    }
}

fn part(part: &Value, out: &mut Vec<Part>) {
    let body = match part["type"].as_str().unwrap() {
        "input_text" | "output_text" | "text" => Body::Text(string(&part["text"])),
        "refusal" => Body::Refusal(string(&part["refusal"])),
        "input_image" => image(&part["image_url"], &part["detail"]),
        "input_file" if part["file_data"].is_string() => {
            inline_file(&part["file_data"], &part["filename"])
        }
        "input_file" => Body::File {
            source: string(&part["file_url"]) + &string(&part["file_id"]),
            name: String::new(),
        },
        other => panic!("the part {other} is not known here"),
    };
    out.push(Part { body, mark: None });
}

fn offer(
    tool: &Value,
    namespace: Option<&str>,
    tools: &mut Vec<Tool>,
    settings: Option<&mut Settings>,
) {
    let kind = tool["type"].as_str().unwrap();
    match kind {
        "function" | "custom" => tools.push(Tool {
            name: joined(namespace, tool["name"].as_str().unwrap()),
            description: string(&tool["description"]),
            schema: match kind {
                "custom" => Value::Null,
                _ => schema(&tool["parameters"]),
            },
            free: (kind == "custom").then(|| match tool["format"]["type"].as_str() {
                Some("grammar") => json!({
                    "syntax": tool["format"]["syntax"],
                    "definition": tool["format"]["definition"],
                }),
                _ => Value::Null,
            }),
            strict: tool["strict"] == true,
        }),
        "namespace" => {
            for inner in list(tool, "tools") {
                offer(inner, tool["name"].as_str(), tools, None);
            }
        }
        "tool_search" if tool["execution"] == "client" => tools.push(Tool {
            name: SEARCH.to_owned(),
            description: string(&tool["description"]),
            schema: schema(&tool["parameters"]),
            free: None,
            strict: false,
        }),
        "tool_search" => {}
        kind if kind.starts_with("web_search") => {
            if tool["external_web_access"] != false
                && let Some(settings) = settings
            {
                let mut search = json!({"at": place(&tool["user_location"])});
                for domains in ["allowed_domains", "blocked_domains"] {
                    let domains = (&tool["filters"][domains], domains);
                    if !domains.0.is_null() {
                        search[domains.1] = domains.0.clone();
                    }
                }
                settings.insert("search", search);
                settings.insert("search size", tool["search_context_size"].clone());
            }
        }
        "computer" | "computer_use_preview" | "shell" | "local_shell" | "apply_patch" => tools
            .push(Tool {
                name: kind.replace("computer_use_preview", "computer"),
                free: None,
                description: String::new(),
                schema: Value::Null,
                strict: false,
            }),
        "mcp" => {
            let settings = settings.unwrap();
            let token = match tool["headers"].as_object() {
                Some(headers) => {
                    let told = headers.values().next().and_then(Value::as_str);
                    told.and_then(|told| told.strip_prefix("Bearer ")).into()
                }
                None => tool["authorization"].clone(),
            };
            let allowed = &tool["allowed_tools"];
            let allowed = match allowed.is_object() {
                true => &allowed["tool_names"],
                false => allowed,
            };
            serve(
                settings,
                &tool["server_label"],
                &tool["server_url"],
                &token,
                sorted(allowed),
            );
        }
        "code_interpreter" => _ = settings.unwrap().insert("code", json!(true)),
        other => panic!("the tool {other} is not known here"),
    }
}

/// Names in the order of the alphabet, each once.
fn sorted(names: &Value) -> Value {
    let Some(names) = names.as_array() else {
        return Value::Null;
    };
    let names: BTreeSet<_> = names.iter().filter_map(Value::as_str).collect();
    json!(names)
}

pub(super) fn choice(body: &Value) -> (String, bool) {
    let choice = &body["tool_choice"];
    let name = |tool: &Value| joined(tool["namespace"].as_str(), tool["name"].as_str().unwrap());
    let word = match choice {
        Value::Null => "auto".to_owned(),
        Value::String(word) => word.clone(),
        _ if choice["type"].as_str().unwrap().starts_with("web_search") => "web".to_owned(),
        _ if choice["type"] == "code_interpreter" => "code".to_owned(),
        _ if choice["name"].is_null() && choice["tools"].is_null() => {
            format!(
                "tool:{}",
                string(&choice["type"]).replace("computer_use_preview", "computer")
            )
        }
        _ if choice["type"] == "allowed_tools" => {
            let names: Vec<_> = list(choice, "tools").iter().map(name).collect();
            format!("{} of:{}", string(&choice["mode"]), names.join(","))
        }
        _ => format!("tool:{}", name(choice)),
    };
    (word, body["parallel_tool_calls"] == false)
}
