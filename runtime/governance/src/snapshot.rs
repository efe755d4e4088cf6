//! What the data plane sees of the directory: an immutable index from key hash to caller, and the tree.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::caller::{Caller, KeyEntry};
use crate::node::Node;
use crate::path::Path;
use crate::token::KeyMac;

/// Few enough to copy the table of pointers at every change, many enough that a change copies little of the index.
const SHARDS: usize = 256;
/// Nodes in one piece of the tree: a change of an account copies one piece (measured with 1,000,000 accounts: 25 µs a
/// change, most of it the table of pieces).
const PIECE: usize = 512;

/// An immutable picture of all active keys and of the tree. Cheap to clone and to replace: a change of an account
/// replaces that account, however many are under it.
#[derive(Clone, Debug)]
pub struct Accounts {
    shards: Vec<Arc<Shard>>,
    pieces: Vec<Arc<Piece>>,
}

type Shard = HashMap<KeyMac, Arc<KeyEntry>, MacHasher>;

/// The nodes of a piece, and beside them what the way to the root needs: it is found first, so that memory is asked for all
/// nodes of a path at once. Each of them names the next, and asked one after the other a path of eight accounts in a tree
/// of a million took 2.7 µs.
#[derive(Clone, Debug)]
struct Piece {
    parents: [u32; PIECE],
    nodes: [Option<Arc<Node>>; PIECE],
}

/// The parent of the root, and of places without a node.
const NONE: u32 = u32::MAX;

impl Default for Piece {
    fn default() -> Self {
        Self {
            parents: [NONE; PIECE],
            nodes: [const { None }; PIECE],
        }
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            shards: vec![Arc::default(); SHARDS],
            pieces: Vec::new(),
        }
    }
}

impl Accounts {
    /// Whose key has this hash. A revoked or unknown key is simply not there.
    ///
    /// A suspended account's caller *is* found: look at [`Path::is_enabled`]; so is that of a key out of its time: look
    /// at [`Caller::is_valid_at`].
    #[must_use]
    pub fn find(&self, mac: &KeyMac) -> Option<Caller> {
        let key = self.shards[shard_of(mac)].get(mac)?;
        Some(Caller {
            key: Arc::clone(key),
            path: Arc::new(self.path(key.place)?),
        })
    }

    /// The path of the node at `place`. None if a node of it is missing, which the directory never lets happen.
    pub(crate) fn path(&self, place: u32) -> Option<Path> {
        let upward = std::iter::successors(Some(place), |place| self.parent(*place));
        let places: SmallVec<[u32; 12]> = upward.collect();
        let nodes = places.iter().rev().map(|place| self.node(*place));
        Path::of(&nodes.collect::<Option<SmallVec<[_; 12]>>>()?)
    }

    fn parent(&self, place: u32) -> Option<u32> {
        let place = place as usize;
        let parent = self.pieces.get(place / PIECE)?.parents[place % PIECE];
        (parent != NONE).then_some(parent)
    }

    pub(crate) fn node(&self, place: u32) -> Option<&Arc<Node>> {
        let place = place as usize;
        self.pieces.get(place / PIECE)?.nodes[place % PIECE].as_ref()
    }

    /// How many accounts there are.
    #[cfg(test)]
    pub(crate) fn nodes(&self) -> usize {
        let pieces = self.pieces.iter();
        pieces
            .flat_map(|piece| piece.nodes.iter())
            .flatten()
            .count()
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
    pub(crate) fn insert_key(&mut self, mac: KeyMac, key: Arc<KeyEntry>) {
        Arc::make_mut(&mut self.shards[shard_of(&mac)]).insert(mac, key);
    }

    pub(crate) fn remove_key(&mut self, mac: &KeyMac) {
        Arc::make_mut(&mut self.shards[shard_of(mac)]).remove(mac);
    }

    /// Sets or removes the node at `place`. Copies only the piece it touches.
    pub(crate) fn set_node(&mut self, place: u32, node: Option<Arc<Node>>) {
        let place = place as usize;
        while self.pieces.len() <= place / PIECE {
            self.pieces.push(Arc::default());
        }
        let piece = Arc::make_mut(&mut self.pieces[place / PIECE]);
        let parent = node.as_ref().and_then(|node| node.parent);
        piece.parents[place % PIECE] = parent.unwrap_or(NONE);
        piece.nodes[place % PIECE] = node;
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
            assert_eq!(snapshot.find(&bench.hasher.mac(token)).unwrap().id(), *id);
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
        assert!(held.find(&mac).unwrap().path.is_enabled());
        let after = bench.directory.snapshot();
        assert!(!after.find(&mac).unwrap().path.is_enabled());
    }

    #[test]
    fn a_cut_far_above_reaches_every_key_below_without_touching_them() {
        let mut bench = Bench::new();
        let mut parent = "root".to_owned();
        for depth in 0..12 {
            bench.account(&parent, &format!("d{depth}")).unwrap();
            parent = format!("{parent}/d{depth}");
        }
        let (_, token) = bench.key(&parent);
        let mac = bench.hasher.mac(&token);
        bench
            .patch("root/d0", r#"{"models":["a*"],"output_cap":5}"#)
            .unwrap();
        let caller = bench.directory.snapshot().find(&mac).unwrap();
        assert_eq!(caller.path.nodes().len(), 13);
        assert_eq!(caller.path.names(), parent);
        assert!(caller.path.allows_model("ab") && !caller.path.allows_model("b"));
        assert_eq!(caller.path.output_cap(), Some(5));
    }
}
