//! The attachment record: a policy component at work on an account and everything under it.

use serde::{Deserialize, Serialize};

use crate::error::DirectoryError;
use crate::ids::AccountId;

/// A policy component attached to an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// Chosen by the operator, unique.
    pub id: String,
    /// File stem of the component.
    pub component: String,
    /// The account whose subtree it governs.
    pub account: AccountId,
    /// What the component was told; it validated this itself.
    #[serde(default)]
    pub config: serde_json::Value,
    /// Among attachments of the same account: lower runs first.
    #[serde(default)]
    pub order: i64,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Unix milliseconds.
    pub updated_ms: u64,
}

/// What a caller says to attach a policy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentDraft {
    /// File stem of the component.
    pub component: String,
    /// Id or path of the account; the root if absent.
    #[serde(default)]
    pub account: Option<String>,
    /// See [`Attachment::config`].
    #[serde(default)]
    pub config: serde_json::Value,
    /// See [`Attachment::order`].
    #[serde(default)]
    pub order: i64,
}

/// Names of things the operator makes up: they appear in paths of the management API, in headers and in metrics.
pub(crate) fn validate_slug(field: &'static str, text: &str) -> Result<(), DirectoryError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 128 || !text.chars().all(allowed) || text.starts_with('.') {
        return Err(DirectoryError::invalid(
            field,
            "must be 1 to 128 letters, digits, `-`, `_` or `.`, not beginning with `.`",
        ));
    }
    Ok(())
}
