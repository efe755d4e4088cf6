//! Which item an event speaks of, and what is known of it.

use std::mem::discriminant;

use super::{Place, Responses};
use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::read::Common;
use crate::bridge::answer::read::items::{Item, Shape};

impl Responses {
    /// The item of this place: by its index, else by its id, else the last one.
    pub(super) fn find(&self, place: Place<'_>) -> Option<usize> {
        self.find_exactly(place).or_else(|| {
            let nowhere = place.item.is_none() && place.id.is_empty();
            let last = self.items.len().checked_sub(1).filter(|_| nowhere)?;
            (!self.items[last].done).then_some(last)
        })
    }

    /// The item of the last snapshot's. Some vendors leave items out of it, so that places do not agree with those of the
    /// events: the item that has both comes first, then the one of the id, then the one of the place.
    pub(super) fn find_in_snapshot(&self, place: Place<'_>) -> Option<usize> {
        if place.id.is_empty() {
            return self.find_exactly(place);
        }
        let mut named = (0..self.items.len()).filter(|&at| self.items[at].id == place.id.bytes());
        let here = named.clone().find(|&at| self.items[at].index == place.item);
        here.or_else(|| named.next_back())
            .or_else(|| self.find_exactly(place))
    }

    /// The item that came as this one of all, of a vendor whose events do not say which they are of: the snapshot says its place.
    pub(super) fn find_by_turn(&mut self, index: u64, id: Escaped<'_>) -> Option<usize> {
        let at = usize::try_from(index).ok()?;
        let item = self.items.get_mut(at)?;
        if item.index.is_some() || !(item.id.is_empty() || id.is_empty()) {
            return None;
        }
        item.index = Some(index);
        Some(at)
    }

    /// Names the item under way, of a vendor whose events do not say which they are of: its last word does.
    pub(super) fn name_last(
        &mut self,
        place: Place<'_>,
        id: Escaped<'_>,
        shape: &Shape,
        common: &mut Common,
    ) {
        if place.item.is_none()
            && place.id.is_empty()
            && let Some(item) = self.items.last_mut()
            && !item.done
            && item.index.is_none()
            && item.id.is_empty()
            && discriminant(&item.shape) == discriminant(shape)
        {
            common.kept += id.bytes().len();
            item.id = id.bytes().to_vec();
        }
    }

    pub(super) fn find_exactly(&self, place: Place<'_>) -> Option<usize> {
        if place.item.is_some()
            && let Some(at) = self.items.iter().rposition(|item| item.index == place.item)
        {
            return Some(at);
        }
        // Ids alone, where an index is missing on one side.
        self.items.iter().rposition(|item| {
            !place.id.is_empty()
                && item.id == place.id.bytes()
                && (item.index.is_none() || place.item.is_none())
        })
    }

    /// What the last word on a text has beyond what was told of it. What contradicts that comes too late.
    pub(super) fn missing<'a>(&self, place: Place<'_>, text: Escaped<'a>) -> Escaped<'a> {
        let Some(at) = self.find(place) else {
            return text;
        };
        let rest = match &self.items[at].shape {
            Shape::Message(contents) => {
                let known = contents.iter().find(|known| known.index == place.content);
                known.map_or(Some(text), |known| known.said.rest(text))
            }
            Shape::Reasoning { thought, .. } => thought.missing(place.content, text),
            Shape::Call { said, .. } => said.rest(text),
            Shape::Other => None,
        };
        rest.unwrap_or_default()
    }

    /// What `text` has beyond the paragraph told last.
    pub(super) fn rest_of_thought<'a>(
        &self,
        place: Place<'_>,
        text: Escaped<'a>,
    ) -> Option<Escaped<'a>> {
        match &self.items[self.find(place)?].shape {
            Shape::Reasoning { thought, .. } => thought.said.rest(text),
            _ => None,
        }
    }

    /// The item of this place, begun if it is not yet.
    pub(super) fn begin(
        &mut self,
        place: Place<'_>,
        common: &mut Common,
        shape: impl FnOnce() -> Shape,
    ) -> &mut Item {
        let at = self.find(place).unwrap_or_else(|| {
            common.place();
            common.kept += place.id.bytes().len();
            self.items.push(Item {
                index: place.item,
                id: place.id.bytes().to_vec(),
                shape: shape(),
                done: false,
            });
            self.items.len() - 1
        });
        &mut self.items[at]
    }
}
