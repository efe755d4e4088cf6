//! Which upstreams serve which model, at what price, and the cards of the model list.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tollgate_dialect::bridge::Abilities;
use tollgate_dialect::{ModelCard, Operation};
use tollgate_governance as governance;
use tollgate_governance::{Price, Rates};
use tollgate_upstream::{Breaker, BreakerConfig};

use crate::bridge::{Way, neighbours};

use super::upstream::{Operations, Upstream, manifest};
use super::{Problem, Snapshot};

/// One upstream serving one model.
pub(crate) struct Route {
    pub(crate) upstream: Arc<Upstream>,
    /// The model's name at the vendor.
    pub(crate) model: Arc<str>,
    /// The name under which the model is known here, whatever alias it was asked for by: what lists and limits are about.
    pub(crate) id: Arc<str>,
    pub(crate) price: Option<Price>,
    /// It has a price that cannot be charged, as its currency has no rate: that is no reason to charge another one.
    pub(crate) unpriceable: bool,
    /// Input and output together, tokens.
    pub(crate) context_window: Option<u64>,
    pub(crate) max_output: Option<u64>,
    /// What the bridge may count on.
    pub(crate) abilities: Abilities,
    pub(crate) breaker: Arc<Breaker>,
    pub(super) operations: Operations,
}

impl Route {
    /// How it serves an operation, if it does.
    pub(crate) fn way(&self, asked: Operation) -> Option<Way> {
        way(self.operations, asked)
    }

    /// What the vendor is asked for.
    pub(crate) fn spoken(&self, asked: Operation) -> Operation {
        self.way(asked).map_or(asked, |way| way.spoken(asked))
    }

    /// Higher is asked first.
    pub(crate) fn priority(&self) -> i64 {
        self.upstream.record.priority
    }

    /// Whether the vendor itself keeps answers that can be named later. A component that answers by itself keeps nothing.
    pub(crate) fn keeps_answers(&self) -> bool {
        self.way(Operation::Responses) == Some(Way::Native) && !self.upstream.responds
    }

    /// Whether the breaker would let a request through.
    pub(crate) fn available(&self, now_ms: u64) -> bool {
        !matches!(
            self.breaker.state(now_ms),
            tollgate_upstream::BreakerState::Open { .. }
        )
    }
}

/// How what serves these operations serves one that was asked for.
pub(super) fn way(operations: Operations, asked: Operation) -> Option<Way> {
    if operations.has(asked) {
        return Some(Way::Native);
    }
    let mut near = neighbours(asked).iter();
    if let Some(near) = near.find(|near| operations.has(**near)) {
        return Some(Way::Bridged(*near));
    }
    // Whoever answers a request reads its tokens.
    let answers = asked.counts()
        && neighbours(Operation::Compact)
            .iter()
            .any(|other| operations.has(*other));
    answers.then_some(Way::Estimated)
}

/// Routes and cards while they are put together.
pub(super) struct Table<'a> {
    pub(super) routes: HashMap<Arc<str>, Vec<Arc<Route>>>,
    pub(super) cards: BTreeMap<Arc<str>, ModelCard>,
    pub(super) rates: &'a Rates,
    pub(super) previous: Option<&'a Snapshot>,
    pub(super) problems: Vec<Problem>,
}

impl Table<'_> {
    /// Adds everything that an upstream serves.
    pub(super) fn add(&mut self, upstream: &Arc<Upstream>) {
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
                        known_as: &model.id,
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
                    known_as: &own.id,
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
                    abilities: own
                        .abilities
                        .as_deref()
                        .or_else(|| Some(listed?.abilities.as_slice()))
                        .unwrap_or_default(),
                },
            );
        }
    }

    fn route(&mut self, upstream: &Arc<Upstream>, wanted: &Wanted<'_>) {
        let (price, unpriceable) = match wanted.price.as_ref().map(|list| self.rates.to_base(list))
        {
            None => (None, false),
            Some(Ok(price)) => (Some(price), false),
            Some(Err(error)) => {
                self.problems.push(Problem {
                    what: format!("price of `{}` at upstream `{}`", wanted.id, upstream.name),
                    why: error.to_string(),
                });
                (None, true)
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
                only_embeds: operations.has(Operation::Embeddings)
                    && way(operations, Operation::Responses).is_none(),
                created: 0,
                owned_by: upstream.provider_id.clone(),
            });
        self.routes.entry(id).or_default().push(Arc::new(Route {
            upstream: Arc::clone(upstream),
            model: wanted.at_vendor.into(),
            id: wanted.known_as.into(),
            price,
            unpriceable,
            context_window: wanted.context_window,
            max_output: wanted.max_output,
            abilities: Abilities::from_names(wanted.abilities.iter().map(String::as_str)),
            breaker,
            operations,
        }));
    }
}

struct Wanted<'a> {
    id: &'a str,
    known_as: &'a str,
    at_vendor: &'a str,
    operations: Option<&'a [String]>,
    price: Option<governance::ListPrice>,
    context_window: Option<u64>,
    max_output: Option<u64>,
    abilities: &'a [String],
}

impl Route {
    /// A route for a model that no list names.
    pub(super) fn open(upstream: &Arc<Upstream>, model: &str) -> Self {
        Self {
            upstream: Arc::clone(upstream),
            model: model.into(),
            id: model.into(),
            price: None,
            unpriceable: false,
            context_window: None,
            max_output: None,
            abilities: Abilities::default(),
            breaker: Arc::clone(&upstream.unlisted),
            operations: upstream.operations,
        }
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
        request: price.request,
        tiers: price
            .tiers
            .iter()
            .map(|tier| governance::ListTier {
                above: tier.above,
                input: tier.input,
                cache_read: tier.cache_read,
                cache_write_5m: tier.cache_write_5m,
                cache_write_1h: tier.cache_write_1h,
                output: tier.output,
            })
            .collect(),
        version: price.version.clone(),
    }
}

pub(super) fn list_price_of_config(
    price: &crate::config::Price,
    base: &str,
) -> governance::ListPrice {
    governance::ListPrice {
        currency: price.currency.clone().unwrap_or_else(|| base.to_owned()),
        input: price.input,
        cache_read: price.cache_read,
        cache_write_5m: price.cache_write_5m,
        cache_write_1h: price.cache_write_1h,
        output: price.output,
        ..governance::ListPrice::default()
    }
}
