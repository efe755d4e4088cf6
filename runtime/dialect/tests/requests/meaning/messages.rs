//! Reads Messages the plain way.

use serde_json::{Value, json};

use super::super::invariants::list;
use super::chat::place;
use super::{Body, Item, Part, Settings, Tool, Who, arguments, image, mark, parts, schema, string};

pub(super) fn items(body: &Value, tools: &mut Vec<Tool>, settings: &mut Settings) -> Vec<Item> {
    for tool in list(body, "tools") {
        offer(tool, tools, Some(settings));
    }
    let mut system = parts(&body["system"], part);
    // What a client bills by is for one vendor.
    if matches!(system.first(), Some(Part { body: Body::Text(text), .. })
        if text.starts_with("x-") && text.contains("-billing-header: "))
    {
        system.remove(0);
    }
    let mut items = vec![Item::Said(Who::System, system)];
    for message in list(body, "messages") {
        let who = match message["role"].as_str().unwrap() {
            "user" => Who::User,
            "assistant" => Who::Assistant,
            _ => Who::System,
        };
        if let Some(effort) = message["output_config"]["effort"].as_str() {
            settings.insert("effort", json!(effort));
        }
        if message["content"].is_string() {
            items.push(Item::Said(who, parts(&message["content"], part)));
        }
        for block in list(message, "content") {
            read(block, who, &mut items, tools);
        }
    }
    if let Some(long) = mark(body) {
        items.push(Item::Mark(long));
    }
    items
}

fn read(block: &Value, who: Who, items: &mut Vec<Item>, tools: &mut Vec<Tool>) {
    match block["type"].as_str().unwrap() {
        "tool_use" => {
            items.push(Item::Call {
                id: string(&block["id"]),
                tool: string(&block["name"]),
                input: arguments(&block["input"]),
            });
            items.extend(mark(block).map(Item::Mark));
        }
        "tool_result" => {
            let mut inner = parts(&block["content"], part);
            if let Some(long) = mark(block)
                && let Some(last) = inner.last_mut()
            {
                last.mark.get_or_insert(long);
            }
            items.push(Item::Result {
                id: string(&block["tool_use_id"]),
                error: block["is_error"] == true,
                parts: inner,
            });
        }
        "tool_addition" => {
            let definition = &block["tool"]["definition"];
            if definition.is_object() {
                offer(definition, tools, None);
            }
        }
        "compaction" => {
            let text = block["content"].as_str().map(Part::text);
            items.push(Item::Said(who, text.into_iter().collect()));
        }
        // Nothing of these is said to another vendor.
        "thinking" | "redacted_thinking" | "server_tool_use" | "mcp_tool_use" => {}
        kind if kind.ends_with("_tool_result") => {}
        _ => {
            let piece = Value::Array(vec![block.clone()]);
            items.push(Item::Said(who, parts(&piece, part)));
        }
    }
}

fn part(block: &Value, out: &mut Vec<Part>) {
    let title = block["title"].as_str().filter(|title| !title.is_empty());
    let source = &block["source"];
    let inline = || {
        json!(format!(
            "data:{};base64,{}",
            string(&source["media_type"]),
            string(&source["data"])
        ))
    };
    match (block["type"].as_str().unwrap(), source["type"].as_str()) {
        ("text", _) => out.push(Part::text(string(&block["text"]))),
        ("image", kind) => {
            let url = match kind {
                Some("base64") => inline(),
                _ => source["url"].clone(),
            };
            let body = image(&url, &Value::Null);
            out.push(Part { body, mark: None });
        }
        ("document", kind) => {
            let context = block["context"].as_str().filter(|text| !text.is_empty());
            out.extend(context.map(Part::text));
            let named = |text: String| match title {
                Some(title) => format!("{title}\n\n{text}"),
                None => text,
            };
            match kind {
                Some("text") => out.push(Part::text(named(string(&source["data"])))),
                Some("content") => {
                    out.extend(title.map(Part::text));
                    out.extend(parts(&source["content"], part));
                }
                kind => {
                    let (source, name) = match kind {
                        Some("base64") => (inline(), title.unwrap_or("document.pdf")),
                        // A URL has its name in itself.
                        _ => (source["url"].clone(), ""),
                    };
                    let body = Body::File {
                        source: string(&source),
                        name: name.to_owned(),
                    };
                    out.push(Part { body, mark: None });
                }
            }
        }
        ("search_result", _) => {
            let heading = format!("{}\n{}", title.unwrap_or_default(), string(source));
            out.push(Part::text(heading));
            out.extend(parts(&block["content"], part));
        }
        ("tool_reference", _) => {
            let name = string(&block["tool_name"]);
            out.push(Part::text(format!("The tool {name} can be called now.")));
        }
        (other, _) => panic!("the block {other} is not known here"),
    }
}

fn offer(tool: &Value, tools: &mut Vec<Tool>, settings: Option<&mut Settings>) {
    match tool["type"].as_str().unwrap_or("custom") {
        "custom" => tools.push(Tool {
            name: string(&tool["name"]),
            free: None,
            description: string(&tool["description"]),
            schema: schema(&tool["input_schema"]),
            strict: tool["strict"] == true,
        }),
        kind if kind.starts_with("web_search_") => {
            let mut search = json!({"at": place(&tool["user_location"])});
            for domains in ["allowed_domains", "blocked_domains"] {
                if !tool[domains].is_null() {
                    search[domains] = tool[domains].clone();
                }
            }
            if let Some(settings) = settings {
                settings.insert("search", search);
                settings.insert("searches", tool["max_uses"].clone());
            }
        }
        // All tools are offered at once.
        kind if kind.starts_with("tool_search_tool_") => {}
        other => panic!("the tool {other} is not known here"),
    }
}

pub(super) fn choice(body: &Value) -> (String, bool) {
    let choice = &body["tool_choice"];
    let name = string(&choice["name"]);
    let searches = list(body, "tools").iter().any(|tool| {
        tool["type"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("web_search_"))
    });
    let word = match choice["type"].as_str() {
        None => "auto".to_owned(),
        Some("any") => "required".to_owned(),
        Some("tool") if searches && name == "web_search" => "web".to_owned(),
        Some("tool") => format!("tool:{name}"),
        Some(word) => word.to_owned(),
    };
    (word, choice["disable_parallel_tool_use"] == true)
}
