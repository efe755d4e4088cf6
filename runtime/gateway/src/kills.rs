//! Keys whose answers under way are to end now: told by the control plane, looked at by every worker.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tollgate_governance::KeyId;

/// Keys in the order in which they were killed. A worker remembers how many it has seen: looking costs it one load.
#[derive(Debug, Default)]
pub(crate) struct Kills {
    count: AtomicU64,
    keys: Mutex<Vec<KeyId>>,
}

impl Kills {
    /// Ends the answers of this key. It must have been revoked before, or new ones begin.
    pub(crate) fn kill(&self, key: KeyId) {
        let mut keys = self.keys.lock();
        keys.push(key);
        self.count.store(keys.len() as u64, Ordering::Release);
    }

    /// How many there have been.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Those that came after the first `seen`.
    pub(crate) fn since(&self, seen: &mut u64) -> Vec<KeyId> {
        if self.count() == *seen {
            return Vec::new();
        }
        let keys = self.keys.lock();
        let new = keys.iter().skip(*seen as usize).copied().collect();
        *seen = keys.len() as u64;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_sees_each_key_once() {
        let kills = Kills::default();
        let (mut one, mut other) = (kills.count(), kills.count());
        let key = |number: u128| KeyId(uuid::Uuid::from_u128(number));
        kills.kill(key(1));
        assert_eq!(kills.since(&mut one), [key(1)]);
        assert!(kills.since(&mut one).is_empty());
        kills.kill(key(2));
        assert_eq!(kills.since(&mut one), [key(2)]);
        assert_eq!(kills.since(&mut other), [key(1), key(2)]);
    }
}
