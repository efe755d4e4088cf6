//! Reads a request in Messages.

use std::collections::HashSet;

use serde::Deserialize;

use super::blocks::{mark_last, read_message, read_part};
use super::own::Servers;
use super::reading::Reading;
use super::tools::{effort_of, format_of, read_choice, read_format, read_thinking, read_tool};
use super::wire::WireBody;
use crate::ApiError;
use crate::bridge::request::Way;
use crate::bridge::request::chat::WireMark;
use crate::bridge::request::extensions;
use crate::bridge::request::members::{self, Members, missing, parse};
use crate::bridge::request::model::{
    Body, Choice, Conversation, Effort, Format, Item, Message, Part, Place, Role, Thinking, Tool,
};
use crate::bridge::request::names::{CODE_EXECUTION, WEB_SEARCH};
use crate::bridge::request::shared::{not_content, positive};
use crate::bridge::request::text::{Content, Str};

/// Reads a request.
pub(crate) fn read<'a>(body: &'a str, way: Way) -> Result<Conversation<'a>, ApiError> {
    let mut members: Members<'a, WireBody<'a>> = members::read(body)?;
    let mut said = Conversation {
        model: members.required("model")?,
        stream: members.take("stream")?.unwrap_or(false),
        ..Conversation::default()
    };
    said.settings.choices = 1;
    if let Some(thinking) = members.raw("thinking") {
        said.settings.thinking = read_thinking(thinking)?;
    }
    let disabled = said.settings.thinking.effort == Some(Effort::None);
    if let Some(config) = members.raw("output_config") {
        if let Some(effort) = effort_of(config, "output_config")? {
            said.settings.thinking.effort = Some(effort);
        }
        said.format = format_of(config, way)?;
    }
    // Where it stood before it became a part of `output_config`.
    if let Some(format) = members.raw("output_format")
        && matches!(said.format, Format::Text)
    {
        said.format = read_format(format, "output_format", way)?;
    }
    extensions::read_format(&mut members, &mut said.format, way)?;
    let system = std::mem::take(&mut members.large.system);
    said.items.extend(read_system(system, way)?);
    let mut reading = Reading::default();
    let mut servers = match way.refuses("mcp_servers") {
        true => Servers::default(),
        false => Servers::read(members.raw("mcp_servers"))?,
    };
    let tools = members.large.tools.take().unwrap_or_default();
    for (index, tool) in tools.into_iter().enumerate() {
        let place = Place::Tool(index);
        match tool.kind.as_deref() {
            Some("mcp_toolset") => said.tools.extend(servers.toolset(&tool, place, way)?),
            _ => read_tool(tool, place, way, &mut reading, &mut said.tools)?,
        }
    }
    said.tools.extend(servers.rest());
    let messages = members.large.messages.take();
    let messages = messages.ok_or_else(|| missing("messages"))?;
    // What the assistant says last is the beginning of its answer here.
    said.continues = messages
        .last()
        .is_some_and(|last| &*last.role == "assistant");
    let last_user = messages
        .iter()
        .rposition(|message| &*message.role == "user");
    for (index, message) in messages.into_iter().enumerate() {
        let answered = last_user.is_some_and(|user| user > index);
        read_message(message, index, answered, way, &mut said, &mut reading)?;
    }
    reading.tell(&mut said);
    plain_names(&mut said);
    if let Some(mark) = members.take::<WireMark<'a>>("cache_control")? {
        mark_last(&mut said.items, mark.mark(), way);
    }
    if disabled {
        // An effort may stand beside thinking that is off; it then is about the answer's length alone.
        said.settings.thinking = Thinking {
            effort: Some(Effort::None),
            ..Thinking::default()
        };
    }
    if let Some(choice) = members.raw("tool_choice") {
        (said.choice, said.parallel) = read_choice(choice)?;
        said.choice = own_choice(said.choice, &said.tools);
    }
    read_settings(&mut members, &mut said, way)?;
    members.finish(way.from, way.to)?;
    Ok(said)
}

/// The vendor's own tools have names here, and none elsewhere.
fn own_choice<'a>(choice: Choice<'a>, tools: &[Tool<'_>]) -> Choice<'a> {
    let Choice::Named(named) = &choice else {
        return choice;
    };
    let known = |tool: &Tool<'_>| tool.name() == Some((None, &*named.name));
    if tools.iter().any(known) {
        return choice;
    }
    let offered = |own: fn(&Tool<'_>) -> bool| tools.iter().any(own);
    match &*named.name {
        WEB_SEARCH if offered(|tool| matches!(tool, Tool::Web(_))) => Choice::Web,
        CODE_EXECUTION if offered(|tool| matches!(tool, Tool::Code(_))) => Choice::Code,
        _ => choice,
    }
}

/// Of a set that is not on offer a call has only the tool's own name.
fn plain_names(said: &mut Conversation<'_>) {
    let Conversation { items, tools, .. } = said;
    let known: HashSet<_> = tools.iter().filter_map(Tool::name).collect();
    for item in items {
        if let Item::Call(call) = item
            && call.namespace.is_some()
            && !known.contains(&(call.namespace.as_deref(), &*call.name))
        {
            call.namespace = None;
        }
    }
}

fn read_system<'a>(
    system: Content<'a, super::wire::WireBlock<'a>>,
    way: Way,
) -> Result<Option<Item<'a>>, ApiError> {
    let mut parts = Vec::new();
    match system {
        Content::None => {}
        Content::Other(_) => return Err(not_content("system")),
        // A client that has none says so this way; other vendors would be told nothing in a message.
        Content::Text(text) if text.is_empty() => {}
        Content::Text(text) => parts.push(Part::text(Place::System(0), text)),
        Content::Parts(blocks) => {
            for (index, block) in blocks.into_iter().enumerate() {
                let cache = block.cache_control.as_ref().map(|mark| mark.mark());
                read_part(block, Place::System(index), cache, way, &mut parts)?;
            }
        }
    }
    if parts.first().is_some_and(bills) {
        parts.remove(0);
    }
    Ok((!parts.is_empty()).then_some(Item::Message(Message {
        role: Role::System,
        parts,
    })))
}

/// Whether this is a client's note for the vendor that bills it: `x-…-billing-header: …`.
fn bills(part: &Part<'_>) -> bool {
    let Body::Text(text) = &part.body else {
        return false;
    };
    text.split_once(": ").is_some_and(|(name, _)| {
        name.starts_with("x-")
            && name.ends_with("-billing-header")
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    })
}

fn read_settings<'a>(
    members: &mut Members<'a, WireBody<'a>>,
    said: &mut Conversation<'a>,
    way: Way,
) -> Result<(), ApiError> {
    let settings = &mut said.settings;
    settings.max_output = positive(Some(members.required("max_tokens")?), "max_tokens")?;
    extensions::read_thinking(members, &mut settings.thinking);
    settings.temperature = members.number("temperature")?;
    settings.top_p = members.number("top_p")?;
    settings.stop = members.take("stop_sequences")?.unwrap_or_default();
    if !settings.stop.is_empty() && way.refuses("stop_sequences") {
        return Err(way.refuse("stop_sequences", "stop_sequences".into()));
    }
    settings.service_tier = members
        .take::<Str<'a>>("service_tier")?
        .map(|tier| match &*tier {
            "standard_only" => "default".into(),
            _ => tier,
        });
    if members
        .take::<Str<'a>>("speed")?
        .is_some_and(|speed| &*speed == "fast")
    {
        settings.service_tier = Some("priority".into());
    }
    if let Some(metadata) = members.raw("metadata") {
        #[derive(Deserialize)]
        struct Metadata<'a> {
            #[serde(borrow)]
            user_id: Option<Str<'a>>,
        }
        let metadata: Metadata<'a> = parse(metadata, "metadata")?;
        settings.cache_key.clone_from(&metadata.user_id);
        settings.user = metadata.user_id;
    }
    Ok(())
}
