//! One answer at a time in a conversation: two at once would both go on from the same answer, and the conversation would
//! know of one of them alone.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Conversations that an answer is being added to.
#[derive(Debug, Default)]
pub(super) struct Underway(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    /// Who is in each, by a number that nobody else has.
    held: HashMap<Box<str>, u64>,
    next: u64,
}

/// A place in a conversation, given back at the latest when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    underway: Arc<Underway>,
    conversation: Box<str>,
    number: u64,
}

impl Underway {
    /// The place of a conversation; none while somebody has it.
    pub(super) fn enter(self: &Arc<Self>, conversation: &str) -> Option<Place> {
        let mut places = self.0.lock();
        if places.held.contains_key(conversation) {
            return None;
        }
        places.next += 1;
        let number = places.next;
        places.held.insert(conversation.into(), number);
        Some(Place {
            underway: Arc::clone(self),
            conversation: conversation.into(),
            number,
        })
    }
}

impl Place {
    /// Lets the next one in. Whoever has come in since then stays.
    pub(super) fn leave(&self) {
        let mut places = self.underway.0.lock();
        if places.held.get(&self.conversation) == Some(&self.number) {
            places.held.remove(&self.conversation);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_left_early_does_not_put_out_the_next_one_when_he_is_gone() {
        let underway = Arc::new(Underway::default());
        let first = underway.enter("conv_1").unwrap();
        assert!(underway.enter("conv_1").is_none());
        assert!(underway.enter("conv_2").is_some());
        first.leave();
        let second = underway.enter("conv_1").unwrap();
        drop(first);
        assert!(underway.enter("conv_1").is_none());
        drop(second);
        assert!(underway.enter("conv_1").is_some());
        assert!(underway.0.lock().held.is_empty());
    }
}
