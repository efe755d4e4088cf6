//! The bytes of the engine's log, as sled 0.34 writes them: read, never written.
//!
//! `db` is a row of slots of 512 KiB. A slot holds a segment: a head of 20 bytes with the place in the log where the
//! segment begins, then messages. Slots are used again, so segments do not lie in the order of the log. `snap.*` says
//! which messages made the pages as of the last start.

use std::collections::HashMap;
use std::ops::Range;

use crate::crc::crc32;

/// Size of a slot.
pub(super) const SLOT: usize = 512 << 10;
/// Size of a segment's head.
pub(super) const HEAD: usize = 20;
/// Nothing begins so near to a segment's end.
const LONGEST_HEAD: usize = 32;

/// What a message does to its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Concerns no page.
    Nothing,
    /// Nothing follows in this segment.
    Last,
    Free,
    Replace,
    Add,
}

pub(super) struct Message {
    pub(super) kind: Kind,
    /// Number of the segment it was written for.
    pub(super) segment: u64,
    pub(super) page: u64,
    /// The file in `blobs` that holds what would stand here.
    pub(super) blob: Option<u64>,
    /// With its head.
    pub(super) length: usize,
}

/// Where in the log the segment of this head begins.
pub(super) fn segment_start(head: &[u8; HEAD]) -> Option<u64> {
    let (sum, rest) = head.split_first_chunk::<4>()?;
    let start = u64::from_le_bytes(*rest.first_chunk()?) ^ (u64::MAX >> 1);
    let whole = !u32::from_le_bytes(*sum) == crc32(0, rest);
    (whole && start.is_multiple_of(SLOT as u64)).then_some(start)
}

/// Whether a message can begin there.
pub(super) fn fits(at: usize) -> bool {
    at + LONGEST_HEAD <= SLOT
}

/// The message at `at`, if a whole one of a segment in `segments` is there.
pub(super) fn message(slot: &[u8], at: usize, segments: &Range<u64>) -> Option<Message> {
    let bytes = slot.get(at..)?;
    let (kind, in_blob) = match *bytes.get(4)? {
        1 | 3 => (Kind::Nothing, false),
        2 => (Kind::Last, false),
        4 => (Kind::Free, false),
        5 | 6 | 8 => (Kind::Replace, false),
        7 | 9 => (Kind::Replace, true),
        10 => (Kind::Add, false),
        11 => (Kind::Add, true),
        _ => return None,
    };
    let mut rest = &bytes[5..];
    let length = usize::try_from(number(&mut rest)?).ok()?;
    let segment = number(&mut rest)?;
    let page = number(&mut rest)?;
    if !segments.contains(&segment) {
        return None;
    }
    let (head, _) = bytes.split_at(bytes.len() - rest.len());
    let body = rest.get(..length)?;
    let sum = u32::from_le_bytes(*head.first_chunk()?);
    if sum != !crc32(crc32(0, body), &head[4..]) {
        return None;
    }
    let blob = match in_blob {
        true => Some(u64::from_le_bytes(*body.first_chunk()?)),
        false => None,
    };
    Some(Message {
        kind,
        segment,
        page,
        blob,
        length: head.len() + length,
    })
}

/// A message that a page is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In the log.
    pub(super) at: u64,
    /// In the file.
    pub(super) offset: u64,
    pub(super) blob: Option<u64>,
}

/// By page. A page's first message makes it, the others add to it.
pub(super) type Pages = HashMap<u64, Vec<Place>>;

/// What the last start noted in `snap.*`.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// How far it had read the log.
    pub(super) end: u64,
    /// Whether the segment that goes on there was begun.
    pub(super) is_begun: bool,
    pub(super) pages: Pages,
}

/// Reads a `snap.*`.
pub(super) fn snapshot(file: &[u8]) -> Option<Snapshot> {
    let (rest, sum) = file.split_last_chunk::<4>()?;
    // Of the length before compression, which is not used.
    let (mut rest, _) = rest.split_last_chunk::<8>()?;
    if u32::from_le_bytes(*sum) != crc32(0, rest) {
        return None;
    }
    let rest = &mut rest;
    let end = signed(rest)?.saturating_sub(1);
    // The slot that is written to, plus one.
    let is_begun = number(rest)? > 0;
    let mut pages = Pages::new();
    let mut page = 0;
    while let Some((&messages, after)) = rest.split_first() {
        *rest = after;
        if messages == 0 {
            signed(rest)?;
            pointer(rest)?;
        } else {
            let places = (0..messages).map(|_| {
                let at = signed(rest)?;
                let (offset, blob) = pointer(rest)?;
                // Its size.
                number(rest)?;
                Some(Place { at, offset, blob })
            });
            pages.insert(page, places.collect::<Option<_>>()?);
        }
        page += 1;
    }
    Some(Snapshot {
        end,
        is_begun,
        pages,
    })
}

fn pointer(bytes: &mut &[u8]) -> Option<(u64, Option<u64>)> {
    let (&kind, rest) = bytes.split_first()?;
    *bytes = rest;
    let offset = number(bytes)?;
    match kind {
        0 => Some((offset, None)),
        1 => Some((offset, Some(signed(bytes)?))),
        _ => None,
    }
}

/// Eight bytes, never negative here.
fn signed(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    u64::try_from(i64::from_le_bytes(*number)).ok()
}

/// Small numbers take one byte, larger ones more, least significant first.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    let more = match first {
        0..=240 => 0,
        241..=248 => 1,
        249 => 2,
        _ => usize::from(first) - 247,
    };
    let (more, after) = rest.split_at_checked(more)?;
    *bytes = after;
    let first = u64::from(first);
    Some(match more {
        [] => first,
        [low] => 240 + 256 * (first - 241) + u64::from(*low),
        [high, low] => 2288 + 256 * u64::from(*high) + u64::from(*low),
        _ => {
            let mut all = [0; 8];
            all[..more.len()].copy_from_slice(more);
            u64::from_le_bytes(all)
        }
    })
}
