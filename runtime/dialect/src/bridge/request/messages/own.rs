//! The vendor's own tools in Messages: MCP servers and the running of code, and what they did in the history.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use super::wire::{WireBlock, WireTool};
use crate::ApiError;
use crate::bridge::found;
use crate::bridge::request::Way;
use crate::bridge::request::json::Json;
use crate::bridge::request::members::{invalid, missing, parse, parse_hidden};
use crate::bridge::request::model::{Came, Hidden, Input, McpServer, Place, Ran, RanTool, Tool};
use crate::bridge::request::names::CODE_EXECUTION;
use crate::bridge::request::text::{Content, Raw, Str};

/// An element of `mcp_servers`, as it is written.
#[derive(Deserialize)]
struct WireServer<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Str<'a>>,
    #[serde(borrow)]
    name: Option<Str<'a>>,
    #[serde(borrow)]
    url: Option<Str<'a>>,
    #[serde(borrow)]
    authorization_token: Option<Str<'a>>,
    #[serde(borrow)]
    tool_configuration: Option<Configuration<'a>>,
}

/// An element of `mcp_servers`.
struct Server<'a> {
    name: Str<'a>,
    url: Str<'a>,
    authorization_token: Option<Str<'a>>,
    tool_configuration: Option<Configuration<'a>>,
}

impl<'a> WireServer<'a> {
    fn read(self, index: usize) -> Result<Server<'a>, ApiError> {
        let at = |member: &str| format!("mcp_servers[{index}].{member}");
        if self.kind.is_some_and(|kind| &*kind != "url") {
            let param = at("type");
            return Err(invalid(format!("`{param}` can only be `url`.")).with_param(param));
        }
        Ok(Server {
            name: self.name.ok_or_else(|| missing(&at("name")))?,
            url: self.url.ok_or_else(|| missing(&at("url")))?,
            authorization_token: self.authorization_token,
            tool_configuration: self.tool_configuration,
        })
    }
}

/// Which of a server's tools there are, before there were toolsets.
#[derive(Deserialize)]
struct Configuration<'a> {
    #[serde(borrow)]
    allowed_tools: Option<Vec<Str<'a>>>,
    enabled: Option<bool>,
}

/// Whether a tool is there, by itself or unless something else is said.
#[derive(Deserialize)]
struct Enabled {
    enabled: Option<bool>,
}

/// The servers of a request, each of which becomes a tool: where its toolset stands, else behind all others.
#[derive(Default)]
pub(super) struct Servers<'a> {
    all: Vec<Server<'a>>,
    /// The place of each.
    named: HashMap<Str<'a>, usize>,
    taken: Vec<bool>,
}

impl<'a> Servers<'a> {
    /// Reads `mcp_servers`.
    pub(super) fn read(raw: Option<Raw<'a>>) -> Result<Self, ApiError> {
        let all: Vec<WireServer<'a>> = match raw {
            Some(raw) => parse_hidden(raw, "mcp_servers")?,
            None => Vec::new(),
        };
        let all = all.into_iter().enumerate();
        let all: Vec<Server<'a>> = all
            .map(|(index, server)| server.read(index))
            .collect::<Result<_, _>>()?;
        // Of two of one name the first is meant.
        let named = all.iter().enumerate().rev();
        let named = named
            .map(|(at, server)| (server.name.clone(), at))
            .collect();
        let taken = vec![false; all.len()];
        Ok(Self { all, named, taken })
    }

    /// Reads a toolset; nothing where it leaves no tool of its server.
    pub(super) fn toolset(
        &mut self,
        tool: &WireTool<'a>,
        place: Place,
        way: Way,
    ) -> Result<Option<Tool<'a>>, ApiError> {
        let at = |member: &str| format!("{}.{member}", place.param(way.from));
        if way.refuses("tools[].mcp_toolset") {
            return Err(way.refuse_kind(
                "tools[].mcp_toolset",
                "mcp_toolset",
                place.param(way.from),
            ));
        }
        let param = at("mcp_server_name");
        let name: Str<'a> = parse(tool.mcp_server_name.ok_or_else(|| missing(&param))?, &param)?;
        let Some(&known) = self.named.get(&name) else {
            let message = format!(
                "`{param}` is `{}`, which no element of `mcp_servers` is called.",
                &*name
            );
            return Err(invalid(message).with_param(param));
        };
        if std::mem::replace(&mut self.taken[known], true) {
            let message = format!("`{param}` names a server that has a toolset already.");
            return Err(invalid(message).with_param(param));
        }
        let server = &self.all[known];
        let allowed = server.configured(read_enabled(tool, &at, way)?);
        let none_left = allowed.as_ref().is_some_and(Vec::is_empty);
        Ok((!none_left).then(|| server.tool(place, allowed)))
    }

    /// Those that have no toolset.
    pub(super) fn rest(self) -> impl Iterator<Item = Tool<'a>> {
        let left = self.all.into_iter().zip(self.taken).enumerate();
        left.filter(|(_, (_, taken))| !taken)
            .filter_map(|(index, (server, _))| {
                let allowed = server.configured(None);
                let none_left = allowed.as_ref().is_some_and(Vec::is_empty);
                (!none_left).then(|| server.tool(Place::McpServer(index), allowed))
            })
    }
}

impl<'a> Server<'a> {
    /// Of the tools that are enabled (nothing: all) those that the server's own configuration has, too.
    fn configured(&self, enabled: Option<Vec<Str<'a>>>) -> Option<Vec<Str<'a>>> {
        let Some(configuration) = &self.tool_configuration else {
            return enabled;
        };
        if configuration.enabled == Some(false) {
            return Some(Vec::new());
        }
        let Some(own) = &configuration.allowed_tools else {
            return enabled;
        };
        match enabled {
            None => Some(own.clone()),
            Some(mut enabled) => {
                let own: HashSet<_> = own.iter().collect();
                enabled.retain(|tool| own.contains(tool));
                Some(enabled)
            }
        }
    }

    fn tool(&self, place: Place, allowed: Option<Vec<Str<'a>>>) -> Tool<'a> {
        Tool::Mcp(McpServer {
            place,
            label: self.name.clone(),
            url: Hidden(self.url.clone()),
            token: self.authorization_token.clone().map(Hidden),
            allowed,
        })
    }
}

/// Which of its server's tools a toolset enables; nothing: all.
fn read_enabled<'a>(
    tool: &WireTool<'a>,
    at: &impl Fn(&str) -> String,
    way: Way,
) -> Result<Option<Vec<Str<'a>>>, ApiError> {
    #[derive(Deserialize)]
    struct Listed<'a> {
        #[serde(borrow)]
        name: Str<'a>,
    }
    let by_default = match tool.default_config {
        Some(raw) => parse::<Enabled>(raw, &at("default_config"))?.enabled != Some(false),
        None => true,
    };
    // In the order of their names: equal input is to give equal bytes.
    let configs: BTreeMap<Str<'a>, Enabled> = match tool.configs {
        Some(raw) => parse(raw, &at("configs"))?,
        None => BTreeMap::new(),
    };
    let enabled = |name: &Str<'a>| {
        let said = configs.get(name).and_then(|config| config.enabled);
        said.unwrap_or(by_default)
    };
    if let Some(raw) = tool.tools {
        let listed: Vec<Listed<'a>> = parse(raw, &at("tools"))?;
        let names = listed.into_iter().map(|tool| tool.name);
        return Ok(Some(names.filter(enabled).collect()));
    }
    if by_default {
        if configs.values().any(|config| config.enabled == Some(false)) {
            return Err(way.refuse("tools[].mcp_toolset.default_config, configs", at("configs")));
        }
        return Ok(None);
    }
    Ok(Some(
        configs
            .keys()
            .filter(|name| enabled(name))
            .cloned()
            .collect(),
    ))
}

/// What a block says of a tool that its vendor ran.
pub(super) enum RanBlock<'a> {
    /// That it was called.
    Called(Ran<'a>),
    /// What came of the call with this id.
    Came(Str<'a>, Came<'a>),
    /// Nothing that the bridge tells.
    Other,
}

/// Whether code of this id was run by a vendor that can be told of it again.
fn is_run(id: &str) -> bool {
    found::is_ours(id.as_bytes())
}

/// Reads a block about a tool that its vendor ran.
pub(super) fn read_ran<'a>(
    block: WireBlock<'a>,
    lacks: &impl Fn(&str) -> ApiError,
) -> Result<RanBlock<'a>, ApiError> {
    let tool = match &*block.kind {
        "mcp_tool_use" => RanTool::Mcp {
            server: block.server_name.ok_or_else(|| lacks("server_name"))?,
            name: block.name.ok_or_else(|| lacks("name"))?,
            arguments: block
                .input
                .map_or_else(|| Input::Json(Str::default()), Input::Object),
        },
        "mcp_tool_result" => {
            let texts = match block.content {
                Content::Text(text) => vec![text],
                Content::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
                Content::None | Content::Other(_) => Vec::new(),
            };
            let error = block.is_error.unwrap_or(false);
            let id = block.tool_use_id.ok_or_else(|| lacks("tool_use_id"))?;
            return Ok(RanBlock::Came(id, Came { texts, error }));
        }
        "server_tool_use"
            if block.name.as_deref() == Some(CODE_EXECUTION)
                && block.id.as_deref().is_some_and(is_run) =>
        {
            #[derive(Deserialize)]
            struct Code<'a> {
                #[serde(borrow)]
                code: Str<'a>,
            }
            let param = lacks("input").param.unwrap_or_default();
            let code: Code<'a> = parse(block.input.ok_or_else(|| lacks("input"))?, &param)?;
            RanTool::Code(code.code)
        }
        "code_execution_tool_result" if block.tool_use_id.as_deref().is_some_and(is_run) => {
            let id = block.tool_use_id.ok_or_else(|| lacks("tool_use_id"))?;
            let Content::Other(result) = block.content else {
                return Err(lacks("content"));
            };
            let text = |name: &str| result.get(name).and_then(Value::as_str);
            let texts = ["stdout", "stderr"].into_iter().filter_map(text);
            let came = Came {
                texts: texts
                    .filter(|text| !text.is_empty())
                    .map(|text| text.to_owned().into())
                    .collect(),
                error: result.get("return_code").and_then(Value::as_u64) != Some(0),
            };
            return Ok(RanBlock::Came(id, came));
        }
        _ => return Ok(RanBlock::Other),
    };
    Ok(RanBlock::Called(Ran {
        id: block.id.ok_or_else(|| lacks("id"))?,
        tool,
        came: None,
    }))
}

/// Writes `mcp_servers`.
pub(super) fn write_servers<'a>(servers: impl Iterator<Item = &'a McpServer<'a>>, json: &mut Json) {
    let mut servers = servers.peekable();
    if servers.peek().is_none() {
        return;
    }
    json.key("mcp_servers");
    json.open_list();
    for server in servers {
        json.open_typed("url");
        json.text_member("url", &server.url.0);
        json.text_member("name", &server.label);
        if let Some(token) = &server.token {
            json.text_member("authorization_token", &token.0);
        }
        json.close();
    }
    json.close_list();
}

/// Writes the toolset of an MCP server.
pub(super) fn write_toolset(server: &McpServer<'_>, json: &mut Json) {
    json.open_typed("mcp_toolset");
    json.text_member("mcp_server_name", &server.label);
    if let Some(allowed) = &server.allowed {
        json.raw_member("default_config", r#"{"enabled":false}"#);
        json.key("configs");
        json.open();
        let mut named = HashSet::with_capacity(allowed.len());
        for tool in allowed {
            if named.insert(tool) {
                json.named(tool);
                json.raw(r#"{"enabled":true}"#);
            }
        }
        json.close();
    }
    json.close();
}

/// Writes the running of code as a tool.
pub(super) fn write_code(json: &mut Json) {
    json.open_typed("code_execution_20250825");
    json.text_member("name", CODE_EXECUTION);
    json.close();
}
