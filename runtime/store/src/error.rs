//! What can go wrong with a store, told so that an operator knows what to do.

use std::path::PathBuf;

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The files are damaged. Nothing was changed.
    #[error("the store in {} is damaged: {reason}. Nothing was changed. Restore a backup, or move the folder away to begin anew", path.display())]
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
