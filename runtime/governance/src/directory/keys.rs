//! Making, replacing and revoking keys.

use std::sync::Arc;

use super::Directory;
use crate::account::{Account, Status};
use crate::error::DirectoryError;
use crate::ids::KeyId;
use crate::key::{Key, KeyDraft, KeyState, NewKey};
use crate::random::Random;
use crate::record::Change;
use crate::token::{KeyHasher, TokenKind};

/// How long a replaced key goes on working unless somebody says otherwise: a day, for whoever still has the old one.
pub const DEFAULT_GRACE_MS: u64 = 86_400_000;

impl Directory {
    /// Makes a key for an account, named by id or path. The token in the answer exists nowhere else.
    ///
    /// # Errors
    /// Names the field that is wrong or unknown (`account`).
    pub fn create_key(
        &self,
        draft: KeyDraft,
        hasher: &KeyHasher,
        now_ms: u64,
        random: &mut dyn Random,
    ) -> Result<(NewKey, Vec<Change>), DirectoryError> {
        let account = self.holder(&draft.account)?;
        let token = TokenKind::Inference.mint(random);
        let key = Key {
            id: KeyId::new(now_ms, random),
            account: account.id,
            label: draft.label,
            prefix: token.display_prefix(),
            mac: hasher.mac(token.expose()),
            scope: draft.scope,
            not_before_ms: draft.not_before_ms,
            expires_ms: draft.expires_ms,
            successor: None,
            created_ms: now_ms,
            revoked_ms: None,
        };
        key.validate(now_ms)?;
        let changes = vec![Change::Key(key.id, Some(Arc::new(key.clone())))];
        Ok((NewKey { key, token }, changes))
    }

    /// Makes a successor that may do the same, and lets the old key go on for `grace_ms` (0: it stops now), but never
    /// longer than it would have.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`]; refuses a key that does not work any more, or that has a successor.
    pub fn rotate_key(
        &self,
        id: &str,
        grace_ms: u64,
        hasher: &KeyHasher,
        now_ms: u64,
        random: &mut dyn Random,
    ) -> Result<(NewKey, Vec<Change>), DirectoryError> {
        let old = self.known_key(id)?;
        match old.state_at(now_ms) {
            KeyState::Active | KeyState::NotYet => {}
            KeyState::Expired | KeyState::Revoked => {
                let message = "it does not work any more; make a new key instead";
                return Err(DirectoryError::conflict("key", message));
            }
        }
        if let Some(successor) = old.successor {
            let message = format!("it has a successor already: {successor}");
            return Err(DirectoryError::conflict("key", message));
        }
        let draft = KeyDraft {
            account: old.account.to_string(),
            label: old.label.clone(),
            scope: old.scope.clone(),
            not_before_ms: old.not_before_ms,
            expires_ms: old.expires_ms,
        };
        let (new, mut changes) = self.create_key(draft, hasher, now_ms, random)?;
        let end = now_ms.saturating_add(grace_ms);
        let replaced = Key {
            successor: Some(new.key.id),
            expires_ms: Some(old.expires_ms.map_or(end, |expires| expires.min(end))),
            revoked_ms: (grace_ms == 0).then_some(now_ms),
            ..Key::clone(old)
        };
        changes.push(Change::Key(replaced.id, Some(Arc::new(replaced))));
        Ok((new, changes))
    }

    /// Revokes a key for good. Revoking it again changes nothing.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`].
    pub fn revoke_key(&self, id: &str, now_ms: u64) -> Result<Vec<Change>, DirectoryError> {
        let key = self.known_key(id)?;
        if key.revoked_ms.is_some() {
            return Ok(Vec::new());
        }
        let revoked = Key {
            revoked_ms: Some(now_ms),
            ..Key::clone(key)
        };
        Ok(vec![Change::Key(key.id, Some(Arc::new(revoked)))])
    }

    /// The account of this id or path, if it may get a key or a token.
    pub(super) fn holder(&self, target: &str) -> Result<&Arc<Account>, DirectoryError> {
        let account = self
            .account(target)
            .map_err(|error| DirectoryError::invalid("account", error.to_string()))?;
        if account.status == Status::Closing {
            let message = "the account is being deleted";
            return Err(DirectoryError::conflict("account", message));
        }
        Ok(account)
    }

    fn known_key(&self, id: &str) -> Result<&Arc<Key>, DirectoryError> {
        let found = id.parse::<KeyId>().ok().and_then(|id| self.key(id));
        found.ok_or_else(|| DirectoryError::not_found("key", id))
    }
}
