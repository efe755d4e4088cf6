//! Group commit of usage rows on a thread of its own.
//!
//! A worker hands a row over by encoding it into its own queue: a lock that nobody else wants, no allocation, no
//! system call. The thread looks every few milliseconds; only when it has been idle for a while does it sleep until
//! called. So a row under load costs no wake-up, and an idle gateway costs no processor time.
//!
//! With a [`Journal`] the worker has written the row before it hands it over, so that a killed process loses nothing;
//! the thread syncs the journal, moves the rows into the engine, and removes the segments.
//!
//! Between commits the thread folds roll-ups, a step at a time ([`Store::fold_rollups`]).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tollgate_governance::UsageRow;

use crate::batch::UsageBatch;
use crate::engine::Store;
use crate::error::StoreError;
use crate::folder::{FOLD_EVERY, Folder};
use crate::journal::{Journal, JournalWriter};

/// How the writer works.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Between two commits under load: how much a power failure may lose (and a killed process, without a journal). A
    /// commit costs the engine a fixed 0.1–0.3 ms of processor time, so a longer interval is cheaper for each row.
    pub interval: Duration,
    /// Rows that one queue may hold before it wants no more, bytes.
    pub queue_bytes: usize,
    /// Groups of roll-ups that may wait in memory to be folded, some 400 bytes each; an eighth of it when there is
    /// nothing else to do. The more, the cheaper a row with many accounts: neighbours share a page.
    pub fold_groups: usize,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(20),
            queue_bytes: 16 << 20,
            fold_groups: 1 << 16,
        }
    }
}

/// The queue is full: the store has not kept up or has failed. Refuse new requests (503); do not drop the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the usage store does not keep up")]
pub struct WriterFull;

/// Owns the writing thread. Dropping it commits what is queued.
#[derive(Debug)]
pub struct UsageWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

/// A worker's end. Each worker takes its own from [`UsageWriter::submitter`]; clones share one queue.
#[derive(Clone, Debug)]
pub struct Submitter {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: WriterOptions,
    journal: Option<Journal>,
    queues: Mutex<Vec<Arc<Queue>>>,
    /// The thread waits to be called.
    asleep: AtomicBool,
    stopping: AtomicBool,
    failing: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    rows: Mutex<UsageBatch>,
    submitted: AtomicU64,
    committed: AtomicU64,
}

impl Queue {
    /// Rows up to this number are durable in the store.
    pub(crate) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }
}

/// Looks in vain before the thread goes to sleep.
const IDLE_LOOKS: u32 = 5;
const RETRY: Duration = Duration::from_millis(200);

impl Submitter {
    /// Queues a row. Returns its number among the rows of this queue; see [`Submitter::committed`].
    ///
    /// # Errors
    /// [`WriterFull`]: the row was not taken.
    pub fn submit(&self, row: &UsageRow<'_>) -> Result<u64, WriterFull> {
        let mut rows = self.queue.rows.lock();
        if rows.size() >= self.shared.options.queue_bytes {
            return Err(WriterFull);
        }
        rows.push(row);
        // Only ever changed under the lock.
        let number = self.queue.submitted.load(Ordering::Relaxed) + 1;
        self.queue.submitted.store(number, Ordering::Relaxed);
        drop(rows);
        // The thread sets this before it takes the lock for its last look, so one of the two sees the other.
        if self.shared.asleep.load(Ordering::Relaxed) {
            self.shared.wake();
        }
        Ok(number)
    }

    /// Queues an encoded row however full the queue is: it is in the journal already.
    pub(crate) fn push(&self, admitted_ms: u64, row: &[u8], ledger: &[u8]) {
        let mut rows = self.queue.rows.lock();
        rows.push_bytes(admitted_ms, row, ledger);
        let number = self.queue.submitted.load(Ordering::Relaxed) + 1;
        self.queue.submitted.store(number, Ordering::Relaxed);
    }

    /// Calls the thread if it sleeps: there are rows, or records to sync.
    pub(crate) fn nudge(&self) {
        if self.shared.asleep.load(Ordering::Relaxed) {
            self.shared.wake();
        }
    }

    /// How many rows were queued.
    pub(crate) fn submitted(&self) -> u64 {
        self.queue.submitted.load(Ordering::Relaxed)
    }

    /// Rows of this queue up to this number are durable.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.queue.committed()
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Whether a further row would be taken: ask before admitting a request.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.queue.rows.lock().size() < self.shared.options.queue_bytes
    }
}

impl UsageWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Arc<dyn Store>, options: WriterOptions) -> io::Result<Self> {
        Self::launch(store, options, None)
    }

    /// Starts the thread, with a journal that was opened on the same store.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start_journaled(
        store: Arc<dyn Store>,
        options: WriterOptions,
        journal: Journal,
    ) -> io::Result<Self> {
        Self::launch(store, options, Some(journal))
    }

    fn launch(
        store: Arc<dyn Store>,
        options: WriterOptions,
        journal: Option<Journal>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            options,
            journal,
            queues: Mutex::default(),
            asleep: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            thread: Mutex::default(),
        });
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("usage-writer".to_owned())
            .spawn(move || for_thread.run(&*store))?;
        *shared.thread.lock() = Some(thread.thread().clone());
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// A new queue.
    #[must_use]
    pub fn submitter(&self) -> Submitter {
        let queue = Arc::<Queue>::default();
        self.shared.queues.lock().push(Arc::clone(&queue));
        Submitter {
            queue,
            shared: Arc::clone(&self.shared),
        }
    }

    /// A worker's end of the journal, with a queue of its own; none without a journal.
    #[must_use]
    pub fn journal_writer(&self) -> Option<JournalWriter> {
        let journal = self.shared.journal.as_ref()?;
        Some(journal.writer(self.submitter()))
    }

    /// Whether new requests may be admitted, seen from outside of the workers (for a readiness probe): every queue
    /// has room and every worker's last record was written.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let limit = self.shared.options.queue_bytes;
        let queues = self.shared.queues.lock();
        let journal = self.shared.journal.as_ref();
        journal.is_none_or(|journal| !journal.is_failing())
            && queues.iter().all(|queue| queue.rows.lock().size() < limit)
    }

    /// Whether the last commit failed; the rows are kept and tried again.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    /// Waits until every row submitted so far is durable, or the store fails, or `patience` is over. Says which:
    /// true when all are durable.
    #[must_use]
    pub fn sync(&self, patience: Duration) -> bool {
        let goals: Vec<_> = {
            let queues = self.shared.queues.lock();
            let goal = |queue: &Arc<Queue>| {
                let _in_order = queue.rows.lock();
                (Arc::clone(queue), queue.submitted.load(Ordering::Relaxed))
            };
            queues.iter().map(goal).collect()
        };
        let end = Instant::now() + patience;
        self.shared.wake();
        loop {
            if goals
                .iter()
                .all(|(queue, goal)| queue.committed.load(Ordering::Acquire) >= *goal)
            {
                return true;
            }
            if self.is_failing() || Instant::now() >= end {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Commits what is queued and ends the thread.
    ///
    /// # Errors
    /// When the store fails: rows are lost that were never durable.
    pub fn shutdown(mut self) -> Result<(), StoreError> {
        self.stop()
    }

    fn stop(&mut self) -> Result<(), StoreError> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.wake();
        thread
            .join()
            .unwrap_or_else(|_| Err(StoreError::Engine("the usage writer panicked".to_owned())))
    }
}

impl Drop for UsageWriter {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "usage rows could not be committed at shutdown");
        }
    }
}

impl Shared {
    fn wake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }

    fn run(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut group = Group::default();
        let mut folder = Folder::new(self.options.fold_groups);
        let mut idle = 0;
        loop {
            // Read first: what was submitted before the stop is seen by the look that follows.
            let stopping = self.stopping.load(Ordering::Acquire);
            match self.round(store, &mut group) {
                Ok(false) if stopping => {
                    Folder::finish(store);
                    self.end(store);
                    return Ok(());
                }
                Ok(false) => idle += 1,
                Ok(true) => {
                    idle = 0;
                    folder.dirty = true;
                }
                Err(error) if stopping => return Err(error),
                Err(error) => {
                    if !self.failing.swap(true, Ordering::Relaxed) {
                        tracing::error!(%error, "usage rows cannot be committed; they are kept and tried again");
                    }
                    thread::park_timeout(RETRY);
                    continue;
                }
            }
            if self.failing.swap(false, Ordering::Relaxed) {
                tracing::info!("usage rows are committed again");
            }
            if stopping {
                continue;
            }
            if folder.step(store, idle >= IDLE_LOOKS) || idle < IDLE_LOOKS {
                thread::park_timeout(self.options.interval);
                continue;
            }
            self.asleep.store(true, Ordering::Relaxed);
            // The last look, after saying so: whoever came before the word was seen is served now.
            if self.waiting() || self.stopping.load(Ordering::Acquire) {
                self.asleep.store(false, Ordering::Relaxed);
            } else {
                match folder.dirty {
                    true => thread::park_timeout(FOLD_EVERY),
                    false => thread::park(),
                }
                self.asleep.store(false, Ordering::Relaxed);
            }
            idle = 0;
        }
    }

    fn waiting(&self) -> bool {
        let queues = self.queues.lock();
        queues.iter().any(|queue| !queue.rows.lock().is_empty())
            || self
                .journal
                .as_ref()
                // Nobody else looks whether there is room again.
                .is_some_and(|journal| journal.is_unsynced() || journal.is_starved())
    }

    /// One group commit. Says whether there was anything to do. On failure `group` keeps what is not durable.
    fn round(&self, store: &dyn Store, group: &mut Group) -> Result<bool, StoreError> {
        let Some(journal) = &self.journal else {
            return self.commit(store, group).map(|rows| rows > 0);
        };
        let moved = self.move_on(store, group, journal);
        // Also where the store fails: on a disk that is full workers must hear of it while they still have room for
        // what is on its way. Looked at after good rounds only, a worker came to the end of its last segment unwarned.
        journal.replenish();
        moved
    }

    /// Syncs the journal, moves its rows into the engine and gives back the segments.
    fn move_on(
        &self,
        store: &dyn Store,
        group: &mut Group,
        journal: &Journal,
    ) -> Result<bool, StoreError> {
        // In this order: what replaced a hold is on the disk before the hold's segment goes.
        let settled = journal.settled();
        let synced = journal.sync()?;
        let rows = self.commit(store, group)?;
        journal.retire(&settled)?;
        Ok(rows > 0 || synced)
    }

    /// Returns how many rows became durable.
    fn commit(&self, store: &dyn Store, group: &mut Group) -> Result<usize, StoreError> {
        group.take(&self.queues.lock());
        let rows = group.rows.len();
        if rows > 0 {
            if !group.appended {
                store.append_usage(&group.rows)?;
                group.appended = true;
            }
            store.flush()?;
            group.done();
        }
        Ok(rows)
    }

    /// Everything is in the store; files that could not be removed are found empty by the next start.
    fn end(&self, store: &dyn Store) {
        if let Some(journal) = &self.journal
            && let Err(error) = journal.close(store)
        {
            tracing::warn!(%error, "the journal could not be removed");
        }
    }
}

/// What the thread took from the queues and has not yet made durable: one commit for all of them.
#[derive(Default)]
struct Group {
    rows: UsageBatch,
    /// In the engine, but not yet flushed: must not be appended twice.
    appended: bool,
    /// Up to which row each queue was taken.
    up_to: Vec<(Arc<Queue>, u64)>,
}

impl Group {
    /// Takes the queues' rows, once the last ones are durable.
    fn take(&mut self, queues: &[Arc<Queue>]) {
        if !self.rows.is_empty() {
            return;
        }
        for queue in queues {
            let mut rows = queue.rows.lock();
            if !rows.is_empty() {
                self.rows.take(&mut rows);
                let number = queue.submitted.load(Ordering::Relaxed);
                self.up_to.push((Arc::clone(queue), number));
            }
        }
    }

    fn done(&mut self) {
        self.rows.clear();
        self.appended = false;
        for (queue, number) in self.up_to.drain(..) {
            queue.committed.store(number, Ordering::Release);
        }
    }
}
