//! Calendar days in a time zone: where they begin and end, and which one counts now.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A clock that goes back further than this was wrong before; nearer, the current day simply goes on.
const LONGEST_STEP_BACK_MS: u64 = 48 * 60 * 60 * 1000;

/// An IANA time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// One calendar day of a zone: `start_ms ≤ t < end_ms`, Unix milliseconds. Its start is its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The first moment of the day.
    pub start_ms: u64,
    /// The first moment of the next day: 23, 24 or 25 hours later.
    pub end_ms: u64,
}

/// The zone does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IANA time zone such as `Europe/Berlin` or `UTC`")]
pub struct UnknownZone(String);

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone of this IANA name.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        TimeZone::get(name)
            .map(Self)
            .map_err(|_| UnknownZone(name.to_owned()))
    }

    /// The day to which `now_ms` belongs.
    #[must_use]
    pub fn day_of(&self, now_ms: u64) -> Day {
        self.civil_day(now_ms).unwrap_or(Day {
            start_ms: 0,
            end_ms: u64::MAX,
        })
    }

    /// None outside the years that the calendar knows: there is one endless day then.
    fn civil_day(&self, now_ms: u64) -> Option<Day> {
        let now = Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?;
        let start = now.to_zoned(self.0.clone()).start_of_day().ok()?;
        let end = start
            .date()
            .tomorrow()
            .ok()?
            .to_zoned(self.0.clone())
            .ok()?;
        // A zone that skips a whole date (as Samoa did) may have a "next midnight" later than the next day's start.
        let end = end.start_of_day().ok()?;
        let clamp = |at: &jiff::Zoned| u64::try_from(at.timestamp().as_millisecond()).unwrap_or(0);
        Some(Day {
            start_ms: clamp(&start),
            end_ms: clamp(&end),
        })
    }
}

/// The day that counts now. Moves forward only, but for a clock that was plainly wrong.
#[derive(Debug)]
pub(crate) struct Calendar {
    zone: Zone,
    /// Takes effect when the current day ends.
    next_zone: Option<Zone>,
    day: Option<Day>,
}

impl Calendar {
    pub(crate) fn new(zone: Zone) -> Self {
        Self {
            zone,
            next_zone: None,
            day: None,
        }
    }

    /// The day that counts at `now_ms`. A comparison or two, except at a boundary.
    pub(crate) fn at(&mut self, now_ms: u64) -> Day {
        match self.day {
            // Within the day, or a little before it: a clock stepping back over midnight must not revive a spent day.
            Some(day)
                if now_ms < day.end_ms
                    && now_ms.saturating_add(LONGEST_STEP_BACK_MS) >= day.start_ms =>
            {
                day
            }
            last => {
                self.zone = self.next_zone.take().unwrap_or_else(|| self.zone.clone());
                let mut day = self.zone.day_of(now_ms);
                if let Some(last) = last.filter(|last| last.end_ms <= now_ms) {
                    // After a change of zone the first day begins where the last one ended.
                    day.start_ms = day.start_ms.max(last.end_ms);
                }
                *self.day.insert(day)
            }
        }
    }

    /// Changes the zone at the next boundary, so that nobody's day is cut short or counted twice.
    pub(crate) fn set_zone(&mut self, zone: Zone) {
        if self.day.is_none() {
            self.zone = zone;
            self.next_zone = None;
        } else {
            self.next_zone = (zone != self.zone).then_some(zone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn ms(text: &str) -> u64 {
        text.parse::<Timestamp>()
            .unwrap()
            .as_millisecond()
            .try_into()
            .unwrap()
    }

    #[test]
    fn days_of_daylight_saving_have_23_and_25_hours() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let length = |text: &str| {
            let day = berlin.day_of(ms(text));
            (day.end_ms - day.start_ms) / HOUR
        };
        assert_eq!(length("2026-03-29T12:00:00Z"), 23);
        assert_eq!(length("2026-10-25T12:00:00Z"), 25);
        assert_eq!(length("2026-06-01T12:00:00Z"), 24);
        let day = berlin.day_of(ms("2026-10-25T12:00:00Z"));
        assert_eq!(day.start_ms, ms("2026-10-24T22:00:00Z"));
        assert_eq!(day.end_ms, ms("2026-10-25T23:00:00Z"));
    }

    #[test]
    fn a_day_whose_midnight_does_not_exist_begins_at_its_first_moment() {
        // Beirut moves its clocks at midnight: 2026-03-29 begins at 01:00 local, 22:00 UTC the day before.
        let beirut = Zone::named("Asia/Beirut").unwrap();
        let day = beirut.day_of(ms("2026-03-29T12:00:00Z"));
        assert_eq!(day.start_ms, ms("2026-03-28T22:00:00Z"));
        assert_eq!(day.end_ms - day.start_ms, 23 * HOUR);
    }

    #[test]
    fn days_follow_each_other_without_gap_or_overlap_for_two_years_in_odd_zones() {
        for name in [
            "UTC",
            "Asia/Kathmandu",
            "America/St_Johns",
            "Australia/Lord_Howe",
            "Asia/Beirut",
            "Pacific/Apia",
            "Africa/Casablanca",
        ] {
            let zone = Zone::named(name).unwrap();
            let mut day = zone.day_of(ms("2026-01-01T00:00:00Z"));
            for _ in 0..730 {
                let next = zone.day_of(day.end_ms);
                assert_eq!(next.start_ms, day.end_ms, "{name}");
                assert_eq!(zone.day_of(day.end_ms - 1), day, "{name}");
                day = next;
            }
        }
        // Samoa skipped 30 December 2011 whole.
        let apia = Zone::named("Pacific/Apia").unwrap();
        let before = apia.day_of(ms("2011-12-30T09:59:59Z"));
        assert_eq!(apia.day_of(before.end_ms).start_ms, before.end_ms);
        assert_eq!(before.end_ms, ms("2011-12-30T10:00:00Z"));
    }

    #[test]
    fn an_unknown_zone_is_named_in_the_error() {
        let error = Zone::named("Mars/Olympus").unwrap_err();
        assert!(error.to_string().contains("Mars/Olympus"));
    }

    #[test]
    fn a_clock_stepping_back_over_midnight_stays_in_the_new_day() {
        let mut calendar = Calendar::new(Zone::utc());
        let midnight = ms("2026-05-02T00:00:00Z");
        let day = calendar.at(midnight + 5);
        assert_eq!(day.start_ms, midnight);
        assert_eq!(calendar.at(midnight - 60_000), day);
        assert_eq!(
            calendar.at(midnight + 24 * HOUR).start_ms,
            midnight + 24 * HOUR
        );
        // A clock that had been months ahead is put right.
        assert_eq!(
            calendar.at(midnight - 90 * 24 * HOUR).start_ms,
            midnight - 90 * 24 * HOUR
        );
    }

    #[test]
    fn a_new_zone_counts_from_the_next_boundary() {
        let mut calendar = Calendar::new(Zone::utc());
        let first = calendar.at(ms("2026-05-02T12:00:00Z"));
        calendar.set_zone(Zone::named("America/New_York").unwrap());
        assert_eq!(calendar.at(ms("2026-05-02T23:59:59Z")), first);
        let second = calendar.at(ms("2026-05-03T00:00:01Z"));
        assert_eq!(second.start_ms, first.end_ms);
        assert_eq!(second.end_ms, ms("2026-05-03T04:00:00Z"));
        assert_eq!(
            calendar.at(ms("2026-05-03T04:00:00Z")).end_ms,
            ms("2026-05-04T04:00:00Z")
        );
    }

    #[test]
    fn absurd_times_do_not_panic() {
        let zone = Zone::named("Europe/Berlin").unwrap();
        let _ = zone.day_of(0);
        assert!(zone.day_of(u64::MAX).end_ms == u64::MAX);
    }
}
