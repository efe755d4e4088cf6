//! A request from one dialect to another.

mod chat;
mod checks;
mod choice;
mod extensions;
mod json;
mod members;
mod messages;
mod model;
mod names;
mod own;
mod plain;
mod prefill;
mod responses;
mod shared;
mod text;
mod thinking;
mod turns;

pub(super) use self::model::Effort;

use self::members::invalid;
use self::model::Conversation;
use super::answer::mended_json;
use super::loss::{self, Fate};
use super::{Context, Target, ToolName};
use crate::{ApiError, Dialect, ErrorKind};

/// Names of headers in lower case, and their values.
pub type Headers = &'static [(&'static str, &'static str)];

/// A request in the vendor's dialect.
#[derive(Debug)]
pub struct Bridged {
    /// JSON.
    pub body: Vec<u8>,
    /// For the answer's way back.
    pub context: Context,
    /// Headers that belong to the body, where a client of the vendor's dialect would send any: a feature may need its flag.
    pub headers: Headers,
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

    /// The refusal of what is of the type `kind`.
    pub(crate) fn refuse_kind(self, field: &str, kind: &str, param: String) -> ApiError {
        loss::refusal_of_kind(self.from, self.to, field, kind, param)
    }

    /// Whether the table refuses `field`.
    pub(crate) fn refuses(self, field: &str) -> bool {
        matches!(
            loss::request_fate(self.from, self.to, field),
            Some((Fate::Refused(_), _))
        )
    }
}

/// Writes the request `body` of the dialect `from` in the target's dialect. Equal input gives equal bytes.
pub fn request(from: Dialect, body: &[u8], to: &Target<'_>) -> Result<Bridged, ApiError> {
    let body = simdutf8::basic::from_utf8(body)
        .map_err(|_| invalid("The request body is not valid UTF-8."))?;
    let body = &*mended_json(body);
    let way = Way {
        from,
        to: to.dialect,
    };
    let mut said = match from {
        Dialect::OpenaiChat => chat::read(body, way)?,
        Dialect::OpenaiResponses => responses::read(body, way)?,
        Dialect::AnthropicMessages => messages::read(body, way)?,
        Dialect::OpenaiEmbeddings => return Err(unbridged()),
    };
    checks::check(&said, from)?;
    turns::number_ids(&mut said.items);
    own::fit(&mut said, to, way)?;
    choice::check(&said)?;
    choice::fit(&mut said, to.abilities);
    own::forget(&mut said, to);
    prefill::ask(&mut said, to.dialect);
    // Codex says it of itself to models that it knows; vendors refuse what they do not.
    said.settings.verbosity = said.settings.verbosity.filter(|_| to.abilities.verbosity);
    let written = match to.dialect {
        Dialect::OpenaiChat => chat::write(&said, to, way, body.len())?,
        Dialect::OpenaiResponses => responses::write(&said, to, way, body.len())?,
        Dialect::AnthropicMessages => messages::write(&said, to, way, body.len())?,
        Dialect::OpenaiEmbeddings => return Err(unbridged()),
    };
    Ok(Bridged {
        headers: own::headers(&said, way.to),
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
        hidden_reasoning: true,
        servers: own::renamed(&said.tools, way.to),
        logprobs: settings.logprobs,
        echo: said.echo,
    }
}

#[cfg(test)]
mod tests;
