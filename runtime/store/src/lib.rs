//! What outlives the process, behind one trait; sled is the embedded engine.
//!
//! Nothing above this crate may know the engine. Records go through [`records`]. Usage rows go through a
//! [`JournalWriter`], one for each worker, which writes them to a file before it returns, and a [`UsageWriter`], which
//! commits them in groups on a thread of its own together with their ledger records, and keeps their roll-ups
//! ([`UsageRollups`]); they come back through [`usage`] and [`ledger`]. What
//! management did is written with the change it tells of and comes back through [`audit`].
//!
//! The order of a start: [`DiskStore::open`], [`DiskStore::with_fold`], [`Journal::open`] (which replays what a killed
//! process left), [`ledger::checkpoint`], then whatever reads rows and [`ledger::load`], then
//! [`UsageWriter::start_journaled`].
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

pub mod audit;
pub mod backup;
mod batch;
mod blocks;
mod calls;
mod crc;
mod disk;
mod engine;
mod error;
mod folder;
mod groups;
mod journal;
pub mod ledger;
mod mark;
mod memory;
mod migrate;
pub mod records;
mod report;
mod report_days;
mod rollups;
mod sled_store;
mod space;
pub mod usage;
mod usage_rollups;
mod writer;

pub use batch::UsageBatch;
pub use engine::{Durability, ExportVisit, Order, RollupVisit, Store, Table, Visit, Write};
pub use error::StoreError;
pub use journal::{Journal, JournalError, JournalOptions, JournalWriter, Recovery};
pub use memory::MemoryStore;
pub use sled_store::DiskStore;
pub use usage_rollups::UsageRollups;
pub use writer::{Submitter, UsageWriter, WriterFull, WriterOptions};
