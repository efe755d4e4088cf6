//! When the writer thread folds roll-ups: in the pauses between commits, a step at a time.

use std::time::{Duration, Instant};

use crate::engine::Store;

/// In quiet times, and after one that failed: a fold keeps nothing back, it can wait.
pub(crate) const FOLD_EVERY: Duration = Duration::from_secs(60);

/// Folds roll-ups in the pauses between commits. Needs no flush of its own: steps that are lost are made again.
pub(crate) struct Folder {
    groups: usize,
    /// Something may wait.
    pub(crate) dirty: bool,
    /// When nothing waited any more.
    clean: Instant,
    /// The last step failed: not before then.
    retry: Option<Instant>,
}

impl Folder {
    pub(crate) fn new(groups: usize) -> Self {
        Self {
            groups,
            dirty: true,
            clean: Instant::now(),
            retry: None,
        }
    }

    /// One step. Says whether there is more to do soon.
    pub(crate) fn step(&mut self, store: &dyn Store, idle: bool) -> bool {
        if !self.dirty || self.retry.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        let all = idle && self.clean.elapsed() >= FOLD_EVERY;
        let pending = match idle {
            _ if all => 0,
            true => self.groups / 8,
            false => self.groups,
        };
        match store.fold_rollups(pending) {
            Ok(more) => {
                self.retry = None;
                if all && !more {
                    self.dirty = false;
                    self.clean = Instant::now();
                }
                more
            }
            Err(error) => {
                if self.retry.is_none() {
                    tracing::warn!(%error, "roll-ups cannot be folded; it is tried again");
                }
                self.retry = Some(Instant::now() + FOLD_EVERY);
                false
            }
        }
    }

    /// All that waits: the next start has less to read.
    pub(crate) fn finish(store: &dyn Store) {
        let failed = loop {
            match store.fold_rollups(0) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => break error,
            }
        };
        tracing::warn!(error = %failed, "roll-ups were not folded; the next start goes on");
    }
}
