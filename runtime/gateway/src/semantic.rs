//! Names of OpenTelemetry's semantic conventions for generative AI (in development there, schema `gen-ai` 1.42).

use tollgate_dialect::Operation;

/// Values of `gen_ai.operation.name`: a closed set.
pub(crate) const OPERATION_NAMES: [&str; 3] = ["chat", "embeddings", "count_tokens"];

/// What the conventions call an operation. Counting has no name there: it has its own.
pub(crate) const fn operation_name(operation: Operation) -> &'static str {
    OPERATION_NAMES[operation_place(operation)]
}

/// Where its name stands.
pub(crate) const fn operation_place(operation: Operation) -> usize {
    match operation {
        Operation::ChatCompletions
        | Operation::Responses
        | Operation::Compact
        | Operation::Messages => 0,
        Operation::Embeddings => 1,
        Operation::InputTokens | Operation::CountTokens => 2,
    }
}
