//! What outlives the process, behind one trait; sled is the embedded engine.
//!
//! Nothing above this crate may know the engine. Records go through [`records`]; usage rows through a
//! [`UsageWriter`], which commits them in groups on a thread of its own, and come back through [`usage`].
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

pub mod backup;
mod batch;
mod blocks;
mod crc;
mod disk;
mod engine;
mod error;
mod fold;
mod journal;
pub mod ledger;
mod mark;
mod memory;
mod migrate;
pub mod records;
mod sled_store;
mod space;
pub mod usage;
mod writer;

pub use batch::UsageBatch;
pub use engine::{Durability, ExportVisit, Order, Store, Table, Visit, Write};
pub use error::StoreError;
pub use fold::Fold;
pub use journal::{Journal, JournalError, JournalOptions, JournalWriter, Recovery};
pub use memory::MemoryStore;
pub use sled_store::SledStore;
pub use writer::{Submitter, UsageWriter, WriterFull, WriterOptions};
