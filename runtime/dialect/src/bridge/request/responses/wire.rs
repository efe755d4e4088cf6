//! Responses as they are on the wire.

use serde::Deserialize;
use serde::de::MapAccess;

use crate::bridge::request::chat::WireMark;
use crate::bridge::request::members::Large;
use crate::bridge::request::model::Location;
use crate::bridge::request::text::{Content, Raw, Str};

#[derive(Default)]
pub(super) struct WireBody<'a> {
    pub(super) input: Content<'a, WireItem<'a>>,
}

impl<'a> Large<'a> for WireBody<'a> {
    fn read<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        if name == "input" {
            self.input = map.next_value()?;
            return Ok(true);
        }
        Ok(false)
    }
}

/// An item of any type: what its type does not have is absent.
#[derive(Deserialize)]
pub(super) struct WireItem<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) role: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) author: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) recipient: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) content: Content<'a, WirePart<'a>>,
    #[serde(borrow)]
    pub(super) call_id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) namespace: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) arguments: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) input: Option<Raw<'a>>,
    #[serde(borrow, default)]
    pub(super) output: Content<'a, WirePart<'a>>,
    #[serde(borrow)]
    pub(super) summary: Option<Vec<WireSummary<'a>>>,
    #[serde(borrow)]
    pub(super) encrypted_content: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) tools: Option<Vec<WireTool<'a>>>,
    #[serde(borrow)]
    pub(super) execution: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) reasoning: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) server_label: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) status: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) code: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) outputs: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) action: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) actions: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) operation: Option<Raw<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WireSummary<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Str<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WirePart<'a> {
    #[serde(borrow, rename = "type", default)]
    pub(super) kind: Str<'a>,
    #[serde(borrow)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) refusal: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) image_url: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) detail: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) file_id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) file_data: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) file_url: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) filename: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) prompt_cache_breakpoint: Option<WireMark<'a>>,
    /// Of what a shell gave.
    #[serde(borrow)]
    pub(super) stdout: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) stderr: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) outcome: Option<Raw<'a>>,
}

/// A tool of any type.
#[derive(Deserialize)]
pub(super) struct WireTool<'a> {
    #[serde(borrow, rename = "type", default)]
    pub(super) kind: Str<'a>,
    #[serde(borrow)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) description: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) parameters: Option<Raw<'a>>,
    pub(super) strict: Option<bool>,
    #[serde(borrow)]
    pub(super) format: Option<WireGrammar<'a>>,
    #[serde(borrow)]
    pub(super) tools: Option<Vec<WireTool<'a>>>,
    #[serde(borrow)]
    pub(super) execution: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) search_context_size: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) user_location: Option<Location<'a>>,
    #[serde(borrow)]
    pub(super) filters: Option<Raw<'a>>,
    pub(super) external_web_access: Option<bool>,
    /// Of an MCP server.
    #[serde(borrow)]
    pub(super) server_label: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) server_url: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) connector_id: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) tunnel_id: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) authorization: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) headers: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) allowed_tools: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) require_approval: Option<Raw<'a>>,
    /// Of one that works a computer, or a shell.
    #[serde(borrow)]
    pub(super) display_width: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) display_height: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) environment: Option<Raw<'a>>,
    /// Of the running of code.
    #[serde(borrow)]
    pub(super) container: Option<Raw<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WireGrammar<'a> {
    #[serde(borrow)]
    pub(super) syntax: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) definition: Option<Str<'a>>,
}
