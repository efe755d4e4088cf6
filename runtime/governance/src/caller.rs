//! Who is calling: a key, which narrows, and the path of its account.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ipnet::IpNet;

use crate::ids::KeyId;
use crate::key::Key;
use crate::node::{networks, within};
use crate::path::Path;
use crate::pattern::Patterns;

/// A caller: the key that was shown and the effective policy of its account.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(crate) key: Arc<KeyEntry>,
    /// The account's path as it was when the request came.
    pub path: Arc<Path>,
}

/// A key as a request reads it.
#[derive(Debug)]
pub(crate) struct KeyEntry {
    pub(crate) key: Arc<Key>,
    /// Of its account in the snapshot.
    pub(crate) place: u32,
    /// Shared by all that show the key, and by the records that follow when it is changed. Unix milliseconds.
    pub(crate) last_used: Arc<AtomicU64>,
    scope: Option<Box<Scope>>,
    // Of the record: every request asks, and the record of a key that few show is in no cache.
    not_before_ms: u64,
    expires_ms: Option<u64>,
}

/// What a key allows less than its account.
#[derive(Debug, Default, PartialEq)]
struct Scope {
    models: Option<Patterns>,
    providers: Option<Patterns>,
    endpoints: Option<Patterns>,
    networks: Option<Box<[IpNet]>>,
}

impl KeyEntry {
    pub(crate) fn new(key: Arc<Key>, place: u32, last_used: Arc<AtomicU64>) -> Self {
        let list = |list: &Option<Vec<String>>| list.as_deref().map(Patterns::new);
        let scope = Scope {
            models: list(&key.scope.models),
            providers: list(&key.scope.providers),
            endpoints: list(&key.scope.endpoints),
            networks: key.scope.cidrs.as_deref().map(networks),
        };
        Self {
            not_before_ms: key.not_before_ms.unwrap_or(0),
            expires_ms: key.expires_ms,
            key,
            place,
            last_used,
            scope: (scope != Scope::default()).then(|| Box::new(scope)),
        }
    }

    fn passes(&self, list: impl Fn(&Scope) -> &Option<Patterns>, name: &str) -> bool {
        self.scope
            .as_ref()
            .and_then(|scope| list(scope).as_ref())
            .is_none_or(|list| list.matches(name))
    }
}

impl Caller {
    /// The key's id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.key.key.id
    }

    /// The key's label.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.key.key.label
    }

    /// Whether the key works at that moment: begun, and not expired.
    #[must_use]
    pub fn is_valid_at(&self, now_ms: u64) -> bool {
        // Revoked ones are not in the snapshot.
        self.key.not_before_ms <= now_ms && self.key.expires_ms.is_none_or(|end| now_ms < end)
    }

    /// Notes that the key was shown. Unix milliseconds.
    pub fn used_at(&self, now_ms: u64) {
        // Not every request writes to what all workers share: once a second is enough for people.
        if self.key.last_used.load(Relaxed) + 1_000 <= now_ms {
            self.key.last_used.fetch_max(now_ms, Relaxed);
        }
    }

    /// The model that is served for the one asked for; see [`Path::resolve`]. The key's own list is about what is asked
    /// for.
    #[must_use]
    pub fn resolve<'a>(&'a self, asked: &'a str) -> Option<Cow<'a, str>> {
        self.key
            .passes(|scope| &scope.models, asked)
            .then(|| self.path.resolve(asked))
            .flatten()
    }

    /// Whether a policy may choose this model for it: it must pass every list of the path and of the key.
    #[must_use]
    pub fn allows_model(&self, model: &str) -> bool {
        self.key.passes(|scope| &scope.models, model) && self.path.allows_model(model)
    }

    /// Whether a provider component may serve it.
    #[must_use]
    pub fn allows_provider(&self, provider: &str) -> bool {
        self.key.passes(|scope| &scope.providers, provider) && self.path.allows_provider(provider)
    }

    /// Whether it may call an operation.
    #[must_use]
    pub fn allows_endpoint(&self, endpoint: &str) -> bool {
        self.key.passes(|scope| &scope.endpoints, endpoint) && self.path.allows_endpoint(endpoint)
    }

    /// Whether it may come from there.
    #[must_use]
    pub fn allows_address(&self, address: Option<IpAddr>) -> bool {
        let of_key = self
            .key
            .scope
            .as_ref()
            .and_then(|scope| scope.networks.as_deref());
        within(of_key, address) && self.path.allows_address(address)
    }
}

#[cfg(test)]
mod tests;
