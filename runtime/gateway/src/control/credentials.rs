//! Upstream credentials: sealed by the vault before they are stored, opened in memory only. They never come out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use tollgate_governance::CredentialRecord;

use super::audit::Act;
use super::change::Proposal;
use super::error::ControlError;
use super::views::{CredentialList, CredentialView, Deleted};
use super::{Control, State, now_ms};

/// Longest value of a field. Bytes.
const MAX_VALUE: usize = 64 << 10;

/// What a caller says to store a credential.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRequest {
    /// Secrets by field name.
    pub fields: BTreeMap<String, String>,
}

impl std::fmt::Debug for CredentialRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialRequest")
            .field("fields", &self.fields.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl CredentialRequest {
    fn check(&self) -> Result<(), ControlError> {
        for (field, value) in &self.fields {
            let wrong = |why: &str| Err(ControlError::invalid(format!("fields.{field}"), why));
            if value.is_empty() {
                return wrong("is empty");
            }
            if value.trim() != value {
                return wrong("begins or ends with white space, which no secret does: remove it");
            }
            if value.len() > MAX_VALUE {
                return wrong("is longer than 64 KiB");
            }
        }
        Ok(())
    }
}

impl Control {
    /// Stores a credential, replacing one of the same name.
    ///
    /// # Errors
    /// A name or value is wrong, or an upstream that uses it could not go on with the new fields.
    pub fn set_credential(
        &self,
        name: &str,
        new: &CredentialRequest,
    ) -> Result<CredentialView, ControlError> {
        new.check()?;
        let mut state = self.state.lock();
        let fields = new
            .fields
            .iter()
            .map(|(field, value)| (field.as_str(), value.as_str()));
        let sealed = self
            .vault
            .seal(name, fields)
            .map_err(ControlError::internal)?
            .into_bytes();
        // Opened again at once: what could not be opened later must not replace what can.
        let opened = Arc::new(
            self.vault
                .open_credential(name, &sealed)
                .map_err(ControlError::internal)?,
        );
        let names = new.fields.keys().cloned().collect();
        let (record, changes) = state
            .directory
            .put_credential(name, names, sealed, now_ms())?;
        let proposal = Proposal {
            credential: Some(Arc::clone(&opened)),
            ..Proposal::default()
        };
        let before = self.snapshot.load_full();
        self.try_out(
            &state,
            &proposal,
            // Only what the new credential breaks: what was broken before is no reason to refuse it.
            |problem| {
                users(&state, name).any(|upstream| problem.what == format!("upstream `{upstream}`"))
                    && !before.problems.iter().any(|old| old.what == problem.what)
            },
            |_| "fields",
        )?;
        let act = match state.directory.credential(name) {
            Some(_) => "credential.change",
            None => "credential.create",
        };
        let made = self.record(&mut state, Act::new(act), &changes)?;
        state
            .sealed
            .retain(|problem| problem.what != format!("credential `{name}`"));
        state.credentials.insert(name.to_owned(), opened);
        self.publish(&state);
        made.confirmed()?;
        Ok(view(&state, &record))
    }

    /// Names and field names of all credentials.
    ///
    /// # Errors
    /// None so far.
    pub fn credentials(&self) -> Result<CredentialList, ControlError> {
        let state = self.state.lock();
        Ok(CredentialList {
            credentials: state
                .directory
                .credentials()
                .map(|record| view(&state, record))
                .collect(),
        })
    }

    /// Forgets a credential.
    ///
    /// # Errors
    /// There is none, or an upstream uses it.
    pub fn delete_credential(&self, name: &str) -> Result<Deleted, ControlError> {
        let mut state = self.state.lock();
        let changes = state.directory.delete_credential(name)?;
        let made = self.record(&mut state, Act::new("credential.delete"), &changes)?;
        state
            .sealed
            .retain(|problem| problem.what != format!("credential `{name}`"));
        state.credentials.remove(name);
        self.publish(&state);
        made.confirmed()?;
        Ok(Deleted {
            deleted: name.to_owned(),
        })
    }
}

fn users<'a>(state: &'a State, name: &'a str) -> impl Iterator<Item = &'a str> {
    let uses = move |upstream: &&Arc<tollgate_governance::Upstream>| {
        upstream.credential.as_deref() == Some(name)
    };
    state
        .directory
        .upstreams()
        .filter(uses)
        .map(|upstream| upstream.name.as_str())
}

fn view(state: &State, record: &CredentialRecord) -> CredentialView {
    CredentialView {
        name: record.name.clone(),
        fields: record.fields.clone(),
        used_by: users(state, &record.name).map(str::to_owned).collect(),
        created_ms: record.created_ms,
        updated_ms: record.updated_ms,
    }
}
