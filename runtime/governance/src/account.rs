//! The account record: one node of the tree, with the boundaries set on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::DirectoryError;
use crate::ids::AccountId;

/// Whether a node (and with it everything under it) may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In use.
    #[default]
    Active,
    /// Switched off, with everything under it.
    Suspended,
}

/// The limits set on one node. Each counts the node's whole subtree.
///
/// Unknown members are refused: a limit that this version does not know must not be silently ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests in any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u64>,
    /// Money per calendar day of the tree's time zone, in micro-units of the base currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_limit: Option<u64>,
}

/// A department, project, role, employee or system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Time-ordered id, never reused.
    pub id: AccountId,
    /// The node above; none for the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<AccountId>,
    /// Unique among siblings; no `/`.
    pub name: String,
    /// A friendlier name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Whom to write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Cost centres and the like, which cut across the tree.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Whether it may be used.
    #[serde(default)]
    pub status: Status,
    /// Models it may ask for: names or globs (`gpt-*`). None: no restriction; empty: none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Limits for its subtree.
    #[serde(default)]
    pub limits: Limits,
    /// IANA zone of its calendar days; on the root only. None: the configured default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Unix milliseconds.
    pub updated_ms: u64,
}

/// What a caller says to create an account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Unique among siblings.
    pub name: String,
    /// Id or path of the node above; the root if absent.
    #[serde(default)]
    pub parent: Option<String>,
    /// See [`Account::alias`].
    #[serde(default)]
    pub alias: Option<String>,
    /// See [`Account::email`].
    #[serde(default)]
    pub email: Option<String>,
    /// See [`Account::tags`].
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// See [`Account::models`].
    #[serde(default)]
    pub models: Option<Vec<String>>,
    /// See [`Account::limits`].
    #[serde(default)]
    pub limits: Limits,
}

/// What a caller says to change an account: absent = leave, `null` = unset, value = set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountPatch {
    /// A new name.
    pub name: Option<String>,
    /// Id or path of a new parent: moves the whole subtree.
    pub parent: Option<String>,
    /// See [`Account::alias`].
    #[serde(deserialize_with = "present")]
    pub alias: Option<Option<String>>,
    /// See [`Account::email`].
    #[serde(deserialize_with = "present")]
    pub email: Option<Option<String>>,
    /// Replaces all tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// See [`Account::status`].
    pub status: Option<Status>,
    /// See [`Account::models`].
    #[serde(deserialize_with = "present")]
    pub models: Option<Option<Vec<String>>>,
    /// Each limit on its own.
    pub limits: Option<LimitsPatch>,
    /// See [`Account::time_zone`].
    #[serde(deserialize_with = "present")]
    pub time_zone: Option<Option<String>>,
}

/// Limits to change: absent = leave, `null` = unset, value = set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsPatch {
    /// See [`Limits::rpm`].
    #[serde(deserialize_with = "present")]
    pub rpm: Option<Option<u64>>,
    /// See [`Limits::daily_limit`].
    #[serde(deserialize_with = "present")]
    pub daily_limit: Option<Option<u64>>,
}

/// Tells `null` (an inner None) from an absent member (an outer None).
fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

impl Account {
    /// Applies what a patch says, except the parent (which needs the tree).
    pub(crate) fn patched(&self, patch: &AccountPatch, now_ms: u64) -> Self {
        let mut account = self.clone();
        if let Some(name) = &patch.name {
            account.name.clone_from(name);
        }
        if let Some(alias) = &patch.alias {
            account.alias.clone_from(alias);
        }
        if let Some(email) = &patch.email {
            account.email.clone_from(email);
        }
        if let Some(tags) = &patch.tags {
            account.tags.clone_from(tags);
        }
        if let Some(status) = patch.status {
            account.status = status;
        }
        if let Some(models) = &patch.models {
            account.models.clone_from(models);
        }
        if let Some(limits) = &patch.limits {
            if let Some(rpm) = limits.rpm {
                account.limits.rpm = rpm;
            }
            if let Some(daily_limit) = limits.daily_limit {
                account.limits.daily_limit = daily_limit;
            }
        }
        if let Some(time_zone) = &patch.time_zone {
            account.time_zone.clone_from(time_zone);
        }
        account.updated_ms = now_ms.max(self.updated_ms);
        account
    }

    /// Checks every member that can be judged without the tree.
    pub(crate) fn validate(&self) -> Result<(), DirectoryError> {
        validate_name(&self.name)?;
        validate_text("alias", self.alias.as_deref(), 256)?;
        validate_text("email", self.email.as_deref(), 320)?;
        if let Some(email) = &self.email
            && !email.contains('@')
        {
            return Err(DirectoryError::invalid("email", "is not an e-mail address"));
        }
        for (name, value) in &self.tags {
            if name.is_empty() {
                return Err(DirectoryError::invalid("tags", "a tag needs a name"));
            }
            validate_text("tags", Some(name), 128)?;
            validate_text("tags", Some(value), 256)?;
        }
        for pattern in self.models.iter().flatten() {
            if pattern.is_empty() {
                return Err(DirectoryError::invalid("models", "an empty model name"));
            }
            validate_text("models", Some(pattern), 256)?;
        }
        if let Some(zone) = &self.time_zone {
            if self.parent.is_some() {
                return Err(DirectoryError::invalid(
                    "time_zone",
                    "can be set on the root only",
                ));
            }
            crate::calendar::Zone::named(zone)
                .map_err(|error| DirectoryError::invalid("time_zone", error.to_string()))?;
        }
        Ok(())
    }
}

fn validate_name(name: &str) -> Result<(), DirectoryError> {
    let wrong = |message: &str| Err(DirectoryError::invalid("name", message));
    if name.is_empty() {
        return wrong("may not be empty");
    }
    if name.trim() != name {
        return wrong("may not begin or end with a space");
    }
    if name.contains('/') {
        return wrong("may not contain `/`, which separates the names of a path");
    }
    if uuid::Uuid::try_parse(name).is_ok() {
        return wrong("may not look like an id");
    }
    validate_text("name", Some(name), 128)
}

/// Text that people will read in tables and headers: bounded, no control characters.
pub(crate) fn validate_text(
    field: &'static str,
    text: Option<&str>,
    longest: usize,
) -> Result<(), DirectoryError> {
    let Some(text) = text else { return Ok(()) };
    if text.len() > longest {
        return Err(DirectoryError::invalid(
            field,
            format!("is longer than {longest} bytes"),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(DirectoryError::invalid(
            field,
            "contains a control character",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_tells_null_from_absent() {
        let patch: AccountPatch =
            serde_json::from_str(r#"{"models":null,"limits":{"rpm":null}}"#).unwrap();
        assert_eq!(patch.models, Some(None));
        assert_eq!(patch.alias, None);
        let limits = patch.limits.unwrap();
        assert_eq!((limits.rpm, limits.daily_limit), (Some(None), None));
    }

    #[test]
    fn an_unknown_limit_is_refused_not_ignored() {
        let error = serde_json::from_str::<NewAccount>(r#"{"name":"a","limits":{"rpn":5}}"#);
        assert!(error.unwrap_err().to_string().contains("rpn"));
        assert!(serde_json::from_str::<NewAccount>(r#"{"name":"a","limit":{}}"#).is_err());
        assert!(serde_json::from_str::<NewAccount>(r#"{"name":"a","limits":{"rpm":-1}}"#).is_err());
    }

    #[test]
    fn names_that_would_break_a_path_are_refused() {
        for name in [
            "",
            " a",
            "a ",
            "a/b",
            "a\nb",
            "018f0000-0000-7000-8000-000000000000",
        ] {
            let error = validate_name(name).unwrap_err();
            assert_eq!(error.field(), Some("name"), "{name:?}");
        }
        assert!(validate_name("Büro 7").is_ok());
    }
}
