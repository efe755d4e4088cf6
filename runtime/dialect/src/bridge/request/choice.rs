//! A choice among tools that the vendor takes: where it refuses one that forces a call, what comes closest to it.

use super::members::invalid;
use super::model::{Choice, Conversation, Tool, ToolRef};
use super::text::Str;
use crate::ApiError;
use crate::bridge::Abilities;

/// Refuses a choice that demands what is not on offer, as the vendors do themselves: left out, the client would get an
/// answer in words where it counts on a call.
pub(super) fn check(said: &Conversation<'_>) -> Result<(), ApiError> {
    let offered = |tool: &ToolRef<'_>| said.tools.iter().any(|known| is(known, tool));
    let message = match &said.choice {
        Choice::Required if said.tools.is_empty() => {
            "`tool_choice` demands a call of a tool, and there is none in `tools`.".to_owned()
        }
        Choice::Named(tool) if !offered(tool) => format!(
            "`tool_choice` demands the tool `{}`, which is not among `tools`.",
            &*tool.name
        ),
        Choice::Code if !said.tools.iter().any(|tool| matches!(tool, Tool::Code(_))) => {
            "`tool_choice` demands that code is run, and no tool for it is among `tools`."
                .to_owned()
        }
        Choice::Allowed {
            required: true,
            own,
            tools,
        } if !own.web
            && !tools.iter().any(offered)
            && !said.tools.iter().any(|tool| own.leaves(tool)) =>
        {
            "`tool_choice` allows only tools that are not among `tools`.".to_owned()
        }
        _ => return Ok(()),
    };
    Err(invalid(message).with_param("tool_choice"))
}

/// Makes it one. A choice of certain tools that cannot be said leaves these tools alone on offer.
pub(super) fn fit(said: &mut Conversation<'_>, abilities: Abilities) {
    if !abilities.no_required_tool && !abilities.no_named_tool {
        return;
    }
    let required = match &said.choice {
        Choice::Required => true,
        Choice::Named(tool) if abilities.no_named_tool => {
            if !narrow(&mut said.tools, |known| is(known, tool)) {
                return;
            }
            true
        }
        Choice::Allowed {
            required,
            own,
            tools,
        } => {
            let any =
                |known: &Tool<'_>| own.leaves(known) || tools.iter().any(|tool| is(known, tool));
            if !narrow(&mut said.tools, any) {
                return;
            }
            *required
        }
        Choice::Unsaid
        | Choice::Auto
        | Choice::None
        | Choice::Web
        | Choice::Code
        | Choice::Named(_) => return,
    };
    said.choice = match (required, only(&said.tools)) {
        (true, _) if !abilities.no_required_tool => Choice::Required,
        (true, Some(tool)) if !abilities.no_named_tool => Choice::Named(tool),
        _ => Choice::Auto,
    };
}

/// Whether it is the tool that is meant.
pub(super) fn is(known: &Tool<'_>, tool: &ToolRef<'_>) -> bool {
    match (known, tool.item) {
        (Tool::Item(known), Some(item)) => known.tool == item,
        (_, Some(_)) => false,
        _ => known.name() == Some((tool.namespace.as_deref(), &*tool.name)),
    }
}

/// Leaves only those that are chosen, if there are any.
fn narrow(tools: &mut Vec<Tool<'_>>, chosen: impl Fn(&Tool<'_>) -> bool) -> bool {
    let some = tools.iter().any(&chosen);
    if some {
        tools.retain(chosen);
    }
    some
}

/// The tool, if there is but one.
fn only<'a>(tools: &[Tool<'a>]) -> Option<ToolRef<'a>> {
    let [tool] = tools else { return None };
    let mut only = ToolRef {
        name: Str::default(),
        namespace: None,
        custom: false,
        item: None,
    };
    match tool {
        Tool::Function(tool) => {
            only.name = tool.name.clone();
            only.namespace.clone_from(&tool.namespace);
        }
        Tool::Custom(tool) => {
            only.name = tool.name.clone();
            only.namespace.clone_from(&tool.namespace);
            only.custom = true;
        }
        Tool::Item(item) => only.item = Some(item.tool),
        Tool::Web(_) | Tool::Mcp(_) | Tool::Code(_) => return None,
    }
    Some(only)
}
