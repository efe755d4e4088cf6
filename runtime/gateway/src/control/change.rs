//! How a change is made: tried, stored, applied, published.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tollgate_governance::{Attachment, Change, DirectoryError, Upstream, changes_nothing};
use tollgate_plugin::Generation;
use tollgate_store::StoreError;
use tollgate_vault::Credential;

use super::audit::Act;
use super::error::ControlError;
use super::{Control, State};
use crate::config::Config;
use crate::snapshot::{Problem, Snapshot, SnapshotInputs};

impl From<DirectoryError> for ControlError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Invalid { field, message } => Self::invalid(field, message),
            DirectoryError::Conflict { field, message } => Self {
                field: Some(field.to_owned()),
                ..Self::conflict(message)
            },
            DirectoryError::NotFound { .. } => Self::not_found(error.to_string()),
            DirectoryError::Forbidden { message } => Self::forbidden(message),
        }
    }
}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full { .. } | StoreError::Unflushed { .. } => Self::unavailable(error),
            error => Self::internal(error),
        }
    }
}

/// A change that the store has. Memory follows it first, whatever the disk says; then whoever asked is told.
#[must_use = "tell whoever asked where the disk has not confirmed it"]
pub(super) struct Made(Option<StoreError>);

impl Made {
    /// # Errors
    /// The disk has not confirmed it yet.
    pub(super) fn confirmed(self) -> Result<(), ControlError> {
        self.0.map_or(Ok(()), |error| Err(error.into()))
    }
}

impl Control {
    /// What became of a change: an error says that it was not made.
    pub(super) fn made(&self, stored: Result<(), StoreError>) -> Result<Made, ControlError> {
        match stored {
            Ok(()) => Ok(Made(None)),
            Err(error) if error.is_made() => {
                self.unconfirmed.store(true, Ordering::Relaxed);
                Ok(Made(Some(error)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What there is to say where nothing is left to do: whoever asks again after a change that the disk had not confirmed
    /// wants to know whether it has by now.
    pub(super) fn made_before(&self) -> Made {
        if !self.unconfirmed.swap(false, Ordering::Relaxed) {
            return Made(None);
        }
        let flushed = self.store.flush().map_err(|error| {
            self.unconfirmed.store(true, Ordering::Relaxed);
            StoreError::Unflushed {
                source: Box::new(error),
            }
        });
        Made(flushed.err())
    }

    /// Stores changes with what the audit log tells of them, applies them and publishes what follows from them. Where
    /// nothing changes nothing was done.
    pub(super) fn commit(
        &self,
        state: &mut State,
        act: Act,
        changes: &[Change],
    ) -> Result<Made, ControlError> {
        if changes_nothing(&state.directory, changes) {
            return Ok(self.made_before());
        }
        let made = self.record(state, act, changes)?;
        self.publish(state);
        Ok(made)
    }

    /// Builds a snapshot of the present state and shows it to the data plane.
    pub(super) fn publish(&self, state: &State) {
        let snapshot = self.build(state, &Proposal::default());
        for problem in &snapshot.problems {
            if !self.snapshot.load().problems.contains(problem) {
                tracing::warn!(what = %problem.what, why = %problem.why, "cannot be used");
            }
        }
        self.snapshot.store(Arc::new(snapshot));
    }

    /// Looks at the components folder now if one is missing: a script drops a file in and names it in the next line, while
    /// the folder's watch waits for the file to be whole.
    pub(super) fn look_again_for(&self, is_there: impl Fn(&Generation) -> bool) {
        if !is_there(&self.components.generation()) {
            self.components.rescan();
        }
        self.follow();
    }

    /// Takes over the components that are loaded now. Asks for them under the lock: whoever comes last then has the
    /// newest, in whatever order changes are told.
    pub(super) fn follow(&self) {
        let mut state = self.state.lock();
        let generation = self.components.generation();
        if !Arc::ptr_eq(&generation, &state.generation) {
            state.generation = generation;
            self.publish(&state);
        }
        self.note_components(&mut state);
    }

    /// Tries a proposal without making it: refuses if something cannot be used with it that can be used without.
    /// Components are asked whether they accept their configuration. `blame` names the field for a problem.
    pub(super) fn try_out(
        &self,
        state: &State,
        proposal: &Proposal,
        concerns: impl Fn(&Problem) -> bool,
        blame: impl Fn(&Problem) -> &'static str,
    ) -> Result<(), ControlError> {
        let trial = self.build(state, proposal);
        match trial.problems.iter().find(|problem| concerns(problem)) {
            None => Ok(()),
            Some(problem) => Err(ControlError::invalid(blame(problem), problem.told())),
        }
    }

    fn build(&self, state: &State, proposal: &Proposal) -> Snapshot {
        assemble(
            state,
            &self.config,
            proposal,
            Some(self.snapshot.load_full()),
        )
    }
}

/// Builds the snapshot that follows from a state and a proposed change of it.
pub(super) fn assemble(
    state: &State,
    config: &Config,
    proposal: &Proposal,
    previous: Option<Arc<Snapshot>>,
) -> Snapshot {
    let mut credentials: HashMap<String, Arc<Credential>> = state.credentials.clone();
    if let Some(credential) = &proposal.credential {
        credentials.insert(credential.name().to_owned(), Arc::clone(credential));
    }
    let mut snapshot = Snapshot::build(SnapshotInputs {
        accounts: state.directory.snapshot(),
        upstreams: proposal.upstreams(state),
        attachments: proposal.attachments(state),
        generation: Arc::clone(&state.generation),
        credentials,
        config,
        previous,
    });
    snapshot.problems.extend(state.sealed.iter().cloned());
    snapshot
}

/// Records as they would be after a change.
#[derive(Default)]
pub(super) struct Proposal {
    pub(super) upstream: Option<Arc<Upstream>>,
    pub(super) attachment: Option<Arc<Attachment>>,
    pub(super) credential: Option<Arc<Credential>>,
}

impl Proposal {
    fn upstreams(&self, state: &State) -> Vec<Upstream> {
        let new = self.upstream.as_ref();
        let kept = state
            .directory
            .upstreams()
            .filter(|old| new.is_none_or(|new| new.name != old.name));
        kept.chain(new)
            .map(|upstream| Upstream::clone(upstream))
            .collect()
    }

    fn attachments(&self, state: &State) -> Vec<Attachment> {
        let new = self.attachment.as_ref();
        let kept = state
            .directory
            .attachments()
            .filter(|old| new.is_none_or(|new| new.id != old.id));
        kept.chain(new)
            .map(|attachment| Attachment::clone(attachment))
            .collect()
    }
}
