//! Sums by key, sorted, one after the other in blocks: each key without the beginning it shares with the one before.
//!
//! Keys of neighbours differ late (span, time and the upper path are the same): a block of them is a third smaller.

use std::ops::Range;

use crate::engine::Visit;
use crate::error::StoreError;

/// The first byte of a block.
const FORMAT: u8 = 1;
/// Size of a block. The engine writes up to 16 values together; beyond 128 KiB it puts them into a file of its own,
/// which costs much more.
pub(crate) const FULL: usize = 7 << 10;

/// Key and value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

pub(crate) use crate::engine::RollupVisit as PairVisit;

/// Pairs on their way into blocks. Keys must come sorted.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Of the block that all of them would make.
    size: usize,
}

#[derive(Debug)]
struct Entry {
    key: Range<usize>,
    value: Range<usize>,
    /// Bytes that the key shares with the one before.
    shared: usize,
}

impl Groups {
    /// Appends a key and the value that `value` writes.
    pub(crate) fn push(&mut self, key: &[u8], value: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        value(&mut self.bytes);
        let before = self.entries.last().map(|before| before.key.clone());
        let before = before.map_or(&[][..], |before| &self.bytes[before]);
        let entry = Entry {
            key: start..middle,
            value: middle..self.bytes.len(),
            shared: shared(before, &self.bytes[start..middle]),
        };
        self.size += size_of(&entry, entry.shared);
        self.entries.push(entry);
    }

    /// The blocks, each with its first key. Several are of about the same size: a page that is split leaves room in
    /// both halves.
    pub(crate) fn blocks(&self) -> Vec<Pair> {
        let target = self.size.div_ceil(self.size.div_ceil(FULL).max(1));
        let mut blocks: Vec<Pair> = Vec::new();
        for entry in &self.entries {
            let full = |(_, block): &(_, Vec<u8>)| {
                block.len() >= target || block.len() + size_of(entry, entry.shared) > FULL
            };
            let mut shared = entry.shared;
            if blocks.last().is_none_or(full) {
                let first = self.bytes[entry.key.clone()].to_vec();
                let mut block = Vec::with_capacity(target + 512);
                block.push(FORMAT);
                blocks.push((first, block));
                shared = 0;
            }
            if let Some((_, block)) = blocks.last_mut() {
                put_number(block, shared);
                put_number(block, entry.key.len() - shared);
                put_number(block, entry.value.len());
                block.extend_from_slice(&self.bytes[entry.key.start + shared..entry.value.end]);
            }
        }
        blocks
    }
}

/// How many bytes two keys begin with that are the same.
pub(crate) fn shared(one: &[u8], other: &[u8]) -> usize {
    let both = one.iter().zip(other);
    both.take_while(|(one, other)| one == other).count()
}

fn size_of(entry: &Entry, shared: usize) -> usize {
    let suffix = entry.key.len() - shared;
    let lengths = [shared, suffix, entry.value.len()];
    lengths.into_iter().map(width).sum::<usize>() + suffix + entry.value.len()
}

/// Visits the pairs of a block in their order. Says whether the visitor wants more.
pub(crate) fn read(block: &[u8], visit: &mut PairVisit<'_>) -> Result<Visit, StoreError> {
    let mut rest = match block.split_first() {
        Some((&FORMAT, rest)) => rest,
        _ => return Err(damaged()),
    };
    let mut key = Vec::with_capacity(256);
    while !rest.is_empty() {
        let mut lengths = [0; 3];
        for length in &mut lengths {
            *length = take_number(&mut rest).ok_or_else(damaged)?;
        }
        let [shared, suffix, value] = lengths;
        if shared > key.len() {
            return Err(damaged());
        }
        let (suffix, after) = rest.split_at_checked(suffix).ok_or_else(damaged)?;
        let (value, after) = after.split_at_checked(value).ok_or_else(damaged)?;
        rest = after;
        key.truncate(shared);
        key.extend_from_slice(suffix);
        if visit(&key, value)? == Visit::Stop {
            return Ok(Visit::Stop);
        }
    }
    Ok(Visit::Continue)
}

/// 7 bits a byte, least significant first.
fn put_number(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Lengths of less than 2^28.
fn take_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for shift in (0..28).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn width(value: usize) -> usize {
    (usize::BITS - value.leading_zeros()).div_ceil(7).max(1) as usize
}

fn damaged() -> StoreError {
    StoreError::Rollups("a damaged block of sums".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn pairs(blocks: &[Pair]) -> Vec<Pair> {
        let mut found = Vec::new();
        for (first, block) in blocks {
            let start = found.len();
            read(block, &mut |key, value| {
                found.push((key.to_vec(), value.to_vec()));
                Ok(Visit::Continue)
            })
            .unwrap();
            assert_eq!(&found[start].0, first);
        }
        found
    }

    proptest! {
        #[test]
        fn what_goes_into_blocks_comes_out_of_them_and_none_is_larger_than_it_must_be(
            entries in prop::collection::btree_map(
                prop::collection::vec(0..3u8, 0..200), prop::collection::vec(any::<u8>(), 0..300), 0..150),
        ) {
            let mut groups = Groups::default();
            for (key, value) in &entries {
                groups.push(key, |out| out.extend_from_slice(value));
            }
            let blocks = groups.blocks();
            let found = pairs(&blocks);
            prop_assert!(found.is_sorted_by(|one, next| one.0 < next.0));
            prop_assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), entries);
            prop_assert!(blocks.iter().all(|(_, block)| block.len() <= FULL + 8));
            // Each cut anywhere is told or ends between two pairs.
            for (_, block) in blocks.iter().take(1) {
                for length in 0..block.len() {
                    let _ = read(&block[..length], &mut |_, _| Ok(Visit::Continue));
                }
            }
        }

        #[test]
        fn bytes_that_are_no_block_are_damage_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&bytes, &mut |_, _| Ok(Visit::Continue));
        }
    }

    #[test]
    fn a_split_leaves_room_in_every_block() {
        let mut groups = Groups::default();
        for number in 0..100u32 {
            groups.push(&number.to_be_bytes(), |out| out.extend_from_slice(&[7; 75]));
        }
        let sizes: Vec<_> = groups
            .blocks()
            .iter()
            .map(|(_, block)| block.len())
            .collect();
        assert_eq!(sizes.len(), 2, "{sizes:?}");
        assert!(
            sizes.iter().all(|size| *size < FULL * 2 / 3 + 100),
            "{sizes:?}"
        );
    }
}
