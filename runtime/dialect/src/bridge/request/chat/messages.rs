//! Reads the messages of Chat Completions.

use super::wire::{WireCall, WireImage, WireMessage, WirePart};
use crate::ApiError;
use crate::bridge::request::Way;
use crate::bridge::request::members::{invalid, missing, parse};
use crate::bridge::request::model::{
    Body, Call, Input, Item, Message, Part, Place, Reasoning, Role, Source, ToolResult,
};
use crate::bridge::request::shared::{inline, located, not_content};
use crate::bridge::request::text::{Content, Str};

/// Reads one message into what it says.
pub(super) fn read_message<'a>(
    message: WireMessage<'a>,
    index: usize,
    way: Way,
    items: &mut Vec<Item<'a>>,
) -> Result<(), ApiError> {
    let role = match &*message.role {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => {
            let id = message
                .tool_call_id
                .ok_or_else(|| missing(&format!("messages[{index}].tool_call_id")))?;
            items.push(Item::Result(ToolResult {
                place: Place::Item(index),
                id,
                parts: read_content(message.content, index, way)?,
                error: false,
                cache: None,
            }));
            return Ok(());
        }
        "function" => {
            let param = format!("messages[{index}].role");
            return Err(way.refuse("messages[].role = function", param));
        }
        other => {
            let param = format!("messages[{index}].role");
            let message = format!("`{param}` has the unknown value `{other}`.");
            return Err(invalid(message).with_param(param));
        }
    };
    if message.function_call.is_some() {
        let param = format!("messages[{index}].function_call");
        return Err(way.refuse("messages[].function_call", param));
    }
    if message.audio.is_some() {
        return Err(way.refuse("messages[].audio", format!("messages[{index}].audio")));
    }
    // Vendors differ in the name, and some have objects under it.
    let reasoning = [message.reasoning_content, message.reasoning]
        .into_iter()
        .flatten()
        .find_map(|raw| serde_json::from_str::<Str<'a>>(raw.get()).ok())
        .filter(|text| !text.is_empty());
    if let Some(text) = reasoning
        && role == Role::Assistant
    {
        items.push(Item::Reasoning(Reasoning {
            text: vec![text],
            opaque: None,
        }));
    }
    let mut parts = read_content(message.content, index, way)?;
    if let Some(refusal) = message.refusal.filter(|refusal| !refusal.is_empty()) {
        parts.push(Part {
            place: Place::Item(index),
            cache: None,
            body: Body::Refusal(refusal),
        });
    }
    let calls = message.tool_calls.unwrap_or_default();
    if !calls.is_empty() {
        // `content: null` and `content: ""` beside calls are no message.
        parts.retain(|part| !matches!(&part.body, Body::Text(text) if text.is_empty()));
    }
    if !parts.is_empty() || (calls.is_empty() && role != Role::Assistant) {
        items.push(Item::Message(Message { role, parts }));
    }
    for (number, call) in calls.into_iter().enumerate() {
        items.push(Item::Call(read_call(call, index, number)?));
    }
    Ok(())
}

fn read_call<'a>(call: WireCall<'a>, index: usize, number: usize) -> Result<Call<'a>, ApiError> {
    let at = |member: &str| missing(&format!("messages[{index}].tool_calls[{number}]{member}"));
    let id = call.id.ok_or_else(|| at(".id"))?;
    let (name, input) = match (call.function, call.custom) {
        (Some(function), _) => {
            let input = match function.arguments {
                None => Input::Json(Str::default()),
                // Some clients write the object itself.
                Some(raw) if raw.get().starts_with('{') => Input::Object(raw),
                Some(raw) => {
                    let param =
                        format!("messages[{index}].tool_calls[{number}].function.arguments");
                    Input::Json(parse(raw, &param)?)
                }
            };
            (function.name, input)
        }
        (None, Some(custom)) => (custom.name, Input::Free(custom.input)),
        (None, None) => return Err(at(".function")),
    };
    Ok(Call {
        place: Place::Item(index),
        id,
        name,
        namespace: None,
        input,
    })
}

fn read_content<'a>(
    content: Content<'a, WirePart<'a>>,
    index: usize,
    way: Way,
) -> Result<Vec<Part<'a>>, ApiError> {
    match content {
        Content::None => Ok(Vec::new()),
        Content::Other(_) => Err(not_content(&format!("messages[{index}].content"))),
        Content::Text(text) => Ok(vec![Part::text(Place::Item(index), text)]),
        Content::Parts(parts) => parts
            .into_iter()
            .enumerate()
            .map(|(number, part)| read_part(part, index, number, way))
            .collect(),
    }
}

fn read_part<'a>(
    part: WirePart<'a>,
    index: usize,
    number: usize,
    way: Way,
) -> Result<Part<'a>, ApiError> {
    let param = |member: &str| format!("messages[{index}].content[{number}]{member}");
    let body = match &*part.kind {
        "text" => Body::Text(part.text.ok_or_else(|| missing(&param(".text")))?),
        "refusal" => Body::Refusal(part.refusal.ok_or_else(|| missing(&param(".refusal")))?),
        "image_url" => {
            let raw = part
                .image_url
                .ok_or_else(|| missing(&param(".image_url")))?;
            // Some clients write the URL itself.
            let (url, detail) = if raw.get().starts_with('"') {
                (parse(raw, &param(".image_url"))?, None)
            } else {
                let image: WireImage<'a> = parse(raw, &param(".image_url"))?;
                (image.url, image.detail)
            };
            Body::Image {
                source: located(url),
                detail,
            }
        }
        "input_audio" => {
            let audio = part
                .input_audio
                .ok_or_else(|| missing(&param(".input_audio")))?;
            Body::Audio {
                data: audio.data,
                format: audio.format,
            }
        }
        "file" => {
            let file = part.file.ok_or_else(|| missing(&param(".file")))?;
            let source = match (file.file_data, file.file_id) {
                (Some(data), _) => inline(data, file.filename.as_deref()),
                (None, Some(id)) => Source::Id(id),
                (None, None) => return Err(missing(&param(".file.file_data"))),
            };
            Body::File {
                source,
                name: file.filename,
            }
        }
        kind => return Err(way.refuse_kind("content[] of another type", kind, param(""))),
    };
    let mark = part.cache_control.or(part.prompt_cache_breakpoint);
    Ok(Part {
        place: Place::Part(index, number),
        cache: mark.map(|mark| mark.mark()),
        body,
    })
}
