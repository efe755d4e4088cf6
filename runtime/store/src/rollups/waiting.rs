//! The sums that wait in memory to be folded, and the notes from which they are made again after a start.

use std::collections::HashMap;
use std::sync::Arc;

use tollgate_governance::{Sums, UsageDecodeError, UsageRow};

use super::{Cursor, NOTES, PAGES, Pairs, damaged, note_key};
use crate::blocks::{KEY, Rows};
use crate::engine::Visit;
use crate::error::StoreError;
use crate::groups::Pair;
use crate::usage_rollups::UsageRollups;

/// Sums of rows by [part](UsageRollups::part).
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// Where the sums are. Apart from them, so that a growing table moves little.
    places: HashMap<Vec<u8>, usize>,
    sums: Vec<Sums>,
    rows: usize,
    notes: usize,
    /// Of the last row.
    part: Vec<u8>,
}

impl Pending {
    /// Adds rows. Those that cannot be decoded are in no sum.
    pub(crate) fn add<'a>(
        &mut self,
        rollups: &UsageRollups,
        rows: impl Iterator<Item = &'a [u8]>,
        unreadable: &mut dyn FnMut(UsageDecodeError),
    ) {
        for row in rows {
            self.rows += 1;
            let row = match UsageRow::decode(row) {
                Ok(row) => row,
                Err(error) => {
                    unreadable(error);
                    continue;
                }
            };
            self.part.clear();
            rollups.part(&row, &mut self.part);
            let known = self.places.get(&*self.part).copied();
            if known.is_none() {
                self.places.insert(self.part.clone(), self.sums.len());
                self.sums.push(Sums::default());
            }
            // The last one, if it is new.
            let place = known.unwrap_or(self.sums.len() - 1);
            self.sums[place].add(&row);
        }
    }

    /// How much waits, in groups; see [`Store::fold_rollups`](crate::Store::fold_rollups).
    pub(crate) fn weight(&self) -> usize {
        self.sums.len().max(self.rows.div_ceil(4)).max(self.notes)
    }

    pub(crate) fn groups(&self) -> usize {
        self.sums.len()
    }

    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Parts, in no order, with where their sums are.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&[u8], usize)> {
        let places = self.places.iter();
        places.map(|(part, place)| (&**part, *place))
    }

    pub(super) fn at(&self, place: usize) -> &Sums {
        &self.sums[place]
    }
}

/// What is being folded: the sums of all commits up to a number that no earlier fold had.
#[derive(Clone, Debug)]
pub(crate) struct Folding {
    pub(super) last: u64,
    pub(super) pending: Arc<Pending>,
}

/// What waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    /// Number of the last commit.
    last: u64,
    /// Of commits that no fold has begun with.
    pending: Pending,
    folding: Option<Folding>,
}

impl Waiting {
    /// Reads the rows again that no fold has brought into the pages. About 1 µs a row.
    pub(crate) fn load(pairs: &dyn Pairs, rollups: &UsageRollups) -> Result<Self, StoreError> {
        let cursor = Cursor::read(pairs)?;
        let mut found = Self::default();
        pairs.visit(&NOTES, &PAGES, &mut |key, note| {
            let number = key.get(NOTES.len()..).and_then(|key| key.try_into().ok());
            let number = number.ok_or_else(|| damaged("a damaged key of a note"))?;
            let number = u64::from_be_bytes(number);
            if let Some(cursor) = &cursor
                && number > cursor.last
            {
                found.begin(cursor.last);
            }
            let (keys, []) = note.as_chunks::<KEY>() else {
                return Err(damaged("a damaged note"));
            };
            for key in keys {
                let block = pairs.last(key, key)?;
                let (_, block) = block.ok_or_else(|| damaged("rows are gone"))?;
                let rows: Vec<_> = Rows::of(&block).collect::<Result<_, _>>()?;
                let rows = rows.into_iter().map(|(_, row)| row);
                // The log was told when they were committed.
                found.pending.add(rollups, rows, &mut |_| {});
            }
            found.last = number;
            found.pending.notes += 1;
            Ok(Visit::Continue)
        })?;
        if let Some(cursor) = &cursor {
            found.begin(cursor.last);
            // Numbers that it covers must not be given again.
            found.last = found.last.max(cursor.last);
        }
        Ok(found)
    }

    /// The note of the next commit, which adds blocks of rows with these keys.
    pub(crate) fn note<'a>(&self, blocks: impl Iterator<Item = &'a [u8; KEY]>) -> Pair {
        let keys = blocks.flatten().copied().collect();
        (note_key(self.last + 1), keys)
    }

    /// The next commit was made, with these rows. Returns how many of them are in no sum.
    pub(crate) fn committed<'a>(
        &mut self,
        rollups: &UsageRollups,
        rows: impl Iterator<Item = &'a [u8]>,
    ) -> u64 {
        let mut unreadable = 0;
        self.last += 1;
        self.pending.notes += 1;
        self.pending.add(rollups, rows, &mut |_| unreadable += 1);
        unreadable
    }

    /// What to fold: what an interrupted fold began with; else all that waits, if it is so much.
    pub(crate) fn fold(&mut self, pending: usize) -> Option<Folding> {
        if self.is_due(pending) {
            self.begin(self.last);
        }
        self.folding.clone()
    }

    /// Whether so much waits that a fold should begin, once none is under way: rows are committed during one, too.
    pub(crate) fn is_due(&self, pending: usize) -> bool {
        self.pending.weight() >= pending.max(1)
    }

    fn begin(&mut self, last: u64) {
        if self.folding.is_none() {
            let pending = Arc::new(self.pending.take());
            self.folding = Some(Folding { last, pending });
        }
    }

    /// The fold is done.
    pub(crate) fn folded(&mut self) {
        self.folding = None;
    }

    /// Parts and sums, and whether they are being folded.
    pub(super) fn sums(&self) -> impl Iterator<Item = (&[u8], &Sums, bool)> {
        let folding = self.folding.iter();
        let folding = folding.map(|folding| (&*folding.pending, true));
        let all = folding.chain([(&self.pending, false)]);
        all.flat_map(|(pending, folding)| {
            let parts = pending.parts();
            parts.map(move |(part, place)| (part, pending.at(place), folding))
        })
    }

    /// How much waits for the next fold.
    pub(crate) fn weight(&self) -> usize {
        self.pending.weight()
    }
}
