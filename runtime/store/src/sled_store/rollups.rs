//! Roll-ups in the engine: changed with the rows, made anew from the rows where they are missing.

use std::sync::Arc;

use super::{CHUNK, SledStore};
use crate::batch::UsageBatch;
use crate::engine::{Order, Store, Table, Visit};
use crate::error::StoreError;
use crate::fold::{self, Fold};
use crate::memory::prefixed;

/// Which fold made the roll-ups, in the table `Meta`. Absent while they are being made.
pub(super) const ROLLUPS: &[u8] = b"store/rollups";

impl SledStore {
    /// With these roll-ups. Makes them anew from all rows where they were never made or by another version of the
    /// fold: about 1 µs a row.
    ///
    /// # Errors
    /// See [`Store`].
    pub fn with_fold(mut self, fold: Arc<dyn Fold>) -> Result<Self, StoreError> {
        let version = fold.version().to_be_bytes();
        if self.get(Table::Meta, ROLLUPS)?.as_deref() != Some(&version) {
            self.make_rollups(&*fold)?;
            self.put(Table::Meta, ROLLUPS, &version)?;
        }
        self.fold = Some(fold);
        Ok(self)
    }

    fn make_rollups(&self, fold: &dyn Fold) -> Result<(), StoreError> {
        // First the word that there are none, so that a start which is interrupted begins anew.
        self.delete(Table::Meta, ROLLUPS)?;
        let mut batch = sled::Batch::default();
        let mut size = 0;
        for key in self.tree.scan_prefix([Table::Rollups as u8]).keys() {
            let key = key.map_err(|error| self.classify(error))?;
            size += key.len();
            batch.remove(key);
            if size >= CHUNK {
                self.commit(std::mem::take(&mut batch), &mut self.state.lock())?;
                size = 0;
            }
        }
        self.commit(batch, &mut self.state.lock())?;
        let mut rows = UsageBatch::default();
        let mut failed = None;
        self.scan_usage(0..u64::MAX, Order::OldestFirst, &mut |admitted, row| {
            rows.push_bytes(admitted, row, &[]);
            if rows.size() >= CHUNK {
                if let Err(error) = self.roll_up(fold, &rows) {
                    failed = Some(error);
                    return Visit::Stop;
                }
                rows.clear();
            }
            Visit::Continue
        })?;
        match failed {
            Some(error) => Err(error),
            None => self.roll_up(fold, &rows),
        }
    }

    fn roll_up(&self, fold: &dyn Fold, rows: &UsageBatch) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let mut batch = sled::Batch::default();
        self.fold_into(fold, rows, &mut batch)?;
        self.commit(batch, &mut state)
    }

    pub(super) fn fold_into(
        &self,
        fold: &dyn Fold,
        rows: &UsageBatch,
        batch: &mut sled::Batch,
    ) -> Result<(), StoreError> {
        let old = |key: &[u8]| self.get(Table::Rollups, key);
        for (key, value) in fold::fold(fold, rows.iter().map(|(_, row)| row), old)? {
            batch.insert(prefixed(Table::Rollups, &key), value);
        }
        Ok(())
    }
}
