//! The journal in front of the engine: what a killed process had accepted is in it.
//!
//! Each worker writes its own file, so there is no lock and no other thread in the way; a record is one `write`
//! before the client sees its last byte. The writer thread moves rows into the engine in groups, and removes a segment
//! when all of it is there. A start replays what is left: see [`Journal::open`].

mod frame;
mod lane;
#[cfg(test)]
mod order;
mod pool;
mod recover;
mod segment;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use crate::engine::{Durability, Store};
use crate::error::StoreError;
use crate::writer::{Queue, Submitter};
use lane::Lane;
use pool::Pool;
pub use recover::Recovery;
pub use writer::JournalWriter;

/// How the journal works.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// What a record survives once written. With [`Durability::PowerLoss`] the writer thread syncs the files at every
    /// group commit: a lost disk cache costs at most that interval.
    pub durability: Durability,
    /// Size of a segment. Each worker has one open, and two are spare.
    pub segment_bytes: u64,
    /// All segments together; at this size new requests are refused until the store has caught up.
    pub max_bytes: u64,
    /// Free space to leave on the disk. The journal stops growing some 32 MiB earlier: the engine must be able to take over
    /// what the journal holds.
    pub reserve_bytes: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            segment_bytes: 8 << 20,
            max_bytes: 1 << 30,
            reserve_bytes: crate::space::RESERVE,
        }
    }
}

/// A record is not on the disk. It is kept in memory, is handed to the store all the same, and is tried again with
/// the next one. Refuse new requests (503) until [`JournalWriter::has_room`].
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk is full or nearly so.
    #[error("the journal cannot grow: {0}")]
    Full(String),
    /// The journal has the size that it may have.
    #[error("the journal has reached its limit of {bytes} bytes: the store does not keep up")]
    Limit {
        /// The limit.
        bytes: u64,
    },
    /// There is no further segment; a moment ago none could be made.
    #[error("the journal has no segment left")]
    NoSegment,
    /// The record is larger than a segment. It is handed to the store, but a killed process may lose it.
    #[error("a record of {bytes} bytes does not fit the journal")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Reading or writing failed.
    #[error("the journal in {} failed: {source}", path.display())]
    Io {
        /// Folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl JournalError {
    fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full(format!("{}: {source}", path.display())),
            _ => Self::Io {
                path: path.to_owned(),
                source,
            },
        }
    }
}

/// The journal of one store, replayed and empty. Give it to
/// [`UsageWriter::start_journaled`](crate::UsageWriter::start_journaled).
#[derive(Debug)]
pub struct Journal {
    pool: Arc<Pool>,
    /// Each with the queue whose rows it is in front of.
    lanes: Mutex<Vec<(Arc<Lane>, Arc<Queue>)>>,
}

impl Journal {
    /// Opens the journal in `folder` (made if absent) and moves what is left in it into `store`.
    ///
    /// A final record whose row the store does not have becomes a row; a hold without a final record becomes a row as
    /// it stands. No request gets two rows, however often a start is interrupted.
    ///
    /// # Errors
    /// [`StoreError::Journal`] when a file is damaged in the middle or gone. Nothing was changed then.
    pub fn open(
        folder: &Path,
        store: &dyn Store,
        options: JournalOptions,
    ) -> Result<(Self, Recovery), StoreError> {
        let (pool, recovery) = recover::open(folder, store, options)?;
        let journal = Self {
            pool: Arc::new(pool),
            lanes: Mutex::default(),
        };
        Ok((journal, recovery))
    }

    /// How many segment files there are.
    #[must_use]
    pub fn segments(&self) -> u64 {
        self.pool.files()
    }

    /// A worker's end, whose rows go through `submitter`.
    pub(crate) fn writer(&self, submitter: Submitter) -> JournalWriter {
        let lane = Arc::<Lane>::default();
        let queue = Arc::clone(submitter.queue());
        self.lanes.lock().push((Arc::clone(&lane), queue));
        JournalWriter::new(submitter, lane, Arc::clone(&self.pool))
    }

    fn is_durable(&self) -> bool {
        self.pool.options.durability == Durability::PowerLoss
    }

    /// Whether a worker's last write failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.pool.failing.load(Ordering::Relaxed) > 0
    }

    /// Whether no segment can be made at the moment.
    pub(crate) fn is_starved(&self) -> bool {
        self.pool.starved()
    }

    /// Whether there are records to sync.
    pub(crate) fn is_unsynced(&self) -> bool {
        self.is_durable() && self.lanes.lock().iter().any(|(lane, _)| lane.unsynced())
    }

    /// Waits until the disk has all records, where that is asked for. Says whether there were any.
    pub(crate) fn sync(&self) -> Result<bool, StoreError> {
        if !self.is_unsynced() {
            return Ok(false);
        }
        let lanes: Vec<_> = {
            let lanes = self.lanes.lock();
            lanes.iter().map(|(lane, _)| Arc::clone(lane)).collect()
        };
        for lane in lanes {
            lane.sync()?;
        }
        Ok(true)
    }

    /// The full segments of each lane of which no hold is needed any more.
    pub(crate) fn settled(&self) -> Vec<Vec<u64>> {
        let lanes = self.lanes.lock();
        lanes.iter().map(|(lane, _)| lane.settled()).collect()
    }

    /// Removes what is settled and stored.
    pub(crate) fn retire(&self, settled: &[Vec<u64>]) -> Result<(), StoreError> {
        let mut lanes = self.lanes.lock();
        for ((lane, queue), settled) in lanes.iter().zip(settled) {
            if !settled.is_empty() {
                lane.retire(settled, queue.committed(), &self.pool)?;
            }
        }
        lanes.retain(|(lane, _)| !lane.is_over());
        Ok(())
    }

    /// Sees to it that there are spare segments, or that workers know in time that there will be none.
    pub(crate) fn replenish(&self) {
        self.pool.replenish();
    }

    /// Removes the files if nothing is left in them. Otherwise (a worker still has its end, or a request has no final
    /// record) the next start looks into them.
    pub(crate) fn close(&self, store: &dyn Store) -> Result<(), StoreError> {
        let settled = self.settled();
        self.sync()?;
        self.retire(&settled)?;
        if self.lanes.lock().is_empty() {
            recover::close(store, &self.pool)?;
        }
        Ok(())
    }
}
