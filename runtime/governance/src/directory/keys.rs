//! Making and revoking keys.

use std::sync::Arc;

use super::Directory;
use crate::account::validate_text;
use crate::error::DirectoryError;
use crate::ids::KeyId;
use crate::key::{Key, NewKey};
use crate::random::Random;
use crate::record::Change;
use crate::token::{KeyHasher, TokenKind};

impl Directory {
    /// Makes a key for an account, named by id or path. The token in the answer exists nowhere else.
    ///
    /// # Errors
    /// Names the field that is wrong (`label`) or unknown (`account`).
    pub fn create_key(
        &self,
        account: &str,
        label: &str,
        hasher: &KeyHasher,
        now_ms: u64,
        random: &mut dyn Random,
    ) -> Result<(NewKey, Vec<Change>), DirectoryError> {
        let account = self
            .account(account)
            .map_err(|error| DirectoryError::invalid("account", error.to_string()))?;
        validate_text("label", Some(label), 128)?;
        let token = TokenKind::Inference.mint(random);
        let key = Key {
            id: KeyId::new(now_ms, random),
            account: account.id,
            label: label.to_owned(),
            prefix: token.display_prefix(),
            mac: hasher.mac(token.expose()),
            created_ms: now_ms,
            revoked_ms: None,
        };
        let changes = vec![Change::Key(key.id, Some(Arc::new(key.clone())))];
        Ok((NewKey { key, token }, changes))
    }

    /// Revokes a key for good. Revoking it again changes nothing.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`].
    pub fn revoke_key(&self, id: &str, now_ms: u64) -> Result<Vec<Change>, DirectoryError> {
        let found = id.parse::<KeyId>().ok().and_then(|id| self.keys.get(&id));
        let key = found.ok_or_else(|| DirectoryError::not_found("key", id))?;
        if key.revoked_ms.is_some() {
            return Ok(Vec::new());
        }
        let revoked = Key {
            revoked_ms: Some(now_ms),
            ..Key::clone(key)
        };
        Ok(vec![Change::Key(key.id, Some(Arc::new(revoked)))])
    }
}
