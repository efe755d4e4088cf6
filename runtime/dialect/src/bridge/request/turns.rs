//! The conversation as Chat and Messages want it: what the assistant said and called, then at once what came of every
//! call, then whatever was said meanwhile.

use std::collections::{HashMap, HashSet, VecDeque};

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

/// Tells calls of one id apart by a number behind it, from the second on, and their results with them: some vendors' models
/// count anew in every turn, others want each id once. Results belong to such calls in their order.
pub(crate) fn number_ids(items: &mut [Item<'_>]) {
    let mut results: HashMap<&str, VecDeque<usize>> = HashMap::new();
    let mut called: HashMap<&str, usize> = HashMap::new();
    let mut repeated = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match item {
            Item::Call(call) => {
                let times = called.entry(&call.id).or_default();
                *times += 1;
                repeated.push((at, &*call.id, *times));
            }
            Item::Result(result) => results.entry(&result.id).or_default().push_back(at),
            Item::Message(_) | Item::Reasoning(_) | Item::Ran(_) => {}
        }
    }
    if called.len() == repeated.len() {
        return;
    }
    let mut made = HashSet::new();
    let mut renamed = Vec::new();
    for (call, id, times) in repeated {
        let result = results.get_mut(id).and_then(VecDeque::pop_front);
        if let Some(result) = result.filter(|result| times > 1 && *result > call) {
            let mut own = format!("{id}_{times}");
            while called.contains_key(&*own) || made.contains(&own) {
                own.push('_');
            }
            made.insert(own.clone());
            renamed.push((call, own.clone()));
            renamed.push((result, own));
        }
    }
    for (at, own) in renamed {
        match &mut items[at] {
            Item::Call(Call { id, .. }) | Item::Result(ToolResult { id, .. }) => *id = own.into(),
            Item::Message(_) | Item::Reasoning(_) | Item::Ran(_) => {}
        }
    }
}

/// Sorts what was said into turns. Every call must have a result and every result a call before it.
pub(crate) fn turns<'c, 'a>(
    items: &'c [Item<'a>],
    from: Dialect,
) -> Result<Vec<Turn<'c, 'a>>, ApiError> {
    let mut waiting: HashMap<&str, usize> = HashMap::new();
    let mut results: HashMap<&str, VecDeque<&ToolResult<'a>>> = HashMap::new();
    for item in items {
        match item {
            Item::Call(call) => *waiting.entry(&call.id).or_default() += 1,
            Item::Result(result) => match waiting.get_mut(&*result.id) {
                Some(calls) if *calls > 0 => {
                    *calls -= 1;
                    results.entry(&result.id).or_default().push_back(result);
                }
                _ => return Err(uncalled(result, from)),
            },
            Item::Message(_) | Item::Reasoning(_) | Item::Ran(_) => {}
        }
    }
    let mut turns = Vec::with_capacity(items.len());
    let mut assistant = Vec::new();
    for item in items {
        match item {
            Item::Reasoning(_) | Item::Call(_) | Item::Ran(_) => assistant.push(item),
            Item::Message(message) if message.role == Role::Assistant => assistant.push(item),
            Item::Message(message) => {
                close(&mut assistant, &mut results, &mut turns, from)?;
                turns.push(Turn::Said(message));
            }
            Item::Result(_) => close(&mut assistant, &mut results, &mut turns, from)?,
        }
    }
    close(&mut assistant, &mut results, &mut turns, from)?;
    Ok(turns)
}

fn uncalled(result: &ToolResult<'_>, from: Dialect) -> ApiError {
    let message = format!(
        "No tool call found for the tool result with the id `{}`.",
        &*result.id
    );
    invalid(message).with_param(result.place.param(from))
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
