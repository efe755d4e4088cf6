//! One value for each worker thread, so that no lock is shared by all of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// A small fixed number of values; a thread always meets the same one. Threads beyond the number share, which is
/// correct and only slower.
pub(crate) struct Sharded<T> {
    shards: Box<[Shard<T>]>,
}

/// On its own cache line: a neighbour's lock must not slow ours.
#[repr(align(128))]
struct Shard<T>(Mutex<T>);

// A number for each thread, handed out once. Not state of the program: it only spreads threads over shards.
static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: usize = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
}

impl<T> Sharded<T> {
    /// A value for each core, at least four (a power of two).
    pub(crate) fn new(make: impl Fn() -> T) -> Self {
        let cores = std::thread::available_parallelism().map_or(4, usize::from);
        let count = cores.next_power_of_two().clamp(4, 64);
        Self {
            shards: (0..count).map(|_| Shard(Mutex::new(make()))).collect(),
        }
    }

    /// This thread's value. Uncontended with thread-per-core workers.
    pub(crate) fn mine(&self) -> &Mutex<T> {
        let thread = THREAD.with(|thread| *thread);
        &self.shards[thread & (self.shards.len() - 1)].0
    }

    /// Every value, for sums.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Mutex<T>> {
        self.shards.iter().map(|shard| &shard.0)
    }
}
