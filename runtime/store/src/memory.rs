//! A store in memory: for tests, with the same order and blocks as the engines on disk.

use std::collections::BTreeMap;
use std::ops::Range;

use parking_lot::Mutex;

use crate::batch::UsageBatch;
use crate::blocks;
use crate::engine::{Order, Store, Table, Visit, Write};
use crate::error::StoreError;

/// Forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
    sequence: u64,
}

impl Store for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state.lock().pairs.get(&prefixed(table, key)).cloned())
    }

    fn scan(
        &self,
        table: Table,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        let pairs: Vec<_> = {
            let state = self.state.lock();
            let from = state.pairs.range(vec![table as u8]..vec![table as u8 + 1]);
            from.map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        for (key, value) in pairs {
            if visit(&key[1..], &value) == Visit::Stop {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, writes: &[Write]) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        for write in writes {
            let key = prefixed(write.table, &write.key);
            match &write.value {
                Some(value) => state.pairs.insert(key, value.clone()),
                None => state.pairs.remove(&key),
            };
        }
        Ok(())
    }

    fn append_usage(&self, rows: &UsageBatch) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let mut sequence = state.sequence;
        let blocks = blocks::encode(rows, || {
            sequence += 1;
            Ok(sequence)
        })?;
        state.sequence = sequence;
        state
            .pairs
            .extend(blocks.into_iter().map(|(key, block)| (key.to_vec(), block)));
        Ok(())
    }

    fn scan_usage(
        &self,
        range: Range<u64>,
        order: Order,
        visit: &mut dyn FnMut(u64, &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        if range.is_empty() {
            return Ok(());
        }
        let (first, last) = blocks::key_range(&range);
        let mut found: Vec<_> = {
            let state = self.state.lock();
            let pairs = state.pairs.range(first.to_vec()..=last.to_vec());
            pairs
                .map(|(key, block)| Ok((key.clone(), block.clone())))
                .collect()
        };
        if order == Order::NewestFirst {
            found.reverse();
        }
        blocks::visit(found.into_iter(), &range, order, visit)
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A record's key in the engine: its table first.
pub(crate) fn prefixed(table: Table, key: &[u8]) -> Vec<u8> {
    let mut prefixed = Vec::with_capacity(1 + key.len());
    prefixed.push(table as u8);
    prefixed.extend_from_slice(key);
    prefixed
}
