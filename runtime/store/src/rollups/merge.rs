//! Sums, merged into pages of groups in the order of keys.

use std::ops::Range;
use std::sync::Arc;

use tollgate_governance::Sums;

use super::{Change, PAGES, PAGES_END, Pairs, Pending, page_key};
use crate::engine::Visit;
use crate::error::StoreError;
use crate::groups::{self, Groups, Pair};
use crate::usage_rollups;

/// What is to be merged: all of it in memory.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    pending: Arc<Pending>,
    /// Of groups, one after the other.
    keys: Vec<u8>,
    /// By key.
    entries: Vec<Entry>,
    /// Those before have been merged.
    next: usize,
}

#[derive(Debug)]
struct Entry {
    key: Range<usize>,
    /// The beginning of the key, without what others begin with: tells most of them apart without a look at the keys,
    /// which takes half of the time of sorting.
    head: u128,
    /// See [`Pending::at`].
    place: usize,
}

impl Merge {
    /// Of the groups of these parts, but for those up to the key `after`.
    pub(crate) fn new(pending: Arc<Pending>, after: Option<&[u8]>) -> Self {
        let mut keys: Vec<u8> = Vec::new();
        let mut entries = Vec::with_capacity(pending.groups() * 2);
        let mut day = Vec::new();
        // What all keys of hours begin with, and all of days.
        let mut shared: [Option<Vec<u8>>; 2] = [None, None];
        for (part, place) in pending.parts() {
            let groups = usage_rollups::groups(part, &mut day);
            for (group, shared) in groups.into_iter().zip(&mut shared) {
                if after.is_none_or(|after| group > after) {
                    let shared = shared.get_or_insert_with(|| group.to_vec());
                    if !group.starts_with(shared) {
                        shared.truncate(groups::shared(shared, group));
                    }
                    let start = keys.len();
                    keys.extend_from_slice(group);
                    let key = start..keys.len();
                    entries.push(Entry {
                        key,
                        place,
                        head: 0,
                    });
                }
            }
        }
        let key = |entry: &Entry| keys.get(entry.key.clone()).unwrap_or_default();
        for entry in &mut entries {
            let key = key(entry);
            let mut rests = shared
                .iter()
                .flatten()
                .filter_map(|shared| key.strip_prefix(&**shared));
            entry.head = head(key, rests.next().unwrap_or_default());
        }
        entries.sort_unstable_by(|one, other| {
            let heads = one.head.cmp(&other.head);
            heads.then_with(|| key(one).cmp(key(other)))
        });
        Self {
            pending,
            keys,
            entries,
            next: 0,
        }
    }

    /// The last key that was merged; none: all are.
    pub(crate) fn reached(&self) -> Option<&[u8]> {
        let before = self.next.checked_sub(1)?;
        (!self.is_done()).then(|| self.key(before))
    }

    pub(crate) fn is_done(&self) -> bool {
        self.next == self.entries.len()
    }

    /// The next pages: about `limit` bytes of them, more than 0.
    pub(crate) fn step(
        &mut self,
        pairs: &dyn Pairs,
        limit: usize,
    ) -> Result<Vec<Change>, StoreError> {
        let mut changes = Vec::new();
        let mut size = 0;
        while !self.is_done() && size < limit {
            let (end, cut) = self.run(pairs, limit - size)?;
            for (key, block) in self.page(pairs, end)? {
                size += key.len() + block.len();
                changes.push((key, Some(block)));
            }
            self.next = end;
            if cut {
                // The rest goes into pages that are yet to be written.
                break;
            }
        }
        Ok(changes)
    }

    fn key(&self, place: usize) -> &[u8] {
        let entry = self.entries.get(place);
        entry.map_or(&[], |entry| &self.keys[entry.key.clone()])
    }

    /// Up to where the entries from the next on belong into one page, and whether that was cut short for its size.
    fn run(&self, pairs: &dyn Pairs, limit: usize) -> Result<(usize, bool), StoreError> {
        /// About a group's.
        const SUMS: usize = 64;
        let mut after = page_key(self.key(self.next));
        after.push(0);
        let mut bound = None;
        pairs.visit(&after, &PAGES_END, &mut |key, _| {
            bound = key.get(PAGES.len()..).map(<[u8]>::to_vec);
            Ok(Visit::Stop)
        })?;
        let mut size = 0;
        for place in self.next..self.entries.len() {
            let key = self.key(place);
            if bound.as_deref().is_some_and(|bound| key >= bound) {
                return Ok((place, false));
            }
            // A group's sums stay together: the cursor goes by keys.
            if size >= limit && key != self.key(place - 1) {
                return Ok((place, true));
            }
            size += key.len() + SUMS;
        }
        Ok((self.entries.len(), false))
    }

    /// The page of the next entry with the entries before `end` merged into it: one or several.
    fn page(&self, pairs: &dyn Pairs, end: usize) -> Result<Vec<Pair>, StoreError> {
        let old = pairs.last(&PAGES, &page_key(self.key(self.next)))?;
        let mut merged = Groups::default();
        let mut place = self.next;
        if let Some((_, block)) = &old {
            groups::read(block, &mut |key, value| {
                while place < end && self.key(place) < key {
                    place = self.push(&mut merged, place, None);
                }
                if place < end && self.key(place) == key {
                    let old = Sums::decode(value);
                    let old = old.map_err(|error| StoreError::Rollups(error.to_string()))?;
                    place = self.push(&mut merged, place, Some(old));
                } else {
                    merged.push(key, |out| out.extend_from_slice(value));
                }
                Ok(Visit::Continue)
            })?;
        }
        while place < end {
            place = self.push(&mut merged, place, None);
        }
        let mut pages = merged.blocks();
        for (first, _) in &mut pages {
            *first = page_key(first);
        }
        Ok(pages)
    }

    /// Appends the group of the entries from `place` on. Returns where the next group begins.
    fn push(&self, merged: &mut Groups, place: usize, old: Option<Sums>) -> usize {
        let key = self.key(place);
        let same = |next: &usize| *next < self.entries.len() && self.key(*next) == key;
        let end = (place + 1..).find(|next| !same(next)).unwrap_or(place + 1);
        let mut sums = self.entries[place..end]
            .iter()
            .map(|entry| self.pending.at(entry.place));
        match (old, sums.next()) {
            // Most groups are of one part.
            (None, Some(only)) if end == place + 1 => merged.push(key, |out| only.encode(out)),
            (old, first) => {
                let mut all = old.unwrap_or_default();
                first
                    .into_iter()
                    .chain(sums)
                    .for_each(|sums| all.merge(sums));
                merged.push(key, |out| all.encode(out));
            }
        }
        end
    }
}

/// Span, then the first bytes in which keys of a span differ.
fn head(key: &[u8], rest: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let span = key.first().into_iter();
    for (byte, from) in bytes.iter_mut().zip(span.chain(rest)) {
        *byte = *from;
    }
    u128::from_be_bytes(bytes)
}
