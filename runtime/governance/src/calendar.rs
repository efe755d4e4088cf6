//! Calendar days and months in a time zone: where they begin and end, and which one counts now.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A clock that goes back further than this was wrong before; nearer, the current day or month simply goes on.
const LONGEST_STEP_BACK_MS: u64 = 48 * 60 * 60 * 1000;

/// An IANA time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// One calendar day or month of a zone: `start_ms ≤ t < end_ms`, Unix milliseconds. Its start is its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The first moment of it.
    pub start_ms: u64,
    /// The first moment of the next one: a day has 23, 24 or 25 hours.
    pub end_ms: u64,
}

impl Day {
    /// Where nobody knows a calendar there is one endless day.
    const ENDLESS: Self = Self {
        start_ms: 0,
        end_ms: u64::MAX,
    };
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
        self.span(now_ms, |today| Some((today, today.tomorrow().ok()?)))
            .unwrap_or(Day::ENDLESS)
    }

    /// The month to which `now_ms` belongs.
    #[must_use]
    pub fn month_of(&self, now_ms: u64) -> Day {
        self.span(now_ms, |today| {
            let last = today.last_of_month();
            Some((today.first_of_month(), last.tomorrow().ok()?))
        })
        .unwrap_or(Day::ENDLESS)
    }

    /// From the first date's first moment to the second's. None outside the years that the calendar knows.
    fn span(&self, now_ms: u64, dates: impl Fn(Date) -> Option<(Date, Date)>) -> Option<Day> {
        let now = Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?;
        let (first, next) = dates(now.to_zoned(self.0.clone()).date())?;
        // A zone may skip midnight, or a whole date (as Samoa did): what counts is the first moment that exists.
        let begins = |date: Date| {
            let start = date.to_zoned(self.0.clone()).ok()?.start_of_day().ok()?;
            Some(u64::try_from(start.timestamp().as_millisecond()).unwrap_or(0))
        };
        Some(Day {
            start_ms: begins(first)?,
            end_ms: begins(next)?,
        })
    }
}

/// Which day and which month count now.
#[derive(Debug)]
pub(crate) struct Calendar {
    day: Running,
    month: Running,
}

impl Calendar {
    pub(crate) fn new(zone: Zone) -> Self {
        Self {
            day: Running::new(zone.clone(), Zone::day_of),
            month: Running::new(zone, Zone::month_of),
        }
    }

    /// The day that counts at `now_ms`. A comparison or two, except at a boundary.
    pub(crate) fn day(&mut self, now_ms: u64) -> Day {
        self.day.at(now_ms)
    }

    /// The month that counts at `now_ms`.
    pub(crate) fn month(&mut self, now_ms: u64) -> Day {
        self.month.at(now_ms)
    }

    /// As it is where there were these zones, each until its time, before this calendar was made.
    pub(crate) fn changed(&mut self, before: &[(Zone, u64)]) {
        self.day.changed(before);
        self.month.changed(before);
    }

    /// Changes the zone at the next boundary of each, so that nobody's day or month is cut short or counted twice.
    pub(crate) fn set_zone(&mut self, zone: &Zone) {
        self.day.set_zone(zone);
        self.month.set_zone(zone);
    }
}

/// The day or month that counts now. Moves forward only, but for a clock that was plainly wrong.
#[derive(Debug)]
struct Running {
    span_of: fn(&Zone, u64) -> Day,
    zone: Zone,
    /// Takes effect when the current one ends.
    next_zone: Option<Zone>,
    current: Option<Day>,
}

impl Running {
    fn new(zone: Zone, span_of: fn(&Zone, u64) -> Day) -> Self {
        Self {
            span_of,
            zone,
            next_zone: None,
            current: None,
        }
    }

    fn at(&mut self, now_ms: u64) -> Day {
        match self.current {
            // Within it, or a little before: a clock stepping back over midnight must not revive a spent day.
            Some(current)
                if now_ms < current.end_ms
                    && now_ms.saturating_add(LONGEST_STEP_BACK_MS) >= current.start_ms =>
            {
                current
            }
            last => {
                self.zone = self.next_zone.take().unwrap_or_else(|| self.zone.clone());
                let mut next = (self.span_of)(&self.zone, now_ms);
                if let Some(last) = last.filter(|last| last.end_ms <= now_ms) {
                    // After a change of zone the first one begins where the last one ended.
                    next.start_ms = next.start_ms.max(last.end_ms);
                }
                *self.current.insert(next)
            }
        }
    }

    /// Goes through the changes again as they were made.
    fn changed(&mut self, before: &[(Zone, u64)]) {
        let Some((first, _)) = before.first() else {
            return;
        };
        let last = std::mem::replace(&mut self.zone, first.clone());
        let after = before.iter().skip(1).map(|(zone, _)| zone).chain([&last]);
        for ((_, at_ms), zone) in before.iter().zip(after) {
            self.at(*at_ms);
            self.set_zone(zone);
        }
    }

    fn set_zone(&mut self, zone: &Zone) {
        if self.current.is_none() {
            self.zone = zone.clone();
            self.next_zone = None;
        } else {
            self.next_zone = (*zone != self.zone).then(|| zone.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        let day = calendar.day(midnight + 5);
        assert_eq!(day.start_ms, midnight);
        assert_eq!(calendar.day(midnight - 60_000), day);
        assert_eq!(
            calendar.day(midnight + 24 * HOUR).start_ms,
            midnight + 24 * HOUR
        );
        // A clock that had been months ahead is put right.
        assert_eq!(
            calendar.day(midnight - 90 * 24 * HOUR).start_ms,
            midnight - 90 * 24 * HOUR
        );
    }

    #[test]
    fn a_new_zone_counts_from_the_next_boundary() {
        let mut calendar = Calendar::new(Zone::utc());
        let first = calendar.day(ms("2026-05-02T12:00:00Z"));
        calendar.set_zone(&Zone::named("America/New_York").unwrap());
        assert_eq!(calendar.day(ms("2026-05-02T23:59:59Z")), first);
        let second = calendar.day(ms("2026-05-03T00:00:01Z"));
        assert_eq!(second.start_ms, first.end_ms);
        assert_eq!(second.end_ms, ms("2026-05-03T04:00:00Z"));
        assert_eq!(
            calendar.day(ms("2026-05-03T04:00:00Z")).end_ms,
            ms("2026-05-04T04:00:00Z")
        );
    }

    #[test]
    fn months_follow_each_other_without_gap_and_have_their_own_lengths() {
        for name in [
            "UTC",
            "Europe/Berlin",
            "Asia/Beirut",
            "Pacific/Apia",
            "Asia/Kathmandu",
        ] {
            let zone = Zone::named(name).unwrap();
            let mut month = zone.month_of(ms("2027-12-15T00:00:00Z"));
            let mut days = Vec::new();
            for _ in 0..14 {
                let next = zone.month_of(month.end_ms);
                assert_eq!(next.start_ms, month.end_ms, "{name}");
                assert_eq!(zone.month_of(month.end_ms - 1), month, "{name}");
                assert_eq!(
                    zone.day_of(month.start_ms).start_ms,
                    month.start_ms,
                    "{name}"
                );
                days.push((month.end_ms - month.start_ms + HOUR) / (24 * HOUR));
                month = next;
            }
            // December 2027 to January 2029: 2028 is a leap year.
            assert_eq!(
                days,
                [31, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31],
                "{name}"
            );
        }
    }

    #[test]
    fn a_restart_in_between_changes_nothing_of_when_a_new_zone_begins_to_count() {
        let new_york = Zone::named("America/New_York").unwrap();
        let changed = ms("2026-05-15T12:00:00Z");
        let mut running = Calendar::new(Zone::utc());
        running.day(changed);
        running.month(changed);
        running.set_zone(&new_york);
        for at in [
            "2026-05-15T13:00:00Z",
            "2026-05-16T00:30:00Z",
            "2026-05-16T04:30:00Z",
            "2026-05-31T23:00:00Z",
            "2026-06-01T01:00:00Z",
            "2026-06-20T00:00:00Z",
        ] {
            let mut restarted = Calendar::new(new_york.clone());
            restarted.changed(&[(Zone::utc(), changed)]);
            let now = ms(at);
            assert_eq!(restarted.day(now), running.day(now), "{at}");
            assert_eq!(restarted.month(now), running.month(now), "{at}");
        }
    }

    #[test]
    fn a_zone_that_is_changed_and_changed_back_gives_no_second_budget_after_a_restart() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let (there, back) = (ms("2026-07-10T09:00:00Z"), ms("2026-07-10T10:00:00Z"));
        let mut running = Calendar::new(Zone::utc());
        let day = running.day(there);
        running.set_zone(&berlin);
        running.set_zone(&Zone::utc());
        let mut restarted = Calendar::new(Zone::utc());
        restarted.changed(&[(Zone::utc(), there), (berlin, back)]);
        // In Berlin this day would have ended.
        for at in ["2026-07-10T11:00:00Z", "2026-07-10T23:00:00Z"] {
            assert_eq!(running.day(ms(at)), day);
            assert_eq!(restarted.day(ms(at)), day, "{at}");
        }
    }

    proptest! {
        #[test]
        fn a_restart_after_any_changes_of_the_zone_changes_nothing(
            zones in prop::collection::vec(0..4usize, 2..7),
            hours in prop::collection::vec(1..400u64, 7),
        ) {
            let names = ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/Los_Angeles"];
            let zone = |of: usize| Zone::named(names[of]).unwrap();
            let mut now = ms("2026-03-20T05:00:00Z");
            let mut running = Calendar::new(zone(zones[0]));
            let mut before = Vec::new();
            for (pair, hours) in zones.windows(2).zip(&hours) {
                now += hours * HOUR;
                running.day(now);
                running.month(now);
                running.set_zone(&zone(pair[1]));
                before.push((zone(pair[0]), now));
            }
            let mut restarted = Calendar::new(zone(*zones.last().unwrap()));
            restarted.changed(&before);
            for later in 0..40 {
                let at = now + later * 17 * HOUR;
                prop_assert_eq!(restarted.day(at), running.day(at));
                prop_assert_eq!(restarted.month(at), running.month(at));
            }
        }
    }

    #[test]
    fn a_month_keeps_its_zone_to_its_end_and_the_next_begins_there() {
        let mut calendar = Calendar::new(Zone::utc());
        let may = calendar.month(ms("2026-05-15T12:00:00Z"));
        calendar.set_zone(&Zone::named("America/New_York").unwrap());
        assert_eq!(calendar.month(ms("2026-05-31T23:59:59Z")), may);
        let june = calendar.month(ms("2026-06-01T00:00:00Z"));
        // In New York it is still May: what is left of it there is a window of its own.
        assert_eq!(
            (june.start_ms, june.end_ms),
            (may.end_ms, ms("2026-06-01T04:00:00Z"))
        );
        assert_eq!(
            calendar.month(june.end_ms).end_ms,
            ms("2026-07-01T04:00:00Z")
        );
    }

    #[test]
    fn absurd_times_do_not_panic() {
        let zone = Zone::named("Europe/Berlin").unwrap();
        let _ = zone.day_of(0);
        assert!(zone.day_of(u64::MAX).end_ms == u64::MAX);
    }
}
