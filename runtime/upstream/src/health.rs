//! A breaker for one upstream and credential, shared by all workers through atomics.
//!
//! Closed until `failures` attempts in a row have failed; then open for a cool-down that doubles with every
//! failed probe; after it one probe is let through, and its outcome decides. Time is an argument:
//! milliseconds of any monotonic clock that all callers share.
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// When a breaker opens and for how long. Times are milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct BreakerConfig {
    /// Failures in a row that open it; at least 1.
    pub failures: u32,
    /// The first cool-down.
    pub cool_down_ms: u64,
    /// The longest cool-down that doubling may reach.
    pub max_cool_down_ms: u64,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            cool_down_ms: 1_000,
            max_cool_down_ms: 60_000,
        }
    }
}

/// What a breaker would say now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Traffic flows.
    Closed,
    /// No traffic before this instant.
    Open {
        /// Milliseconds on the caller's clock.
        until_ms: u64,
    },
    /// The cool-down is over; the next [`Breaker::try_pass`] is the probe.
    Probing,
}

/// The breaker. All methods are wait-free; a race costs at most one extra attempt.
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    failures: AtomicU32,
    /// 0 = closed.
    open_until_ms: AtomicU64,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            failures: AtomicU32::new(0),
            open_until_ms: AtomicU64::new(0),
        }
    }

    /// The state at `now_ms`, without taking the probe.
    #[must_use]
    pub fn state(&self, now_ms: u64) -> BreakerState {
        match self.open_until_ms.load(Relaxed) {
            0 => BreakerState::Closed,
            until_ms if now_ms < until_ms => BreakerState::Open { until_ms },
            _ => BreakerState::Probing,
        }
    }

    /// May an attempt be made now? After a cool-down exactly one caller is told yes; should it never report
    /// back, another may try a cool-down later.
    #[must_use]
    pub fn try_pass(&self, now_ms: u64) -> bool {
        let until_ms = self.open_until_ms.load(Relaxed);
        if until_ms == 0 {
            return true;
        }
        if now_ms < until_ms {
            return false;
        }
        let next = now_ms.saturating_add(self.config.cool_down_ms.max(1));
        self.open_until_ms
            .compare_exchange(until_ms, next, Relaxed, Relaxed)
            .is_ok()
    }

    /// An attempt succeeded: closes the breaker.
    pub fn succeeded(&self) {
        // Loads first: the usual case writes nothing, so the cache line stays shared between cores.
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        if self.open_until_ms.load(Relaxed) != 0 {
            self.open_until_ms.store(0, Relaxed);
        }
    }

    /// An attempt failed in a way that is the upstream's fault.
    pub fn failed(&self, now_ms: u64) {
        let before = self
            .failures
            .fetch_update(Relaxed, Relaxed, |n| Some(n.saturating_add(1)))
            .unwrap_or_default();
        let failures = before.saturating_add(1);
        let limit = self.config.failures.max(1);
        if failures >= limit {
            let doublings = (failures - limit).min(32);
            let pause = self
                .config
                .cool_down_ms
                .saturating_mul(1 << doublings)
                .min(self.config.max_cool_down_ms.max(self.config.cool_down_ms))
                .max(1);
            self.cool_down_until(now_ms.saturating_add(pause));
        }
    }

    /// The upstream itself said when to come back (`retry-after`, an exhausted quota). Never shortens a
    /// cool-down.
    pub fn cool_down_until(&self, until_ms: u64) {
        self.open_until_ms.fetch_max(until_ms, Relaxed);
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new(BreakerConfig::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerConfig {
            failures: 3,
            cool_down_ms: 100,
            max_cool_down_ms: 350,
        })
    }

    #[test]
    fn opens_only_after_failures_in_a_row() {
        let b = breaker();
        b.failed(1);
        b.failed(2);
        b.succeeded();
        b.failed(3);
        b.failed(4);
        assert_eq!(b.state(5), BreakerState::Closed);
        b.failed(5);
        assert_eq!(b.state(6), BreakerState::Open { until_ms: 105 });
        assert!(!b.try_pass(104));
    }

    #[test]
    fn one_probe_passes_after_the_cool_down_and_its_outcome_decides() {
        let b = breaker();
        (0..3).for_each(|_| b.failed(0));
        assert_eq!(b.state(100), BreakerState::Probing);
        assert!(b.try_pass(100));
        assert!(!b.try_pass(100), "a second probe at once");
        b.failed(110);
        assert_eq!(
            b.state(111),
            BreakerState::Open { until_ms: 310 },
            "the cool-down doubles"
        );
        assert!(b.try_pass(310));
        b.succeeded();
        assert_eq!(b.state(311), BreakerState::Closed);
        assert!(b.try_pass(311) && b.try_pass(311));
    }

    #[test]
    fn a_probe_that_never_reports_back_does_not_block_for_ever() {
        let b = breaker();
        (0..3).for_each(|_| b.failed(0));
        assert!(b.try_pass(100));
        assert!(b.try_pass(200));
    }

    #[test]
    fn cool_downs_are_capped_and_never_overflow() {
        let b = breaker();
        (0..200).for_each(|_| b.failed(1_000));
        assert_eq!(b.state(1_000), BreakerState::Open { until_ms: 1_350 });
        b.failed(u64::MAX - 1);
        assert!(!b.try_pass(u64::MAX - 2));
    }

    #[test]
    fn an_announced_pause_is_kept_and_never_shortened() {
        let b = breaker();
        b.cool_down_until(5_000);
        b.cool_down_until(2_000);
        assert_eq!(b.state(4_999), BreakerState::Open { until_ms: 5_000 });
    }
}
