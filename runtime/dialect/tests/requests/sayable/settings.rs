//! Settings that the other dialect has no words for, or others.

use serde_json::{Value, json};
use tollgate_dialect::bridge::Context;
use tollgate_dialect::bridge::loss::{Fate, request_rows};

use super::super::meaning::{Entry, Meaning, NAMES, OTHERS, Part, Settings, Who};
use super::{CHAT, MESSAGES, RESPONSES, Way, fate, told};

/// Values of a refused member that say nothing.
const NOTHING: [&str; 6] = ["false", "0", "0.0", "\"\"", "[]", "{}"];

impl Way {
    /// Members that nothing here reads: the table drops them, or does not know them.
    pub(super) fn unread(self, meaning: &mut Meaning) -> Result<(), String> {
        let others = meaning.settings.remove(OTHERS).unwrap_or_default();
        for (name, value) in others.as_object().into_iter().flatten() {
            let row = request_rows(self.from).iter().find(|row| row.field == name);
            let neutral = NOTHING.contains(&&*value.to_string())
                || row.is_some_and(|row| row.neutral.contains(&&*value.to_string()));
            match fate(self.from, self.over, name) {
                None | Some(Fate::Dropped(_)) => {}
                // It is said over there, and does not come back.
                Some(_) if matches!(fate(self.over, self.from, name), Some(Fate::Dropped(_))) => {}
                Some(Fate::Refused(_)) if neutral => {}
                // `reasoning.effort` and its like are read by their parts.
                other => return Err(format!("{name} is not read here, and {other:?}")),
            }
        }
        Ok(())
    }

    pub(super) fn settings(self, meaning: &mut Meaning) {
        let settings = &mut meaning.settings;
        // A tier that is one vendor's own word.
        const TIERS: [&str; 6] = ["auto", "default", "flex", "scale", "priority", "fast"];
        if self.touches(MESSAGES)
            && let Some(tier) = settings.get_mut("tier")
        {
            told(
                if self.from == MESSAGES {
                    self.over
                } else {
                    self.from
                },
                MESSAGES,
                "service_tier",
            );
            *tier = match tier.as_str() {
                Some("auto" | "priority" | "scale" | "fast") => json!("auto"),
                _ => json!("default"),
            };
        } else if settings
            .get("tier")
            .is_some_and(|tier| !TIERS.contains(&tier.as_str().unwrap()))
        {
            told(self.from, self.over, "service_tier");
            settings.remove("tier");
        }
    }

    /// What the table drops on one of the two ways.
    pub(super) fn settings_dropped(self, meaning: &mut Meaning) {
        for (ours, names) in &NAMES {
            if *ours != "schema" && self.drops(names) {
                meaning.settings.remove(ours);
            }
        }
    }

    pub(super) fn cap(self, meaning: &mut Meaning) {
        let settings = &mut meaning.settings;
        let field = |dialect| match dialect {
            RESPONSES => "max_output_tokens",
            _ => "max_tokens",
        };
        told(self.from, self.over, field(self.from));
        if self.over == MESSAGES {
            settings.entry("cap").or_insert_with(|| json!(32_000));
        }
        if let Some(cap) = settings.get_mut("cap")
            && self.touches(RESPONSES)
        {
            *cap = json!(cap.as_u64().unwrap().max(16));
        }
    }

    pub(super) fn thinking_in_messages(self, meaning: &mut Meaning) {
        let forced = forced(meaning);
        let settings = &mut meaning.settings;
        let effort = settings
            .get("effort")
            .and_then(Value::as_str)
            .map(str::to_owned);
        match effort.as_deref() {
            Some("none") | None => {}
            Some(_) if forced => _ = settings.remove("effort"),
            Some("minimal") => _ = settings.insert("effort", json!("low")),
            Some(_) => {}
        }
        if forced && effort.as_deref() != Some("none") {
            settings.remove("shown");
            settings.remove("thinks");
        }
        // Thinking is shown in Messages unless the client says otherwise.
        if settings
            .get("effort")
            .is_some_and(|effort| effort != "none")
        {
            settings.insert("shown", json!(true));
        }
    }

    pub(super) fn thinking_of_messages(self, meaning: &mut Meaning) {
        let forced = forced(meaning);
        let settings = &mut meaning.settings;
        let thinks = settings.remove("thinks").is_some() && !forced;
        if forced
            && settings
                .get("effort")
                .is_some_and(|effort| effort != "none")
        {
            told(
                self.over,
                self.from,
                match self.over {
                    RESPONSES => "reasoning.effort",
                    _ => "reasoning_effort",
                },
            );
            settings.remove("effort");
        }
        match settings.get("effort") {
            Some(effort) if effort == "none" => {}
            Some(_) => {
                settings.insert("thinks", json!(true));
                settings.insert("shown", json!(true));
            }
            // In Chat there are no words for thinking as hard as the model does by itself.
            None if thinks && self.over == RESPONSES && settings.contains_key("shown") => {
                settings.insert("thinks", json!(true));
            }
            None => {
                told(self.from, self.over, "thinking");
                settings.remove("shown");
            }
        }
    }

    pub(super) fn sampling_in_messages(self, meaning: &mut Meaning) {
        let settings = &mut meaning.settings;
        let thinks = settings
            .get("effort")
            .is_some_and(|effort| effort != "none")
            || settings.contains_key("shown")
            || settings.contains_key("thinks");
        for name in ["temperature", "top_p"] {
            if let Some(value) = settings.get(name) {
                told(self.from, self.over, name);
                if thinks || value.as_f64().unwrap() >= 1.0 {
                    settings.remove(name);
                }
            }
        }
        if thinks {
            settings.remove("top_k");
        }
        // On, but how hard is not said: over there it is the model's own affair.
        settings.remove("thinks");
    }

    pub(super) fn sampling_of_messages(self, meaning: &mut Meaning) {
        let settings = &mut meaning.settings;
        let thinks = settings.contains_key("thinks");
        for name in ["temperature", "top_p"] {
            if let Some(value) = settings.get(name)
                && (thinks || value.as_f64().unwrap() >= 1.0)
            {
                told(self.over, self.from, name);
                settings.remove(name);
            }
        }
    }

    pub(super) fn format_in_messages(self, meaning: &mut Meaning, there: &Context) {
        let row = |kind| match self.from {
            CHAT => format!("response_format = {kind}"),
            _ => format!("text.format = {kind}"),
        };
        let Some(format) = meaning.settings.get("format").cloned() else {
            return;
        };
        let format = format.as_str().unwrap();
        told(self.from, self.over, &row(format));
        if format == "json_object" {
            meaning.settings.remove("format");
            let end = meaning
                .said
                .iter()
                .position(|entry| !matches!(entry, Entry::Said(Who::System, _)))
                .unwrap_or(meaning.said.len());
            let text = "Answer with one valid JSON object and nothing else: no other text and no code fence.";
            meaning
                .said
                .insert(end, Entry::Said(Who::System, Part::text(text)));
        }
        meaning.settings.remove("schema told");
        meaning.settings.remove("schema strict");
        if there.structured_tool.is_some() {
            for name in ["format", "schema", "schema name"] {
                meaning.settings.remove(name);
            }
        } else if format == "json_schema" {
            meaning.settings.insert("schema name", json!("answer"));
        }
    }

    /// Whether the table drops the setting on one of the two ways, or one of the dialects has no word for it.
    fn drops(self, names: &[Option<&str>; 3]) -> bool {
        let name = |dialect| match dialect {
            CHAT => names[0],
            RESPONSES => names[1],
            _ => names[2],
        };
        let dropped = |from, to| match name(from) {
            Some(field) => matches!(fate(from, to, field), Some(Fate::Dropped(_))),
            None => true,
        };
        dropped(self.from, self.over) || dropped(self.over, self.from)
    }

    /// Responses has a word for how hard to think, and none for thinking at all.
    pub(super) fn thinking_of_chat(self, meaning: &mut Meaning) {
        if meaning.settings.remove("thinks").is_some() {
            let field = "thinking, reasoning";
            told(self.from, self.over, field);
        }
    }

    /// What a dialect finds too long is told by its hash.
    pub(super) fn ids_too_long(self, settings: &mut Settings) {
        let user = match self.from {
            MESSAGES => "metadata.user_id",
            _ => "user",
        };
        for (ours, field) in [("user", user), ("cache key", "prompt_cache_key")] {
            let Some(id) = settings.get_mut(ours) else {
                continue;
            };
            let text = id.as_str().unwrap();
            let hash = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            if hash || text.chars().count() > 64 {
                told(self.from, self.over, field);
                *id = json!("a hash");
            }
        }
    }
}

/// Whether some tool must be called: a model that must, may not think in Messages.
fn forced(meaning: &Meaning) -> bool {
    ["required", "web", "code"].contains(&&*meaning.choice) || meaning.choice.starts_with("tool:")
}
