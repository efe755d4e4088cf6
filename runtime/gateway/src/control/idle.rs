//! Names that mean nothing now: a limit for models of which none is served, and a denied model that there is not. Both may
//! come to mean something, so they are kept; but nobody may believe that they do.
//!
//! What is refused where it is set is in `known`; this is about what became so later, by a model map or an upstream, and
//! about typing errors, which no check can tell from a model that is yet to come.

use std::collections::HashSet;

use tollgate_governance::{Path, pattern_matches};

use super::views::ProblemView;
use super::{Control, State};
use crate::snapshot::Snapshot;

/// Notes of one answer; a tree in which more is wrong is told how much more.
const NOTES: usize = 20;

/// Why a limit for these models counts no request now; none if it counts. `path` ends at the account that set it.
pub(super) fn limit(
    snapshot: &Snapshot,
    path: &Path,
    pattern: &str,
    is_served_for_another: impl Fn(&str) -> bool,
) -> Option<String> {
    if pattern.contains('*') {
        return (!serves(snapshot, pattern)).then(|| no_model(pattern));
    }
    if let Some(name) = snapshot.limited_as(pattern) {
        return Some(format!("`{pattern}` is counted as `{name}`"));
    }
    if !snapshot.knows(pattern) {
        return Some(no_model(pattern));
    }
    let mapped = path.mapped(pattern).filter(|served| *served != pattern)?;
    (!is_served_for_another(pattern))
        .then(|| format!("`{pattern}` is served and counted as `{mapped}`"))
}

fn no_model(pattern: &str) -> String {
    match pattern.contains('*') {
        true => format!("no model that is served matches `{pattern}`"),
        false => format!("no model `{pattern}` is served"),
    }
}

/// Whether a model of this pattern is served under its own name.
fn serves(snapshot: &Snapshot, pattern: &str) -> bool {
    snapshot.takes_any() || snapshot.models().any(|id| pattern_matches(pattern, id))
}

impl State {
    /// Whether some account's map serves a model for another name that is asked for.
    pub(super) fn serves_for_another(&self, model: &str) -> bool {
        let mut accounts = self.directory.accounts();
        accounts.any(|account| account.model_map.values().any(|served| served == model))
    }
}

impl Control {
    /// Every limit and every denied model of the tree that means nothing now.
    pub(super) fn idle(&self, state: &State) -> Vec<ProblemView> {
        let snapshot = self.snapshot();
        // Gathered once: an organisation has as many accounts with limits as it likes.
        let maps = || {
            state
                .directory
                .accounts()
                .flat_map(|account| &account.model_map)
        };
        let asked_for: HashSet<&str> = maps().map(|(asked, _)| asked.as_str()).collect();
        let served: HashSet<&str> = maps().map(|(_, served)| served.as_str()).collect();
        // Whatever name a client may write: an alias, too, and what a map makes another of.
        let means = |name: &String| match name.contains('*') {
            true => snapshot.takes_any() || snapshot.names().any(|one| pattern_matches(name, one)),
            false => snapshot.knows(name) || asked_for.contains(name.as_str()),
        };
        let mut notes = Vec::new();
        for account in state.directory.accounts() {
            if account.model_limits.is_empty() && account.denied_models.is_empty() {
                continue;
            }
            let Some(path) = state.directory.path(account.id) else {
                continue;
            };
            let limits = account.model_limits.keys();
            let limits = limits.filter_map(|pattern| {
                let why = limit(&snapshot, &path, pattern, |name| served.contains(name))?;
                Some(format!("its limit for `{pattern}` limits nothing: {why}"))
            });
            let denied = account.denied_models.iter().filter(|name| !means(name));
            let denied =
                denied.map(|name| format!("it denies what is not there: {}", no_model(name)));
            notes.extend(limits.chain(denied).map(|why| ProblemView {
                what: format!("account {}", path.names()),
                why,
            }));
        }
        let more = notes.len().saturating_sub(NOTES);
        if more > 0 {
            notes.truncate(NOTES);
            notes.push(ProblemView {
                what: "accounts".to_owned(),
                why: format!("{more} more names that mean nothing"),
            });
        }
        notes
    }
}
