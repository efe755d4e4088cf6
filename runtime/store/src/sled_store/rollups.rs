//! Roll-ups in the engine: made anew from the rows where they are missing, folded in steps, read as of one moment.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tollgate_governance::UsageDecodeError;

use super::{CHUNK, DiskStore};
use crate::batch::UsageBatch;
use crate::engine::{Order, Store, Table, Visit};
use crate::error::StoreError;
use crate::groups::{Pair, PairVisit};
use crate::rollups::{self, Change, Job, LAYOUT, Merge, Pairs, Pending, Waiting};
use crate::usage_rollups::UsageRollups;

/// Which fold made the roll-ups, in the table `Meta`. Absent while they are being made.
pub(super) const ROLLUPS: &[u8] = b"store/rollups";
/// Groups in memory while roll-ups are made anew: the more, the fewer times a page is written.
const ANEW: usize = 1 << 16;
/// How long a step waits for reports to end before it is put off.
const PATIENCE: Duration = Duration::from_millis(20);
/// From so many waiting groups on it is not put off any more.
const OVERDUE: usize = 1 << 18;

/// The roll-ups of an open store.
pub(super) struct Rollups {
    kept: Arc<UsageRollups>,
    /// Only one folds.
    job: Mutex<Option<Job>>,
    /// Reports hold it to see each sum once: a step of a fold moves sums from what waits to the pages.
    moment: RwLock<()>,
}

impl Rollups {
    /// Adds the rows of a commit that was made.
    pub(super) fn committed(&self, waiting: &mut Waiting, rows: &UsageBatch) {
        let unreadable = waiting.committed(&self.kept, rows.iter().map(|(_, row)| row));
        if unreadable > 0 {
            // Kept, but in no sum: one bad row must not keep back all others for ever.
            tracing::error!(rows = unreadable, "usage rows are in no roll-up");
        }
    }
}

impl DiskStore {
    /// With these roll-ups. Makes them anew from all rows where they were never made, or of another version: 2 µs a
    /// row, 11 µs with 100,000 accounts.
    ///
    /// # Errors
    /// See [`Store`]; [`StoreError::Usage`] for rows of a newer version, when roll-ups are to be made from them.
    pub fn with_fold(mut self, kept: Arc<UsageRollups>) -> Result<Self, StoreError> {
        let made = [&[LAYOUT][..], &kept.version().to_be_bytes()].concat();
        let known = self.get(Table::Meta, ROLLUPS)?.as_deref() == Some(&made);
        let waiting = match known.then(|| Waiting::load(&self, &kept)).transpose() {
            Ok(waiting) => waiting,
            Err(error @ StoreError::Rollups(_)) => {
                tracing::error!(%error, "roll-ups are made anew");
                None
            }
            Err(error) => return Err(error),
        };
        if waiting.is_none() {
            self.make_rollups(&kept)?;
            self.put(Table::Meta, ROLLUPS, &made)?;
        }
        self.state.lock().waiting = waiting.unwrap_or_default();
        self.rollups = Some(Rollups {
            kept,
            job: Mutex::default(),
            moment: RwLock::default(),
        });
        Ok(self)
    }

    fn make_rollups(&self, kept: &UsageRollups) -> Result<(), StoreError> {
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
        let mut anew = Anew::default();
        let mut rows = UsageBatch::default();
        let mut failed = None;
        self.scan_usage(0..u64::MAX, Order::OldestFirst, &mut |admitted, row| {
            rows.push_bytes(admitted, row, &[]);
            if rows.size() >= CHUNK
                && let Err(error) = anew.add(self, kept, &mut rows)
            {
                failed = Some(error);
                return Visit::Stop;
            }
            Visit::Continue
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        anew.add(self, kept, &mut rows)?;
        anew.merge(self)?;
        if anew.damaged > 0 {
            tracing::error!(rows = anew.damaged, "damaged usage rows are in no roll-up");
        }
        Ok(())
    }

    fn commit_changes(&self, changes: Vec<Change>, folded: bool) -> Result<(), StoreError> {
        let sizes = changes.iter().filter_map(|(_, value)| value.as_ref());
        self.check_space(sizes.map(Vec::len).sum())?;
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        let mut state = self.state.lock();
        self.commit(batch, &mut state)?;
        if folded {
            state.waiting.folded();
        }
        Ok(())
    }

    pub(super) fn visit_rollups(
        &self,
        range: (&[u8], &[u8]),
        visit: &mut PairVisit<'_>,
    ) -> Result<(), StoreError> {
        let rollups = self.rollups.as_ref().ok_or(StoreError::NoRollups)?;
        let visited = {
            let _moment = rollups.moment.read();
            let waiting = self.state.lock().waiting.clone();
            rollups::visit(self, &waiting, range, visit)
        };
        visited.map_err(|error| self.condemned(error))
    }

    pub(super) fn fold_step(&self, pending: usize) -> Result<bool, StoreError> {
        let Some(rollups) = &self.rollups else {
            return Ok(false);
        };
        let mut place = rollups.job.lock();
        let condemned = |error| self.condemned(error);
        // Taken out, and put back only if all goes well.
        let mut job = match place.take() {
            Some(job) => job,
            None => {
                let folding = self.state.lock().waiting.fold(pending);
                let Some(folding) = folding else {
                    return Ok(false);
                };
                Job::begin(self, folding).map_err(condemned)?
            }
        };
        let overdue = self.state.lock().waiting.weight() > OVERDUE;
        let moment = match overdue {
            true => Some(rollups.moment.write()),
            false => rollups.moment.try_write_for(PATIENCE),
        };
        let Some(_moment) = moment else {
            *place = Some(job);
            return Ok(true);
        };
        let step = job.step(self, self.step).map_err(condemned)?;
        self.commit_changes(step.changes, step.is_last)?;
        if !step.is_last {
            *place = Some(job);
            return Ok(true);
        }
        Ok(self.state.lock().waiting.is_due(pending))
    }

    /// Roll-ups that are damaged are made anew by the next start: the rows have all that is in them.
    fn condemned(&self, error: StoreError) -> StoreError {
        if matches!(error, StoreError::Rollups(_)) {
            match self.delete(Table::Meta, ROLLUPS) {
                Ok(()) => {}
                Err(error) => tracing::error!(%error, "damaged roll-ups could not be marked so"),
            }
        }
        error
    }
}

/// Roll-ups on their way from the rows into pages. Without a cursor: until they are whole there is no word of them.
#[derive(Default)]
struct Anew {
    pending: Pending,
    damaged: u64,
}

impl Anew {
    fn add(
        &mut self,
        store: &DiskStore,
        rollups: &UsageRollups,
        rows: &mut UsageBatch,
    ) -> Result<(), StoreError> {
        let mut newer = None;
        let bytes = rows.iter().map(|(_, row)| row);
        self.pending.add(rollups, bytes, &mut |error| match error {
            UsageDecodeError::Damaged => self.damaged += 1,
            UsageDecodeError::Newer(_) => newer = Some(error),
        });
        rows.clear();
        match newer {
            Some(error) => Err(error.into()),
            None if self.pending.groups() < ANEW => Ok(()),
            None => self.merge(store),
        }
    }

    fn merge(&mut self, store: &DiskStore) -> Result<(), StoreError> {
        let mut merge = Merge::new(Arc::new(self.pending.take()), None);
        while !merge.is_done() {
            let changes = merge.step(store, store.step)?;
            store.commit_changes(changes, false)?;
        }
        Ok(())
    }
}

impl Pairs for DiskStore {
    fn visit(&self, from: &[u8], to: &[u8], visit: &mut PairVisit<'_>) -> Result<(), StoreError> {
        if from >= to {
            return Ok(());
        }
        for pair in self.tree.range(from..to) {
            let (key, value) = pair.map_err(|error| self.classify(error))?;
            if visit(&key, &value)? == Visit::Stop {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, from: &[u8], at: &[u8]) -> Result<Option<Pair>, StoreError> {
        let last = self.tree.range(from..=at).next_back();
        let last = last.transpose().map_err(|error| self.classify(error))?;
        Ok(last.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use tollgate_governance::{RollupFilter, Span, UsageRow};

    use super::*;
    use crate::engine::Durability;
    use crate::usage::{GroupBy, report};

    fn kept(zone: &str) -> Arc<UsageRollups> {
        Arc::new(UsageRollups::new(zone).unwrap())
    }

    fn open(path: &Path) -> DiskStore {
        DiskStore::open(path, Durability::Process).unwrap()
    }

    fn batch(numbers: std::ops::Range<u64>) -> UsageBatch {
        let mut batch = UsageBatch::default();
        for number in numbers {
            batch.push(&UsageRow {
                admitted_ms: 1_760_000_000_000 + number * 400_000,
                provider: "echo".into(),
                requested_model: format!("m{}", number % 30).into(),
                charged: number,
                ..UsageRow::default()
            });
        }
        batch
    }

    /// By hour, and all of it by day.
    fn sums(store: &DiskStore) -> (BTreeMap<u64, u64>, u64) {
        let report = |span, time| {
            let by = GroupBy {
                time,
                ..GroupBy::default()
            };
            report(store, span, &RollupFilter::default(), &by).unwrap()
        };
        let hours = report(Span::Hour, true).into_iter();
        let hours = hours.map(|line| (line.key.start_ms.unwrap(), line.sums.charged));
        (hours.collect(), report(Span::Day, false)[0].sums.charged)
    }

    fn expected(numbers: std::ops::Range<u64>) -> (BTreeMap<u64, u64>, u64) {
        let mut hours = BTreeMap::new();
        for number in numbers.clone() {
            let at = 1_760_000_000_000 + number * 400_000;
            *hours.entry(at - at % 3_600_000).or_default() += number;
        }
        (hours, numbers.sum())
    }

    #[test]
    fn making_rollups_anew_that_was_interrupted_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).with_fold(kept("UTC")).unwrap();
        store.append_usage(&batch(0..500)).unwrap();
        while store.fold_rollups(0).unwrap() {}
        store.append_usage(&batch(500..600)).unwrap();
        drop(store);
        // Killed after half of the rows, of another zone.
        let store = open(folder.path());
        store.delete(Table::Meta, ROLLUPS).unwrap();
        let mut anew = Anew::default();
        let mut rows = batch(0..300);
        anew.add(&store, &kept("Asia/Tokyo"), &mut rows).unwrap();
        anew.merge(&store).unwrap();
        drop(store);
        for zone in ["Asia/Tokyo", "UTC"] {
            let store = open(folder.path()).with_fold(kept(zone)).unwrap();
            assert_eq!(sums(&store), expected(0..600), "{zone}");
        }
    }

    #[test]
    fn damaged_rollups_are_told_lose_no_row_and_are_made_anew_by_the_next_start() {
        type Harm<'a> = (&'a str, &'a dyn Fn(&DiskStore));
        let page = |store: &DiskStore| {
            let pages = store.tree.scan_prefix([Table::Rollups as u8, 1]);
            pages.last().unwrap().unwrap()
        };
        let cut = |store: &DiskStore| {
            let (key, value) = page(store);
            store.tree.insert(key, &value[..value.len() / 2]).unwrap();
        };
        // The block is sound, the sums in it are not.
        let sums_of_nobody = |store: &DiskStore| {
            let (key, _) = page(store);
            let mut groups = crate::groups::Groups::default();
            let mut first = None;
            crate::groups::read(&page(store).1, &mut |key, _| {
                first.get_or_insert(key.to_vec());
                Ok(Visit::Continue)
            })
            .unwrap();
            groups.push(&first.unwrap(), |out| out.extend_from_slice(b"?"));
            store.tree.insert(key, &*groups.blocks()[0].1).unwrap();
        };
        let cursor = |store: &DiskStore| {
            let key = [Table::Rollups as u8, 3];
            store.tree.insert(key, b"?").unwrap();
        };
        let note = |store: &DiskStore| {
            let key = [&[Table::Rollups as u8, 0][..], &9u64.to_be_bytes()].concat();
            store.tree.insert(key, &[7; 17]).unwrap();
        };
        let harms: [Harm<'_>; 4] = [
            ("page", &cut),
            ("sums", &sums_of_nobody),
            ("cursor", &cursor),
            ("note", &note),
        ];
        for (name, harm) in harms {
            let folder = tempfile::tempdir().unwrap();
            let store = open(folder.path()).with_fold(kept("UTC")).unwrap();
            store.append_usage(&batch(0..500)).unwrap();
            while store.fold_rollups(0).unwrap() {}
            harm(&store);
            // Rows are taken as ever.
            store.append_usage(&batch(500..600)).unwrap();
            if name != "note" {
                let told = store.fold_rollups(0).map(|_| ());
                let told = told.and_then(|()| {
                    let by = GroupBy::default();
                    report(&store, Span::Hour, &RollupFilter::default(), &by).map(|_| ())
                });
                let told = told.unwrap_err().to_string();
                assert!(told.contains("damaged"), "{name}: {told}");
            }
            drop(store);
            let store = open(folder.path()).with_fold(kept("UTC")).unwrap();
            assert_eq!(sums(&store), expected(0..600), "{name}");
        }
    }
}
