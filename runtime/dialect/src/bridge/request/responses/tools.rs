//! Reads tools, their choice and the answer's format in Responses.

use std::collections::HashSet;

use serde::Deserialize;

use super::known::{known_by, read_known};
use super::own::{read_code, read_server};
use super::wire::WireTool;
use crate::ApiError;
use crate::bridge::ClientTool;
use crate::bridge::request::Way;
use crate::bridge::request::chat::WireSchema;
use crate::bridge::request::members::{missing, parse};
use crate::bridge::request::model::{
    Choice, Conversation, Custom, Effort, Format, Function, Grammar, ItemTool, OwnTools, Place,
    Thinking, Tool, ToolRef, WebSearch,
};
use crate::bridge::request::shared::{plain_choice, read_effort};
use crate::bridge::request::text::{Raw, Str};

/// Reads an element of `tools`.
pub(super) fn read_tool<'a>(
    tool: WireTool<'a>,
    index: usize,
    way: Way,
    said: &mut Conversation<'a>,
) -> Result<(), ApiError> {
    one(tool, Place::Tool(index), way, None, said)
}

/// Reads a tool that came in the conversation.
pub(super) fn additional_tool<'a>(
    tool: WireTool<'a>,
    index: usize,
    way: Way,
    said: &mut Conversation<'a>,
) -> Result<(), ApiError> {
    one(tool, Place::Item(index), way, None, said)
}

/// What was found or announced twice is there once.
pub(super) fn without_repeats(tools: &mut Vec<Tool<'_>>) {
    let mut seen = HashSet::with_capacity(tools.len());
    let mut items = HashSet::new();
    let repeated: Vec<bool> = tools
        .iter()
        .map(|tool| match tool {
            Tool::Item(item) => !items.insert(item.tool),
            _ => tool.name().is_some_and(|name| !seen.insert(name)),
        })
        .collect();
    let mut repeated = repeated.into_iter();
    tools.retain(|_| !repeated.next().unwrap_or(false));
}

fn one<'a>(
    tool: WireTool<'a>,
    place: Place,
    way: Way,
    namespace: Option<&Str<'a>>,
    said: &mut Conversation<'a>,
) -> Result<(), ApiError> {
    let unnamed = || missing(&format!("{}.name", place.param(way.from)));
    match &*tool.kind {
        "function" => said.tools.push(Tool::Function(Function {
            name: tool.name.ok_or_else(unnamed)?,
            namespace: namespace.cloned(),
            description: tool.description,
            schema: tool.parameters,
            strict: tool.strict,
            cache: None,
        })),
        "custom" => said.tools.push(Tool::Custom(Custom {
            name: tool.name.ok_or_else(unnamed)?,
            namespace: namespace.cloned(),
            description: tool.description,
            grammar: tool.format.and_then(|format| {
                Some(Grammar {
                    syntax: format.syntax?,
                    definition: format.definition?,
                })
            }),
        })),
        "namespace" if namespace.is_none() => {
            let name = tool.name.ok_or_else(unnamed)?;
            for inner in tool.tools.unwrap_or_default() {
                one(inner, place, way, Some(&name), said)?;
            }
        }
        "tool_search" if tool.execution.as_deref() == Some("client") => {
            said.tools.push(Tool::Item(ItemTool {
                tool: ClientTool::Search,
                description: tool.description,
                schema: tool.parameters,
            }));
        }
        "tool_search" => {}
        kind if kind.starts_with("web_search") => {
            #[derive(Deserialize)]
            struct Filters<'a> {
                #[serde(borrow)]
                allowed_domains: Option<Raw<'a>>,
                #[serde(borrow)]
                blocked_domains: Option<Raw<'a>>,
            }
            let filters: Option<Filters<'a>> = match tool.filters {
                Some(raw) => Some(parse(raw, &format!("{}.filters", place.param(way.from)))?),
                None => None,
            };
            let (allowed_domains, blocked_domains) = filters
                .map(|filters| (filters.allowed_domains, filters.blocked_domains))
                .unwrap_or_default();
            said.tools.push(Tool::Web(WebSearch {
                place,
                stored: tool.external_web_access == Some(false),
                context_size: tool.search_context_size,
                location: tool.user_location,
                allowed_domains,
                blocked_domains,
                max_uses: None,
            }));
        }
        "mcp" => said.tools.push(Tool::Mcp(read_server(&tool, place, way)?)),
        "code_interpreter" => said.tools.push(read_code(&tool, place, way)?),
        kind => match known_by(kind) {
            // It describes itself, so a second says nothing.
            Some(known) if !said.client_tools.insert(known) => {}
            Some(known) => {
                let tool = read_known(&tool, known, place, way)?;
                said.tools.extend(tool.map(Tool::Item));
            }
            None if kind.is_empty() => {
                return Err(missing(&format!("{}.type", place.param(way.from))));
            }
            None => {
                let field = "tools[] of another type";
                return Err(way.refuse_kind(field, kind, place.param(way.from)));
            }
        },
    }
    Ok(())
}

/// The row of the vendor's own tools in a list of those that may be called.
const OWN_CHOSEN: &str = "tool_choice.tools[].mcp, code_interpreter";

/// Reads `tool_choice`.
pub(super) fn read_choice<'a>(raw: Raw<'a>, way: Way) -> Result<Choice<'a>, ApiError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, rename = "type")]
        kind: Str<'a>,
        #[serde(borrow)]
        name: Option<Str<'a>>,
        #[serde(borrow)]
        namespace: Option<Str<'a>>,
        #[serde(borrow)]
        server_label: Option<Str<'a>>,
        #[serde(borrow)]
        mode: Option<Str<'a>>,
        #[serde(borrow)]
        tools: Option<Vec<Wire<'a>>>,
    }
    fn named<'a>(wire: Wire<'a>, way: Way) -> Result<ToolRef<'a>, ApiError> {
        // The choice has a word of its own for it.
        let item = match &*wire.kind {
            "computer_use" => Some(ClientTool::Computer),
            kind => known_by(kind),
        };
        if let Some(item) = item {
            return Ok(ToolRef {
                name: item.name().into(),
                namespace: None,
                custom: false,
                item: Some(item),
            });
        }
        if !matches!(&*wire.kind, "function" | "custom") {
            let field = "tool_choice of another built-in tool";
            return Err(way.refuse_kind(field, &wire.kind, "tool_choice".into()));
        }
        Ok(ToolRef {
            name: wire.name.ok_or_else(|| missing("tool_choice.name"))?,
            namespace: wire.namespace.filter(|namespace| !namespace.is_empty()),
            custom: &*wire.kind == "custom",
            item: None,
        })
    }
    if raw.get().starts_with('"') {
        return plain_choice(parse::<Str<'a>>(raw, "tool_choice")?);
    }
    let wire: Wire<'a> = parse(raw, "tool_choice")?;
    if wire.kind.starts_with("web_search") {
        return Ok(Choice::Web);
    }
    if &*wire.kind == "code_interpreter" {
        return Ok(Choice::Code);
    }
    if &*wire.kind != "allowed_tools" {
        return named(wire, way).map(Choice::Named);
    }
    let (mut own, mut tools) = (OwnTools::default(), Vec::new());
    for tool in wire.tools.unwrap_or_default() {
        match &*tool.kind {
            kind if kind.starts_with("web_search") => own.web = true,
            "code_interpreter" | "mcp" if way.refuses(OWN_CHOSEN) => {
                return Err(way.refuse_kind(OWN_CHOSEN, &tool.kind, "tool_choice".into()));
            }
            "code_interpreter" => own.code = true,
            // Of a server's tools a list takes all or none there.
            "mcp" if tool.name.is_none() => {
                let unlabelled = || missing("tool_choice.tools[].server_label");
                own.servers
                    .insert(tool.server_label.ok_or_else(unlabelled)?);
            }
            _ => tools.push(named(tool, way)?),
        }
    }
    Ok(Choice::Allowed {
        required: wire.mode.as_deref() == Some("required"),
        own,
        tools,
    })
}

/// Reads `text.format`.
pub(super) fn read_format<'a>(raw: Raw<'a>, way: Way) -> Result<Format<'a>, ApiError> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, rename = "type")]
        kind: Str<'a>,
    }
    let kind: Kind<'a> = parse(raw, "text.format")?;
    match &*kind.kind {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::JsonObject),
        "json_schema" => parse::<WireSchema<'a>>(raw, "text.format")?
            .schema()
            .map(Format::Schema)
            .ok_or_else(|| missing("text.format.schema")),
        kind => {
            let field = "text.format of another type";
            Err(way.refuse_kind(field, kind, "text.format.type".into()))
        }
    }
}

/// Reads `reasoning`.
pub(super) fn read_thinking(raw: Raw<'_>) -> Result<Thinking, ApiError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        effort: Option<Str<'a>>,
        #[serde(borrow)]
        summary: Option<Str<'a>>,
        #[serde(borrow)]
        generate_summary: Option<Str<'a>>,
    }
    let wire: Wire<'_> = parse(raw, "reasoning")?;
    let effort = match wire.effort {
        Some(name) => read_effort(&name, "reasoning.effort")?,
        None => None,
    };
    let readable = wire.summary.is_some() || wire.generate_summary.is_some();
    Ok(Thinking {
        effort,
        budget: None,
        wanted: effort.map_or(readable, |effort| effort != Effort::None),
        readable: readable.then_some(true),
        encrypted: false,
    })
}

/// Reads an item that changes the effort from here on.
pub(super) fn effort_update(
    raw: Raw<'_>,
    index: usize,
    thinking: &mut Thinking,
) -> Result<(), ApiError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        effort: Option<Str<'a>>,
    }
    let param = format!("input[{index}].reasoning");
    let wire: Wire<'_> = parse(raw, &param)?;
    if let Some(name) = wire.effort {
        thinking.effort = read_effort(&name, &format!("{param}.effort"))?;
        thinking.wanted = thinking.effort != Some(Effort::None);
    }
    Ok(())
}
