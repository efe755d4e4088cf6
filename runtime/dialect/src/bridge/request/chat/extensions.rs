//! What vendors of Chat Completions have added to the dialect, each in its own words.
//!
//! Nobody's standard says what these look like, so what has another form than the known ones is left out, not refused.

use serde::Deserialize;

use super::wire::WireBody;
use crate::bridge::request::members::Members;
use crate::bridge::request::model::{Effort, Thinking};
use crate::bridge::request::text::{Raw, Str};

/// Reads the ways to say whether and how hard to think, beside what `reasoning_effort` has said.
pub(super) fn read_thinking<'a>(members: &mut Members<'a, WireBody<'a>>, thinking: &mut Thinking) {
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
    let switched: Switched<'_> = loosely(members.raw("thinking"));
    let routed: Routed<'_> = loosely(members.raw("reasoning"));
    let enabled: Option<bool> = loosely(members.raw("enable_thinking"));
    let budget: Option<u64> = loosely(members.raw("thinking_budget"));

    let effort = routed.effort.as_deref().and_then(Effort::from_name);
    let effort = thinking.effort.or(effort);
    let budget = switched.budget_tokens.or(budget).or(routed.max_tokens);
    let kind = match &*switched.kind {
        "enabled" | "adaptive" => Some(true),
        "disabled" => Some(false),
        _ => None,
    };
    let said = [kind, enabled, routed.enabled];
    if said.contains(&Some(false)) || effort == Some(Effort::None) {
        *thinking = Thinking {
            effort: Some(Effort::None),
            ..Thinking::default()
        };
        return;
    }
    thinking.effort = effort;
    thinking.budget = budget;
    thinking.wanted |= said.contains(&Some(true)) || effort.is_some() || budget.is_some();
    if thinking.wanted {
        thinking.readable = Some(routed.exclude != Some(true));
    }
}

/// Reads `top_k`.
pub(super) fn read_top_k<'a>(members: &mut Members<'a, WireBody<'a>>) -> Option<u64> {
    loosely::<Option<u64>>(members.raw("top_k")).filter(|most| *most > 0)
}

fn loosely<'a, T: Deserialize<'a> + Default>(raw: Option<Raw<'a>>) -> T {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}
