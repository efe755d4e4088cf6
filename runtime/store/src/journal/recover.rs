//! The start after a process that may have been killed: what the journal holds becomes rows, each once.
//!
//! That nothing is counted twice rests on two looks: a later record of a request replaces an earlier one, and a request
//! whose row the store has already (the process died between the commit and the end of the segment, or only the hold's
//! segment is left) is passed over. The looks go by request id and time of admission.
//!
//! Ledger records are checked against the books before they are added, so that a start never makes a store that the next
//! one refuses.

use std::collections::HashMap;
use std::collections::hash_map;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use tollgate_governance::{Entry, Ledger, LedgerError, UsageDecodeError, UsageRow};
use uuid::Uuid;

use super::JournalOptions;
use super::frame::{self, Kind};
use super::pool::Pool;
use super::segment::{self, FIRST, SUFFIX};
use crate::batch::UsageBatch;
use crate::calls;
use crate::engine::{Durability, Order, Store, Table, Visit};
use crate::error::StoreError;
use crate::ledger;
use crate::mark::boot_id;

/// In the table `Meta` while there are segments: a journal that is gone is missed.
const OPEN: &[u8] = b"store/journal";
/// A file that says: I know that the journal is lost.
const ABANDONED: &str = "abandoned";
/// Bytes of rows a commit: a start that is interrupted goes on where it was.
const CHUNK: usize = 1 << 20;
/// Requests admitted within this time of each other are looked up with one scan.
const NEAR_MS: u64 = 10_000;

/// What a start found in the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segments read.
    pub segments: u64,
    /// Records in them.
    pub records: u64,
    /// Final rows added that the store did not have.
    pub rows_added: u64,
    /// Rows added for requests that were open: as their last hold or checkpoint says.
    pub holds_resolved: u64,
    /// Requests whose row the store had already.
    pub already_stored: u64,
    /// Charges that are made to other credit than was held for them, or to the treasury: the credit was given back and
    /// spent by others, and the record of that is lost.
    pub charges_refitted: u64,
    /// Places where records are gone that the disk never had: a lost disk cache. Not those of a killed process.
    pub lost_in_power_failure: u64,
}

impl std::fmt::Display for Recovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} records in {} segments: {} rows added, {} open requests resolved, {} already stored",
            self.records, self.segments, self.rows_added, self.holds_resolved, self.already_stored
        )?;
        match self.lost_in_power_failure {
            0 => Ok(()),
            places => write!(f, "; records lost by a power failure in {places} places"),
        }
    }
}

/// The last word about a request.
struct Last {
    kind: Kind,
    number: u64,
    row: Vec<u8>,
    ledger: Vec<u8>,
}

type Requests = HashMap<(u64, Uuid), Last>;

pub(super) fn open(
    folder: &Path,
    store: &dyn Store,
    options: JournalOptions,
) -> Result<(Pool, Recovery), StoreError> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    let (files, next_file) = files(folder)?;
    let was_open = store.get(Table::Meta, OPEN)?.is_some();
    if was_open && files.is_empty() && !folder.join(ABANDONED).exists() {
        return Err(StoreError::Journal {
            path: folder.to_owned(),
            reason: format!(
                "its files are gone (put them back, or make a file `{ABANDONED}` there to say that they are lost)"
            ),
        });
    }
    let boot = boot_id();
    let mut recovery = Recovery::default();
    let mut requests = Requests::new();
    let mut next_number = 1;
    for path in &files {
        let number =
            read(path, &boot, &mut requests, &mut recovery).map_err(|error| match error {
                ReadError::Io(error) => StoreError::Io(error),
                ReadError::Damaged(reason) => StoreError::Journal {
                    path: path.clone(),
                    reason,
                },
            })?;
        next_number = next_number.max(number + 1);
    }
    pass_over_stored(store, &mut requests, &mut recovery)?;
    add(store, requests, &mut recovery)?;

    let durable = options.durability == Durability::PowerLoss;
    let pool = Pool::new(folder.to_owned(), options, boot, next_number, next_file);
    // One new file before the old ones go: the folder is never empty while the store says that it is in use.
    pool.replenish();
    if !was_open && pool.files() > 0 {
        store.put(Table::Meta, OPEN, &[1])?;
    }
    if pool.files() == 0 && was_open {
        // No room for a new segment. The old ones are empty now in meaning; the start must not fail for it.
        store.delete(Table::Meta, OPEN)?;
    }
    for path in &files {
        calls::remove(path)?;
    }
    if folder.join(ABANDONED).exists() {
        fs::remove_file(folder.join(ABANDONED))?;
    }
    if durable {
        calls::sync_folder(folder)?;
    }
    Ok((pool, recovery))
}

/// Nothing is left in the journal: the store need not miss it.
pub(super) fn close(store: &dyn Store, pool: &Pool) -> Result<(), StoreError> {
    store.delete(Table::Meta, OPEN)?;
    Ok(pool.clear()?)
}

/// The segment files in order, and the name of the next.
fn files(folder: &Path) -> Result<(Vec<PathBuf>, u64), StoreError> {
    let mut files = Vec::new();
    let mut next = 1;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.extension().and_then(OsStr::to_str) {
            Some(SUFFIX) => {
                let stem = path.file_stem().and_then(OsStr::to_str);
                let number: u64 = stem.and_then(|stem| stem.parse().ok()).unwrap_or(0);
                next = next.max(number + 1);
                files.push(path);
            }
            // A segment that was being made.
            Some("new") => fs::remove_file(&path)?,
            _ => {}
        }
    }
    files.sort();
    Ok((files, next))
}

enum ReadError {
    Io(std::io::Error),
    Damaged(String),
}

/// Reads a segment. Returns its number.
fn read(
    path: &Path,
    boot: &[u8; 16],
    requests: &mut Requests,
    recovery: &mut Recovery,
) -> Result<u64, ReadError> {
    let bytes = fs::read(path).map_err(ReadError::Io)?;
    let head = segment::read_head(&bytes).map_err(ReadError::Damaged)?;
    // What the disk never had may be missing in the middle, but only after the machine went down.
    let same_boot = head.boot == *boot && *boot != [0; 16];
    recovery.segments += 1;
    let mut at = FIRST as usize;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        if let Some(frame) = frame::read(rest, head.number) {
            at += frame.length;
            recovery.records += 1;
            note(requests, &frame);
            continue;
        }
        // The end, or a record that was not written whole; unless there are records behind it.
        let behind = (at + 8..bytes.len())
            .step_by(8)
            .find(|place| frame::read(&bytes[*place..], head.number).is_some());
        let Some(behind) = behind else {
            if (at as u64) < head.synced {
                return Err(ReadError::Damaged(format!(
                    "the records from byte {at} to {} cannot be read, which the disk had",
                    head.synced
                )));
            }
            return Ok(head.number);
        };
        if same_boot || (at as u64) < head.synced {
            return Err(ReadError::Damaged(format!(
                "the bytes from {at} to {behind} cannot be read"
            )));
        }
        recovery.lost_in_power_failure += 1;
        at = behind;
    }
}

/// Remembers the later of two records of a request; a final one is the last word.
fn note(requests: &mut Requests, frame: &frame::Frame<'_>) {
    let last = || Last {
        kind: frame.kind,
        number: frame.number,
        row: frame.row.to_vec(),
        ledger: frame.ledger.to_vec(),
    };
    match requests.entry((frame.admitted_ms, frame.request)) {
        hash_map::Entry::Vacant(entry) => {
            entry.insert(last());
        }
        hash_map::Entry::Occupied(mut entry) => {
            let rank = |kind, number| (kind == Kind::Final, number);
            let known = entry.get();
            if rank(frame.kind, frame.number) > rank(known.kind, known.number) {
                entry.insert(last());
            }
        }
    }
}

/// Forgets the requests whose row is in the store. A damaged row is nobody's: should it be that of a request here, the one
/// that is added is the only one that can be read, and the ledger takes no charge twice.
fn pass_over_stored(
    store: &dyn Store,
    requests: &mut Requests,
    recovery: &mut Recovery,
) -> Result<(), StoreError> {
    let mut times: Vec<u64> = requests.keys().map(|(admitted, _)| *admitted).collect();
    times.sort_unstable();
    for near in times.chunk_by(|a, b| b - a <= NEAR_MS) {
        let (Some(first), Some(last)) = (near.first(), near.last()) else {
            continue;
        };
        let mut failed = None;
        let range = *first..last.saturating_add(1);
        store.scan_usage(
            range,
            Order::OldestFirst,
            &mut |admitted, bytes| match UsageRow::decode(bytes) {
                Ok(row) => {
                    if requests.remove(&(admitted, row.request)).is_some() {
                        recovery.already_stored += 1;
                    }
                    Visit::Continue
                }
                Err(UsageDecodeError::Damaged) => Visit::Continue,
                Err(error) => {
                    failed = Some(error);
                    Visit::Stop
                }
            },
        )?;
        if let Some(error) = failed {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Adds the rows that are missing: of requests that ended first, because their ledger records fit what the store has
/// just as they are, and those of open requests have to do with what is left.
fn add(store: &dyn Store, requests: Requests, recovery: &mut Recovery) -> Result<(), StoreError> {
    let mut missing: Vec<_> = requests.into_iter().collect();
    missing.sort_unstable_by_key(|((admitted, request), last)| {
        (last.kind == Kind::Hold, *admitted, *request)
    });
    let mut books = Books {
        store,
        ledger: None,
    };
    // All of them before the first is added: a start that is refused changes nothing.
    for ((_, request), last) in &mut missing {
        last.ledger = books.record(*request, &last.ledger, recovery)?;
    }
    let mut batch = UsageBatch::default();
    for ((admitted, _), last) in missing {
        batch.push_bytes(admitted, &last.row, &last.ledger);
        match last.kind {
            Kind::Final => recovery.rows_added += 1,
            Kind::Hold => recovery.holds_resolved += 1,
        }
        if batch.size() >= CHUNK {
            store.append_usage(&batch)?;
            batch.clear();
        }
    }
    if !batch.is_empty() {
        store.append_usage(&batch)?;
    }
    if recovery.rows_added + recovery.holds_resolved > 0 {
        store.flush()?;
    }
    Ok(())
}

/// The ledger as of the rows added so far; loaded when it is needed.
struct Books<'a> {
    store: &'a dyn Store,
    ledger: Option<Ledger>,
}

impl Books<'_> {
    /// What the ledger gets with the row of `request`, whose journal record says `journaled`.
    fn record(
        &mut self,
        request: Uuid,
        journaled: &[u8],
        recovery: &mut Recovery,
    ) -> Result<Vec<u8>, StoreError> {
        if journaled.is_empty() {
            return Ok(Vec::new());
        }
        let wrong = |error: LedgerError| StoreError::JournaledEntry {
            request,
            reason: error.to_string(),
        };
        let entry = Entry::decode(journaled).map_err(wrong)?;
        let ledger = match &mut self.ledger {
            Some(ledger) => ledger,
            none => none.insert(ledger::load(self.store)?),
        };
        let mut record = Vec::new();
        match ledger.recover(&entry) {
            Ok(Some(fitting)) => {
                recovery.charges_refitted += u64::from(fitting != entry);
                fitting.encode(&mut record);
            }
            Ok(None) => {}
            Err(error @ LedgerError::Conflict { .. }) => {
                tracing::error!(%request, %error, "a request was charged otherwise; its row is added without a charge");
            }
            Err(error) => return Err(wrong(error)),
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;

    fn row(request: u128) -> UsageRow<'static> {
        UsageRow {
            request: Uuid::from_u128(request),
            admitted_ms: 1_000,
            ..UsageRow::default()
        }
    }

    fn frame(kind: Kind, number: u64) -> frame::Frame<'static> {
        frame::Frame {
            kind,
            number,
            request: Uuid::from_u128(1),
            admitted_ms: 1_000,
            row: b"row",
            ledger: &[],
            length: 0,
        }
    }

    #[test]
    fn a_final_row_is_the_last_word_whichever_worker_wrote_it_and_wherever_it_is_read() {
        let (held, ended) = (frame(Kind::Hold, 9), frame(Kind::Final, 2));
        for order in [[&held, &ended], [&ended, &held]] {
            let mut requests = Requests::new();
            order.iter().for_each(|frame| note(&mut requests, frame));
            let kinds: Vec<_> = requests.values().map(|last| last.kind).collect();
            assert_eq!(kinds, [Kind::Final]);
        }
    }

    #[test]
    fn a_damaged_row_in_the_store_stops_no_replay_and_a_newer_one_does() {
        let store = MemoryStore::default();
        let mut requests = Requests::new();
        note(&mut requests, &frame(Kind::Final, 1));
        let mut batch = UsageBatch::default();
        batch.push_bytes(1_000, b"", &[]);
        store.append_usage(&batch).unwrap();
        let mut recovery = Recovery::default();
        pass_over_stored(&store, &mut requests, &mut recovery).unwrap();
        assert_eq!((requests.len(), recovery.already_stored), (1, 0));
        // Those beside it are found.
        batch.push(&row(1));
        store.append_usage(&batch).unwrap();
        pass_over_stored(&store, &mut requests, &mut recovery).unwrap();
        assert_eq!((requests.len(), recovery.already_stored), (0, 1));
        batch.clear();
        batch.push_bytes(1_000, &[200; 100], &[]);
        store.append_usage(&batch).unwrap();
        note(&mut requests, &frame(Kind::Final, 1));
        let refused = pass_over_stored(&store, &mut requests, &mut recovery);
        assert!(matches!(refused, Err(StoreError::Usage(_))));
    }
}
