//! The list of models in the shape its caller wants.

use bytes::Bytes;

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

/// `{"object":"list","data":[…]}`.
pub fn openai_list(_models: &[ModelCard]) -> Bytes {
    todo!()
}

/// One model as an OpenAI object.
pub fn openai_model(_model: &ModelCard) -> Bytes {
    todo!()
}

/// A page in the Anthropic shape. `limit` counts models; `after` and `before` are ids.
pub fn anthropic_list(_models: &[ModelCard], _limit: usize, _after: Option<&str>, _before: Option<&str>) -> Bytes {
    todo!()
}

/// One model as an Anthropic object.
pub fn anthropic_model(_model: &ModelCard) -> Bytes {
    todo!()
}

/// `{"models":[…]}` as Codex wants it, with the OpenAI list beside it for whoever reads that.
pub fn codex_list(_models: &[ModelCard]) -> Bytes {
    todo!()
}
