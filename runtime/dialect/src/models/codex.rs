//! A model in Codex's catalogue. Codex reads all of a list or nothing of it: one value that it does not know, and every
//! model of the list is a stranger to it.

use serde_json::{Value, json};

use super::ModelCard;

/// How many tokens of context are assumed where nobody said: an agent that is told of no window never sums up in time.
const USUAL_CONTEXT: u64 = 128_000;

/// The most that is kept of what a tool put out, in tokens: as in the client's own catalogue.
const MOST_TOOL_OUTPUT: u64 = 10_000;

/// What is offered where it is not known which efforts a model knows.
const USUAL_EFFORTS: [&str; 3] = ["low", "medium", "high"];

/// What an agent without a prompt of its own for this model is told to be.
const BASE_INSTRUCTIONS: &str = "You are a coding agent that works in a person's terminal. Use the tools you are given \
to read, change and run things in the working directory; look before you change, keep changes as small as the task \
allows, and check them. Say briefly what you did and what you could not do.";

pub(super) fn entry(position: usize, model: &ModelCard) -> Value {
    let context = match model.context_window {
        0 => USUAL_CONTEXT,
        known => known,
    };
    let reasoning = model.can("reasoning");
    let summaries = reasoning && model.can("reasoning-summaries");
    json!({
        "slug": model.id,
        "display_name": model.name(),
        "description": model.name(),
        "default_reasoning_level": reasoning.then(|| model.bridged().efforts.middle()),
        "supported_reasoning_levels": levels(model),
        // The first is what it was called before 0.169, which takes the second.
        "supports_reasoning_summaries": reasoning,
        "supports_reasoning_summary_parameter": reasoning,
        // Whoever sets it asks all the same; some accounts are refused a summary.
        "default_reasoning_summary": if summaries { "auto" } else { "none" },
        "shell_type": "shell_command",
        // Nobody talks to a model that makes embeddings.
        "visibility": if model.only_embeds { "hide" } else { "list" },
        "supported_in_api": true,
        "priority": position,
        "availability_nux": null,
        "upgrade": null,
        "base_instructions": BASE_INSTRUCTIONS,
        "support_verbosity": model.can("verbosity"),
        // As the vendor does by itself.
        "default_verbosity": null,
        // Free text crosses to every vendor, but only some hold a model to its grammar; plain editing works everywhere.
        "apply_patch_tool_type": model.can("custom-tools").then_some("freeform"),
        "truncation_policy": { "mode": "tokens", "limit": MOST_TOOL_OUTPUT.min(context / 10) },
        "supports_parallel_tool_calls": model.can("parallel-tools"),
        "context_window": context,
        "max_context_window": context,
        "auto_compact_token_limit": context / 10 * 9,
        "input_modalities": model.inputs(),
        "experimental_supported_tools": [],
    })
}

/// The efforts that a user can choose from.
fn levels(model: &ModelCard) -> Vec<Value> {
    let known = model.efforts();
    let offered = match (model.can("reasoning"), known.is_empty()) {
        (false, _) => &[],
        (true, true) => &USUAL_EFFORTS[..],
        (true, false) => &known,
    };
    let level = |effort: &&str| json!({ "effort": effort, "description": format!("Reasoning effort: {effort}") });
    offered.iter().map(level).collect()
}
