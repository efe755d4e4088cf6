//! The roll-ups that the gateway keeps: hours and days of usage, as governance defines them.
//!
//! Kept in the commit of the rows, on the writer thread.

use parking_lot::Mutex;
use tollgate_governance::{Day, RollupKey, Span, Sums, UsageRow, Zone};

use crate::error::StoreError;
use crate::fold::Fold;

/// Changes with the bytes of keys or values.
const FORMAT: u64 = 1;
const HOUR_MS: u64 = 3_600_000;

/// [`Rollup`](tollgate_governance::Rollup)s as the fold of a store.
#[derive(Debug)]
pub struct UsageRollups {
    zone: Zone,
    version: u64,
    scratch: Mutex<Scratch>,
}

#[derive(Debug, Default)]
struct Scratch {
    /// Of the last row: most rows are of the same day, and calendars are slow.
    day: Option<Day>,
    key: Vec<u8>,
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
            scratch: Mutex::default(),
        })
    }
}

impl Fold for UsageRollups {
    fn version(&self) -> u64 {
        self.version
    }

    fn keys(&self, row: &UsageRow<'_>, add: &mut dyn FnMut(&[u8])) {
        let scratch = &mut *self.scratch.lock();
        let at = row.admitted_ms;
        let day = match scratch.day {
            Some(day) if (day.start_ms..day.end_ms).contains(&at) => day,
            _ => *scratch.day.insert(self.zone.day_of(at)),
        };
        let key = &mut scratch.key;
        key.clear();
        RollupKey::encode_of(row, Span::Hour, at - at % HOUR_MS, key);
        add(key);
        // The same but for its beginning.
        let day = RollupKey::prefix(Span::Day, day.start_ms);
        key[..day.len()].copy_from_slice(&day);
        add(key);
    }

    fn merge(
        &self,
        _: &[u8],
        old: Option<&[u8]>,
        rows: &mut dyn Iterator<Item = &UsageRow<'_>>,
    ) -> Result<Vec<u8>, String> {
        let mut sums = match old {
            Some(old) => Sums::decode(old).map_err(|error| error.to_string())?,
            None => Sums::default(),
        };
        rows.for_each(|row| sums.add(row));
        let mut out = Vec::with_capacity(128);
        sums.encode(&mut out);
        Ok(out)
    }
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
        assert_eq!(version("UTC"), 3_739_011_221_641_790_050);
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let error = UsageRollups::new("Mars/Olympus").unwrap_err();
        assert!(error.to_string().contains("Mars/Olympus"), "{error}");
    }
}
