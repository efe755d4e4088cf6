//! The configured hours: read, and asked whether a moment lies in them.

use tollgate_guest::LocalTime;
use tollgate_guest::json::Json;

const DAY_NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MEMBERS: [&str; 5] = ["zone", "days", "from", "to", "message"];

/// Hours of certain days in a time zone.
#[derive(Debug)]
pub(crate) struct Hours {
    pub(crate) zone: String,
    pub(crate) message: String,
    /// Whether Monday, Tuesday, … are among them.
    days: [bool; 7],
    /// Minutes since midnight.
    from: u32,
    to: u32,
}

impl Hours {
    /// Reads the operator's configuration; the error is a sentence that names the member.
    pub(crate) fn read(config: &str) -> Result<Self, String> {
        let config =
            Json::parse(config).map_err(|why| format!("the configuration is not JSON: {why}"))?;
        let members = config
            .as_object()
            .ok_or("the configuration must be a JSON object")?;
        if let Some((name, _)) = members
            .iter()
            .find(|(name, _)| !MEMBERS.contains(&name.as_str()))
        {
            return Err(format!(
                "`{name}` is not a setting; there are {}",
                MEMBERS.join(", ")
            ));
        }
        let zone = text(&config, "zone")?.unwrap_or("UTC").to_owned();
        let days = days(&config)?;
        let from = minutes(&config, "from", "08:00")?;
        let to = minutes(&config, "to", "18:00")?;
        if from == to || from == 24 * 60 {
            return Err("`from` and `to` leave no time between them".to_owned());
        }
        let message = match text(&config, "message")? {
            Some(message) => message.to_owned(),
            None => default_message(&zone, &days, from, to),
        };
        Ok(Self {
            zone,
            message,
            days,
            from,
            to,
        })
    }

    /// Whether a moment lies in the hours.
    pub(crate) fn include(&self, now: &LocalTime) -> bool {
        let minute = u32::from(now.hour) * 60 + u32::from(now.minute);
        let today = usize::from(now.weekday.clamp(1, 7)) - 1;
        let yesterday = (today + 6) % 7;
        if self.from < self.to {
            return self.days[today] && (self.from..self.to).contains(&minute);
        }
        (self.days[today] && minute >= self.from) || (self.days[yesterday] && minute < self.to)
    }
}

fn text<'a>(config: &'a Json, name: &str) -> Result<Option<&'a str>, String> {
    match config.get(name) {
        None => Ok(None),
        Some(Json::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(format!("`{name}` must be a non-empty string")),
    }
}

fn days(config: &Json) -> Result<[bool; 7], String> {
    const WANTED: &str =
        "`days` must be a list of numbers from 1 (Monday) to 7 (Sunday), at least one";
    let mut days = [false; 7];
    let Some(listed) = config.get("days") else {
        days[..5].fill(true);
        return Ok(days);
    };
    let listed = listed
        .as_array()
        .filter(|listed| !listed.is_empty())
        .ok_or(WANTED)?;
    for day in listed {
        let day = day
            .as_u64()
            .filter(|day| (1..=7).contains(day))
            .ok_or(WANTED)?;
        days[day as usize - 1] = true;
    }
    Ok(days)
}

/// A time of day in minutes; `24:00` is the end of the day.
fn minutes(config: &Json, name: &str, default: &str) -> Result<u32, String> {
    let text = text(config, name)?.unwrap_or(default);
    let number = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits {
            part.parse::<u32>().ok()
        } else {
            None
        }
    };
    text.split_once(':')
        .and_then(|(hour, minute)| Some((number(hour)?, number(minute)?)))
        .filter(|&(hour, minute)| (hour < 24 && minute < 60) || (hour, minute) == (24, 0))
        .map(|(hour, minute)| hour * 60 + minute)
        .ok_or_else(|| format!("`{name}` must be a time such as `{default}`, not `{text}`"))
}

fn default_message(zone: &str, days: &[bool; 7], from: u32, to: u32) -> String {
    let named = DAY_NAMES.iter().zip(days).filter(|(_, on)| **on);
    let named: Vec<&str> = named.map(|(name, _)| *name).collect();
    let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    format!(
        "Requests are served on {} from {} to {} ({zone}).",
        named.join(", "),
        clock(from),
        clock(to)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_the_members_name() {
        let cases = [
            (
                "nonsense",
                "the configuration is not JSON: a value was expected at byte 0",
            ),
            ("[]", "the configuration must be a JSON object"),
            (
                r#"{"zones":"UTC"}"#,
                "`zones` is not a setting; there are zone, days, from, to, message",
            ),
            (r#"{"zone":7}"#, "`zone` must be a non-empty string"),
            (
                r#"{"days":[]}"#,
                "`days` must be a list of numbers from 1 (Monday) to 7 (Sunday), at least one",
            ),
            (
                r#"{"days":[8]}"#,
                "`days` must be a list of numbers from 1 (Monday) to 7 (Sunday), at least one",
            ),
            (
                r#"{"from":"8:00"}"#,
                "`from` must be a time such as `08:00`, not `8:00`",
            ),
            (
                r#"{"to":"24:01"}"#,
                "`to` must be a time such as `18:00`, not `24:01`",
            ),
            (
                r#"{"from":"18:00"}"#,
                "`from` and `to` leave no time between them",
            ),
        ];
        for (config, expected) in cases {
            assert_eq!(
                Hours::read(config).err().as_deref(),
                Some(expected),
                "{config}"
            );
        }
    }

    #[test]
    fn nothing_configured_means_the_working_week_in_utc() {
        let hours = Hours::read("{}").expect("the defaults are valid");
        assert_eq!(
            (hours.zone.as_str(), hours.from, hours.to),
            ("UTC", 480, 1080)
        );
        assert_eq!(hours.days, [true, true, true, true, true, false, false]);
    }

    #[test]
    fn a_whole_day_ends_at_midnight() {
        let hours = Hours::read(r#"{"from":"00:00","to":"24:00"}"#).expect("valid");
        assert_eq!((hours.from, hours.to), (0, 1440));
    }
}
