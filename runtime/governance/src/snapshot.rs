//! What the data plane sees of the directory: an immutable index from key hash to caller.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use crate::ids::KeyId;
use crate::policy::Path;
use crate::token::KeyMac;

/// Few enough to copy the table of pointers at every change, many enough that a change copies little of the index.
const SHARDS: usize = 256;

/// Who is calling.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key that was shown.
    pub key: KeyId,
    /// Its label.
    pub label: Arc<str>,
    /// The account's effective policy.
    pub path: Arc<Path>,
}

/// An immutable picture of all active keys and their accounts. Cheap to clone and to replace.
#[derive(Clone, Debug)]
pub struct Accounts {
    shards: Vec<Arc<Shard>>,
}

type Shard = HashMap<KeyMac, Arc<Caller>, MacHasher>;

impl Default for Accounts {
    fn default() -> Self {
        Self {
            shards: vec![Arc::default(); SHARDS],
        }
    }
}

impl Accounts {
    /// Whose key has this hash. Allocates nothing; a revoked or unknown key is simply not there.
    ///
    /// A suspended account's caller *is* found: look at [`Path::enabled`].
    #[must_use]
    pub fn find(&self, mac: &KeyMac) -> Option<&Arc<Caller>> {
        self.shards[shard_of(mac)].get(mac)
    }

    /// How many active keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    /// Whether there is no active key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.is_empty())
    }

    /// Copies only the shard it touches, and only if a reader still holds the old one.
    pub(crate) fn insert(&mut self, mac: KeyMac, caller: Arc<Caller>) {
        Arc::make_mut(&mut self.shards[shard_of(&mac)]).insert(mac, caller);
    }

    pub(crate) fn remove(&mut self, mac: &KeyMac) {
        Arc::make_mut(&mut self.shards[shard_of(mac)]).remove(mac);
    }
}

fn shard_of(mac: &KeyMac) -> usize {
    usize::from(mac.as_bytes()[31]) % SHARDS
}

/// The hash of a keyed hash is eight of its bytes: an attacker who cannot compute the MAC cannot aim at a bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MacHasher;

impl BuildHasher for MacHasher {
    type Hasher = FirstEight;

    fn build_hasher(&self) -> FirstEight {
        FirstEight(0)
    }
}

#[derive(Debug)]
pub(crate) struct FirstEight(u64);

impl Hasher for FirstEight {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The array's length prefix comes through here and says nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use crate::directory::tests::Bench;

    #[test]
    fn ten_thousand_keys_are_each_found_and_no_other() {
        let mut bench = Bench::new();
        bench.account("root", "a").unwrap();
        let keys: Vec<_> = (0..10_000).map(|_| bench.key("root/a")).collect();
        let snapshot = bench.directory.snapshot();
        assert_eq!(snapshot.len(), 10_000);
        for (id, token) in &keys {
            assert_eq!(snapshot.find(&bench.hasher.mac(token)).unwrap().key, *id);
        }
        assert!(snapshot.find(&bench.hasher.mac("tg-unknown")).is_none());
    }

    #[test]
    fn a_change_leaves_the_snapshot_that_a_request_holds_alone() {
        let mut bench = Bench::new();
        bench.account("root", "a").unwrap();
        let (_, token) = bench.key("root/a");
        let held = bench.directory.snapshot();
        bench.patch("root/a", r#"{"status":"suspended"}"#).unwrap();
        let mac = bench.hasher.mac(&token);
        assert!(held.find(&mac).unwrap().path.enabled);
        assert!(!bench.directory.snapshot().find(&mac).unwrap().path.enabled);
    }
}
