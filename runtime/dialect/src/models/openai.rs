//! A model in an OpenAI list. OpenAI tells nothing but the name; what a model can do stands in the members that the best
//! known router of many vendors has added, which all SDKs pass over. What is not known is not there.

use serde_json::{Value, json};

use super::{ModelCard, set_tokens};

pub(super) fn object(model: &ModelCard) -> Value {
    let mut object = json!({
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
    });
    set_tokens(&mut object, "context_length", model.context_window);
    set_tokens(
        &mut object,
        "max_completion_tokens",
        model.max_output_tokens,
    );
    // Where the router itself has the cap, and its clients look for it.
    let mut top = json!({});
    set_tokens(&mut top, "context_length", model.context_window);
    set_tokens(&mut top, "max_completion_tokens", model.max_output_tokens);
    if top != json!({}) {
        object["top_provider"] = top;
    }
    if model.only_embeds {
        object["architecture"] =
            json!({ "input_modalities": ["text"], "output_modalities": ["embeddings"] });
        return object;
    }
    if model.abilities.is_empty() {
        return object;
    }
    object["architecture"] =
        json!({ "input_modalities": model.inputs(), "output_modalities": ["text"] });
    object["supported_parameters"] = parameters(model).into();
    if model.can("reasoning") {
        object["reasoning"] = reasoning(model);
    }
    object
}

/// Members of a request that the model heeds.
fn parameters(model: &ModelCard) -> Vec<&'static str> {
    let sampled = !model.can("no-sampling");
    let known: [(bool, &[&str]); 6] = [
        (sampled, &["temperature", "top_p"]),
        (model.can("tools"), &["tools", "tool_choice"]),
        (model.can("parallel-tools"), &["parallel_tool_calls"]),
        (
            model.can("structured-output"),
            &["response_format", "structured_outputs"],
        ),
        (model.can("reasoning"), &["reasoning_effort"]),
        (model.can("web-search"), &["web_search_options"]),
    ];
    let heeded = known.into_iter().filter(|(heeded, _)| *heeded);
    heeded
        .flat_map(|(_, names)| names.iter().copied())
        .collect()
}

/// Whether it must reason, and which efforts it knows, the hardest first.
fn reasoning(model: &ModelCard) -> Value {
    let mut reasoning = json!({ "mandatory": model.can("always-thinks") });
    let mut efforts = model.efforts();
    if !efforts.is_empty() {
        efforts.reverse();
        reasoning["supported_efforts"] = efforts.into();
    }
    reasoning
}
