//! The key record: who a bearer token belongs to, what it may do and when. The token itself is never kept.

use serde::{Deserialize, Serialize};

use crate::account::{validate_cidrs, validate_models, validate_text, validate_words};
use crate::error::DirectoryError;
use crate::ids::{AccountId, KeyId};
use crate::token::{KeyMac, Secret};

/// An inference key. It belongs to one account; an account may have several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Time-ordered id.
    pub id: KeyId,
    /// Whose key it is.
    pub account: AccountId,
    /// What people call it.
    #[serde(default)]
    pub label: String,
    /// The beginning of the token, for display.
    pub prefix: String,
    /// Keyed hash of the token.
    pub mac: KeyMac,
    /// What it may do less than its account.
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    pub scope: Scope,
    /// Of no use before that moment, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before_ms: Option<u64>,
    /// Of no use from that moment on, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// The key that replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<KeyId>,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Unix milliseconds; a revoked key never works again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_ms: Option<u64>,
}

/// What a key may do less than its account. None: as the account; empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Names or globs of models it may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Provider components that may serve it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<String>>,
    /// Operations it may call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<String>>,
    /// Networks it may be shown from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidrs: Option<Vec<String>>,
}

/// What a caller says to make a key.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyDraft {
    /// Id or path of the account.
    pub account: String,
    /// See [`Key::label`].
    #[serde(default)]
    pub label: String,
    /// See [`Key::scope`].
    #[serde(default)]
    pub scope: Scope,
    /// See [`Key::not_before_ms`].
    #[serde(default)]
    pub not_before_ms: Option<u64>,
    /// See [`Key::expires_ms`].
    #[serde(default)]
    pub expires_ms: Option<u64>,
}

/// A key that was just made: the only moment at which its token exists.
#[derive(Debug)]
pub struct NewKey {
    /// The record.
    pub key: Key,
    /// The token, to be shown once. Its `Debug` shows nothing.
    pub token: Secret,
}

/// How a key is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// It works.
    Active,
    /// Its time has not come.
    NotYet,
    /// Its time is over.
    Expired,
    /// Stopped by somebody.
    Revoked,
}

impl Scope {
    /// Whether it narrows nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Key {
    /// How it is at `now_ms`.
    #[must_use]
    pub fn state_at(&self, now_ms: u64) -> KeyState {
        if self.revoked_ms.is_some() {
            KeyState::Revoked
        } else if self.not_before_ms.is_some_and(|from| now_ms < from) {
            KeyState::NotYet
        } else if self.expires_ms.is_some_and(|end| now_ms >= end) {
            KeyState::Expired
        } else {
            KeyState::Active
        }
    }

    /// Checks every member that can be judged without the directory. `now_ms`: a key that can never work is a mistake.
    pub(crate) fn validate(&self, now_ms: u64) -> Result<(), DirectoryError> {
        validate_text("label", Some(&self.label), 128)?;
        validate_models("scope.models", self.scope.models.as_deref())?;
        validate_words("scope.providers", self.scope.providers.as_deref())?;
        validate_words("scope.endpoints", self.scope.endpoints.as_deref())?;
        validate_cidrs(self.scope.cidrs.as_deref())?;
        let begins = self.not_before_ms.unwrap_or(now_ms).max(now_ms);
        if self.expires_ms.is_some_and(|end| end <= begins) {
            let message = "the key would be over before it begins";
            return Err(DirectoryError::invalid("expires_ms", message));
        }
        Ok(())
    }
}
