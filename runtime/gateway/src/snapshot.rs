//! What the data plane reads: one immutable value, loaded once a request, replaced whole when anything changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tollgate_dialect::{ModelCard, Operation, UsageHints};
use tollgate_governance as governance;
use tollgate_governance::{Accounts, Attachment, Price, Rates};
use tollgate_plugin::{Configured, Generation, Interface, Manifest};
use tollgate_upstream::{Breaker, BreakerConfig, Target};
use tollgate_vault::Credential;

use crate::config::Config;
use crate::pulse::Pulse;

/// What a snapshot is made of.
pub struct SnapshotInputs<'a> {
    /// Accounts and keys.
    pub accounts: Arc<Accounts>,
    /// The operator's upstream records.
    pub upstreams: Vec<governance::Upstream>,
    /// Policies at work.
    pub attachments: Vec<Attachment>,
    /// The components loaded now.
    pub generation: Arc<Generation>,
    /// Opened credentials by name.
    pub credentials: HashMap<String, Arc<Credential>>,
    /// The configuration file.
    pub config: &'a Config,
    /// The snapshot this one replaces: what did not change is taken over, warm instances and health included.
    pub previous: Option<Arc<Snapshot>>,
}

/// Something that was left out of a snapshot, and why. For the log, `doctor` and the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// For example ``upstream `main` ``.
    pub what: String,
    /// One sentence.
    pub why: String,
}

/// Everything a request needs to know.
pub struct Snapshot {
    /// Accounts and keys.
    pub(crate) accounts: Arc<Accounts>,
    /// Upstreams that can serve a model, best first.
    routes: HashMap<Arc<str>, Vec<Arc<Route>>>,
    /// Upstreams that take any model name.
    open: Vec<Arc<Upstream>>,
    /// Cards of the models that routes exist for, by id.
    pub(crate) cards: BTreeMap<Arc<str>, ModelCard>,
    /// Policies by the id of their attachment; which apply, and in what order, an account's path says.
    policies: HashMap<String, Arc<Policy>>,
    /// Price of a model that has none.
    default_price: Option<Price>,
    /// Kept for the next snapshot.
    upstreams: HashMap<String, Arc<Upstream>>,
    /// What could not be used.
    pub problems: Vec<Problem>,
}

/// One upstream, resolved: everything that an attempt needs.
pub(crate) struct Upstream {
    pub(crate) name: String,
    pub(crate) tier: String,
    pub(crate) provider_id: String,
    pub(crate) provider: Arc<Configured>,
    pub(crate) endpoint: Arc<str>,
    pub(crate) target: Arc<Target>,
    pub(crate) credential: Option<Arc<Credential>>,
    pub(crate) credential_name: Option<String>,
    pub(crate) hints: Arc<UsageHints>,
    pub(crate) pulse: Arc<Pulse>,
    /// Whether the component answers itself, without an upstream.
    pub(crate) responds: bool,
    /// Whether the component signs what is sent.
    pub(crate) signs: bool,
    /// Whether the component translates bodies.
    pub(crate) translates: bool,
    operations: Operations,
    record: governance::Upstream,
}

/// One upstream serving one model.
pub(crate) struct Route {
    pub(crate) upstream: Arc<Upstream>,
    /// The model's name at the vendor.
    pub(crate) model: Arc<str>,
    pub(crate) price: Option<Price>,
    pub(crate) max_output: Option<u64>,
    pub(crate) breaker: Arc<Breaker>,
    operations: Operations,
}

/// A policy at work on an account.
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) component: String,
    /// `None`: the component is missing or refused its configuration. Such a policy denies everything: a rule that
    /// cannot be asked must not be skipped.
    pub(crate) guest: Option<Arc<Configured>>,
    config: String,
}

impl Policy {
    pub(crate) fn exports(&self, interface: Interface) -> bool {
        self.guest
            .as_ref()
            .is_none_or(|guest| guest.component().exports(interface))
    }

    /// SHA-256 of the component; zeros if it is not loaded.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut digest = [0; 32];
        let hex = self
            .guest
            .as_ref()
            .map_or("", |guest| guest.component().digest());
        for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = std::str::from_utf8(pair)
                .ok()
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .unwrap_or(0);
        }
        digest
    }
}

/// A set of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Operations(u8);

impl Operations {
    fn of(names: &[String]) -> Self {
        let bits = Operation::ALL
            .iter()
            .enumerate()
            .filter(|(_, operation)| names.iter().any(|name| name == operation.as_str()))
            .fold(0, |bits, (index, _)| bits | 1 << index);
        Self(bits)
    }

    fn has(self, operation: Operation) -> bool {
        Operation::ALL
            .iter()
            .position(|known| *known == operation)
            .is_some_and(|index| self.0 & 1 << index != 0)
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Route {
    pub(crate) fn serves(&self, operation: Operation) -> bool {
        self.operations.has(operation)
    }

    /// Whether the breaker would let a request through.
    pub(crate) fn available(&self, now_ms: u64) -> bool {
        !matches!(
            self.breaker.state(now_ms),
            tollgate_upstream::BreakerState::Open { .. }
        )
    }
}

impl Snapshot {
    /// Resolves the records against the components and credentials that are there. What cannot be resolved is left
    /// out and told; the rest serves.
    #[must_use]
    pub fn build(inputs: SnapshotInputs<'_>) -> Self {
        let mut problems = Vec::new();
        let rates = Rates::new(
            &inputs.config.governance.currency,
            inputs.config.governance.rates.clone(),
        );
        let previous = inputs.previous.as_deref();
        let mut upstreams = HashMap::new();
        for record in &inputs.upstreams {
            let old = previous.and_then(|snapshot| snapshot.upstreams.get(&record.name));
            match Upstream::resolve(record, &inputs, old) {
                Ok(upstream) => {
                    upstreams.insert(record.name.clone(), upstream);
                }
                Err(why) => problems.push(Problem {
                    what: format!("upstream `{}`", record.name),
                    why,
                }),
            }
        }
        let mut ordered: Vec<&Arc<Upstream>> = upstreams.values().collect();
        // Higher priority first; names decide ties so that two starts behave alike.
        ordered.sort_by(|a, b| {
            b.record
                .priority
                .cmp(&a.record.priority)
                .then_with(|| a.name.cmp(&b.name))
        });
        let mut table = Table {
            routes: HashMap::new(),
            cards: BTreeMap::new(),
            rates: &rates,
            previous,
            problems,
        };
        for upstream in &ordered {
            table.add(upstream);
        }
        let Table {
            routes,
            cards,
            mut problems,
            ..
        } = table;
        let open = ordered
            .iter()
            .filter(|upstream| manifest(upstream).is_some_and(|manifest| manifest.any_model))
            .map(|upstream| Arc::clone(upstream))
            .collect();
        let default_price = inputs
            .config
            .governance
            .default_price
            .as_ref()
            .and_then(|price| {
                let list = list_price_of_config(price, &inputs.config.governance.currency);
                rates
                    .to_base(&list)
                    .map_err(|error| {
                        problems.push(Problem {
                            what: "governance.default_price".to_owned(),
                            why: error.to_string(),
                        })
                    })
                    .ok()
            });
        let policies = policies(&inputs, previous, &mut problems);
        Self {
            accounts: inputs.accounts,
            routes,
            open,
            cards,
            policies,
            default_price,
            upstreams,
            problems,
        }
    }

    /// The routes for a model, best first. `provider/model` asks for one provider's.
    pub(crate) fn routes(&self, model: &str, operation: Operation) -> Vec<Arc<Route>> {
        let known = self
            .routes
            .get(model)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let found: Vec<_> = known
            .iter()
            .filter(|route| route.serves(operation))
            .map(Arc::clone)
            .collect();
        if !found.is_empty() {
            return found;
        }
        if let Some((provider, bare)) = model.split_once('/') {
            let known = self.routes.get(bare).map(Vec::as_slice).unwrap_or_default();
            let found: Vec<_> = known
                .iter()
                .filter(|route| route.upstream.provider_id == provider && route.serves(operation))
                .map(Arc::clone)
                .collect();
            if !found.is_empty() {
                return found;
            }
        }
        self.open
            .iter()
            .filter(|upstream| upstream.operations.has(operation))
            .map(|upstream| Arc::new(Route::open(upstream, model)))
            .collect()
    }

    /// Whether any upstream knows the model, whatever the operation.
    pub(crate) fn knows(&self, model: &str) -> bool {
        self.routes.contains_key(model)
            || model.split_once('/').is_some_and(|(provider, bare)| {
                self.routes
                    .get(bare)
                    .is_some_and(|routes| routes.iter().any(|r| r.upstream.provider_id == provider))
            })
            || !self.open.is_empty()
    }

    /// The price at which a route is charged.
    pub(crate) fn price<'a>(&'a self, route: &'a Route) -> Option<&'a Price> {
        route.price.as_ref().or(self.default_price.as_ref())
    }

    /// The policy of an attachment.
    pub(crate) fn policy(&self, attachment: &str) -> Option<&Arc<Policy>> {
        self.policies.get(attachment)
    }
}

/// Routes and cards while they are put together.
struct Table<'a> {
    routes: HashMap<Arc<str>, Vec<Arc<Route>>>,
    cards: BTreeMap<Arc<str>, ModelCard>,
    rates: &'a Rates,
    previous: Option<&'a Snapshot>,
    problems: Vec<Problem>,
}

impl Table<'_> {
    fn add(&mut self, upstream: &Arc<Upstream>) {
        let Some(manifest) = manifest(upstream) else {
            return;
        };
        let extra = &upstream.record.models;
        for model in &manifest.models {
            for name in std::iter::once(&model.id).chain(&model.aliases) {
                // The operator's word on a model replaces the manifest's.
                if extra.iter().any(|own| own.id == *name) {
                    continue;
                }
                self.route(
                    upstream,
                    &Wanted {
                        id: name,
                        // An alias is the vendor's own: it goes there as the client wrote it.
                        at_vendor: name,
                        operations: model.operations.as_deref(),
                        price: model.price.as_ref().map(list_price_of_manifest),
                        context_window: model.context_window,
                        max_output: model.max_output_tokens,
                        abilities: &model.abilities,
                    },
                );
            }
        }
        for own in extra {
            let listed = manifest.model(own.upstream_id.as_deref().unwrap_or(&own.id));
            self.route(
                upstream,
                &Wanted {
                    id: &own.id,
                    at_vendor: own.upstream_id.as_deref().unwrap_or(&own.id),
                    operations: own
                        .operations
                        .as_deref()
                        .or_else(|| listed?.operations.as_deref()),
                    price: own
                        .price
                        .clone()
                        .or_else(|| listed?.price.as_ref().map(list_price_of_manifest)),
                    context_window: own.context_window.or_else(|| listed?.context_window),
                    max_output: own.max_output_tokens.or_else(|| listed?.max_output_tokens),
                    abilities: listed
                        .map(|model| model.abilities.as_slice())
                        .unwrap_or_default(),
                },
            );
        }
    }

    fn route(&mut self, upstream: &Arc<Upstream>, wanted: &Wanted<'_>) {
        let price = match wanted.price.as_ref().map(|list| self.rates.to_base(list)) {
            None => None,
            Some(Ok(price)) => Some(price),
            Some(Err(error)) => {
                self.problems.push(Problem {
                    what: format!("price of `{}` at upstream `{}`", wanted.id, upstream.name),
                    why: error.to_string(),
                });
                None
            }
        };
        let id: Arc<str> = wanted.id.into();
        // A breaker is about a model at an upstream, not about the whole credential: a vendor that is out of one
        // model still serves the others.
        let breaker = self
            .previous
            .and_then(|old| {
                old.routes
                    .get(&id)?
                    .iter()
                    .find(|route| route.upstream.name == upstream.name)
            })
            .map_or_else(
                || Arc::new(Breaker::new(BreakerConfig::default())),
                |route| Arc::clone(&route.breaker),
            );
        let operations = match wanted.operations {
            Some(names) => upstream.operations.and(Operations::of(names)),
            None => upstream.operations,
        };
        self.cards
            .entry(Arc::clone(&id))
            .or_insert_with(|| ModelCard {
                id: wanted.id.to_owned(),
                display_name: String::new(),
                context_window: wanted.context_window.unwrap_or(0),
                max_output_tokens: wanted.max_output.unwrap_or(0),
                abilities: wanted.abilities.to_vec(),
                created: 0,
                owned_by: upstream.provider_id.clone(),
            });
        self.routes.entry(id).or_default().push(Arc::new(Route {
            upstream: Arc::clone(upstream),
            model: wanted.at_vendor.into(),
            price,
            max_output: wanted.max_output,
            breaker,
            operations,
        }));
    }
}

struct Wanted<'a> {
    id: &'a str,
    at_vendor: &'a str,
    operations: Option<&'a [String]>,
    price: Option<governance::ListPrice>,
    context_window: Option<u64>,
    max_output: Option<u64>,
    abilities: &'a [String],
}

impl Route {
    fn open(upstream: &Arc<Upstream>, model: &str) -> Self {
        Self {
            upstream: Arc::clone(upstream),
            model: model.into(),
            price: None,
            max_output: None,
            breaker: Arc::new(Breaker::new(BreakerConfig::default())),
            operations: upstream.operations,
        }
    }
}

impl Upstream {
    fn resolve(
        record: &governance::Upstream,
        inputs: &SnapshotInputs<'_>,
        old: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, String> {
        let component = inputs
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
            && Arc::ptr_eq(old.provider.component(), component)
            && same_credential(old)
        {
            return Ok(Arc::clone(old));
        }
        let manifest = component
            .manifest()
            .ok_or_else(|| "the component is not a provider".to_owned())?;
        let endpoint = manifest
            .endpoint(record.endpoint.as_deref().unwrap_or_default())
            .ok_or_else(|| {
                format!(
                    "the provider has no endpoint `{}`",
                    record.endpoint.as_deref().unwrap_or_default()
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
        let provider = component
            .configured(&config_text(&record.config))
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(Self {
            name: record.name.clone(),
            tier: record.tier.clone().unwrap_or_default(),
            provider_id: record.provider.clone(),
            provider,
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
            responds,
            signs: component.exports(Interface::Signing),
            translates: component.exports(Interface::Translation),
            operations: Operations::of(&endpoint.operations),
            record: record.clone(),
        }))
    }
}

fn manifest(upstream: &Upstream) -> Option<&Manifest> {
    upstream.provider.component().manifest()
}

fn policies(
    inputs: &SnapshotInputs<'_>,
    previous: Option<&Snapshot>,
    problems: &mut Vec<Problem>,
) -> HashMap<String, Arc<Policy>> {
    let mut policies = HashMap::new();
    for attachment in &inputs.attachments {
        let config = config_text(&attachment.config);
        let component = inputs.generation.policies.get(&attachment.component);
        let kept = previous
            .and_then(|snapshot| snapshot.policy(&attachment.id))
            .filter(|old| {
                old.config == config
                    && old.component == attachment.component
                    && match (&old.guest, component) {
                        (Some(guest), Some(component)) => Arc::ptr_eq(guest.component(), component),
                        _ => false,
                    }
            });
        let policy = match kept {
            Some(old) => Arc::clone(old),
            None => {
                let guest = match component {
                    None => Err(format!(
                        "no policy component `{}` is loaded",
                        attachment.component
                    )),
                    Some(component) => component
                        .configured(&config)
                        .map_err(|error| error.to_string()),
                };
                let guest = guest
                    .map_err(|why| {
                        problems.push(Problem {
                            what: format!("policy `{}`", attachment.id),
                            why,
                        })
                    })
                    .ok();
                Arc::new(Policy {
                    id: attachment.id.clone(),
                    component: attachment.component.clone(),
                    guest,
                    config,
                })
            }
        };
        policies.insert(attachment.id.clone(), policy);
    }
    policies
}

/// What `configure` is given.
fn config_text(config: &serde_json::Value) -> String {
    match config {
        serde_json::Value::Null => "{}".to_owned(),
        config => config.to_string(),
    }
}

fn list_price_of_manifest(price: &tollgate_plugin::Price) -> governance::ListPrice {
    governance::ListPrice {
        currency: price.currency.clone(),
        input: price.input,
        cache_read: price.cache_read,
        cache_write_5m: price.cache_write_5m,
        cache_write_1h: price.cache_write_1h,
        output: price.output,
    }
}

fn list_price_of_config(price: &crate::config::Price, base: &str) -> governance::ListPrice {
    governance::ListPrice {
        currency: price.currency.clone().unwrap_or_else(|| base.to_owned()),
        input: price.input,
        cache_read: price.cache_read,
        cache_write_5m: price.cache_write_5m,
        cache_write_1h: price.cache_write_1h,
        output: price.output,
    }
}
