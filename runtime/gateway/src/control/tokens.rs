//! Management tokens that are bound to accounts: made, listed, revoked, and their last use written down.

use serde::Serialize;
use tollgate_governance::{
    AccountId, KeyState, ManagementToken, OsRandom, Role, TokenDraft, TokenId,
};
use tollgate_store::records;

use super::error::ControlError;
use super::keys::unshown;
use super::management::{Management, blamed};
use super::views::exposed;
use super::{Control, State, now_ms};

/// A token without its secret.
#[derive(Debug, Clone, Serialize)]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// The account that its bearer sees, with all below it.
    pub account: AccountId,
    /// The account's path.
    pub path: String,
    /// What people call it.
    pub label: String,
    /// Enough of the token to recognise it.
    pub prefix: String,
    /// What its bearer may do.
    pub role: Role,
    /// Whether it works now, as far as the token is concerned: it does not while its account is suspended.
    pub state: KeyState,
    /// Of no use from that moment on, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// When it was last shown, Unix milliseconds; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_ms: Option<u64>,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Unix milliseconds; absent while it is not revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_ms: Option<u64>,
}

/// Tokens.
#[derive(Debug, Clone, Serialize)]
pub struct TokenList {
    /// Oldest first.
    pub tokens: Vec<TokenView>,
}

/// A token at the one moment at which it is shown.
#[derive(Serialize)]
pub struct IssuedToken {
    /// What stays known of it.
    #[serde(flatten)]
    pub view: TokenView,
    /// The token itself.
    #[serde(serialize_with = "exposed")]
    pub token: tollgate_governance::Secret,
}

impl Management<'_> {
    /// Makes a token of an account. The answer is the only place where it exists. Who is bound to an account makes tokens
    /// for those below it.
    ///
    /// # Errors
    /// The account is unknown or his own, or the token could never work.
    pub fn create_token(&self, new: &TokenDraft) -> Result<IssuedToken, ControlError> {
        let mut state = self.control.state.lock();
        let account = self.seen_below(&state, &new.account);
        let draft = TokenDraft {
            account: account
                .map_err(|error| blamed("account", error))?
                .into_owned(),
            ..new.clone()
        };
        let hasher = &self.control.hasher;
        let random = &mut OsRandom::new();
        let (new, changes) = state
            .directory
            .create_token(draft, hasher, now_ms(), random)?;
        let made = self
            .control
            .commit(&mut state, self.act("token.create"), &changes)?;
        made.confirmed()
            .map_err(|error| unshown(error, new.record.id))?;
        Ok(IssuedToken {
            view: self.token_view(&state, &new.record),
            token: new.token,
        })
    }

    /// Tokens of an account and of all below it, or of all accounts; revoked ones too.
    ///
    /// # Errors
    /// The account is unknown.
    pub fn tokens(&self, account: Option<&str>) -> Result<TokenList, ControlError> {
        let state = self.control.state.lock();
        let asked = account
            .map(|target| self.find(&state, target))
            .transpose()?;
        let top = asked.map(|account| account.id).or(self.top());
        let tokens = state.directory.tokens().into_iter();
        let tokens = tokens
            .filter(|token| top.is_none_or(|top| state.directory.is_within(token.account, top)))
            .map(|token| self.token_view(&state, token));
        Ok(TokenList {
            tokens: tokens.collect(),
        })
    }

    /// One token.
    ///
    /// # Errors
    /// There is none.
    pub fn token(&self, id: &str) -> Result<TokenView, ControlError> {
        let state = self.control.state.lock();
        Ok(self.token_view(&state, self.known_token(&state, id)?))
    }

    /// Revokes a token; the next request feels it.
    ///
    /// # Errors
    /// There is none, or it is of the account that the caller's own token is of.
    pub fn revoke_token(&self, id: &str) -> Result<TokenView, ControlError> {
        let mut state = self.control.state.lock();
        let token = self.known_token(&state, id)?;
        let (id, account) = (token.id, token.account);
        self.find_below(&state, &account.to_string())?;
        let changes = state.directory.revoke_token(id, now_ms())?;
        self.control
            .commit(&mut state, self.act("token.revoke"), &changes)?
            .confirmed()?;
        Ok(self.token_view(&state, self.known_token(&state, &id.to_string())?))
    }

    fn known_token<'s>(
        &self,
        state: &'s State,
        id: &str,
    ) -> Result<&'s ManagementToken, ControlError> {
        let found = id.parse().ok().and_then(|id| state.directory.token(id));
        found
            .filter(|token| self.sees(state, token.account))
            .map(|token| &**token)
            .ok_or_else(|| ControlError::not_found(format!("no token `{id}`")))
    }

    fn token_view(&self, state: &State, token: &ManagementToken) -> TokenView {
        TokenView {
            id: token.id,
            account: token.account,
            path: self.named(state, token.account),
            label: token.label.clone(),
            prefix: token.prefix.clone(),
            role: token.role,
            state: token.state_at(now_ms()),
            expires_ms: token.expires_ms,
            last_used_ms: state.directory.token_last_used(token.id),
            created_ms: token.created_ms,
            revoked_ms: token.revoked_ms,
        }
    }
}

impl Control {
    /// Writes down when tokens were last shown. No act: nobody decided it.
    pub(super) fn note_tokens_used(&self) {
        let state = &mut *self.state.lock();
        let changes = state.directory.tokens_used();
        if changes.is_empty() {
            return;
        }
        if let Err(error) = records::commit(&*self.store, &mut state.directory, &changes, None) {
            tracing::warn!(%error, "when tokens were last used is not written down yet");
        }
    }
}
