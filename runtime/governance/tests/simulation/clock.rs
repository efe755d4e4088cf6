//! True time, which only goes forward, and the machine's clock, which somebody sets back now and then.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tollgate_governance::{Day, Random};

/// A repeatable generator.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

impl Random for Rng {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

pub(crate) struct Clock {
    pub(crate) true_ms: u64,
    /// How far the clock is behind.
    pub(crate) behind_ms: u64,
}

impl Clock {
    pub(crate) fn starting(at: &str) -> Self {
        let at = at.parse::<Timestamp>().unwrap();
        Self {
            true_ms: at.as_millisecond().try_into().unwrap(),
            behind_ms: 0,
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.true_ms - self.behind_ms
    }
}

/// Windows as they come: each begins where the last one ended, and ends where a date of its zone does.
pub(crate) struct Windows {
    months: bool,
    zone: String,
    current: Option<Day>,
    pub(crate) seen: u32,
}

impl Windows {
    pub(crate) fn new(months: bool, zone: &str) -> Self {
        Self {
            months,
            zone: zone.to_owned(),
            current: None,
            seen: 0,
        }
    }

    /// After a restart nobody knows what window there was.
    pub(crate) fn forget(&mut self) {
        self.current = None;
    }

    /// `zone`: the one that was set last.
    pub(crate) fn see(&mut self, window: Day, zone: &str) {
        if self.current == Some(window) {
            return;
        }
        self.seen += 1;
        zone.clone_into(&mut self.zone);
        if let Some(last) = self.current {
            assert_eq!(window.start_ms, last.end_ms, "a gap or an overlap");
        }
        let hours = (window.end_ms - window.start_ms) / 3_600_000;
        assert!(hours <= if self.months { 31 * 24 + 1 } else { 25 });
        let zone = TimeZone::get(&self.zone).unwrap();
        if self.current.is_none() && self.seen > 1 {
            // Right after it was forgotten: that of a zone before may still run.
            self.current = Some(window);
            return;
        }
        let date = |ms: u64| {
            let at = Timestamp::from_millisecond(ms.try_into().unwrap()).unwrap();
            at.to_zoned(zone.clone()).date()
        };
        let (before, after) = (date(window.end_ms - 1), date(window.end_ms));
        assert!(after > before, "it ends within a day");
        assert!(!self.months || after.day() == 1, "it ends within a month");
        self.current = Some(window);
    }
}
