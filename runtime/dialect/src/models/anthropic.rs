//! A model in an Anthropic list: its limits, and of its capabilities those that are known.

use serde_json::{Map, Value, json};

use super::{ModelCard, date, set_tokens};

/// The efforts that the dialect has words for.
const EFFORTS: [&str; 5] = ["low", "medium", "high", "xhigh", "max"];

pub(super) fn object(model: &ModelCard) -> Value {
    let mut object = json!({
        "type": "model",
        "id": model.id,
        "display_name": model.name(),
        "created_at": date::rfc3339(model.created),
    });
    set_tokens(&mut object, "max_input_tokens", model.context_window);
    set_tokens(&mut object, "max_tokens", model.max_output_tokens);
    if !model.abilities.is_empty() {
        object["capabilities"] = capabilities(model);
    }
    object
}

fn capabilities(model: &ModelCard) -> Value {
    let mut all = json!({
        "image_input": supported(model.can("vision")),
        "structured_outputs": supported(model.can("structured-output")),
        "thinking": thinking(model),
    });
    if let Some(effort) = effort(model) {
        all["effort"] = effort;
    }
    // That a vendor has none of these says nothing of the other tools that it runs.
    for (ability, tool) in [
        ("web-search", "web_search"),
        ("code-execution", "code_execution"),
    ] {
        if model.can(ability) {
            all["server_tools"]["supported"] = true.into();
            all["server_tools"][tool] = supported(true);
        }
    }
    all
}

fn thinking(model: &ModelCard) -> Value {
    let reasons = model.can("reasoning");
    let adaptive = reasons && model.can("adaptive-thinking");
    let mut types = json!({
        "adaptive": supported(adaptive),
        "disabled": supported(!model.can("always-thinks")),
    });
    // Some of those that see by themselves how hard to think take a budget, too; which is not listed.
    if !adaptive {
        types["enabled"] = supported(reasons);
    }
    json!({ "supported": reasons, "types": types })
}

/// Nothing where the model reasons and nobody says which efforts it knows.
fn effort(model: &ModelCard) -> Option<Value> {
    let known = match model.can("reasoning") {
        true => model.efforts(),
        false => Vec::new(),
    };
    if model.can("reasoning") && known.is_empty() {
        return None;
    }
    let mut effort = Map::new();
    effort.insert("supported".to_owned(), (!known.is_empty()).into());
    for level in EFFORTS {
        effort.insert(level.to_owned(), supported(known.contains(&level)));
    }
    Some(effort.into())
}

fn supported(supported: bool) -> Value {
    json!({ "supported": supported })
}
