//! Opening the engine, and what its errors mean.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::inspect::{Harm, inspect, remove_drafts};
use crate::engine::Table;
use crate::error::StoreError;
use crate::memory::prefixed;
use crate::migrate::FORMAT;

const CACHE_BYTES: u64 = 64 << 20;
/// How long another user of the store may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Refuses damaged files before the engine is let at them: so a refused start changes nothing. `known` is where its log
/// has got at least; 0 where that is not known.
pub(super) fn check_files(path: &Path, known: u64) -> Result<(), StoreError> {
    let db = locked(path)?;
    inspect(path, &db, known).map_err(|harm| match harm {
        Harm::Found(what) => untouched(path, &what),
        Harm::Io(error) => StoreError::Io(error),
    })?;
    Ok(remove_drafts(path)?)
}

/// The engine's log, locked as the engine locks it: files that another process writes would look damaged.
fn locked(path: &Path) -> Result<File, StoreError> {
    let db = File::open(path.join("db"))?;
    let start = Instant::now();
    loop {
        match flock(&db, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(db),
            Err(Errno::WOULDBLOCK) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(StoreError::InUse {
                    path: path.to_owned(),
                });
            }
            Err(error) => return Err(StoreError::Io(error.into())),
        }
    }
}

/// Damage that was found before the engine was let at the files.
pub(super) fn untouched(path: &Path, what: &str) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        reason: format!("{what}. Nothing was changed"),
    }
}

/// Damage that is known when the engine has opened the files.
pub(super) fn touched(path: &Path, what: &str) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        reason: format!(
            "{what}. Its engine has opened it, and may have cut off what it could not read: copy the folder before the next start"
        ),
    }
}

/// Opens the engine. A store that was in use a moment ago may still be locked: threads of the engine outlive its handle
/// by some milliseconds.
pub(super) fn open_tree(path: &Path) -> Result<sled::Db, StoreError> {
    let start = Instant::now();
    loop {
        match try_open(path) {
            Err(StoreError::InUse { .. }) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
}

fn try_open(path: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        // The writer decides when to flush; the engine's own timer would only add to it.
        .flush_every_ms(None);
    // The engine panics on some damaged files instead of reporting them.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open())) {
        Ok(opened) => opened.map_err(|error| classify(path, error)),
        Err(_) => Err(touched(path, "its engine cannot make sense of the files")),
    }
}

pub(super) fn classify(path: &Path, error: sled::Error) -> StoreError {
    match error {
        sled::Error::Corruption { .. } => touched(path, "a checksum does not match"),
        sled::Error::Io(error) if error.to_string().contains("acquire lock") => StoreError::InUse {
            path: path.to_owned(),
        },
        sled::Error::Io(error) => StoreError::Io(error),
        other => StoreError::Engine(other.to_string()),
    }
}

pub(super) fn newer(path: &Path, found: u64) -> StoreError {
    StoreError::Newer {
        path: path.to_owned(),
        found,
        known: FORMAT,
    }
}

pub(super) fn read_number(tree: &sled::Db, key: &[u8]) -> sled::Result<u64> {
    let value = tree.get(prefixed(Table::Meta, key))?;
    Ok(value
        .and_then(|bytes| {
            bytes
                .first_chunk::<8>()
                .map(|bytes| u64::from_be_bytes(*bytes))
        })
        .unwrap_or(0))
}
