//! Upstreams: where model traffic goes.

use std::sync::Arc;

use tollgate_governance::{Upstream, UpstreamDraft};

use super::audit::{Act, Actor};
use super::change::Proposal;
use super::error::ControlError;
use super::views::{Deleted, UpstreamList, UpstreamView};
use super::{Control, known, now_ms};
use crate::snapshot::Problem;

impl Control {
    /// Adds or replaces an upstream. If its provider does not accept it the old one stays.
    ///
    /// # Errors
    /// A value is wrong, the provider or credential is not there, or the component refuses the configuration.
    pub fn set_upstream(
        &self,
        name: &str,
        draft: UpstreamDraft,
    ) -> Result<UpstreamView, ControlError> {
        self.set_upstream_as(Actor::ManagementToken, name, draft)
    }

    pub(super) fn set_upstream_as(
        &self,
        actor: Actor,
        name: &str,
        draft: UpstreamDraft,
    ) -> Result<UpstreamView, ControlError> {
        self.look_again_for(|loaded| loaded.providers.contains_key(&draft.provider));
        let mut state = self.state.lock();
        if draft.provider.is_empty() {
            return Err(ControlError::invalid(
                "provider",
                "name the provider component",
            ));
        }
        if !state.generation.providers.contains_key(&draft.provider) {
            let known: Vec<_> = state
                .generation
                .providers
                .keys()
                .map(String::as_str)
                .collect();
            return Err(ControlError::invalid(
                "provider",
                format!(
                    "no provider component `{}` is loaded; there are: {}",
                    draft.provider,
                    known.join(", ")
                ),
            ));
        }
        known::models(&draft.models)?;
        let (upstream, changes) = state.directory.put_upstream(name, draft, now_ms())?;
        let proposal = Proposal {
            upstream: Some(Arc::clone(&upstream)),
            ..Proposal::default()
        };
        self.try_out(
            &state,
            &proposal,
            |problem| forbids(problem, &upstream),
            blame,
        )?;
        let act = match state.directory.upstream(name) {
            Some(_) => "upstream.change",
            None => "upstream.create",
        };
        self.commit(&mut state, Act::new(act).by(actor), &changes)?
            .confirmed()?;
        drop(state);
        Ok(self.upstream_view(&upstream))
    }

    /// Upstreams, highest priority first.
    ///
    /// # Errors
    /// None so far.
    pub fn upstreams(&self) -> Result<UpstreamList, ControlError> {
        let state = self.state.lock();
        let mut upstreams: Vec<_> = state
            .directory
            .upstreams()
            .map(|upstream| self.upstream_view(upstream))
            .collect();
        upstreams.sort_by_key(|view| std::cmp::Reverse(view.upstream.priority));
        Ok(UpstreamList { upstreams })
    }

    /// One upstream.
    ///
    /// # Errors
    /// There is none.
    pub fn upstream(&self, name: &str) -> Result<UpstreamView, ControlError> {
        let state = self.state.lock();
        let found = state.directory.upstream(name);
        found
            .map(|upstream| self.upstream_view(upstream))
            .ok_or_else(|| ControlError::not_found(format!("no upstream `{name}`")))
    }

    /// Removes an upstream. Requests under way finish.
    ///
    /// # Errors
    /// There is none.
    pub fn delete_upstream(&self, name: &str) -> Result<Deleted, ControlError> {
        let mut state = self.state.lock();
        let changes = state.directory.delete_upstream(name)?;
        self.commit(&mut state, Act::new("upstream.delete"), &changes)?
            .confirmed()?;
        Ok(Deleted {
            deleted: name.to_owned(),
        })
    }

    fn upstream_view(&self, upstream: &Upstream) -> UpstreamView {
        let snapshot = self.snapshot.load();
        let problem = snapshot
            .problems
            .iter()
            .find(|problem| concerns(problem, &upstream.name));
        UpstreamView {
            upstream: upstream.clone(),
            problem: problem.map(Problem::told),
            effective_endpoint: snapshot.endpoint(&upstream.name).map(str::to_owned),
            unpriced_models: snapshot.unpriced(&upstream.name),
        }
    }
}

/// Whether a problem is about the upstream itself or about a price of it.
fn concerns(problem: &Problem, name: &str) -> bool {
    problem.what == format!("upstream `{name}`")
        || problem.what.ends_with(&format!(" at upstream `{name}`"))
}

/// Whether a problem is a reason to refuse the record: it could not be used at all, or a price in it is wrong. A list
/// price of the provider that cannot be used is told by [`UpstreamView::problem`], but other models go on.
fn forbids(problem: &Problem, upstream: &Upstream) -> bool {
    let name = &upstream.name;
    problem.what == format!("upstream `{name}`")
        || upstream.models.iter().any(|model| {
            model.price.is_some()
                && problem.what == format!("price of `{}` at upstream `{name}`", model.id)
        })
}

/// The field of the record that a problem of resolving it comes from.
fn blame(problem: &Problem) -> &'static str {
    let why = &problem.why;
    [
        // Its text has names of endpoints, which may be any words.
        ("no endpoint", "endpoint"),
        ("credential", "credential"),
        ("base_url", "base_url"),
    ]
    .iter()
    .find(|(word, _)| why.contains(word))
    .map_or_else(
        || {
            if problem.is_of_price() {
                "models.price"
            } else {
                "config"
            }
        },
        |(_, field)| field,
    )
}
