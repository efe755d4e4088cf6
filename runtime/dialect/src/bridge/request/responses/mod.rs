//! Responses.

mod items;
mod read;
mod tools;
mod wire;
mod write;

pub(super) use read::read;
pub(super) use write::write;
