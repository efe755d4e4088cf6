//! What can go wrong with a store, told so that an operator knows what to do.

use std::path::PathBuf;

use crate::engine::Table;

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The files are damaged. The reason says whether anything was changed.
    #[error("the store in {} is damaged: {reason}. Restore a backup in its place, and keep what is there now", path.display())]
    Damaged {
        /// The store's folder.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A newer Tollgate wrote it.
    #[error("the store in {} has format {found}; this Tollgate reads up to {known}. Use the newer version, or restore a backup", path.display())]
    Newer {
        /// The store's folder.
        path: PathBuf,
        /// The format it has.
        found: u64,
        /// The newest format that this version reads.
        known: u64,
    },
    /// A file of the journal is damaged. Nothing was changed.
    #[error("the journal {} is damaged: {reason}. Nothing was changed. Restore a backup; or move that file to another folder to start without it: requests that ended or were open when the process was killed may then lack their usage row", path.display())]
    Journal {
        /// The file, or the journal's folder.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The disk is nearly full. Nothing is lost; it goes on when there is room.
    #[error("the disk of {} is nearly full: {free} bytes are free, {reserve} must stay so. Make room; nothing is lost", path.display())]
    Full {
        /// Where.
        path: PathBuf,
        /// Bytes.
        free: u64,
        /// Bytes.
        reserve: u64,
    },
    /// A backup cannot be made or used.
    #[error("the backup in {}: {reason}", path.display())]
    Backup {
        /// Its folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The ledger's records do not give its books. Nothing was changed.
    #[error(
        "the ledger cannot be rebuilt, record {record}: {reason}. Nothing was changed. Restore a backup: without its records balances would be wrong"
    )]
    Ledger {
        /// Its number.
        record: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A ledger record of the journal cannot be read. Nothing was changed.
    #[error(
        "the journal's ledger record of request {request}: {reason}. Nothing was changed. Use the Tollgate that wrote it, or restore a backup"
    )]
    JournaledEntry {
        /// Whose it is.
        request: uuid::Uuid,
        /// What is wrong with it.
        reason: String,
    },
    /// What was asked is made: the engine has it, and whoever reads sees it. Only the flush after it failed; the next one
    /// that succeeds makes it durable.
    #[error(
        "the change is made and in force, but the disk has not confirmed it: {source}. That is tried again with the next commit; until then a crash may take the change back. Asking again is safe: under one name or idempotency key nothing is made twice"
    )]
    Unflushed {
        /// What failed.
        source: Box<StoreError>,
    },
    /// The roll-ups are damaged. The rows are not concerned.
    #[error(
        "the roll-ups of usage are damaged: {0}. The next start makes them anew from the usage rows"
    )]
    Rollups(String),
    /// The store was opened without roll-ups.
    #[error("the store keeps no roll-ups: it was opened without them")]
    NoRollups,
    /// There is no such time zone.
    #[error(transparent)]
    Zone(Box<dyn std::error::Error + Send + Sync>),
    /// The ledger is only ever appended to; roll-ups follow from the rows.
    #[error("records of the table {0:?} are written by the store alone")]
    Protected(Table),
    /// The audit log only ever grows by its next entry. Nothing was changed.
    #[error("the audit log takes entry {next} next, and nothing else")]
    NotNext {
        /// Number of the entry that it takes.
        next: u64,
    },
    /// Another process has it open.
    #[error("the store in {} is in use by another process", path.display())]
    InUse {
        /// The store's folder.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("the store failed: {0}")]
    Io(#[from] std::io::Error),
    /// The engine failed in a way that is none of the above.
    #[error("the store failed: {0}")]
    Engine(String),
    /// A record cannot be read.
    #[error(transparent)]
    Record(#[from] tollgate_governance::RecordError),
    /// A usage row cannot be read.
    #[error(transparent)]
    Usage(#[from] tollgate_governance::UsageDecodeError),
}

impl StoreError {
    /// Whether surely nothing was written: refused before anything was handed to the disk.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Full { .. } | Self::Protected(_) | Self::NotNext { .. }
        )
    }

    /// Whether all that was asked is made all the same: memory has to follow, as the next start will.
    #[must_use]
    pub fn is_made(&self) -> bool {
        matches!(self, Self::Unflushed { .. })
    }
}
