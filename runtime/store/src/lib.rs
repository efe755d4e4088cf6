//! What outlives the process, behind one trait; sled is the embedded engine.
//!
//! Nothing above this crate may know the engine. Records go through [`records`]; usage rows through a
//! [`UsageWriter`], which commits them in groups on a thread of its own, and come back through [`usage`].
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

mod batch;
mod blocks;
mod disk;
mod engine;
mod error;
mod mark;
mod memory;
pub mod records;
mod sled_store;
pub mod usage;
mod writer;

pub use batch::UsageBatch;
pub use engine::{Order, Store, Table, Visit, Write};
pub use error::StoreError;
pub use memory::MemoryStore;
pub use sled_store::{Durability, SledStore};
pub use writer::{Submitter, UsageWriter, WriterFull, WriterOptions};
