//! A sliding window: how much was counted in its length of time, and when there is room again.
//!
//! A log of admissions, merged to a grain of a 1,200th of the length, so that even a busy node keeps at most 1,200
//! entries. A merged entry leaves the window when its *latest* admission does: the count is never too low, so no span of
//! the window's length ever sees more than the limit.

use std::collections::VecDeque;

/// A minute.
pub(crate) const MINUTE_MS: u64 = 60_000;
/// An hour.
pub(crate) const HOUR_MS: u64 = 3_600_000;
/// Entries at most.
const GRAINS: u64 = 1_200;
/// Clocks read by different threads differ by this little; a larger step back is a clock that was set.
const SKEW_MS: u64 = 1_000;

#[derive(Debug)]
pub(crate) struct SlidingLog {
    length_ms: u64,
    entries: VecDeque<Entry>,
    total: u64,
    /// The time of the last question, or of one a little later.
    seen_ms: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    first_ms: u64,
    /// Latest admission, after the first.
    spread: u32,
    amount: u64,
}

impl Entry {
    fn last_ms(&self) -> u64 {
        self.first_ms.saturating_add(u64::from(self.spread))
    }
}

/// Whether there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Yes,
    /// After so many milliseconds, exactly.
    After(u64),
    /// More is asked for than the limit itself.
    Never,
}

impl SlidingLog {
    /// A window of this length, empty.
    pub(crate) fn new(length_ms: u64) -> Self {
        Self {
            length_ms,
            entries: VecDeque::new(),
            total: 0,
            seen_ms: 0,
        }
    }

    /// Whether `amount` more fits under `limit` now. Asking changes nothing that counts.
    pub(crate) fn room(&mut self, now_ms: u64, amount: u64, limit: u64) -> Room {
        let now_ms = self.advance(now_ms);
        if amount > limit {
            return Room::Never;
        }
        // `amount ≤ limit`, so this cannot wrap.
        let most = limit - amount;
        if self.total <= most {
            return Room::Yes;
        }
        let mut surplus = self.total - most;
        for entry in &self.entries {
            match surplus.checked_sub(entry.amount) {
                Some(left) if left > 0 => surplus = left,
                _ => return Room::After(self.leaves_ms(entry).saturating_sub(now_ms)),
            }
        }
        Room::Never
    }

    /// Records one admission of `amount`. Saturates.
    pub(crate) fn push(&mut self, now_ms: u64, amount: u64) {
        let now_ms = self.advance(now_ms);
        self.total = self.total.saturating_add(amount);
        let grain = self.length_ms / GRAINS;
        if let Some(last) = self.entries.back_mut()
            && let Some(spread) = now_ms
                .checked_sub(last.first_ms)
                .filter(|spread| *spread < grain)
        {
            last.spread = spread as u32;
            last.amount = last.amount.saturating_add(amount);
            return;
        }
        self.entries.push_back(Entry {
            first_ms: now_ms,
            spread: 0,
            amount,
        });
    }

    /// Records what was counted at a time of the past, in whatever order.
    pub(crate) fn insert(&mut self, at_ms: u64, amount: u64, now_ms: u64) {
        let now_ms = self.advance(now_ms);
        if at_ms.saturating_add(self.length_ms) <= now_ms {
            return;
        }
        let after = self
            .entries
            .partition_point(|entry| entry.first_ms <= at_ms);
        let grain = self.length_ms / GRAINS;
        self.total = self.total.saturating_add(amount);
        if let Some(entry) = after.checked_sub(1).and_then(|at| self.entries.get_mut(at))
            && at_ms - entry.first_ms < grain
        {
            entry.spread = entry.spread.max((at_ms - entry.first_ms) as u32);
            entry.amount = entry.amount.saturating_add(amount);
            return;
        }
        if let Some(entry) = self.entries.get_mut(after)
            && entry.last_ms() - at_ms < grain
        {
            entry.spread = (entry.last_ms() - at_ms) as u32;
            entry.first_ms = at_ms;
            entry.amount = entry.amount.saturating_add(amount);
            return;
        }
        let entry = Entry {
            first_ms: at_ms,
            spread: 0,
            amount,
        };
        self.entries.insert(after, entry);
    }

    /// Takes away of what was counted at a time. What has left the window is gone by itself.
    ///
    /// The time of now is not asked for: a request that is lost knows none but that of its admission, and taken for a clock
    /// that was set back it would let all that came after it leave too early.
    pub(crate) fn take(&mut self, at_ms: u64, amount: u64) {
        if at_ms.saturating_add(self.length_ms) <= self.seen_ms {
            return;
        }
        let place = self.place_of(at_ms);
        let Some(entry) = place.and_then(|place| self.entries.get_mut(place)) else {
            return;
        };
        let taken = entry.amount.min(amount);
        entry.amount -= taken;
        self.total = self.total.saturating_sub(taken);
    }

    /// Where an admission of that time was counted. None if it has left, or was moved because the clock was set back: it
    /// keeps what it counted then, because any other entry is somebody else's.
    fn place_of(&self, admitted_ms: u64) -> Option<usize> {
        let after = self
            .entries
            .partition_point(|entry| entry.first_ms <= admitted_ms);
        let covers = |entry: &Entry| admitted_ms <= entry.last_ms();
        let before = after.checked_sub(1);
        before
            .filter(|place| self.entries.get(*place).is_some_and(covers))
            .or_else(|| {
                // A thread whose clock was a little late counted in what was the latest entry then.
                let next = self.entries.get(after)?;
                (next.first_ms - admitted_ms <= SKEW_MS).then_some(after)
            })
    }

    /// What is in the window.
    pub(crate) fn total(&mut self, now_ms: u64) -> u64 {
        self.advance(now_ms);
        self.total
    }

    /// Milliseconds until the window is empty if nothing more comes.
    pub(crate) fn empty_after(&self, now_ms: u64) -> u64 {
        self.entries
            .back()
            .map_or(0, |last| self.leaves_ms(last).saturating_sub(now_ms))
    }

    /// How much a question may have to look at.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> usize {
        self.entries.len()
    }

    fn leaves_ms(&self, entry: &Entry) -> u64 {
        entry.last_ms().saturating_add(self.length_ms)
    }

    /// Lets go of what has left the window. Returns the time to reckon with, which never runs backwards but for a clock
    /// that was set back.
    fn advance(&mut self, now_ms: u64) -> u64 {
        let now_ms = match self.seen_ms.saturating_sub(now_ms) {
            0 => now_ms,
            back if back <= SKEW_MS => self.seen_ms,
            _ => {
                // What the clock thought was later counts as now, so nobody waits for ever.
                for entry in self
                    .entries
                    .iter_mut()
                    .rev()
                    .take_while(|entry| entry.last_ms() > now_ms)
                {
                    (entry.first_ms, entry.spread) = (now_ms, 0);
                }
                now_ms
            }
        };
        self.seen_ms = now_ms;
        while let Some(first) = self.entries.front()
            && self.leaves_ms(first) <= now_ms
        {
            self.total = self.total.saturating_sub(first.amount);
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
        let mut log = SlidingLog::new(MINUTE_MS);
        for at in [1_000, 2_000, 3_000] {
            assert_eq!(log.room(at, 1, 3), Room::Yes);
            log.push(at, 1);
        }
        assert_eq!(log.room(3_500, 1, 3), Room::After(57_500));
        for _ in 0..1000 {
            assert_eq!(log.room(60_999, 1, 3), Room::After(1));
        }
        assert_eq!(log.room(61_000, 1, 3), Room::Yes);
    }

    #[test]
    fn a_client_that_paces_itself_at_the_limit_is_never_refused() {
        let mut log = SlidingLog::new(MINUTE_MS);
        for second in 0..600 {
            assert_eq!(log.room(second * 1000, 1, 60), Room::Yes);
            log.push(second * 1000, 1);
        }
    }

    #[test]
    fn a_lowered_limit_waits_for_as_many_to_leave_as_needed() {
        let mut log = SlidingLog::new(MINUTE_MS);
        for at in 0..10 {
            log.push(at * 1000, 1);
        }
        // Ten in the window, limit two: nine must leave; the ninth came at 8,000.
        assert_eq!(log.room(10_000, 1, 2), Room::After(58_000));
        assert_eq!(log.room(10_000, 1, 0), Room::Never);
    }

    #[test]
    fn memory_is_bounded_however_busy_the_node() {
        let mut log = SlidingLog::new(MINUTE_MS);
        for index in 0..1_000_000u64 {
            log.push(index / 5, 1);
        }
        assert!(log.entries.len() <= 1_201, "{}", log.entries.len());
    }

    #[test]
    fn a_clock_set_back_blocks_for_a_minute_at_most() {
        let mut log = SlidingLog::new(MINUTE_MS);
        for _ in 0..5 {
            log.push(10_000_000, 1);
        }
        assert_eq!(log.room(5_000_000, 1, 5), Room::After(60_000));
        assert_eq!(log.room(5_060_000, 1, 5), Room::Yes);
    }

    #[test]
    fn what_was_counted_too_much_is_taken_away_where_it_was_counted() {
        let mut log = SlidingLog::new(MINUTE_MS);
        log.push(1_000, 500);
        log.push(2_000, 300);
        log.take(1_000, 480);
        assert_eq!(log.total(3_000), 320);
        // Never more than there is.
        log.take(1_000, 50);
        assert_eq!(log.total(3_000), 300);
        // It has left the window: what it was does not matter any more.
        assert_eq!(log.total(61_500), 300);
        log.take(1_000, 20);
        assert_eq!(log.total(61_500), 300);
        log.take(2_000, 100);
        assert_eq!(log.total(61_500), 200);
        assert_eq!(log.total(62_000), 0);
    }

    #[test]
    fn what_is_told_late_counts_at_its_time_in_whatever_order() {
        let mut log = SlidingLog::new(MINUTE_MS);
        let now = 100_000;
        for at in [90_000, 50_000, 70_000, 70_020, 40_000, 89_980, 100_000] {
            log.insert(at, 1, now);
        }
        // One had left; each other leaves in time, or a grain late.
        assert_eq!(log.total(now), 6);
        assert_eq!(log.total(50_000 + MINUTE_MS), 5);
        assert_eq!(log.total(70_020 + MINUTE_MS), 3);
        assert_eq!(log.total(89_980 + MINUTE_MS), 3);
        assert_eq!(log.total(90_000 + MINUTE_MS), 1);
        assert_eq!(log.total(now + MINUTE_MS), 0);
        for at in 0..500_000u64 {
            log.insert(1_059_999 - at * 7 % 60_000, 1, 1_060_000 - 1);
        }
        assert!(log.entries() <= 2_401, "{}", log.entries());
    }

    #[test]
    fn a_correction_of_what_has_left_touches_nothing_that_is_still_there() {
        let mut log = SlidingLog::new(MINUTE_MS);
        log.push(0, 5);
        log.push(50_000, 7);
        log.take(0, 4);
        assert_eq!(log.total(59_999), 8);
        assert_eq!(log.total(60_000), 7);
        log.take(0, 5);
        assert_eq!(log.total(60_000), 7);
        log.push(100_000, 1);
        assert_eq!(log.total(109_999), 8);
        assert_eq!(log.total(110_000), 1);
    }

    #[test]
    fn a_correction_finds_its_admission_between_threads_whose_clocks_differ_a_little() {
        let mut log = SlidingLog::new(MINUTE_MS);
        log.push(0, 100);
        log.push(10_000, 7);
        // Read its clock before the other, counted after it.
        log.push(9_990, 50);
        log.take(9_990, 49);
        assert_eq!(log.total(59_999), 108);
        assert_eq!(log.total(60_000), 8);
    }

    #[test]
    fn what_was_moved_when_the_clock_was_set_back_keeps_what_it_counted() {
        let mut log = SlidingLog::new(MINUTE_MS);
        log.push(1_000_000, 50);
        log.push(500_000, 8);
        log.push(560_000 - 1, 3);
        assert_eq!(log.total(560_000 - 1), 61);
        assert_eq!(log.total(560_000), 3);
        // It is settled now; what is in the window is of others.
        log.take(1_000_000, 50);
        assert_eq!(log.total(560_000), 3);
    }

    #[test]
    fn a_large_request_waits_for_as_much_to_leave_as_it_needs_and_one_beyond_the_limit_for_ever() {
        let mut log = SlidingLog::new(HOUR_MS);
        log.push(0, 400);
        log.push(600_000, 400);
        assert_eq!(log.room(900_000, 200, 1_000), Room::Yes);
        assert_eq!(
            log.room(900_000, 300, 1_000),
            Room::After(HOUR_MS - 900_000)
        );
        assert_eq!(
            log.room(900_000, 900, 1_000),
            Room::After(HOUR_MS - 300_000)
        );
        assert_eq!(log.room(900_000, 1_001, 1_000), Room::Never);
        assert_eq!(
            log.room(900_000, u64::MAX, u64::MAX),
            Room::After(HOUR_MS - 300_000)
        );
    }

    #[test]
    fn what_was_merged_leaves_with_the_latest_of_it() {
        let mut log = SlidingLog::new(MINUTE_MS);
        log.push(0, 1);
        log.push(40, 1);
        assert_eq!(log.total(MINUTE_MS), 2);
        assert_eq!(log.room(MINUTE_MS, 1, 2), Room::After(40));
        assert_eq!(log.total(MINUTE_MS + 40), 0);
    }

    /// As long as the last answer said.
    const AS_TOLD: u64 = u64::MAX;

    proptest! {
        #[test]
        fn no_span_of_a_minute_ever_sees_more_than_the_limit(
            limit in 1u64..40,
            gaps in prop::collection::vec(
                prop_oneof![0u64..5, 0u64..200, 0u64..5_000, 0u64..70_000, Just(AS_TOLD)],
                1..600,
            ),
        ) {
            let mut log = SlidingLog::new(MINUTE_MS);
            let (mut now, mut told) = (0, 0);
            let mut admitted: Vec<u64> = Vec::new();
            for gap in gaps {
                now += if gap == AS_TOLD { told } else { gap };
                told = 0;
                match log.room(now, 1, limit) {
                    Room::Yes => { log.push(now, 1); admitted.push(now); }
                    Room::After(wait) => {
                        told = wait;
                        prop_assert!(wait > 0 && wait <= MINUTE_MS);
                        // Exact to the grain: it never promises too early, and is late by less than the grain.
                        let nth = admitted.len() - limit as usize;
                        let exact = (admitted[nth] + MINUTE_MS) as i64 - now as i64;
                        prop_assert!(wait as i64 >= exact && (wait as i64) < exact + (MINUTE_MS / GRAINS) as i64);
                    }
                    Room::Never => prop_assert!(false),
                }
                let recent = admitted.iter().rev().take_while(|at| **at + MINUTE_MS > now).count();
                prop_assert!(recent as u64 <= limit);
            }
        }
    }
}
