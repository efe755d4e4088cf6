//! What the client's own dialect does not allow either, so that no vendor is asked.

use super::members::invalid;
use super::model::{Body, Conversation, Item, Part, Role};
use crate::{ApiError, Dialect};

/// Refuses what no dialect has words for: a refusal of anybody but the assistant, anything but text of the assistant.
pub(super) fn check(said: &Conversation<'_>, from: Dialect) -> Result<(), ApiError> {
    for item in &said.items {
        match item {
            Item::Message(message) if message.role == Role::Assistant => {
                message.parts.iter().try_for_each(|part| says(part, from))?;
            }
            Item::Message(message) => {
                message
                    .parts
                    .iter()
                    .try_for_each(|part| refuses_nothing(part, from))?;
            }
            Item::Result(result) => {
                result
                    .parts
                    .iter()
                    .try_for_each(|part| refuses_nothing(part, from))?;
            }
            Item::Reasoning(_) | Item::Call(_) | Item::Ran(_) => {}
        }
    }
    Ok(())
}

/// What the assistant says is text, or a refusal.
fn says(part: &Part<'_>, from: Dialect) -> Result<(), ApiError> {
    if matches!(part.body, Body::Text(_) | Body::Refusal(_)) {
        return Ok(());
    }
    let param = part.place.param(from);
    let message = format!("`{param}` is no text, and the assistant says nothing else.");
    Err(invalid(message).with_param(param))
}

/// Only the assistant refuses.
fn refuses_nothing(part: &Part<'_>, from: Dialect) -> Result<(), ApiError> {
    if !matches!(part.body, Body::Refusal(_)) {
        return Ok(());
    }
    let param = part.place.param(from);
    let message = format!("`{param}` has a refusal, which only the assistant can give.");
    Err(invalid(message).with_param(param))
}
