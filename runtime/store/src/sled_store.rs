//! The embedded engine: sled 0.34.

use std::ops::Range;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::batch::UsageBatch;
use crate::blocks;
use crate::disk::Disk;
use crate::engine::{Order, Store, Table, Visit, Write};
use crate::error::StoreError;
use crate::mark::{Mark, Progress};
use crate::memory::prefixed;

/// The format this crate writes.
const FORMAT: u64 = 1;
/// Names which store this is, in the table `Meta`.
const IDENTITY: &[u8] = b"store/identity";
/// Counts the commits, in the table `Meta`.
const COMMITS: &[u8] = b"store/commits";
const CACHE_BYTES: u64 = 64 << 20;

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A killed process, and a lost disk cache: each commit ends with `fdatasync`.
    #[default]
    PowerLoss,
    /// A killed process. After a power failure the last seconds may be missing.
    Process,
}

/// A store in a folder.
pub struct SledStore {
    path: PathBuf,
    tree: sled::Db,
    durability: Durability,
    /// For power-loss safety.
    disk: Disk,
    progress: Progress,
    /// How many commits there have been. The lock makes counting and committing one step.
    commits: Mutex<u64>,
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SledStore {
    /// Opens the store in `path`, or makes one in a new or empty folder.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] rather than beginning empty where there was a store; [`StoreError::Newer`];
    /// [`StoreError::InUse`].
    pub fn open(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let damaged = |reason: String| StoreError::Damaged {
            path: path.to_owned(),
            reason,
        };
        std::fs::create_dir_all(path)?;
        let mark = Mark::read(path).map_err(damaged)?;
        if let Some(mark) = &mark {
            if mark.format > FORMAT {
                return Err(newer(path, mark.format));
            }
            if !path.join("db").exists() {
                return Err(damaged("its data file `db` is missing".to_owned()));
            }
        }
        let tree = open_tree(path)?;
        let (progress, noted) = Progress::open(path)?;
        let disk = Disk::open(path)?;
        let commits = read_number(&tree, COMMITS).map_err(|error| classify(path, error))?;
        let store = Self {
            path: path.to_owned(),
            tree,
            durability,
            disk,
            progress,
            commits: Mutex::new(commits),
        };
        let identity: Option<Mark> = match store.get(Table::Meta, IDENTITY)? {
            Some(bytes) => Some(
                serde_json::from_slice(&bytes)
                    .map_err(|_| damaged("its identity cannot be read".to_owned()))?,
            ),
            None => None,
        };
        match (mark, identity) {
            (_, Some(identity)) if identity.format > FORMAT => {
                return Err(newer(path, identity.format));
            }
            (Some(mark), Some(identity)) if mark == identity => {}
            // Killed between the first commit and the mark.
            (None, Some(identity)) => identity.write(path)?,
            (None, None) if store.tree.is_empty() => store.found()?,
            (None, None) => return Err(damaged("it has content but no identity".to_owned())),
            (Some(_), Some(_)) => {
                return Err(damaged("its files belong to different stores".to_owned()));
            }
            (Some(_), None) => return Err(damaged("its content is gone".to_owned())),
        }
        if let Some(noted) = noted
            && noted.commits > commits
            && (noted.this_boot || durability == Durability::PowerLoss)
        {
            let lost = noted.commits - commits;
            return Err(damaged(format!(
                "the last {lost} of {} commits are missing",
                noted.commits
            )));
        }
        Ok(store)
    }

    /// Makes a new store: its identity first inside, then outside.
    fn found(&self) -> Result<(), StoreError> {
        let id = format!(
            "{:016x}",
            self.tree
                .generate_id()
                .map_err(|error| self.classify(error))?
        );
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let mark = Mark {
            format: FORMAT,
            id: format!("{:x}-{id}", now.map_or(0, |since| since.as_nanos())),
        };
        let bytes = serde_json::to_vec(&mark).map_err(std::io::Error::from)?;
        self.put(Table::Meta, IDENTITY, &bytes)?;
        Ok(mark.write(&self.path)?)
    }

    /// Writes a batch as the next commit.
    fn commit(&self, mut batch: sled::Batch) -> Result<(), StoreError> {
        let mut commits = self.commits.lock();
        let next = *commits + 1;
        batch.insert(prefixed(Table::Meta, COMMITS), &next.to_be_bytes());
        self.tree
            .apply_batch(batch)
            .map_err(|error| self.classify(error))?;
        *commits = next;
        Ok(())
    }

    fn classify(&self, error: sled::Error) -> StoreError {
        classify(&self.path, error)
    }
}

impl Store for SledStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self
            .tree
            .get(prefixed(table, key))
            .map_err(|error| self.classify(error))?;
        Ok(found.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        table: Table,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        for pair in self.tree.scan_prefix([table as u8]) {
            let (key, value) = pair.map_err(|error| self.classify(error))?;
            if visit(&key[1..], &value) == Visit::Stop {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, writes: &[Write]) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for write in writes {
            let key = prefixed(write.table, &write.key);
            match &write.value {
                Some(value) => batch.insert(key, value.as_slice()),
                None => batch.remove(key),
            }
        }
        self.commit(batch)?;
        self.flush()
    }

    fn append_usage(&self, rows: &UsageBatch) -> Result<(), StoreError> {
        let number = || {
            self.tree
                .generate_id()
                .map_err(|error| self.classify(error))
        };
        let mut batch = sled::Batch::default();
        for (key, block) in blocks::encode(rows, number)? {
            batch.insert(&key, block);
        }
        self.commit(batch)
    }

    fn scan_usage(
        &self,
        range: Range<u64>,
        order: Order,
        visit: &mut dyn FnMut(u64, &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        if range.is_empty() {
            return Ok(());
        }
        let (first, last) = blocks::key_range(&range);
        let found = self.tree.range(first..=last);
        let told = |pair: sled::Result<_>| pair.map_err(|error| self.classify(error));
        match order {
            Order::OldestFirst => blocks::visit(found.map(told), &range, order, visit),
            Order::NewestFirst => blocks::visit(found.rev().map(told), &range, order, visit),
        }
    }

    fn flush(&self) -> Result<(), StoreError> {
        let commits = *self.commits.lock();
        self.tree.flush().map_err(|error| self.classify(error))?;
        if self.durability == Durability::PowerLoss {
            self.disk.sync()?;
        }
        Ok(self.progress.note(commits)?)
    }
}

fn open_tree(path: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        // The writer decides when to flush; the engine's own timer would only add to it.
        .flush_every_ms(None);
    // The engine panics on some damaged files instead of reporting them.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open())) {
        Ok(opened) => opened.map_err(|error| classify(path, error)),
        Err(_) => Err(StoreError::Damaged {
            path: path.to_owned(),
            reason: "its engine cannot make sense of the files".to_owned(),
        }),
    }
}

fn classify(path: &Path, error: sled::Error) -> StoreError {
    match error {
        sled::Error::Corruption { .. } => StoreError::Damaged {
            path: path.to_owned(),
            reason: "a checksum does not match".to_owned(),
        },
        sled::Error::Io(error) if error.to_string().contains("acquire lock") => StoreError::InUse {
            path: path.to_owned(),
        },
        sled::Error::Io(error) => StoreError::Io(error),
        other => StoreError::Engine(other.to_string()),
    }
}

fn newer(path: &Path, found: u64) -> StoreError {
    StoreError::Newer {
        path: path.to_owned(),
        found,
        known: FORMAT,
    }
}

fn read_number(tree: &sled::Db, key: &[u8]) -> sled::Result<u64> {
    let value = tree.get(prefixed(Table::Meta, key))?;
    Ok(value
        .and_then(|bytes| {
            bytes
                .first_chunk::<8>()
                .map(|bytes| u64::from_be_bytes(*bytes))
        })
        .unwrap_or(0))
}
