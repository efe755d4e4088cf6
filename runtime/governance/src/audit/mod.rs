//! The audit log: one entry for each management act, chained by hashes. Pure: storing and time are the caller's.
//!
//! An [`AuditChain`] is the end of the log; [`AuditChain::link`] makes the next entry of it. An [`AuditVerifier`] is shown
//! a log entry by entry and tells what was altered, dropped or put elsewhere. What it cannot see by itself (a log that
//! lacks its end, or that was written anew from some entry on) a signed [`AuditCheckpoint`] shows that lies elsewhere.

mod canonical;
mod checkpoint;
mod entry;
mod hash;
mod summary;
#[cfg(test)]
mod tests;
mod verify;

pub use canonical::canonical_json;
pub use checkpoint::{AuditCheckpoint, AuditSigner, CheckpointError};
pub use entry::{AuditChain, AuditDecodeError, AuditDraft, AuditEntry, AuditSubject};
pub use hash::AuditHash;
pub use summary::{change_subject, change_summary, changes_nothing};
pub use verify::{AuditFinding, AuditVerifier};
