//! The embedded engine: sled 0.34.

mod inspect;
mod log;
mod opening;
mod rollups;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::audit;
use crate::batch::UsageBatch;
use crate::blocks::{self, USAGE};
use crate::disk::Disk;
use crate::engine::{Durability, ExportVisit, Order, RollupVisit, Store, Table, Visit, Write};
use crate::error::StoreError;
use crate::ledger;
use crate::mark::{Mark, Note, Noted, Progress, Reached};
use crate::memory::{check, exported, prefixed};
use crate::migrate::{FORMAT, IDENTITY, NOTED_SINCE, migrate};
use crate::rollups::{STEP, Waiting};
use crate::space;
use opening::{check_files, classify, newer, open_tree, read_number, touched, untouched};
use rollups::{ROLLUPS, Rollups};

/// Counts the commits, in the table `Meta`.
const COMMITS: &[u8] = b"store/commits";

/// Added to the engine's own numbers, in the table `Meta`: in a restored store those begin anew.
const BASE: &[u8] = b"store/sequence-base";
/// How often the disk is waited for where a power failure may take the last commits: what is missing after one and is older
/// than that was not taken by it.
const SYNC_EVERY: Duration = Duration::from_secs(60);
/// Changes a commit when many are made at once.
const CHUNK: usize = 4 << 20;

/// A store in a folder.
pub struct DiskStore {
    path: PathBuf,
    tree: sled::Db,
    durability: Durability,
    /// For power-loss safety.
    disk: Disk,
    progress: Progress,
    /// How far the disk has it, and since when.
    on_disk: Mutex<(Reached, Instant)>,
    sync_every: Duration,
    /// The lock makes counting and committing one step.
    state: Mutex<State>,
    rollups: Option<Rollups>,
    /// Bytes that a step of a fold writes.
    step: usize,
    /// Bytes to leave free on the disk.
    reserve: u64,
    /// See [`BASE`].
    base: u64,
}

struct State {
    /// How many commits there have been.
    commits: u64,
    /// Number of the last record of the ledger.
    ledger: u64,
    /// Number of the last entry of the audit log.
    audit: u64,
    /// Sums that are in no page.
    waiting: Waiting,
}

impl std::fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl DiskStore {
    /// Whether there is a store in `path`, or most of one.
    #[must_use]
    pub fn is_there(path: &Path) -> bool {
        path.join("db").exists() || !matches!(Mark::read(path), Ok(None))
    }

    /// Opens the store in `path`, or makes one in a new or empty folder.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] rather than beginning empty where there was a store; [`StoreError::Newer`];
    /// [`StoreError::InUse`].
    pub fn open(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        std::fs::create_dir_all(path)?;
        let mark = Mark::read(path).map_err(|reason| untouched(path, &reason))?;
        if let Some(mark) = &mark
            && mark.format > FORMAT
        {
            return Err(newer(path, mark.format));
        }
        let to_be_noted = mark.as_ref().is_some_and(|mark| mark.format >= NOTED_SINCE);
        let noted = read_note(path, to_be_noted)?;
        match path.join("db").exists() {
            true => check_files(path, noted.map_or(0, |noted| noted.promised().log))?,
            false if mark.is_some() => {
                return Err(untouched(path, "its data file `db` is missing"));
            }
            false => {}
        }
        let tree = open_tree(path)?;
        let damaged = |reason: &str| touched(path, reason);
        let progress = Progress::open(path)?;
        let disk = Disk::open(path)?;
        let number = |key| read_number(&tree, key).map_err(|error| classify(path, error));
        let (commits, base) = (number(COMMITS)?, number(BASE)?);
        // Both are numbered without gaps: the last key is how far they got.
        let last = |table: Table| {
            let last = tree.scan_prefix([table as u8]).next_back();
            match last.transpose().map_err(|error| classify(path, error))? {
                Some((key, _)) => ledger::sequence(&key[1..]),
                None => Ok(0),
            }
        };
        let (ledger, audit) = (last(Table::Ledger)?, last(Table::Audit)?);
        let store = Self {
            path: path.to_owned(),
            tree,
            durability,
            disk,
            progress,
            on_disk: Mutex::new((noted.unwrap_or_default().on_disk, Instant::now())),
            sync_every: SYNC_EVERY,
            state: Mutex::new(State {
                commits,
                ledger,
                audit,
                waiting: Waiting::default(),
            }),
            rollups: None,
            step: STEP,
            reserve: space::RESERVE,
            base,
        };
        let identity: Option<Mark> = match store.get(Table::Meta, IDENTITY)? {
            Some(bytes) => Some(
                serde_json::from_slice(&bytes)
                    .map_err(|_| damaged("its identity cannot be read"))?,
            ),
            None => None,
        };
        let marked = mark.clone();
        let identity = match (mark, identity) {
            (_, Some(identity)) if identity.format > FORMAT => {
                return Err(newer(path, identity.format));
            }
            // An older mark: killed between a migration and its mark.
            (Some(mark), Some(identity))
                if mark.id == identity.id && mark.format <= identity.format =>
            {
                identity
            }
            // Killed between the first commit and the mark.
            (None, Some(identity)) => identity,
            (None, None) if store.tree.is_empty() => store.found()?,
            (None, None) => return Err(damaged("it has content but no identity")),
            (Some(_), Some(_)) => {
                return Err(damaged("its files belong to different stores"));
            }
            (Some(_), None) => return Err(damaged("its content is gone")),
        };
        if let Some(noted) = noted
            && noted.reached.commits > commits
        {
            let (lost, all) = (noted.reached.commits - commits, noted.reached.commits);
            let lost = format!("the last {lost} of {all} commits are missing");
            if noted.promised().commits > commits {
                return Err(damaged(&lost));
            }
            // Only a power failure may take some, and only those that the disk did not have.
            tracing::error!(
                store = %path.display(),
                "{lost}: a power failure took them, as `durable` says `process`"
            );
        }
        let identity = migrate(&store.tree, identity)?;
        store.flush()?;
        if marked.as_ref() != Some(&identity) {
            // Where there is a mark there is a note.
            store.progress.sync()?;
            identity.write(path)?;
        }
        Ok(store)
    }

    /// Leaves so many bytes of the disk free (default 32 MiB): what would need them fails with [`StoreError::Full`].
    #[must_use]
    pub fn with_reserve(mut self, bytes: u64) -> Self {
        self.reserve = bytes;
        self
    }

    /// Lets a step of a fold write so many bytes (default 1 MiB); see [`Store::fold_rollups`].
    #[must_use]
    pub fn with_fold_step(mut self, bytes: usize) -> Self {
        self.step = bytes.max(1);
        self
    }

    /// Fills a new store with the pairs of a backup of this format. The identity stays its own.
    pub(crate) fn import(
        &self,
        format: u64,
        pairs: impl Iterator<Item = std::io::Result<(Vec<u8>, Vec<u8>)>>,
    ) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        let (mut size, mut sequence) = (0, 0);
        for pair in pairs {
            let (key, value) = pair?;
            if key.first() == Some(&USAGE) {
                sequence = sequence.max(blocks::sequence(&key)?);
            }
            size += key.len() + value.len();
            batch.insert(key, value);
            if size >= CHUNK {
                self.commit(std::mem::take(&mut batch), &mut self.state.lock())?;
                size = 0;
            }
        }
        let base = (sequence + 1).to_be_bytes();
        batch.insert(prefixed(Table::Meta, BASE), &base);
        self.commit(batch, &mut self.state.lock())?;
        // The next opening migrates it.
        let found = self.get(Table::Meta, IDENTITY)?.unwrap_or_default();
        let mut identity: Mark = serde_json::from_slice(&found).map_err(std::io::Error::from)?;
        identity.format = format;
        let bytes = serde_json::to_vec(&identity).map_err(std::io::Error::from)?;
        self.put(Table::Meta, IDENTITY, &bytes)?;
        Ok(identity.write(&self.path)?)
    }

    /// A number that no earlier block of this store has.
    fn sequence(&self) -> Result<u64, StoreError> {
        let number = self.tree.generate_id();
        Ok(self.base + number.map_err(|error| self.classify(error))?)
    }

    /// Makes a new store: its identity first inside, then outside.
    fn found(&self) -> Result<Mark, StoreError> {
        let id = format!(
            "{:016x}",
            self.tree
                .generate_id()
                .map_err(|error| self.classify(error))?
        );
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let mark = Mark {
            format: FORMAT,
            id: format!("{:x}-{id}", now.map_or(0, |since| since.as_nanos())),
        };
        let bytes = serde_json::to_vec(&mark).map_err(std::io::Error::from)?;
        self.put(Table::Meta, IDENTITY, &bytes)?;
        Ok(mark)
    }

    /// Writes a batch as the next commit.
    fn commit(&self, mut batch: sled::Batch, state: &mut State) -> Result<(), StoreError> {
        let next = state.commits + 1;
        batch.insert(prefixed(Table::Meta, COMMITS), &next.to_be_bytes());
        self.tree
            .apply_batch(batch)
            .map_err(|error| self.classify(error))?;
        state.commits = next;
        Ok(())
    }

    /// The engine's log is in the file up to here.
    fn log_end(&self) -> u64 {
        let last = self.tree.context.pagecache.log.stable_offset();
        u64::try_from(last + 1).unwrap_or(0)
    }

    fn check_space(&self, needed: usize) -> Result<(), StoreError> {
        space::check(&self.path, needed as u64, self.reserve)
    }

    fn classify(&self, error: sled::Error) -> StoreError {
        classify(&self.path, error)
    }
}

impl Store for DiskStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self
            .tree
            .get(prefixed(table, key))
            .map_err(|error| self.classify(error))?;
        Ok(found.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        table: Table,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        for pair in self.tree.scan_prefix([table as u8]) {
            let (key, value) = pair.map_err(|error| self.classify(error))?;
            if visit(&key[1..], &value) == Visit::Stop {
                break;
            }
        }
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
        let mut found = self.tree.range(prefixed(table, from)..prefixed(table, to));
        loop {
            let next = match order {
                Order::OldestFirst => found.next(),
                Order::NewestFirst => found.next_back(),
            };
            let Some(pair) = next else { return Ok(()) };
            let (key, value) = pair.map_err(|error| self.classify(error))?;
            if visit(&key[1..], &value) == Visit::Stop {
                return Ok(());
            }
        }
    }

    fn apply(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.append_ledger(&[], writes).map(|_| ())
    }

    fn append_ledger(
        &self,
        records: &[Vec<u8>],
        writes: &[Write],
    ) -> Result<Range<u64>, StoreError> {
        check(writes)?;
        let values = writes.iter().filter_map(|write| write.value.as_ref());
        self.check_space(records.iter().chain(values).map(Vec::len).sum())?;
        let mut batch = sled::Batch::default();
        for write in writes {
            let key = prefixed(write.table, &write.key);
            match &write.value {
                Some(value) => batch.insert(key, value.as_slice()),
                None => batch.remove(key),
            }
        }
        let added = {
            let mut state = self.state.lock();
            let audit = audit::last_after(state.audit, writes)?;
            let first = state.ledger + 1;
            let next = add_to_ledger(&mut batch, first, records.iter().map(Vec::as_slice));
            self.commit(batch, &mut state)?;
            (state.ledger, state.audit) = (next - 1, audit);
            first..next
        };
        // Once more, as it may have been no more than a want of descriptors. Whatever comes of it, the engine has the commit.
        match self.flush().or_else(|_| self.flush()) {
            Ok(()) => Ok(added),
            Err(error) => Err(StoreError::Unflushed {
                source: Box::new(error),
            }),
        }
    }

    fn append_usage(&self, rows: &UsageBatch) -> Result<(), StoreError> {
        self.check_space(rows.size())?;
        let mut batch = sled::Batch::default();
        // From here on: numbers of blocks and of the commit belong to it.
        let mut state = self.state.lock();
        let blocks = blocks::encode(rows, || self.sequence())?;
        if self.rollups.is_some() {
            let (key, note) = state.waiting.note(blocks.iter().map(|(key, _)| key));
            batch.insert(key, note);
        } else {
            // Roll-ups that lack these rows are no roll-ups: the next opening with a fold makes them anew.
            batch.remove(prefixed(Table::Meta, ROLLUPS));
        }
        for (key, block) in blocks {
            batch.insert(&key, block);
        }
        let next = add_to_ledger(&mut batch, state.ledger + 1, rows.ledger());
        self.commit(batch, &mut state)?;
        state.ledger = next - 1;
        if let Some(rollups) = &self.rollups {
            rollups.committed(&mut state.waiting, rows);
        }
        Ok(())
    }

    fn scan_rollups(
        &self,
        from: &[u8],
        to: &[u8],
        visit: &mut RollupVisit<'_>,
    ) -> Result<(), StoreError> {
        self.visit_rollups((from, to), visit)
    }

    fn fold_rollups(&self, pending: usize) -> Result<bool, StoreError> {
        self.fold_step(pending)
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
        let found = self.tree.range(first..=last);
        let told = |pair: sled::Result<_>| pair.map_err(|error| self.classify(error));
        match order {
            Order::OldestFirst => blocks::visit(found.map(told), &range, order, visit),
            Order::NewestFirst => blocks::visit(found.rev().map(told), &range, order, visit),
        }
    }

    fn flush(&self) -> Result<(), StoreError> {
        let commits = self.state.lock().commits;
        self.tree.flush().map_err(|error| self.classify(error))?;
        let reached = Reached {
            commits,
            log: self.log_end(),
        };
        let due = self.on_disk.lock().1.elapsed() >= self.sync_every;
        if self.durability == Durability::PowerLoss || due {
            self.disk.sync()?;
            *self.on_disk.lock() = (reached, Instant::now());
        }
        let on_disk = self.on_disk.lock().0;
        Ok(self.progress.note(reached, on_disk)?)
    }

    fn export(&self, visit: &mut ExportVisit<'_>) -> Result<(), StoreError> {
        // Records change, so commits wait while they are read (0.5 µs each). Rows, ledger and audit log only grow: what is
        // newer than this moment is told by its number, and they are read while commits go on.
        //
        // So are kept turns, which may be gigabytes: read under the lock they stopped all commits of rows for as long. Each
        // is sealed and has all that its answer needs (the whole conversation before it), so none has to be of the moment of
        // another. Only a conversation names a turn, its last: one that is not in the backup is to whoever goes on with it
        // what a deleted one is. One that is added or deleted meanwhile may or may not be in it; one of an account that is
        // newer than the moment is nobody's, until it expires.
        let (sequence, numbered) = {
            let state = self.state.lock();
            let numbered = [(Table::Ledger, state.ledger), (Table::Audit, state.audit)];
            let moment = (self.sequence()?, numbered);
            let others = [Table::Rollups, Table::Ledger, Table::Audit, Table::Turns];
            let others = others.map(|table| table as u8);
            for table in (0..USAGE).filter(|table| !others.contains(table)) {
                for pair in self.tree.scan_prefix([table]) {
                    let (key, value) = pair.map_err(|error| self.classify(error))?;
                    if exported(&key) {
                        visit(&key, &value)?;
                    }
                }
            }
            moment
        };
        for (table, last) in numbered {
            for pair in self.tree.scan_prefix([table as u8]) {
                let (key, value) = pair.map_err(|error| self.classify(error))?;
                if ledger::sequence(&key[1..])? > last {
                    break;
                }
                visit(&key, &value)?;
            }
        }
        for pair in self.tree.scan_prefix([Table::Turns as u8]) {
            let (key, value) = pair.map_err(|error| self.classify(error))?;
            visit(&key, &value)?;
        }
        for pair in self.tree.scan_prefix([USAGE]) {
            let (key, value) = pair.map_err(|error| self.classify(error))?;
            if blocks::sequence(&key)? < sequence {
                visit(&key, &value)?;
            }
        }
        Ok(())
    }
}

/// What is noted of the store in `path`, where something must be or need not.
fn read_note(path: &Path, must: bool) -> Result<Option<Noted>, StoreError> {
    let wrong = match Progress::read(path)? {
        Note::Is(noted) => return Ok(Some(noted)),
        // Killed before the mark was written, or of a version that noted nothing.
        _ if !must => return Ok(None),
        Note::Empty => {
            tracing::warn!(
                store = %path.display(),
                "`{}` is empty: whether the last commits are there is not known",
                Progress::NAME
            );
            return Ok(None);
        }
        Note::Missing => "is missing",
        Note::Damaged => "cannot be read",
    };
    let what = format!(
        "`{}` {wrong}, which tells whether the last commits are there (put it back, or make it an empty file to say that it is lost)",
        Progress::NAME
    );
    Err(untouched(path, &what))
}

/// Returns the number of the record after the last.
fn add_to_ledger<'a>(
    batch: &mut sled::Batch,
    first: u64,
    records: impl Iterator<Item = &'a [u8]>,
) -> u64 {
    let mut next = first;
    for record in records {
        batch.insert(prefixed(Table::Ledger, &ledger::key(next)), record);
        next += 1;
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::{Call, fail, seen};

    #[test]
    fn a_flush_waits_for_the_disk_where_a_power_loss_is_to_be_outlived_and_only_there() {
        for (durability, waits) in [(Durability::PowerLoss, true), (Durability::Process, false)] {
            let folder = tempfile::tempdir().unwrap();
            let store = DiskStore::open(folder.path(), durability).unwrap();
            let syncs = || {
                let log = (Call::Synced, "db".to_owned());
                seen(folder.path())
                    .iter()
                    .filter(|call| **call == log)
                    .count()
            };
            let before = syncs();
            store.put(Table::Accounts, b"a", b"b").unwrap();
            store.flush().unwrap();
            let waited = syncs() > before;
            assert_eq!(waited, waits, "{durability:?}");
        }
    }

    #[test]
    fn what_the_disk_has_not_confirmed_is_told_apart_from_what_failed_and_is_there_after_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let open = || DiskStore::open(folder.path(), Durability::PowerLoss).unwrap();
        let store = open();
        let write = |key: &[u8]| Write {
            table: Table::Accounts,
            key: key.to_vec(),
            value: Some(b"1".to_vec()),
        };
        // It is tried twice: whoever asked hears of what stays.
        fail(folder.path(), 1);
        store.apply(&[write(b"a")]).unwrap();
        for (key, records) in [(b"b", vec![]), (b"c", vec![b"record".to_vec()])] {
            fail(folder.path(), 2);
            let error = store.append_ledger(&records, &[write(key)]).unwrap_err();
            assert!(error.is_made() && !error.is_refusal(), "{error}");
            let told = error.to_string();
            assert!(told.contains("does not answer") && told.contains("in force"));
        }
        let there = |store: &DiskStore| {
            let keys: [&[u8]; 3] = [b"a", b"b", b"c"];
            keys.map(|key| store.get(Table::Accounts, key).unwrap().is_some())
        };
        assert_eq!(there(&store), [true; 3]);
        store.flush().unwrap();
        drop(store);
        let store = open();
        assert_eq!(there(&store), [true; 3]);
        assert_eq!(store.append_ledger(&[vec![1]], &[]).unwrap(), 2..3);
    }

    #[test]
    fn what_the_disk_must_have_had_is_missed_after_a_power_failure_also_where_the_last_minute_may_be_lost()
     {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(DiskStore::open(&path, Durability::Process).unwrap());
        let noted = || match Progress::read(&path).unwrap() {
            Note::Is(noted) => noted,
            other => panic!("{other:?}"),
        };
        let mut store = DiskStore::open(&path, Durability::Process).unwrap();
        store.put(Table::Accounts, b"a", b"1").unwrap();
        assert!(noted().on_disk.commits < noted().reached.commits);
        store.sync_every = Duration::ZERO;
        store.put(Table::Accounts, b"b", b"2").unwrap();
        assert_eq!(noted().on_disk, noted().reached);
        store.sync_every = SYNC_EVERY;
        store.put(Table::Accounts, b"c", b"3").unwrap();
        let noted = noted();
        assert_eq!(noted.on_disk.commits + 1, noted.reached.commits);
        drop(store);
        // Another note with the same store: the machine was started anew, and the disk had more than there is.
        let progress = Progress::open(&path).unwrap().of_another_boot();
        let more = Reached {
            commits: noted.reached.commits + 1,
            log: noted.reached.log + 100,
        };
        progress.note(more, noted.on_disk).unwrap();
        drop(DiskStore::open(&path, Durability::Process).unwrap());
        progress.note(more, more).unwrap();
        let refused = DiskStore::open(&path, Durability::Process).map(drop);
        assert!(matches!(refused, Err(StoreError::Damaged { .. })));
    }
}
