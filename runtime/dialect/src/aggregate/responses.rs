//! A whole Responses answer: the terminal event has it; what it lacks was told before.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::budget::{Budget, says_nothing};
use super::{Incomplete, unreadable};

/// The answer so far.
#[derive(Debug, Default)]
pub(super) struct Responses {
    /// As the stream announced it: for terminal events that repeat only what has changed.
    announced: Map<String, Value>,
    /// Finished items by their place in the output.
    items: BTreeMap<u64, Value>,
    ended: Map<String, Value>,
}

impl Responses {
    /// Takes an event; whether it was the terminal one.
    pub(super) fn event(
        &mut self,
        mut event: Map<String, Value>,
        budget: &mut Budget,
    ) -> Result<bool, Incomplete> {
        let kind = event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let status = match kind {
            "response.created" => {
                if let Some(Value::Object(response)) = event.remove("response") {
                    budget.set_all(&mut self.announced, response)?;
                }
                return Ok(false);
            }
            "response.output_item.done" => {
                let place = event.get("output_index").and_then(Value::as_u64);
                let place = place.unwrap_or_else(|| {
                    self.items
                        .keys()
                        .next_back()
                        .map_or(0, |last| last.saturating_add(1))
                });
                if let Some(item) = event.remove("item") {
                    budget.take_value(&item)?;
                    self.items.insert(place, item);
                }
                return Ok(false);
            }
            "response.completed" => "completed",
            "response.incomplete" => "incomplete",
            _ => return Ok(false),
        };
        let Some(Value::Object(mut response)) = event.remove("response") else {
            return Err(unreadable("the terminal event has no response"));
        };
        // Some vendors forget to say in the response what its event says.
        let told = response.get("status").and_then(Value::as_str);
        if matches!(told, None | Some("" | "queued" | "in_progress")) {
            response.insert("status".into(), status.into());
        }
        budget.set_all(&mut self.ended, response)?;
        Ok(true)
    }

    /// The whole answer.
    pub(super) fn finish(self) -> Result<Map<String, Value>, Incomplete> {
        let Self {
            announced,
            items,
            ended: mut answer,
        } = self;
        if answer.get("output").is_none_or(says_nothing) {
            answer.insert("output".into(), items.into_values().collect());
        }
        for (name, value) in announced {
            answer.entry(name).or_insert(value);
        }
        Ok(answer)
    }
}
