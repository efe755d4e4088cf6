//! Reads Chat Completions the plain way.

use serde_json::{Value, json};

use super::super::invariants::list;
use super::{
    Body, Input, Item, Part, Settings, Tool, Who, arguments, image, inline_file, parts, schema,
    string,
};

pub(super) fn items(body: &Value, tools: &mut Vec<Tool>, settings: &mut Settings) -> Vec<Item> {
    for tool in list(body, "tools") {
        tools.push(tool_of(tool));
    }
    let search = &body["web_search_options"];
    if !search.is_null() {
        let at = &search["user_location"]["approximate"];
        settings.insert("search", json!({"at": place(at)}));
        settings.insert("search size", search["search_context_size"].clone());
    }
    let mut items = Vec::new();
    for message in list(body, "messages") {
        let mut said = parts(&message["content"], part);
        let who = match message["role"].as_str().unwrap() {
            "system" | "developer" => Who::System,
            "user" => Who::User,
            "assistant" => Who::Assistant,
            "tool" => {
                items.push(Item::Result {
                    id: string(&message["tool_call_id"]),
                    error: false,
                    parts: said,
                });
                continue;
            }
            other => panic!("the role {other} is not known here"),
        };
        if let Some(refusal) = message["refusal"].as_str().filter(|text| !text.is_empty()) {
            said.push(Part {
                body: Body::Refusal(refusal.to_owned()),
                mark: None,
            });
        }
        items.push(Item::Said(who, said));
        for call in list(message, "tool_calls") {
            let custom = &call["custom"];
            let (called, input) = match custom.is_object() {
                true => (custom, Input::Free(string(&custom["input"]))),
                false => (&call["function"], arguments(&call["function"]["arguments"])),
            };
            items.push(Item::Call {
                id: string(&call["id"]),
                tool: string(&called["name"]),
                input,
            });
        }
    }
    items
}

fn part(part: &Value, out: &mut Vec<Part>) {
    let body = match part["type"].as_str().unwrap() {
        "text" => Body::Text(string(&part["text"])),
        "refusal" => Body::Refusal(string(&part["refusal"])),
        "image_url" if part["image_url"].is_string() => image(&part["image_url"], &Value::Null),
        "image_url" => image(&part["image_url"]["url"], &part["image_url"]["detail"]),
        "file" if part["file"]["file_data"].is_null() => Body::File {
            source: string(&part["file"]["file_id"]),
            name: String::new(),
        },
        "file" => inline_file(&part["file"]["file_data"], &part["file"]["filename"]),
        other => panic!("the part {other} is not known here"),
    };
    out.push(Part { body, mark: None });
}

fn tool_of(tool: &Value) -> Tool {
    let custom = &tool["custom"];
    let free = custom
        .is_object()
        .then(|| custom["format"]["grammar"].clone());
    let told = if free.is_some() {
        custom
    } else {
        &tool["function"]
    };
    Tool {
        name: string(&told["name"]),
        description: string(&told["description"]),
        schema: match free {
            Some(_) => Value::Null,
            None => schema(&told["parameters"]),
        },
        free,
        strict: told["strict"] == true,
    }
}

pub(super) fn choice(body: &Value) -> (String, bool) {
    let choice = &body["tool_choice"];
    let name = |tool: &Value| {
        let named = [&tool["function"]["name"], &tool["custom"]["name"]];
        string(named.into_iter().find(|name| name.is_string()).unwrap())
    };
    let allowed = &choice["allowed_tools"];
    let word = match choice {
        Value::Null => "auto".to_owned(),
        Value::String(word) if word == "any" => "required".to_owned(),
        Value::String(word) => word.clone(),
        _ if allowed.is_object() => {
            let names: Vec<_> = list(allowed, "tools").iter().map(name).collect();
            format!("{} of:{}", string(&allowed["mode"]), names.join(","))
        }
        _ => format!("tool:{}", name(choice)),
    };
    (word, body["parallel_tool_calls"] == false)
}

/// Where the user is: what all dialects know of it.
pub(super) fn place(at: &Value) -> Value {
    json!([at["city"], at["region"], at["country"], at["timezone"]])
}
