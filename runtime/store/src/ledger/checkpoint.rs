//! Checkpoints of the ledger: the books as of some record, so that a start does not replay years.
//!
//! A checkpoint is written in pieces under a generation of its own; a small head names the generation, and is written
//! last. So one that was interrupted is none, and the old one is there until the new one is whole.

use serde::{Deserialize, Serialize};
use tollgate_governance::{Ledger, LedgerError};

use super::last;
use super::load::{Books, replay, wrong};
use crate::engine::{Order, Store, Table, Visit, Write};
use crate::error::StoreError;

/// In the table `Meta`. Not among the engine's own: a backup has it.
const HEAD: &[u8] = b"ledger/checkpoint";
/// Before the generation and the number of a piece.
const PIECE: &[u8] = b"ledger/checkpoint/";
/// Beyond 128 KiB the engine puts a value into a file of its own, which costs much more.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces a commit: nothing else can be committed meanwhile.
const COMMIT: usize = 16;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Head {
    generation: u64,
    pieces: u32,
    /// Number of the last record in it, to be known without reading it.
    last: u64,
}

/// What there is of a checkpoint.
pub(super) enum Found {
    None,
    Books(Books),
    /// Why it cannot be read.
    Damaged(String),
}

/// Folds the records since the last checkpoint into a new one. Returns how many; none, and nothing is written.
///
/// Goes by what the store has and not by a ledger that serves requests, whose latest settlements are not stored yet.
/// Call it at the start, and from one thread in the background when [`since_checkpoint`] says some 100,000. With a
/// million accounts it takes seconds and twice the memory of the books, with a thousand some milliseconds.
///
/// # Errors
/// See [`load`](super::load()). The old checkpoint stays then.
pub fn checkpoint(store: &dyn Store) -> Result<u64, StoreError> {
    let head = head(store)?;
    let (mut books, count) = replay(store, read(store)?)?;
    if count == 0 {
        return Ok(0);
    }
    let told = |error: LedgerError| wrong(books.last, &error);
    books.ledger.verify().map_err(told)?;
    books.ledger.forget_settled();
    let mut bytes = Vec::new();
    let written = books.ledger.checkpoint(books.last, &mut bytes);
    written.map_err(|error| wrong(books.last, &error))?;
    let old = head.map(|head| head.generation);
    remove_others(store, old)?;
    let generation = old.map_or(1, |old| old + 1);
    let mut pieces = 0;
    let mut writes = Vec::new();
    for piece in bytes.chunks(PIECE_BYTES) {
        writes.push(write(piece_key(generation, pieces), Some(piece.to_vec())));
        pieces += 1;
        if writes.len() == COMMIT {
            store.apply(&writes)?;
            writes.clear();
        }
    }
    let head = Head {
        generation,
        pieces,
        last: books.last,
    };
    let note = serde_json::to_vec(&head).map_err(std::io::Error::from)?;
    writes.push(write(HEAD.to_vec(), Some(note)));
    store.apply(&writes)?;
    remove_others(store, Some(generation))?;
    Ok(count)
}

/// How many records there are that the last checkpoint does not have. A look at two keys.
///
/// # Errors
/// See [`Store`].
pub fn since_checkpoint(store: &dyn Store) -> Result<u64, StoreError> {
    let folded = head(store)?.map_or(0, |head| head.last);
    Ok(last(store)?.saturating_sub(folded))
}

pub(super) fn read(store: &dyn Store) -> Result<Found, StoreError> {
    let Some(note) = store.get(Table::Meta, HEAD)? else {
        return Ok(Found::None);
    };
    let Ok(head) = serde_json::from_slice::<Head>(&note) else {
        return Ok(Found::Damaged("its head cannot be read".to_owned()));
    };
    let mut bytes = Vec::new();
    for piece in 0..head.pieces {
        match store.get(Table::Meta, &piece_key(head.generation, piece))? {
            Some(piece) => bytes.extend_from_slice(&piece),
            None => return Ok(Found::Damaged(format!("piece {piece} is missing"))),
        }
    }
    match Ledger::from_checkpoint(&bytes) {
        Ok((ledger, last)) if last == head.last => Ok(Found::Books(Books { ledger, last })),
        Ok(_) => Ok(Found::Damaged("its head is of another".to_owned())),
        Err(error @ LedgerError::Newer(_)) => Err(wrong(head.last, &error)),
        Err(error) => Ok(Found::Damaged(error.to_string())),
    }
}

fn head(store: &dyn Store) -> Result<Option<Head>, StoreError> {
    let note = store.get(Table::Meta, HEAD)?;
    Ok(note.and_then(|note| serde_json::from_slice(&note).ok()))
}

/// Removes the pieces of every generation but one: of the last checkpoint, and of those that were interrupted.
fn remove_others(store: &dyn Store, generation: Option<u64>) -> Result<(), StoreError> {
    let mut to = PIECE.to_vec();
    to.push(0xff);
    let kept = generation.map(|generation| [PIECE, &generation.to_be_bytes()].concat());
    let mut writes = Vec::new();
    store.scan_range(
        Table::Meta,
        PIECE,
        &to,
        Order::OldestFirst,
        &mut |key, _| {
            if !kept.as_ref().is_some_and(|kept| key.starts_with(kept)) {
                writes.push(write(key.to_vec(), None));
            }
            Visit::Continue
        },
    )?;
    match writes.is_empty() {
        true => Ok(()),
        false => store.apply(&writes),
    }
}

fn piece_key(generation: u64, piece: u32) -> Vec<u8> {
    [PIECE, &generation.to_be_bytes(), &piece.to_be_bytes()].concat()
}

fn write(key: Vec<u8>, value: Option<Vec<u8>>) -> Write {
    Write {
        table: Table::Meta,
        key,
        value,
    }
}
