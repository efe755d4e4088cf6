//! Members of a tree in the making, and how much of them may be held.

use serde_json::{Map, Value};

use super::Incomplete;

/// What a value costs besides its text, in bytes: about its place in memory.
const PLACE: usize = 32;

/// How many bytes may be held, and how many are.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: usize,
}

impl Budget {
    /// Nothing held, `limit` bytes to go.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, used: 0 }
    }

    /// Whether this many bytes fit for a moment.
    pub(super) fn has_room_for(&self, bytes: usize) -> Result<(), Incomplete> {
        if self.used.saturating_add(bytes) > self.limit {
            Err(Incomplete::TooLarge)
        } else {
            Ok(())
        }
    }

    /// Holds this many bytes more.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Incomplete> {
        self.has_room_for(bytes)?;
        self.used += bytes;
        Ok(())
    }

    /// Holds a value more.
    pub(super) fn take_value(&mut self, value: &Value) -> Result<(), Incomplete> {
        self.take(weight(value))
    }

    /// Puts a member in the place of what was there. What says nothing replaces nothing.
    pub(super) fn set(
        &mut self,
        into: &mut Map<String, Value>,
        name: String,
        value: Value,
    ) -> Result<(), Incomplete> {
        match into.get_mut(&name) {
            Some(_) if says_nothing(&value) => {}
            Some(before) => {
                self.used = self.used.saturating_sub(weight(before));
                self.take_value(&value)?;
                *before = value;
            }
            None => {
                self.take(name.len())?;
                self.take_value(&value)?;
                into.insert(name, value);
            }
        }
        Ok(())
    }

    /// Puts every member of `from` in the place of what was there.
    pub(super) fn set_all(
        &mut self,
        into: &mut Map<String, Value>,
        from: Map<String, Value>,
    ) -> Result<(), Incomplete> {
        from.into_iter()
            .try_for_each(|(name, value)| self.set(into, name, value))
    }

    /// Writes text behind a member's text, and elements behind a member's elements; anything else replaces.
    pub(super) fn append(
        &mut self,
        into: &mut Map<String, Value>,
        name: String,
        value: Value,
    ) -> Result<(), Incomplete> {
        match (into.get_mut(&name), value) {
            (Some(Value::String(before)), Value::String(more)) => {
                self.take(more.len())?;
                before.push_str(&more);
                Ok(())
            }
            (Some(Value::Array(before)), Value::Array(more)) => {
                more.iter().try_for_each(|value| self.take_value(value))?;
                before.extend(more);
                Ok(())
            }
            (_, value) => self.set(into, name, value),
        }
    }
}

/// Placeholders of vendors that write every member into every event.
pub(super) fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn weight(value: &Value) -> usize {
    PLACE
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(weight).sum(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| name.len() + weight(value))
                .sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}
