//! The whole response, which is also a stream's last word on everything.

use super::{Place, Responses};
use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::event::{Event, Sink, Stop};
use crate::bridge::answer::failure;
use crate::bridge::answer::read::items::Shape;
use crate::bridge::answer::read::{Common, MOST_PLACES};
use crate::json::walk::Raw;

impl Responses {
    /// The whole response: in a stream only for what its events left out.
    pub(super) fn response(
        &mut self,
        response: Raw<'_>,
        whole: bool,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        if !is_complete(response, whole) {
            let told = crate::stream::failure(common.operation, response);
            let (code, message) = told.unwrap_or_default();
            if let Some(usage) = common.told() {
                sink.event(Event::Usage(usage));
            }
            let failure = if code.is_empty() && message.is_empty() {
                failure::unfinished()
            } else {
                failure::told(&code, message)
            };
            return common.fail(failure, sink);
        }
        common.tier(response.get("service_tier"));
        self.start(sink);
        let told = self.items.len();
        // How many items of each sort there were.
        let mut turns = [0; 4];
        for (index, item) in response
            .get("output")
            .into_iter()
            .flat_map(Raw::items)
            .enumerate()
        {
            if index >= MOST_PLACES {
                return common.fail(failure::too_large(), sink);
            }
            let nowhere = Place::default();
            let place = Place {
                item: Some(index as u64),
                ..if whole { nowhere } else { nowhere.of(item) }
            };
            let sort = Shape::of(item).sort();
            let turn = &mut turns[sort as usize];
            let known = self.find_in_snapshot(place, sort, (*turn, told), item);
            *turn += 1;
            if known.is_none_or(|at| !self.items[at].done) {
                let index = known.and_then(|at| self.items[at].index);
                let place = Place {
                    item: index.or(place.item),
                    ..place
                };
                self.item(place, item, common, sink);
            }
        }
        let incomplete = response.at_pointer("/incomplete_details/reason");
        let stop = match incomplete.and_then(Escaped::some) {
            Some(reason) => match Stop::from_word(reason) {
                // Whatever else made it incomplete, it is not complete.
                None | Some(Stop::Turn) => Stop::Length,
                Some(stop) => stop,
            },
            None if response
                .get("status")
                .is_some_and(|status| status.is_word("incomplete")) =>
            {
                Stop::Length
            }
            None => Stop::Turn,
        };
        self.stop(stop, common, sink);
    }

    pub(super) fn stop(&mut self, stop: Stop<'_>, common: &mut Common, sink: &mut dyn Sink) {
        self.start(sink);
        // What was broken off may have lost a name; what is complete may not.
        if stop == Stop::Turn && self.items.iter().any(|item| self.is_lost(item)) {
            return common.fail(failure::nameless(), sink);
        }
        sink.event(Event::Stop(stop));
        for item in &mut self.items {
            item.close(sink);
        }
        common.end(sink);
    }
}

/// Whether the vendor calls this response complete, or cut short. The event of a stream says that of itself, and the
/// status in it can only say that there will be no answer. A client across the bridge cannot wait for one that is queued.
fn is_complete(response: Raw<'_>, whole: bool) -> bool {
    let Some(status) = response.get("status") else {
        let output = response.get("output");
        return !whole || output.is_some_and(|output| output.items().next().is_some());
    };
    let says = |words: &[&str]| words.iter().any(|word| status.is_word(word));
    if whole {
        says(&["completed", "incomplete"])
    } else {
        !says(&["failed", "cancelled"])
    }
}
