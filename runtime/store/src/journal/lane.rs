//! What a worker's end of the journal shares with the writer thread: which segments there are.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::pool::Pool;
use super::segment::Segment;

/// One worker's segments. Locked by the worker only when it changes segments, once in ~20,000 records.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    segments: Mutex<Segments>,
    pub(crate) closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Segments {
    current: Option<Arc<Segment>>,
    /// Full ones, oldest first.
    sealed: Vec<Arc<Segment>>,
}

impl Lane {
    /// `next` is written from now on. What was before is needed until row `rows` is in the store.
    pub(crate) fn rotate(&self, next: Option<Arc<Segment>>, rows: u64) {
        let mut segments = self.segments.lock();
        if let Some(full) = std::mem::replace(&mut segments.current, next) {
            full.rows.fetch_max(rows, Ordering::Relaxed);
            segments.sealed.push(full);
        }
    }

    fn all(&self) -> Vec<Arc<Segment>> {
        let segments = self.segments.lock();
        let all = segments.sealed.iter().chain(&segments.current);
        all.map(Arc::clone).collect()
    }

    /// Whether something was written that the disk may not have.
    pub(crate) fn unsynced(&self) -> bool {
        let segments = self.segments.lock();
        let mut all = segments.sealed.iter().chain(&segments.current);
        all.any(|segment| {
            segment.written.load(Ordering::Relaxed) != segment.synced.load(Ordering::Relaxed)
        })
    }

    /// Waits until the disk has all that was written. Not under the lock: the worker must not wait for a disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.all().iter().try_for_each(|segment| segment.sync())
    }

    /// Numbers of the full segments of which no hold is needed any more.
    pub(crate) fn settled(&self) -> Vec<u64> {
        let segments = self.segments.lock();
        let settled = segments.sealed.iter();
        settled
            .filter(|segment| segment.holds.load(Ordering::Acquire) == 0)
            .map(|segment| segment.number)
            .collect()
    }

    /// Removes those of `settled` whose rows are all in the store: up to row `committed`.
    pub(crate) fn retire(&self, settled: &[u64], committed: u64, pool: &Pool) -> io::Result<()> {
        let mut segments = self.segments.lock();
        let mut place = 0;
        while let Some(segment) = segments.sealed.get(place) {
            let goes = settled.contains(&segment.number)
                && segment.rows.load(Ordering::Relaxed) <= committed;
            if goes {
                pool.remove(segment)?;
                segments.sealed.remove(place);
            } else {
                place += 1;
            }
        }
        Ok(())
    }

    /// Whether nothing is left of a worker that is gone.
    pub(crate) fn is_over(&self) -> bool {
        let segments = self.segments.lock();
        self.closed.load(Ordering::Acquire)
            && segments.current.is_none()
            && segments.sealed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalOptions;

    #[test]
    fn a_full_segment_goes_when_its_holds_are_settled_and_its_rows_stored_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let options = JournalOptions {
            segment_bytes: 8192,
            reserve_bytes: 0,
            ..JournalOptions::default()
        };
        let pool = Pool::new(folder.path().to_owned(), options, [0; 16], 1, 1);
        let lane = Lane::default();
        let segment = Arc::new(pool.take().unwrap());
        lane.rotate(Some(Arc::clone(&segment)), 0);
        segment.holds.store(1, Ordering::Relaxed);
        lane.rotate(None, 10);
        assert!(lane.settled().is_empty(), "a hold is open");
        // The hold's final row is number 12.
        segment.release(12);
        let settled = lane.settled();
        assert_eq!(settled, [segment.number]);
        lane.retire(&settled, 11, &pool).unwrap();
        assert!(segment.path.exists(), "a row is not stored yet");
        lane.retire(&[], 12, &pool).unwrap();
        assert!(
            segment.path.exists(),
            "it was not settled when the journal was synced"
        );
        lane.retire(&settled, 12, &pool).unwrap();
        assert!(!segment.path.exists());
        assert_eq!(pool.files(), 0);
    }
}
