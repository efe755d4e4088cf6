//! Embeddings.

use base64::Engine as _;
use serde_json::{Value, json};

use super::answer::Answer;
use super::tokens::EMBEDDING;

/// One small vector for each input, as numbers or in base64, as asked.
pub(super) fn answer(body: &Value) -> Answer {
    let count = match &body["input"] {
        Value::Array(inputs) if !inputs.iter().all(Value::is_number) => inputs.len(),
        _ => 1,
    };
    let data: Vec<Value> = (0..count)
        .map(|index| {
            let vector = [0.25_f32, -0.5, index as f32];
            let embedding = if body["encoding_format"] == "base64" {
                let bytes: Vec<u8> = vector
                    .iter()
                    .flat_map(|number| number.to_le_bytes())
                    .collect();
                json!(base64::engine::general_purpose::STANDARD.encode(bytes))
            } else {
                json!(vector)
            };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        })
        .collect();
    let usage = json!({ "prompt_tokens": EMBEDDING.input, "total_tokens": EMBEDDING.input });
    let body = json!({ "object": "list", "data": data, "model": body["model"], "usage": usage });
    Answer::json(200, body.to_string())
}
