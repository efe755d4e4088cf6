//! Upstreams, resolved: component, endpoint, address, credential.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tollgate_dialect::{Operation, UsageHints};
use tollgate_governance as governance;
use tollgate_plugin::{Configured, Interface, Manifest};
use tollgate_upstream::{Breaker, BreakerConfig, Target};
use tollgate_vault::Credential;

use super::{Problem, SnapshotInputs, config_text};
use crate::pulse::Pulse;

/// What a manifest lists among an endpoint's operations if it serves `responses` over a WebSocket, too.
const WEBSOCKET: &str = "responses-websocket";

/// One upstream, resolved: everything that an attempt needs.
pub(crate) struct Upstream {
    pub(crate) name: String,
    pub(crate) tier: String,
    pub(crate) provider_id: String,
    /// Its place among the names that metrics know, see [`Snapshot::providers`](super::Snapshot::providers).
    pub(crate) provider_place: usize,
    pub(crate) provider: Arc<Configured>,
    pub(crate) endpoint: Arc<str>,
    pub(crate) target: Arc<Target>,
    pub(crate) credential: Option<Arc<Credential>>,
    pub(crate) credential_name: Option<String>,
    pub(crate) hints: Arc<UsageHints>,
    pub(crate) pulse: Arc<Pulse>,
    /// Health of the models that no list names: one for all of them, as their names come from clients.
    pub(super) unlisted: Arc<Breaker>,
    /// Whether the component answers itself, without an upstream.
    pub(crate) responds: bool,
    /// Whether the component signs what is sent.
    pub(crate) signs: bool,
    /// Whether the component translates bodies.
    pub(crate) translates: bool,
    /// Whether responses are served over a WebSocket, too.
    pub(crate) websocket: Upgrades,
    pub(super) operations: Operations,
    pub(super) record: governance::Upstream,
}

impl Upstream {
    /// Resolves a record; the old one is kept if nothing about it changed.
    pub(super) fn resolve(
        record: &governance::Upstream,
        inputs: &SnapshotInputs<'_>,
        old: Option<&Arc<Self>>,
        provider_place: usize,
        problems: &mut Vec<Problem>,
    ) -> Result<Arc<Self>, String> {
        let loaded = inputs
            .generation
            .providers
            .get(&record.provider)
            .ok_or_else(|| format!("no provider component `{}` is loaded", record.provider))?;
        let credential = match &record.credential {
            None => None,
            Some(name) => Some(
                inputs
                    .credentials
                    .get(name)
                    .cloned()
                    .ok_or_else(|| format!("there is no credential `{name}`"))?,
            ),
        };
        let same_credential = |old: &Self| match (&old.credential, &credential) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        if let Some(old) = old
            && old.record == *record
            && Arc::ptr_eq(old.provider.component(), loaded)
            && same_credential(old)
        {
            return Ok(Arc::clone(old));
        }
        let text = config_text(&record.config);
        let provider = match (loaded.configured(&text), old) {
            (Ok(provider), _) => provider,
            // A new version that does not take the configuration: the one before stays.
            (Err(error), Some(old)) if old.record.config == record.config => {
                problems.push(Problem {
                    what: format!("upstream `{}`", record.name),
                    why: format!("the version of its component before stays in service: {error}"),
                });
                Arc::clone(&old.provider)
            }
            (Err(error), _) => return Err(error.to_string()),
        };
        let component = provider.component();
        let manifest = component
            .manifest()
            .ok_or_else(|| "the component is not a provider".to_owned())?;
        let endpoint = manifest
            .endpoint(record.endpoint.as_deref().unwrap_or_default())
            .ok_or_else(|| {
                let known = manifest.endpoints.iter();
                let known: Vec<_> = known.map(|endpoint| endpoint.name.as_str()).collect();
                format!(
                    "the provider has no endpoint `{}`; there are: {}",
                    record.endpoint.as_deref().unwrap_or_default(),
                    known.join(", ")
                )
            })?;
        let responds = component.exports(Interface::Responder);
        let base_url = record.base_url.as_deref().unwrap_or(&endpoint.base_url);
        let target = Target::parse(base_url).map_err(|error| format!("base_url: {error}"))?;
        if let Some(credential) = &credential
            && let Some(missing) = manifest.credential.fields.iter().find(|field| {
                field.required && credential.field_names().all(|name| name != field.name)
            })
        {
            return Err(format!("its credential has no field `{}`", missing.name));
        }
        if credential.is_none()
            && !responds
            && manifest
                .credential
                .fields
                .iter()
                .any(|field| field.required)
        {
            return Err("it needs a credential".to_owned());
        }
        let signs = component.exports(Interface::Signing);
        let translates = component.exports(Interface::Translation);
        // Signatures are of a POST with its body, and a translator's vendor speaks another dialect.
        let websocket = inputs.config.upstream.websocket
            && !(responds || signs || translates)
            && endpoint.operations.iter().any(|name| name == WEBSOCKET);
        Ok(Arc::new(Self {
            name: record.name.clone(),
            tier: record.tier.clone().unwrap_or_default(),
            provider_id: record.provider.clone(),
            provider_place,
            provider: Arc::clone(&provider),
            endpoint: endpoint.name.as_str().into(),
            target: Arc::new(target),
            credential,
            credential_name: record.credential.clone(),
            hints: Arc::new(UsageHints {
                pointers: manifest.usage.pointers.clone(),
                stream_pointers: manifest.usage.stream_pointers.clone(),
                cached_tokens_pointers: manifest.usage.cached_tokens_pointers.clone(),
            }),
            pulse: old.map_or_else(Arc::default, |old| Arc::clone(&old.pulse)),
            unlisted: old.map_or_else(
                || Arc::new(Breaker::new(BreakerConfig::default())),
                |old| Arc::clone(&old.unlisted),
            ),
            responds,
            signs,
            translates,
            websocket: Upgrades::new(websocket),
            operations: Operations::of(&endpoint.operations),
            record: record.clone(),
        }))
    }
}

/// Whether an upstream grants WebSockets, as far as is known.
pub(crate) struct Upgrades {
    /// Unix milliseconds; the end of time if it never does.
    not_before: AtomicU64,
}

impl Upgrades {
    /// How long a refusal is remembered: until then requests go over HTTP at once. Milliseconds.
    const REMEMBERED: u64 = 600_000;

    fn new(served: bool) -> Self {
        let not_before = if served { 0 } else { u64::MAX };
        Self {
            not_before: AtomicU64::new(not_before),
        }
    }

    /// Whether it may be asked for one.
    pub(crate) fn is_served(&self, now_ms: u64) -> bool {
        now_ms >= self.not_before.load(Ordering::Relaxed)
    }

    /// It has refused, not us but the WebSocket.
    pub(crate) fn refused(&self, now_ms: u64) {
        let until = now_ms.saturating_add(Self::REMEMBERED);
        self.not_before.store(until, Ordering::Relaxed);
    }
}

/// What its component says of itself.
pub(super) fn manifest(upstream: &Upstream) -> Option<&Manifest> {
    upstream.provider.component().manifest()
}

/// A set of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operations(u8);

impl Operations {
    pub(super) fn of(names: &[String]) -> Self {
        let bits = Operation::ALL
            .iter()
            .enumerate()
            .filter(|(_, operation)| names.iter().any(|name| name == operation.as_str()))
            .fold(0, |bits, (index, _)| bits | 1 << index);
        Self(bits)
    }

    pub(super) fn has(self, operation: Operation) -> bool {
        Operation::ALL
            .iter()
            .position(|known| *known == operation)
            .is_some_and(|index| self.0 & 1 << index != 0)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_websocket_is_asked_for_again_after_a_while() {
        let (served, other) = (Upgrades::new(true), Upgrades::new(false));
        assert!(served.is_served(1_000) && !other.is_served(1_000));
        served.refused(1_000);
        assert!(!served.is_served(600_999) && served.is_served(601_000));
    }
}
