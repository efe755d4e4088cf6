//! An exact sliding window of one minute: how many requests, and when there is room again.
//!
//! A log of admissions, merged to a grain of 50 ms so that even a busy node keeps at most 1,200 entries. A merged
//! entry leaves the window when its *latest* admission does: the count is never too low, so no span of 60 seconds
//! ever sees more than the limit.

use std::collections::VecDeque;

/// The length of the window.
pub(crate) const WINDOW_MS: u64 = 60_000;
const GRAIN_MS: u64 = 50;
/// Clocks read by different threads differ by this little; a larger step back is a clock that was set.
const SKEW_MS: u64 = 1_000;

#[derive(Debug, Default)]
pub(crate) struct SlidingLog {
    entries: VecDeque<Entry>,
    total: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    first_ms: u64,
    /// Latest admission, after the first.
    spread: u16,
    count: u32,
}

impl Entry {
    fn last_ms(&self) -> u64 {
        self.first_ms.saturating_add(u64::from(self.spread))
    }

    fn leaves_ms(&self) -> u64 {
        self.last_ms().saturating_add(WINDOW_MS)
    }
}

/// Whether there is room for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Yes,
    /// After so many milliseconds, exactly.
    After(u64),
    /// The limit is zero.
    Never,
}

impl SlidingLog {
    /// Whether one more request fits under `limit` now. Asking changes nothing that counts.
    pub(crate) fn room(&mut self, now_ms: u64, limit: u64) -> Room {
        let now_ms = self.advance(now_ms);
        if self.total < limit {
            return Room::Yes;
        }
        if limit == 0 {
            return Room::Never;
        }
        let mut surplus = self.total - limit + 1;
        for entry in &self.entries {
            match surplus.checked_sub(u64::from(entry.count)) {
                Some(left) if left > 0 => surplus = left,
                _ => return Room::After(entry.leaves_ms().saturating_sub(now_ms)),
            }
        }
        Room::Never
    }

    /// Records one admission.
    pub(crate) fn push(&mut self, now_ms: u64) {
        let now_ms = self.advance(now_ms);
        self.total += 1;
        if let Some(last) = self.entries.back_mut()
            && let Some(spread) = now_ms
                .checked_sub(last.first_ms)
                .filter(|spread| *spread < GRAIN_MS)
            && let Some(count) = last.count.checked_add(1)
        {
            last.spread = spread as u16;
            last.count = count;
            return;
        }
        self.entries.push_back(Entry {
            first_ms: now_ms,
            spread: 0,
            count: 1,
        });
    }

    /// Requests in the window.
    pub(crate) fn count(&mut self, now_ms: u64) -> u64 {
        self.advance(now_ms);
        self.total
    }

    /// Milliseconds until the window is empty if nothing more comes.
    pub(crate) fn empty_after(&self, now_ms: u64) -> u64 {
        self.entries
            .back()
            .map_or(0, |last| last.leaves_ms().saturating_sub(now_ms))
    }

    /// Lets go of what has left the window. Returns the time to reckon with, which never runs backwards.
    fn advance(&mut self, now_ms: u64) -> u64 {
        let mut now_ms = now_ms;
        if let Some(last) = self.entries.back().map(Entry::last_ms)
            && last > now_ms
        {
            if last - now_ms <= SKEW_MS {
                now_ms = last;
            } else {
                // The clock was set back: what it thought was later counts as now, so nobody waits for ever.
                for entry in self
                    .entries
                    .iter_mut()
                    .rev()
                    .take_while(|entry| entry.last_ms() > now_ms)
                {
                    (entry.first_ms, entry.spread) = (now_ms, 0);
                }
            }
        }
        while let Some(first) = self.entries.front()
            && first.leaves_ms() <= now_ms
        {
            self.total -= u64::from(first.count);
            self.entries.pop_front();
        }
        now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_wait_is_exact_and_a_refused_request_does_not_extend_it() {
        let mut log = SlidingLog::default();
        for at in [1_000, 2_000, 3_000] {
            assert_eq!(log.room(at, 3), Room::Yes);
            log.push(at);
        }
        assert_eq!(log.room(3_500, 3), Room::After(57_500));
        for _ in 0..1000 {
            assert_eq!(log.room(60_999, 3), Room::After(1));
        }
        assert_eq!(log.room(61_000, 3), Room::Yes);
    }

    #[test]
    fn a_client_that_paces_itself_at_the_limit_is_never_refused() {
        let mut log = SlidingLog::default();
        for second in 0..600 {
            assert_eq!(log.room(second * 1000, 60), Room::Yes);
            log.push(second * 1000);
        }
    }

    #[test]
    fn a_lowered_limit_waits_for_as_many_to_leave_as_needed() {
        let mut log = SlidingLog::default();
        for at in 0..10 {
            log.push(at * 1000);
        }
        // Ten in the window, limit two: nine must leave; the ninth came at 8,000.
        assert_eq!(log.room(10_000, 2), Room::After(58_000));
        assert_eq!(log.room(10_000, 0), Room::Never);
    }

    #[test]
    fn memory_is_bounded_however_busy_the_node() {
        let mut log = SlidingLog::default();
        for index in 0..1_000_000u64 {
            log.push(index / 5);
        }
        assert!(log.entries.len() <= 1_201, "{}", log.entries.len());
    }

    #[test]
    fn a_clock_set_back_blocks_for_a_minute_at_most() {
        let mut log = SlidingLog::default();
        for _ in 0..5 {
            log.push(10_000_000);
        }
        assert_eq!(log.room(5_000_000, 5), Room::After(60_000));
        assert_eq!(log.room(5_060_000, 5), Room::Yes);
    }

    proptest! {
        #[test]
        fn no_span_of_a_minute_ever_sees_more_than_the_limit(
            limit in 1u64..40,
            gaps in prop::collection::vec(prop_oneof![0u64..5, 0u64..200, 0u64..5_000, 0u64..70_000], 1..600),
        ) {
            let mut log = SlidingLog::default();
            let mut now = 0;
            let mut admitted: Vec<u64> = Vec::new();
            for gap in gaps {
                now += gap;
                match log.room(now, limit) {
                    Room::Yes => { log.push(now); admitted.push(now); }
                    Room::After(wait) => {
                        prop_assert!(wait > 0 && wait <= WINDOW_MS);
                        // Exact to the grain: it never promises too early, and is late by less than the grain.
                        let nth = admitted.len() - limit as usize;
                        let exact = (admitted[nth] + WINDOW_MS) as i64 - now as i64;
                        prop_assert!(wait as i64 >= exact && (wait as i64) < exact + GRAIN_MS as i64);
                    }
                    Room::Never => prop_assert!(false),
                }
                let recent = admitted.iter().rev().take_while(|at| **at + WINDOW_MS > now).count();
                prop_assert!(recent as u64 <= limit);
            }
        }
    }
}
