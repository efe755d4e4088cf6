//! Responses.

mod items;
mod known;
mod own;
mod read;
mod tools;
mod wire;
mod write;
mod write_items;

pub(super) use read::read;
pub(super) use write::write;
