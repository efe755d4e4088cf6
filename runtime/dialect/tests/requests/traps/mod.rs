//! What went wrong elsewhere, one test each.

mod cache;
mod content;
mod own_tools;
mod text;
mod thinking;
mod tools;

use serde_json::{Value, json};
use tollgate_dialect::Dialect;
use tollgate_dialect::bridge::{Abilities, Target};

use crate::support::*;

const CHAT: Dialect = Dialect::OpenaiChat;
const RESPONSES: Dialect = Dialect::OpenaiResponses;
const MESSAGES: Dialect = Dialect::AnthropicMessages;

fn agent(items: Value, tools: Value) -> Value {
    json!({"model": "asked", "input": items, "tools": tools})
}

fn called(id: &str) -> Value {
    json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"})
}

fn came(id: &str, output: Value) -> Value {
    json!({"type": "function_call_output", "call_id": id, "output": output})
}

fn with(names: &[&'static str], dialect: Dialect) -> Target<'static> {
    Target {
        abilities: Abilities::from_names(names.iter().copied()),
        ..able(dialect)
    }
}
