//! Reads the content blocks of Messages.

use super::own::{RanBlock, read_ran};
use super::reading::Reading;
use super::tools::{effort_of, read_tool};
use super::wire::{WireBlock, WireMessage, WireSource};
use crate::bridge::request::Way;
use crate::bridge::request::members::{invalid, missing, parse};
use crate::bridge::request::model::{
    Body, CacheMark, Call, Conversation, Input, Item, Message, Part, Place, Reasoning, Role,
    Source, ToolResult,
};
use crate::bridge::request::shared::not_content;
use crate::bridge::request::text::{Content, Str};
use crate::{ApiError, Dialect};

/// Reads one message into what it says. `answered`: whether the user has said anything since.
pub(super) fn read_message<'a>(
    message: WireMessage<'a>,
    index: usize,
    answered: bool,
    way: Way,
    said: &mut Conversation<'a>,
    reading: &mut Reading<'a>,
) -> Result<(), ApiError> {
    let role = match &*message.role {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => {
            let param = format!("messages[{index}].role");
            let message = format!("`{param}` has the unknown value `{other}`.");
            return Err(invalid(message).with_param(param));
        }
    };
    if let Some(config) = message.output_config
        && let Some(effort) = effort_of(config, &format!("messages[{index}].output_config"))?
    {
        said.settings.thinking.effort = Some(effort);
    }
    let mut parts = Vec::new();
    match message.content {
        // Instructions may be about the effort alone.
        Content::None if role == Role::System && message.output_config.is_some() => {}
        Content::None => return Err(missing(&format!("messages[{index}].content"))),
        Content::Other(_) => return Err(not_content(&format!("messages[{index}].content"))),
        Content::Text(text) => parts.push(Part::text(Place::Item(index), text)),
        Content::Parts(blocks) => {
            for (number, block) in blocks.into_iter().enumerate() {
                let place = Place::Part(index, number);
                read_block(block, place, role, way, said, reading, &mut parts)?;
            }
        }
    }
    // It stays in the conversation, and no model is shown it any longer.
    if answered && message.clear_at.as_deref() == Some("next_user_message") {
        parts.clear();
    }
    flush(role, &mut parts, said);
    Ok(())
}

/// Marks the last of these that can carry a mark at its vendor, if it has none: a call cannot in either dialect, nor can
/// what the assistant said in Responses.
pub(super) fn mark_last(items: &mut [Item<'_>], mark: CacheMark, way: Way) {
    for item in items.iter_mut().rev() {
        match item {
            Item::Message(message)
                if message.role == Role::Assistant && way.to == Dialect::OpenaiResponses => {}
            Item::Message(message) => {
                if let Some(part) = message.parts.last_mut() {
                    part.cache.get_or_insert(mark);
                    return;
                }
            }
            Item::Result(result) if result.parts.is_empty() => {}
            Item::Result(result) => {
                result.cache.get_or_insert(mark);
                return;
            }
            Item::Reasoning(_) | Item::Call(_) | Item::Ran(_) => {}
        }
    }
}

/// Says what has been gathered so far.
fn flush<'a>(role: Role, parts: &mut Vec<Part<'a>>, said: &mut Conversation<'a>) {
    if !parts.is_empty() {
        said.items.push(Item::Message(Message {
            role,
            parts: std::mem::take(parts),
        }));
    }
}

fn read_block<'a>(
    block: WireBlock<'a>,
    place: Place,
    role: Role,
    way: Way,
    said: &mut Conversation<'a>,
    reading: &mut Reading<'a>,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), ApiError> {
    let lacks = |member: &str| missing(&format!("{}.{member}", place.param(way.from)));
    let cache = block.cache_control.as_ref().map(|mark| mark.mark());
    match &*block.kind {
        "tool_use" => {
            flush(role, parts, said);
            said.items.push(Item::Call(Call {
                place,
                id: block.id.ok_or_else(|| lacks("id"))?,
                name: block.name.ok_or_else(|| lacks("name"))?,
                namespace: block.toolset_name,
                input: block
                    .input
                    .map_or_else(|| Input::Json(Str::default()), Input::Object),
            }));
            if let Some(mark) = cache {
                mark_last(&mut said.items, mark, way);
            }
        }
        "tool_result" => {
            flush(role, parts, said);
            let Place::Part(index, number) = place else {
                return Err(way.refuse("content[] of another type", place.param(way.from)));
            };
            said.items.push(Item::Result(ToolResult {
                place,
                id: block.tool_use_id.ok_or_else(|| lacks("tool_use_id"))?,
                parts: inner_parts(
                    block.content,
                    |inner| Place::Inner(index, number, inner),
                    place,
                    way,
                )?,
                error: block.is_error.unwrap_or(false),
                cache,
            }));
        }
        "thinking" | "redacted_thinking" => {
            flush(role, parts, said);
            said.items.push(Item::Reasoning(Reasoning {
                text: block
                    .thinking
                    .filter(|text| !text.is_empty())
                    .into_iter()
                    .collect(),
                opaque: block.signature.or(block.data),
            }));
        }
        "tool_addition" => {
            if let Some(definition) = block.tool.and_then(|tool| tool.definition) {
                reading.joined = true;
                read_tool(definition, place, way, reading, &mut said.tools)?;
            }
        }
        "compaction" => {
            for change in block.tool_changes.unwrap_or_default() {
                read_block(change, place, role, way, said, reading, parts)?;
            }
            // Without a text it has failed, and says nothing.
            if let Content::Text(text) = block.content {
                let body = Body::Text(text);
                parts.push(Part { place, cache, body });
            }
        }
        // No model reads these.
        "fallback" | "mcp_tool_listing" => {}
        "tool_removal" => {
            return Err(way.refuse("content[].tool_removal", place.param(way.from)));
        }
        kind if kind == "server_tool_use"
            || kind == "mcp_tool_use"
            || kind.ends_with("_tool_result") =>
        {
            let served = kind == "server_tool_use";
            match read_ran(block, &lacks)? {
                RanBlock::Called(ran) => {
                    flush(role, parts, said);
                    said.items.push(Item::Ran(ran));
                }
                RanBlock::Came(id, came) => reading.came(id, came),
                // The reasoning that led to it would lead to nothing, which the vendor refuses.
                RanBlock::Other
                    if way.to == Dialect::OpenaiResponses && served && parts.is_empty() =>
                {
                    while let Some(Item::Reasoning(_)) = said.items.last() {
                        said.items.pop();
                    }
                }
                RanBlock::Other => {}
            }
        }
        _ => read_part(block, place, cache, way, parts)?,
    }
    Ok(())
}

/// Reads content inside a block.
fn inner_parts<'a>(
    content: Content<'a, WireBlock<'a>>,
    inner: impl Fn(usize) -> Place,
    place: Place,
    way: Way,
) -> Result<Vec<Part<'a>>, ApiError> {
    let mut parts = Vec::new();
    match content {
        Content::None => {}
        Content::Other(_) => {
            return Err(not_content(&format!("{}.content", place.param(way.from))));
        }
        Content::Text(text) => parts.push(Part::text(place, text)),
        Content::Parts(blocks) => {
            for (number, block) in blocks.into_iter().enumerate() {
                let cache = block.cache_control.as_ref().map(|mark| mark.mark());
                read_part(block, inner(number), cache, way, &mut parts)?;
            }
        }
    }
    Ok(parts)
}

/// Reads a block that is content alone.
pub(super) fn read_part<'a>(
    block: WireBlock<'a>,
    place: Place,
    cache: Option<CacheMark>,
    way: Way,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), ApiError> {
    let lacks = |member: &str| missing(&format!("{}.{member}", place.param(way.from)));
    let body = match &*block.kind {
        "text" => Body::Text(block.text.ok_or_else(|| lacks("text"))?),
        "image" => {
            if let Some(wanted) = block.transformations
                && wanted.oversized_image.as_deref() == Some("error")
            {
                let param = format!("{}.transformations", place.param(way.from));
                return Err(way.refuse("content[].image.transformations", param));
            }
            let raw = block.source.ok_or_else(|| lacks("source"))?;
            let source: WireSource<'a> = parse(raw, &format!("{}.source", place.param(way.from)))?;
            Body::Image {
                source: read_source(source, place, way)?,
                detail: None,
            }
        }
        "document" => return read_document(block, place, cache, way, parts),
        "search_result" => {
            let source = match block.source {
                Some(raw) => parse::<Str<'a>>(raw, &format!("{}.source", place.param(way.from)))?,
                None => Str::default(),
            };
            let title = block.title.unwrap_or_default();
            parts.push(Part::text(
                place,
                format!("{}\n{}", &*title, &*source).into(),
            ));
            let mut inner = inner_parts(block.content, |_| place, place, way)?;
            if let Some(last) = inner.last_mut() {
                last.cache = cache;
            }
            parts.append(&mut inner);
            return Ok(());
        }
        "tool_reference" => Body::Text(
            format!(
                "The tool {} can be called now.",
                block.tool_name.as_deref().unwrap_or_default()
            )
            .into(),
        ),
        kind => {
            let param = place.param(way.from);
            return Err(way.refuse_kind("content[] of another type", kind, param));
        }
    };
    parts.push(Part { place, cache, body });
    Ok(())
}

fn read_document<'a>(
    block: WireBlock<'a>,
    place: Place,
    cache: Option<CacheMark>,
    way: Way,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), ApiError> {
    let param = place.param(way.from);
    let raw = block
        .source
        .ok_or_else(|| missing(&format!("{param}.source")))?;
    let source: WireSource<'a> = parse(raw, &format!("{param}.source"))?;
    if let Some(context) = block.context.filter(|context| !context.is_empty()) {
        parts.push(Part::text(place, context));
    }
    if &*source.kind == "content" {
        if let Some(title) = block.title.filter(|title| !title.is_empty()) {
            parts.push(Part::text(place, title));
        }
        let mut inner = inner_parts(source.content, |_| place, place, way)?;
        if let Some(last) = inner.last_mut() {
            last.cache = cache;
        }
        parts.append(&mut inner);
        return Ok(());
    }
    parts.push(Part {
        place,
        cache,
        body: Body::File {
            source: read_source(source, place, way)?,
            name: block.title,
        },
    });
    Ok(())
}

fn read_source<'a>(source: WireSource<'a>, place: Place, way: Way) -> Result<Source<'a>, ApiError> {
    let param = || format!("{}.source", place.param(way.from));
    let lacks = |member: &str| missing(&format!("{}.{member}", param()));
    Ok(match &*source.kind {
        "base64" => Source::Base64 {
            media_type: source.media_type.ok_or_else(|| lacks("media_type"))?,
            data: source.data.ok_or_else(|| lacks("data"))?,
        },
        "text" => Source::Text(source.data.ok_or_else(|| lacks("data"))?),
        "url" => Source::Url(source.url.ok_or_else(|| lacks("url"))?),
        "file" => return Err(way.refuse("content[].image, document (file)", param())),
        _ => return Err(way.refuse("content[] of another type", param())),
    })
}
