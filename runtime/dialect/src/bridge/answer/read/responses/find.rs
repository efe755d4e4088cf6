//! Which item an event speaks of, and what is known of it. Vendors say it by the item's index, by its id or by its call's, by
//! some of them in some events, or not at all; and some count wrong.

use super::item::prose_of;
use super::{Place, Responses};
use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::event::word;
use crate::bridge::answer::read::Common;
use crate::bridge::answer::read::items::{Item, Shape, Sort};
use crate::bridge::answer::read::said::Said;
use crate::json::walk::Raw;

/// How well a place fits an item of the sort that is meant, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// No mark that both have says otherwise, and the item is under way.
    Open,
    /// It is named under another index and is under way: some vendors count on before an item has ended.
    OpenName,
    /// It is named, and one of the two has no index. Under another index it would be no mark: some vendors use an id again.
    Name,
    /// It has the index. Some vendors name it otherwise in each event.
    Index,
    /// It has the index and the name: some vendors give one index to several items.
    Both,
}

impl<'a> Place<'a> {
    /// With what the item says of itself.
    pub(super) fn of(self, item: Raw<'a>) -> Self {
        // Some vendors name the item within it as they do beside it.
        let ids = [self.id, word(item, "id"), word(item, "item_id")];
        let known = ids.into_iter().find(|id| !id.is_empty());
        Self {
            id: known.unwrap_or_default(),
            call_id: word(item, "call_id"),
            ..self
        }
    }

    /// Whether it names this item by an id that is the item's, there or here.
    fn names(self, item: &Item) -> bool {
        let same = |known: &[u8], id: Escaped<'_>| !id.is_empty() && known == id.bytes();
        same(&item.id, self.id) || same(&item.call_id, self.id) || same(&item.id, self.call_id)
    }

    fn names_same_call(self, item: &Item) -> bool {
        !self.call_id.is_empty() && item.call_id == self.call_id.bytes()
    }

    /// Whether it names this item's call, which is under way, where one of them has no id. Some vendors use a call's id again.
    fn names_call(self, item: &Item) -> bool {
        (self.id.is_empty() || item.id.is_empty()) && self.names_same_call(item) && !item.done
    }

    /// How well it fits this item; nothing where it is another's.
    fn fit(self, item: &Item) -> Option<Fit> {
        let here = self.item.is_some() && item.index == self.item;
        let one_lacks = self.one_lacks(item);
        let named = self.names(item);
        Some(match () {
            () if here && named => Fit::Both,
            () if here => Fit::Index,
            () if one_lacks && (named || self.names_call(item)) => Fit::Name,
            () if named && !item.done => Fit::OpenName,
            () if !item.done && self.may_be(item) => Fit::Open,
            () => return None,
        })
    }

    /// Whether it may be this item's, which it does not name: by no mark that both have it is another's.
    fn may_be(self, item: &Item) -> bool {
        self.one_lacks(item) && self.is_not_another(item)
    }

    /// Whether an index is missing on one side, so that they cannot differ by it.
    fn one_lacks(self, item: &Item) -> bool {
        self.item.is_none() || item.index.is_none()
    }

    /// Whether what is announced here is this item, which has its index: some vendors give one index to several items.
    pub(super) fn may_announce(self, item: &Item) -> bool {
        item.shape.is_nameless() || self.names(item) || self.is_not_another(item)
    }

    /// Whether no id that both have says that it is another's, of an item that it does not name.
    fn is_not_another(self, item: &Item) -> bool {
        let agree = |known: &[u8], id: Escaped<'_>| {
            id.is_empty() || known.is_empty() || known == id.bytes()
        };
        agree(&item.id, self.id) && agree(&item.call_id, self.call_id)
    }

    fn is_unmarked(self) -> bool {
        self.item.is_none() && self.id.is_empty() && self.call_id.is_empty()
    }
}

impl Responses {
    /// The item of this place: the one that it marks, else the last one under way of this sort that it may be.
    pub(super) fn find(&self, place: Place<'_>, sort: Sort) -> Option<usize> {
        self.likeliest(place, sort).map(|(_, at)| at)
    }

    /// The item of this sort that the place marks.
    pub(super) fn find_exactly(&self, place: Place<'_>, sort: Sort) -> Option<usize> {
        let found = self.likeliest(place, sort);
        found.filter(|(fit, _)| *fit >= Fit::Name).map(|(_, at)| at)
    }

    /// Of those that fit alike the last one. One look at each: a vendor may send thousands of items.
    fn likeliest(&self, place: Place<'_>, sort: Sort) -> Option<(Fit, usize)> {
        let surest = match place.id.is_empty() && place.call_id.is_empty() {
            true => Fit::Index,
            false => Fit::Both,
        };
        let (mut likeliest, mut open) = (None, 0);
        for (at, item) in self.items.iter().enumerate().rev() {
            if item.shape.sort() != sort {
                continue;
            }
            let fit = place.fit(item).map(|fit| (fit, at));
            if fit.is_some_and(|(fit, _)| fit == surest) {
                return fit;
            }
            open += u32::from(matches!(fit, Some((Fit::Open, _))));
            if fit.map(|(fit, _)| fit) > likeliest.map(|(fit, _)| fit) {
                likeliest = fit;
            }
        }
        // A mark that nobody knows is one of several: which, the last words say.
        let guessed =
            |(fit, _): &(Fit, usize)| *fit == Fit::Open && open > 1 && !place.is_unmarked();
        likeliest.filter(|likeliest| !guessed(likeliest))
    }

    /// The item of the last snapshot's, which is the `turn`-th of its sort there. Some vendors leave items out of it, order them
    /// otherwise or name them anew, so that places do not agree with those of the events: the item that has both comes first,
    /// then the one of the id, then the one of the place, then the one of its turn, where the ids do not say otherwise, then one
    /// that says the same. The last two are among the first `told` items, of which the events told.
    pub(super) fn find_in_snapshot(
        &mut self,
        place: Place<'_>,
        sort: Sort,
        (turn, told): (usize, usize),
        item: Raw<'_>,
    ) -> Option<usize> {
        let here = |at: &usize| self.items[*at].index == place.item;
        let mut named = (0..self.items.len()).filter(|&at| place.names(&self.items[at]));
        let of_sort = || (0..told).filter(|&at| self.items[at].shape.sort() == sort);
        let at = named
            .clone()
            .find(here)
            .or_else(|| named.next_back())
            .or_else(|| self.find_exactly(place, sort))
            .or_else(|| {
                let at = of_sort().nth(turn);
                at.filter(|&at| place.is_not_another(&self.items[at]))
            })
            .or_else(|| {
                let words = Words::of(item);
                of_sort().find(|&at| !self.items[at].claimed && words.are_of(&self.items[at]))
            })?;
        let item = &mut self.items[at];
        item.index = item.index.or(place.item);
        item.claimed = true;
        Some(at)
    }

    /// The call whose arguments came without any mark, before it was announced.
    pub(super) fn find_unannounced(&self, sort: Sort) -> Option<usize> {
        let last = self.items.len().checked_sub(1)?;
        let item = &self.items[last];
        let unmarked = item.index.is_none() && item.id.is_empty() && item.call_id.is_empty();
        (sort == Sort::Call && unmarked && item.shape.is_nameless()).then_some(last)
    }

    /// What the last word on a text has beyond what was told of it. What contradicts that comes too late.
    pub(super) fn missing<'a>(
        &self,
        place: Place<'_>,
        sort: Sort,
        text: Escaped<'a>,
    ) -> Escaped<'a> {
        if let Some(at) = self.find(place, sort) {
            return self.items[at].missing(place, text).unwrap_or_default();
        }
        // Without a mark it may come behind the item's own end.
        let again = self.last_ended(place, sort).is_some_and(|item| {
            let rest = item.missing(place, text);
            match sort {
                // Only its last paragraph is known.
                Sort::Reasoning => rest.is_none_or(|rest| rest.is_empty()),
                _ => rest.is_some_and(|rest| rest.is_empty()),
            }
        });
        if again { Escaped::default() } else { text }
    }

    /// Whether the last word on an item says again what that on the one before it said, and does not say which it is.
    pub(super) fn is_repeated(&self, place: Place<'_>, sort: Sort, item: Raw<'_>) -> bool {
        let Some(last) = self.last_ended(place, sort) else {
            return false;
        };
        if self.find(place, sort).is_some() {
            return false;
        }
        let agrees = sort != Sort::Call || place.names_same_call(last);
        agrees && Words::of(item).are_of(last)
    }

    /// The last item of all, if it is of this sort, has ended, and may be that of this place.
    fn last_ended(&self, place: Place<'_>, sort: Sort) -> Option<&Item> {
        let last = self.items.last()?;
        (last.done && last.shape.sort() == sort && place.may_be(last)).then_some(last)
    }

    /// What `text` has beyond the paragraph told last.
    pub(super) fn rest_of_thought<'a>(
        &self,
        place: Place<'_>,
        text: Escaped<'a>,
    ) -> Option<Escaped<'a>> {
        match &self.items[self.find(place, Sort::Reasoning)?].shape {
            Shape::Reasoning { thought, .. } => thought.said.rest(text),
            _ => None,
        }
    }

    /// Whether it is a call that nobody can be told of, and whose arguments no other call was told with.
    pub(super) fn is_lost(&self, item: &Item) -> bool {
        item.shape.is_nameless() && !self.is_told(item)
    }

    /// Whether another call was told with these arguments: they came under a wrong mark.
    fn is_told(&self, item: &Item) -> bool {
        let Shape::Call { said, .. } = &item.shape else {
            return false;
        };
        let told = |other: &Item| matches!(&other.shape, Shape::Call { part: Some(_), said: its, .. } if its == said);
        !said.is_empty() && self.items.iter().any(told)
    }

    /// Takes from a call that is announced what was another's.
    pub(super) fn forget_told(&mut self, at: usize, common: &mut Common) {
        if self.is_told(&self.items[at])
            && let Shape::Call { said, early, .. } = &mut self.items[at].shape
        {
            common.kept = common.kept.saturating_sub(early.len());
            (*said, *early) = Default::default();
        }
    }

    /// The item of this place, begun if it is not yet.
    pub(super) fn begin(
        &mut self,
        place: Place<'_>,
        common: &mut Common,
        shape: Shape,
    ) -> &mut Item {
        let at = self
            .find(place, shape.sort())
            .unwrap_or_else(|| self.push(place, shape, common));
        self.mark(at, place, common);
        &mut self.items[at]
    }

    /// Begins an item. Returns where it is.
    pub(super) fn push(&mut self, place: Place<'_>, shape: Shape, common: &mut Common) -> usize {
        common.place();
        self.items.push(Item {
            index: None,
            id: Vec::new(),
            call_id: Vec::new(),
            shape,
            done: false,
            claimed: false,
        });
        let at = self.items.len() - 1;
        self.mark(at, place, common);
        at
    }

    /// Notes what marks an item, where that was not known.
    pub(super) fn mark(&mut self, at: usize, place: Place<'_>, common: &mut Common) {
        let item = &mut self.items[at];
        item.index = item.index.or(place.item);
        for (known, id) in [(&mut item.id, place.id), (&mut item.call_id, place.call_id)] {
            if known.is_empty() {
                common.kept += id.bytes().len();
                known.extend_from_slice(id.bytes());
            }
        }
    }
}

/// All that a whole item says, to be compared with what was told of one.
struct Words {
    said: Vec<Said>,
}

impl Words {
    fn of(item: Raw<'_>) -> Self {
        let all = |name: &str| item.get(name).into_iter().flat_map(Raw::items);
        let said = match Shape::of(item).sort() {
            Sort::Message => {
                let texts = all("content").filter_map(prose_of);
                texts.map(|(_, text)| Said::of(text)).collect()
            }
            // Of what was told only the last paragraph is known.
            Sort::Reasoning => {
                let last = all("summary").chain(all("content")).last();
                last.map(|text| Said::of(word(text, "text")))
                    .into_iter()
                    .collect()
            }
            Sort::Call => {
                let inputs = [word(item, "arguments"), word(item, "input")];
                let input = inputs.into_iter().find(|input| !input.is_empty());
                input.map(Said::of).into_iter().collect()
            }
            Sort::Other => Vec::new(),
        };
        Self { said }
    }

    /// Whether they are what was told of this item. Where nothing is said, nothing can be compared.
    fn are_of(&self, item: &Item) -> bool {
        let told = |said: &[&Said]| said.iter().copied().eq(&self.said);
        let same = match &item.shape {
            Shape::Message(message) => {
                let contents = message.contents.iter();
                told(&contents.map(|content| &content.said).collect::<Vec<_>>())
            }
            Shape::Reasoning { thought, .. } => told(&[&thought.said]),
            Shape::Call { said, .. } => told(&[said]),
            Shape::Other => false,
        };
        same && self.said.iter().any(|said| !said.is_empty())
    }
}

impl Item {
    /// What the last word on the text at this place of its content has beyond what was told; nothing where it contradicts.
    fn missing<'a>(&self, place: Place<'_>, text: Escaped<'a>) -> Option<Escaped<'a>> {
        match &self.shape {
            Shape::Message(message) => match message.find(place.content, place.refusal) {
                Some(at) => message.contents[at].said.rest(text),
                None => Some(text),
            },
            Shape::Reasoning { thought, .. } => thought.missing(place.content, text),
            Shape::Call { said, .. } => said.rest(text),
            Shape::Other => None,
        }
    }
}
