//! What the data plane reads: one immutable value, loaded once a request, replaced whole when anything changes.

mod policy;
mod routes;
mod upstream;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tollgate_dialect::{ModelCard, Operation};
use tollgate_governance as governance;
use tollgate_governance::{Accounts, Attachment, Price, Rates};
use tollgate_plugin::Generation;
use tollgate_vault::Credential;

use self::routes::{Table, list_price_of_config};
use self::upstream::manifest;
use crate::config::Config;
use crate::metrics::provider_place;

pub(crate) use self::policy::Policy;
pub(crate) use self::routes::Route;
pub(crate) use self::upstream::Upstream;

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

impl Problem {
    /// What its record's owner is told: which record it is he knows, and of which of its models a price is he does not.
    pub(crate) fn told(&self) -> String {
        match self.is_of_price() {
            true => format!("{}: {}", self.what, self.why),
            false => self.why.clone(),
        }
    }

    /// Whether it is about the price of one model.
    pub(crate) fn is_of_price(&self) -> bool {
        self.what.starts_with("price of ")
    }
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
    /// Provider components that ever had an upstream, each at the place where metrics count it.
    pub(crate) providers: Vec<String>,
    /// Kept for the next snapshot.
    upstreams: HashMap<String, Arc<Upstream>>,
    /// What could not be used.
    pub problems: Vec<Problem>,
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
        let mut providers = previous.map_or_else(Vec::new, |before| before.providers.clone());
        for record in &inputs.upstreams {
            let old = previous.and_then(|snapshot| snapshot.upstreams.get(&record.name));
            let place = provider_place(&mut providers, &record.provider);
            match Upstream::resolve(record, &inputs, old, place, &mut problems) {
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
            mut cards,
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
        let policies = policy::policies(&inputs, previous, &mut problems);
        // What nobody can price is refused, so it is not offered.
        cards.retain(|id, _| {
            let routes = routes.get(id).into_iter().flatten();
            routes
                .map(|route| price(route, default_price.as_ref()))
                .any(|price| price.is_some())
        });
        Self {
            accounts: inputs.accounts,
            routes,
            open,
            cards,
            policies,
            default_price,
            providers,
            upstreams,
            problems,
        }
    }

    /// What a name stands for: the model that it is an alias of, and the provider where it says one (`provider/model`).
    /// Lists and limits are about this, or another spelling would be a way round them.
    pub(crate) fn identity<'a>(&'a self, name: &'a str) -> Identity<'a> {
        let whole = |routes: &'a [Arc<Route>]| {
            let (first, rest) = routes.split_first()?;
            rest.iter()
                .all(|route| route.id == first.id)
                .then_some(&*first.id)
        };
        if let Some(routes) = self.routes.get(name) {
            return Identity {
                model: whole(routes).unwrap_or(name),
                provider: None,
            };
        }
        if let Some((provider, bare)) = name.split_once('/')
            && let Some(routes) = self.routes.get(bare)
            && let Some(route) = routes
                .iter()
                .find(|route| route.upstream.provider_id == provider)
        {
            return Identity {
                model: &route.id,
                provider: Some(provider),
            };
        }
        Identity {
            model: name,
            provider: None,
        }
    }

    /// The name that a limit must have instead of `name`, which is another spelling of a model and counts nothing.
    pub(crate) fn limited_as<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let identity = self.identity(name);
        (identity.model != name).then_some(identity.model)
    }

    /// The models that are served, each under the name that limits are about; one more than once.
    pub(crate) fn models(&self) -> impl Iterator<Item = &str> {
        self.names().map(|name| self.identity(name).model)
    }

    /// Every name that a list of some upstream has, aliases too.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.routes.keys().map(|name| &**name)
    }

    /// Whether some upstream takes names that no list has.
    pub(crate) fn takes_any(&self) -> bool {
        !self.open.is_empty()
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
            .filter(|route| route.way(operation).is_some())
            .map(Arc::clone)
            .collect();
        if !found.is_empty() {
            return found;
        }
        if let Some((provider, bare)) = model.split_once('/') {
            let known = self.routes.get(bare).map(Vec::as_slice).unwrap_or_default();
            let found: Vec<_> = known
                .iter()
                .filter(|route| {
                    route.upstream.provider_id == provider && route.way(operation).is_some()
                })
                .map(Arc::clone)
                .collect();
            if !found.is_empty() {
                return found;
            }
        }
        self.open
            .iter()
            .filter(|upstream| routes::way(upstream.operations, operation).is_some())
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
            || self.takes_any()
    }

    /// A route to the upstream of this name, for what is asked of no model.
    pub(crate) fn beside(&self, upstream: &str) -> Option<Arc<Route>> {
        let upstream = self.upstreams.get(upstream)?;
        Some(Arc::new(Route::open(upstream, "")))
    }

    /// The price at which a route is charged. None: it is not to be taken, as nobody knows what it costs.
    pub(crate) fn price<'a>(&'a self, route: &'a Route) -> Option<&'a Price> {
        price(route, self.default_price.as_ref())
    }

    /// The endpoint that an upstream goes to; none if it cannot be used.
    pub(crate) fn endpoint(&self, upstream: &str) -> Option<&str> {
        Some(&*self.upstreams.get(upstream)?.endpoint)
    }

    /// The models that an upstream lists and that nobody can price there, by name: it is not asked for them.
    pub(crate) fn unpriced(&self, upstream: &str) -> Vec<String> {
        let here = |name: &str| {
            let routes = self.routes.get(name)?;
            routes.iter().find(|route| route.upstream.name == upstream)
        };
        let is_priced = |route: &Arc<Route>| self.price(route).is_some();
        let mut names = BTreeSet::new();
        for name in self.routes.keys() {
            if let Some(route) = here(name).filter(|route| !is_priced(route)) {
                // Once, however many aliases it has; but a price of the operator's is for the one name that it was set for.
                let listed = match here(&route.id).is_some_and(is_priced) {
                    true => name,
                    false => &route.id,
                };
                names.insert(listed.to_string());
            }
        }
        names.into_iter().collect()
    }

    /// The policy of an attachment.
    pub(crate) fn policy(&self, attachment: &str) -> Option<&Arc<Policy>> {
        self.policies.get(attachment)
    }
}

fn price<'a>(route: &'a Route, default: Option<&'a Price>) -> Option<&'a Price> {
    let unlisted = default.filter(|_| !route.unpriceable);
    route.price.as_ref().or(unlisted)
}

/// See [`Snapshot::identity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity<'a> {
    pub(crate) model: &'a str,
    pub(crate) provider: Option<&'a str>,
}

/// What `configure` is given.
fn config_text(config: &serde_json::Value) -> String {
    match config {
        serde_json::Value::Null => "{}".to_owned(),
        config => config.to_string(),
    }
}
