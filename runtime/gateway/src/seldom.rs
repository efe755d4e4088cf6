//! Tells an operator of what may happen thousands of times a second: at once, and then of many together.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How often somebody is told.
pub(crate) const EVERY_MS: u64 = 10_000;

/// What happened and was not told of yet, and when somebody was told last.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    untold: AtomicU64,
    told_ms: AtomicU64,
}

impl Seldom {
    /// It happened. How often it did since somebody was told last, if it is time to tell again.
    pub(crate) fn happened(&self, now_ms: u64) -> Option<u64> {
        self.untold.fetch_add(1, Relaxed);
        let told_ms = self.told_ms.load(Relaxed);
        // A clock that was set back is no reason to be silent.
        let due = told_ms == 0 || now_ms.abs_diff(told_ms) >= EVERY_MS;
        let mine = due
            && self
                .told_ms
                .compare_exchange(told_ms, now_ms, Relaxed, Relaxed)
                .is_ok();
        mine.then(|| self.untold.swap(0, Relaxed))
    }
}
