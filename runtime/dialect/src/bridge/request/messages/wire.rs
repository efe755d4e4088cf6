//! Messages as they are on the wire.

use serde::Deserialize;
use serde::de::MapAccess;

use crate::bridge::request::chat::WireMark;
use crate::bridge::request::members::Large;
use crate::bridge::request::model::Location;
use crate::bridge::request::text::{Content, Raw, Str};

#[derive(Default)]
pub(super) struct WireBody<'a> {
    pub(super) system: Content<'a, WireBlock<'a>>,
    pub(super) messages: Option<Vec<WireMessage<'a>>>,
    pub(super) tools: Option<Vec<WireTool<'a>>>,
}

impl<'a> Large<'a> for WireBody<'a> {
    fn read<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "system" => self.system = map.next_value()?,
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
    pub(super) content: Content<'a, WireBlock<'a>>,
    #[serde(borrow)]
    pub(super) output_config: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) clear_at: Option<Str<'a>>,
}

/// A block of any type: what its type does not have is absent.
#[derive(Deserialize)]
pub(super) struct WireBlock<'a> {
    #[serde(borrow, rename = "type", default)]
    pub(super) kind: Str<'a>,
    #[serde(borrow)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) source: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) context: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) input: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) tool_use_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) content: Content<'a, WireBlock<'a>>,
    pub(super) is_error: Option<bool>,
    #[serde(borrow)]
    pub(super) thinking: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) data: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) server_name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) toolset_name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) tool_name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) tool: Option<WireChange<'a>>,
    #[serde(borrow)]
    pub(super) tool_changes: Option<Vec<WireBlock<'a>>>,
    #[serde(borrow)]
    pub(super) transformations: Option<WireTransformations<'a>>,
    #[serde(borrow)]
    pub(super) cache_control: Option<WireMark<'a>>,
}

/// What the vendor may do to an image.
#[derive(Deserialize)]
pub(super) struct WireTransformations<'a> {
    #[serde(borrow)]
    pub(super) oversized_image: Option<Str<'a>>,
}

/// The tool of a `tool_addition`.
#[derive(Deserialize)]
pub(super) struct WireChange<'a> {
    #[serde(borrow)]
    pub(super) definition: Option<WireTool<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WireSource<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Str<'a>,
    #[serde(borrow)]
    pub(super) media_type: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) data: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) url: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) content: Content<'a, WireBlock<'a>>,
}

/// A tool of any type.
#[derive(Deserialize)]
pub(super) struct WireTool<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) description: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) input_schema: Option<Raw<'a>>,
    pub(super) strict: Option<bool>,
    #[serde(borrow)]
    pub(super) cache_control: Option<WireMark<'a>>,
    #[serde(borrow)]
    pub(super) user_location: Option<Location<'a>>,
    #[serde(borrow)]
    pub(super) allowed_domains: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) blocked_domains: Option<Raw<'a>>,
    pub(super) max_uses: Option<u64>,
    /// Of one that works a computer.
    #[serde(borrow)]
    pub(super) display_width_px: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) display_height_px: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) enable_zoom: Option<Raw<'a>>,
    /// Of an MCP server's tools.
    #[serde(borrow)]
    pub(super) mcp_server_name: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) default_config: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) configs: Option<Raw<'a>>,
    #[serde(borrow)]
    pub(super) tools: Option<Raw<'a>>,
}
