//! Short ways to say no, and to say what to replace.

use crate::{Denial, Judgement, Replacement, Verdict};

impl Denial {
    /// A denial: `reason` is a short stable word for machines, `message` a sentence for the person who asked.
    ///
    /// ```
    /// let denial = tollgate_guest::Denial::new("too-long", "Please send at most one page.");
    /// assert_eq!(denial.reason, "too-long");
    /// ```
    pub fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            message: message.into(),
            extensions: Vec::new(),
        }
    }
}

impl Verdict {
    /// A verdict that denies; the arguments are those of [`Denial::new`].
    ///
    /// ```
    /// use tollgate_guest::Verdict;
    /// assert!(matches!(Verdict::deny("closed", "We are closed."), Verdict::Deny(_)));
    /// ```
    pub fn deny(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Deny(Denial::new(reason, message))
    }
}

impl Judgement {
    /// `Replace` with what the iterator yields, or `Keep` if it yields nothing.
    ///
    /// ```
    /// use tollgate_guest::Judgement;
    /// assert_eq!(Judgement::replacing([]), Judgement::Keep);
    /// ```
    pub fn replacing(replacements: impl IntoIterator<Item = Replacement>) -> Self {
        let replacements: Vec<_> = replacements.into_iter().collect();
        if replacements.is_empty() {
            Self::Keep
        } else {
            Self::Replace(replacements)
        }
    }
}
