//! The efforts that a model knows, and the nearest of them to one that is asked for.

use super::request::Effort;

/// What manifests list as `effort-low` and its like. None listed: which the model knows is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Efforts([bool; 6]);

/// From the least to the hardest. Not to think at all is none of them.
const LEVELS: [Effort; 6] = [
    Effort::Minimal,
    Effort::Low,
    Effort::Medium,
    Effort::High,
    Effort::Xhigh,
    Effort::Max,
];

impl Efforts {
    /// Adds what an ability says, if it is about efforts.
    pub(super) fn learn(&mut self, ability: &str) {
        let Some(name) = ability.strip_prefix("effort-") else {
            return;
        };
        for (level, known) in LEVELS.iter().zip(&mut self.0) {
            *known |= level.as_str() == name;
        }
    }

    /// Those that the model knows, from the least to the hardest.
    fn known(self) -> impl DoubleEndedIterator<Item = Effort> {
        let pairs = LEVELS.into_iter().zip(self.0);
        pairs.filter_map(|(level, known)| known.then_some(level))
    }

    /// Their names, from the least to the hardest.
    pub(crate) fn names(self) -> Vec<&'static str> {
        self.known().map(Effort::as_str).collect()
    }

    /// The least that the model knows.
    pub(super) fn least(self) -> Option<Effort> {
        self.known().next()
    }

    /// The nearest that the model knows; of two as near the harder, so that nobody gets less than was asked for without
    /// need. What was asked for where it is not known which those are.
    pub(super) fn nearest(self, asked: Effort) -> Effort {
        let place = |effort| {
            LEVELS
                .iter()
                .position(|level| *level == effort)
                .unwrap_or(0)
        };
        // The first of equals is taken.
        let near = self.known().rev();
        near.min_by_key(|level| place(*level).abs_diff(place(asked)))
            .unwrap_or(asked)
    }

    /// The name of the nearest that the model knows to `medium`.
    pub(crate) fn middle(self) -> &'static str {
        self.nearest(Effort::Medium).as_str()
    }
}
