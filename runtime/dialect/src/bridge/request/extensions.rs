//! What certain vendors have added to the dialects, each in its own words: read the same way whichever dialect it stands in.
//!
//! Nobody's standard says what these look like. What only asks for more or less thinking, or tunes, and has another form
//! than the known ones is left out; what binds the answer is refused then.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Way;
use super::members::{Members, invalid, parse};
use super::model::{Effort, Format, Schema, Thinking};
use super::text::{Raw, Str};
use crate::ApiError;

/// Reads the ways to say whether and how hard to think, beside what the dialect's own words have said: those were read
/// before, so a word that is the dialect's own is not found here.
pub(super) fn read_thinking<L>(members: &mut Members<'_, L>, thinking: &mut Thinking) {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Switched<'a> {
        #[serde(borrow, rename = "type")]
        kind: Str<'a>,
        budget_tokens: Option<u64>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Routed<'a> {
        #[serde(borrow)]
        effort: Option<Str<'a>>,
        max_tokens: Option<u64>,
        enabled: Option<bool>,
        exclude: Option<bool>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Template {
        enable_thinking: Option<bool>,
        thinking: Option<bool>,
    }
    let switched: Switched<'_> = loosely(members.raw("thinking"));
    let routed: Routed<'_> = loosely(members.raw("reasoning"));
    let template: Template = loosely(members.raw("chat_template_kwargs"));
    let enabled: Option<bool> = loosely(members.raw("enable_thinking"));
    let budget: Option<u64> = loosely(members.raw("thinking_budget"));
    let disabled: Option<bool> = loosely(members.raw("disable_reasoning"));
    let included: Option<bool> = loosely(members.raw("include_reasoning"));

    let kind = match &*switched.kind {
        "enabled" | "adaptive" => Some(true),
        "disabled" => Some(false),
        _ => None,
    };
    // Not disabled is what it is by itself.
    let off = disabled.filter(|disabled| *disabled).map(|_| false);
    let hidden = routed.exclude == Some(true) || included == Some(false);
    let said = [
        kind,
        off,
        enabled,
        routed.enabled,
        template.enable_thinking,
        template.thinking,
    ];
    let effort = routed.effort.as_deref().and_then(Effort::from_name);
    let budget = switched.budget_tokens.or(budget).or(routed.max_tokens);
    let silent = routed.exclude.is_none() && included.is_none();
    if said == [None; 6] && effort.is_none() && budget.is_none() && silent {
        return;
    }
    let effort = thinking.effort.or(effort);
    if said.contains(&Some(false)) || effort == Some(Effort::None) {
        *thinking = Thinking {
            effort: Some(Effort::None),
            encrypted: thinking.encrypted,
            ..Thinking::default()
        };
        return;
    }
    thinking.effort = effort;
    thinking.budget = budget.or(thinking.budget);
    thinking.wanted |= said.contains(&Some(true)) || effort.is_some() || budget.is_some();
    if thinking.wanted || hidden {
        thinking.readable = Some(!hidden);
    }
}

/// Reads `top_k`.
pub(super) fn read_top_k<L>(members: &mut Members<'_, L>) -> Option<u64> {
    loosely::<Option<u64>>(members.raw("top_k")).filter(|most| *most > 0)
}

/// Reads what the answer must look like, beside what the dialect's own words have said.
pub(super) fn read_format<'a, L>(
    members: &mut Members<'a, L>,
    format: &mut Format<'a>,
    way: Way,
) -> Result<(), ApiError> {
    if let Some(schema) = members.raw("guided_json") {
        bind(
            format,
            Format::Schema(schema_of(schema, "guided_json")?),
            "guided_json",
        )?;
    }
    let Some(wanted) = members.raw("structured_outputs") else {
        return Ok(());
    };
    let wanted: BTreeMap<Str<'a>, Raw<'a>> = parse(wanted, "structured_outputs")?;
    for (name, value) in wanted {
        let param = format!("structured_outputs.{}", &*name);
        match (&*name, value.get()) {
            (_, "null" | "false") => {}
            ("json", _) => bind(format, Format::Schema(schema_of(value, &param)?), &param)?,
            ("json_object", "true") => bind(format, Format::JsonObject, &param)?,
            ("whitespace_pattern", _) | ("disable_any_whitespace" | "disable_fallback", _) => {}
            _ => return Err(way.refuse("structured_outputs", param)),
        }
    }
    Ok(())
}

fn schema_of<'a>(schema: Raw<'a>, param: &str) -> Result<Schema<'a>, ApiError> {
    // As a string it is taken by one server alone, and would have to be unpacked to be sent on.
    if !schema.get().starts_with('{') {
        let message = format!("`{param}` must be the JSON schema itself, an object.");
        return Err(invalid(message).with_param(param));
    }
    Ok(Schema {
        name: None,
        description: None,
        schema,
        strict: None,
    })
}

fn bind<'a>(format: &mut Format<'a>, to: Format<'a>, param: &str) -> Result<(), ApiError> {
    if !matches!(format, Format::Text) {
        let message = format!("`{param}` cannot stand beside another form of the answer.");
        return Err(invalid(message).with_param(param));
    }
    *format = to;
    Ok(())
}

fn loosely<'a, T: Deserialize<'a> + Default>(raw: Option<Raw<'a>>) -> T {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}
