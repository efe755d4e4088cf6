//! Chat Completions.

mod messages;
mod read;
mod tools;
mod wire;
mod write;
mod write_messages;

pub(super) use read::read;
pub(super) use wire::{WireMark, WireSchema};
pub(super) use write::write;
