//! Bounds what a key leaves on the disk without being charged for it: rows of refusals, conversations. A client that hammers
//! at its limit thousands of times a second must not fill the disk that everybody's charges need.

use std::collections::HashMap;

use tollgate_governance::KeyId;

/// Pieces that a key may leave at once, on each worker: rows, or as much as [`PIECE`] of anything else.
const BURST: u64 = 1_000;
/// After that one piece each: 86,400 a day, some 50 MB of rows.
const EVERY_MS: u64 = 1_000;
/// Bytes that count as one.
const PIECE: u64 = 16 << 10;
/// Keys that are remembered before those are forgotten that have been quiet.
const KEYS: usize = 1_024;

/// How much each key has used of what it may.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When a key may leave the whole burst again, Unix milliseconds.
    rested_at: HashMap<KeyId, u64>,
}

impl Pace {
    /// Whether this key may leave so many bytes now.
    pub(crate) fn may_keep(&mut self, key: KeyId, bytes: u64, now_ms: u64) -> bool {
        if self.rested_at.len() >= KEYS {
            self.rested_at.retain(|_, rested_at| *rested_at > now_ms);
        }
        let rested_at = self.rested_at.entry(key).or_default();
        let most = now_ms.saturating_add(BURST * EVERY_MS);
        if *rested_at > most {
            // The clock was set back.
            *rested_at = now_ms;
        }
        let cost = bytes.div_ceil(PIECE).max(1).saturating_mul(EVERY_MS);
        let then = now_ms.max(*rested_at).saturating_add(cost);
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
    fn a_key_that_hammers_leaves_little_and_harms_no_other() {
        let mut pace = Pace::default();
        let (loud, quiet) = (key(1), key(2));
        let now = 1_000_000_000_000;
        let kept = |pace: &mut Pace, key, now, tries: usize| {
            let tries = 0..tries;
            tries.filter(|_| pace.may_keep(key, 0, now)).count() as u64
        };
        assert_eq!(kept(&mut pace, loud, now, 50_000), BURST);
        assert_eq!(kept(&mut pace, quiet, now, 1), 1);
        assert_eq!(kept(&mut pace, loud, now + 10 * EVERY_MS, 50_000), 10);
        let rested = now + 10 * EVERY_MS + BURST * EVERY_MS;
        assert_eq!(kept(&mut pace, loud, rested, 50_000), BURST);
        // A clock that was ahead leaves nobody without rows for long.
        assert_eq!(kept(&mut pace, loud, now, 50_000), BURST);
    }

    #[test]
    fn what_is_large_counts_for_more() {
        let mut pace = Pace::default();
        assert!(!pace.may_keep(key(1), (BURST + 1) * PIECE, 1_000));
        assert!(pace.may_keep(key(1), (BURST - 1) * PIECE, 1_000));
        assert!(!pace.may_keep(key(1), PIECE + 1, 1_000));
        assert!(pace.may_keep(key(1), PIECE, 1_000));
        assert!(!pace.may_keep(key(1), 0, 1_000));
    }

    #[test]
    fn keys_that_rest_are_forgotten() {
        let mut pace = Pace::default();
        for number in 0..KEYS as u128 {
            pace.may_keep(key(number), 0, 1_000);
        }
        pace.may_keep(key(u128::MAX), 0, 1_000_000);
        assert_eq!(pace.rested_at.len(), 1);
    }
}
