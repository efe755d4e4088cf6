//! Calls that were settled in one interval, remembered and forgotten together.

use std::collections::HashMap;

use uuid::Uuid;

use super::idempotency::Done;

/// One map of all calls grows by moving all of them, under the lock that requests wait for: 10 ms at 200,000. A part
/// moves its own.
const PARTS: usize = 256;

#[derive(Clone, Debug)]
pub(super) struct Generation {
    parts: Box<[HashMap<Uuid, Done>]>,
    /// The latest time in the ids.
    latest_ms: u64,
}

impl Default for Generation {
    fn default() -> Self {
        Self {
            parts: (0..PARTS).map(|_| HashMap::new()).collect(),
            latest_ms: 0,
        }
    }
}

impl Generation {
    pub(super) fn get(&self, request: &Uuid) -> Option<&Done> {
        self.parts.get(part_of(request))?.get(request)
    }

    /// A part that begins has room for as many as it had in the interval `before`.
    pub(super) fn insert(&mut self, request: Uuid, done: Done, before: &Self) {
        self.latest_ms = self.latest_ms.max(time_of(&request));
        let place = part_of(&request);
        let Some(part) = self.parts.get_mut(place) else {
            return;
        };
        if part.is_empty() {
            part.reserve(before.parts.get(place).map_or(1, HashMap::len));
        }
        part.insert(request, done);
    }

    /// In no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Uuid, &Done)> {
        self.parts.iter().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(HashMap::len).sum()
    }

    /// The latest time in the ids of all of it, Unix milliseconds; 0 if there is nothing.
    pub(super) fn latest_ms(&self) -> u64 {
        self.latest_ms
    }

    #[cfg(test)]
    pub(super) fn largest_part(&self) -> usize {
        self.parts.iter().map(HashMap::len).max().unwrap_or(0)
    }
}

/// The last byte of an id is random.
fn part_of(request: &Uuid) -> usize {
    request.as_u128() as usize % PARTS
}

/// The first 48 bits of a version 7 id, Unix milliseconds.
pub(super) fn time_of(request: &Uuid) -> u64 {
    (request.as_u128() >> 80) as u64
}

/// Settled calls that the ledger let go of. Drop them where nobody waits: there may be hundreds of thousands.
#[derive(Debug)]
pub struct Forgotten(pub(super) Generation);

impl Forgotten {
    /// How many.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.0.len()
    }
}
