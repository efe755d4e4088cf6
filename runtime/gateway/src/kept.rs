//! Answers and conversations that are kept: shown, listed and deleted for their own account, here or at their vendor.
//!
//! What a vendor is asked goes out under the operator's credential: it is a request under every limit like any other, and
//! free. What the gateway keeps itself counts against none. Both leave a usage row.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request as HttpRequest, Response, StatusCode};
use hyper::body::Incoming;
use tollgate_dialect::{ApiError, ErrorKind, Operation, Usage};
use tollgate_governance::Path;
use tollgate_plugin::Interface;
use uuid::Uuid;

use crate::reply::{self, Reply};
use crate::request::{Policies, Refusal, Request};
use crate::route::Candidate;
use crate::settle::{self, Outcome, Settlement};
use crate::snapshot::Snapshot;
use crate::turns::{self, Asked, Desk, Kept, Part};
use crate::worker::Worker;
use crate::{deliver, exchange, hold, identify, pipeline, receive};

/// What is asked, and how.
struct Question<'a> {
    asked: &'a Asked,
    method: Method,
    query: &'a str,
    started: Instant,
}

/// Answers a request about something kept.
pub(crate) async fn answer(
    worker: &Rc<Worker>,
    asked: &Asked,
    http: HttpRequest<Incoming>,
    client: Option<IpAddr>,
    id: Uuid,
    started: Instant,
) -> Response<Reply> {
    let operation = Operation::Responses;
    // In this order: a key that was killed before is not in the snapshot.
    let kills_seen = worker.control.kills().count();
    let snapshot = worker.control.snapshot_full();
    let (parts, incoming) = http.into_parts();
    let hasher = worker.control.hasher();
    let now_ms = worker.now_ms();
    let caller = match identify::caller(&snapshot, hasher, &parts.headers, client, now_ms) {
        Ok(caller) => caller,
        Err(error) => return pipeline::refuse(worker, operation, &error, id),
    };
    let policies = Policies::on(&snapshot, &caller);
    let headers = Arc::new(parts.headers);
    let Some(mut request) = Request::unparsed(id, operation, headers, caller, policies) else {
        let error = ApiError::new(ErrorKind::Internal, "the gateway failed at this request");
        return pipeline::refuse(worker, operation, &error, id);
    };
    request.kills_seen = kills_seen;
    request.beside = Some(word(asked, &parts.method));
    let question = Question {
        asked,
        method: parts.method,
        query: parts.uri.query().unwrap_or_default(),
        started,
    };
    let answered = answered(worker, &snapshot, &mut request, &question, incoming).await;
    answered.unwrap_or_else(|refusal| pipeline::refused(worker, &mut request, refusal, started))
}

/// What usage rows call it.
fn word(asked: &Asked, method: &Method) -> &'static str {
    match (asked, *method == Method::DELETE) {
        (Asked::Response(_), false) => "get-response",
        (Asked::Response(_), true) => "delete-response",
        (Asked::InputItems(_), _) => "list-input-items",
        (Asked::Conversations, _) => "create-conversation",
        (Asked::Conversation(_, part), _) => match (part, method) {
            (Part::Whole, &Method::DELETE) => "delete-conversation",
            (Part::Whole, &Method::POST) => "update-conversation",
            (Part::Whole, _) => "get-conversation",
            (Part::Items, &Method::POST) => "create-conversation-items",
            (Part::Items, _) => "list-conversation-items",
            (Part::Item(_), &Method::DELETE) => "delete-conversation-item",
            (Part::Item(_), _) => "get-conversation-item",
        },
    }
}

async fn answered(
    worker: &Rc<Worker>,
    snapshot: &Snapshot,
    request: &mut Request,
    question: &Question<'_>,
    incoming: Incoming,
) -> Result<Response<Reply>, Refusal> {
    pipeline::permitted(&request.caller, request.operation)?;
    if matches!(question.asked, Asked::Response(_)) && asks_for_a_stream(question.query) {
        // An SDK that waits for events reads none in an answer that is JSON, and says nothing.
        let error = ApiError::new(
            ErrorKind::Unsupported,
            "a kept answer is not streamed once more; ask for it without `stream`",
        );
        return Err(error.with_param("stream").into());
    }
    let (turns, account) = (worker.control.turns(), request.caller.path.account());
    if let Asked::Response(name) | Asked::InputItems(name) = question.asked
        && let Some(found) = turns.find(name, account, worker.now_ms())
        && let Kept::There { upstream } = &found.kept
    {
        return there(worker, snapshot, request, question, name, upstream).await;
    }
    let (status, body) = match question.asked {
        Asked::Conversations => {
            let made = conversation(worker, request, incoming).await?;
            (StatusCode::OK, made)
        }
        Asked::Conversation(name, part) => {
            let served = in_conversation(worker, request, question, name, part, incoming).await;
            served.map(|(status, body)| (status, Bytes::from(body)))?
        }
        asked => {
            let (method, query) = (&question.method, question.query);
            turns::serve(turns, account, asked, method, query, worker.now_ms())?
        }
    };
    let mut response = reply::own(status, "application/json", body);
    let (path, dialect) = (&request.caller.path, request.operation.dialect());
    pipeline::tell_limits(worker, path, dialect, &mut response);
    let outcome = Outcome::complete(status.as_u16(), Usage::default());
    settle::uncounted(worker, request, outcome, question.started);
    Ok(response)
}

fn asks_for_a_stream(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes())
        .any(|(name, value)| name == "stream" && value != "false")
}

/// Begins a conversation.
async fn conversation(
    worker: &Worker,
    request: &Request,
    incoming: Incoming,
) -> Result<Bytes, ApiError> {
    may_change(worker, &request.caller.path)?;
    let body = body(worker, request, incoming).await?;
    may_keep(worker, request, body.len())?;
    let now_ms = worker.now_ms();
    let account = request.caller.path.account();
    let expires_ms = worker.config().responses.expires_ms(now_ms);
    let turns = worker.control.turns();
    turns::begin(turns, account, request.id, &body, now_ms, expires_ms)
}

/// Shows or changes a conversation, or items of it.
async fn in_conversation(
    worker: &Worker,
    request: &Request,
    question: &Question<'_>,
    name: &str,
    part: &Part,
    incoming: Incoming,
) -> Result<(StatusCode, String), ApiError> {
    let (method, path) = (&question.method, &request.caller.path);
    let is_gone = *method == Method::DELETE && *part == Part::Whole;
    if *method != Method::GET && !is_gone {
        may_change(worker, path)?;
    }
    let body = match *method == Method::POST {
        true => body(worker, request, incoming).await?,
        false => Bytes::new(),
    };
    let (settings, now_ms) = (&worker.config().responses, worker.now_ms());
    let desk = Desk {
        turns: worker.control.turns(),
        account: path.account(),
        now_ms,
        expires_ms: settings.expires_ms(now_ms),
        longest: settings.max_kept_bytes,
        may_keep: &|bytes| may_keep(worker, request, bytes),
    };
    desk.serve(name, part, method, question.query, &body)
}

/// The body of what costs nothing: what nobody could go on with must not fill the disk.
async fn body(worker: &Worker, request: &Request, incoming: Incoming) -> Result<Bytes, ApiError> {
    let server = &worker.config().server;
    let patience = Duration::from_millis(server.body_timeout_ms);
    let limit = worker.config().responses.max_kept_bytes;
    let limit = limit.min(server.max_body_bytes);
    let source = receive::Source::Http(incoming);
    receive::body(&request.headers, source, limit, patience).await
}

/// Nor may many conversations fill it that nobody goes on with, nor one that is written anew for each small item.
fn may_keep(worker: &Worker, request: &Request, bytes: usize) -> Result<(), ApiError> {
    let (key, now_ms) = (request.caller.id(), worker.now_ms());
    let mut begun = worker.conversations.borrow_mut();
    if begun.may_keep(key, bytes as u64, now_ms) {
        return Ok(());
    }
    let error = ApiError::new(
        ErrorKind::RateLimited,
        "this key has begun or changed many conversations; try again in 1 s",
    );
    Err(error.with_retry_after_ms(1_000))
}

/// A conversation is something kept from its first moment on, with the items that it begins with.
fn may_change(worker: &Worker, path: &Path) -> Result<(), ApiError> {
    if turns::keeps(&worker.control, path) {
        return Ok(());
    }
    Err(match path.keeps_answers() {
        false => ApiError::new(
            ErrorKind::EndpointForbidden,
            "no conversation can be begun or changed with this key: `keep_answers` is off for its account or for one above it",
        ),
        true => ApiError::new(
            ErrorKind::Unsupported,
            "no conversation can be begun or changed: this gateway keeps no answers (`responses.keep_days` is 0)",
        ),
    })
}

/// Asks the vendor that keeps it.
async fn there(
    worker: &Rc<Worker>,
    snapshot: &Snapshot,
    request: &mut Request,
    question: &Question<'_>,
    name: &str,
    upstream: &str,
) -> Result<Response<Reply>, Refusal> {
    let mut place = format!("/{name}");
    if let Asked::InputItems(_) = question.asked {
        place.push_str("/input_items");
    }
    if !question.query.is_empty() {
        place.push('?');
        place.push_str(question.query);
    }
    let delete = question.method == Method::DELETE;
    may_be_shown(request, question.asked, delete)?;
    let route = asked_of(snapshot, request, upstream)?;
    pipeline::can_be_recorded(worker)?;
    let admission = Some(hold::beside(worker, &request.caller.path, request.id).await?);
    let mut settlement = match Settlement::begin(worker, request, admission, question.started) {
        Ok(settlement) => settlement,
        Err(killed) => return Ok(killed.refuse(request)),
    };
    settlement.attempt(&route, None);
    settlement.sent();
    let asked = exchange::Beside {
        upstream: &route.upstream,
        place: &place,
        method: question.method.clone(),
        headers: Arc::clone(&request.headers),
    };
    let told = exchange::beside(worker, asked).await;
    let dialect = request.operation.dialect();
    let (status, body) = match told {
        Ok(told) => told,
        Err(error) => {
            let nothing = Usage::default();
            return Ok(deliver::refused(request, error.into(), nothing, settlement));
        }
    };
    settlement.answered();
    if delete && status.is_success() {
        worker.control.turns().forget(name);
    }
    let mut response = reply::own(status, "application/json", Bytes::new());
    deliver::tell_limits(response.headers_mut(), dialect, &settlement);
    let outcome = match status.is_success() {
        true => Outcome::complete(status.as_u16(), Usage::default()),
        false => Outcome::failed(status.as_u16(), "upstream-rejected"),
    };
    let running = settlement.close(outcome).map(Arc::new);
    *response.body_mut() = Reply::whole(reply::until_sent(body, running.as_ref()));
    Ok(response)
}

/// The upstream that keeps it, if it is still there and the caller may still be served by its provider.
fn asked_of(snapshot: &Snapshot, request: &Request, upstream: &str) -> Result<Candidate, ApiError> {
    snapshot
        .beside(upstream)
        .filter(|route| request.caller.allows_provider(&route.upstream.provider_id))
        .ok_or_else(|| {
            ApiError::new(
                ErrorKind::AnswerNotFound,
                "the upstream that keeps it is not there any more for this key",
            )
        })
}

/// An answer that its vendor keeps is as the vendor wrote it: what a policy would have changed or stopped is not shown.
fn may_be_shown(request: &Request, asked: &Asked, delete: bool) -> Result<(), ApiError> {
    let is_answer = matches!(asked, Asked::Response(_)) && !delete;
    let mut watching = request.policies.with(Interface::AnswerContent);
    match is_answer && watching.next().is_some() {
        true => Err(ApiError::new(
            ErrorKind::Unsupported,
            "an answer that its vendor keeps cannot be shown where a policy looks at answers",
        )),
        false => Ok(()),
    }
}
