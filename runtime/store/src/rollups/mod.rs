//! How roll-ups lie in an ordered key-value engine, whichever it is.
//!
//! A commit of rows writes one small *note*: which blocks of rows it added. Their sums wait in memory. A fold merges
//! what waits into *pages* of sorted groups, in steps that are one commit each, and removes the notes. So a group costs
//! the engine neither a write for each commit nor a place of its own, and a kill costs only the reading of the rows
//! since the last fold.
//!
//! While a fold goes on, its cursor says up to which key the pages have it: whoever reads takes the rest from what
//! waits. Cursor and pages change in the same commits, so this holds after a kill too.

mod job;
mod merge;
mod waiting;

use crate::engine::{Table, Visit};
use crate::error::StoreError;
use crate::groups::{self, Pair, PairVisit};
use crate::usage_rollups;

pub(crate) use job::Job;
pub(crate) use merge::Merge;
pub(crate) use waiting::{Folding, Pending, Waiting};

/// The layout of what lies here. Another one's roll-ups are made anew.
pub(crate) const LAYOUT: u8 = 2;
/// What a step of a fold writes, bytes: some milliseconds, in which no row is committed.
pub(crate) const STEP: usize = 1 << 20;
const TABLE: u8 = Table::Rollups as u8;
const NOTES: [u8; 2] = [TABLE, 0];
const PAGES: [u8; 2] = [TABLE, 1];
const PAGES_END: [u8; 2] = [TABLE, 2];
const CURSOR: [u8; 2] = [TABLE, 3];

/// The engine, seen from here. Keys are whole.
pub(crate) trait Pairs {
    /// Visits the pairs with keys from `from` up to, not including, `to`.
    fn visit(&self, from: &[u8], to: &[u8], visit: &mut PairVisit<'_>) -> Result<(), StoreError>;

    /// The last pair with a key from `from` up to and including `at`.
    fn last(&self, from: &[u8], at: &[u8]) -> Result<Option<Pair>, StoreError>;
}

/// A change of a pair; none removes it.
pub(crate) type Change = (Vec<u8>, Option<Vec<u8>>);

/// How far the fold that is under way has got.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cursor {
    /// Number of the last commit that it folds.
    last: u64,
    /// Groups up to this key have them; none: all.
    done: Option<Vec<u8>>,
}

impl Cursor {
    fn read(pairs: &dyn Pairs) -> Result<Option<Self>, StoreError> {
        let Some((_, value)) = pairs.last(&CURSOR, &CURSOR)? else {
            return Ok(None);
        };
        let wrong = || damaged("a damaged cursor");
        let (last, rest) = value.split_first_chunk::<8>().ok_or_else(wrong)?;
        let done = match rest.split_first() {
            Some((0, [])) => None,
            Some((1, key)) => Some(key.to_vec()),
            _ => return Err(wrong()),
        };
        let last = u64::from_be_bytes(*last);
        Ok(Some(Self { last, done }))
    }

    fn write(&self) -> Change {
        let mut value = self.last.to_be_bytes().to_vec();
        value.push(u8::from(self.done.is_some()));
        value.extend_from_slice(self.done.as_deref().unwrap_or_default());
        (CURSOR.to_vec(), Some(value))
    }

    /// Whether the page of `group` has what is folded.
    fn covers(&self, group: &[u8]) -> bool {
        self.done.as_deref().is_none_or(|done| group <= done)
    }
}

/// Visits the sums of groups with keys from `from` up to, not including, `to`, in pages and in what waits. Sums of one
/// key come in several pieces, not in order.
pub(crate) fn visit(
    pairs: &dyn Pairs,
    waiting: &Waiting,
    (from, to): (&[u8], &[u8]),
    visit: &mut PairVisit<'_>,
) -> Result<(), StoreError> {
    let mut going = Visit::Continue;
    // The page that `from` lies in begins before it.
    let first = pairs.last(&PAGES, &page_key(from))?;
    let first = first.map_or_else(|| page_key(from), |(key, _)| key);
    pairs.visit(&first, &page_key(to), &mut |_, block| {
        groups::read(block, &mut |key, value| {
            if from <= key && key < to {
                going = visit(key, value)?;
            }
            Ok(going)
        })
    })?;
    let cursor = Cursor::read(pairs)?;
    let covered = |group: &[u8]| cursor.as_ref().is_some_and(|cursor| cursor.covers(group));
    let (mut day, mut value) = (Vec::new(), Vec::new());
    for (part, sums, folding) in waiting.sums() {
        for group in usage_rollups::groups(part, &mut day) {
            if going == Visit::Continue
                && (from..to).contains(&group)
                && !(folding && covered(group))
            {
                value.clear();
                sums.encode(&mut value);
                going = visit(group, &value)?;
            }
        }
    }
    Ok(())
}

fn damaged(reason: &str) -> StoreError {
    StoreError::Rollups(reason.to_owned())
}

fn note_key(number: u64) -> Vec<u8> {
    [&NOTES[..], &number.to_be_bytes()].concat()
}

fn page_key(first: &[u8]) -> Vec<u8> {
    [&PAGES[..], first].concat()
}
