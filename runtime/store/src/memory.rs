//! A store in memory: for tests, with the same order and blocks as the engines on disk.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::audit;
use crate::batch::UsageBatch;
use crate::blocks;
use crate::engine::{ExportVisit, Order, RollupVisit, Store, Table, Visit, Write};
use crate::error::StoreError;
use crate::groups::{Pair, PairVisit};
use crate::ledger;
use crate::rollups::{self, Job, Pairs, STEP, Waiting};
use crate::usage_rollups::UsageRollups;

/// Forgets everything when it is dropped.
pub struct MemoryStore {
    state: Mutex<State>,
    rollups: Option<Arc<UsageRollups>>,
    step: usize,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            rollups: None,
            step: STEP,
        }
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store that keeps these roll-ups.
    #[must_use]
    pub fn with_fold(rollups: Arc<UsageRollups>) -> Self {
        Self {
            rollups: Some(rollups),
            ..Self::default()
        }
    }

    /// Lets a step of a fold write so many bytes; see [`Store::fold_rollups`].
    #[must_use]
    pub fn with_fold_step(mut self, bytes: usize) -> Self {
        self.step = bytes.max(1);
        self
    }
}

#[derive(Debug, Default)]
struct State {
    pairs: Map,
    sequence: u64,
    ledger: u64,
    audit: u64,
    /// Sums that are in no page.
    waiting: Waiting,
    folding: Option<Job>,
}

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

impl Pairs for Map {
    fn visit(&self, from: &[u8], to: &[u8], visit: &mut PairVisit<'_>) -> Result<(), StoreError> {
        if from >= to {
            return Ok(());
        }
        for (key, value) in self.range(from.to_vec()..to.to_vec()) {
            if visit(key, value)? == Visit::Stop {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, from: &[u8], at: &[u8]) -> Result<Option<Pair>, StoreError> {
        let mut found = self.range(from.to_vec()..=at.to_vec());
        Ok(found
            .next_back()
            .map(|(key, value)| (key.clone(), value.clone())))
    }
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
        self.append_ledger(&[], writes).map(|_| ())
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
        state.audit = audit::last_after(state.audit, writes)?;
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
        state.sequence = sequence;
        if self.rollups.is_some() {
            let (key, note) = state.waiting.note(blocks.iter().map(|(key, _)| key));
            state.pairs.insert(key, note);
        }
        state
            .pairs
            .extend(blocks.into_iter().map(|(key, block)| (key.to_vec(), block)));
        if let Some(kept) = &self.rollups {
            let rows = rows.iter().map(|(_, row)| row);
            state.waiting.committed(kept, rows);
        }
        state.append_ledger(rows.ledger());
        Ok(())
    }

    fn scan_rollups(
        &self,
        from: &[u8],
        to: &[u8],
        visit: &mut RollupVisit<'_>,
    ) -> Result<(), StoreError> {
        if self.rollups.is_none() {
            return Err(StoreError::NoRollups);
        }
        let (pairs, waiting) = {
            let state = self.state.lock();
            let mut pairs = state.pairs.clone();
            pairs.retain(|key, _| key.first() == Some(&(Table::Rollups as u8)));
            (pairs, state.waiting.clone())
        };
        rollups::visit(&pairs, &waiting, (from, to), visit)
    }

    fn fold_rollups(&self, pending: usize) -> Result<bool, StoreError> {
        let state = &mut *self.state.lock();
        let mut job = match (state.folding.take(), state.waiting.fold(pending)) {
            (Some(job), _) => job,
            (None, Some(folding)) => Job::begin(&state.pairs, folding)?,
            (None, None) => return Ok(false),
        };
        let step = job.step(&state.pairs, self.step)?;
        for (key, value) in step.changes {
            match value {
                Some(value) => state.pairs.insert(key, value),
                None => state.pairs.remove(&key),
            };
        }
        if !step.is_last {
            state.folding = Some(job);
            return Ok(true);
        }
        state.waiting.folded();
        Ok(state.waiting.is_due(pending))
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
