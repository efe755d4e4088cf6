//! Reads a request in Responses.

use serde::Deserialize;

use super::items::read_item;
use super::own::shown;
use super::tools::{read_choice, read_format, read_thinking, read_tool, without_repeats};
use super::wire::{WireBody, WireTool};
use crate::ApiError;
use crate::bridge::Echo;
use crate::bridge::request::Way;
use crate::bridge::request::extensions;
use crate::bridge::request::members::{self, Members, missing, parse};
use crate::bridge::request::model::{Conversation, Item, Message, Part, Place, Role, Tool};
use crate::bridge::request::shared::{not_content, positive};
use crate::bridge::request::text::{Content, Raw, Str};

/// Reads a request.
pub(crate) fn read<'a>(body: &'a str, way: Way) -> Result<Conversation<'a>, ApiError> {
    let mut members: Members<'a, WireBody<'a>> = members::read(body)?;
    let mut said = Conversation {
        echo: Some(echo(&members)),
        model: members.required("model")?,
        stream: members.take("stream")?.unwrap_or(false),
        ..Conversation::default()
    };
    said.settings.choices = 1;
    for stored in ["previous_response_id", "conversation", "prompt"] {
        if members.peek(stored).is_some() {
            return Err(way.refuse(stored, stored.to_owned()));
        }
    }
    if let Some(instructions) = members.take::<Str<'a>>("instructions")?
        && !instructions.is_empty()
    {
        said.items.push(Item::Message(Message {
            role: Role::System,
            parts: vec![Part::text(Place::System(0), instructions)],
        }));
    }
    if let Some(tools) = members.take::<Vec<WireTool<'a>>>("tools")? {
        for (index, tool) in tools.into_iter().enumerate() {
            read_tool(tool, index, way, &mut said)?;
        }
    }
    if let Some(reasoning) = members.raw("reasoning") {
        said.settings.thinking = read_thinking(reasoning)?;
    }
    match std::mem::take(&mut members.large.input) {
        Content::None => return Err(missing("input")),
        Content::Other(_) => return Err(not_content("input")),
        Content::Text(text) => said.items.push(Item::Message(Message {
            role: Role::User,
            parts: vec![Part::text(Place::Item(0), text)],
        })),
        Content::Parts(items) => {
            said.items.reserve(items.len());
            for (index, item) in items.into_iter().enumerate() {
                read_item(item, index, way, &mut said)?;
            }
        }
    }
    without_repeats(&mut said.tools);
    if let Some(choice) = members.raw("tool_choice") {
        said.choice = read_choice(choice, way)?;
    }
    said.parallel = members.take("parallel_tool_calls")?;
    if let Some(text) = members.raw("text") {
        #[derive(Deserialize)]
        struct Text<'a> {
            #[serde(borrow)]
            format: Option<Raw<'a>>,
            #[serde(borrow)]
            verbosity: Option<Str<'a>>,
        }
        let text: Text<'a> = parse(text, "text")?;
        if let Some(format) = text.format {
            said.format = read_format(format, way)?;
        }
        said.settings.verbosity = text.verbosity;
    }
    extensions::read_format(&mut members, &mut said.format, way)?;
    read_settings(&mut members, &mut said, way)?;
    members.finish(way.from, way.to)?;
    Ok(said)
}

fn read_settings<'a>(
    members: &mut Members<'a, WireBody<'a>>,
    said: &mut Conversation<'a>,
    way: Way,
) -> Result<(), ApiError> {
    let settings = &mut said.settings;
    settings.max_output = positive(members.take("max_output_tokens")?, "max_output_tokens")?;
    settings.temperature = members.number("temperature")?;
    settings.top_p = members.number("top_p")?;
    settings.service_tier = members.take("service_tier")?;
    settings.metadata = members.raw("metadata");
    let user: Option<Str<'a>> = members.take("user")?;
    let identifier: Option<Str<'a>> = members.take("safety_identifier")?;
    settings.user = identifier.or(user);
    settings.cache_key = members.take("prompt_cache_key")?;
    settings.cache_kept = members.take("prompt_cache_retention")?;
    settings.cache_options = members.take("prompt_cache_options")?;
    let options = settings.cache_options.as_ref();
    if options.is_some_and(|options| options.prewarm == Some(true)) {
        let field = "prompt_cache_options.prewarm";
        return Err(way.refuse(field, field.into()));
    }
    settings.top_logprobs = match members.peek("top_logprobs") {
        Some(number) => Some(parse(number, "top_logprobs")?),
        None => None,
    };
    settings.store = members.take("store")?;
    settings.max_tool_calls = members.take("max_tool_calls")?;
    settings.top_k = extensions::read_top_k(members);
    extensions::read_thinking(members, &mut settings.thinking);
    let include: Vec<Str<'a>> = members.take("include")?.unwrap_or_default();
    for wanted in &include {
        match &**wanted {
            "reasoning.encrypted_content" => settings.thinking.encrypted = true,
            "message.output_text.logprobs" => {
                let field = "include = message.output_text.logprobs";
                if way.refuses(field) {
                    return Err(way.refuse(field, "include".into()));
                }
                settings.logprobs = true;
            }
            _ => {}
        }
    }
    // It is about all tools that the vendor runs itself.
    let alone = |tools: &[Tool<'_>]| {
        let others = |tool: &Tool<'_>| matches!(tool, Tool::Mcp(_) | Tool::Code(_));
        !tools.iter().any(others)
    };
    if let Some(most) = settings.max_tool_calls.filter(|_| alone(&said.tools)) {
        for tool in &mut said.tools {
            if let Tool::Web(search) = tool {
                search.max_uses = Some(most);
            }
        }
    }
    Ok(())
}

/// So many bytes are repeated at most, all members together: they are kept for as long as the answer lasts.
const LONGEST_ECHO: usize = 256 * 1024;

fn echo(members: &Members<'_, WireBody<'_>>) -> Box<Echo> {
    const REPEATED: [&str; 21] = [
        "background",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    ];
    let mut left = LONGEST_ECHO;
    let members = REPEATED
        .into_iter()
        .filter_map(|name| Some((name, members.peek(name)?)))
        .filter(|(_, raw)| {
            let fits = left.checked_sub(raw.get().len());
            left = fits.unwrap_or(left);
            fits.is_some()
        })
        .map(|(name, raw)| match name {
            "tools" => (name, shown(raw)),
            _ => (name, raw.to_owned()),
        })
        .collect();
    Box::new(Echo { members })
}
