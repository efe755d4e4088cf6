//! Chat Completions as they are on the wire.

use serde::Deserialize;
use serde::de::MapAccess;

use crate::bridge::request::members::Large;
use crate::bridge::request::model::{CacheMark, Schema};
use crate::bridge::request::text::{Content, Raw, Str};

#[derive(Default)]
pub(super) struct WireBody<'a> {
    pub(super) messages: Option<Vec<WireMessage<'a>>>,
    pub(super) tools: Option<Vec<WireTool<'a>>>,
}

impl<'a> Large<'a> for WireBody<'a> {
    fn read<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "messages" => self.messages = map.next_value()?,
            "tools" => self.tools = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[derive(Deserialize)]
pub(super) struct WireMessage<'a> {
    #[serde(borrow)]
    pub(super) role: Str<'a>,
    #[serde(borrow, default)]
    pub(super) content: Content<'a, WirePart<'a>>,
    #[serde(borrow)]
    pub(super) refusal: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_content: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) reasoning: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<WireCall<'a>>>,
    #[serde(borrow)]
    pub(super) tool_call_id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) function_call: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) audio: Option<Raw<'a>>,
    /// Words of certain vendors: the assistant's message is the beginning of the answer.
    #[serde(borrow)]
    prefix: Option<Raw<'a>>,
    #[serde(borrow)]
    partial: Option<Raw<'a>>,
}

impl WireMessage<'_> {
    /// Whether it is said to be the beginning of the answer.
    pub(super) fn is_begun(&self) -> bool {
        [self.prefix, self.partial]
            .into_iter()
            .flatten()
            .any(|word| word.get() == "true")
    }
}

#[derive(Deserialize)]
pub(super) struct WirePart<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Str<'a>,
    #[serde(borrow)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) refusal: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) image_url: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) input_audio: Option<WireAudio<'a>>,
    #[serde(borrow)]
    pub(super) file: Option<WireFile<'a>>,
    #[serde(borrow)]
    pub(super) cache_control: Option<WireMark<'a>>,
    #[serde(borrow)]
    pub(super) prompt_cache_breakpoint: Option<WireMark<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WireImage<'a> {
    #[serde(borrow)]
    pub(super) url: Str<'a>,
    #[serde(borrow)]
    pub(super) detail: Option<Str<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WireAudio<'a> {
    #[serde(borrow)]
    pub(super) data: Str<'a>,
    #[serde(borrow)]
    pub(super) format: Str<'a>,
}

#[derive(Deserialize)]
pub(super) struct WireFile<'a> {
    #[serde(borrow)]
    pub(super) file_data: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) file_id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) filename: Option<Str<'a>>,
}

/// `cache_control` or `prompt_cache_breakpoint`.
#[derive(Deserialize)]
pub(crate) struct WireMark<'a> {
    #[serde(borrow)]
    pub(super) ttl: Option<Str<'a>>,
}

impl WireMark<'_> {
    /// The mark it is.
    pub(crate) fn mark(&self) -> CacheMark {
        CacheMark {
            long: matches!(self.ttl.as_deref(), Some("1h" | "12h" | "24h")),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct WireCall<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) function: Option<WireCalled<'a>>,
    #[serde(borrow)]
    pub(super) custom: Option<WireCustomCalled<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WireCalled<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) arguments: Option<Raw<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WireCustomCalled<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow, default)]
    pub(super) input: Str<'a>,
}

#[derive(Deserialize)]
pub(super) struct WireTool<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) function: Option<WireFunction<'a>>,
    #[serde(borrow)]
    pub(super) custom: Option<WireCustom<'a>>,
    #[serde(borrow)]
    pub(super) cache_control: Option<WireMark<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WireFunction<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) description: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) parameters: Option<Raw<'a>>,
    pub(super) strict: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct WireCustom<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) description: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) format: Option<WireFormat<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WireFormat<'a> {
    #[serde(borrow)]
    pub(super) grammar: Option<WireGrammar<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WireGrammar<'a> {
    #[serde(borrow)]
    pub(super) syntax: Str<'a>,
    #[serde(borrow)]
    pub(super) definition: Str<'a>,
}

/// A schema for the answer, as Chat nests it and Responses spreads it.
#[derive(Deserialize)]
pub(crate) struct WireSchema<'a> {
    #[serde(borrow)]
    name: Option<Str<'a>>,
    #[serde(borrow)]
    description: Option<Str<'a>>,
    #[serde(borrow)]
    schema: Option<Raw<'a>>,
    strict: Option<bool>,
}

impl<'a> WireSchema<'a> {
    /// The schema, if there is one.
    pub(crate) fn schema(self) -> Option<Schema<'a>> {
        Some(Schema {
            name: self.name,
            description: self.description,
            schema: self.schema?,
            strict: self.strict,
        })
    }
}
