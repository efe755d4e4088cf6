//! What one instance may use: memory, tables, instances, log lines.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{ResourceLimiter, UpdateDeadline};

/// A log line is cut here, in bytes.
pub(crate) const LOG_LINE_BYTES: usize = 4 * 1024;
/// Log lines of one call; the rest is dropped.
pub(crate) const LOG_LINES_A_CALL: u32 = 64;
/// Bytes of a failed answer's body that a guest may read.
pub(crate) const FAILED_BODY_BYTES: usize = 64 * 1024;
/// Elements of all tables of an instance; a Python guest has two of 5,670.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;
/// Core instances in a component; a Python guest has 38.
pub(crate) const CORE_INSTANCES: usize = 100;
/// Linear memories in a component.
pub(crate) const MEMORIES: usize = 8;
/// Tables in a component.
pub(crate) const TABLES: usize = 32;
/// Live component-model handles of an instance.
pub(crate) const HANDLES: usize = 10_000;
/// Calls after which a warm instance is replaced.
pub(crate) const CALLS_A_LIFE: u64 = 10_000;
/// Warm instances kept idle for each worker thread.
pub(crate) const IDLE_A_SHARD: usize = 8;
/// Channels of one answer that a policy may have open at once. Vendors allow up to 128 choices, each with text, reasoning
/// and tool calls, but no answer has more than a few under way at a time.
pub(crate) const CHANNELS_AN_ANSWER: usize = 256;
/// Time-outs in a row after which a component is left alone.
pub(crate) const TIMEOUTS_IN_A_ROW: u32 = 3;
/// For how long, the first time. Doubles each time that it times out again.
pub(crate) const SUSPENSION_FIRST: Duration = Duration::from_secs(1);
/// For how long at most.
pub(crate) const SUSPENSION_LONGEST: Duration = Duration::from_secs(300);
/// How often a deadline is moved for a guest that did not get the processor.
const GRACES: u32 = 20;
/// A call that is handed more than this has its time once more for each such part: a policy that looks at all text takes as
/// long as the text is. (One that took 30 ms a megabyte failed at every conversation of half a million tokens.) Bytes.
pub(crate) const BYTES_A_TIME: usize = 512 * 1024;
/// What a piece of text costs besides its bytes.
pub(crate) const BYTES_A_PIECE: usize = 64;
/// How many times a call's time may be used by what happens once: instantiation, `configure`, `describe`.
pub(crate) const SETUP_FACTOR: u32 = 10;

/// The operator's limits, and the engine's tick that counts the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of all linear memories of one instance.
    pub(crate) memory: usize,
    /// Time of one call.
    pub(crate) call: Duration,
    /// Length of an epoch.
    pub(crate) tick: Duration,
}

impl Limits {
    /// Limits with a tick that fits the time: a twentieth of it, 1 to 5 ms.
    pub(crate) fn new(memory: usize, call: Duration) -> Self {
        let tick = (call / 20).clamp(Duration::from_millis(1), Duration::from_millis(5));
        Self { memory, call, tick }
    }

    /// What one call may take that is handed so many bytes.
    pub(crate) fn of_call(&self, bytes: usize) -> Allowance {
        let more = u32::try_from(bytes / BYTES_A_TIME).unwrap_or(u32::MAX);
        let time = self.call.saturating_mul(more.saturating_add(1));
        Allowance {
            large: more > 0,
            ..Allowance::new(time, self.tick)
        }
    }

    /// What may be taken by what happens once in an instance's life.
    pub(crate) fn of_setup(&self) -> Allowance {
        Allowance::new(self.call.saturating_mul(SETUP_FACTOR), self.tick)
    }
}

/// The time of a call, and the epochs that it may live through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) time: Duration,
    pub(crate) ticks: u64,
    /// Whether it is for a call that is handed more than most: what fails then may fail for what it was handed.
    pub(crate) large: bool,
}

impl Allowance {
    fn new(time: Duration, tick: Duration) -> Self {
        Self {
            time,
            ticks: ticks(time, tick),
            large: false,
        }
    }
}

/// Rounded up, and one more because the current tick has partly gone. Far below a wrapping value.
fn ticks(time: Duration, tick: Duration) -> u64 {
    let count = time.as_nanos().div_ceil(tick.as_nanos().max(1)) + 1;
    u64::try_from(count)
        .unwrap_or(u64::MAX)
        .min(u64::from(u32::MAX))
}

/// Ends a call that ran too long, but not one that the system kept from running: on a busy machine a thread can wait
/// for the processor longer than a call may take. The first half of the time passes unwatched, so a call that ends in
/// it costs nothing; in the second half the guest must have used the processor to be stopped.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    second_half: u64,
    tick: Duration,
    used: Option<Duration>,
    graces: u32,
}

impl Deadline {
    /// Starts anew; returns the epochs to the first look.
    pub(crate) fn start(&mut self, ticks: u64, tick: Duration) -> u64 {
        *self = Self {
            second_half: (ticks / 2).max(1),
            tick,
            used: None,
            graces: GRACES,
        };
        ticks.saturating_sub(self.second_half).max(1)
    }

    /// Called when the epochs have passed.
    pub(crate) fn reached(&mut self) -> UpdateDeadline {
        self.judge(processor_time())
    }

    fn judge(&mut self, used: Duration) -> UpdateDeadline {
        let Some(before) = self.used.replace(used) else {
            return UpdateDeadline::Continue(self.second_half);
        };
        let half = self
            .tick
            .saturating_mul(u32::try_from(self.second_half).unwrap_or(u32::MAX));
        if used.saturating_sub(before) >= half / 2 || self.graces == 0 {
            return UpdateDeadline::Interrupt;
        }
        self.graces -= 1;
        UpdateDeadline::Continue(self.second_half)
    }
}

/// Processor time that this thread has used.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Counts what one store uses and says no at the limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: usize,
    used: usize,
    table_elements: usize,
    denied: bool,
}

impl Limiter {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: 0,
            table_elements: 0,
            denied: false,
        }
    }

    /// Bytes of linear memory in use. Memories only grow, so this is the high-water mark too.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// The limit in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether growth was ever denied: a trap that follows is about memory.
    pub(crate) fn denied(&self) -> bool {
        self.denied
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let after = self.used.saturating_sub(current).saturating_add(desired);
        if after > self.limit {
            self.denied = true;
            return Ok(false);
        }
        self.used = after;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let after = self
            .table_elements
            .saturating_sub(current)
            .saturating_add(desired);
        if after > TABLE_ELEMENTS * 2 {
            self.denied = true;
            return Ok(false);
        }
        self.table_elements = after;
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_summed_over_all_memories_of_the_instance() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.denied());
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert_eq!(limiter.used(), 100);
    }

    #[test]
    fn table_elements_are_summed_over_all_tables_of_the_instance() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.table_growing(0, TABLE_ELEMENTS, None).unwrap());
        assert!(limiter.table_growing(0, TABLE_ELEMENTS - 1, None).unwrap());
        assert!(!limiter.table_growing(0, 2, None).unwrap());
        assert!(limiter.denied());
        assert!(limiter.table_growing(0, 1, None).unwrap());
        assert_eq!(limiter.used(), 0, "memory is counted by itself");
    }

    #[test]
    fn a_guest_is_stopped_for_running_and_not_for_waiting() {
        let tick = Duration::from_millis(1);
        let mut deadline = Deadline::default();
        assert_eq!(deadline.start(50, tick), 25);
        let ms = Duration::from_millis;
        assert!(matches!(
            deadline.judge(ms(100)),
            UpdateDeadline::Continue(25)
        ));
        assert!(
            matches!(deadline.judge(ms(101)), UpdateDeadline::Continue(25)),
            "it only waited"
        );
        assert!(
            matches!(deadline.judge(ms(114)), UpdateDeadline::Interrupt),
            "it ran for half of the time"
        );
        deadline.start(50, tick);
        for _ in 0..=GRACES {
            assert!(matches!(
                deadline.judge(ms(200)),
                UpdateDeadline::Continue(_)
            ));
        }
        assert!(
            matches!(deadline.judge(ms(200)), UpdateDeadline::Interrupt),
            "waiting has an end too"
        );
    }

    #[test]
    fn a_call_has_time_for_what_it_is_handed() {
        let limits = Limits::new(1, Duration::from_millis(50));
        let time = |bytes| limits.of_call(bytes).time.as_millis();
        assert_eq!([0, BYTES_A_TIME - 1, BYTES_A_TIME].map(time), [50, 50, 100]);
        assert_eq!(time(32 << 20), 65 * 50);
        assert_eq!(limits.of_call(BYTES_A_TIME).ticks, 41);
        assert_eq!(limits.of_call(usize::MAX).ticks, u64::from(u32::MAX));
    }

    #[test]
    fn a_deadline_is_never_shorter_than_asked_and_never_wraps() {
        let limits = Limits::new(1, Duration::from_millis(50));
        assert_eq!(limits.tick, Duration::from_micros(2500));
        assert_eq!(limits.of_call(0).ticks, 21);
        let forever = Limits::new(1, Duration::MAX);
        assert_eq!(forever.of_setup().ticks, u64::from(u32::MAX));
    }
}
