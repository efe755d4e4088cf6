//! Reads Messages the plain way.

use serde_json::{Value, json};

use super::super::invariants::list;
use super::chat::place;
use super::{
    Body, Input, Item, Part, Ran, Settings, Tool, Who, arguments, image, joined, lines, mark,
    parts, schema, serve, string,
};

pub(super) fn items(body: &Value, tools: &mut Vec<Tool>, settings: &mut Settings) -> Vec<Item> {
    for tool in list(body, "tools") {
        offer(tool, tools, Some(settings));
    }
    for server in list(body, "mcp_servers") {
        let named = |tool: &&Value| tool["mcp_server_name"] == server["name"];
        let (url, token) = (&server["url"], &server["authorization_token"]);
        match list(body, "tools").iter().find(named) {
            Some(toolset) => match enabled(toolset) {
                Some(allowed) if allowed == json!([]) => {}
                allowed => serve(settings, &server["name"], url, token, allowed.into()),
            },
            None => {
                let told = &server["tool_configuration"];
                if told["enabled"] != false {
                    serve(
                        settings,
                        &server["name"],
                        url,
                        token,
                        told["allowed_tools"].clone(),
                    );
                }
            }
        }
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
        let blocks = list(message, "content");
        for block in blocks {
            read(block, who, blocks, &mut items, tools);
        }
    }
    if let Some(long) = mark(body) {
        items.push(Item::Mark(long));
    }
    items
}

fn read(block: &Value, who: Who, blocks: &[Value], items: &mut Vec<Item>, tools: &mut Vec<Tool>) {
    match block["type"].as_str().unwrap() {
        "tool_use" => {
            items.push(Item::Call {
                id: string(&block["id"]),
                tool: joined(
                    block["toolset_name"].as_str(),
                    block["name"].as_str().unwrap(),
                ),
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
        "mcp_tool_use" | "server_tool_use"
            if block["type"] == "mcp_tool_use" || block["name"] == "code_execution" =>
        {
            let came = blocks
                .iter()
                .find(|came| came["tool_use_id"] == block["id"]);
            items.extend(came.map(|came| Item::Ran(ran(block, came))));
        }
        // Nothing of these is said to another vendor.
        "thinking" | "redacted_thinking" | "server_tool_use" | "mcp_tool_listing" => {}
        kind if kind.ends_with("_tool_result") => {}
        _ => {
            let piece = Value::Array(vec![block.clone()]);
            items.push(Item::Said(who, parts(&piece, part)));
        }
    }
}

/// A tool that the vendor ran, and the block that says what came of it.
fn ran(block: &Value, came: &Value) -> Ran {
    let result = &came["content"];
    match block["type"] == "mcp_tool_use" {
        true => Ran {
            tool: Some((string(&block["server_name"]), string(&block["name"]))),
            input: arguments(&block["input"]),
            error: came["is_error"] == true,
            text: lines(result),
        },
        false => Ran {
            tool: None,
            input: Input::Free(string(&block["input"]["code"])),
            error: result["return_code"] != 0,
            text: string(&result["stdout"]) + &string(&result["stderr"]),
        },
    }
}

/// The tools of a toolset that are enabled, in the order of the alphabet; none: all.
fn enabled(toolset: &Value) -> Option<Value> {
    let default = toolset["default_config"]["enabled"] != false;
    let is = |name: &str| {
        toolset["configs"][name]["enabled"]
            .as_bool()
            .unwrap_or(default)
    };
    let listed = list(toolset, "tools")
        .iter()
        .filter_map(|tool| tool["name"].as_str());
    let named = toolset["configs"].as_object().into_iter().flatten();
    let mut names: Vec<&str> = match toolset["tools"].is_array() {
        true => listed.collect(),
        false if default => return None,
        false => named.map(|(name, _)| name.as_str()).collect(),
    };
    names.retain(|name| is(name));
    names.sort_unstable();
    Some(json!(names))
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
        // Told with its server.
        "mcp_toolset" => {}
        kind if kind.starts_with("code_execution_") => {
            if let Some(settings) = settings {
                settings.insert("code", json!(true));
            }
        }
        // What the type stands for is told by the way there; here only which tools there are.
        "computer_toolset_20260801" => {
            let members = "screenshot zoom left_click right_click middle_click double_click triple_click \
                left_click_drag left_mouse_down left_mouse_up mouse_move cursor_position scroll type key hold_key wait";
            for member in members.split_whitespace() {
                if tool["configs"][member]["enabled"] != false {
                    tools.push(typed(joined(Some("computer"), member)));
                }
            }
        }
        kind if ["bash_", "text_editor_", "memory_", "computer_"]
            .iter()
            .any(|known| kind.starts_with(known)) =>
        {
            tools.push(typed(string(&tool["name"])));
        }
        // All tools are offered at once.
        kind if kind.starts_with("tool_search_tool_") => {}
        other => panic!("the tool {other} is not known here"),
    }
}

/// A tool that its type describes.
fn typed(name: String) -> Tool {
    Tool {
        name,
        free: None,
        description: String::new(),
        schema: Value::Null,
        strict: false,
    }
}

pub(super) fn choice(body: &Value) -> (String, bool) {
    let choice = &body["tool_choice"];
    let name = string(&choice["name"]);
    let offers = |begin: &str| {
        let mut kinds = list(body, "tools")
            .iter()
            .filter_map(|tool| tool["type"].as_str());
        kinds.any(|kind| kind.starts_with(begin))
    };
    let (searches, runs) = (offers("web_search_"), offers("code_execution_"));
    let word = match choice["type"].as_str() {
        None => "auto".to_owned(),
        Some("any") => "required".to_owned(),
        Some("tool") if searches && name == "web_search" => "web".to_owned(),
        Some("tool") if runs && name == "code_execution" => "code".to_owned(),
        Some("tool") => format!("tool:{name}"),
        Some(word) => word.to_owned(),
    };
    (word, choice["disable_parallel_tool_use"] == true)
}
