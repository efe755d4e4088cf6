//! The key record: who a bearer token belongs to. The token itself is never kept.

use serde::{Deserialize, Serialize};

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
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Unix milliseconds; a revoked key never works again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_ms: Option<u64>,
}

/// A key that was just made: the only moment at which its token exists.
#[derive(Debug)]
pub struct NewKey {
    /// The record.
    pub key: Key,
    /// The token, to be shown once. Its `Debug` shows nothing.
    pub token: Secret,
}
