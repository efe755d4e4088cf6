//! How usage rows lie in an ordered key-value engine: in blocks, one for each group commit and ten seconds of admission.
//!
//! One engine write for a whole group of rows instead of one a row is what keeps a durable row at a microsecond or two.
//! A block's key is its ten seconds and a sequence number, so a range of time is a range of keys, however late a
//! long-running request was written.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::batch::UsageBatch;
use crate::engine::{Order, Visit};
use crate::error::StoreError;

/// The first byte of every block's key; tables of records are below.
pub(crate) const USAGE: u8 = 0x80;
/// The length of a bucket.
const BUCKET_MS: u64 = 10_000;
/// Layout of a block: format, then rows as offset in the bucket (4 bytes), length (4 bytes), bytes.
const FORMAT: u8 = 1;
/// A block that has grown to this is closed. The engine writes leaves of up to 16 values whole; beyond 128 KiB it puts
/// one into a file of its own, which costs much more.
const FULL: usize = 7 << 10;
pub(crate) const KEY: usize = 17;

/// Key and bytes of a block.
pub(crate) type Block = ([u8; KEY], Vec<u8>);

/// The blocks of a batch.
///
/// `sequence` gives a number that was never given before.
pub(crate) fn encode(
    rows: &UsageBatch,
    mut sequence: impl FnMut() -> Result<u64, StoreError>,
) -> Result<Vec<Block>, StoreError> {
    let mut open: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let mut full = Vec::new();
    for (admitted, row) in rows.iter() {
        let bucket = admitted / BUCKET_MS;
        // Most batches are one bucket.
        let block = open.entry(bucket).or_insert_with(|| vec![FORMAT]);
        block.extend_from_slice(&((admitted % BUCKET_MS) as u32).to_le_bytes());
        block.extend_from_slice(&(row.len() as u32).to_le_bytes());
        block.extend_from_slice(row);
        if block.len() >= FULL {
            full.push((bucket, std::mem::replace(block, vec![FORMAT])));
        }
    }
    full.extend(open.into_iter().filter(|(_, block)| block.len() > 1));
    let keyed = |(bucket, block)| Ok((key(bucket, sequence()?), block));
    full.into_iter().map(keyed).collect()
}

fn key(bucket: u64, sequence: u64) -> [u8; KEY] {
    let mut key = [USAGE; KEY];
    key[1..9].copy_from_slice(&bucket.to_be_bytes());
    key[9..].copy_from_slice(&sequence.to_be_bytes());
    key
}

/// The keys at which blocks with rows of `range` (milliseconds) may lie: first and last, inclusive.
pub(crate) fn key_range(range: &Range<u64>) -> ([u8; KEY], [u8; KEY]) {
    let last = range.end.saturating_sub(1) / BUCKET_MS;
    (key(range.start / BUCKET_MS, 0), key(last, u64::MAX))
}

/// Visits the rows of `range` in `blocks`, which come in the order of their keys (or its reverse, as `order` says).
pub(crate) fn visit<K: AsRef<[u8]>, B: AsRef<[u8]>>(
    blocks: impl Iterator<Item = Result<(K, B), StoreError>>,
    range: &Range<u64>,
    order: Order,
    visit: &mut dyn FnMut(u64, &[u8]) -> Visit,
) -> Result<(), StoreError> {
    let mut bucket = 0;
    let mut group: Vec<B> = Vec::new();
    for block in blocks {
        let (key, block) = block?;
        let this = bucket_of(key.as_ref())?;
        if this != bucket && !group.is_empty() {
            if visit_bucket(bucket, &group, range, order, visit)? == Visit::Stop {
                return Ok(());
            }
            group.clear();
        }
        bucket = this;
        group.push(block);
    }
    visit_bucket(bucket, &group, range, order, visit).map(|_| ())
}

/// Sorts and visits the rows of one bucket: ten seconds of traffic is the most that is held in memory.
fn visit_bucket<B: AsRef<[u8]>>(
    bucket: u64,
    blocks: &[B],
    range: &Range<u64>,
    order: Order,
    visit: &mut dyn FnMut(u64, &[u8]) -> Visit,
) -> Result<Visit, StoreError> {
    let mut rows = Vec::new();
    for block in blocks {
        for row in Rows::of(block.as_ref()) {
            let (offset, row) = row?;
            let admitted = bucket
                .checked_mul(BUCKET_MS)
                .and_then(|start| start.checked_add(u64::from(offset)))
                .ok_or_else(damaged)?;
            if range.contains(&admitted) {
                rows.push((admitted, row));
            }
        }
    }
    rows.sort_unstable();
    if order == Order::NewestFirst {
        rows.reverse();
    }
    for (admitted, row) in rows {
        if visit(admitted, row) == Visit::Stop {
            return Ok(Visit::Stop);
        }
    }
    Ok(Visit::Continue)
}

/// The rows of a block, each with its offset in the bucket. Ends with the first that is damaged.
pub(crate) struct Rows<'a>(&'a [u8]);

impl<'a> Rows<'a> {
    pub(crate) fn of(block: &'a [u8]) -> Self {
        // Where there is no block: something too short to be a row.
        Self(block.strip_prefix(&[FORMAT]).unwrap_or(&[0]))
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<(u32, &'a [u8]), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = std::mem::take(&mut self.0);
        let split = |bytes: &'a [u8]| {
            let (offset, after) = bytes.split_first_chunk::<4>()?;
            let (length, after) = after.split_first_chunk::<4>()?;
            let (row, rest) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            Some((u32::from_le_bytes(*offset), row, rest))
        };
        if bytes.is_empty() {
            return None;
        }
        let Some((offset, row, rest)) = split(bytes) else {
            return Some(Err(damaged()));
        };
        self.0 = rest;
        Some(Ok((offset, row)))
    }
}

fn bucket_of(key: &[u8]) -> Result<u64, StoreError> {
    let bucket = key
        .get(1..)
        .and_then(|rest| rest.first_chunk::<8>())
        .ok_or_else(damaged)?;
    Ok(u64::from_be_bytes(*bucket))
}

/// The number in a block's key.
pub(crate) fn sequence(key: &[u8]) -> Result<u64, StoreError> {
    let number = key.get(9..).and_then(|rest| rest.first_chunk::<8>());
    Ok(u64::from_be_bytes(*number.ok_or_else(damaged)?))
}

fn damaged() -> StoreError {
    StoreError::Engine("a damaged block of usage rows".to_owned())
}
