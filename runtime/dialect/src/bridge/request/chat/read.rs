//! Reads a request in Chat Completions.

use serde::Deserialize;

use super::messages::read_message;
use super::tools::{read_choice, read_format, read_search, read_tool};
use super::wire::{WireBody, WireMessage};
use crate::ApiError;
use crate::bridge::request::Way;
use crate::bridge::request::extensions::{
    read_format as read_more_format, read_thinking, read_top_k,
};
use crate::bridge::request::members::{self, Members, missing, parse};
use crate::bridge::request::model::{Conversation, Effort, Thinking, Tool};
use crate::bridge::request::shared::{not_content, positive, read_effort};
use crate::bridge::request::text::{Content, Str};

/// Reads a request.
pub(crate) fn read<'a>(body: &'a str, way: Way) -> Result<Conversation<'a>, ApiError> {
    let mut members: Members<'a, WireBody<'a>> = members::read(body)?;
    let mut said = Conversation {
        model: members.required("model")?,
        stream: members.take("stream")?.unwrap_or(false),
        ..Conversation::default()
    };
    let messages = members.large.messages.take();
    let messages = messages.ok_or_else(|| missing("messages"))?;
    let begun = messages.last().is_some_and(WireMessage::is_begun);
    said.continues = begun || members.take("continue_final_message")?.unwrap_or(false);
    for (index, message) in messages.into_iter().enumerate() {
        read_message(message, index, way, &mut said.items)?;
    }
    for (index, tool) in members
        .large
        .tools
        .take()
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        said.tools.push(read_tool(tool, index, way)?);
    }
    if let Some(options) = members.raw("web_search_options") {
        said.tools.push(Tool::Web(read_search(options)?));
    }
    if let Some(options) = members.raw("stream_options") {
        #[derive(Deserialize)]
        struct Options {
            include_usage: Option<bool>,
        }
        let options: Options = parse(options, "stream_options")?;
        said.include_usage = said.stream && options.include_usage.unwrap_or(false);
    }
    if let Some(choice) = members.raw("tool_choice") {
        said.choice = read_choice(choice)?;
    }
    said.parallel = members.take("parallel_tool_calls")?;
    if let Some(format) = members.raw("response_format") {
        said.format = read_format(format, way)?;
    }
    read_more_format(&mut members, &mut said.format, way)?;
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
    let old = positive(members.take("max_tokens")?, "max_tokens")?;
    let new = positive(
        members.take("max_completion_tokens")?,
        "max_completion_tokens",
    )?;
    settings.max_output = new.or(old);
    settings.temperature = members.number("temperature")?;
    settings.top_p = members.number("top_p")?;
    if let Some(stop) = members.take::<Content<'a, Str<'a>>>("stop")? {
        settings.stop = match stop {
            Content::None => Vec::new(),
            Content::Other(_) => return Err(not_content("stop")),
            Content::Text(one) => vec![one],
            Content::Parts(many) => many,
        };
    }
    settings.service_tier = members.take("service_tier")?;
    settings.metadata = members.raw("metadata");
    let user: Option<Str<'a>> = members.take("user")?;
    let identifier: Option<Str<'a>> = members.take("safety_identifier")?;
    settings.user = identifier.or(user);
    settings.cache_key = members.take("prompt_cache_key")?;
    settings.cache_kept = members.take("prompt_cache_retention")?;
    settings.cache_options = members.take("prompt_cache_options")?;
    if let Some(effort) = members.take::<Str<'a>>("reasoning_effort")? {
        let effort = read_effort(&effort, "reasoning_effort")?;
        let wanted = effort != Some(Effort::None);
        settings.thinking = Thinking {
            effort,
            wanted,
            // Whoever sets it looks for `reasoning_content`: vendors of Chat show what they think without being asked.
            readable: wanted.then_some(true),
            ..Thinking::default()
        };
    }
    read_thinking(members, &mut settings.thinking);
    settings.top_k = read_top_k(members);
    settings.verbosity = members.take("verbosity")?;
    if let Some(probabilities) = members.peek("logprobs") {
        settings.logprobs = parse(probabilities, "logprobs")?;
    }
    settings.top_logprobs = match members.peek("top_logprobs") {
        Some(number) => Some(parse(number, "top_logprobs")?),
        None => None,
    };
    settings.choices = match members.peek("n") {
        Some(number) => parse(number, "n")?,
        None => 1,
    };
    settings.store = members.take("store")?;
    if !settings.stop.is_empty() && way.refuses("stop") {
        return Err(way.refuse("stop", "stop".into()));
    }
    Ok(())
}
