//! Answers that clients may name later (`previous_response_id`, `conversation`, `GET /v1/responses/{id}`).
//!
//! Where the vendor keeps them, only whose they are and where is remembered; where it cannot, the gateway keeps the turn
//! itself, unless its account or one above it lets nothing be kept: sealed, for a limited time, of a limited size, bound
//! to its account. Of what it keeps single items can be named, too (`item_reference`). Writing is off the answer's way, on a thread of its own; what is under way to the store is read from
//! memory.

mod items;
mod keep;
mod record;
mod reference;
mod resume;
mod serve;
mod underway;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tollgate_governance::AccountId;
use tollgate_store::{Store, StoreError, Table, Visit, Write};

use self::record::Sealer;
use self::underway::{Place, Underway};

pub(crate) use self::items::{Desk, Part};
pub(crate) use self::keep::{Keeper, is_wanted, keeps};
pub(crate) use self::record::{Kept, Record};
pub(crate) use self::reference::dereference;
pub(crate) use self::resume::{Held, Thread, is_locked, patiently, resume};
pub(crate) use self::serve::{Asked, begin, serve};

/// Turns that wait to be written may take so many bytes of memory; beyond that new ones are not kept.
const MOST_WAITING: usize = 64 << 20;
/// How long to wait with what the store has refused.
const RETRY: Duration = Duration::from_secs(1);
/// Longer names are nobody's ids.
const LONGEST_ID: usize = 256;

/// The kept turns.
pub(crate) struct Turns {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    underway: Arc<Underway>,
}

struct Shared {
    store: Arc<dyn Store>,
    sealer: Sealer,
    state: Mutex<Waiting>,
    wake: Condvar,
}

/// There is something under an id that cannot be read, or nothing could be.
struct Unreadable;

/// What is known of an id.
enum Found {
    /// The account's own.
    Own(Arc<Record>),
    /// Another account's: not there, for everybody else.
    Another,
    /// It has never been seen here, or so long ago that it is forgotten.
    Nothing,
}

/// What is on its way to the store.
#[derive(Default)]
struct Waiting {
    /// By id; no record: it was deleted.
    changes: HashMap<Box<str>, Option<Arc<Record>>>,
    bytes: usize,
    closing: bool,
}

impl Turns {
    /// Opens what is kept in the store, under a key of 256 bits.
    pub(crate) fn open(store: Arc<dyn Store>, key: &[u8; 32]) -> std::io::Result<Self> {
        let sealer =
            Sealer::new(key).ok_or_else(|| std::io::Error::other("the key cannot be used"))?;
        let shared = Arc::new(Shared {
            store,
            sealer,
            state: Mutex::default(),
            wake: Condvar::new(),
        });
        let for_writer = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("turns".to_owned())
            .spawn(move || for_writer.write())?;
        Ok(Self {
            shared,
            writer: Mutex::new(Some(writer)),
            underway: Arc::default(),
        })
    }

    /// The turn of this id, if it is the account's own and has not expired.
    pub(crate) fn find(&self, id: &str, account: AccountId, now_ms: u64) -> Option<Arc<Record>> {
        match self.look(id, account, now_ms) {
            Found::Own(record) => Some(record),
            Found::Another | Found::Nothing => None,
        }
    }

    /// What is known of an id.
    fn look(&self, id: &str, account: AccountId, now_ms: u64) -> Found {
        match self.record(id) {
            // What cannot be read may be anybody's.
            Err(Unreadable) => Found::Another,
            Ok(Some(record)) if record.account != account => Found::Another,
            Ok(Some(record)) if record.expires_ms > now_ms => Found::Own(record),
            Ok(_) => Found::Nothing,
        }
    }

    fn record(&self, id: &str) -> Result<Option<Arc<Record>>, Unreadable> {
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(Unreadable);
        }
        let waiting = self.shared.state.lock().changes.get(id).cloned();
        if let Some(change) = waiting {
            return Ok(change);
        }
        let stored = self.shared.store.get(Table::Turns, id.as_bytes());
        let stored = stored.map_err(|error| {
            tracing::error!(%error, "a kept turn cannot be read");
            Unreadable
        })?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        let opened = self.shared.sealer.open(id.as_bytes(), &stored);
        opened
            .map(|record| Some(Arc::new(record)))
            .ok_or(Unreadable)
    }

    /// The place of a conversation for one more answer; none while another is being added.
    fn enter(&self, conversation: &str) -> Option<Place> {
        self.underway.enter(conversation)
    }

    /// Keeps a turn under its id. It can be found from now on. False: there is no room for it.
    pub(crate) fn keep(&self, id: &str, record: Record) -> bool {
        let is_name = !id.is_empty() && id.len() <= LONGEST_ID;
        is_name && self.change(id, Some(Arc::new(record)))
    }

    /// Forgets a turn.
    pub(crate) fn forget(&self, id: &str) {
        self.change(id, None);
    }

    fn change(&self, id: &str, record: Option<Arc<Record>>) -> bool {
        let mut state = self.shared.state.lock();
        let size = record.as_deref().map_or(0, Record::size);
        // Whose an answer is that a vendor keeps, and where a conversation stands, must not be forgotten, and takes no room.
        let small = matches!(
            record.as_deref(),
            Some(Record {
                kept: Kept::There { .. } | Kept::Conversation { .. },
                ..
            })
        );
        if !small && state.bytes.saturating_add(size) > MOST_WAITING {
            tracing::warn!("turns come faster than they can be written; one is not kept");
            return false;
        }
        let before = state.changes.insert(id.into(), record);
        let freed = before.flatten().as_deref().map_or(0, Record::size);
        state.bytes = state.bytes.saturating_sub(freed).saturating_add(size);
        drop(state);
        self.shared.wake.notify_one();
        true
    }

    /// Removes what has expired. Says how many that were.
    pub(crate) fn expire(&self, now_ms: u64) -> Result<usize, StoreError> {
        let mut expired = Vec::new();
        self.shared.store.scan(Table::Turns, &mut |id, stored| {
            // What nobody can make sense of is kept: another version may.
            if record::expires_ms(stored).is_some_and(|expiry| expiry <= now_ms) {
                expired.push(Write {
                    table: Table::Turns,
                    key: id.to_vec(),
                    value: None,
                });
            }
            Visit::Continue
        })?;
        for some in expired.chunks(1_000) {
            self.shared.store.apply(some)?;
        }
        Ok(expired.len())
    }

    /// Writes what is waiting. Nothing is kept any more after that.
    pub(crate) fn close(&self) {
        self.shared.state.lock().closing = true;
        self.shared.wake.notify_one();
        let writer = self.writer.lock().take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the thread that keeps turns panicked");
        }
    }
}

impl Record {
    /// What it takes in memory, roughly. Bytes.
    pub(crate) fn size(&self) -> usize {
        128 + match &self.kept {
            Kept::Here { input, response } => input.len() + response.len(),
            Kept::There { upstream } => upstream.len(),
            Kept::Conversation { metadata, .. } => metadata.len(),
        }
    }
}

impl Shared {
    fn write(&self) {
        loop {
            let mut state = self.state.lock();
            while state.changes.is_empty() && !state.closing {
                self.wake.wait(&mut state);
            }
            if state.changes.is_empty() {
                return;
            }
            // They stay where they can be found until the store has them.
            let some: Vec<_> = state
                .changes
                .iter()
                .take(256)
                .map(|(id, record)| (id.clone(), record.clone()))
                .collect();
            drop(state);
            let writes: Vec<Write> = some
                .iter()
                .filter_map(|(id, record)| {
                    let value = match record {
                        Some(record) => Some(self.sealer.seal(id.as_bytes(), record)?),
                        None => None,
                    };
                    Some(Write {
                        table: Table::Turns,
                        key: id.as_bytes().to_vec(),
                        value,
                    })
                })
                .collect();
            // What only the disk has not confirmed the store has: it need not be written again.
            let stored = self.store.apply(&writes);
            if let Some(error) = stored.err().filter(|error| !error.is_made()) {
                tracing::error!(%error, turns = writes.len(), "turns could not be written");
                let mut state = self.state.lock();
                if state.closing {
                    return;
                }
                // They stay where they can be found, and are tried again.
                self.wake.wait_for(&mut state, RETRY);
                continue;
            }
            let mut state = self.state.lock();
            for (id, written) in some {
                let same = match (state.changes.get(&id), &written) {
                    (Some(Some(now)), Some(written)) => Arc::ptr_eq(now, written),
                    (Some(None), None) => true,
                    _ => false,
                };
                if same {
                    state.changes.remove(&id);
                    let size = written.as_deref().map_or(0, Record::size);
                    state.bytes = state.bytes.saturating_sub(size);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
