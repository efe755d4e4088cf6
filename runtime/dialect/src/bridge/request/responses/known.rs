//! Tools that a client names by their type and runs itself: to a vendor of another dialect, functions with the schema that the
//! type stands for. In the client's own dialect their calls, and what comes of them, are items of their own.

use serde::Deserialize;

use super::wire::{WireItem, WirePart, WireTool};
use crate::ApiError;
use crate::bridge::ClientTool;
use crate::bridge::request::Way;
use crate::bridge::request::members::{missing, parse};
use crate::bridge::request::model::{Body, Call, Input, ItemTool, Part, Place, ToolResult};
use crate::bridge::request::shared::{located, not_content};
use crate::bridge::request::text::{Content, Raw, Str};

/// The tools, as whoever does not know them is told of them.
const KNOWN: &str = include_str!("known.json");

#[derive(Deserialize)]
struct Known<'k> {
    #[serde(borrow)]
    computer: Described<'k>,
    #[serde(borrow)]
    computer_preview: Described<'k>,
    #[serde(borrow)]
    shell: Described<'k>,
    #[serde(borrow)]
    local_shell: Described<'k>,
    #[serde(borrow)]
    apply_patch: Described<'k>,
}

#[derive(Deserialize)]
struct Described<'k> {
    #[serde(borrow)]
    description: Str<'k>,
    #[serde(borrow)]
    schema: Raw<'k>,
}

/// Reads a tool that is known by its type; nothing if this is none.
///
/// # Errors
/// It is a shell of the vendor's own.
pub(super) fn read_known<'a>(
    tool: &WireTool<'a>,
    kind: &str,
    place: Place,
    way: Way,
) -> Result<Option<ItemTool<'a>>, ApiError> {
    let Ok(known) = serde_json::from_str::<Known<'a>>(KNOWN) else {
        return Ok(None);
    };
    let (kind, described) = match kind {
        "computer" => (ClientTool::Computer, known.computer),
        "computer_use_preview" => (ClientTool::ComputerPreview, known.computer_preview),
        "shell" => (ClientTool::Shell, known.shell),
        "local_shell" => (ClientTool::LocalShell, known.local_shell),
        "apply_patch" => (ClientTool::ApplyPatch, known.apply_patch),
        _ => return Ok(None),
    };
    let mut description = described.description;
    if kind == ClientTool::Shell && !is_local(tool.environment) {
        let param = format!("{}.environment", place.param(way.from));
        return Err(way.refuse("tools[].shell.environment other than local", param));
    }
    if let (Some(width), Some(height)) = (tool.display_width, tool.display_height) {
        let (width, height) = (width.get(), height.get());
        description = format!(
            "{} The screen is {width} wide and {height} high.",
            &*description
        )
        .into();
    }
    Ok(Some(ItemTool {
        tool: kind,
        description: Some(description),
        schema: Some(described.schema),
    }))
}

/// Whether the client has the shell, not a container of the vendor's.
fn is_local(environment: Option<Raw<'_>>) -> bool {
    #[derive(Deserialize)]
    struct Environment<'a> {
        #[serde(borrow, rename = "type")]
        kind: Str<'a>,
    }
    let Some(environment) = environment else {
        return true;
    };
    serde_json::from_str::<Environment<'_>>(environment.get())
        .is_ok_and(|environment| &*environment.kind == "local")
}

/// Reads a call of one: what it is called with is the object that a function would be.
pub(super) fn read_known_call<'a>(
    item: WireItem<'a>,
    kind: &str,
    index: usize,
) -> Result<Call<'a>, ApiError> {
    let at = |member: &str| format!("input[{index}].{member}");
    let needed = |member: &str, raw: Option<Raw<'a>>| raw.ok_or_else(|| missing(&at(member)));
    let (tool, input): (_, Str<'a>) = match kind {
        "tool_search_call" => {
            let arguments = needed("arguments", item.arguments)?;
            (ClientTool::Search, arguments.get().into())
        }
        "shell_call" => (
            ClientTool::Shell,
            needed("action", item.action)?.get().into(),
        ),
        "local_shell_call" => (
            ClientTool::LocalShell,
            needed("action", item.action)?.get().into(),
        ),
        "apply_patch_call" => {
            let operation = needed("operation", item.operation)?;
            (ClientTool::ApplyPatch, operation.get().into())
        }
        _ => match (item.actions, item.action) {
            (Some(actions), _) => {
                let input = format!(r#"{{"actions":{}}}"#, actions.get());
                (ClientTool::Computer, input.into())
            }
            (None, action) => {
                let action = needed("actions", action)?;
                let input = format!(r#"{{"action":{}}}"#, action.get());
                (ClientTool::ComputerPreview, input.into())
            }
        },
    };
    Ok(Call {
        place: Place::Item(index),
        id: item.call_id.ok_or_else(|| missing(&at("call_id")))?,
        name: tool.name().into(),
        namespace: None,
        input: Input::Item(tool, input),
    })
}

/// Reads what came of such a call.
pub(super) fn read_known_output<'a>(
    item: WireItem<'a>,
    kind: &str,
    index: usize,
    way: Way,
) -> Result<ToolResult<'a>, ApiError> {
    let at = |member: &str| format!("input[{index}].{member}");
    let place = Place::Item(index);
    let parts = match item.output {
        Content::None => Vec::new(),
        Content::Text(text) => vec![Part::text(place, text)],
        Content::Parts(parts) => parts
            .into_iter()
            .enumerate()
            .map(|(number, part)| printed(part, Place::Output(index, number), way))
            .collect::<Result<_, _>>()?,
        Content::Other(screen) if kind == "computer_call_output" => {
            let Some(url) = screen.get("image_url").and_then(serde_json::Value::as_str) else {
                let field = "content[].input_image.file_id";
                return Err(way.refuse(field, at("output.file_id")));
            };
            vec![Part {
                place,
                cache: None,
                body: picture(url.to_owned().into()),
            }]
        }
        Content::Other(_) => return Err(not_content(&at("output"))),
    };
    // Of a shell of the older kind the item itself has the call's id.
    let id = match kind {
        "local_shell_call_output" => item.call_id.or(item.id),
        _ => item.call_id,
    };
    Ok(ToolResult {
        place,
        id: id.ok_or_else(|| missing(&at("call_id")))?,
        parts,
        error: kind == "apply_patch_call_output"
            && item
                .status
                .is_some_and(|status| status.get() == "\"failed\""),
        cache: None,
    })
}

fn picture(url: Str<'_>) -> Body<'_> {
    Body::Image {
        source: located(url),
        detail: None,
    }
}

/// What a command printed, and how it ended where that was not well.
fn printed<'a>(part: WirePart<'a>, place: Place, way: Way) -> Result<Part<'a>, ApiError> {
    #[derive(Deserialize)]
    struct Outcome<'a> {
        #[serde(borrow, rename = "type")]
        kind: Str<'a>,
        exit_code: Option<i64>,
    }
    let at = |member: &str| format!("{}.{member}", place.param(way.from));
    let text = |member: &str, raw: Option<Raw<'a>>| -> Result<Str<'a>, ApiError> {
        raw.map_or_else(|| Ok(Str::default()), |raw| parse(raw, &at(member)))
    };
    let (stdout, stderr) = (text("stdout", part.stdout)?, text("stderr", part.stderr)?);
    let mut told = vec![&*stdout, &*stderr];
    told.retain(|text| !text.is_empty());
    let end = match part.outcome {
        Some(raw) => {
            let outcome: Outcome<'a> = parse(raw, &at("outcome"))?;
            match (&*outcome.kind, outcome.exit_code) {
                ("timeout", _) => "It was stopped, as it took too long.".to_owned(),
                (_, Some(code)) if code != 0 => format!("It ended with the exit code {code}."),
                _ => String::new(),
            }
        }
        None => String::new(),
    };
    if !end.is_empty() {
        told.push(&end);
    }
    Ok(Part::text(place, told.join("\n").into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_schema_of_an_object_and_requires_only_what_is_in_it() {
        let known: Known<'_> = serde_json::from_str(KNOWN).unwrap();
        for tool in [
            known.computer,
            known.computer_preview,
            known.shell,
            known.local_shell,
            known.apply_patch,
        ] {
            let schema: serde_json::Value = serde_json::from_str(tool.schema.get()).unwrap();
            assert_eq!(schema["type"], "object", "{schema}");
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(
                    schema["properties"][name.as_str().unwrap()].is_object(),
                    "{schema}"
                );
            }
        }
    }
}
