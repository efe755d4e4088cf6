//! A worker's end of the journal. Nothing in it is shared but the file, which only the writer thread syncs.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tollgate_governance::UsageRow;
use uuid::Uuid;

use super::JournalError;
use super::frame::{self, Kind};
use super::lane::Lane;
use super::pool::Pool;
use super::segment::{FIRST, Segment};
use crate::writer::Submitter;

/// Owned by one worker. Dropping it tries a last time to write what is buffered.
#[derive(Debug)]
pub struct JournalWriter {
    submitter: Submitter,
    lane: Arc<Lane>,
    pool: Arc<Pool>,
    segment: Option<Arc<Segment>>,
    /// Set aside for this worker where no further one can be made.
    next: Option<Segment>,
    /// Where the next record goes.
    at: u64,
    /// Records that are not yet written, without checksums: those depend on the segment.
    buffer: Vec<u8>,
    waiting: Vec<Waiting>,
    /// Where the latest hold of each open request is.
    holds: HashMap<Uuid, Place>,
    number: u64,
    failing: bool,
    /// How many rows were stored when it was last looked what need not be journaled any more.
    looked: u64,
    /// Bytes of a record that was passed over because no segment could take it, until that is told.
    passed_over: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    kind: Kind,
    request: Uuid,
    length: usize,
    /// Of a final record: its number among the rows that were handed to the writer thread.
    row: u64,
}

#[derive(Debug)]
struct Place {
    segment: Arc<Segment>,
    at: u64,
    length: usize,
}

/// Memory that the buffer keeps after a flood.
const KEEP: usize = 1 << 20;

impl JournalWriter {
    pub(crate) fn new(submitter: Submitter, lane: Arc<Lane>, pool: Arc<Pool>) -> Self {
        // Made now rather than with the first record: it takes some milliseconds.
        let segment = pool.take().ok().map(Arc::new);
        lane.rotate(segment.clone(), 0);
        Self {
            submitter,
            lane,
            pool,
            segment,
            next: None,
            at: FIRST,
            buffer: Vec::with_capacity(64 << 10),
            waiting: Vec::with_capacity(256),
            holds: HashMap::new(),
            number: 0,
            failing: false,
            looked: 0,
            passed_over: None,
        }
    }

    /// The request has ended: its row goes to the journal with one write, and to the writer thread.
    ///
    /// `ledger` is what the ledger gets in the same commit as the row; empty for nothing.
    ///
    /// # Errors
    /// [`JournalError`]: the row is accepted all the same, but a killed process would lose it.
    pub fn append(&mut self, row: &UsageRow<'_>, ledger: &[u8]) -> Result<(), JournalError> {
        self.buffer_final(row, ledger);
        self.flush()
    }

    /// As [`JournalWriter::append`], but written with the next [`JournalWriter::flush`]. The writer thread has the row
    /// at once; the client should not see its last byte before the flush.
    pub fn buffer_final(&mut self, row: &UsageRow<'_>, ledger: &[u8]) {
        let start = self.buffer.len();
        let length = self.put(Kind::Final, row, ledger);
        let (from, to) = (start + frame::HEAD, start + length);
        let encoded = length_of_row(&self.buffer[start..to]);
        self.submitter
            .push(row.admitted_ms, &self.buffer[from..from + encoded], ledger);
    }

    /// Buffers the row as it would be if the process were killed now; written with the next
    /// [`JournalWriter::flush`]. Replaces an earlier one of the request (a checkpoint). `ledger` is what the ledger
    /// gets with the row then. Every request with a hold must end with a final row.
    pub fn buffer_hold(&mut self, row: &UsageRow<'_>, ledger: &[u8]) {
        self.put(Kind::Hold, row, ledger);
    }

    fn put(&mut self, kind: Kind, row: &UsageRow<'_>, ledger: &[u8]) -> usize {
        self.number += 1;
        let length = frame::put(
            &mut self.buffer,
            kind,
            self.number,
            row.request,
            row.admitted_ms,
            ledger,
            |out| row.encode(out),
        );
        self.waiting.push(Waiting {
            kind,
            request: row.request,
            length,
            row: match kind {
                Kind::Hold => u64::MAX,
                Kind::Final => self.submitter.submitted() + 1,
            },
        });
        length
    }

    /// Writes what is buffered, with one write where it fits the segment. Call it too when [`JournalWriter::has_room`]
    /// is false: it tries again.
    ///
    /// # Errors
    /// [`JournalError`]: what could not be written stays buffered, and there is no room until it is written.
    /// [`JournalError::TooLarge`] is told once and stands in nobody's way: all else was written.
    pub fn flush(&mut self) -> Result<(), JournalError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if self.failing {
            self.forget_stored();
        }
        let written = self.write();
        if self.failing != written.is_err() {
            self.failing = written.is_err();
            match self.failing {
                true => self.pool.failing.fetch_add(1, Ordering::Relaxed),
                false => self.pool.failing.fetch_sub(1, Ordering::Relaxed),
            };
        }
        self.submitter.nudge();
        written?;
        match self.passed_over.take() {
            Some(bytes) => Err(JournalError::TooLarge { bytes }),
            None => Ok(()),
        }
    }

    /// Whether the last write failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failing
    }

    /// Whether everything was written. Where it is not, somebody must call [`JournalWriter::flush`] again: while there is
    /// no room no request comes that would.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Whether a new request may be admitted: everything was written, and there is room for what is on its way. Where no
    /// further segment can be made a spare one is set aside for this worker: one that each took for its own would be the
    /// room of all, and one that nobody took would leave all of them refusing for ever.
    #[must_use]
    pub fn has_room(&mut self) -> bool {
        if self.next.is_none() && self.pool.starved() && self.is_nearly_full() {
            self.next = self.pool.spare();
        }
        let full =
            self.failing || (self.next.is_none() && self.pool.starved() && self.is_nearly_full());
        !full && self.submitter.has_room()
    }

    /// Whether the segment is in its last quarter.
    fn is_nearly_full(&self) -> bool {
        let quarter = self.pool.options.segment_bytes / 4;
        let end = self.segment.as_ref().map_or(0, |segment| segment.size);
        end.saturating_sub(self.at) < quarter
    }

    /// How many rows were handed to the writer thread.
    #[must_use]
    pub fn submitted(&self) -> u64 {
        self.submitter.submitted()
    }

    /// How many of them are in the store.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.submitter.committed()
    }

    /// How many requests have a hold in the journal.
    #[must_use]
    pub fn open_holds(&self) -> usize {
        self.holds.len()
    }

    /// Rows that reached the store while the journal could not be written need it no more, nor do the holds of their
    /// requests: otherwise a full journal whose segments wait for just these records would stay full for ever.
    fn forget_stored(&mut self) {
        let committed = self.submitter.committed();
        if committed == self.looked {
            return;
        }
        self.looked = committed;
        let mut stored = HashSet::new();
        for record in &self.waiting {
            if record.row <= committed {
                stored.insert(record.request);
                // Most requests end before they are noted.
                if !self.holds.is_empty()
                    && let Some(old) = self.holds.remove(&record.request)
                {
                    old.segment.release(record.row);
                }
            }
        }
        let mut at = 0;
        let mut kept = Vec::with_capacity(self.buffer.len());
        self.waiting.retain(|record| {
            let end = at + record.length;
            let keep = !stored.contains(&record.request);
            if keep {
                kept.extend_from_slice(&self.buffer[at..end]);
            }
            at = end;
            keep
        });
        self.buffer = kept;
    }

    fn write(&mut self) -> Result<(), JournalError> {
        while let Some(next) = self.waiting.first() {
            let (count, bytes) = self.fitting();
            let Some(segment) = self.segment.as_ref().filter(|_| count > 0) else {
                let next = *next;
                if next.length as u64 > self.pool.options.segment_bytes.saturating_sub(FIRST) {
                    self.pass_over(next);
                    continue;
                }
                self.rotate()?;
                continue;
            };
            let mut at = 0;
            while at < bytes {
                at += frame::seal(&mut self.buffer[at..bytes], segment.number);
            }
            // On failure `at` stays: the next attempt writes over whatever arrived.
            segment
                .file
                .write_all_at(&self.buffer[..bytes], self.at)
                .map_err(|error| JournalError::io(&segment.path, error))?;
            let segment = Arc::clone(segment);
            let end = self.at + bytes as u64;
            segment.written.store(end, Ordering::Release);
            for place in 0..count {
                self.written(self.waiting[place], &segment);
            }
            self.waiting.drain(..count);
            self.buffer.drain(..bytes);
        }
        self.buffer.shrink_to(KEEP);
        Ok(())
    }

    /// The first of what waits is larger than any segment: the store gets it, the journal never can. No failure, as a
    /// further attempt would change nothing: a worker that waited for it refused every request from then on.
    fn pass_over(&mut self, record: Waiting) {
        self.waiting.remove(0);
        self.buffer.drain(..record.length);
        self.passed_over = Some(record.length);
        // Its hold stands for it until the store has the row.
        if let Kind::Final = record.kind
            && let Some(old) = self.holds.remove(&record.request)
        {
            old.segment.release(record.row);
        }
    }

    /// How many of the waiting records fit the segment, and their bytes.
    fn fitting(&self) -> (usize, usize) {
        let room = self
            .segment
            .as_ref()
            .map_or(0, |segment| segment.size.saturating_sub(self.at) as usize);
        let (mut count, mut bytes) = (0, 0);
        for waiting in &self.waiting {
            if bytes + waiting.length > room {
                break;
            }
            bytes += waiting.length;
            count += 1;
        }
        (count, bytes)
    }

    /// A record is in the file: what it replaces is no longer needed.
    fn written(&mut self, record: Waiting, segment: &Arc<Segment>) {
        let rows = self.submitter.submitted();
        match record.kind {
            Kind::Hold => {
                segment.holds.fetch_add(1, Ordering::Relaxed);
                let place = Place {
                    segment: Arc::clone(segment),
                    at: self.at,
                    length: record.length,
                };
                if let Some(old) = self.holds.insert(record.request, place) {
                    old.segment.release(0);
                }
            }
            Kind::Final => {
                if let Some(old) = self.holds.remove(&record.request) {
                    old.segment.release(rows);
                }
            }
        }
        self.at += record.length as u64;
    }

    /// Begins the next segment, and writes those holds into it again that an older segment is kept for.
    fn rotate(&mut self) -> Result<(), JournalError> {
        let next = match self.next.take() {
            Some(next) => next,
            None => self.pool.take()?,
        };
        let next = Arc::new(next);
        self.lane
            .rotate(Some(Arc::clone(&next)), self.submitter.submitted());
        let full = self.segment.replace(Arc::clone(&next));
        self.at = FIRST;
        if let Some(full) = full {
            self.carry(&full, &next);
        }
        Ok(())
    }

    /// Holds of requests that were open before `full` was begun move to `next`: about 0.4 µs each. What cannot be moved
    /// stays where it is, and so does its segment.
    fn carry(&mut self, full: &Segment, next: &Arc<Segment>) {
        let mut carried = Vec::new();
        let mut moved = Vec::new();
        let most = (next.size - FIRST) as usize / 2;
        for (request, place) in &self.holds {
            if place.segment.number == full.number || carried.len() + place.length > most {
                continue;
            }
            let start = carried.len();
            carried.resize(start + place.length, 0);
            let bytes = &mut carried[start..];
            let read = place.segment.file.read_exact_at(bytes, place.at);
            if read.is_err() || frame::read(bytes, place.segment.number).is_none() {
                tracing::warn!(%request, path = %place.segment.path.display(), "a hold cannot be read back; its segment is kept");
                carried.truncate(start);
                continue;
            }
            frame::seal(bytes, next.number);
            moved.push((*request, start, place.length));
        }
        if moved.is_empty() || next.file.write_all_at(&carried, self.at).is_err() {
            return;
        }
        let end = self.at + carried.len() as u64;
        next.written.store(end, Ordering::Release);
        next.holds.fetch_add(moved.len() as u32, Ordering::Relaxed);
        for (request, start, length) in moved {
            let place = Place {
                segment: Arc::clone(next),
                at: self.at + start as u64,
                length,
            };
            if let Entry::Occupied(mut entry) = self.holds.entry(request) {
                entry.insert(place).segment.release(0);
            }
        }
        self.at = end;
    }
}

/// How many bytes of a record are its row.
fn length_of_row(record: &[u8]) -> usize {
    record
        .get(4..8)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::error!(%error, records = self.waiting.len(), "the journal ends with records unwritten");
        }
        if self.failing {
            self.pool.failing.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(next) = self.next.take() {
            self.pool.give_back(next);
        }
        // Open holds keep their segments: the next start resolves them.
        self.holds.clear();
        self.segment = None;
        self.lane.rotate(None, self.submitter.submitted());
        self.lane.closed.store(true, Ordering::Release);
        self.submitter.nudge();
    }
}
