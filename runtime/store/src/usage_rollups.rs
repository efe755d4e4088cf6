//! The roll-ups that the gateway keeps: hours and days of usage, as governance defines them.
//!
//! A commit of rows adds them to sums in memory and writes which blocks they are in; folds bring the sums into the
//! store between commits, where they are of many rows (see `rollups`). What that takes a row, in processor time on two
//! cores with commits of 200 rows (`examples/rollup_cost.rs`; a row alone takes 3 to 5 µs), several runs:
//!
//! | accounts taking turns at random | 1 | 20 | 1,000 | 100,000 |
//! |---|---|---|---|---|
//! | µs, in the commit | 0.2–1.0 | 0.3–1.5 | 0.7–1.4 | 1.7–4.0 |
//! | µs, in folds | 0.1 | 0.1 | 0.2 | 6 |
//! | µs when each commit changed the stored groups | 0–1 | 3–4 | 7–13 | 79–90 |
//!
//! Half of the commit's share is reading the row again. With 100,000 accounts nearly every row has two groups of its
//! own, which no fold can share: it pays for their bytes. A step of a fold takes 2 to 8 ms, the first one of 65,536
//! groups 50 ms.

use parking_lot::Mutex;
use tollgate_governance::{Day, RollupKey, Span, UsageRow, Zone};

use crate::error::StoreError;

/// Changes with the bytes of keys or values, and with what is counted as what. In 2 a refusal need not be a limit's.
const FORMAT: u64 = 2;
const HOUR_MS: u64 = 3_600_000;

/// Which [`Rollup`](tollgate_governance::Rollup)s a store keeps.
#[derive(Debug)]
pub struct UsageRollups {
    zone: Zone,
    version: u64,
    /// Of the last row: most rows are of the same day, and calendars are slow.
    day: Mutex<Option<Day>>,
}

impl UsageRollups {
    /// With the days of the tree's time zone, by its IANA name. Roll-ups of another zone are made anew from the rows.
    ///
    /// # Errors
    /// [`StoreError::Zone`] when there is no such zone.
    pub fn new(zone: &str) -> Result<Self, StoreError> {
        Ok(Self {
            version: version(zone),
            zone: Zone::named(zone).map_err(|error| StoreError::Zone(Box::new(error)))?,
            day: Mutex::default(),
        })
    }

    /// Of keys and values. Where it differs from the stored one, all roll-ups are made anew from the rows.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Appends what tells the groups of `row`: rows with the same bytes count in the same two. It is the day's first
    /// moment, then the key of the hour's group, which is the day's but for its beginning.
    pub(crate) fn part(&self, row: &UsageRow<'_>, part: &mut Vec<u8>) {
        let at = row.admitted_ms;
        let day = {
            let mut last = self.day.lock();
            match *last {
                Some(day) if (day.start_ms..day.end_ms).contains(&at) => day,
                _ => *last.insert(self.zone.day_of(at)),
            }
        };
        part.extend_from_slice(&day.start_ms.to_be_bytes());
        RollupKey::encode_of(row, Span::Hour, at - at % HOUR_MS, part);
    }
}

/// The keys of the groups of a part: the hour's, then the day's, which is written to `day`.
pub(crate) fn groups<'a>(part: &'a [u8], day: &'a mut Vec<u8>) -> [&'a [u8]; 2] {
    let (start, hour) = part.split_first_chunk::<8>().unwrap_or((&[0; 8], part));
    let prefix = RollupKey::prefix(Span::Day, u64::from_be_bytes(*start));
    day.clear();
    day.extend_from_slice(&prefix);
    day.extend_from_slice(hour.get(prefix.len()..).unwrap_or_default());
    [hour, day]
}

/// FNV-1a of format and zone.
fn version(zone: &str) -> u64 {
    let bytes = FORMAT.to_le_bytes().into_iter().chain(zone.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_zone_is_another_version_and_the_same_zone_the_same_for_good() {
        let version = |zone| UsageRollups::new(zone).unwrap().version();
        assert_ne!(version("UTC"), version("Europe/Berlin"));
        // What stores carry: a new number makes all roll-ups anew, so it changes only with the format.
        assert_eq!(version("UTC"), 12_862_809_184_855_536_863);
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let error = UsageRollups::new("Mars/Olympus").unwrap_err();
        assert!(error.to_string().contains("Mars/Olympus"), "{error}");
    }
}
