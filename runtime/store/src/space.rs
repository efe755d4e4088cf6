//! Room on the disk, looked at before it is used up.
//!
//! The engine never recovers from a write that found the disk full: it refuses everything until it is opened anew. So
//! nothing is handed to it when the disk is nearly full, and it goes on by itself when there is room again. The journal
//! stops making segments earlier still, so that what it holds can always be moved into the engine.

use std::path::Path;

use crate::error::StoreError;

/// What the engine leaves free: its own files grow by half a MiB at a time.
pub(crate) const RESERVE: u64 = 32 << 20;

/// Bytes that may still be written where `path` is.
pub(crate) fn free(path: &Path) -> std::io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Refuses when less than `reserve` would be left after `needed`. About 1 µs.
pub(crate) fn check(path: &Path, needed: u64, reserve: u64) -> Result<(), StoreError> {
    let free = free(path)?;
    if free < reserve.saturating_add(needed) {
        return Err(StoreError::Full {
            path: path.to_owned(),
            free,
            reserve,
        });
    }
    Ok(())
}
