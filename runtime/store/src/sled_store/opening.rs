//! Opening the engine, and what its errors mean.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::engine::Table;
use crate::error::StoreError;
use crate::memory::prefixed;
use crate::migrate::FORMAT;

const CACHE_BYTES: u64 = 64 << 20;
/// How long another user of the store may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

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
        Err(_) => Err(StoreError::Damaged {
            path: path.to_owned(),
            reason: "its engine cannot make sense of the files".to_owned(),
        }),
    }
}

pub(super) fn classify(path: &Path, error: sled::Error) -> StoreError {
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
