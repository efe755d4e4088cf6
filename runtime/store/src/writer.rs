//! Group commit of usage rows on a thread of its own.
//!
//! A worker hands a row over by encoding it into its own queue: a lock that nobody else wants, no allocation, no
//! system call. The thread looks every few milliseconds; only when it has been idle for a while does it sleep until
//! called. So a row under load costs no wake-up, and an idle gateway costs no processor time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use parking_lot::Mutex;
use tollgate_governance::UsageRow;

use crate::batch::UsageBatch;
use crate::engine::Store;
use crate::error::StoreError;

/// How the writer works.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Between two commits under load: how much a killed process may lose. A commit costs the engine a fixed
    /// 0.1–0.3 ms of processor time, so a longer interval is cheaper for each row.
    pub interval: Duration,
    /// Rows that one queue may hold before it refuses more, bytes.
    pub queue_bytes: usize,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(5),
            queue_bytes: 16 << 20,
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
    queues: Mutex<Vec<Arc<Queue>>>,
    /// The thread waits to be called.
    asleep: AtomicBool,
    stopping: AtomicBool,
    failing: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

#[derive(Debug, Default)]
struct Queue {
    rows: Mutex<UsageBatch>,
    submitted: AtomicU64,
    committed: AtomicU64,
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

    /// Rows of this queue up to this number are durable.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.queue.committed.load(Ordering::Acquire)
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
        let shared = Arc::new(Shared {
            options,
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
        let end = std::time::Instant::now() + patience;
        self.shared.wake();
        loop {
            if goals
                .iter()
                .all(|(queue, goal)| queue.committed.load(Ordering::Acquire) >= *goal)
            {
                return true;
            }
            if self.is_failing() || std::time::Instant::now() >= end {
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
        let mut taken: Vec<Taken> = Vec::new();
        let mut idle = 0;
        loop {
            // Read first: what was submitted before the stop is seen by the look that follows.
            let stopping = self.stopping.load(Ordering::Acquire);
            match self.commit(store, &mut taken) {
                Ok(0) if stopping => return Ok(()),
                Ok(0) => idle += 1,
                Ok(_) => idle = 0,
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
            if idle < IDLE_LOOKS {
                thread::park_timeout(self.options.interval);
                continue;
            }
            self.asleep.store(true, Ordering::Relaxed);
            // The last look, after saying so: whoever came before the word was seen is served now.
            if self.queued() || self.stopping.load(Ordering::Acquire) {
                self.asleep.store(false, Ordering::Relaxed);
            } else {
                thread::park();
                self.asleep.store(false, Ordering::Relaxed);
            }
            idle = 0;
        }
    }

    fn queued(&self) -> bool {
        self.queues
            .lock()
            .iter()
            .any(|queue| !queue.rows.lock().is_empty())
    }

    /// One group commit. Returns how many rows became durable. On failure `taken` keeps what is not.
    fn commit(&self, store: &dyn Store, taken: &mut Vec<Taken>) -> Result<usize, StoreError> {
        let known = taken.len();
        taken.extend(
            self.queues
                .lock()
                .iter()
                .skip(known)
                .map(|queue| Taken::new(Arc::clone(queue))),
        );
        for taken in &mut *taken {
            taken.take();
            if !taken.appended && !taken.rows.is_empty() {
                store.append_usage(&taken.rows)?;
                taken.appended = true;
            }
        }
        let rows = taken.iter().map(|taken| taken.rows.len()).sum();
        if rows > 0 {
            store.flush()?;
            taken.iter_mut().for_each(Taken::done);
        }
        Ok(rows)
    }
}

/// What the thread took from one queue and has not yet made durable.
struct Taken {
    queue: Arc<Queue>,
    rows: UsageBatch,
    /// In the engine, but not yet flushed: must not be appended twice.
    appended: bool,
    up_to: u64,
}

impl Taken {
    fn new(queue: Arc<Queue>) -> Self {
        Self {
            queue,
            rows: UsageBatch::default(),
            appended: false,
            up_to: 0,
        }
    }

    /// Swaps the queue's rows for an empty batch, once the last ones are durable.
    fn take(&mut self) {
        if self.rows.is_empty() {
            let mut rows = self.queue.rows.lock();
            std::mem::swap(&mut self.rows, &mut *rows);
            self.up_to = self.queue.submitted.load(Ordering::Relaxed);
        }
    }

    fn done(&mut self) {
        self.rows.clear();
        self.appended = false;
        self.queue.committed.store(self.up_to, Ordering::Release);
    }
}
