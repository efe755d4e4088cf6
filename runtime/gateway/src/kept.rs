//! Answers and conversations that are kept: shown, listed and deleted for their own account, here or at their vendor.

use std::net::IpAddr;
use std::time::Duration;

use http::{Method, Request as HttpRequest, Response, StatusCode};
use hyper::body::Incoming;
use tollgate_dialect::{ApiError, ErrorKind, Operation};
use tollgate_governance::Caller;
use tollgate_plugin::Interface;
use uuid::Uuid;

use crate::reply::{self, Reply};
use crate::request::Policies;
use crate::snapshot::Snapshot;
use crate::turns::{self, Asked, Kept};
use crate::worker::Worker;
use crate::{exchange, hold, identify, pipeline, receive};

/// Answers a request about something kept.
///
/// # Errors
/// The key is wrong or may not, or there is no such thing of this account's.
pub(crate) async fn answer(
    worker: &Worker,
    asked: &Asked,
    http: HttpRequest<Incoming>,
    client: Option<IpAddr>,
    id: Uuid,
) -> Result<Response<Reply>, ApiError> {
    let now_ms = worker.now_ms();
    let snapshot = worker.control.snapshot_full();
    let (parts, incoming) = http.into_parts();
    let hasher = worker.control.hasher();
    let caller = identify::caller(&snapshot, hasher, &parts.headers, client, now_ms)?;
    pipeline::permitted(&caller, Operation::Responses)?;
    let (turns, account) = (worker.control.turns(), caller.path.account());
    let query = parts.uri.query().unwrap_or_default();
    if *asked == Asked::Conversations {
        let server = &worker.config().server;
        let patience = Duration::from_millis(server.body_timeout_ms);
        // It costs nothing: what nobody could go on with must not fill the disk, nor many that nobody goes on with.
        let limit = worker.config().responses.max_kept_bytes;
        let limit = limit.min(server.max_body_bytes);
        let body = receive::body(
            &parts.headers,
            receive::Source::Http(incoming),
            limit,
            patience,
        )
        .await?;
        if !worker
            .conversations
            .borrow_mut()
            .may_keep(caller.id(), body.len() as u64, now_ms)
        {
            let error = ApiError::new(
                ErrorKind::RateLimited,
                "this key has begun many conversations; try again in 1 s",
            );
            return Err(error.with_retry_after_ms(1_000));
        }
        let expires_ms = worker.config().responses.expires_ms(now_ms);
        let made = turns::begin(turns, account, id, &body, now_ms, expires_ms)?;
        return Ok(reply::own(StatusCode::OK, "application/json", made));
    }
    if let Asked::Response(name) | Asked::InputItems(name) = asked
        && let Some(found) = turns.find(name, account, now_ms)
        && let Kept::There { upstream } = &found.kept
    {
        let mut place = format!("/{name}");
        if let Asked::InputItems(_) = asked {
            place.push_str("/input_items");
        }
        if !query.is_empty() {
            place.push('?');
            place.push_str(query);
        }
        let delete = parts.method == Method::DELETE;
        may_be_shown(&snapshot, &caller, asked, delete)?;
        if !may_ask(&snapshot, &caller, upstream) {
            return Err(ApiError::new(
                ErrorKind::AnswerNotFound,
                "the upstream that keeps it is not there any more for this key",
            ));
        }
        let admission = hold::beside(worker, &caller.path, id).await?;
        let asked = exchange::Beside {
            upstream,
            place: &place,
            method: parts.method,
            headers: parts.headers,
        };
        let response = exchange::beside(worker, &snapshot, asked).await;
        admission.settle(0, 0, worker.now_ms());
        let response = response?;
        if delete && response.status().is_success() {
            turns.forget(name);
        }
        return Ok(response);
    }
    let (status, body) = turns::serve(turns, account, asked, &parts.method, query, now_ms)?;
    Ok(reply::own(status, "application/json", body))
}

/// Whether the upstream is still there, and the caller may still be served by its provider.
fn may_ask(snapshot: &Snapshot, caller: &Caller, upstream: &str) -> bool {
    snapshot
        .upstream(upstream)
        .is_some_and(|upstream| caller.allows_provider(&upstream.provider_id))
}

/// An answer that its vendor keeps is as the vendor wrote it: what a policy would have changed or stopped is not shown.
fn may_be_shown(
    snapshot: &Snapshot,
    caller: &Caller,
    asked: &Asked,
    delete: bool,
) -> Result<(), ApiError> {
    let is_answer = matches!(asked, Asked::Response(_)) && !delete;
    let policies = Policies::on(snapshot, caller);
    let watched = policies.with(Interface::AnswerContent).next().is_some();
    match is_answer && watched {
        true => Err(ApiError::new(
            ErrorKind::Unsupported,
            "an answer that its vendor keeps cannot be shown where a policy looks at answers",
        )),
        false => Ok(()),
    }
}
