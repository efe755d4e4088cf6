//! True time, which only goes forward, and the machine's clock, which somebody sets back now and then.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tollgate_governance::{Day, Random};

const HOUR: u64 = 3_600_000;

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
    current: Option<Window>,
    pub(crate) seen: u32,
    /// How often one of this length was left for the next after requests were admitted in it: a day's hours, a month's
    /// days.
    pub(crate) passed: BTreeMap<u64, u32>,
    /// How often the next one was of another zone.
    pub(crate) rezoned: u32,
}

struct Window {
    window: Day,
    /// None if it is no whole day or month of its zone: the zone was changed in it.
    length: Option<u64>,
    /// Requests that had been admitted when it began.
    admitted: u64,
}

impl Windows {
    pub(crate) fn new(months: bool, zone: &str) -> Self {
        Self {
            months,
            zone: zone.to_owned(),
            current: None,
            seen: 0,
            passed: BTreeMap::new(),
            rezoned: 0,
        }
    }

    /// After a restart nobody knows what window there was.
    pub(crate) fn forget(&mut self) {
        self.current = None;
    }

    /// `zone`: the one that was set last. `admitted`: requests so far.
    pub(crate) fn see(&mut self, window: Day, zone: &str, admitted: u64) {
        let left = self.current.take();
        if left
            .as_ref()
            .is_some_and(|current| current.window == window)
        {
            self.current = left;
            return;
        }
        self.seen += 1;
        let rezoned = self.zone != zone;
        zone.clone_into(&mut self.zone);
        let length = self.length(window);
        match left {
            Some(left) => {
                let end = left.window.end_ms;
                assert_eq!(window.start_ms, end, "a gap or an overlap");
                if left.admitted < admitted {
                    self.rezoned += u32::from(rezoned);
                    if let Some(length) = left.length {
                        *self.passed.entry(length).or_default() += 1;
                    }
                }
                self.assert_ends_well(window);
            }
            None if self.seen == 1 => self.assert_ends_well(window),
            // Right after it was forgotten: that of a zone before may still run.
            None => {}
        }
        self.current = Some(Window {
            window,
            length,
            admitted,
        });
    }

    fn assert_ends_well(&self, window: Day) {
        let hours = (window.end_ms - window.start_ms) / HOUR;
        assert!(hours <= if self.months { 31 * 24 + 1 } else { 25 });
        let (before, after) = self.around(window.end_ms);
        assert!(after > before, "it ends within a day");
        assert!(!self.months || after.day() == 1, "it ends within a month");
    }

    /// The hours of a whole day, or the days of the month that ends: it may have begun in the zone before.
    fn length(&self, window: Day) -> Option<u64> {
        let (last, next) = self.around(window.end_ms);
        if self.months {
            return (next.day() == 1 && last.day() > 1).then(|| last.day().unsigned_abs().into());
        }
        let (before, first) = self.around(window.start_ms);
        let is_day = before < first && first == last && last < next;
        let length = window.end_ms - window.start_ms;
        (is_day && length.is_multiple_of(HOUR)).then_some(length / HOUR)
    }

    /// The dates right before and at a moment.
    fn around(&self, at_ms: u64) -> (Date, Date) {
        let zone = TimeZone::get(&self.zone).unwrap();
        let date = |ms: u64| {
            let at = Timestamp::from_millisecond(ms.try_into().unwrap()).unwrap();
            at.to_zoned(zone.clone()).date()
        };
        (date(at_ms - 1), date(at_ms))
    }
}
