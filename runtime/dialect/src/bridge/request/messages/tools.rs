//! Reads tools, their choice and what concerns the answer in Messages.

use serde::Deserialize;

use super::known::read_known;
use super::reading::Reading;
use super::wire::WireTool;
use crate::ApiError;
use crate::bridge::request::Way;
use crate::bridge::request::members::{invalid, missing, parse};
use crate::bridge::request::model::{
    Choice, Effort, Format, Function, Place, Schema, Thinking, Tool, ToolRef, WebSearch,
};
use crate::bridge::request::shared::read_effort;
use crate::bridge::request::text::{Raw, Str};

/// Reads an element of `tools`: one tool or several, or none, as a search among tools that are all offered anyway.
pub(super) fn read_tool<'a>(
    tool: WireTool<'a>,
    place: Place,
    way: Way,
    reading: &mut Reading<'a>,
    tools: &mut Vec<Tool<'a>>,
) -> Result<(), ApiError> {
    let unnamed = || missing(&format!("{}.name", place.param(way.from)));
    match tool.kind.as_deref() {
        None | Some("custom") => tools.push(Tool::Function(Function {
            name: tool.name.ok_or_else(unnamed)?,
            namespace: None,
            description: tool.description,
            schema: tool.input_schema,
            strict: tool.strict,
            cache: tool.cache_control.map(|mark| mark.mark()),
        })),
        Some(kind) if kind.starts_with("web_search_") => tools.push(Tool::Web(WebSearch {
            place,
            stored: false,
            context_size: None,
            location: tool.user_location,
            allowed_domains: tool.allowed_domains,
            blocked_domains: tool.blocked_domains,
            max_uses: tool.max_uses,
        })),
        Some(kind) if kind.starts_with("code_execution_") => {
            if way.refuses("tools[].code_execution") {
                return Err(way.refuse_kind("tools[].code_execution", kind, place.param(way.from)));
            }
            tools.push(Tool::Code(place));
        }
        Some(kind) if kind.starts_with("tool_search_tool_") => {}
        Some(kind) => match read_known(&tool, kind, place, way, reading)? {
            Some(known) => tools.extend(known),
            None => {
                let field = if runs_at_the_client(kind) {
                    "tools[].browser, and other types that the client runs"
                } else {
                    "tools[] of another type"
                };
                return Err(way.refuse_kind(field, kind, place.param(way.from)));
            }
        },
    }
    Ok(())
}

/// Whether the client itself runs a tool that it names by a type (`bash_20250124`) instead of describing it.
fn runs_at_the_client(kind: &str) -> bool {
    ["bash_", "text_editor_", "computer_", "memory_", "browser_"]
        .iter()
        .any(|known| kind.starts_with(known))
}

/// Reads `tool_choice`: the choice, and whether calls may be parallel.
pub(super) fn read_choice<'a>(raw: Raw<'a>) -> Result<(Choice<'a>, Option<bool>), ApiError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, rename = "type")]
        kind: Str<'a>,
        #[serde(borrow)]
        name: Option<Str<'a>>,
        disable_parallel_tool_use: Option<bool>,
    }
    let wire: Wire<'a> = parse(raw, "tool_choice")?;
    let choice = match &*wire.kind {
        "auto" => Choice::Auto,
        "none" => Choice::None,
        "any" => Choice::Required,
        "tool" => Choice::Named(ToolRef {
            name: wire.name.ok_or_else(|| missing("tool_choice.name"))?,
            namespace: None,
            custom: false,
            item: None,
        }),
        other => {
            let message = format!("`tool_choice.type` has the unknown value `{other}`.");
            return Err(invalid(message).with_param("tool_choice.type"));
        }
    };
    Ok((choice, wire.disable_parallel_tool_use.map(|not| !not)))
}

/// Reads `thinking`.
pub(super) fn read_thinking(raw: Raw<'_>) -> Result<Thinking, ApiError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, rename = "type")]
        kind: Str<'a>,
        budget_tokens: Option<u64>,
        #[serde(borrow)]
        display: Option<Str<'a>>,
    }
    let wire: Wire<'_> = parse(raw, "thinking")?;
    match &*wire.kind {
        "disabled" => Ok(Thinking {
            effort: Some(Effort::None),
            ..Thinking::default()
        }),
        "enabled" | "adaptive" | "between_tools" => Ok(Thinking {
            effort: None,
            budget: wire.budget_tokens,
            wanted: true,
            readable: Some(wire.display.as_deref() != Some("omitted")),
            encrypted: true,
        }),
        // Of vendors that leave it to the model.
        "auto" => Ok(Thinking::default()),
        other => {
            let message = format!("`thinking.type` has the unknown value `{other}`.");
            Err(invalid(message).with_param("thinking.type"))
        }
    }
}

/// Reads the effort in an `output_config`.
pub(super) fn effort_of(raw: Raw<'_>, param: &str) -> Result<Option<Effort>, ApiError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        effort: Option<Str<'a>>,
    }
    let wire: Wire<'_> = parse(raw, param)?;
    match wire.effort {
        Some(name) => read_effort(&name, &format!("{param}.effort")),
        None => Ok(None),
    }
}

/// Reads the format in an `output_config`.
pub(super) fn format_of<'a>(raw: Raw<'a>, way: Way) -> Result<Format<'a>, ApiError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        format: Option<Raw<'a>>,
    }
    let wire: Wire<'a> = parse(raw, "output_config")?;
    match wire.format {
        Some(format) => read_format(format, "output_config.format", way),
        None => Ok(Format::Text),
    }
}

/// Reads a format; `param` is where it stands.
pub(super) fn read_format<'a>(raw: Raw<'a>, param: &str, way: Way) -> Result<Format<'a>, ApiError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, rename = "type")]
        kind: Str<'a>,
        #[serde(borrow)]
        schema: Option<Raw<'a>>,
    }
    let format: Wire<'a> = parse(raw, param)?;
    if &*format.kind != "json_schema" {
        let field = "output_config.format of another type";
        return Err(way.refuse_kind(field, &format.kind, format!("{param}.type")));
    }
    Ok(Format::Schema(Schema {
        name: None,
        description: None,
        schema: format
            .schema
            .ok_or_else(|| missing(&format!("{param}.schema")))?,
        strict: None,
    }))
}
