//! Who could serve a request, in the order in which they will be asked.

use std::cmp::Reverse;
use std::sync::Arc;

use tollgate_dialect::{ApiError, ErrorKind};
use tollgate_plugin::Interface;

use crate::admit;
use crate::bridge::Way;
use crate::request::{Refusal, Request};
use crate::snapshot::{Policy, Route, Snapshot};
use crate::turns::Held;
use crate::views::CandidateFacts;

/// An upstream that could serve a request.
pub(crate) type Candidate = Arc<Route>;

/// The candidates, best first: those that are healthy before those that are cooling down, higher priority first, those
/// that speak the client's dialect before those behind the bridge, then as routing policies say.
pub(crate) fn candidates(
    snapshot: &Snapshot,
    request: &mut Request,
    now_ms: u64,
) -> Result<Vec<Candidate>, Refusal> {
    let model = &request.facts.model;
    let mut found = snapshot.routes(model, request.operation);
    let known = !found.is_empty();
    let caller = &request.caller;
    found.retain(|route| {
        let known_as = &*route.id == model.as_str() || caller.path.allows_model(&route.id);
        known_as && caller.allows_provider(&route.upstream.provider_id)
    });
    if found.is_empty() {
        // Providers that the account may not use are not there for it.
        return Err(match !known && snapshot.knows(model) {
            true => ApiError::new(
                ErrorKind::InvalidRequest,
                format!(
                    "the model `{model}` cannot be used with {}",
                    request.operation.path()
                ),
            )
            .with_param("model")
            .into(),
            false => admit::no_such_model(model).into(),
        });
    }
    if let Some(thread) = &request.thread {
        found.retain(|route| match &thread.held {
            Held::Here => true,
            Held::At(name) => route.upstream.name == *name && route.keeps_answers(),
            Held::Unseen { .. } => route.keeps_answers(),
        });
        if found.is_empty() {
            return Err(thread.not_found(model).into());
        }
    }
    if found.iter().any(|route| snapshot.price(route).is_some()) {
        found.retain(|route| snapshot.price(route).is_some());
    } else {
        // What nobody can price is refused, not given away.
        return Err(ApiError::new(
            ErrorKind::ModelNotFound,
            format!("the model `{model}` has no price here; the operator must set one (or a rate for its currency; where it has none, a default price)"),
        )
        .with_param("model")
        .into());
    }
    if found.len() > 1 {
        // Who speaks the client's dialect loses nothing: of what the operator sets no priority on, it is asked before the
        // bridge. Stable: names decide the rest.
        found.sort_by_key(|route| {
            let priority = Reverse(route.priority());
            let distance = route.way(request.operation).map(Way::distance);
            (!route.available(now_ms), priority, distance)
        });
    }
    rank(request, found, now_ms)
}

fn rank(
    request: &mut Request,
    mut candidates: Vec<Candidate>,
    now_ms: u64,
) -> Result<Vec<Candidate>, Refusal> {
    let policies = request.policies.clone();
    for policy in policies.with(Interface::Routing) {
        let shown = Arc::new(CandidateFacts(candidates, now_ms));
        let ranked = ranked(request, policy, &shown)?;
        if ranked.len() != shown.0.len()
            || ranked.iter().zip(&shown.0).any(|(a, b)| !Arc::ptr_eq(a, b))
        {
            admit::acted(request, policy);
        }
        candidates = ranked;
    }
    Ok(candidates)
}

/// The candidates that a policy leaves, in its order.
fn ranked(
    request: &Request,
    policy: &Arc<Policy>,
    shown: &Arc<CandidateFacts>,
) -> Result<Vec<Candidate>, Refusal> {
    let order = admit::guest(policy)?
        .rank(request.view(), Arc::<CandidateFacts>::clone(shown))
        .map_err(|error| admit::failed(policy, &error))?;
    // The component host has checked that each position exists and is named once.
    let ranked: Vec<_> = order
        .iter()
        .filter_map(|position| shown.0.get(*position as usize).cloned())
        .collect();
    if ranked.is_empty() {
        let message = format!(
            "the policy `{}` leaves no upstream for this request",
            policy.id
        );
        return Err(admit::denied(policy, "no-candidate-left", message));
    }
    Ok(ranked)
}
