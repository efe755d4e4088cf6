//! How edits change a document: at the top level by marking members, further down by splicing one member's value.

use std::borrow::Cow;

use super::{Added, Changed, Document, Place, Slot};
use crate::json::pointer::{self, dotted};
use crate::json::scan;
use crate::json::splice::{self, Action, Splice};
use crate::json::text;
use crate::json::walk::Raw;
use crate::{Edit, Invalid};

impl Document {
    /// Makes one change; see [`Edit`].
    ///
    /// # Errors
    /// The pointer or the value is malformed, or the body has something else than the edit supposes.
    pub fn apply(&mut self, edit: &Edit) -> Result<(), Invalid> {
        let (pointer, action) = match edit {
            Edit::Set { pointer, value } => (pointer, Action::Set(json(pointer, value)?)),
            Edit::SetDefault { pointer, value } => {
                (pointer, Action::SetDefault(json(pointer, value)?))
            }
            Edit::Remove { pointer } => (pointer, Action::Remove),
            Edit::Rename { pointer, to } => (pointer, Action::Rename(to)),
            Edit::Retain { pointer, names } => (pointer, Action::Retain(names)),
        };
        match plain_name(pointer) {
            Some(name) => self.apply_at(&[Cow::Borrowed(name)], action),
            None => self.apply_at(&pointer::tokens(pointer)?, action),
        }
    }

    fn apply_at(&mut self, path: &[Cow<'_, str>], action: Action<'_>) -> Result<(), Invalid> {
        let [name, rest @ ..] = path else {
            return self.apply_whole(action);
        };
        let Some(place) = self.find(name) else {
            if let Action::Set(value) | Action::SetDefault(value) = action {
                self.add(name, splice::wrapped(rest, value));
            }
            return Ok(());
        };
        if !rest.is_empty() || matches!(action, Action::Retain(_)) {
            let splices = splice::plan(
                Raw {
                    bytes: self.value(place),
                    at: 0,
                },
                path,
                1,
                action,
            )?;
            self.splice(place, &splices);
            return Ok(());
        }
        match action {
            Action::Set(value) => self.set_at(name, place, value),
            Action::SetDefault(value) => {
                if Raw::new(self.value(place)).is_null() {
                    self.remove_others(name, place);
                    self.set_value(place, value.to_vec());
                }
            }
            Action::Remove => self.remove_all(name),
            Action::Rename(to) if to == name => {}
            Action::Rename(to) if self.find(to).is_some() => self.remove_all(name),
            Action::Rename(to) => {
                self.remove_others(name, place);
                self.set_name(place, to);
            }
            Action::Retain(_) => {}
        }
        Ok(())
    }

    /// Sets a member of the top level to a number: the edit that a host makes of nearly every request, without a
    /// pointer to read and a value to check.
    pub(crate) fn set_number(&mut self, name: &str, number: u64) {
        let number = number.to_string();
        match self.find(name) {
            Some(place) => self.set_at(name, place, number.as_bytes()),
            None => self.add(name, number.into_bytes()),
        }
    }

    fn set_at(&mut self, name: &str, place: Place, value: &[u8]) {
        self.remove_others(name, place);
        if self.value(place) != value {
            self.set_value(place, value.to_vec());
        }
    }

    /// An edit whose pointer is empty.
    fn apply_whole(&mut self, action: Action<'_>) -> Result<(), Invalid> {
        match action {
            Action::Retain(names) => {
                self.remove_those(|document, place| {
                    !names.iter().any(|name| document.key(place).is(name))
                });
            }
            Action::Set(value) if Raw::new(value).bytes.first() == Some(&b'{') => {
                *self = Self {
                    modified: true,
                    ..Self::parse(value.to_vec().into())?
                };
            }
            Action::SetDefault(_) => {}
            _ => {
                return Err(Invalid::body(
                    "an edit of the whole body can only set it to an object or retain members",
                ));
            }
        }
        Ok(())
    }

    /// Replaces parts of one member's value. The splices are sorted and count from the value's first byte.
    pub(crate) fn splice(&mut self, place: Place, splices: &[Splice]) {
        if !splices.is_empty() {
            let value = splice::splice(self.value(place), splices);
            self.set_value(place, value);
        }
    }

    fn add(&mut self, name: &str, value: Vec<u8>) {
        self.modified = true;
        self.added.push(Added {
            name: escaped(name),
            value,
        });
    }

    fn set_value(&mut self, place: Place, value: Vec<u8>) {
        self.modified = true;
        match place {
            Place::Added(position) => self.added[position].value = value,
            Place::Original(position) => self.changed(position).value = Some(value),
        }
    }

    fn set_name(&mut self, place: Place, name: &str) {
        self.modified = true;
        match place {
            Place::Added(position) => self.added[position].name = escaped(name),
            Place::Original(position) => self.changed(position).name = Some(escaped(name)),
        }
    }

    fn remove(&mut self, place: Place) {
        self.modified = true;
        match place {
            Place::Added(position) => {
                self.added.remove(position);
            }
            Place::Original(position) => self.slot(position).removed = true,
        }
    }

    fn remove_all(&mut self, name: &str) {
        self.remove_those(|document, place| document.key(place).is(name));
    }

    /// Makes a name single that the original had twice, so that nobody reads the other one.
    fn remove_others(&mut self, name: &str, keep: Place) {
        if self.twice.is_some() {
            self.remove_those(|document, place| place != keep && document.key(place).is(name));
        }
    }

    fn remove_those(&mut self, goes: impl Fn(&Self, Place) -> bool) {
        let going: Vec<_> = self.places().filter(|&place| goes(self, place)).collect();
        // From the back, so that the positions of added members stay true.
        going.into_iter().rev().for_each(|place| self.remove(place));
    }

    fn slot(&mut self, position: usize) -> &mut Slot {
        if self.slots.is_empty() {
            self.slots.resize_with(self.members.len(), Slot::default);
        }
        &mut self.slots[position]
    }

    fn changed(&mut self, position: usize) -> &mut Changed {
        self.slot(position).changed.get_or_insert_default()
    }
}

/// The name in a pointer of one plain token: the usual case, without a list.
fn plain_name(pointer: &str) -> Option<&str> {
    pointer
        .strip_prefix('/')
        .filter(|name| !name.bytes().any(|byte| byte == b'/' || byte == b'~'))
}

/// A name as it stands between quotes.
fn escaped(name: &str) -> String {
    let mut out = Vec::with_capacity(name.len());
    text::escape(&mut out, name);
    String::from_utf8(out).unwrap_or_default()
}

/// The value of an edit, checked.
fn json<'a>(pointer: &str, value: &'a str) -> Result<&'a [u8], Invalid> {
    let value = value.trim_matches([' ', '\n', '\r', '\t']).as_bytes();
    if scan::is_value(value) {
        return Ok(value);
    }
    let place = pointer::tokens(pointer)
        .map(|tokens| dotted(&tokens))
        .unwrap_or_default();
    Err(Invalid::body(format!(
        "the value that an edit gives to `{place}` is not JSON"
    )))
}
