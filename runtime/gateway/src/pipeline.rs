//! The way of one request, top to bottom.

use std::cell::OnceCell;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::Guard;
use bytes::Bytes;
use futures_util::FutureExt;
use http::header::UPGRADE;
use http::{HeaderMap, Request as HttpRequest, Response, StatusCode};
use hyper::body::Incoming;
use tollgate_dialect::{ApiError, Dialect, Document, ErrorKind, Facts, Operation, Usage};
use tollgate_governance::{Caller, Path};
use uuid::Uuid;

use crate::endpoint::{self, Endpoint};
use crate::exchange::{self, Unanswered};
use crate::reply::{self, Reply};
use crate::request::{self, Policies, Refusal, Request};
use crate::route::Candidate;
use crate::settle::{self, Outcome, Settlement};
use crate::snapshot::Snapshot;
use crate::turns::{self, Keeper, Thread};
use crate::worker::Worker;
use crate::{
    admit, deliver, hold, identify, inform, kept, late, metrics, receive, route, turn, websocket,
};

/// Answers one HTTP request. It always answers. A WebSocket that it grants is left in the slot.
pub(crate) async fn handle(
    worker: Rc<Worker>,
    peer: Option<SocketAddr>,
    request: HttpRequest<Incoming>,
    slot: &websocket::Slot,
) -> Result<Response<Reply>, Infallible> {
    let started = Instant::now();
    let now_ms = worker.now_ms();
    let id = worker.next_id(now_ms);
    let path = request.uri().path();
    let endpoint = endpoint::resolve(
        request.method(),
        path,
        request.headers().contains_key(UPGRADE),
    );
    if let Endpoint::Inference(operation) = endpoint {
        let origin = Origin {
            id,
            client: client(&worker, peer, request.headers()),
            started,
            vendors: None,
        };
        let (parts, body) = request.into_parts();
        let source = receive::Source::Http(body);
        // Pinned here: its state is kilobytes, which each hand that it is passed to would copy.
        let answer = pin!(inference(
            &worker,
            operation,
            parts.headers,
            source,
            &origin
        ));
        let answer = guarded(operation.dialect(), id, answer).await;
        turn::pass().await;
        worker.write_rows();
        return Ok(answer);
    }
    if endpoint == Endpoint::WebSocket && worker.config().server.websocket {
        let client = client(&worker, peer, request.headers());
        return Ok(websocket::accept(&worker, request, client, id, slot));
    }
    let dialect = endpoint::error_dialect(path, inform::is_anthropic(request.headers()));
    if let Endpoint::Kept(asked) = endpoint {
        let client = client(&worker, peer, request.headers());
        // Rare: its state is no part of that of every request.
        let answer = Box::pin(kept::answer(&worker, &asked, request, client, id, started));
        let mut response = guarded(dialect, id, answer).await;
        identified(&mut response, id);
        return Ok(response);
    }
    let snapshot = worker.control.snapshot();
    let mut response = match endpoint {
        Endpoint::Models | Endpoint::Model(_) => {
            let client = client(&worker, peer, request.headers());
            let hasher = worker.control.hasher();
            match identify::caller(&snapshot, hasher, request.headers(), client, now_ms) {
                Err(error) => reply::error(dialect, &error, id),
                Ok(caller) => {
                    let found = match &endpoint {
                        Endpoint::Model(model) => {
                            inform::model(&snapshot, &caller, request.headers(), model)
                        }
                        _ => {
                            let query = request.uri().query().unwrap_or_default();
                            Ok(inform::list(&snapshot, &caller, request.headers(), query))
                        }
                    };
                    let mut response =
                        found.unwrap_or_else(|error| reply::error(dialect, &error, id));
                    tell_limits(&worker, &caller.path, dialect, &mut response);
                    response
                }
            }
        }
        Endpoint::Alive => inform::alive(),
        Endpoint::Ready => inform::ready(worker.journal.borrow_mut().has_room()),
        Endpoint::Metrics => reply::own(
            StatusCode::OK,
            "text/plain; version=0.0.4",
            metrics::render(worker.shards().iter(), &worker.control.snapshot().providers),
        ),
        Endpoint::Probe => inform::probe(),
        Endpoint::WebSocket | Endpoint::Upgrade => inform::upgrade(dialect, id),
        Endpoint::WrongMethod(allowed) => inform::wrong_method(dialect, allowed, id),
        Endpoint::Unknown | Endpoint::Inference(_) | Endpoint::Kept(_) => {
            inform::unknown(dialect, path, id)
        }
    };
    identified(&mut response, id);
    Ok(response)
}

fn identified(response: &mut Response<Reply>, id: Uuid) {
    let mut text = [0; 36];
    reply::identify(
        response.headers_mut(),
        id.hyphenated().encode_lower(&mut text),
    );
}

/// Answers a message that stands for a request: the way of every request, from who asks to what it costs.
pub(crate) async fn message(
    worker: &Rc<Worker>,
    operation: Operation,
    headers: HeaderMap,
    client: Option<IpAddr>,
    body: Bytes,
    vendors: Rc<websocket::Vendors>,
) -> Response<Reply> {
    let origin = Origin {
        id: worker.next_id(worker.now_ms()),
        client,
        started: Instant::now(),
        vendors: Some(vendors),
    };
    let source = receive::Source::Message(body);
    let answer = pin!(inference(worker, operation, headers, source, &origin));
    let answer = guarded(operation.dialect(), origin.id, answer).await;
    worker.write_rows();
    answer
}

/// Where a request comes from, and when.
struct Origin {
    id: Uuid,
    client: Option<IpAddr>,
    started: Instant,
    /// Connections to vendors that belong to the WebSocket it came over.
    vendors: Option<Rc<websocket::Vendors>>,
}

fn client(worker: &Worker, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
    let trusted = &worker.config().server.trusted_proxies;
    identify::client_address(peer.map(|peer| peer.ip()), headers, trusted)
}

/// A defect of ours fails the one request, in its dialect; what it held is settled as its stack unwinds.
pub(crate) async fn guarded(
    dialect: Dialect,
    id: Uuid,
    answer: impl Future<Output = Response<Reply>>,
) -> Response<Reply> {
    AssertUnwindSafe(answer)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            tracing::error!(request = %id, "a request panicked");
            let error = ApiError::new(ErrorKind::Internal, "the gateway failed at this request");
            reply::error(dialect, &error, id)
        })
}

/// Answers model traffic.
async fn inference(
    worker: &Rc<Worker>,
    operation: Operation,
    headers: HeaderMap,
    source: receive::Source,
    origin: &Origin,
) -> Response<Reply> {
    let (id, started) = (origin.id, origin.started);
    let over_http = matches!(source, receive::Source::Http(_));
    let received = receive(worker, operation, headers, source, origin).await;
    let (mut request, snapshot) = match received {
        Ok(received) => received,
        Err(Early {
            error,
            caller: None,
        }) => return refuse(worker, operation, &error, id),
        Err(Early {
            error,
            caller: Some(mut request),
        }) => return refused(worker, &mut request, error.into(), started),
    };
    let admitted = admitted(worker, &snapshot, &mut request).await;
    let (candidates, admission) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return refused(worker, &mut request, refusal, started),
    };
    let settlement = match Settlement::begin(worker, &mut request, Some(admission), started) {
        Ok(settlement) => settlement,
        Err(killed) => return killed.refuse(&request),
    };
    let path = (over_http && request.facts.stream).then(|| Arc::clone(&request.caller.path));
    let asked = Rc::clone(worker);
    // Each made where it is awaited: a future in a variable is there twice.
    match path {
        None => served(asked, snapshot, request, candidates, settlement).await,
        Some(path) => {
            let answering = Box::pin(served(asked, snapshot, request, candidates, settlement));
            late::answer(worker, &path, operation, id, answering).await
        }
    }
}

/// Asks who can serve, and hands on the answer.
async fn served(
    worker: Rc<Worker>,
    snapshot: Arc<Snapshot>,
    request: Request,
    candidates: Vec<Candidate>,
    mut settlement: Settlement,
) -> Response<Reply> {
    let answer =
        exchange::perform(&worker, &snapshot, &request, &candidates, &mut settlement).await;
    let (route, answer) = match answer {
        Ok(answered) => answered,
        Err(unanswered) => {
            let (operation, path) = (request.operation, &request.caller.path);
            let mut response = fail(operation, request.id, unanswered, settlement);
            tell_limits(&worker, path, operation.dialect(), &mut response);
            return response;
        }
    };
    let keeper = Keeper::new(&worker, &request, &route);
    deliver::deliver(&worker, &request, &route, answer, settlement, keeper)
}

/// Nobody could serve: settles and says so.
fn fail(
    operation: Operation,
    id: Uuid,
    unanswered: Unanswered,
    settlement: Settlement,
) -> Response<Reply> {
    match unanswered {
        Unanswered::Verbatim(status, body, error) => {
            settlement.close(Outcome::failed(status.as_u16(), "upstream-rejected"));
            let mut response = reply::own(status, "application/json", body);
            response.extensions_mut().insert(error);
            let mut text = [0; 36];
            reply::identify(
                response.headers_mut(),
                id.hyphenated().encode_lower(&mut text),
            );
            response
        }
        Unanswered::Unavailable(error, reason) => {
            let response = reply::error(operation.dialect(), &error, id);
            settlement.close(Outcome::failed(response.status().as_u16(), reason));
            response
        }
        Unanswered::Error(error) => {
            let refusal = Refusal::from(error);
            let response = reply::error(operation.dialect(), &refusal.error, id);
            let status = response.status().as_u16();
            settlement.close(Outcome::refused(status, refusal, Usage::default()));
            response
        }
    }
}

/// The answer to a known caller whose request nothing is held for, and its usage row.
pub(crate) fn refused(
    worker: &Rc<Worker>,
    request: &mut Request,
    refusal: Refusal,
    started: Instant,
) -> Response<Reply> {
    let dialect = request.operation.dialect();
    let mut response = reply::error(dialect, &refusal.error, request.id);
    tell_limits(worker, &request.caller.path, dialect, &mut response);
    let status = response.status().as_u16();
    settle::refused(worker, request, refusal, status, started);
    response
}

/// Puts the caller's own limits on an answer that counts against none of them, or was counted long ago; answers of vendors
/// get them on their way.
pub(crate) fn tell_limits(
    worker: &Worker,
    path: &Arc<Path>,
    dialect: Dialect,
    response: &mut Response<Reply>,
) {
    // Not the time at which the request came: that may be long ago, and turn back the windows it looks at.
    let now_ms = worker.now_ms();
    let headroom = worker.control.counters().headroom(path, now_ms);
    deliver::rate_limits(response.headers_mut(), dialect, &headroom, now_ms);
}

/// A request that failed before it could be judged.
struct Early {
    error: ApiError,
    /// Where the caller is known: enough of the request for a usage row.
    caller: Option<Box<Request>>,
}

impl From<ApiError> for Early {
    fn from(error: ApiError) -> Self {
        Self {
            error,
            caller: None,
        }
    }
}

/// Identifies the caller, then reads and parses the body: a stranger's body is not read.
async fn receive(
    worker: &Worker,
    operation: Operation,
    headers: HeaderMap,
    source: receive::Source,
    origin: &Origin,
) -> Result<(Request, Arc<Snapshot>), Early> {
    let id = origin.id;
    // Kept as long as the request: of guards that are not let go at once a thread has a quick one for eight.
    let mut snapshot = worker.control.snapshot_full();
    let identify = |snapshot: &Snapshot, headers: &HeaderMap| {
        let hasher = worker.control.hasher();
        identify::caller(snapshot, hasher, headers, origin.client, worker.now_ms())
    };
    let mut caller = identify(&snapshot, &headers)?;
    let known = |error: ApiError, snapshot: &Snapshot, caller: Arc<Caller>, headers| {
        let policies = Policies::on(snapshot, &caller);
        let caller = Request::unparsed(id, operation, headers, caller, policies).map(Box::new);
        Early { error, caller }
    };
    if let Err(error) = permitted(&caller, operation) {
        return Err(known(error, &snapshot, caller, Arc::new(headers)));
    }
    let server = &worker.config().server;
    let patience = Duration::from_millis(server.body_timeout_ms);
    let body = receive::body(&headers, source, server.max_body_bytes, patience).await;
    let headers = Arc::new(headers);
    let body = match body {
        Ok(body) => body,
        Err(error) => return Err(known(error, &snapshot, caller, headers)),
    };
    // While the body came the key may have been revoked, the account suspended, a policy attached. In this order: a key that
    // was killed before is not in the snapshot.
    let kills_seen = worker.control.kills().count();
    let fresh = worker.control.snapshot();
    if !Arc::ptr_eq(&fresh, &snapshot) {
        snapshot = Guard::into_inner(fresh);
        caller = identify(&snapshot, &headers)?;
    }
    if let Err(error) = permitted(&caller, operation) {
        return Err(known(error, &snapshot, caller, headers));
    }
    let body_size = body.len() as u64;
    // Nothing else can be locked.
    let once_more = (operation == Operation::Responses).then(|| body.clone());
    let mut parsed = parse(worker, operation, &caller, body);
    if let Some(body) = once_more.filter(|_| turns::is_locked(&parsed)) {
        // Rare, so that it has no room in the state of every request.
        let again = || parse(worker, operation, &caller, body.clone());
        parsed = Box::pin(turns::patiently(again)).await;
    }
    let (document, facts, thread) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Err(known(error, &snapshot, caller, headers)),
    };
    let requested: Arc<str> = facts.model.as_str().into();
    let request = Request {
        id,
        operation,
        beside: None,
        headers,
        policies: Policies::on(&snapshot, &caller),
        kills_seen,
        view: OnceCell::new(),
        caller,
        document: Arc::new(document),
        served: Arc::clone(&requested),
        requested,
        capped: None,
        facts,
        thread: thread.map(Box::new),
        vendors: origin.vendors.clone(),
        body_size,
        tags: Vec::new(),
        acts: Vec::new(),
    };
    Ok((request, snapshot))
}

/// Reads a body, with what it goes on with in front of its own input.
fn parse(
    worker: &Worker,
    operation: Operation,
    caller: &Caller,
    body: Bytes,
) -> Result<(Document, Facts, Option<Thread>), ApiError> {
    let mut document = Document::parse(body)?;
    let facts = request::facts(&document, operation, None)?;
    let mut thread = None;
    if operation.reads_as() == Operation::Responses {
        let turns = worker.control.turns();
        let account = caller.path.account();
        let answers = operation == Operation::Responses;
        let (longest, now_ms) = (worker.config().server.max_body_bytes, worker.now_ms());
        turns::dereference(turns, account, &mut document, longest, now_ms)?;
        thread = turns::resume(turns, account, &mut document, answers, now_ms)?;
        // Before policies look: what a summary says is text like any other.
        tollgate_dialect::bridge::open_summaries(&mut document, operation)?;
    } else if matches!(operation, Operation::Messages | Operation::CountTokens) {
        tollgate_dialect::bridge::open_hidden(&mut document)?;
    }
    let facts = match document.is_modified() {
        false => request::with_thread(facts, thread.as_ref()),
        true => {
            document = Document::parse(document.to_bytes())?;
            request::facts(&document, operation, thread.as_ref())?
        }
    };
    Ok((document, facts, thread))
}

/// Whether whoever sends these headers is known and may use the endpoint.
pub(crate) fn known(
    worker: &Worker,
    operation: Operation,
    headers: &HeaderMap,
    client: Option<IpAddr>,
) -> Result<(), ApiError> {
    let (snapshot, hasher) = (worker.control.snapshot(), worker.control.hasher());
    let caller = identify::caller(&snapshot, hasher, headers, client, worker.now_ms())?;
    permitted(&caller, operation)
}

pub(crate) fn permitted(caller: &Caller, operation: Operation) -> Result<(), ApiError> {
    match caller.allows_endpoint(operation.as_str()) {
        true => Ok(()),
        false => {
            let message = format!("this key may not use {}", operation.path());
            Err(ApiError::new(ErrorKind::EndpointForbidden, message))
        }
    }
}

/// Policies, candidates, limits: everything that may still say no before anything is sent.
async fn admitted(
    worker: &Worker,
    snapshot: &Snapshot,
    request: &mut Request,
) -> Result<(Vec<Candidate>, tollgate_governance::Admission), Refusal> {
    admit::admit(snapshot, request)?;
    let candidates = route::candidates(snapshot, request, worker.now_ms())?;
    can_be_recorded(worker)?;
    let admission = hold::hold(worker, snapshot, request, &candidates).await?;
    Ok((candidates, admission))
}

/// Whether there is room for a usage row.
pub(crate) fn can_be_recorded(worker: &Worker) -> Result<(), Refusal> {
    if !worker.journal.borrow_mut().has_room() {
        // What cannot be written down is not sent: a full disk must not turn into free requests.
        let error = ApiError::new(
            ErrorKind::Overloaded,
            "usage cannot be recorded just now; try again shortly",
        );
        return Err(error.with_retry_after_ms(1_000).into());
    }
    Ok(())
}

/// The answer to whom nothing is held for.
pub(crate) fn refuse(
    worker: &Worker,
    operation: Operation,
    error: &ApiError,
    id: Uuid,
) -> Response<Reply> {
    let response = reply::error(operation.dialect(), error, id);
    worker
        .shard()
        .refused(operation, response.status().as_u16());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_500_in_the_callers_dialect() {
        let boom = async { panic!("a defect") };
        let response = guarded(Dialect::AnthropicMessages, Uuid::nil(), boom).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.headers().contains_key("request-id"));
    }
}
