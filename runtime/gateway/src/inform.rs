//! Everything that is not model traffic: the model list, health, metrics, probes.

use std::collections::BTreeSet;

use http::header::{ALLOW, CONNECTION, HeaderValue, UPGRADE};
use http::{HeaderMap, Response, StatusCode};
use tollgate_dialect::{ApiError, Dialect, ErrorKind, ModelCard, models};
use tollgate_governance::Caller;
use uuid::Uuid;

use crate::admit;
use crate::reply::{self, Reply};
use crate::snapshot::Snapshot;

const JSON: &str = "application/json";

/// The models the caller may use, in the shape its headers and query ask for: Codex sends `client_version`,
/// Anthropic's clients send `anthropic-version`, all others get OpenAI's list.
pub(crate) fn list(
    snapshot: &Snapshot,
    caller: &Caller,
    headers: &HeaderMap,
    query: &str,
) -> Response<Reply> {
    let cards = cards(snapshot, caller);
    // Decoded: the ids of models have slashes and colons, which some clients escape.
    let parameter = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    };
    let body = if parameter("client_version").is_some() {
        models::codex_list(&cards)
    } else if is_anthropic(headers) {
        // Anthropic's bounds, but without its default of 20: not every client turns pages.
        let limit = parameter("limit")
            .and_then(|limit| limit.parse().ok())
            .unwrap_or(1_000)
            .clamp(1, 1_000);
        let (after, before) = (parameter("after_id"), parameter("before_id"));
        models::anthropic_list(&cards, limit, after.as_deref(), before.as_deref())
    } else {
        models::openai_list(&cards)
    };
    reply::own(StatusCode::OK, JSON, body)
}

/// One model.
pub(crate) fn model(
    snapshot: &Snapshot,
    caller: &Caller,
    headers: &HeaderMap,
    id: &str,
) -> Result<Response<Reply>, ApiError> {
    let card = card(snapshot, caller, id).ok_or_else(|| admit::no_such_model(id))?;
    let body = if is_anthropic(headers) {
        models::anthropic_model(&card)
    } else {
        models::openai_model(&card)
    };
    Ok(reply::own(StatusCode::OK, JSON, body))
}

/// The card of a model as the caller may ask for it: under the name that it asks with, with what is served for it.
fn card(snapshot: &Snapshot, caller: &Caller, asked: &str) -> Option<ModelCard> {
    let served = caller.resolve(asked)?;
    let model = snapshot.identity(&served).model;
    if model != &*served && !caller.path.allows_model(model) {
        return None;
    }
    let card = snapshot.cards.get(&*served)?;
    Some(ModelCard {
        id: asked.to_owned(),
        ..card.clone()
    })
}

/// The models that the caller may ask for, those that only its path's model maps name included.
fn cards(snapshot: &Snapshot, caller: &Caller) -> Vec<ModelCard> {
    let served = snapshot.cards.keys().map(|id| &**id);
    let mapped = caller.path.mapped_names();
    let names: BTreeSet<&str> = served.chain(mapped).collect();
    names
        .into_iter()
        .filter_map(|name| card(snapshot, caller, name))
        .collect()
}

/// Whether the client speaks Anthropic's dialect, on paths that do not tell.
pub(crate) fn is_anthropic(headers: &HeaderMap) -> bool {
    headers.contains_key("anthropic-version")
}

/// The process is up.
pub(crate) fn alive() -> Response<Reply> {
    reply::own(StatusCode::OK, "text/plain", "ok\n")
}

/// Requests would be taken: what they cost can be written down. A gateway that has no upstream yet is ready, too: it
/// answers, and is configured through its management API.
pub(crate) fn ready(can_record: bool) -> Response<Reply> {
    match can_record {
        true => reply::own(StatusCode::OK, "text/plain", "ready\n"),
        false => reply::own(
            StatusCode::SERVICE_UNAVAILABLE,
            "text/plain",
            "usage cannot be recorded\n",
        ),
    }
}

/// Somebody is there. Clients look before their first request; any status will do.
pub(crate) fn probe() -> Response<Reply> {
    reply::own(StatusCode::OK, "text/plain", "tollgate\n")
}

/// A WebSocket is not spoken here; 426 sends Codex to HTTP at once and silently.
pub(crate) fn upgrade(dialect: Dialect, id: Uuid) -> Response<Reply> {
    let error = ApiError::new(
        ErrorKind::Unsupported,
        "this endpoint is served over HTTP, not over a WebSocket",
    );
    let mut response = reply::error(dialect, &error, id);
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    response
        .headers_mut()
        .insert(UPGRADE, HeaderValue::from_static("HTTP/1.1"));
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response
}

/// The path is there, the method is not.
pub(crate) fn wrong_method(dialect: Dialect, allowed: &'static str, id: Uuid) -> Response<Reply> {
    let error = ApiError::new(
        ErrorKind::MethodNotAllowed,
        format!("use {allowed} on this path"),
    );
    let mut response = reply::error(dialect, &error, id);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// No such path.
pub(crate) fn unknown(dialect: Dialect, path: &str, id: Uuid) -> Response<Reply> {
    let shown: String = path
        .chars()
        .filter(|letter| !letter.is_control())
        .take(200)
        .collect();
    reply::error(
        dialect,
        &ApiError::new(ErrorKind::NotFound, format!("there is nothing at {shown}")),
        id,
    )
}
