//! The conversation as Chat and Messages want it: what the assistant said and called, then at once what came of every
//! call, then whatever was said meanwhile.

use std::collections::{HashMap, VecDeque};

use super::members::invalid;
use super::model::{Call, Item, Message, Role, ToolResult};
use crate::{ApiError, Dialect};

/// One turn.
#[derive(Debug)]
pub(crate) enum Turn<'c, 'a> {
    /// Somebody else than the assistant says something.
    Said(&'c Message<'a>),
    /// What the assistant thinks, says and calls, in its order.
    Assistant(Vec<&'c Item<'a>>),
    /// What came of every call of the assistant's turn right before, in the order of the calls.
    Results(Vec<&'c ToolResult<'a>>),
}

/// Sorts what was said into turns. Every call must have a result and every result a call.
pub(crate) fn turns<'c, 'a>(
    items: &'c [Item<'a>],
    from: Dialect,
) -> Result<Vec<Turn<'c, 'a>>, ApiError> {
    let mut results: HashMap<&str, VecDeque<&ToolResult<'a>>> = HashMap::new();
    for item in items {
        if let Item::Result(result) = item {
            results.entry(&result.id).or_default().push_back(result);
        }
    }
    let mut turns = Vec::with_capacity(items.len());
    let mut assistant = Vec::new();
    for item in items {
        match item {
            Item::Reasoning(_) | Item::Call(_) => assistant.push(item),
            Item::Message(message) if message.role == Role::Assistant => assistant.push(item),
            Item::Message(message) => {
                close(&mut assistant, &mut results, &mut turns, from)?;
                turns.push(Turn::Said(message));
            }
            Item::Result(_) => close(&mut assistant, &mut results, &mut turns, from)?,
        }
    }
    close(&mut assistant, &mut results, &mut turns, from)?;
    match results.values().flatten().next() {
        None => Ok(turns),
        Some(_) => {
            let left = items.iter().find_map(|item| match item {
                Item::Result(result) if !results.get(&*result.id)?.is_empty() => Some(result),
                _ => None,
            });
            let (id, param) = left.map_or_else(Default::default, |result| {
                (result.id.to_string(), result.place.param(from))
            });
            let message = format!("No tool call found for the tool result with the id `{id}`.");
            Err(invalid(message).with_param(param))
        }
    }
}

fn close<'c, 'a>(
    assistant: &mut Vec<&'c Item<'a>>,
    results: &mut HashMap<&str, VecDeque<&'c ToolResult<'a>>>,
    turns: &mut Vec<Turn<'c, 'a>>,
    from: Dialect,
) -> Result<(), ApiError> {
    if assistant.is_empty() {
        return Ok(());
    }
    let group = std::mem::take(assistant);
    let came = group
        .iter()
        .filter_map(|item| match item {
            Item::Call(call) => Some(call),
            _ => None,
        })
        .map(|call| take(call, results, from))
        .collect::<Result<Vec<_>, _>>()?;
    turns.push(Turn::Assistant(group));
    if !came.is_empty() {
        turns.push(Turn::Results(came));
    }
    Ok(())
}

fn take<'c, 'a>(
    call: &Call<'_>,
    results: &mut HashMap<&str, VecDeque<&'c ToolResult<'a>>>,
    from: Dialect,
) -> Result<&'c ToolResult<'a>, ApiError> {
    results
        .get_mut(&*call.id)
        .and_then(VecDeque::pop_front)
        .ok_or_else(|| {
            let message = format!(
                "No tool result found for the tool call with the id `{}`.",
                &*call.id
            );
            invalid(message).with_param(call.place.param(from))
        })
}
