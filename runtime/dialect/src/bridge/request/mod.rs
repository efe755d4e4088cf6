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
mod plain;
mod prefill;
mod responses;
mod shared;
mod text;
mod thinking;
mod turns;

pub(super) use self::model::Effort;

use self::members::invalid;
use self::model::{Choice, Conversation, Tool, WebSearch};
use super::answer::mended_json;
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

impl Way {
    /// Whether the vendor is to search the web: else the search is left out. Chat has no words for a search among
    /// certain domains only, and only vendors of Responses have a search that fetches nothing.
    fn searches(self, search: &WebSearch<'_>, to: &Target<'_>) -> bool {
        let narrowed = search.allowed_domains.is_some() || search.blocked_domains.is_some();
        to.abilities.web_search && !search.stored && !(narrowed && self.to == Dialect::OpenaiChat)
    }

    /// Leaves searches out that the vendor cannot make, and refuses them where the client asked for them: only Responses
    /// clients offer them unasked. A choice of a search that is not sent is a 400 of the vendor's, or nothing at all.
    fn fit_searches(self, said: &mut Conversation<'_>, to: &Target<'_>) -> Result<(), ApiError> {
        let made = |tool: &Tool<'_>| match tool {
            Tool::Web(search) => self.searches(search, to),
            _ => true,
        };
        let left_out = said.tools.iter().find_map(|tool| match tool {
            Tool::Web(search) if !made(tool) => Some(search),
            _ => None,
        });
        let searches = |tool: &Tool<'_>| matches!(tool, Tool::Web(_)) && made(tool);
        let unasked = self.from == Dialect::OpenaiResponses;
        let demanded = match said.choice {
            Choice::Web => !said.tools.iter().any(searches),
            Choice::Required => left_out.is_some() && !said.tools.iter().any(made),
            Choice::Allowed {
                required: true,
                web: true,
                ref tools,
            } => unasked && tools.is_empty() && !said.tools.iter().any(searches),
            _ => false,
        };
        if demanded || (left_out.is_some() && !unasked) {
            let field = match left_out {
                _ if self.from == Dialect::OpenaiChat => "web_search_options",
                Some(search) if search.stored => {
                    "tools[].web_search with external_web_access = false"
                }
                _ => "tools[].web_search",
            };
            let param = left_out.map(|search| search.place.param(self.from));
            return Err(self.refuse(field, param.unwrap_or_else(|| "tool_choice".to_owned())));
        }
        said.tools.retain(made);
        let searched = said.tools.iter().any(|tool| matches!(tool, Tool::Web(_)));
        if let Choice::Allowed { web, tools, .. } = &mut said.choice
            && *web
            && !searched
        {
            *web = false;
            if unasked && tools.is_empty() {
                said.choice = Choice::None;
            }
        }
        Ok(())
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
    prefill::ask(&mut said, to.dialect);
    way.fit_searches(&mut said, to)?;
    choice::check(&said)?;
    choice::fit(&mut said, to.abilities);
    // Codex says it of itself to models that it knows; vendors refuse what they do not.
    said.settings.verbosity = said.settings.verbosity.filter(|_| to.abilities.verbosity);
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
        hidden_reasoning: true,
        logprobs: settings.logprobs,
        echo: said.echo,
    }
}

#[cfg(test)]
mod tests;
