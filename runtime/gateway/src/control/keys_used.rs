//! When keys were last shown, written down now and then. The usage rows that a start reads tell it to the second, but only
//! of this month: of a key that nobody has used for longer this is all that is known.

use std::collections::HashMap;

use tollgate_governance::{Counters, Directory, KeyId, UsageRow};
use tollgate_store::{Order, Store, StoreError, Table, Visit, Write};

use super::Control;

/// Before a key's id, in the table `Meta`.
const BEFORE: &[u8] = b"key last used ";
/// As many are written at once.
const BATCH: usize = 1_000;

impl Control {
    /// Writes down when keys were last shown where that is not written yet, and forgets keys that are gone. No act: nobody
    /// decided it.
    pub(super) fn note_keys_used(&self) {
        if let Err(error) = self.try_to_note_keys_used() {
            tracing::warn!(%error, "when keys were last used is not written down yet");
        }
    }

    fn try_to_note_keys_used(&self) -> Result<(), StoreError> {
        let mut noted = HashMap::new();
        scan(&*self.store, &mut |key, last| {
            noted.insert(key, last);
        })?;
        let changed: Vec<Write> = {
            let directory = &self.state.lock().directory;
            let keys = directory.keys().into_iter();
            let used = keys.filter_map(|key| Some((key.id, directory.last_used(key.id)?)));
            let used = used.filter(|(key, last)| noted.get(key) != Some(last));
            let used = used.map(|(key, last)| written(key, Some(last)));
            let gone = noted.keys().filter(|key| directory.key(**key).is_none());
            used.chain(gone.map(|key| written(*key, None))).collect()
        };
        changed
            .chunks(BATCH)
            .try_for_each(|some| self.store.apply(some))
    }
}

fn written(key: KeyId, last_ms: Option<u64>) -> Write {
    Write {
        table: Table::Meta,
        key: [BEFORE, key.0.as_bytes()].concat(),
        value: last_ms.map(|last| last.to_be_bytes().to_vec()),
    }
}

/// What is written down, key by key.
pub(super) fn scan(store: &dyn Store, visit: &mut dyn FnMut(KeyId, u64)) -> Result<(), StoreError> {
    let (from, to) = ([BEFORE, &[0; 16]].concat(), [BEFORE, &[0xff; 16]].concat());
    store.scan_range(
        Table::Meta,
        &from,
        &to,
        Order::OldestFirst,
        &mut |name, value| {
            let id = name.strip_prefix(BEFORE).and_then(|id| id.try_into().ok());
            if let (Some(id), Ok(last)) = (id, value.try_into()) {
                visit(KeyId(uuid::Uuid::from_bytes(id)), u64::from_be_bytes(last));
            }
            Visit::Continue
        },
    )
}

/// Tells the directory when its keys were last shown, as far as that was written down.
pub(super) fn recall(
    store: &dyn Store,
    directory: &Directory,
    counters: &Counters,
) -> Result<(), StoreError> {
    scan(store, &mut |key, last| {
        // A row that counts nowhere says that its key was shown, and no more.
        let row = UsageRow {
            key,
            admitted_ms: last,
            ..UsageRow::default()
        };
        directory.seed(counters, &row, last);
    })
}
