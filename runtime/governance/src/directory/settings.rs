//! Setting and removing upstreams, policy attachments and credentials.

use std::sync::Arc;

use super::{Directory, ROOT};
use crate::attachment::{Attachment, AttachmentDraft, validate_slug};
use crate::credential::CredentialRecord;
use crate::error::DirectoryError;
use crate::record::Change;
use crate::upstream::{Upstream, UpstreamDraft};

impl Directory {
    /// Sets an upstream: makes or replaces it.
    ///
    /// # Errors
    /// Names the field that is wrong or unknown (`credential`).
    pub fn put_upstream(
        &self,
        name: &str,
        draft: UpstreamDraft,
        now_ms: u64,
    ) -> Result<(Arc<Upstream>, Vec<Change>), DirectoryError> {
        let upstream = Upstream {
            name: name.to_owned(),
            provider: draft.provider,
            endpoint: draft.endpoint,
            base_url: draft.base_url,
            credential: draft.credential,
            models: draft.models,
            tier: draft.tier,
            priority: draft.priority,
            config: draft.config,
            created_ms: self
                .upstreams
                .get(name)
                .map_or(now_ms, |old| old.created_ms),
            updated_ms: now_ms,
        };
        upstream.validate()?;
        if let Some(credential) = &upstream.credential
            && !self.credentials.contains_key(credential)
        {
            let message = format!("no credential `{credential}`");
            return Err(DirectoryError::invalid("credential", message));
        }
        let upstream = Arc::new(upstream);
        let changes = vec![Change::Upstream(
            name.to_owned(),
            Some(Arc::clone(&upstream)),
        )];
        Ok((upstream, changes))
    }

    /// Removes an upstream.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`].
    pub fn delete_upstream(&self, name: &str) -> Result<Vec<Change>, DirectoryError> {
        let found = self.upstreams.get(name);
        found.ok_or_else(|| DirectoryError::not_found("upstream", name))?;
        Ok(vec![Change::Upstream(name.to_owned(), None)])
    }

    /// Attaches a policy component to an account: makes or replaces the attachment.
    ///
    /// # Errors
    /// Names the field that is wrong or unknown (`account`).
    pub fn put_attachment(
        &self,
        id: &str,
        draft: AttachmentDraft,
        now_ms: u64,
    ) -> Result<(Arc<Attachment>, Vec<Change>), DirectoryError> {
        validate_slug("id", id)?;
        validate_slug("component", &draft.component)?;
        let account = self
            .account(draft.account.as_deref().unwrap_or(ROOT))
            .map_err(|error| DirectoryError::invalid("account", error.to_string()))?;
        let attachment = Arc::new(Attachment {
            id: id.to_owned(),
            component: draft.component,
            account: account.id,
            config: draft.config,
            order: draft.order,
            created_ms: self
                .attachments
                .get(id)
                .map_or(now_ms, |old| old.created_ms),
            updated_ms: now_ms,
        });
        let changes = vec![Change::Attachment(
            id.to_owned(),
            Some(Arc::clone(&attachment)),
        )];
        Ok((attachment, changes))
    }

    /// Detaches a policy.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`].
    pub fn delete_attachment(&self, id: &str) -> Result<Vec<Change>, DirectoryError> {
        self.attachments
            .get(id)
            .ok_or_else(|| DirectoryError::not_found("policy", id))?;
        Ok(vec![Change::Attachment(id.to_owned(), None)])
    }

    /// Keeps a credential that the vault has sealed under this name: makes or replaces it.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn put_credential(
        &self,
        name: &str,
        mut fields: Vec<String>,
        sealed: Vec<u8>,
        now_ms: u64,
    ) -> Result<(Arc<CredentialRecord>, Vec<Change>), DirectoryError> {
        validate_slug("name", name)?;
        if fields.is_empty() {
            return Err(DirectoryError::invalid(
                "fields",
                "a credential needs at least one field",
            ));
        }
        for field in &fields {
            validate_slug("fields", field)?;
        }
        fields.sort_unstable();
        let credential = Arc::new(CredentialRecord {
            name: name.to_owned(),
            fields,
            sealed,
            created_ms: self
                .credentials
                .get(name)
                .map_or(now_ms, |old| old.created_ms),
            updated_ms: now_ms,
        });
        let changes = vec![Change::Credential(
            name.to_owned(),
            Some(Arc::clone(&credential)),
        )];
        Ok((credential, changes))
    }

    /// Removes a credential.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`]; refuses while an upstream uses it.
    pub fn delete_credential(&self, name: &str) -> Result<Vec<Change>, DirectoryError> {
        let found = self.credentials.get(name);
        found.ok_or_else(|| DirectoryError::not_found("credential", name))?;
        let user = self
            .upstreams
            .values()
            .find(|up| up.credential.as_deref() == Some(name));
        if let Some(user) = user {
            let message = format!("upstream `{}` uses it", user.name);
            return Err(DirectoryError::conflict("credential", message));
        }
        Ok(vec![Change::Credential(name.to_owned(), None)])
    }
}
