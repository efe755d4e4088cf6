//! The list of models in the shape its caller wants.

mod anthropic;
mod codex;
mod date;
mod openai;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::bridge::Abilities;

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
    /// For example `tools`, `vision`, `reasoning`; empty if not known.
    pub abilities: Vec<String>,
    /// Whether it makes embeddings and answers nothing.
    pub only_embeds: bool,
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

    /// What the bridge makes of its abilities.
    fn bridged(&self) -> Abilities {
        Abilities::from_names(self.abilities.iter().map(String::as_str))
    }

    /// The efforts that it is known to know, from the least to the hardest.
    fn efforts(&self) -> Vec<&'static str> {
        self.bridged().efforts.names()
    }

    /// What it reads.
    fn inputs(&self) -> &'static [&'static str] {
        match self.can("vision") {
            true => &["text", "image"],
            false => &["text"],
        }
    }
}

/// `{"object":"list","data":[…]}`.
pub fn openai_list(models: &[ModelCard]) -> Bytes {
    bytes(&json!({ "object": "list", "data": objects(models) }))
}

/// One model as an OpenAI object.
pub fn openai_model(model: &ModelCard) -> Bytes {
    bytes(&openai::object(model))
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
        "data": page.iter().map(anthropic::object).collect::<Vec<_>>(),
        "has_more": page.len() < span.len(),
        "first_id": page.first().map(|model| &model.id),
        "last_id": page.last().map(|model| &model.id),
    }))
}

/// One model as an Anthropic object.
pub fn anthropic_model(model: &ModelCard) -> Bytes {
    bytes(&anthropic::object(model))
}

/// `{"models":[…]}` as Codex wants it, with the OpenAI list beside it for whoever reads that.
pub fn codex_list(models: &[ModelCard]) -> Bytes {
    let catalogue: Vec<_> = models
        .iter()
        .enumerate()
        .map(|(position, model)| codex::entry(position, model))
        .collect();
    bytes(&json!({ "object": "list", "data": objects(models), "models": catalogue }))
}

fn bytes(value: &Value) -> Bytes {
    value.to_string().into()
}

fn objects(models: &[ModelCard]) -> Vec<Value> {
    models.iter().map(openai::object).collect()
}

/// Sets a number of tokens where it is known.
fn set_tokens(object: &mut Value, name: &str, tokens: u64) {
    if tokens > 0 {
        object[name] = tokens.into();
    }
}
