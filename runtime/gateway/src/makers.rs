//! Remembers which vendor signed or encrypted what. A client that is served in its vendor's own dialect carries such strings
//! from turn to turn; they do not say whose they are, and another vendor of that dialect that serves the next turn (a failover,
//! another model) refuses them, or gets what is not its own. In memory only, a number for each: what was made before a
//! restart goes where the conversation goes.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::route::Candidate;

/// Marks of one generation; two are remembered, of 16 bytes each: 8 MB at most.
const GENERATION: usize = 256 << 10;

/// Who made what.
#[derive(Debug, Default)]
pub(crate) struct Makers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    families: Vec<Box<str>>,
    young: HashMap<u64, usize>,
    old: HashMap<u64, usize>,
}

impl State {
    fn maker(&self, mark: u64) -> Option<usize> {
        let known = self.young.get(&mark).or_else(|| self.old.get(&mark));
        known.copied()
    }
}

impl Makers {
    /// A vendor of this family made what has these marks.
    pub(crate) fn note(&self, family: &str, marks: &[u64]) {
        if marks.is_empty() {
            return;
        }
        let mut state = self.0.lock();
        let known = state.families.iter().position(|known| **known == *family);
        let family = known.unwrap_or_else(|| {
            state.families.push(family.into());
            state.families.len() - 1
        });
        for mark in marks {
            // Whoever repeats what another one made has not made it.
            if state.maker(*mark).is_none() {
                state.young.insert(*mark, family);
            }
        }
        if state.young.len() >= GENERATION {
            state.old = mem::take(&mut state.young);
        }
    }

    /// Whether anybody else has made anything: most gateways need not look any further.
    pub(crate) fn has_others(&self, family: &str) -> bool {
        let state = self.0.lock();
        state.families.iter().any(|known| **known != *family)
    }

    /// Whether another vendor is known to have made it.
    pub(crate) fn is_foreign(&self, mark: u64, family: &str) -> bool {
        let state = self.0.lock();
        let maker = state.maker(mark);
        maker.is_some_and(|maker| *state.families[maker] != *family)
    }
}

/// Whose answer it is that is given to a client in the vendor's own dialect.
pub(crate) struct Maker {
    pub(crate) makers: Arc<Makers>,
    pub(crate) route: Candidate,
}

impl Maker {
    pub(crate) fn note(&self, marks: &[u64]) {
        self.makers.note(&self.route.upstream.provider_id, marks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_to_be_anothers_is_foreign_and_what_nobody_knows_is_not() {
        let makers = Makers::default();
        makers.note("a", &[1, 2]);
        assert!(!makers.has_others("a") && !makers.is_foreign(1, "a"));
        assert!(makers.has_others("b") && makers.is_foreign(1, "b"));
        makers.note("b", &[2, 3]);
        assert!(makers.has_others("a"));
        let foreign = |family| [1, 2, 3, 4].map(|mark| makers.is_foreign(mark, family));
        assert_eq!(foreign("a"), [false, false, true, false]);
        assert_eq!(foreign("b"), [true, true, false, false]);
    }

    #[test]
    fn memory_is_bounded_and_the_latest_are_remembered() {
        let makers = Makers::default();
        let last = 3 * GENERATION as u64;
        for mark in 0..last {
            makers.note("a", &[mark]);
        }
        let state = makers.0.lock();
        assert!(state.young.len() + state.old.len() <= 2 * GENERATION);
        assert_eq!((state.maker(last - 1), state.maker(0)), (Some(0), None));
    }
}
