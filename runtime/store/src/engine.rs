//! The trait that every engine implements, and the shapes it speaks.

use std::ops::Range;

use crate::batch::UsageBatch;
use crate::error::StoreError;

/// What a commit survives.
///
/// Measured on two busy cores with ext4 on a virtual disk that took milliseconds for an `fdatasync`
/// (`examples/journal_rate.rs`, `examples/commit_cost.rs`):
///
/// | | `PowerLoss` | `Process` |
/// |---|---|---|
/// | record of the journal, to the worker (p50) | 1.1 µs | 1.1 µs |
/// | processor time a row, all threads, 10,000 rows a second | 4.3 µs | 4.6 µs |
/// | group commit of 100 rows, on the writer thread (p50) | 3.4 ms | 0.3 ms |
/// | change of a record, e.g. of an account | as a group commit | as a group commit |
///
/// So safety from a power failure costs a worker nothing; it costs the writer thread the disk's own time for an
/// `fdatasync`. Where the disk of a virtual machine answers at once there is hardly a difference
/// (`docs/bench.md`), and what outlives a power failure is then up to the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A killed process, and a lost disk cache: each group commit ends with `fdatasync` of journal and engine (the
    /// engine's own flush only hands pages to the kernel). A power failure costs at most the rows of the last interval.
    #[default]
    PowerLoss,
    /// A killed process. After a power failure the last seconds may be missing, never more than what came since the last
    /// commit of a minute before: the disk is waited for once a minute.
    Process,
}

/// The tables of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Table {
    /// Facts about the store itself and whatever exists once. Keys that begin with `store` are the engine's own.
    Meta = 1,
    /// Accounts by id.
    Accounts = 2,
    /// Keys by id.
    Keys = 3,
    /// Upstreams by name.
    Upstreams = 4,
    /// Policy attachments by id.
    Attachments = 5,
    /// Sealed credentials by name.
    Credentials = 6,
    /// Roll-ups of usage rows; see [`UsageRollups`](crate::UsageRollups). Read only, and in a layout of their own:
    /// [`Store::scan_rollups`] reads them.
    Rollups = 7,
    /// The ledger's records by their number; see [`ledger`](crate::ledger). Read only; [`Store::append_ledger`] adds.
    Ledger = 8,
    /// Kept turns by id, sealed.
    Turns = 9,
    /// Entries of the audit log by their number; see [`audit`](crate::audit). A store that has none never had an act
    /// written down. Grows only: a write adds the entry after the last or is refused.
    Audit = 10,
    /// Management tokens that are bound to accounts, by id.
    Tokens = 11,
}

/// One change of a record. No value removes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// In which table.
    pub table: Table,
    /// Under which key.
    pub key: Vec<u8>,
    /// The new value.
    pub value: Option<Vec<u8>>,
}

/// Whether a scan goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// Show me the next.
    Continue,
    /// That is enough.
    Stop,
}

/// In which order usage rows are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By time of admission, ascending.
    OldestFirst,
    /// By time of admission, descending.
    NewestFirst,
}

/// Is shown the pairs of an export: key and value.
pub type ExportVisit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'a;

/// Is shown the groups of roll-ups: key and sums. An error that it returns as [`StoreError::Rollups`] marks them as
/// damaged.
pub type RollupVisit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<Visit, StoreError> + 'a;

/// What must outlive the process. Every method fails when the engine fails or finds itself damaged.
pub trait Store: Send + Sync {
    /// The value under `key`.
    ///
    /// # Errors
    /// See [`Store`].
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits a table in the order of its keys.
    ///
    /// # Errors
    /// See [`Store`].
    fn scan(
        &self,
        table: Table,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError>;

    /// Visits the records of a table with keys from `from` up to, not including, `to`.
    ///
    /// # Errors
    /// See [`Store`].
    fn scan_range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError>;

    /// Makes all changes or none, durable on return.
    ///
    /// # Errors
    /// See [`Store`]; [`StoreError::Protected`] for a table that is read only; [`StoreError::NotNext`].
    /// [`StoreError::Unflushed`] when all is made and only the last step failed.
    fn apply(&self, writes: &[Write]) -> Result<(), StoreError>;

    /// Appends records to the ledger and makes changes, all or none, durable on return. Returns the new records'
    /// numbers: one after the other, from 1, in the order of commits.
    ///
    /// # Errors
    /// See [`Store::apply`].
    fn append_ledger(
        &self,
        records: &[Vec<u8>],
        writes: &[Write],
    ) -> Result<Range<u64>, StoreError>;

    /// Appends usage rows, what they add to the roll-ups, and the ledger records that come with them: all or none.
    /// They are durable after the next [`Store::flush`].
    ///
    /// # Errors
    /// See [`Store`].
    fn append_usage(&self, rows: &UsageBatch) -> Result<(), StoreError>;

    /// Visits the usage rows admitted in `range` (Unix milliseconds) with their time of admission.
    ///
    /// # Errors
    /// See [`Store`].
    fn scan_usage(
        &self,
        range: Range<u64>,
        order: Order,
        visit: &mut dyn FnMut(u64, &[u8]) -> Visit,
    ) -> Result<(), StoreError>;

    /// Visits the groups of the roll-ups with keys from `from` up to, not including, `to`, as of one moment: the
    /// sums are those of all rows that were appended before. Those of one key come in several pieces that add up, in
    /// no order. Keys and sums are as [`RollupKey`](tollgate_governance::RollupKey) and
    /// [`Sums`](tollgate_governance::Sums) encode them. `visit` must not call this in turn.
    ///
    /// # Errors
    /// See [`Store`]; [`StoreError::NoRollups`], [`StoreError::Rollups`], and whatever `visit` returns.
    fn scan_rollups(
        &self,
        from: &[u8],
        to: &[u8],
        visit: &mut RollupVisit<'_>,
    ) -> Result<(), StoreError>;

    /// Brings sums that wait in memory to the stored roll-ups, which changes nothing that is read: one step of some
    /// milliseconds, if a fold is under way or at least `pending` groups wait for one (or four times as many rows:
    /// after a kill they are read again). Says whether there is more to do. A kill at any moment loses nothing.
    ///
    /// # Errors
    /// See [`Store`]; [`StoreError::Rollups`]. Nothing was changed then.
    fn fold_rollups(&self, pending: usize) -> Result<bool, StoreError>;

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// See [`Store`].
    fn flush(&self) -> Result<(), StoreError>;

    /// Visits everything that a backup needs, as of one moment but for kept turns, as raw pairs: while it runs rows are
    /// accepted, and for the larger part of it they are committed too. Turns are those that are met on the way. What the store can make anew (roll-ups, facts about its own
    /// files) is not among it.
    ///
    /// # Errors
    /// See [`Store`], and whatever `visit` returns.
    fn export(&self, visit: &mut ExportVisit<'_>) -> Result<(), StoreError>;

    /// Sets one record, durable on return.
    ///
    /// # Errors
    /// See [`Store`].
    fn put(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.apply(&[Write {
            table,
            key: key.to_vec(),
            value: Some(value.to_vec()),
        }])
    }

    /// Removes one record, durable on return. Removing what is not there is no error.
    ///
    /// # Errors
    /// See [`Store`].
    fn delete(&self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.apply(&[Write {
            table,
            key: key.to_vec(),
            value: None,
        }])
    }
}
