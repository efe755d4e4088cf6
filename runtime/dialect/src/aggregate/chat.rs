//! A whole Chat Completions answer: choices by their index, each message grown from its deltas.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Incomplete;
use super::budget::{Budget, says_nothing};

/// Text that comes in pieces. Any other text in a delta is a name or a mark: the last one told stands.
const PIECES: [&str; 6] = [
    "content",
    "refusal",
    "reasoning_content",
    "reasoning",
    "thinking",
    "arguments",
];

/// The answer so far.
#[derive(Debug, Default)]
pub(super) struct Chat {
    /// Everything but the choices.
    members: Map<String, Value>,
    choices: BTreeMap<u64, Choice>,
}

#[derive(Debug, Default)]
struct Choice {
    /// Everything but the message.
    members: Map<String, Value>,
    message: Map<String, Value>,
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    members: Map<String, Value>,
}

impl Chat {
    /// Takes an event. It never is the terminal one: that has no JSON.
    pub(super) fn event(
        &mut self,
        event: Map<String, Value>,
        budget: &mut Budget,
    ) -> Result<bool, Incomplete> {
        for (name, value) in event {
            match (name.as_str(), value) {
                ("choices", Value::Array(choices)) => {
                    for (place, choice) in (0..).zip(choices) {
                        let Value::Object(choice) = choice else {
                            continue;
                        };
                        // Some vendors leave it out: then a choice is the one at its place.
                        let index = choice.get("index").and_then(Value::as_u64);
                        let index = index.unwrap_or(place);
                        self.choices
                            .entry(index)
                            .or_default()
                            .grow(choice, budget)?;
                    }
                }
                // `choices` may be null, the other two are about the stream and not about the answer.
                ("choices" | "object" | "obfuscation", _) => {}
                (_, value) => budget.set(&mut self.members, name, value)?,
            }
        }
        Ok(false)
    }

    /// The whole answer; `done` says whether the stream said that it was done. Some vendors do not: then every choice
    /// must have told why it finished.
    pub(super) fn finish(self, done: bool) -> Result<Map<String, Value>, Incomplete> {
        let Self {
            members: mut answer,
            choices,
        } = self;
        let finished = |choice: &Choice| {
            choice
                .members
                .get("finish_reason")
                .is_some_and(|reason| !says_nothing(reason))
        };
        if choices.is_empty() || !(done || choices.values().all(finished)) {
            return Err(Incomplete::Cut);
        }
        let mut choices: Vec<Value> = choices
            .into_iter()
            .map(|(index, choice)| choice.finish(index))
            .collect();
        // A vendor that hides usage in a choice does so in its streams only.
        if answer.get("usage").is_none_or(says_nothing)
            && let Some(usage) = choices
                .iter_mut()
                .find_map(|choice| choice.as_object_mut()?.remove("usage"))
        {
            answer.insert("usage".into(), usage);
        }
        answer.insert("object".into(), "chat.completion".into());
        answer.insert("choices".into(), choices.into());
        Ok(answer)
    }
}

impl Choice {
    fn grow(&mut self, choice: Map<String, Value>, budget: &mut Budget) -> Result<(), Incomplete> {
        for (name, value) in choice {
            match (name.as_str(), value) {
                ("delta", Value::Object(delta)) => self.message(delta, budget)?,
                // Some vendors end with the whole message: it repeats the deltas, if there were any.
                ("message", Value::Object(message)) if self.is_silent() => {
                    self.message(message, budget)?
                }
                ("index" | "delta" | "message", _) => {}
                ("logprobs", Value::Object(more)) => match self.members.get_mut("logprobs") {
                    Some(Value::Object(before)) => {
                        more.into_iter()
                            .try_for_each(|(name, value)| budget.append(before, name, value))?;
                    }
                    _ => budget.set(&mut self.members, name, more.into())?,
                },
                (_, value) => budget.set(&mut self.members, name, value)?,
            }
        }
        Ok(())
    }

    fn is_silent(&self) -> bool {
        self.calls.is_empty()
            && self
                .message
                .iter()
                .all(|(name, value)| name == "role" || says_nothing(value))
    }

    fn message(
        &mut self,
        delta: Map<String, Value>,
        budget: &mut Budget,
    ) -> Result<(), Incomplete> {
        for (name, value) in delta {
            match (name.as_str(), value) {
                ("tool_calls", Value::Array(calls)) => {
                    for call in calls {
                        let Value::Object(call) = call else { continue };
                        self.call(call, budget)?;
                    }
                }
                ("tool_calls", _) => {}
                ("content", value @ (Value::Array(_) | Value::String(_))) => {
                    content(&mut self.message, value, budget)?;
                }
                ("function_call" | "audio", Value::Object(more)) => {
                    match self.message.get_mut(&name) {
                        Some(Value::Object(before)) => {
                            grow(before, more, &["arguments", "data", "transcript"], budget)?
                        }
                        _ => budget.set(&mut self.message, name, more.into())?,
                    }
                }
                (_, Value::Array(more)) => match self.message.get_mut(&name) {
                    Some(Value::Array(before)) => elements(before, more, budget)?,
                    _ => {
                        let mut list = Vec::new();
                        elements(&mut list, more, budget)?;
                        self.message.insert(name, list.into());
                    }
                },
                (_, value) if PIECES.contains(&name.as_str()) => {
                    budget.append(&mut self.message, name, value)?
                }
                (_, value) => budget.set(&mut self.message, name, value)?,
            }
        }
        Ok(())
    }

    fn call(
        &mut self,
        mut delta: Map<String, Value>,
        budget: &mut Budget,
    ) -> Result<(), Incomplete> {
        let index = delta.remove("index").and_then(|index| index.as_u64());
        let id = delta
            .get("id")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty());
        let named = is_named(&delta);
        let same_id = |call: &Call| {
            id.is_some_and(|id| call.members.get("id").and_then(Value::as_str) == Some(id))
        };
        // A name goes to the call that has none yet.
        let last = self.calls.len().checked_sub(1);
        let nameless = last.filter(|at| {
            let last = &self.calls[*at].members;
            !is_named(last) && (id.is_none() || last.get("id").is_none_or(says_nothing))
        });
        let place = match (index, id) {
            // Some vendors give every call the same index: a new id with a name is a new call all the same.
            (Some(index), _) => self.calls.iter().rposition(|call| {
                let known = call.members.get("id").and_then(Value::as_str);
                let other = named
                    && id.is_some()
                    && !same_id(call)
                    && is_named(&call.members)
                    // An empty one waits for its id, as where there is none.
                    && known.is_some_and(|known| !known.is_empty());
                call.index == Some(index) && !other
            }),
            (None, Some(_)) => self.calls.iter().rposition(same_id).or(nameless),
            // A bare piece goes on with what came last.
            (None, None) if named => nameless,
            (None, None) => last,
        };
        let place = place.unwrap_or_else(|| {
            self.calls.push(Call {
                index,
                members: Map::new(),
            });
            self.calls.len() - 1
        });
        let Some(call) = self.calls.get_mut(place) else {
            return Ok(());
        };
        for (name, value) in delta {
            match (name.as_str(), value) {
                ("function" | "custom", Value::Object(more)) => {
                    if !call.members.contains_key(&name) {
                        budget.set(&mut call.members, name.clone(), Map::new().into())?;
                    }
                    if let Some(Value::Object(before)) = call.members.get_mut(&name) {
                        let pieces = &["arguments", "input", "name"];
                        let goes_on = usize::from(name_goes_on(before, &more));
                        grow(before, more, &pieces[..2 + goes_on], budget)?;
                    }
                }
                (_, value) => budget.set(&mut call.members, name, value)?,
            }
        }
        Ok(())
    }

    fn finish(self, index: u64) -> Value {
        let Self {
            mut members,
            mut message,
            calls,
        } = self;
        message.entry("role").or_insert_with(|| "assistant".into());
        message.entry("content").or_insert(Value::Null);
        if !calls.is_empty() {
            message.insert(
                "tool_calls".into(),
                calls.into_iter().map(Call::finish).collect(),
            );
        }
        members.entry("finish_reason").or_insert(Value::Null);
        members.insert("index".into(), index.into());
        members.insert("message".into(), message.into());
        members.into()
    }
}

/// Whether a call has the name of its tool.
fn is_named(call: &Map<String, Value>) -> bool {
    let mut kinds = ["function", "custom"].iter();
    kinds.any(|kind| {
        let name = call.get(*kind).and_then(|kind| kind.get("name"));
        name.is_some_and(|name| !says_nothing(name))
    })
}

/// Whether there is more of a tool's name: some vendors tell it in pieces, before any arguments; others repeat the whole
/// name with each piece of a call.
fn name_goes_on(before: &Map<String, Value>, more: &Map<String, Value>) -> bool {
    let says = |name: &str| before.get(name).is_some_and(|value| !says_nothing(value));
    !says("arguments") && !says("input") && before.get("name") != more.get("name")
}

impl Call {
    /// What clients rely on and not every vendor sends, when a tool takes nothing.
    fn finish(self) -> Value {
        let mut members = self.members;
        if let Some(Value::Object(function)) = members.get_mut("function") {
            if function.get("arguments").is_none_or(Value::is_null) {
                function.insert("arguments".into(), "".into());
            }
            members.entry("type").or_insert_with(|| "function".into());
        }
        members.into()
    }
}

/// Text goes on where its name is one of `pieces`; the rest replaces.
fn grow(
    before: &mut Map<String, Value>,
    more: Map<String, Value>,
    pieces: &[&str],
    budget: &mut Budget,
) -> Result<(), Incomplete> {
    for (name, value) in more {
        match value {
            // Arguments are JSON in a text; some vendors forget the text.
            Value::Object(_) if name == "arguments" => {
                budget.append(before, name, value.to_string().into())?;
            }
            _ if pieces.contains(&name.as_str()) => budget.append(before, name, value)?,
            _ => budget.set(before, name, value)?,
        }
    }
    Ok(())
}

/// Content is text, or a list of parts with texts in them, or first the one and then the other.
fn content(
    message: &mut Map<String, Value>,
    more: Value,
    budget: &mut Budget,
) -> Result<(), Incomplete> {
    let before = match message.get_mut("content") {
        Some(before) if !says_nothing(before) => before,
        // An empty text stands where nothing else comes.
        _ => return budget.set(message, "content".into(), more),
    };
    if let (Value::String(before), Value::String(more)) = (&mut *before, &more) {
        budget.take(more.len())?;
        before.push_str(more);
        return Ok(());
    }
    if let Value::String(text) = before {
        *before = Value::Array(vec![text_part(std::mem::take(text))]);
    }
    let Value::Array(parts) = before else {
        return Ok(());
    };
    match more {
        Value::String(text) if text.is_empty() => Ok(()),
        Value::String(text) => join(parts, vec![text_part(text)], budget),
        Value::Array(more) => join(parts, more, budget),
        _ => Ok(()),
    }
}

fn text_part(text: String) -> Value {
    Value::Object(Map::from_iter([
        ("type".to_owned(), "text".into()),
        ("text".to_owned(), text.into()),
    ]))
}

/// Puts parts behind parts; a text or a thought goes on in the part before it if that is of its kind.
fn join(parts: &mut Vec<Value>, more: Vec<Value>, budget: &mut Budget) -> Result<(), Incomplete> {
    for part in more {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        let goes_on = matches!(kind, "text" | "thinking")
            && parts
                .last()
                .is_some_and(|last| last.get("type") == part.get("type"));
        match (parts.last_mut(), part) {
            (Some(Value::Object(before)), Value::Object(more)) if goes_on => {
                for (name, value) in more {
                    match (before.get_mut(&name), value) {
                        (Some(Value::Array(before)), Value::Array(more)) => {
                            join(before, more, budget)?
                        }
                        (_, value) if name == "type" => budget.set(before, name, value)?,
                        (_, value) => budget.append(before, name, value)?,
                    }
                }
            }
            (_, part) => {
                budget.take_value(&part)?;
                parts.push(part);
            }
        }
    }
    Ok(())
}

/// Puts elements behind elements; one that says by index and type that it is a piece of an earlier one goes on there.
fn elements(
    list: &mut Vec<Value>,
    more: Vec<Value>,
    budget: &mut Budget,
) -> Result<(), Incomplete> {
    for element in more {
        let is_piece_of = |other: &&mut Value| {
            let same = |name: &str| other.get(name) == element.get(name);
            // What is encrypted comes whole, and two of them are two.
            element.get("index").is_some_and(Value::is_u64)
                && element.get("data").is_none()
                && same("index")
                && same("type")
        };
        match (list.iter_mut().rev().find(is_piece_of), element) {
            (Some(Value::Object(before)), Value::Object(more)) => {
                grow(before, more, &["text", "summary"], budget)?
            }
            (_, element) => {
                budget.take_value(&element)?;
                list.push(element);
            }
        }
    }
    Ok(())
}
