//! Identifiers: time-ordered UUIDs (version 7) made from a given time and given randomness.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::random::Random;

/// Makes a version 7 UUID of `now_ms` (Unix milliseconds).
pub(crate) fn v7(now_ms: u64, random: &mut dyn Random) -> Uuid {
    let mut bytes = [0u8; 10];
    random.fill(&mut bytes);
    uuid::Builder::from_unix_timestamp_millis(now_ms, &bytes).into_uuid()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id of this moment.
            pub fn new(now_ms: u64, random: &mut dyn Random) -> Self {
                Self(v7(now_ms, random))
            }

            /// The 16 bytes, big endian: they sort by time.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    };
}

id! {
    /// A node of the account tree.
    AccountId
}
id! {
    /// An inference key.
    KeyId
}
id! {
    /// A management token that is bound to an account.
    TokenId
}

/// Makes request ids without a system call each: one per worker, seeded once from real randomness.
///
/// The ids name rows and log lines; they are not secrets, so a fast generator is enough.
#[derive(Debug)]
pub struct RequestIds {
    state: [u64; 2],
}

impl RequestIds {
    /// Seeds the generator with 128 random bits, so that no two workers collide.
    pub fn new(random: &mut dyn Random) -> Self {
        let mut seed = [0u8; 16];
        random.fill(&mut seed);
        let (high, low) = seed.split_at(8);
        let word = |half: &[u8]| {
            half.iter()
                .fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte))
        };
        // An all-zero state would stay zero for ever.
        Self {
            state: [word(high), word(low) | 1],
        }
    }

    /// The next id, of `now_ms` (Unix milliseconds).
    pub fn next(&mut self, now_ms: u64) -> Uuid {
        let (first, second) = (self.step().to_be_bytes(), self.step().to_be_bytes());
        let mut bytes = [0u8; 10];
        bytes[..8].copy_from_slice(&first);
        bytes[8..].copy_from_slice(&second[..2]);
        uuid::Builder::from_unix_timestamp_millis(now_ms, &bytes).into_uuid()
    }

    /// xoroshiro128++: small, fast, passes the usual batteries.
    fn step(&mut self) -> u64 {
        let [a, mut b] = self.state;
        let result = a.wrapping_add(b).rotate_left(17).wrapping_add(a);
        b ^= a;
        self.state = [a.rotate_left(49) ^ b ^ (b << 21), b.rotate_left(28)];
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;

    #[test]
    fn request_ids_are_version_7_unique_and_carry_the_time() {
        let mut ids = RequestIds::new(&mut Seeded::new(7));
        let mut seen = std::collections::HashSet::new();
        for index in 0..100_000u64 {
            let id = ids.next(1_700_000_000_000 + index / 1000);
            assert_eq!(id.get_version_num(), 7);
            assert!(seen.insert(id));
        }
        let (seconds, nanos) = ids
            .next(1_700_000_000_123)
            .get_timestamp()
            .unwrap()
            .to_unix();
        assert_eq!((seconds, nanos), (1_700_000_000, 123_000_000));
    }

    #[test]
    fn two_workers_with_different_seeds_do_not_repeat_each_other() {
        let mut one = RequestIds::new(&mut Seeded::new(1));
        let mut two = RequestIds::new(&mut Seeded::new(2));
        let first: std::collections::HashSet<_> = (0..1000).map(|_| one.next(5)).collect();
        assert!((0..1000).all(|_| !first.contains(&two.next(5))));
    }

    #[test]
    fn ids_of_later_moments_sort_later() {
        let mut random = Seeded::new(3);
        let early = AccountId::new(1000, &mut random);
        let late = AccountId::new(1001, &mut random);
        assert!(early.as_bytes() < late.as_bytes());
        assert_eq!(early.to_string().parse::<AccountId>().unwrap(), early);
    }
}
