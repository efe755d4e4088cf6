//! A fold: merges what waits into the pages and removes its notes, step by step.

use super::{CURSOR, Change, Cursor, Folding, Merge, NOTES, Pairs, note_key};
use crate::engine::Visit;
use crate::error::StoreError;

/// Removals a step.
const REMOVALS: usize = 512;

/// A fold that is under way. Whatever fails, drop it: the store has what is needed to go on.
#[derive(Debug)]
pub(crate) struct Job {
    last: u64,
    merge: Merge,
}

/// What to commit next.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) changes: Vec<Change>,
    /// This was the last: see [`Waiting::folded`](super::Waiting::folded).
    pub(crate) is_last: bool,
}

impl Job {
    /// Of what [`Waiting::fold`](super::Waiting::fold) gave; the rest of it, if it was interrupted.
    pub(crate) fn begin(pairs: &dyn Pairs, folding: Folding) -> Result<Self, StoreError> {
        let Folding { last, pending } = folding;
        let merge = match Cursor::read(pairs)? {
            None => Merge::new(pending, None),
            Some(Cursor { done: None, .. }) => Merge::default(),
            Some(Cursor { done, .. }) => Merge::new(pending, done.as_deref()),
        };
        Ok(Self { last, merge })
    }

    /// The next step: about `limit` bytes of changes.
    pub(crate) fn step(&mut self, pairs: &dyn Pairs, limit: usize) -> Result<Step, StoreError> {
        let mut changes = self.merge.step(pairs, limit)?;
        let mut is_last = false;
        if self.merge.is_done() && changes.iter().map(size).sum::<usize>() < limit {
            let mut removed = Vec::new();
            pairs.visit(&NOTES, &note_key(self.last + 1), &mut |key, _| {
                removed.push((key.to_vec(), None));
                let enough = removed.len() > REMOVALS;
                Ok(if enough { Visit::Stop } else { Visit::Continue })
            })?;
            is_last = removed.len() <= REMOVALS;
            changes.extend(removed);
        }
        changes.push(match is_last {
            true => (CURSOR.to_vec(), None),
            false => Cursor {
                last: self.last,
                done: self.merge.reached().map(<[u8]>::to_vec),
            }
            .write(),
        });
        Ok(Step { changes, is_last })
    }
}

fn size((key, value): &Change) -> usize {
    key.len() + value.as_ref().map_or(0, Vec::len)
}
