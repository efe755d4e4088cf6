//! Tools that a client names by their type and runs itself: to a vendor that does not know the type, functions with the
//! schema that it stands for. What the model calls them with is what the client expects of its own.

use std::collections::HashMap;

use serde::Deserialize;

use super::reading::Reading;
use super::wire::WireTool;
use crate::ApiError;
use crate::bridge::request::Way;
use crate::bridge::request::members::{missing, parse};
use crate::bridge::request::model::{Function, Place, Tool};
use crate::bridge::request::shared::Described;
use crate::bridge::request::text::{Raw, Str};

/// The set of tools that work a computer, as its calls name it.
const COMPUTER: &str = "computer";

/// The tools, as whoever does not know them is told of them.
const KNOWN: &str = include_str!("known.json");

#[derive(Deserialize)]
struct Known<'k> {
    #[serde(borrow)]
    bash: Described<'k>,
    #[serde(borrow)]
    text_editor: Described<'k>,
    #[serde(borrow)]
    older_text_editor: Described<'k>,
    #[serde(borrow)]
    oldest_text_editor: Described<'k>,
    #[serde(borrow)]
    memory: Described<'k>,
    #[serde(borrow)]
    computer: Described<'k>,
    #[serde(borrow)]
    computer_with_zoom: Described<'k>,
    #[serde(borrow)]
    oldest_computer: Described<'k>,
    #[serde(borrow)]
    computer_toolset: Vec<Member<'k>>,
}

#[derive(Deserialize)]
struct Member<'k> {
    #[serde(borrow)]
    name: Str<'k>,
    #[serde(borrow)]
    description: Str<'k>,
    #[serde(borrow)]
    schema: Raw<'k>,
}

/// Reads a tool that is known by its type; nothing if this is none, or of a date that stands for nobody knows what.
pub(super) fn read_known<'a>(
    tool: &WireTool<'a>,
    kind: &str,
    place: Place,
    way: Way,
    reading: &mut Reading<'a>,
) -> Result<Option<Vec<Tool<'a>>>, ApiError> {
    // Offered again it adds nothing, and reading it again made a body of nothing else a minute's work.
    if let Some(kind) = tool.kind.as_ref().filter(|kind| is_known(kind))
        && !reading.is_first(kind)
    {
        return Ok(Some(Vec::new()));
    }
    let Ok(known) = serde_json::from_str::<Known<'a>>(KNOWN) else {
        return Ok(None);
    };
    let described = match kind {
        "computer_toolset_20260801" => {
            return toolset(known.computer_toolset, tool, place, way).map(Some);
        }
        "bash_20241022" | "bash_20250124" => known.bash,
        "text_editor_20241022" | "text_editor_20250124" => known.oldest_text_editor,
        "text_editor_20250429" => known.older_text_editor,
        "text_editor_20250728" => known.text_editor,
        "memory_20250818" => known.memory,
        "computer_20241022" => known.oldest_computer,
        "computer_20251124" if tool.enable_zoom.is_some_and(|zoom| zoom.get() == "true") => {
            known.computer_with_zoom
        }
        "computer_20250124" | "computer_20251124" => known.computer,
        _ => return Ok(None),
    };
    let unnamed = || missing(&format!("{}.name", place.param(way.from)));
    Ok(Some(vec![Tool::Function(Function {
        name: tool.name.clone().ok_or_else(unnamed)?,
        description: Some(sized(described.description, tool)),
        schema: Some(described.schema),
        cache: tool.cache_control.as_ref().map(|mark| mark.mark()),
        ..Function::default()
    })]))
}

/// The types that are known.
const TYPES: [&str; 11] = [
    "bash_20241022",
    "bash_20250124",
    "text_editor_20241022",
    "text_editor_20250124",
    "text_editor_20250429",
    "text_editor_20250728",
    "memory_20250818",
    "computer_20241022",
    "computer_20250124",
    "computer_20251124",
    "computer_toolset_20260801",
];

fn is_known(kind: &str) -> bool {
    TYPES.contains(&kind)
}

/// With the size of the screen, where the client tells it.
fn sized<'a>(description: Str<'a>, tool: &WireTool<'a>) -> Str<'a> {
    match (tool.display_width_px, tool.display_height_px) {
        (Some(width), Some(height)) => format!(
            "{} The screen is {} wide and {} high.",
            &*description,
            width.get(),
            height.get()
        )
        .into(),
        _ => description,
    }
}

/// The members of the set that are not turned off.
fn toolset<'a>(
    members: Vec<Member<'a>>,
    tool: &WireTool<'a>,
    place: Place,
    way: Way,
) -> Result<Vec<Tool<'a>>, ApiError> {
    #[derive(Deserialize)]
    struct Config {
        enabled: Option<bool>,
    }
    let configs: HashMap<Str<'a>, Option<Config>> = match tool.configs {
        Some(raw) => parse(raw, &format!("{}.configs", place.param(way.from)))?,
        None => HashMap::new(),
    };
    let is_off = |name: &str| {
        let config = configs.get(&Str(name.into())).and_then(Option::as_ref);
        config.is_some_and(|config| config.enabled == Some(false))
    };
    let members = members.into_iter().filter(|member| !is_off(&member.name));
    let mut tools: Vec<Function<'a>> = members
        .map(|member| Function {
            name: member.name,
            namespace: Some(COMPUTER.into()),
            description: Some(member.description),
            schema: Some(member.schema),
            ..Function::default()
        })
        .collect();
    if let Some(last) = tools.last_mut() {
        last.cache = tool.cache_control.as_ref().map(|mark| mark.mark());
    }
    Ok(tools.into_iter().map(Tool::Function).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_schema_of_an_object_and_requires_only_what_is_in_it() {
        let known: Known<'_> = serde_json::from_str(KNOWN).unwrap();
        let single = [
            known.bash,
            known.text_editor,
            known.older_text_editor,
            known.oldest_text_editor,
            known.memory,
            known.computer,
            known.computer_with_zoom,
            known.oldest_computer,
        ];
        let members = known.computer_toolset.iter().map(|member| member.schema);
        for schema in single.iter().map(|one| one.schema).chain(members) {
            let schema: serde_json::Value = serde_json::from_str(schema.get()).unwrap();
            assert_eq!(schema["type"], "object", "{schema}");
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(
                    schema["properties"][name.as_str().unwrap()].is_object(),
                    "{schema}"
                );
            }
        }
        assert_eq!(known.computer_toolset.len(), 17);
    }
}
