//! Tools that a client names by their type and runs itself: to a vendor of another dialect, functions with the schema that the
//! type stands for. In the client's own dialect their calls, and what comes of them, are items of their own.

use std::collections::HashSet;

use serde::Deserialize;

use super::wire::{WireItem, WirePart, WireTool};
use crate::ApiError;
use crate::bridge::ClientTool;
use crate::bridge::request::Way;
use crate::bridge::request::members::{missing, parse};
use crate::bridge::request::model::{Body, Call, Input, ItemTool, Part, Place, ToolResult};
use crate::bridge::request::shared::{Described, located, not_content};
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

/// The tool that this type stands for.
pub(super) fn known_by(kind: &str) -> Option<ClientTool> {
    Some(match kind {
        "computer" => ClientTool::Computer,
        "computer_use_preview" => ClientTool::ComputerPreview,
        "shell" => ClientTool::Shell,
        "local_shell" => ClientTool::LocalShell,
        "apply_patch" => ClientTool::ApplyPatch,
        _ => return None,
    })
}

/// Reads a tool that is known by its type.
///
/// # Errors
/// It is a shell of the vendor's own.
pub(super) fn read_known<'a>(
    tool: &WireTool<'a>,
    kind: ClientTool,
    place: Place,
    way: Way,
) -> Result<Option<ItemTool<'a>>, ApiError> {
    let Ok(known) = serde_json::from_str::<Known<'a>>(KNOWN) else {
        return Ok(None);
    };
    let described = match kind {
        ClientTool::Computer => known.computer,
        ClientTool::ComputerPreview => known.computer_preview,
        ClientTool::Shell => known.shell,
        ClientTool::LocalShell => known.local_shell,
        ClientTool::ApplyPatch => known.apply_patch,
        // The client describes it itself.
        ClientTool::Search => return Ok(None),
    };
    let mut description = described.description.to_string();
    match (kind, tool.environment) {
        (ClientTool::Shell, Some(raw)) => {
            let param = format!("{}.environment", place.param(way.from));
            let environment: Environment<'_> = parse(raw, &param)?;
            if &*environment.kind != "local" {
                return Err(way.refuse("tools[].shell.environment other than local", param));
            }
            for skill in environment.skills.unwrap_or_default() {
                let (name, what, path) = (skill.name, skill.description, skill.path);
                let told = format!(" There is the skill {}: {} ({})", &*name, &*what, &*path);
                description.push_str(&told);
            }
        }
        (ClientTool::ComputerPreview, Some(raw)) => {
            let kind = raw.get().trim_matches('"');
            description.push_str(&format!(" It is of the kind {kind}."));
        }
        _ => {}
    }
    if let (Some(width), Some(height)) = (tool.display_width, tool.display_height) {
        let (width, height) = (width.get(), height.get());
        description.push_str(&format!(" The screen is {width} wide and {height} high."));
    }
    Ok(Some(ItemTool {
        tool: kind,
        description: Some(description.into()),
        schema: Some(described.schema),
    }))
}

/// Where a shell is: at the client, who may have skills there, or in a container of the vendor's.
#[derive(Deserialize)]
struct Environment<'a> {
    #[serde(borrow, rename = "type")]
    kind: Str<'a>,
    #[serde(borrow)]
    skills: Option<Vec<Skill<'a>>>,
}

#[derive(Deserialize)]
struct Skill<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    #[serde(borrow, default)]
    description: Str<'a>,
    #[serde(borrow, default)]
    path: Str<'a>,
}

/// Reads a call of one: what it is called with is the object that a function would be.
pub(super) fn read_known_call<'a>(
    item: WireItem<'a>,
    kind: &str,
    index: usize,
    offered: &HashSet<ClientTool>,
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
            (None, Some(action)) if offered.contains(&ClientTool::Computer) => {
                let input = format!(r#"{{"actions":[{}]}}"#, action.get());
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
            let text = |name: &str| screen.get(name).and_then(serde_json::Value::as_str);
            let Some(url) = text("image_url") else {
                if text("file_id").is_none() {
                    return Err(missing(&at("output.image_url")));
                }
                let field = "content[].input_image.file_id";
                return Err(way.refuse(field, at("output.file_id")));
            };
            vec![Part {
                place: Place::Screen(index),
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
