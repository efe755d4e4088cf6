//! The files of the journal: spare segments, made ahead of time.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::segment::{SUFFIX, Segment};
use super::{JournalError, JournalOptions};
use crate::calls;
use crate::engine::Durability;
use crate::space;

/// Spare segments kept ready.
const SPARES: usize = 2;
const RETRY: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct Pool {
    folder: PathBuf,
    pub(crate) options: JournalOptions,
    boot: [u8; 16],
    state: Mutex<State>,
    /// The last attempt to make a segment failed.
    starved: AtomicBool,
    /// Writers whose last write failed.
    pub(crate) failing: AtomicU64,
}

#[derive(Debug)]
struct State {
    spares: VecDeque<Segment>,
    /// Number of the next segment; never used twice while a file of the journal exists.
    number: u64,
    /// Name of the next file.
    file: u64,
    files: u64,
    failed: Option<Instant>,
}

impl State {
    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number - 1
    }
}

impl Pool {
    pub(crate) fn new(
        folder: PathBuf,
        options: JournalOptions,
        boot: [u8; 16],
        number: u64,
        file: u64,
    ) -> Self {
        Self {
            folder,
            options,
            boot,
            state: Mutex::new(State {
                spares: VecDeque::new(),
                number,
                file,
                files: 0,
                failed: None,
            }),
            starved: AtomicBool::new(false),
            failing: AtomicU64::new(0),
        }
    }

    fn durable(&self) -> bool {
        self.options.durability == Durability::PowerLoss
    }

    /// No further segment can be made at the moment.
    pub(crate) fn starved(&self) -> bool {
        self.starved.load(Ordering::Relaxed)
    }

    /// A spare segment, if there is one.
    pub(crate) fn spare(&self) -> Option<Segment> {
        self.state.lock().spares.pop_front()
    }

    /// Takes a spare segment back that nothing was written in.
    pub(crate) fn give_back(&self, spare: Segment) {
        self.state.lock().spares.push_front(spare);
    }

    /// A segment to write in: a spare one, else one made now (0.1 ms; some milliseconds with a sync).
    pub(crate) fn take(&self) -> Result<Segment, JournalError> {
        {
            let mut state = self.state.lock();
            if let Some(spare) = state.spares.pop_front() {
                return Ok(spare);
            }
            if state.failed.is_some_and(|at| at.elapsed() < RETRY) {
                return Err(JournalError::NoSegment);
            }
        }
        self.make()
    }

    /// Sees to it that spares are ready. Called by the writer thread.
    pub(crate) fn replenish(&self) {
        {
            let state = self.state.lock();
            if state.spares.len() >= SPARES || state.failed.is_some_and(|at| at.elapsed() < RETRY) {
                return;
            }
        }
        if let Ok(segment) = self.make() {
            self.state.lock().spares.push_back(segment);
        }
    }

    fn make(&self) -> Result<Segment, JournalError> {
        let made = self.try_make();
        let was = self.starved.swap(made.is_err(), Ordering::Relaxed);
        let mut state = self.state.lock();
        match &made {
            Ok(_) => {
                if was {
                    tracing::info!("the journal has room again");
                }
                state.failed = None;
            }
            Err(error) => {
                if !was {
                    tracing::error!(%error, "the journal cannot grow; new requests will be refused");
                }
                state.failed = Some(Instant::now());
            }
        }
        made
    }

    /// Not under the lock but for the numbers: a worker must not wait for another's segment.
    fn try_make(&self) -> Result<Segment, JournalError> {
        let size = self.options.segment_bytes;
        let reserve = self.options.reserve_bytes.saturating_add(space::RESERVE);
        space::check(&self.folder, size, reserve)
            .map_err(|error| JournalError::Full(error.to_string()))?;
        let (file, number) = {
            let mut state = self.state.lock();
            if (state.files + 1).saturating_mul(size) > self.options.max_bytes {
                return Err(JournalError::Limit {
                    bytes: self.options.max_bytes,
                });
            }
            state.files += 1;
            state.file += 1;
            (state.file - 1, state.next_number())
        };
        let path = self.folder.join(format!("{file:08}.{SUFFIX}"));
        Segment::make(path, number, size, &self.boot, self.durable()).map_err(|error| {
            self.state.lock().files -= 1;
            JournalError::io(&self.folder, error)
        })
    }

    /// Removes a segment of which nothing is needed any more.
    pub(crate) fn remove(&self, segment: &Segment) -> io::Result<()> {
        // Not there any more is as good; and a failure must not be counted as room.
        match calls::remove(&segment.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut state = self.state.lock();
        state.files -= 1;
        state.failed = None;
        Ok(())
    }

    /// Removes the spare files: there is nothing in them.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        while let Some(spare) = state.spares.pop_front() {
            calls::remove(&spare.path)?;
            state.files -= 1;
        }
        Ok(())
    }

    /// How many files there are.
    pub(crate) fn files(&self) -> u64 {
        self.state.lock().files
    }
}
