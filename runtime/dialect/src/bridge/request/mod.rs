//! A request from one dialect to another.

mod chat;
mod json;
mod members;
mod messages;
mod model;
mod names;
mod responses;
mod shared;
mod text;
mod thinking;
mod turns;

use self::members::invalid;
use self::model::{Choice, Conversation, Tool, WebSearch};
use super::loss::{self, Fate};
use super::{Context, Target, ToolName};
use crate::{ApiError, Dialect, ErrorKind};

/// A request in the vendor's dialect.
#[derive(Debug)]
pub struct Bridged {
    /// JSON.
    pub body: Vec<u8>,
    /// For the answer's way back.
    pub context: Context,
}

/// From where to where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) from: Dialect,
    pub(crate) to: Dialect,
}

impl Way {
    /// The refusal of `field` (a row of the table), which stands at `param`.
    pub(crate) fn refuse(self, field: &str, param: String) -> ApiError {
        loss::refusal(self.from, self.to, field, param)
    }

    /// Whether the table refuses `field`.
    pub(crate) fn refuses(self, field: &str) -> bool {
        matches!(
            loss::request_fate(self.from, self.to, field),
            Some((Fate::Refused(_), _))
        )
    }
}

impl Way {
    /// A web search, if the vendor is to do it; refused or left out where it cannot.
    pub(crate) fn web_search<'s, 'a>(
        self,
        search: &'s WebSearch<'a>,
        to: &Target<'_>,
    ) -> Result<Option<&'s WebSearch<'a>>, ApiError> {
        if to.abilities.web_search {
            return Ok(Some(search));
        }
        match self.from {
            Dialect::OpenaiResponses => Ok(None),
            Dialect::OpenaiChat => {
                Err(self.refuse("web_search_options", search.place.param(self.from)))
            }
            _ => Err(self.refuse("tools[].web_search", search.place.param(self.from))),
        }
    }
}

/// A tool must be called, and the only ones are left out.
fn demands_what_is_left_out(
    said: &Conversation<'_>,
    way: Way,
    to: &Target<'_>,
) -> Option<ApiError> {
    let demanded = matches!(said.choice, Choice::Required);
    let only_search = said.tools.iter().all(|tool| matches!(tool, Tool::Web(_)));
    (demanded && only_search && !said.tools.is_empty() && !to.abilities.web_search)
        .then(|| way.refuse("tools[].web_search", "tools[0]".to_owned()))
}

/// Writes the request `body` of the dialect `from` in the target's dialect. Equal input gives equal bytes.
pub fn request(from: Dialect, body: &[u8], to: &Target<'_>) -> Result<Bridged, ApiError> {
    let body = simdutf8::basic::from_utf8(body)
        .map_err(|_| invalid("The request body is not valid UTF-8."))?;
    let way = Way {
        from,
        to: to.dialect,
    };
    let said = match from {
        Dialect::OpenaiChat => chat::read(body, way)?,
        Dialect::OpenaiResponses => responses::read(body, way)?,
        Dialect::AnthropicMessages => messages::read(body, way)?,
        Dialect::OpenaiEmbeddings => return Err(unbridged()),
    };
    if let Some(refusal) = demands_what_is_left_out(&said, way, to) {
        return Err(refusal);
    }
    let written = match to.dialect {
        Dialect::OpenaiChat => chat::write(&said, to, way, body.len())?,
        Dialect::OpenaiResponses => responses::write(&said, to, way, body.len())?,
        Dialect::AnthropicMessages => messages::write(&said, to, way, body.len())?,
        Dialect::OpenaiEmbeddings => return Err(unbridged()),
    };
    Ok(Bridged {
        context: context(said, way, to, written.tools, written.structured_tool),
        body: written.body,
    })
}

fn unbridged() -> ApiError {
    ApiError::new(
        ErrorKind::Unsupported,
        "Embeddings are served by vendors of their own dialect only.",
    )
}

/// What a writer made.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) body: Vec<u8>,
    /// Tools whose names or kinds differ.
    pub(crate) tools: Vec<ToolName>,
    /// The tool that stands in for a schema of the answer.
    pub(crate) structured_tool: Option<String>,
}

fn context(
    said: Conversation<'_>,
    way: Way,
    to: &Target<'_>,
    tools: Vec<ToolName>,
    structured_tool: Option<String>,
) -> Context {
    let settings = said.settings;
    Context {
        from: way.from,
        to: way.to,
        family: to.family.to_owned(),
        model: said.model.to_string(),
        stream: said.stream,
        include_usage: said.include_usage,
        choices: settings.choices.max(1),
        tools,
        structured_tool,
        stop: settings.stop.iter().map(|stop| stop.to_string()).collect(),
        encrypted_reasoning: settings.thinking.encrypted,
        readable_reasoning: settings.thinking.readable != Some(false),
        logprobs: settings.logprobs,
        echo: said.echo,
    }
}

#[cfg(test)]
mod tests;
