//! Messages.

mod blocks;
mod known;
mod own;
mod read;
mod reading;
mod schema;
mod tools;
mod wire;
mod write;
mod write_blocks;
mod write_ran;
mod write_tools;

pub(super) use read::read;
pub(super) use write::write;
