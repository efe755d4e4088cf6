//! Asks the candidates, one after the other, until one answers. Nothing has gone to the client yet, so another try costs
//! nobody anything but time.

mod answer;
mod beside;
mod estimate;
mod failure;
mod translation;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode};
use tollgate_dialect::{ApiError, Document, Edit, Operation, StreamSummary};
use tollgate_plugin::{CallView, Failure, FailureKind, SignHead};
use tollgate_upstream::{Coalesce, RequestHead, UpstreamBody, UpstreamError};

pub(crate) use self::beside::{Beside, beside};
pub(crate) use self::failure::in_stream;
use self::failure::{
    Cause, Miss, Told, classify, for_the_client, is_the_clients, translation_failed, unavailable,
    unreachable,
};
pub(crate) use self::translation::{Translation, blotted_text};
use crate::adapt::{self, Prepared};
use crate::bridge::{self, Way, WayBack};
use crate::request::Request;
use crate::route::Candidate;
use crate::settle::Settlement;
use crate::snapshot::Snapshot;
use crate::views::{AnswerHead, CallFacts};
use crate::worker::Worker;
use crate::{turn, turns, websocket};

/// A vendor's answer, up to where it is committed to the client.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
    /// The host asked the vendor for a usage event that the client did not ask for, and takes it out again.
    pub(crate) hide_usage: bool,
    pub(crate) translator: Option<Translation>,
    /// What the vendor was asked for; another operation than the client's where the bridge stands between them.
    pub(crate) spoken: Operation,
    /// The way back over the bridge.
    pub(crate) bridge: Option<WayBack>,
    /// Nobody was asked: it is the gateway's estimate.
    pub(crate) estimated: bool,
}

/// The body of an answer.
pub(crate) enum Content {
    /// Read whole, as the vendor wrote it; and what the client is to get of that over the bridge.
    Whole(Bytes, Option<Bytes>),
    /// An event stream: what was read to look at its first event, and the rest.
    Stream(Bytes, Coalesce<UpstreamBody>),
    /// A stream that was collected until nothing was left to pay for more of it: what had come by then, and under which id
    /// its vendor may keep it.
    Cut(Box<StreamSummary>, Option<String>),
}

/// How an exchange ended that no candidate could serve.
pub(crate) enum Unanswered {
    /// In our words.
    Error(ApiError),
    /// No upstream served it, through no fault of the client's; with what the last one failed by, for the usage row.
    Unavailable(ApiError, String),
    /// The vendor's own words about the client's own mistake. Clients match the wording, so it goes through as it is; where
    /// the client's stream has begun, as the error that ends it.
    Verbatim(StatusCode, Bytes, ApiError),
}

/// Asks the candidates in order.
pub(crate) async fn perform(
    worker: &Rc<Worker>,
    snapshot: &Arc<Snapshot>,
    request: &Request,
    candidates: &[Candidate],
    settlement: &mut Settlement,
) -> Result<(Candidate, Answer), Unanswered> {
    let mut last = None;
    let mut asked: Option<&Candidate> = None;
    for (number, route) in candidates.iter().enumerate() {
        if number > 0 {
            worker.shard().failed_over();
        }
        settlement.attempt(route, snapshot.price(route));
        let here = candidates[..=number]
            .iter()
            .filter(|tried| tried.upstream.provider_id == route.upstream.provider_id)
            .count();
        let attempt_number = u32::try_from(here).unwrap_or(u32::MAX);
        let miss = match attempt(worker, snapshot, request, route, attempt_number, settlement).await
        {
            Ok(answer) => {
                route.breaker.succeeded();
                settlement.answered();
                return Ok((Arc::clone(route), answer));
            }
            Err(miss) => miss,
        };
        note(worker, route, &miss);
        let sent = settlement.is_sent();
        if sent {
            asked = Some(route);
        }
        let is_last = number + 1 == candidates.len();
        // What this vendor's dialect cannot say another's may.
        let elsewhere = miss.unsaid.is_some() || miss.failure.kind == FailureKind::ModelNotFound;
        if is_the_clients(miss.failure.kind) && (is_last || !elsewhere) {
            if !sent {
                settlement.unsent(asked);
            }
            // One that could have been told all of it was only out of order: later it may not be.
            let before = last.filter(|before: &Miss| {
                miss.unsaid.is_some() && !is_the_clients(before.failure.kind)
            });
            return Err(match before {
                Some(before) => unavailable(Some(&before)),
                None => for_the_client(request.operation, route, miss),
            });
        }
        if last.is_none() || miss.unsaid.is_none() {
            last = Some(miss);
        }
    }
    Err(unavailable(last.as_ref()))
}

/// Remembers how the upstream is doing with this model.
fn note(worker: &Worker, route: &Candidate, miss: &Miss) {
    let (now, failure) = (worker.now_ms(), &miss.failure);
    match failure.kind {
        _ if miss.cause == Cause::Here => {}
        kind if is_the_clients(kind) => route.breaker.succeeded(),
        _ => match failure.retry_after_ms {
            Some(milliseconds) => route
                .breaker
                .cool_down_until(now.saturating_add(milliseconds)),
            None => route.breaker.failed(now),
        },
    }
    if matches!(
        failure.kind,
        FailureKind::Auth | FailureKind::QuotaExhausted
    ) {
        // No client is told: only here can the operator learn of a mistyped or spent credential.
        tracing::warn!(
            upstream = route.upstream.name,
            model = &*route.model,
            kind = failure.kind.word(),
            "the vendor refuses the upstream's credential"
        );
        return;
    }
    let (upstream, model, kind) = (&route.upstream.name, &*route.model, failure.kind.word());
    tracing::debug!(upstream, model, kind, "an attempt failed");
    if is_the_clients(failure.kind) || miss.cause == Cause::Here {
        return;
    }
    // Clients hear that nobody can serve, and no more: why is for the operator.
    if let Some(failures) = route.upstream.pulse.failed(now) {
        let status = miss.told.as_ref().map_or(0, |told| told.status.as_u16());
        tracing::warn!(upstream, model, kind, status, failures, "an upstream fails");
    }
}

async fn attempt(
    worker: &Rc<Worker>,
    snapshot: &Arc<Snapshot>,
    request: &Request,
    route: &Candidate,
    number: u32,
    settlement: &mut Settlement,
) -> Result<Answer, Miss> {
    let upstream = &route.upstream;
    let way = bridge::way(request, route).map_err(Miss::unsaid)?;
    if way == Way::Estimated {
        return Ok(estimate::tokens(request));
    }
    let spoken = way.spoken(request.operation);
    let (document, bodys, bridge) = match way {
        Way::Bridged(_) => {
            let created = worker.now_ms() / 1_000;
            let keeps = turns::is_wanted(&worker.control, request);
            match bridge::request(request, route, spoken, created, keeps) {
                Ok(over) => (Cow::Owned(over.document), over.headers, Some(over.back)),
                // What the vendor cannot be asked to count is estimated.
                Err(_) if request.operation.counts() => return Ok(estimate::tokens(request)),
                Err(error) => return Err(Miss::unsaid(error)),
            }
        }
        Way::Native | Way::Estimated => (Cow::Borrowed(&*request.document), &[][..], None),
    };
    let call = Arc::new(CallFacts {
        operation: spoken,
        model: Arc::clone(&route.model),
        stream: request.facts.stream,
        endpoint: Arc::clone(&upstream.endpoint),
        headers: bridge::headers(&request.headers, bodys),
        session: request.facts.session.as_deref().map(Arc::from),
        attempt: number,
    });
    let (makers, family) = (worker.control.makers(), &upstream.provider_id);
    let document = bridge::unsealed(document, spoken, makers, family)
        .and_then(|document| bridge::uncapped(document, spoken))
        .map_err(Miss::unsaid)?;
    let attempt = Attempt {
        request,
        route,
        spoken,
        bridge,
    };
    // The bridge asks for usage by itself, and tells it as the client wants it.
    let asks = request.facts.stream && spoken == Operation::ChatCompletions;
    let hide_usage = asks && !request.facts.wants_usage && way == Way::Native;
    if upstream.responds {
        return respond(attempt, document, &call, hide_usage, settlement);
    }
    let prepared = worker
        .plans
        .borrow_mut()
        .prepare(snapshot, upstream, &call)
        .map_err(Miss::from)?;
    let mut body = body(&attempt, document, &prepared, hide_usage)?;
    let mut translator = None;
    if upstream.translates {
        let view: Arc<dyn CallView + Send + Sync> = Arc::<CallFacts>::clone(&call);
        let made = upstream
            .provider
            .translator(&view)
            .map_err(|error| Miss::from(adapt::broken(upstream, &error)))?;
        let mut made = Translation::new(made, upstream);
        body = made
            .request(&body)
            .map_err(|error| translation_failed(route, error))?;
        translator = Some(made);
    }
    let signed = match upstream.signs {
        true => Some(sign(worker, route, &call, &prepared, &body)?),
        false => None,
    };
    let head = signed.as_ref().unwrap_or(&prepared.head);
    settlement.sent();
    turn::pass().await;
    let response = send(worker, &attempt, head, body)
        .await
        .map_err(|error| unreachable(route, &error))?;
    if let Some(made) = &mut translator
        && response.status().is_success()
    {
        made.answered(AnswerHead {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            arrived_ms: worker.now_ms(),
        })
        .map_err(|error| translation_failed(route, error))?;
    }
    answer::accept(
        attempt, &prepared, response, translator, hide_usage, settlement,
    )
    .await
}

/// Sends a request on the way that it came, where the vendor takes it there: over a WebSocket, or over HTTP.
async fn send(
    worker: &Worker,
    attempt: &Attempt<'_>,
    head: &RequestHead,
    body: Bytes,
) -> Result<Response<UpstreamBody>, UpstreamError> {
    let Attempt { request, route, .. } = attempt;
    let upstream = &route.upstream;
    if let Some(vendors) = &request.vendors
        && attempt.spoken == Operation::Responses
        && upstream.websocket.is_served(worker.now_ms())
    {
        // In a box of its own: requests over HTTP need not carry its room with them.
        let sent = Box::pin(websocket::send(worker, vendors, upstream, head, &body));
        if let Some(response) = sent.await? {
            return Ok(response);
        }
    }
    let client = &worker.client;
    client
        .send(&upstream.target, Method::POST, head, body)
        .await
}

/// One attempt.
struct Attempt<'a> {
    request: &'a Request,
    route: &'a Candidate,
    /// What the vendor is asked for.
    spoken: Operation,
    bridge: Option<WayBack>,
}

/// The body to send: the client's own bytes wherever nothing has to change. A chat stream may end with no usage at all
/// if nobody asks for it: `add_usage` does.
fn body(
    attempt: &Attempt<'_>,
    document: Cow<'_, Document>,
    prepared: &Prepared,
    add_usage: bool,
) -> Result<Bytes, Miss> {
    let Attempt { request, route, .. } = attempt;
    // The bridge has named the vendor's model already.
    let rename = attempt.bridge.is_none() && *route.model != *request.requested;
    let make_stream = prepared.always_stream && !request.facts.stream;
    if !rename && !add_usage && !make_stream && prepared.edits.is_empty() {
        return Ok(document.to_bytes());
    }
    let mut document = document.into_owned();
    let mut own = Vec::new();
    if rename {
        own.push(Edit::Set {
            pointer: "/model".to_owned(),
            value: serde_json::Value::from(&*route.model).to_string(),
        });
    }
    if add_usage {
        own.push(ask_for_usage());
    }
    if make_stream {
        own.push(Edit::Set {
            pointer: "/stream".to_owned(),
            value: "true".to_owned(),
        });
    }
    let fails = |kind, message| {
        Miss::from(Failure {
            kind,
            retry_after_ms: None,
            message,
        })
    };
    for edit in &own {
        // It is the client's body that has something else where these go.
        document
            .apply(edit)
            .map_err(|invalid| fails(FailureKind::InvalidRequest, Some(invalid.message)))?;
    }
    for edit in &prepared.edits {
        document.apply(edit).map_err(|invalid| {
            tracing::warn!(
                upstream = route.upstream.name,
                provider = route.upstream.provider_id,
                reason = invalid.message,
                "an edit that was planned cannot be made"
            );
            // The component's mistake, not the client's: another upstream may serve.
            fails(FailureKind::Transient, None)
        })?;
    }
    if let Some(held) = request.capped
        && !prepared.edits.is_empty()
        // A compaction of the vendor's own is asked for only where the hold covers all that the model can answer.
        && attempt.spoken != Operation::Compact
    {
        within_hold(attempt, &document, held)?;
    }
    Ok(document.to_bytes())
}

fn ask_for_usage() -> Edit {
    Edit::Set {
        pointer: "/stream_options/include_usage".to_owned(),
        value: "true".to_owned(),
    }
}

/// A strict budget is kept by the cap that the vendor is told: a plan that takes it out or raises it is not sent, whoever
/// wrote the component.
fn within_hold(attempt: &Attempt<'_>, document: &Document, held: u64) -> Result<(), Miss> {
    let told = tollgate_dialect::facts(document, attempt.spoken);
    let kept = told.is_ok_and(|told| {
        told.output_cap.is_some_and(|cap| cap <= held)
            && told.choices <= attempt.request.facts.choices.max(1)
    });
    if kept {
        return Ok(());
    }
    let upstream = &attempt.route.upstream;
    tracing::warn!(
        upstream = upstream.name,
        provider = upstream.provider_id,
        "a plan undoes the output cap of a strict budget; it is not sent"
    );
    Err(Miss::from(Failure {
        kind: FailureKind::Transient,
        retry_after_ms: None,
        message: None,
    }))
}

fn sign(
    worker: &Worker,
    route: &Candidate,
    call: &Arc<CallFacts>,
    prepared: &Prepared,
    body: &Bytes,
) -> Result<RequestHead, Miss> {
    let upstream = &route.upstream;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, body).as_ref());
    let head = SignHead {
        method: "POST".to_owned(),
        authority: upstream.target.authority().to_owned(),
        path: prepared.head.path().to_owned(),
        headers: prepared.templates.clone(),
        body_sha256: sha256,
        now: worker.now_ms(),
    };
    let macs = Arc::new(crate::sign::Macs(upstream.credential.clone()));
    let view: Arc<dyn CallView + Send + Sync> = Arc::<CallFacts>::clone(call);
    let signed = upstream
        .provider
        .sign(&view, head, macs)
        .map_err(|error| Miss::from(adapt::broken(upstream, &error)))?;
    let mut head = prepared.head.clone();
    for (name, value) in &signed {
        let (name, value) = adapt::fill(upstream, name, value).map_err(Miss::from)?;
        head.insert(name, value);
    }
    Ok(head)
}

/// An answer that the component gives itself. Asked as a vendor is: what it says of usage is what is charged.
fn respond(
    attempt: Attempt<'_>,
    document: Cow<'_, Document>,
    call: &Arc<CallFacts>,
    add_usage: bool,
    settlement: &mut Settlement,
) -> Result<Answer, Miss> {
    let route = attempt.route;
    let view: Arc<dyn CallView + Send + Sync> = Arc::<CallFacts>::clone(call);
    let body = match add_usage {
        false => document.to_bytes(),
        true => {
            let mut document = document.into_owned();
            document
                .apply(&ask_for_usage())
                .map_err(|invalid| Miss::unsaid(invalid.into()))?;
            document.to_bytes()
        }
    };
    settlement.sent();
    let answer = route
        .upstream
        .provider
        .respond(&view, &body)
        .map_err(|error| Miss::from(adapt::broken(&route.upstream, &error)))?;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            headers.append(name, value);
        }
    }
    let body = Bytes::from(answer.body);
    if !status.is_success() {
        return Err(classify(
            &attempt,
            Told {
                status,
                headers,
                body,
            },
        ));
    }
    let answer = answer::made(attempt, status, headers, body)?;
    Ok(Answer {
        hide_usage: add_usage,
        ..answer
    })
}
