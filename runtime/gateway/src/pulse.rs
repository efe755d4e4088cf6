//! How an upstream is doing right now: requests under way and smoothed time to the first byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::seldom::Seldom;

/// Shared by all workers; survives a change of the snapshot.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    load: AtomicU32,
    /// Microseconds, exponentially smoothed over about eight requests; 0 until the first.
    latency_us: AtomicU32,
    /// Attempts that failed: a vendor that is down fails thousands of times a second.
    failures: Seldom,
}

/// A request under way; counts until dropped.
#[derive(Debug)]
pub(crate) struct Beat(Arc<Pulse>);

impl Pulse {
    pub(crate) fn begin(self: &Arc<Self>) -> Beat {
        self.load.fetch_add(1, Relaxed);
        Beat(Arc::clone(self))
    }

    pub(crate) fn load(&self) -> u32 {
        self.load.load(Relaxed)
    }

    pub(crate) fn latency_ms(&self) -> u32 {
        self.latency_us.load(Relaxed).div_ceil(1_000)
    }

    /// An attempt failed. How many did since the operator was told last, if it is time to tell again.
    pub(crate) fn failed(&self, now_ms: u64) -> Option<u64> {
        self.failures.happened(now_ms)
    }

    /// Two workers may write at once and one sample be lost: it is an estimate, not an account.
    pub(crate) fn first_byte(&self, took: std::time::Duration) {
        let sample = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).max(1);
        let old = self.latency_us.load(Relaxed);
        let new = match old {
            0 => sample,
            old => (u64::from(old) * 7 / 8 + u64::from(sample) / 8) as u32,
        };
        self.latency_us.store(new.max(1), Relaxed);
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.load.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::seldom::EVERY_MS;

    #[test]
    fn load_falls_when_a_request_ends_however_it_ends() {
        let pulse = Arc::new(Pulse::default());
        let beats: Vec<_> = (0..3).map(|_| pulse.begin()).collect();
        assert_eq!(pulse.load(), 3);
        drop(beats);
        assert_eq!(pulse.load(), 0);
    }

    #[test]
    fn an_operator_is_told_at_once_and_then_of_many_failures_together() {
        let pulse = Pulse::default();
        let now = 1_000_000;
        assert_eq!(pulse.failed(now), Some(1));
        for later in 1..=5 {
            assert_eq!(pulse.failed(now + later), None);
        }
        assert_eq!(pulse.failed(now + EVERY_MS), Some(6));
        assert_eq!(pulse.failed(now - EVERY_MS), Some(1));
    }

    #[test]
    fn latency_follows_what_is_measured() {
        let pulse = Pulse::default();
        pulse.first_byte(Duration::from_millis(80));
        assert_eq!(pulse.latency_ms(), 80);
        for _ in 0..60 {
            pulse.first_byte(Duration::from_millis(10));
        }
        assert!(
            (10..=12).contains(&pulse.latency_ms()),
            "{}",
            pulse.latency_ms()
        );
    }
}
