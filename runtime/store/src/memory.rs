//! A store in memory: for tests, with the same order and blocks as the engines on disk.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::batch::UsageBatch;
use crate::blocks;
use crate::engine::{ExportVisit, Order, Store, Table, Visit, Write};
use crate::error::StoreError;
use crate::fold::{self, Fold};
use crate::ledger;

/// Forgets everything when it is dropped.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    fold: Option<Arc<dyn Fold>>,
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store that keeps these roll-ups.
    #[must_use]
    pub fn with_fold(fold: Arc<dyn Fold>) -> Self {
        Self {
            state: Mutex::default(),
            fold: Some(fold),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
    sequence: u64,
    ledger: u64,
}

impl State {
    fn append_ledger<'a>(&mut self, records: impl Iterator<Item = &'a [u8]>) {
        for record in records {
            self.ledger += 1;
            let key = prefixed(Table::Ledger, &ledger::key(self.ledger));
            self.pairs.insert(key, record.to_vec());
        }
    }

    fn apply(&mut self, writes: &[Write]) {
        for write in writes {
            let key = prefixed(write.table, &write.key);
            match &write.value {
                Some(value) => self.pairs.insert(key, value.clone()),
                None => self.pairs.remove(&key),
            };
        }
    }
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
        check(writes)?;
        self.state.lock().apply(writes);
        Ok(())
    }

    fn scan_range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        if from >= to {
            return Ok(());
        }
        let mut pairs: Vec<_> = {
            let state = self.state.lock();
            let range = prefixed(table, from)..prefixed(table, to);
            let pairs = state.pairs.range(range);
            pairs
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        if order == Order::NewestFirst {
            pairs.reverse();
        }
        for (key, value) in pairs {
            if visit(&key[1..], &value) == Visit::Stop {
                break;
            }
        }
        Ok(())
    }

    fn append_ledger(
        &self,
        records: &[Vec<u8>],
        writes: &[Write],
    ) -> Result<Range<u64>, StoreError> {
        check(writes)?;
        let mut state = self.state.lock();
        let first = state.ledger + 1;
        state.append_ledger(records.iter().map(Vec::as_slice));
        state.apply(writes);
        Ok(first..state.ledger + 1)
    }

    fn append_usage(&self, rows: &UsageBatch) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let mut sequence = state.sequence;
        let blocks = blocks::encode(rows, || {
            sequence += 1;
            Ok(sequence)
        })?;
        let rollups = match &self.fold {
            Some(fold) => fold::fold(&**fold, rows.iter().map(|(_, row)| row), |key| {
                Ok(state.pairs.get(&prefixed(Table::Rollups, key)).cloned())
            })?,
            None => Vec::new(),
        };
        state.sequence = sequence;
        state
            .pairs
            .extend(blocks.into_iter().map(|(key, block)| (key.to_vec(), block)));
        for (key, value) in rollups {
            state.pairs.insert(prefixed(Table::Rollups, &key), value);
        }
        state.append_ledger(rows.ledger());
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

    fn export(&self, visit: &mut ExportVisit<'_>) -> Result<(), StoreError> {
        let pairs = self.state.lock().pairs.clone();
        let mut pairs = pairs.iter().filter(|(key, _)| exported(key));
        pairs.try_for_each(|(key, value)| visit(key, value))
    }
}

/// Refuses changes of tables that follow from others.
pub(crate) fn check(writes: &[Write]) -> Result<(), StoreError> {
    let protected = |write: &&Write| matches!(write.table, Table::Rollups | Table::Ledger);
    match writes.iter().find(protected) {
        Some(write) => Err(StoreError::Protected(write.table)),
        None => Ok(()),
    }
}

/// Whether a backup needs the pair under this key: neither roll-ups nor what a store notes about its own files.
pub(crate) fn exported(key: &[u8]) -> bool {
    let own = key
        .strip_prefix(&[Table::Meta as u8])
        .is_some_and(|key| key.starts_with(b"store"));
    !own && key.first() != Some(&(Table::Rollups as u8))
}

/// A record's key in the engine: its table first.
pub(crate) fn prefixed(table: Table, key: &[u8]) -> Vec<u8> {
    let mut prefixed = Vec::with_capacity(1 + key.len());
    prefixed.push(table as u8);
    prefixed.extend_from_slice(key);
    prefixed
}
