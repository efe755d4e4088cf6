//! Reads the items of Responses.

use super::known::{read_known_call, read_known_output};
use super::own::{read_run, read_server_call};
use super::tools::{additional_tool, effort_update};
use super::wire::{WireItem, WirePart};
use crate::ApiError;
use crate::bridge::opaque::{self, OpaqueKind};
use crate::bridge::request::Way;
use crate::bridge::request::members::{invalid, missing, parse};
use crate::bridge::request::model::{
    Body, Call, Conversation, Input, Item, Message, Part, Place, Reasoning, Role, Source, Tool,
    ToolResult,
};
use crate::bridge::request::shared::{inline, located, not_content};
use crate::bridge::request::text::{Content, Str};

/// Reads one item into what it says.
pub(super) fn read_item<'a>(
    item: WireItem<'a>,
    index: usize,
    way: Way,
    said: &mut Conversation<'a>,
) -> Result<(), ApiError> {
    let kind = item.kind.clone().unwrap_or_else(|| {
        // The short form of a message has a role and no type; a reference may have an id and nothing else.
        let is_reference = item.role.is_none() && item.id.is_some();
        if is_reference {
            "item_reference"
        } else {
            "message"
        }
        .into()
    });
    let server = item.execution.as_deref() != Some("client");
    match &*kind {
        "message" => said.items.push(read_message(item, index, way)?),
        "reasoning" => said.items.push(read_reasoning(item)),
        "function_call" | "custom_tool_call" => {
            let custom = &*kind == "custom_tool_call";
            said.items.push(read_call(item, index, custom)?);
        }
        "function_call_output" | "custom_tool_call_output" => {
            said.items.push(read_output(item, index, way)?);
        }
        "tool_search_call" | "tool_search_output" if server => {}
        "tool_search_call" | "computer_call" | "shell_call" | "local_shell_call"
        | "apply_patch_call" => {
            let call = read_known_call(item, &kind, index, &said.client_tools)?;
            said.items.push(Item::Call(call));
        }
        "computer_call_output"
        | "shell_call_output"
        | "local_shell_call_output"
        | "apply_patch_call_output" => {
            said.items
                .push(Item::Result(read_known_output(item, &kind, index, way)?));
        }
        "tool_search_output" => {
            let found = item.tools.unwrap_or_default();
            let before = said.tools.len();
            for tool in found {
                additional_tool(tool, index, way, said)?;
            }
            let names: Vec<_> = said.tools[before..]
                .iter()
                .filter_map(|tool| match (tool, tool.name()) {
                    (Tool::Mcp(server), _) => Some(format!("the tools of {}", &*server.label)),
                    (_, Some((Some(namespace), name))) => Some(format!("{namespace}__{name}")),
                    (_, Some((None, name))) => Some(name.to_owned()),
                    (_, None) => None,
                })
                .collect();
            let text = if names.is_empty() {
                "No tools were found.".to_owned()
            } else {
                format!("Found, and ready to be called: {}", names.join(", "))
            };
            said.items.push(Item::Result(ToolResult {
                place: Place::Item(index),
                id: item
                    .call_id
                    .ok_or_else(|| missing(&format!("input[{index}].call_id")))?,
                parts: vec![Part::text(Place::Item(index), text.into())],
                error: false,
                cache: None,
            }));
        }
        "additional_tools" => {
            for tool in item.tools.unwrap_or_default() {
                additional_tool(tool, index, way, said)?;
            }
        }
        "configuration_update" => {
            if let Some(update) = item.reasoning {
                effort_update(update, index, &mut said.settings.thinking)?;
            }
        }
        "mcp_call" => said.items.push(Item::Ran(read_server_call(item, index)?)),
        "code_interpreter_call" => said.items.push(Item::Ran(read_run(item, index)?)),
        "web_search_call" | "file_search_call" | "mcp_list_tools" | "agent_reasoning" => {}
        "agent_message" => said.items.push(read_agent_message(item, index)),
        "compaction" | "compaction_summary" => {
            let summary = item
                .encrypted_content
                .as_deref()
                .and_then(opaque::open)
                .filter(|opened| opened.kind == OpaqueKind::Summary)
                .ok_or_else(|| way.refuse("input[].compaction", format!("input[{index}]")))?;
            said.items.push(Item::Message(Message {
                role: Role::User,
                parts: vec![Part::text(Place::Item(index), summary.payload.into())],
            }));
        }
        "compaction_trigger" => {
            return Err(way.refuse("input[].compaction_trigger", format!("input[{index}]")));
        }
        "item_reference" => {
            return Err(way.refuse("input[].item_reference", format!("input[{index}]")));
        }
        kind => {
            let param = format!("input[{index}]");
            return Err(way.refuse_kind("input[] of another type", kind, param));
        }
    }
    Ok(())
}

fn read_message<'a>(item: WireItem<'a>, index: usize, way: Way) -> Result<Item<'a>, ApiError> {
    let param = || format!("input[{index}].role");
    let role = match item.role.as_deref() {
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        None => return Err(missing(&param())),
        Some(other) => {
            let message = format!("`{}` has the unknown value `{other}`.", param());
            return Err(invalid(message).with_param(param()));
        }
    };
    let parts = match item.content {
        Content::None => Vec::new(),
        Content::Other(_) => return Err(not_content(&format!("input[{index}].content"))),
        Content::Text(text) => vec![Part::text(Place::Item(index), text)],
        Content::Parts(parts) => parts
            .into_iter()
            .enumerate()
            .map(|(number, part)| read_part(part, Place::Part(index, number), way))
            .collect::<Result<_, _>>()?,
    };
    Ok(Item::Message(Message { role, parts }))
}

/// What one agent of a client's said to another: text that a user passes on, with who said it to whom.
fn read_agent_message(item: WireItem<'_>, index: usize) -> Item<'_> {
    let place = Place::Item(index);
    let who = [("from", item.author), ("to", item.recipient)]
        .into_iter()
        .filter_map(|(word, name)| {
            Some(format!(
                " {word} {}",
                &*name.filter(|name| !name.is_empty())?
            ))
        });
    let heading = format!("Message{}:", who.collect::<String>());
    let texts = match item.content {
        Content::Text(text) => vec![text],
        // What is encrypted only its maker can read.
        Content::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
        Content::None | Content::Other(_) => Vec::new(),
    };
    let texts = std::iter::once(heading.into()).chain(texts);
    Item::Message(Message {
        role: Role::User,
        parts: texts.map(|text| Part::text(place, text)).collect(),
    })
}

fn read_reasoning(item: WireItem<'_>) -> Item<'_> {
    let content = match item.content {
        Content::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
        _ => Vec::new(),
    };
    let summary = item.summary.unwrap_or_default();
    // The full text where the vendor shows it, else the summary.
    let text: Vec<Str<'_>> = if content.is_empty() {
        summary.into_iter().filter_map(|part| part.text).collect()
    } else {
        content
    };
    Item::Reasoning(Reasoning {
        text,
        opaque: item.encrypted_content.filter(|text| !text.is_empty()),
    })
}

fn read_call<'a>(item: WireItem<'a>, index: usize, custom: bool) -> Result<Item<'a>, ApiError> {
    let at = |member: &str| format!("input[{index}].{member}");
    let input = if custom {
        match item.input {
            Some(raw) => Input::Free(parse(raw, &at("input"))?),
            None => return Err(missing(&at("input"))),
        }
    } else {
        match item.arguments {
            None => Input::Json(Str::default()),
            Some(raw) if raw.get().starts_with('{') => Input::Object(raw),
            Some(raw) => Input::Json(parse(raw, &at("arguments"))?),
        }
    };
    Ok(Item::Call(Call {
        place: Place::Item(index),
        id: item.call_id.ok_or_else(|| missing(&at("call_id")))?,
        name: item.name.ok_or_else(|| missing(&at("name")))?,
        namespace: item.namespace.filter(|namespace| !namespace.is_empty()),
        input,
    }))
}

fn read_output<'a>(item: WireItem<'a>, index: usize, way: Way) -> Result<Item<'a>, ApiError> {
    let parts = match item.output {
        Content::None => Vec::new(),
        Content::Other(_) => return Err(not_content(&format!("input[{index}].output"))),
        Content::Text(text) => vec![Part::text(Place::Item(index), text)],
        Content::Parts(parts) => parts
            .into_iter()
            .enumerate()
            .map(|(number, part)| read_part(part, Place::Output(index, number), way))
            .collect::<Result<_, _>>()?,
    };
    Ok(Item::Result(ToolResult {
        place: Place::Item(index),
        id: item
            .call_id
            .ok_or_else(|| missing(&format!("input[{index}].call_id")))?,
        parts,
        error: false,
        cache: None,
    }))
}

fn read_part<'a>(part: WirePart<'a>, place: Place, way: Way) -> Result<Part<'a>, ApiError> {
    let lacks = |member: &str| missing(&format!("{}.{member}", place.param(way.from)));
    let body = match &*part.kind {
        "input_text" | "output_text" | "text" => {
            Body::Text(part.text.ok_or_else(|| lacks("text"))?)
        }
        "refusal" => Body::Refusal(part.refusal.ok_or_else(|| lacks("refusal"))?),
        "input_image" => Body::Image {
            source: match (part.image_url, part.file_id) {
                (Some(url), _) => located(url),
                (None, Some(_)) => {
                    let param = format!("{}.file_id", place.param(way.from));
                    return Err(way.refuse("content[].input_image.file_id", param));
                }
                (None, None) => return Err(lacks("image_url")),
            },
            detail: part.detail,
        },
        "input_file" => Body::File {
            source: match (part.file_data, part.file_url, part.file_id) {
                (Some(data), _, _) => inline(data, part.filename.as_deref()),
                (None, Some(url), _) => located(url),
                (None, None, Some(id)) => Source::Id(id),
                (None, None, None) => return Err(lacks("file_data")),
            },
            name: part.filename,
        },
        kind => {
            let param = place.param(way.from);
            return Err(way.refuse_kind("content[] of another type", kind, param));
        }
    };
    Ok(Part {
        place,
        cache: part.prompt_cache_breakpoint.map(|mark| mark.mark()),
        body,
    })
}
