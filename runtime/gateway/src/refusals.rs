//! Bounds the rows of refusals: a client that hammers at its limit thousands of times a second must not fill the disk that
//! everybody's charges need. What has no row is still in the metrics.

use std::collections::HashMap;

use tollgate_governance::KeyId;

/// Rows that a key's refusals may leave at once, on each worker.
const BURST: u64 = 1_000;
/// After that one row each: 86,400 a day, some 50 MB.
const EVERY_MS: u64 = 1_000;
/// Keys that are remembered before those are forgotten that have been quiet.
const KEYS: usize = 1_024;

/// How much each key has used of what it may.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    /// When a key may leave the whole burst again, Unix milliseconds.
    rested_at: HashMap<KeyId, u64>,
}

impl Refusals {
    /// Whether a refusal of this key's leaves a row.
    pub(crate) fn may_write(&mut self, key: KeyId, now_ms: u64) -> bool {
        if self.rested_at.len() >= KEYS {
            self.rested_at.retain(|_, rested_at| *rested_at > now_ms);
        }
        let rested_at = self.rested_at.entry(key).or_default();
        let most = now_ms.saturating_add(BURST * EVERY_MS);
        if *rested_at > most {
            // The clock was set back.
            *rested_at = now_ms;
        }
        let then = now_ms.max(*rested_at).saturating_add(EVERY_MS);
        let may = then <= most;
        if may {
            *rested_at = then;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn key(number: u128) -> KeyId {
        KeyId(Uuid::from_u128(number))
    }

    #[test]
    fn a_key_that_hammers_leaves_few_rows_and_harms_no_other() {
        let mut refusals = Refusals::default();
        let (loud, quiet) = (key(1), key(2));
        let now = 1_000_000_000_000;
        let written = |refusals: &mut Refusals, key, now, tries: usize| {
            (0..tries).filter(|_| refusals.may_write(key, now)).count() as u64
        };
        assert_eq!(written(&mut refusals, loud, now, 50_000), BURST);
        assert_eq!(written(&mut refusals, quiet, now, 1), 1);
        assert_eq!(
            written(&mut refusals, loud, now + 10 * EVERY_MS, 50_000),
            10
        );
        let rested = now + 10 * EVERY_MS + BURST * EVERY_MS;
        assert_eq!(written(&mut refusals, loud, rested, 50_000), BURST);
        // A clock that was ahead leaves nobody without rows for long.
        assert_eq!(written(&mut refusals, loud, now, 50_000), BURST);
    }

    #[test]
    fn keys_that_rest_are_forgotten() {
        let mut refusals = Refusals::default();
        for number in 0..KEYS as u128 {
            refusals.may_write(key(number), 1_000);
        }
        refusals.may_write(key(u128::MAX), 1_000_000);
        assert_eq!(refusals.rested_at.len(), 1);
    }
}
