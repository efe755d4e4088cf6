//! Names that mean nothing now: limits for models of which none is served, lists with models that there are not, maps to
//! them. They may come to mean something, so they are kept; but nobody may believe that they do.
//!
//! What is refused where it is set is in `known`; this is about what became so later, by a model map or an upstream, and
//! about typing errors, which no check can tell from a model that is yet to come.

use std::collections::HashSet;

use tollgate_governance::{Account, Path, pattern_matches};

use super::views::ProblemView;
use super::{Control, State};
use crate::snapshot::Snapshot;

/// Notes of one answer; a tree in which more is wrong is told how much more.
const NOTES: usize = 20;

/// Tells what means nothing: of what is served, and of what the tree's model maps make of it.
pub(super) struct Idle<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// Whether some account's map has a name as one that is asked for.
    pub(super) is_asked_for: &'a dyn Fn(&str) -> bool,
    /// Whether some account's map serves a model for another name.
    pub(super) is_served_for_another: &'a dyn Fn(&str) -> bool,
}

impl Idle<'_> {
    /// Why a limit for these models counts no request now; none if it counts. `path` ends at the account that set it.
    pub(super) fn limit(&self, path: &Path, pattern: &str) -> Option<String> {
        // What is asked for under a name that a map has is counted under the name that it is served as.
        let mapped = |id: &str| {
            let served = path.mapped(id).filter(|served| *served != id)?;
            (!(self.is_served_for_another)(id)).then(|| served.to_owned())
        };
        if !pattern.contains('*') {
            if let Some(why) = self.other_spelling(pattern) {
                return Some(why);
            }
            return match self.snapshot.knows(pattern) {
                false => Some(no_model(pattern)),
                true => mapped(pattern)
                    .map(|served| format!("`{pattern}` is served and counted as `{served}`")),
            };
        }
        if self.snapshot.takes_any() {
            return None;
        }
        let models = self.snapshot.models();
        let mut matching = models.filter(|id| pattern_matches(pattern, id)).peekable();
        if matching.peek().is_none() {
            return Some(no_model(pattern));
        }
        matching.all(|id| mapped(id).is_some()).then(|| {
            format!(
                "what `{pattern}` matches is served and counted as other models, by a model map"
            )
        })
    }

    /// Why an entry of a list of models means nothing now. Whatever a client may write counts: what a map knows, too.
    fn listed(&self, name: &str) -> Option<String> {
        if name.contains('*') {
            let names = || self.snapshot.names();
            let matches =
                self.snapshot.takes_any() || names().any(|one| pattern_matches(name, one));
            return (!matches).then(|| no_model(name));
        }
        if (self.is_asked_for)(name) {
            return None;
        }
        let unknown = || (!self.snapshot.knows(name)).then(|| no_model(name));
        self.other_spelling(name).or_else(unknown)
    }

    fn other_spelling(&self, name: &str) -> Option<String> {
        let own = self.snapshot.limited_as(name)?;
        Some(format!("`{name}` is counted as `{own}`"))
    }

    /// Everything of an account that means nothing now.
    pub(super) fn of(&self, account: &Account, path: &Path) -> Vec<String> {
        let mut notes = Vec::new();
        for pattern in account.model_limits.keys() {
            if let Some(why) = self.limit(path, pattern) {
                notes.push(format!("its limit for `{pattern}` limits nothing: {why}"));
            }
        }
        for name in &account.denied_models {
            if let Some(why) = self.listed(name) {
                notes.push(format!("that it denies `{name}` denies nothing: {why}"));
            }
        }
        for name in account.models.iter().flatten() {
            if let Some(why) = self.listed(name) {
                notes.push(format!("that it allows `{name}` allows nothing: {why}"));
            }
        }
        for (asked, served) in &account.model_map {
            if !self.snapshot.knows(served) {
                let why = no_model(served);
                notes.push(format!("its map of `{asked}` leads nowhere: {why}"));
            }
        }
        notes
    }
}

fn no_model(pattern: &str) -> String {
    match pattern.contains('*') {
        true => format!("no model that is served matches `{pattern}`"),
        false => format!("no model `{pattern}` is served"),
    }
}

fn names_models(account: &Account) -> bool {
    !account.model_limits.is_empty()
        || !account.denied_models.is_empty()
        || account.models.is_some()
        || !account.model_map.is_empty()
}

impl State {
    /// Whether some account's map serves a model for another name that is asked for.
    pub(super) fn serves_for_another(&self, model: &str) -> bool {
        let mut accounts = self.directory.accounts();
        accounts.any(|account| account.model_map.values().any(|served| served == model))
    }

    pub(super) fn asks_for(&self, name: &str) -> bool {
        let mut accounts = self.directory.accounts();
        accounts.any(|account| account.model_map.contains_key(name))
    }

    /// What of one account means nothing. Others are looked at only where that is in doubt.
    pub(super) fn idle_of(
        &self,
        snapshot: &Snapshot,
        account: &Account,
        path: &Path,
    ) -> Vec<String> {
        let idle = Idle {
            snapshot,
            is_asked_for: &|name| self.asks_for(name),
            is_served_for_another: &|model| self.serves_for_another(model),
        };
        idle.of(account, path)
    }
}

impl Control {
    /// Everything in the tree that means nothing now.
    pub(super) fn idle(&self, state: &State) -> Vec<ProblemView> {
        let snapshot = self.snapshot();
        // Gathered once: an organisation has as many accounts with lists as it likes.
        let accounts = || state.directory.accounts();
        let maps = || accounts().flat_map(|account| &account.model_map);
        let asked_for: HashSet<&str> = maps().map(|(asked, _)| asked.as_str()).collect();
        let served: HashSet<&str> = maps().map(|(_, served)| served.as_str()).collect();
        let idle = Idle {
            snapshot: &snapshot,
            is_asked_for: &|name| asked_for.contains(name),
            is_served_for_another: &|model| served.contains(model),
        };
        let mut notes = Vec::new();
        for account in accounts().filter(|account| names_models(account)) {
            if let Some(path) = state.directory.path(account.id) {
                notes.extend(idle.of(account, &path).into_iter().map(|why| ProblemView {
                    what: format!("account {}", path.names()),
                    why,
                }));
            }
        }
        for key in state.directory.working_keys() {
            let listed = key.scope.models.iter().flatten();
            let idle = listed.filter_map(|name| Some((name, idle.listed(name)?)));
            notes.extend(idle.map(|(name, why)| ProblemView {
                what: format!("key {}", key.prefix),
                why: format!("that its scope has `{name}` allows nothing: {why}"),
            }));
        }
        notes.sort_by(|one, other| one.what.cmp(&other.what));
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
