//! The management token record: whose account and subtree its bearer manages, whether he may change it, and how long.
//!
//! The token that is made with the data directory is none of these: it is the operator's, of everything.

use serde::{Deserialize, Serialize};

use crate::account::validate_text;
use crate::error::DirectoryError;
use crate::ids::{AccountId, TokenId};
use crate::key::KeyState;
use crate::token::{KeyMac, Secret};

/// A management token that is bound to an account. An account may have several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagementToken {
    /// Time-ordered id.
    pub id: TokenId,
    /// The account that its bearer sees, with all below it and nothing else.
    pub account: AccountId,
    /// What people call it.
    #[serde(default)]
    pub label: String,
    /// The beginning of the token, for display.
    pub prefix: String,
    /// Keyed hash of the token.
    pub mac: KeyMac,
    /// What its bearer may do there.
    pub role: Role,
    /// Of no use from that moment on, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// When it was last shown, as far as that is written down, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_ms: Option<u64>,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Unix milliseconds; a revoked token never works again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_ms: Option<u64>,
}

/// What the bearer of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look at its account, and manage what is below it.
    Manage,
    /// Look.
    Read,
}

/// What a caller says to make a token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenDraft {
    /// Id or path of the account.
    pub account: String,
    /// See [`ManagementToken::label`].
    #[serde(default)]
    pub label: String,
    /// See [`ManagementToken::role`]. Always said: nobody is to manage by an oversight.
    pub role: Role,
    /// See [`ManagementToken::expires_ms`].
    #[serde(default)]
    pub expires_ms: Option<u64>,
}

/// A token that was just made: the only moment at which its text exists.
#[derive(Debug)]
pub struct NewToken {
    /// The record.
    pub record: ManagementToken,
    /// The token, to be shown once. Its `Debug` shows nothing.
    pub token: Secret,
}

impl ManagementToken {
    /// How it is at `now_ms`, whatever its account is like.
    #[must_use]
    pub fn state_at(&self, now_ms: u64) -> KeyState {
        if self.revoked_ms.is_some() {
            KeyState::Revoked
        } else if self.expires_ms.is_some_and(|end| now_ms >= end) {
            KeyState::Expired
        } else {
            KeyState::Active
        }
    }

    /// Checks what can be judged without the directory. `now_ms`: a token that can never work is a mistake.
    pub(crate) fn validate(&self, now_ms: u64) -> Result<(), DirectoryError> {
        validate_text("label", Some(&self.label), 128)?;
        if self.expires_ms.is_some_and(|end| end <= now_ms) {
            let message = "the token would be over before it begins";
            return Err(DirectoryError::invalid("expires_ms", message));
        }
        Ok(())
    }
}
