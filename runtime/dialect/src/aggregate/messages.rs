//! A whole Messages answer: the message as it started, its blocks, and what the end told.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::budget::Budget;
use super::{Incomplete, unreadable};

/// The answer so far.
#[derive(Debug, Default)]
pub(super) struct Messages {
    message: Option<Map<String, Value>>,
    /// By their place in the content.
    blocks: BTreeMap<u64, Block>,
}

#[derive(Debug, Default)]
struct Block {
    members: Map<String, Value>,
    /// The tool's input as JSON text, as far as it has come.
    input: String,
}

impl Messages {
    /// Takes an event; whether it was the terminal one.
    pub(super) fn event(
        &mut self,
        mut event: Map<String, Value>,
        budget: &mut Budget,
    ) -> Result<bool, Incomplete> {
        let Some(Value::String(kind)) = event.remove("type") else {
            return Err(unreadable("an event has no type"));
        };
        match kind.as_str() {
            // Some vendors announce the message twice.
            "message_start" if self.message.is_none() => {
                let Some(Value::Object(announced)) = event.remove("message") else {
                    return Err(unreadable("message_start has no message"));
                };
                let mut message = Map::new();
                budget.set_all(&mut message, announced)?;
                self.message = Some(message);
            }
            "content_block_start" => {
                let place = place(&event)?;
                let Some(Value::Object(members)) = event.remove("content_block") else {
                    return Err(unreadable("content_block_start has no block"));
                };
                let mut block = Block::default();
                budget.set_all(&mut block.members, members)?;
                self.blocks.insert(place, block);
            }
            "content_block_delta" => {
                let place = place(&event)?;
                let Some(Value::Object(delta)) = event.remove("delta") else {
                    return Err(unreadable("content_block_delta has no delta"));
                };
                self.blocks
                    .get_mut(&place)
                    .ok_or_else(|| unreadable("a delta belongs to a block that never started"))?
                    .grow(delta, budget)?;
            }
            "message_delta" => self.close(event, budget)?,
            "message_stop" => return Ok(true),
            _ => {}
        }
        Ok(false)
    }

    /// Takes what the end of the message tells: usage is the sum by then, so each number replaces the one before.
    fn close(&mut self, event: Map<String, Value>, budget: &mut Budget) -> Result<(), Incomplete> {
        let message = self.message.as_mut().ok_or_else(never_started)?;
        for (name, value) in event {
            match (name.as_str(), value) {
                ("delta", Value::Object(delta)) => budget.set_all(message, delta)?,
                ("usage", Value::Object(usage)) => match message.get_mut("usage") {
                    Some(Value::Object(before)) => budget.set_all(before, usage)?,
                    _ => budget.set(message, name, usage.into())?,
                },
                (_, value) => budget.set(message, name, value)?,
            }
        }
        Ok(())
    }

    /// The whole answer.
    pub(super) fn finish(self) -> Result<Map<String, Value>, Incomplete> {
        let mut message = self.message.ok_or_else(never_started)?;
        // The model was stopped amid a tool's input: that input says nothing. Anywhere else it is an error of the stream.
        let stopped_short = message.get("stop_reason").and_then(Value::as_str) != Some("tool_use");
        let mut content = Vec::with_capacity(self.blocks.len());
        for Block { mut members, input } in self.blocks.into_values() {
            if !input.is_empty() {
                match serde_json::from_str::<Value>(&input) {
                    Ok(input) => _ = members.insert("input".into(), input),
                    Err(_) if stopped_short => {}
                    Err(error) => {
                        return Err(unreadable(format!("a tool's input is no JSON: {error}")));
                    }
                }
            }
            content.push(Value::Object(members));
        }
        message.insert("content".into(), content.into());
        Ok(message)
    }
}

impl Block {
    fn grow(
        &mut self,
        mut delta: Map<String, Value>,
        budget: &mut Budget,
    ) -> Result<(), Incomplete> {
        let kind = delta.remove("type");
        match kind.as_ref().and_then(Value::as_str) {
            Some("input_json_delta") => {
                if let Some(Value::String(more)) = delta.remove("partial_json") {
                    budget.take(more.len())?;
                    self.input.push_str(&more);
                }
                Ok(())
            }
            Some("citations_delta") => {
                let citation = delta.remove("citation").into_iter().collect::<Vec<_>>();
                budget.append(&mut self.members, "citations".into(), citation.into())
            }
            // A signature is opaque and comes whole.
            Some("signature_delta") => budget.set_all(&mut self.members, delta),
            // Text, thinking, and whatever kind may be added: text grows, the rest replaces.
            _ => delta
                .into_iter()
                .try_for_each(|(name, value)| budget.append(&mut self.members, name, value)),
        }
    }
}

fn place(event: &Map<String, Value>) -> Result<u64, Incomplete> {
    event
        .get("index")
        .and_then(Value::as_u64)
        .ok_or_else(|| unreadable("a block has no index"))
}

fn never_started() -> Incomplete {
    unreadable("the message never started")
}
