//! Policy component: office-hours. Lets requests through at certain hours of certain days, in a time zone of choice.
//!
//! Configuration, every member optional:
//!
//! ```json
//! { "zone": "Europe/Berlin", "days": [1, 2, 3, 4, 5], "from": "08:00", "to": "18:00",
//!   "message": "Come back during office hours, please." }
//! ```
//!
//! Days are 1 (Monday) to 7 (Sunday). A `from` later than `to` goes over midnight: the hours after it belong to the day
//! on which they began.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

use tollgate_guest::{Admission, Configuration, Request, Verdict, clock};

mod hours;

use hours::Hours;

/// The policy, configured.
pub struct OfficeHours {
    hours: Hours,
}

tollgate_guest::export!(OfficeHours: configuration, admission);

impl Configuration for OfficeHours {
    fn configure(config: &str) -> Result<Self, String> {
        let hours = Hours::read(config)?;
        // A zone that the host does not know must be refused now, not at the first request.
        clock::local(&hours.zone).map_err(|why| format!("`zone`: {why}"))?;
        Ok(Self { hours })
    }
}

impl Admission for OfficeHours {
    fn admit(&self, _request: &Request) -> Verdict {
        match clock::local(&self.hours.zone) {
            Ok(now) if self.hours.include(&now) => Verdict::Allow,
            Ok(_) => Verdict::deny("outside-office-hours", &self.hours.message),
            Err(_) => Verdict::deny(
                "office-hours-unknown",
                "The office hours cannot be checked just now: the gateway's clock does not know their time zone.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_guest::{LocalTime, testing};

    fn at(weekday: u8, hour: u8, minute: u8) {
        let time = LocalTime {
            year: 2026,
            month: 11,
            day: 22,
            weekday,
            hour,
            minute,
            second: 59,
            offset_seconds: 3600,
        };
        testing::set_local_time("Europe/Berlin", time);
    }

    fn admits(policy: &OfficeHours) -> bool {
        let request = testing::Request::new("chat-completions", "m");
        policy.admit(&request.view()) == Verdict::Allow
    }

    fn configured(config: &str) -> OfficeHours {
        at(1, 12, 0);
        OfficeHours::configure(config).expect(config)
    }

    #[test]
    fn the_hours_begin_on_the_minute_and_end_before_it() {
        let policy = configured(r#"{"zone":"Europe/Berlin","from":"08:00","to":"18:00"}"#);
        for (hour, minute, open) in [(7, 59, false), (8, 0, true), (17, 59, true), (18, 0, false)] {
            at(3, hour, minute);
            assert_eq!(admits(&policy), open, "{hour}:{minute}");
        }
        at(6, 12, 0);
        assert!(!admits(&policy), "Saturday");
    }

    #[test]
    fn hours_over_midnight_belong_to_the_day_they_began_on() {
        let policy =
            configured(r#"{"zone":"Europe/Berlin","days":[5],"from":"22:00","to":"06:00"}"#);
        let cases = [
            (5, 21, false),
            (5, 22, true),
            (6, 5, true),
            (6, 6, false),
            (6, 22, false),
            (5, 5, false),
        ];
        for (weekday, hour, open) in cases {
            at(weekday, hour, 0);
            assert_eq!(admits(&policy), open, "day {weekday}, {hour}:00");
        }
    }

    #[test]
    fn sunday_night_goes_on_into_monday() {
        let policy =
            configured(r#"{"zone":"Europe/Berlin","days":[7],"from":"22:00","to":"06:00"}"#);
        at(1, 3, 0);
        assert!(admits(&policy));
    }

    #[test]
    fn a_refusal_names_its_reason_and_speaks_to_the_person() {
        let policy = configured(r#"{"zone":"Europe/Berlin","message":"We sleep."}"#);
        at(7, 12, 0);
        let request = testing::Request::new("messages", "m");
        assert_eq!(
            policy.admit(&request.view()),
            Verdict::deny("outside-office-hours", "We sleep.")
        );
        let policy = configured(r#"{"zone":"Europe/Berlin"}"#);
        at(7, 12, 0);
        let expected =
            "Requests are served on Mon, Tue, Wed, Thu, Fri from 08:00 to 18:00 (Europe/Berlin).";
        assert_eq!(
            policy.admit(&request.view()),
            Verdict::deny("outside-office-hours", expected)
        );
    }

    #[test]
    fn a_zone_the_host_does_not_know_is_refused_at_once() {
        let why = OfficeHours::configure(r#"{"zone":"Mars/Olympus"}"#).err();
        assert_eq!(
            why.as_deref(),
            Some("`zone`: unknown time zone `Mars/Olympus`")
        );
    }
}
