//! Reads tools, their choice and the answer's format in Chat Completions.

use serde::Deserialize;

use super::wire::{WireSchema, WireTool};
use crate::ApiError;
use crate::bridge::request::Way;
use crate::bridge::request::members::{missing, parse};
use crate::bridge::request::model::{
    Choice, Custom, Format, Function, Grammar, Location, OwnTools, Place, Tool, ToolRef, WebSearch,
};
use crate::bridge::request::shared::plain_choice;
use crate::bridge::request::text::{Raw, Str};

/// Reads it.
pub(super) fn read_tool<'a>(
    tool: WireTool<'a>,
    index: usize,
    way: Way,
) -> Result<Tool<'a>, ApiError> {
    match (tool.function, tool.custom) {
        (Some(function), _) => Ok(Tool::Function(Function {
            name: function.name,
            namespace: None,
            description: function.description,
            schema: function.parameters,
            strict: function.strict,
            cache: tool.cache_control.map(|mark| mark.mark()),
        })),
        (None, Some(custom)) => Ok(Tool::Custom(Custom {
            name: custom.name,
            namespace: None,
            description: custom.description,
            grammar: custom
                .format
                .and_then(|format| format.grammar)
                .map(|grammar| Grammar {
                    syntax: grammar.syntax,
                    definition: grammar.definition,
                }),
        })),
        (None, None) if matches!(tool.kind.as_deref(), None | Some("function" | "custom")) => {
            Err(missing(&format!("tools[{index}].function")))
        }
        (None, None) => {
            let kind = tool.kind.as_deref().unwrap_or_default();
            Err(way.refuse_kind("tools[] of another type", kind, format!("tools[{index}]")))
        }
    }
}

/// Reads it.
pub(super) fn read_search<'a>(options: Raw<'a>) -> Result<WebSearch<'a>, ApiError> {
    #[derive(Deserialize)]
    struct Options<'a> {
        #[serde(borrow)]
        search_context_size: Option<Str<'a>>,
        #[serde(borrow)]
        user_location: Option<Nested<'a>>,
    }
    #[derive(Deserialize)]
    struct Nested<'a> {
        #[serde(borrow)]
        approximate: Option<Location<'a>>,
    }
    let options: Options<'a> = parse(options, "web_search_options")?;
    Ok(WebSearch {
        place: Place::SearchOptions,
        stored: false,
        context_size: options.search_context_size,
        location: options.user_location.and_then(|at| at.approximate),
        allowed_domains: None,
        blocked_domains: None,
        max_uses: None,
    })
}

/// Reads it.
pub(super) fn read_choice<'a>(raw: Raw<'a>) -> Result<Choice<'a>, ApiError> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        function: Option<Name<'a>>,
        #[serde(borrow)]
        custom: Option<Name<'a>>,
        #[serde(borrow)]
        allowed_tools: Option<Allowed<'a>>,
    }
    #[derive(Deserialize)]
    struct Name<'a> {
        #[serde(borrow)]
        name: Str<'a>,
    }
    #[derive(Deserialize)]
    struct Allowed<'a> {
        #[serde(borrow)]
        mode: Str<'a>,
        #[serde(borrow)]
        tools: Vec<Named<'a>>,
    }
    fn named<'a>(wire: Named<'a>) -> Option<ToolRef<'a>> {
        let custom = wire.function.is_none();
        let name = wire.function.or(wire.custom)?.name;
        Some(ToolRef {
            name,
            namespace: None,
            custom,
            item: None,
        })
    }
    if raw.get().starts_with('"') {
        return plain_choice(parse::<Str<'a>>(raw, "tool_choice")?);
    }
    let mut wire: Named<'a> = parse(raw, "tool_choice")?;
    if let Some(allowed) = wire.allowed_tools.take() {
        let tools: Option<Vec<_>> = allowed.tools.into_iter().map(named).collect();
        return Ok(Choice::Allowed {
            required: &*allowed.mode == "required",
            // The search is no tool here, and the choice is not about it.
            own: OwnTools {
                web: true,
                ..OwnTools::default()
            },
            tools: tools.ok_or_else(|| missing("tool_choice.allowed_tools.tools[].function"))?,
        });
    }
    match named(wire) {
        Some(tool) => Ok(Choice::Named(tool)),
        None => Err(missing("tool_choice.function")),
    }
}

/// Reads it.
pub(super) fn read_format<'a>(raw: Raw<'a>, way: Way) -> Result<Format<'a>, ApiError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, rename = "type")]
        kind: Str<'a>,
        #[serde(borrow)]
        json_schema: Option<WireSchema<'a>>,
    }
    let wire: Wire<'a> = parse(raw, "response_format")?;
    match &*wire.kind {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::JsonObject),
        "json_schema" => wire
            .json_schema
            .and_then(WireSchema::schema)
            .map(Format::Schema)
            .ok_or_else(|| missing("response_format.json_schema.schema")),
        kind => Err(way.refuse_kind(
            "response_format of another type",
            kind,
            "response_format.type".into(),
        )),
    }
}
