//! The upstream record: an operator's way to one vendor, with the vendor's component, address and credential.

use serde::{Deserialize, Serialize};

use crate::account::validate_text;
use crate::attachment::validate_slug;
use crate::error::DirectoryError;
use crate::price::ListPrice;

/// A place that serves models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upstream {
    /// Chosen by the operator, unique.
    pub name: String,
    /// Id of the provider component.
    pub provider: String,
    /// Name of the provider's endpoint; none: its first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Replaces the endpoint's base URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Name of the credential to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Models besides, or instead of, those the provider declares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<UpstreamModel>,
    /// A label for a class of upstreams, for example `premium`; routing policies read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Higher is tried first.
    #[serde(default)]
    pub priority: i64,
    /// Handed to the provider component.
    #[serde(default)]
    pub config: serde_json::Value,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Unix milliseconds.
    pub updated_ms: u64,
}

/// What the operator says about one model of an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamModel {
    /// The name clients ask for.
    pub id: String,
    /// The name the vendor knows; the same if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_id: Option<String>,
    /// Operations it serves; those of the endpoint if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<String>>,
    /// Replaces the provider's list price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<ListPrice>,
    /// Tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
    /// Tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// What it can do; what the provider's manifest says of it if absent. Names as a manifest has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abilities: Option<Vec<String>>,
}

/// What a caller says to set an upstream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamDraft {
    /// See [`Upstream::provider`].
    pub provider: String,
    /// See [`Upstream::endpoint`].
    pub endpoint: Option<String>,
    /// See [`Upstream::base_url`].
    pub base_url: Option<String>,
    /// See [`Upstream::credential`].
    pub credential: Option<String>,
    /// See [`Upstream::models`].
    pub models: Vec<UpstreamModel>,
    /// See [`Upstream::tier`].
    pub tier: Option<String>,
    /// See [`Upstream::priority`].
    pub priority: i64,
    /// See [`Upstream::config`].
    pub config: serde_json::Value,
}

impl Upstream {
    /// Checks every member that can be judged without the directory.
    pub(crate) fn validate(&self) -> Result<(), DirectoryError> {
        validate_slug("name", &self.name)?;
        validate_slug("provider", &self.provider)?;
        validate_text("endpoint", self.endpoint.as_deref(), 128)?;
        if let Some(url) = &self.base_url {
            validate_base_url(url)?;
        }
        let mut seen = std::collections::HashSet::new();
        for model in &self.models {
            if model.id.is_empty() {
                return Err(DirectoryError::invalid("models.id", "may not be empty"));
            }
            validate_text("models.id", Some(&model.id), 256)?;
            validate_text("models.upstream_id", model.upstream_id.as_deref(), 256)?;
            if !seen.insert(model.id.as_str()) {
                let message = format!("`{}` is listed twice", model.id);
                return Err(DirectoryError::invalid("models.id", message));
            }
        }
        Ok(())
    }
}

/// A secret in the URL would end in logs; a query or fragment would be lost when a path is appended.
fn validate_base_url(url: &str) -> Result<(), DirectoryError> {
    let wrong = |message: &str| Err(DirectoryError::invalid("base_url", message));
    let Some(rest) = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
    else {
        return wrong("must begin with https:// or http://");
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.is_empty() || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return wrong("is not a URL");
    }
    if authority.contains('@') {
        return wrong("may not contain a user or password; use a credential");
    }
    if rest.contains(['?', '#']) {
        return wrong("may not have a query or a fragment");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_plain_http_without_secrets() {
        for url in [
            "ftp://a",
            "https://",
            "https:///x",
            "https://u:p@a",
            "https://a?x",
            "https://a b",
            "a.example",
        ] {
            assert_eq!(
                validate_base_url(url).unwrap_err().field(),
                Some("base_url"),
                "{url}"
            );
        }
        assert!(validate_base_url("https://api.example.com/v1").is_ok());
        assert!(validate_base_url("http://127.0.0.1:9000").is_ok());
    }
}
