//! A request body: checked whole, indexed at the top level, edited by splices.

mod edits;
mod names;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::Invalid;
use crate::json::scan::{self, Member};
use crate::json::text;
use crate::json::walk::{Key, Raw, Shape};

/// A JSON object that keeps every byte nobody edited.
#[derive(Debug, Clone)]
pub struct Document {
    raw: Bytes,
    members: Vec<Member>,
    /// What became of the members; empty until the first edit.
    slots: Vec<Slot>,
    /// Members that were not there, in the order they came.
    added: Vec<Added>,
    /// A name that the original has twice.
    twice: Option<usize>,
    encoded_bytes: usize,
    modified: bool,
}

/// What became of a member.
#[derive(Debug, Clone, Default)]
struct Slot {
    removed: bool,
    changed: Option<Box<Changed>>,
}

#[derive(Debug, Clone, Default)]
struct Changed {
    name: Option<String>,
    value: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
struct Added {
    name: String,
    value: Vec<u8>,
}

/// A member as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Original(usize),
    Added(usize),
}

impl Document {
    /// Checks the whole body (UTF-8, JSON grammar, nesting of at most 128, an object at the top) and indexes its
    /// top-level members.
    ///
    /// # Errors
    /// What is wrong, with the byte offset in words.
    pub fn parse(raw: Bytes) -> Result<Self, Invalid> {
        if simdutf8::basic::from_utf8(&raw).is_err() {
            let at = std::str::from_utf8(&raw)
                .err()
                .map_or(0, |error| error.valid_up_to());
            return Err(Invalid::body(format!(
                "the body is not valid UTF-8 at byte {at}"
            )));
        }
        let scan = scan::object(&raw).map_err(|fault| {
            Invalid::body(format!(
                "the body is not a valid JSON object: {} at byte {}",
                fault.what, fault.at
            ))
        })?;
        let twice = names::twice(&raw, &scan.members);
        Ok(Self {
            raw,
            members: scan.members,
            slots: Vec::new(),
            added: Vec::new(),
            twice,
            encoded_bytes: scan.encoded_bytes,
            modified: false,
        })
    }

    /// The raw JSON of a top-level member; of several with this name the last.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.find(name).map(|place| self.value(place))
    }

    /// A top-level string; `None` where missing or `null`.
    ///
    /// # Errors
    /// The member is of another type.
    pub fn get_string(&self, name: &str) -> Result<Option<Cow<'_, str>>, Invalid> {
        match self.present(name) {
            None => Ok(None),
            Some(value) => string(name, value).map(Some),
        }
    }

    /// A top-level non-negative integer; `None` where missing or `null`.
    ///
    /// # Errors
    /// The member is of another type, negative, or beyond 64 bits.
    pub fn get_u64(&self, name: &str) -> Result<Option<u64>, Invalid> {
        match self.present(name) {
            None => Ok(None),
            Some(value) => integer(name, value).map(Some),
        }
    }

    /// A top-level boolean; `None` where missing or `null`.
    ///
    /// # Errors
    /// The member is of another type.
    pub fn get_bool(&self, name: &str) -> Result<Option<bool>, Invalid> {
        match self.present(name) {
            None => Ok(None),
            Some(value) => boolean(name, value).map(Some),
        }
    }

    /// Whether `to_bytes` will differ from what was parsed.
    pub fn is_modified(&self) -> bool {
        self.modified
    }

    /// Bytes that the model will read as text: encoded images and files count only in part.
    pub(crate) fn text_bytes(&self) -> u64 {
        (self.raw.len() - self.encoded_bytes) as u64
    }

    /// A name that the original has twice at the top level.
    pub(crate) fn name_twice(&self) -> Option<Cow<'_, str>> {
        self.twice
            .map(|position| Key(self.members[position].key.of(&self.raw)).text())
    }

    /// All members as they are now, in the order of the body.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Place, Key<'_>, Raw<'_>)> {
        self.places().map(|place| {
            (
                place,
                self.key(place),
                Raw {
                    bytes: self.value(place),
                    at: 0,
                },
            )
        })
    }

    fn present(&self, name: &str) -> Option<Raw<'_>> {
        self.get(name)
            .map(Raw::new)
            .filter(|value| !value.is_null())
    }

    fn places(&self) -> impl DoubleEndedIterator<Item = Place> {
        let original = (0..self.members.len())
            .filter(|&position| !self.slots.get(position).is_some_and(|slot| slot.removed));
        original
            .map(Place::Original)
            .chain((0..self.added.len()).map(Place::Added))
    }

    fn find(&self, name: &str) -> Option<Place> {
        self.places().rev().find(|&place| self.key(place).is(name))
    }

    /// The name as it is now, escaped.
    fn key(&self, place: Place) -> Key<'_> {
        match place {
            Place::Added(position) => Key(self.added[position].name.as_bytes()),
            Place::Original(position) => match self
                .change(position)
                .and_then(|changed| changed.name.as_ref())
            {
                Some(name) => Key(name.as_bytes()),
                None => Key(self.members[position].key.of(&self.raw)),
            },
        }
    }

    /// The value as it is now.
    pub(crate) fn value(&self, place: Place) -> &[u8] {
        match place {
            Place::Added(position) => &self.added[position].value,
            Place::Original(position) => match self
                .change(position)
                .and_then(|changed| changed.value.as_ref())
            {
                Some(value) => value,
                None => self.members[position].value.of(&self.raw),
            },
        }
    }

    fn change(&self, position: usize) -> Option<&Changed> {
        self.slots.get(position)?.changed.as_deref()
    }

    /// The body as edited: untouched, the very bytes that were parsed; else one copy.
    pub fn to_bytes(&self) -> Bytes {
        if !self.modified {
            return self.raw.clone();
        }
        let mut out = Output {
            raw: &self.raw,
            bytes: Vec::with_capacity(self.raw.len() + self.grown()),
            from: 0,
        };
        let mut kept = false;
        for (position, member) in self.members.iter().enumerate() {
            if self.slots.get(position).is_some_and(|slot| slot.removed) {
                // Behind something kept, the comma before goes; else the comma after.
                let start = if kept {
                    self.members[position - 1].value.end
                } else {
                    member.key.start - 1
                };
                let end = match self.members.get(position + 1) {
                    Some(next) if !kept => next.key.start - 1,
                    _ => member.value.end,
                };
                out.replace(start as usize..end as usize, b"");
                continue;
            }
            kept = true;
            let Some(changed) = self.change(position) else {
                continue;
            };
            if let Some(name) = &changed.name {
                out.replace(
                    member.key.start as usize..member.key.end as usize,
                    name.as_bytes(),
                );
            }
            if let Some(value) = &changed.value {
                out.replace(
                    member.value.start as usize..member.value.end as usize,
                    value,
                );
            }
        }
        if !self.added.is_empty() {
            let end = match self.members.last() {
                Some(last) => last.value.end as usize,
                None => scan::whitespace(&self.raw, 0) + 1,
            };
            out.replace(end..end, b"");
            for added in &self.added {
                if kept {
                    out.bytes.push(b',');
                }
                kept = true;
                out.bytes.push(b'"');
                out.bytes.extend_from_slice(added.name.as_bytes());
                out.bytes.extend_from_slice(b"\":");
                out.bytes.extend_from_slice(&added.value);
            }
        }
        out.finish()
    }

    /// An upper bound of the bytes that edits add.
    fn grown(&self) -> usize {
        let changed = self
            .slots
            .iter()
            .filter_map(|slot| slot.changed.as_deref())
            .map(|changed| {
                changed.name.as_ref().map_or(0, String::len)
                    + changed.value.as_ref().map_or(0, Vec::len)
            });
        let added = self
            .added
            .iter()
            .map(|added| added.name.len() + added.value.len() + 4);
        changed.chain(added).sum()
    }
}

/// Copies the original with some ranges replaced, in order.
struct Output<'a> {
    raw: &'a [u8],
    bytes: Vec<u8>,
    from: usize,
}

impl Output<'_> {
    fn replace(&mut self, range: Range<usize>, with: &[u8]) {
        if range.start > self.from {
            self.bytes
                .extend_from_slice(&self.raw[self.from..range.start]);
        }
        self.bytes.extend_from_slice(with);
        self.from = self.from.max(range.end);
    }

    fn finish(mut self) -> Bytes {
        self.bytes.extend_from_slice(&self.raw[self.from..]);
        self.bytes.into()
    }
}

/// A string that is text.
pub(crate) fn string<'a>(name: &str, value: Raw<'a>) -> Result<Cow<'a, str>, Invalid> {
    match value.inner() {
        Some(inner) if text::is_text(inner) => Ok(text::unescape(inner)),
        Some(_) => Err(Invalid::param(
            name,
            format!("`{name}` has half of a surrogate pair"),
        )),
        None => Err(wrong(name, "a string", value)),
    }
}

/// A non-negative integer of 64 bits.
pub(crate) fn integer(name: &str, value: Raw<'_>) -> Result<u64, Invalid> {
    let text = std::str::from_utf8(value.bytes).unwrap_or_default();
    match text.parse() {
        Ok(number) if value.shape() == Shape::Number => Ok(number),
        _ if value.shape() == Shape::Number && text.len() < 40 => Err(Invalid::param(
            name,
            format!("`{name}` must be a non-negative integer, not {text}"),
        )),
        _ => Err(wrong(name, "a non-negative integer", value)),
    }
}

/// A boolean.
pub(crate) fn boolean(name: &str, value: Raw<'_>) -> Result<bool, Invalid> {
    match value.bytes {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(wrong(name, "a boolean", value)),
    }
}

/// A member of the wrong type.
pub(crate) fn wrong(name: &str, wanted: &str, value: Raw<'_>) -> Invalid {
    Invalid::param(
        name,
        format!("`{name}` must be {wanted}, not {}", value.shape().named()),
    )
}
