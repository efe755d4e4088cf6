//! A vendor's manifest: the JSON that `manifest.describe` returns, read and checked.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Who a vendor is. Members that the host does not know are ignored, so the shape can grow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The provider's id: lower-case letters, digits, `-`, `_`, `.`.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// At least one; the first is the default.
    pub endpoints: Vec<Endpoint>,
    /// What a credential for this vendor holds.
    #[serde(default)]
    pub credential: Credential,
    /// Models with their list prices.
    #[serde(default)]
    pub models: Vec<Model>,
    /// Whether model names that are not listed are accepted.
    #[serde(default)]
    pub any_model: bool,
    /// Where usage hides besides the dialect's own place.
    #[serde(default)]
    pub usage: UsagePointers,
    /// JSON Schema of the operator's configuration, for the console.
    #[serde(default)]
    pub configuration_schema: serde_json::Value,
}

/// One place where the vendor serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The endpoint's name, unique in the manifest.
    pub name: String,
    /// `https://…` or `http://…`, without query, fragment or a `/` at its end.
    pub base_url: String,
    /// For people, for example `cn`.
    #[serde(default)]
    pub region: String,
    /// For people, for example `pay-as-you-go`.
    #[serde(default)]
    pub plan: String,
    /// Operations natively served there.
    pub operations: Vec<String>,
}

/// What a credential holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// Its fields.
    #[serde(default)]
    pub fields: Vec<CredentialField>,
}

/// One field of a credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CredentialField {
    /// The name used in header templates.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub label: String,
    /// Whether it must be hidden on entry; default true.
    #[serde(default = "yes")]
    pub secret: bool,
    /// Whether a credential without it is refused; default true.
    #[serde(default = "yes")]
    pub required: bool,
}

/// One model of the vendor's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The model's name at the vendor.
    pub id: String,
    /// Other names a client may use for it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Tokens.
    #[serde(default)]
    pub context_window: Option<u64>,
    /// Tokens.
    #[serde(default)]
    pub max_output_tokens: Option<u64>,
    /// Operations it serves; absent: all of the endpoint's.
    #[serde(default)]
    pub operations: Option<Vec<String>>,
    /// For example `tools`, `vision`, `reasoning`.
    #[serde(default)]
    pub abilities: Vec<String>,
    /// List price.
    #[serde(default)]
    pub price: Option<Price>,
}

/// A price in micro-units of `currency` per million tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// ISO 4217 code.
    pub currency: String,
    /// Uncached input.
    pub input: u64,
    /// Input read from the vendor's cache; absent: as `input`.
    #[serde(default)]
    pub cache_read: Option<u64>,
    /// Input written to a 5-minute cache; absent: as `input`.
    #[serde(default)]
    pub cache_write_5m: Option<u64>,
    /// Input written to a 1-hour cache; absent: as `input`.
    #[serde(default)]
    pub cache_write_1h: Option<u64>,
    /// Output, reasoning included.
    pub output: u64,
    /// Micro-units for each call, whatever its size; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// Prices of longer prompts, by ascending threshold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<PriceTier>,
    /// A name for this state of the price, for example `2026-11`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What a call costs whose prompt is longer than `above` tokens, all of it. A cache price that is absent keeps its
/// proportion to `input`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceTier {
    /// Tokens of input, cached ones included.
    pub above: u64,
    /// Uncached input.
    pub input: u64,
    /// Input read from the vendor's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u64>,
    /// Input written to a 5-minute cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<u64>,
    /// Input written to a 1-hour cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<u64>,
    /// Output, reasoning included.
    pub output: u64,
}

/// JSON Pointers (RFC 6901) to usage objects that are not where the dialect has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsagePointers {
    /// In an event of a stream.
    #[serde(default)]
    pub stream_pointers: Vec<String>,
    /// In a whole answer.
    #[serde(default)]
    pub pointers: Vec<String>,
    /// To the number of cached tokens, relative to the usage object.
    #[serde(default)]
    pub cached_tokens_pointers: Vec<String>,
}

fn yes() -> bool {
    true
}

impl Manifest {
    /// Reads and checks the JSON text of a manifest.
    ///
    /// # Errors
    /// A sentence that names the member that is wrong.
    pub fn parse(json: &str) -> Result<Self, String> {
        let manifest: Manifest = serde_json::from_str(json)
            .map_err(|error| format!("the manifest is not as its schema says: {error}"))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The endpoint called `name`, or the default for an empty name.
    pub fn endpoint(&self, name: &str) -> Option<&Endpoint> {
        if name.is_empty() {
            return self.endpoints.first();
        }
        self.endpoints.iter().find(|endpoint| endpoint.name == name)
    }

    /// The model with this id or alias.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models
            .iter()
            .find(|model| model.id == name || model.aliases.iter().any(|alias| alias == name))
    }

    fn check(&self) -> Result<(), String> {
        check_id("manifest.id", &self.id)?;
        if self.name.trim().is_empty() {
            return Err("manifest.name is empty".into());
        }
        if self.endpoints.is_empty() {
            return Err("manifest.endpoints is empty: a vendor is reached somewhere".into());
        }
        let mut names = BTreeSet::new();
        for endpoint in &self.endpoints {
            check_endpoint(endpoint)?;
            if !names.insert(endpoint.name.as_str()) {
                return Err(format!(
                    "manifest.endpoints: `{}` is there twice",
                    endpoint.name
                ));
            }
        }
        let mut fields = BTreeSet::new();
        for field in &self.credential.fields {
            check_id("manifest.credential.fields[].name", &field.name)?;
            if !fields.insert(field.name.as_str()) {
                return Err(format!(
                    "manifest.credential.fields: `{}` is there twice",
                    field.name
                ));
            }
        }
        self.check_models()?;
        for (member, pointers) in [
            ("stream_pointers", &self.usage.stream_pointers),
            ("pointers", &self.usage.pointers),
            ("cached_tokens_pointers", &self.usage.cached_tokens_pointers),
        ] {
            for pointer in pointers {
                crate::plan::check_pointer(pointer)
                    .map_err(|why| format!("manifest.usage.{member}: {why}"))?;
            }
        }
        Ok(())
    }

    fn check_models(&self) -> Result<(), String> {
        if self.models.is_empty() && !self.any_model {
            return Err(
                "manifest.models is empty and any_model is not set: no request could be served"
                    .into(),
            );
        }
        let mut names = BTreeSet::new();
        for model in &self.models {
            if model.id.is_empty() {
                return Err("manifest.models: a model has an empty id".into());
            }
            for name in std::iter::once(&model.id).chain(&model.aliases) {
                if !names.insert(name.as_str()) {
                    return Err(format!("manifest.models: the name `{name}` is there twice"));
                }
            }
            if let Some(price) = &model.price {
                let code = price.currency.as_bytes();
                if code.len() != 3 || !code.iter().all(u8::is_ascii_uppercase) {
                    return Err(format!(
                        "manifest.models: `{}` has the currency `{}`, not an ISO 4217 code such as `USD`",
                        model.id, price.currency
                    ));
                }
                let thresholds = price.tiers.iter().map(|tier| tier.above);
                if !std::iter::once(0).chain(thresholds.clone()).zip(thresholds).all(|(a, b)| a < b) {
                    return Err(format!(
                        "manifest.models: the price tiers of `{}` are not in ascending order of `above`",
                        model.id
                    ));
                }
            }
        }
        Ok(())
    }
}

fn check_id(what: &str, id: &str) -> Result<(), String> {
    let fits = !id.is_empty()
        && id.len() <= 64
        && id.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.')
        });
    if fits {
        return Ok(());
    }
    Err(format!(
        "{what} is `{}`: it must be 1 to 64 of a-z, 0-9, `-`, `_`, `.`",
        id.chars().take(80).collect::<String>()
    ))
}

fn check_endpoint(endpoint: &Endpoint) -> Result<(), String> {
    let name = &endpoint.name;
    check_id("manifest.endpoints[].name", name)?;
    let url = &endpoint.base_url;
    let Some(rest) = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
    else {
        return Err(format!(
            "endpoint `{name}`: base_url `{url}` does not start with https:// or http://"
        ));
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.is_empty() || authority.contains('@') {
        return Err(format!(
            "endpoint `{name}`: base_url `{url}` has no plain host"
        ));
    }
    if url.ends_with('/') {
        return Err(format!(
            "endpoint `{name}`: base_url `{url}` ends with `/`; paths begin with one"
        ));
    }
    if url
        .bytes()
        .any(|b| b.is_ascii_whitespace() || b.is_ascii_control() || matches!(b, b'?' | b'#'))
    {
        return Err(format!(
            "endpoint `{name}`: base_url `{url}` holds a space, `?` or `#`"
        ));
    }
    if endpoint.operations.is_empty() {
        return Err(format!("endpoint `{name}`: operations is empty"));
    }
    Ok(())
}
