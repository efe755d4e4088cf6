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
    fn shown_name(&self) -> &str {
        if self.display_name.is_empty() { &self.id } else { &self.display_name }
    }

    fn can(&self, ability: &str) -> bool {
        self.abilities.iter().any(|known| known == ability)
    }
}

/// `{"object":"list","data":[…]}`.
pub fn openai_list(models: &[ModelCard]) -> Bytes {
    written(&json!({ "object": "list", "data": openai_entries(models) }))
}

/// One model as an OpenAI object.
pub fn openai_model(model: &ModelCard) -> Bytes {
    written(&openai_entry(model))
}

/// A page in the Anthropic shape. `limit` counts models; `after` and `before` are ids.
///
/// A cursor that names no model gives an empty page: whoever pages on from a model that has gone stops, and does not
/// start again.
pub fn anthropic_list(models: &[ModelCard], limit: usize, after: Option<&str>, before: Option<&str>) -> Bytes {
    let place = |id: &str| models.iter().position(|model| model.id == id);
    let start = after.map_or(0, |id| place(id).map_or(models.len(), |found| found + 1));
    let end = before.map_or(models.len(), |id| place(id).unwrap_or(0));
    let asked = models.get(start..end).unwrap_or_default();
    // Backwards, the page is the one that ends at the cursor.
    let page = if after.is_none() && before.is_some() {
        &asked[asked.len().saturating_sub(limit)..]
    } else {
        &asked[..asked.len().min(limit)]
    };
    written(&json!({
        "data": page.iter().map(anthropic_entry).collect::<Vec<_>>(),
        "has_more": page.len() < asked.len(),
        "first_id": page.first().map(|model| &model.id),
        "last_id": page.last().map(|model| &model.id),
    }))
}

/// One model as an Anthropic object.
pub fn anthropic_model(model: &ModelCard) -> Bytes {
    written(&anthropic_entry(model))
}

/// `{"models":[…]}` as Codex wants it, with the OpenAI list beside it for whoever reads that.
pub fn codex_list(models: &[ModelCard]) -> Bytes {
    let entries: Vec<Value> = models.iter().enumerate().map(|(place, model)| codex_entry(place, model)).collect();
    written(&json!({ "models": entries, "object": "list", "data": openai_entries(models) }))
}

fn written(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

fn openai_entries(models: &[ModelCard]) -> Vec<Value> {
    models.iter().map(openai_entry).collect()
}

fn openai_entry(model: &ModelCard) -> Value {
    json!({ "id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by })
}

fn anthropic_entry(model: &ModelCard) -> Value {
    json!({
        "type": "model",
        "id": model.id,
        "display_name": model.shown_name(),
        // The epoch stands for a date that is not known.
        "created_at": rfc3339(model.created),
        "max_input_tokens": known(model.context_window),
        "max_tokens": known(model.max_output_tokens),
    })
}

/// What Codex tells a model about its work, where the catalogue and not Codex has to say it.
const CODEX_INSTRUCTIONS: &str = "You are a coding agent that works in a terminal, on the user's machine and in the \
user's project. Carry the task through to its end: read the code that matters before you change it, make the smallest \
change that does what was asked in the style of its surroundings, and check it with the project's own build and tests \
where there are any. Use the tools you are given to read, to edit and to run commands; do not guess what a file or a \
command would say. Never undo work that is not yours, and ask before you destroy anything that cannot be restored. \
When you are done, say briefly what changed, how it was checked and what is still open.";

/// Every member that Codex requires, null where it may be, and the optional ones that a card can answer. What a card
/// cannot know is left at what any model can do: shell commands, no free-form tools, no verbosity.
fn codex_entry(place: usize, model: &ModelCard) -> Value {
    let reasons = model.can("reasoning");
    let levels = if reasons {
        json!([
            { "effort": "low", "description": "Quick answers with little thought" },
            { "effort": "medium", "description": "Thought and speed in balance" },
            { "effort": "high", "description": "Thorough thought for hard problems" },
        ])
    } else {
        json!([])
    };
    // A model whose abilities nobody listed is not kept from images.
    let modalities = if model.abilities.is_empty() || model.can("vision") { json!(["text", "image"]) } else { json!(["text"]) };
    json!({
        "slug": model.id,
        "display_name": model.shown_name(),
        "description": format!("Served by {}", model.owned_by),
        "default_reasoning_level": reasons.then_some("medium"),
        "supported_reasoning_levels": levels,
        "supports_reasoning_summaries": reasons,
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": true,
        "priority": place,
        "availability_nux": null,
        "upgrade": null,
        "base_instructions": CODEX_INSTRUCTIONS,
        "support_verbosity": false,
        "default_verbosity": null,
        "apply_patch_tool_type": null,
        // How much of a tool's output Codex keeps.
        "truncation_policy": { "mode": "tokens", "limit": 10_000 },
        "supports_parallel_tool_calls": model.can("tools"),
        "context_window": known(model.context_window),
        "max_context_window": known(model.context_window),
        "experimental_supported_tools": [],
        "input_modalities": modalities,
    })
}

fn known(tokens: u64) -> Option<u64> {
    (tokens > 0).then_some(tokens)
}

/// A moment in UTC, from Unix seconds. The calendar is counted in years that begin in March, so that the leap day is
/// the last of its year.
fn rfc3339(seconds: u64) -> String {
    const DAYS_OF_FOUR_CENTURIES: u64 = 146_097;
    // From 0000-03-01 to 1970-01-01.
    const DAYS_TO_EPOCH: u64 = 719_468;
    let days = seconds / 86_400 + DAYS_TO_EPOCH;
    let (cycle, day) = (days / DAYS_OF_FOUR_CENTURIES, days % DAYS_OF_FOUR_CENTURIES);
    let year = (day - day / 1_460 + day / 36_524 - day / (DAYS_OF_FOUR_CENTURIES - 1)) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = cycle * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(id: &str) -> ModelCard {
        ModelCard {
            id: id.into(),
            context_window: 200_000,
            max_output_tokens: 64_000,
            abilities: vec!["tools".into(), "reasoning".into()],
            created: 1_709_210_096,
            owned_by: "a vendor".into(),
            ..ModelCard::default()
        }
    }

    fn parsed(body: &Bytes) -> Value {
        serde_json::from_slice(body).unwrap()
    }

    /// The ids of a page, whether more follow, and the two cursors.
    fn page(limit: usize, after: Option<&str>, before: Option<&str>) -> (Vec<String>, bool, Value, Value) {
        let cards = ["a", "b", "c", "d", "e"].map(card);
        let list = parsed(&anthropic_list(&cards, limit, after, before));
        let ids = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().into()).collect();
        (ids, list["has_more"].as_bool().unwrap(), list["first_id"].clone(), list["last_id"].clone())
    }

    #[test]
    fn an_openai_list_holds_what_a_single_model_is() {
        let list = parsed(&openai_list(&[card("one/with \"quotes\""), card("two")]));
        assert_eq!(list["object"], "list");
        assert_eq!(list["data"].as_array().unwrap().len(), 2);
        assert_eq!(list["data"][0], parsed(&openai_model(&card("one/with \"quotes\""))));
        assert_eq!(
            list["data"][1],
            json!({ "id": "two", "object": "model", "created": 1_709_210_096, "owned_by": "a vendor" })
        );
        assert_eq!(parsed(&openai_list(&[])), json!({ "object": "list", "data": [] }));
    }

    #[test]
    fn an_anthropic_model_names_itself_by_its_id_where_it_has_no_name() {
        let named = ModelCard { display_name: "The One".into(), ..card("one") };
        assert_eq!(
            parsed(&anthropic_model(&named)),
            json!({
                "type": "model", "id": "one", "display_name": "The One", "created_at": "2024-02-29T12:34:56Z",
                "max_input_tokens": 200_000, "max_tokens": 64_000,
            })
        );
        let bare = parsed(&anthropic_model(&ModelCard { id: "bare".into(), ..ModelCard::default() }));
        assert_eq!((&bare["display_name"], &bare["created_at"]), (&json!("bare"), &json!("1970-01-01T00:00:00Z")));
        assert!(bare["max_input_tokens"].is_null() && bare["max_tokens"].is_null(), "{bare}");
    }

    #[test]
    fn anthropic_pages_meet_without_a_gap_in_both_directions() {
        let ids = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(page(2, None, None), (ids(&["a", "b"]), true, json!("a"), json!("b")));
        assert_eq!(page(2, Some("b"), None), (ids(&["c", "d"]), true, json!("c"), json!("d")));
        assert_eq!(page(2, Some("d"), None), (ids(&["e"]), false, json!("e"), json!("e")));
        assert_eq!(page(2, None, Some("e")), (ids(&["c", "d"]), true, json!("c"), json!("d")));
        assert_eq!(page(2, None, Some("c")), (ids(&["a", "b"]), false, json!("a"), json!("b")));
        assert_eq!(page(5, None, None), (ids(&["a", "b", "c", "d", "e"]), false, json!("a"), json!("e")));
        assert_eq!(page(9, Some("a"), Some("d")), (ids(&["b", "c"]), false, json!("b"), json!("c")));
    }

    #[test]
    fn a_cursor_that_names_no_model_ends_the_paging() {
        let empty = (Vec::new(), false, Value::Null, Value::Null);
        assert_eq!(page(2, Some("gone"), None), empty);
        assert_eq!(page(2, None, Some("gone")), empty);
        assert_eq!(page(2, Some("e"), None), empty);
        assert_eq!(page(2, Some("d"), Some("b")), empty);
    }

    #[test]
    fn codex_finds_every_member_it_requires_and_of_its_kind() {
        let blind = card("thinker");
        let list = parsed(&codex_list(&[blind.clone(), ModelCard { id: "bare".into(), ..ModelCard::default() }]));
        for (place, entry) in list["models"].as_array().unwrap().iter().enumerate() {
            for text in ["slug", "display_name", "description", "base_instructions"] {
                assert!(entry[text].as_str().is_some_and(|text| !text.is_empty()), "{text} in {entry}");
            }
            for flag in [
                "supported_in_api",
                "support_verbosity",
                "supports_parallel_tool_calls",
                "supports_reasoning_summaries",
            ] {
                assert!(entry[flag].is_boolean(), "{flag} in {entry}");
            }
            for open in ["availability_nux", "upgrade", "default_verbosity", "apply_patch_tool_type"] {
                assert!(entry.as_object().unwrap().contains_key(open), "{open} in {entry}");
            }
            assert_eq!((&entry["shell_type"], &entry["visibility"]), (&json!("shell_command"), &json!("list")));
            assert_eq!(entry["truncation_policy"], json!({ "mode": "tokens", "limit": 10_000 }));
            assert_eq!((&entry["priority"], &entry["experimental_supported_tools"]), (&json!(place), &json!([])));
        }
        let (thinker, bare) = (&list["models"][0], &list["models"][1]);
        assert_eq!((&thinker["context_window"], &thinker["input_modalities"]), (&json!(200_000), &json!(["text"])));
        let efforts = thinker["supported_reasoning_levels"].as_array().unwrap();
        assert!(efforts.iter().any(|level| level["effort"] == thinker["default_reasoning_level"]), "{thinker}");
        assert!(efforts.iter().all(|level| level["description"].is_string()), "{thinker}");
        assert_eq!((&bare["supported_reasoning_levels"], &bare["default_reasoning_level"]), (&json!([]), &Value::Null));
        assert_eq!((&bare["context_window"], &bare["input_modalities"]), (&Value::Null, &json!(["text", "image"])));
        assert_eq!((&list["object"], &list["data"][0]), (&json!("list"), &parsed(&openai_model(&blind))));
    }

    #[test]
    fn dates_keep_to_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (1_798_761_600, "2027-01-01T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), date);
        }
    }
}
