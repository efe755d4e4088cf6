//! The list of models in the shape its caller wants.

use bytes::Bytes;
use serde_json::{Value, json};

/// What a client is told about a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelCard {
    /// The name to ask for.
    pub id: String,
    /// A name for people; empty: the id.
    pub display_name: String,
    /// Tokens; 0 if not known.
    pub context_window: u64,
    /// Tokens; 0 if not known.
    pub max_output_tokens: u64,
    /// For example `tools`, `vision`, `reasoning`.
    pub abilities: Vec<String>,
    /// Unix seconds; 0 if not known.
    pub created: u64,
    /// Who serves it.
    pub owned_by: String,
}

impl ModelCard {
    fn name(&self) -> &str {
        if self.display_name.is_empty() {
            &self.id
        } else {
            &self.display_name
        }
    }

    fn can(&self, ability: &str) -> bool {
        self.abilities.iter().any(|known| known == ability)
    }
}

/// `{"object":"list","data":[…]}`.
pub fn openai_list(models: &[ModelCard]) -> Bytes {
    bytes(&json!({ "object": "list", "data": openai_objects(models) }))
}

/// One model as an OpenAI object.
pub fn openai_model(model: &ModelCard) -> Bytes {
    bytes(&openai(model))
}

/// A page in the Anthropic shape. `limit` counts models; `after` and `before` are ids.
pub fn anthropic_list(
    models: &[ModelCard],
    limit: usize,
    after: Option<&str>,
    before: Option<&str>,
) -> Bytes {
    let position = |id: &str| models.iter().position(|model| model.id == id);
    let start = after.and_then(position).map_or(0, |position| position + 1);
    let end = before.and_then(position).unwrap_or(models.len()).max(start);
    let span = &models[start..end];
    // A page before an id ends right before it; any other begins where it is asked to.
    let page = match before {
        Some(_) if after.is_none() => &span[span.len().saturating_sub(limit)..],
        _ => &span[..span.len().min(limit)],
    };
    bytes(&json!({
        "data": page.iter().map(anthropic).collect::<Vec<_>>(),
        "has_more": page.len() < span.len(),
        "first_id": page.first().map(|model| &model.id),
        "last_id": page.last().map(|model| &model.id),
    }))
}

/// One model as an Anthropic object.
pub fn anthropic_model(model: &ModelCard) -> Bytes {
    bytes(&anthropic(model))
}

/// `{"models":[…]}` as Codex wants it, with the OpenAI list beside it for whoever reads that.
pub fn codex_list(models: &[ModelCard]) -> Bytes {
    let catalogue: Vec<_> = models
        .iter()
        .enumerate()
        .map(|(position, model)| codex(position, model))
        .collect();
    bytes(&json!({ "object": "list", "data": openai_objects(models), "models": catalogue }))
}

fn bytes(value: &Value) -> Bytes {
    value.to_string().into()
}

fn openai_objects(models: &[ModelCard]) -> Vec<Value> {
    models.iter().map(openai).collect()
}

fn openai(model: &ModelCard) -> Value {
    json!({ "id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by })
}

fn anthropic(model: &ModelCard) -> Value {
    let mut object = json!({
        "type": "model",
        "id": model.id,
        "display_name": model.name(),
        "created_at": rfc3339(model.created),
    });
    for (name, tokens) in [
        ("max_input_tokens", model.context_window),
        ("max_tokens", model.max_output_tokens),
    ] {
        if tokens > 0 {
            object[name] = tokens.into();
        }
    }
    object
}

/// How many tokens of context are assumed where nobody said.
const USUAL_CONTEXT: u64 = 128_000;

/// What an agent without a prompt of its own for this model is told to be.
const BASE_INSTRUCTIONS: &str = "You are a coding agent that works in a person's terminal. Use the tools you are given \
to read, change and run things in the working directory; look before you change, keep changes as small as the task \
allows, and check them. Say briefly what you did and what you could not do.";

fn codex(position: usize, model: &ModelCard) -> Value {
    let context = if model.context_window > 0 {
        model.context_window
    } else {
        USUAL_CONTEXT
    };
    let reasoning = model.can("reasoning");
    let levels = ["low", "medium", "high"].map(
        |effort| json!({ "effort": effort, "description": format!("Reasoning effort: {effort}") }),
    );
    let modalities: &[&str] = if model.can("vision") {
        &["text", "image"]
    } else {
        &["text"]
    };
    json!({
        "slug": model.id,
        "display_name": model.name(),
        "description": model.name(),
        "default_reasoning_level": reasoning.then_some("medium"),
        "supported_reasoning_levels": if reasoning { json!(levels) } else { json!([]) },
        "supports_reasoning_summaries": reasoning,
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": true,
        "priority": position,
        "availability_nux": null,
        "upgrade": null,
        "base_instructions": BASE_INSTRUCTIONS,
        "support_verbosity": false,
        "default_verbosity": null,
        // Freeform tools pass only where the upstream speaks the same dialect; plain editing works everywhere.
        "apply_patch_tool_type": model.can("custom-tools").then_some("freeform"),
        "truncation_policy": { "mode": "tokens", "limit": 10_000 },
        "supports_parallel_tool_calls": model.can("parallel-tools"),
        "context_window": context,
        "max_context_window": context,
        "auto_compact_token_limit": context / 10 * 9,
        "input_modalities": modalities,
        "experimental_supported_tools": [],
    })
}

/// Unix seconds as `YYYY-MM-DDThh:mm:ssZ`.
fn rfc3339(seconds: u64) -> String {
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin on 1 March, in cycles of 400 years, so that the leap day comes last.
    let day = day + 719_468;
    let (cycle, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = cycle * 400 + year + u64::from(month <= 2);
    let day = day - (153 * shifted + 2) / 5 + 1;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cards(ids: &[&str]) -> Vec<ModelCard> {
        ids.iter()
            .map(|&id| ModelCard {
                id: id.into(),
                owned_by: "house".into(),
                ..ModelCard::default()
            })
            .collect()
    }

    fn read(bytes: &Bytes) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn the_openai_list_has_what_sdks_require() {
        let list = read(&openai_list(&cards(&["a", "b\""])));
        assert_eq!(list["object"], "list");
        assert_eq!(
            list["data"][1],
            json!({"id": "b\"", "object": "model", "created": 0, "owned_by": "house"})
        );
        assert_eq!(read(&openai_model(&cards(&["a"])[0])), list["data"][0]);
    }

    #[test]
    fn the_anthropic_list_has_pages() {
        let models = cards(&["a", "b", "c", "d"]);
        let page = |limit, after, before| {
            let page = read(&anthropic_list(&models, limit, after, before));
            let ids: Vec<_> = page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|model| model["id"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(
                page["first_id"].as_str().map(str::to_owned),
                ids.first().cloned()
            );
            assert_eq!(
                page["last_id"].as_str().map(str::to_owned),
                ids.last().cloned()
            );
            (ids.concat(), page["has_more"].as_bool().unwrap())
        };
        assert_eq!(page(1_000, None, None), ("abcd".into(), false));
        assert_eq!(page(2, None, None), ("ab".into(), true));
        assert_eq!(page(2, Some("b"), None), ("cd".into(), false));
        assert_eq!(page(2, None, Some("d")), ("bc".into(), true));
        assert_eq!(page(2, Some("d"), None), (String::new(), false));
        assert_eq!(page(2, Some("c"), Some("b")), (String::new(), false));
    }

    #[test]
    fn an_anthropic_model_has_a_name_and_a_date() {
        let mut model = cards(&["a"]).remove(0);
        assert_eq!(read(&anthropic_model(&model))["display_name"], "a");
        model.display_name = "A".into();
        model.created = 1_709_210_096;
        let object = read(&anthropic_model(&model));
        assert_eq!(
            (&object["display_name"], &object["created_at"]),
            (&json!("A"), &json!("2024-02-29T12:34:56Z"))
        );
    }

    #[test]
    fn dates_follow_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), date);
        }
    }

    #[test]
    fn the_codex_list_has_every_required_member() {
        let mut models = cards(&["a", "b"]);
        models[0].abilities = ["reasoning", "vision"].map(str::to_owned).to_vec();
        models[0].context_window = 1_000_000;
        let list = read(&codex_list(&models));
        assert_eq!(list["data"][0]["id"], "a");
        for model in list["models"].as_array().unwrap() {
            for required in [
                "slug",
                "display_name",
                "description",
                "supported_reasoning_levels",
                "shell_type",
                "visibility",
                "supported_in_api",
                "priority",
                "availability_nux",
                "upgrade",
                "support_verbosity",
                "default_verbosity",
                "apply_patch_tool_type",
                "truncation_policy",
                "supports_parallel_tool_calls",
                "experimental_supported_tools",
                "base_instructions",
            ] {
                assert!(model.get(required).is_some(), "{required}");
            }
        }
        assert_eq!(
            list["models"][0]["input_modalities"],
            json!(["text", "image"])
        );
        assert_eq!(list["models"][0]["context_window"], 1_000_000);
        assert_eq!(list["models"][1]["supported_reasoning_levels"], json!([]));
    }
}
