//! Management tokens that are bound to accounts: made, recognised, revoked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::Directory;
use crate::error::DirectoryError;
use crate::ids::{AccountId, TokenId};
use crate::key::KeyState;
use crate::management::{ManagementToken, NewToken, TokenDraft};
use crate::random::Random;
use crate::record::Change;
use crate::token::{KeyHasher, KeyMac, TokenKind};

/// A token, and when it was last shown.
#[derive(Debug)]
pub(super) struct KnownToken {
    token: Arc<ManagementToken>,
    last_used: AtomicU64,
}

impl Directory {
    /// Makes a token for an account, named by id or path. The token in the answer exists nowhere else.
    ///
    /// # Errors
    /// Names the field that is wrong or unknown (`account`).
    pub fn create_token(
        &self,
        draft: TokenDraft,
        hasher: &KeyHasher,
        now_ms: u64,
        random: &mut dyn Random,
    ) -> Result<(NewToken, Vec<Change>), DirectoryError> {
        let account = self.holder(&draft.account)?;
        let token = TokenKind::Management.mint(random);
        let record = ManagementToken {
            id: TokenId::new(now_ms, random),
            account: account.id,
            label: draft.label,
            prefix: token.display_prefix(),
            mac: hasher.mac(token.expose()),
            role: draft.role,
            expires_ms: draft.expires_ms,
            last_used_ms: None,
            created_ms: now_ms,
            revoked_ms: None,
        };
        record.validate(now_ms)?;
        let changes = vec![Change::Token(record.id, Some(Arc::new(record.clone())))];
        Ok((NewToken { record, token }, changes))
    }

    /// Revokes a token for good. Revoking it again changes nothing.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`].
    pub fn revoke_token(&self, id: TokenId, now_ms: u64) -> Result<Vec<Change>, DirectoryError> {
        let found = self.token(id);
        let token = found.ok_or_else(|| DirectoryError::not_found("token", id.to_string()))?;
        if token.revoked_ms.is_some() {
            return Ok(Vec::new());
        }
        Ok(vec![revoked(token, now_ms)])
    }

    /// Whose token this is at `now_ms`, and notes that it was shown. None if there is no such token, if it was revoked or
    /// has expired, and while its account or one above it is not active.
    #[must_use]
    pub fn bearer(&self, mac: &KeyMac, now_ms: u64) -> Option<&Arc<ManagementToken>> {
        let known = self.tokens.get(self.bearers.get(mac)?)?;
        let path = self.path(known.token.account)?;
        let works = known.token.state_at(now_ms) == KeyState::Active && path.is_enabled();
        if !works {
            return None;
        }
        known.last_used.fetch_max(now_ms, Ordering::Relaxed);
        Some(&known.token)
    }

    /// All tokens, revoked ones too, oldest first.
    #[must_use]
    pub fn tokens(&self) -> Vec<&Arc<ManagementToken>> {
        let mut tokens: Vec<_> = self.tokens.values().map(|known| &known.token).collect();
        tokens.sort_unstable_by_key(|token| token.id);
        tokens
    }

    /// The token of this id.
    #[must_use]
    pub fn token(&self, id: TokenId) -> Option<&Arc<ManagementToken>> {
        self.tokens.get(&id).map(|known| &known.token)
    }

    /// When a token was last shown, Unix milliseconds.
    #[must_use]
    pub fn token_last_used(&self, id: TokenId) -> Option<u64> {
        let last = self.tokens.get(&id)?.last_used.load(Ordering::Relaxed);
        (last > 0).then_some(last)
    }

    /// The records of tokens that were shown since that was last written down.
    #[must_use]
    pub fn tokens_used(&self) -> Vec<Change> {
        let used = self.tokens.iter().filter_map(|(id, known)| {
            let last = known.last_used.load(Ordering::Relaxed);
            (last > known.token.last_used_ms.unwrap_or(0)).then(|| {
                let token = ManagementToken {
                    last_used_ms: Some(last),
                    ..ManagementToken::clone(&known.token)
                };
                Change::Token(*id, Some(Arc::new(token)))
            })
        });
        used.collect()
    }

    /// Ids of the tokens of one account.
    pub(super) fn tokens_of(&self, account: AccountId) -> impl Iterator<Item = TokenId> {
        let all = (account, TokenId(Uuid::nil()))..=(account, TokenId(Uuid::max()));
        self.tokens_of.range(all).map(|(_, id)| *id)
    }

    /// Revokes those of one account that are not yet.
    pub(super) fn tokens_revoked(&self, account: AccountId, now_ms: u64) -> Vec<Change> {
        let tokens = self.tokens_of(account).filter_map(|id| self.token(id));
        let active = tokens.filter(|token| token.revoked_ms.is_none());
        active.map(|token| revoked(token, now_ms)).collect()
    }

    pub(super) fn set_token(&mut self, id: TokenId, token: Option<&Arc<ManagementToken>>) {
        let old = self.tokens.remove(&id);
        if let Some(old) = &old {
            self.bearers.remove(&old.token.mac);
            self.tokens_of.remove(&(old.token.account, id));
        }
        let Some(token) = token else { return };
        self.tokens_of.insert((token.account, id));
        if token.revoked_ms.is_none() {
            self.bearers.insert(token.mac, id);
        }
        let shown = old.map_or(0, |old| old.last_used.into_inner());
        let known = KnownToken {
            token: Arc::clone(token),
            last_used: AtomicU64::new(shown.max(token.last_used_ms.unwrap_or(0))),
        };
        self.tokens.insert(id, known);
    }
}

fn revoked(token: &ManagementToken, now_ms: u64) -> Change {
    let revoked = ManagementToken {
        revoked_ms: Some(now_ms),
        ..token.clone()
    };
    Change::Token(token.id, Some(Arc::new(revoked)))
}
