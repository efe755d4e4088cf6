//! Asks the candidates, one after the other, until one answers. Nothing has gone to the client yet, so another try costs
//! nobody anything but time.

use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt;
use tollgate_dialect::{
    Aggregator, ApiError, Commit, Document, Edit, ErrorKind, Incomplete, Operation,
};
use tollgate_plugin::{CallView, CommitAfter, Failure, FailureKind, SignHead, Translator};
use tollgate_upstream::{Coalesce, Phase, UpstreamBody, UpstreamError};

use crate::adapt::{self, Prepared};
use crate::request::Request;
use crate::route::Candidate;
use crate::settle::Settlement;
use crate::snapshot::Snapshot;
use crate::views::{CallFacts, FailedAnswer};
use crate::worker::Worker;

/// A vendor's answer, up to where it is committed to the client.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
    /// The host asked the vendor for a usage event that the client did not ask for, and takes it out again.
    pub(crate) hide_usage: bool,
    pub(crate) translator: Option<Translator>,
}

/// The body of an answer.
pub(crate) enum Content {
    /// Read whole.
    Whole(Bytes),
    /// An event stream: what was read to look at its first event, and the rest.
    Stream(Bytes, Coalesce<UpstreamBody>),
}

/// An attempt that gave no answer.
struct Miss {
    failure: Failure,
    /// The vendor's own answer, where there was one.
    told: Option<Told>,
}

struct Told {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// How an exchange ended that no candidate could serve.
pub(crate) enum Unanswered {
    /// In our words.
    Error(ApiError),
    /// The vendor's own words about the client's own mistake. Clients match the wording, so it goes through as it is.
    Verbatim(StatusCode, Bytes),
}

/// An answer longer than this is not a model's. Bytes.
const LONGEST_ANSWER: usize = 256 << 20;
/// As much of an error as anybody reads. Bytes.
const LONGEST_ERROR: usize = 1 << 20;
/// A first event longer than this is committed unseen. Bytes.
const LONGEST_FIRST_EVENT: usize = 64 << 10;

/// Asks the candidates in order.
pub(crate) async fn perform(
    worker: &Rc<Worker>,
    snapshot: &Arc<Snapshot>,
    request: &Request,
    candidates: &[Candidate],
    settlement: &mut Settlement,
) -> Result<(Candidate, Answer), Unanswered> {
    let mut last = None;
    for (number, route) in candidates.iter().enumerate() {
        if number > 0 {
            worker.shard().failed_over();
        }
        settlement.attempt(route, snapshot.price(route));
        let miss = match attempt(worker, snapshot, request, route, settlement).await {
            Ok(answer) => {
                route.breaker.succeeded();
                settlement.answered();
                return Ok((Arc::clone(route), answer));
            }
            Err(miss) => miss,
        };
        note(worker, route, &miss.failure);
        if is_the_clients(miss.failure.kind)
            && (miss.failure.kind != FailureKind::ModelNotFound || number + 1 == candidates.len())
        {
            return Err(for_the_client(route, miss));
        }
        last = Some(miss);
    }
    Err(Unanswered::Error(unavailable(last)))
}

/// Remembers how the upstream is doing with this model.
fn note(worker: &Worker, route: &Candidate, failure: &Failure) {
    let now = worker.now_ms();
    match failure.kind {
        kind if is_the_clients(kind) => route.breaker.succeeded(),
        _ => match failure.retry_after_ms {
            Some(milliseconds) => route
                .breaker
                .cool_down_until(now.saturating_add(milliseconds)),
            None => route.breaker.failed(now),
        },
    }
    tracing::debug!(
        upstream = route.upstream.name,
        model = &*route.model,
        kind = failure.kind.word(),
        "an attempt failed"
    );
}

/// Failures that another upstream would repeat, because the request is at fault.
fn is_the_clients(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::InvalidRequest
            | FailureKind::ContextLength
            | FailureKind::ContentFiltered
            | FailureKind::ModelNotFound
    )
}

fn for_the_client(route: &Candidate, mut miss: Miss) -> Unanswered {
    let repeats = |bytes: &[u8]| {
        route
            .upstream
            .credential
            .as_ref()
            .is_some_and(|secrets| secrets.occurs_in(bytes))
    };
    if miss.told.as_ref().is_some_and(|told| repeats(&told.body)) {
        tracing::warn!(
            upstream = route.upstream.name,
            "a vendor repeated our credential in an error; it was not passed on"
        );
        miss = Miss::from(Failure {
            message: None,
            ..miss.failure
        });
    }
    if let Some(told) = &miss.told
        && told.status.is_client_error()
        && !matches!(told.status.as_u16(), 401 | 402 | 403 | 407 | 429)
        && is_error_body(&told.body)
    {
        return Unanswered::Verbatim(told.status, told.body.clone());
    }
    let kind = match miss.failure.kind {
        FailureKind::ContextLength => ErrorKind::ContextLength,
        FailureKind::ContentFiltered => ErrorKind::ContentFiltered,
        FailureKind::ModelNotFound => ErrorKind::ModelNotFound,
        _ => ErrorKind::UpstreamRejected,
    };
    let message = miss
        .failure
        .message
        .unwrap_or_else(|| "the vendor refused the request".to_owned());
    Unanswered::Error(ApiError::new(kind, message))
}

/// Whether a body is an error as either family of dialects writes it; anything else is put into our own words.
fn is_error_body(body: &Bytes) -> bool {
    Document::parse(body.clone()).is_ok_and(|document| {
        document
            .get("error")
            .is_some_and(|error| error.starts_with(b"{"))
    })
}

/// Nobody could serve: whatever the vendors said about our credentials is not the caller's business.
fn unavailable(last: Option<Miss>) -> ApiError {
    let failure = last.map(|miss| miss.failure);
    let mut error = match failure.as_ref().map(|failure| failure.kind) {
        Some(FailureKind::Transient)
            if failure
                .as_ref()
                .is_some_and(|f| f.message.as_deref() == Some(TIMED_OUT)) =>
        {
            ApiError::new(
                ErrorKind::UpstreamTimeout,
                "the upstream did not answer in time",
            )
        }
        _ => ApiError::new(
            ErrorKind::Overloaded,
            "no upstream can serve this request now; try again shortly",
        ),
    };
    error.retry_after_ms = failure
        .and_then(|failure| failure.retry_after_ms)
        .or(Some(1_000));
    error
}

const TIMED_OUT: &str = "timed out";

async fn attempt(
    worker: &Rc<Worker>,
    snapshot: &Arc<Snapshot>,
    request: &Request,
    route: &Candidate,
    settlement: &mut Settlement,
) -> Result<Answer, Miss> {
    let upstream = &route.upstream;
    let call = Arc::new(CallFacts {
        operation: request.operation,
        model: Arc::clone(&route.model),
        stream: request.facts.stream,
        endpoint: Arc::clone(&upstream.endpoint),
        headers: Arc::clone(&request.headers),
        session: request.facts.session.as_deref().map(Arc::from),
        attempt: 1,
    });
    if upstream.responds {
        return respond(request, route, &call);
    }
    let prepared = worker
        .plans
        .borrow_mut()
        .prepare(snapshot, upstream, &call)
        .map_err(Miss::from)?;
    let hide_usage = asks_for_usage(request) && !request.facts.wants_usage;
    let mut body = body(request, route, &prepared, hide_usage)?;
    let mut translator = None;
    if upstream.translates {
        let view: Arc<dyn CallView + Send + Sync> = Arc::<CallFacts>::clone(&call);
        let mut made = upstream
            .provider
            .translator(&view)
            .map_err(|error| Miss::from(adapt::broken(upstream, &error)))?;
        body = made
            .request(&body)
            .map_err(|error| translation_failed(route, error))?
            .into();
        translator = Some(made);
    }
    let mut headers = prepared.headers.clone();
    if upstream.signs {
        sign(worker, route, &prepared, &body, &mut headers)?;
    }
    settlement.sent();
    let response = worker
        .client
        .send(
            &upstream.target,
            Method::POST,
            &prepared.path,
            headers,
            body,
        )
        .await
        .map_err(|error| unreachable(route, &error))?;
    accept(request, route, &prepared, response, translator, hide_usage).await
}

/// Whether the host asks for the usage event of this stream: without it a chat stream may end with no usage at all.
fn asks_for_usage(request: &Request) -> bool {
    request.facts.stream && request.operation == Operation::ChatCompletions
}

/// The body to send: the client's own bytes wherever nothing has to change.
fn body(
    request: &Request,
    route: &Candidate,
    prepared: &Prepared,
    add_usage: bool,
) -> Result<Bytes, Miss> {
    let rename = *route.model != *request.requested;
    let make_stream = prepared.always_stream && !request.facts.stream;
    if !rename && !add_usage && !make_stream && prepared.edits.is_empty() {
        return Ok(request.document.to_bytes());
    }
    let mut document = Document::clone(&request.document);
    let mut own = Vec::new();
    if rename {
        own.push(Edit::Set {
            pointer: "/model".to_owned(),
            value: serde_json::Value::from(&*route.model).to_string(),
        });
    }
    if add_usage {
        own.push(Edit::Set {
            pointer: "/stream_options/include_usage".to_owned(),
            value: "true".to_owned(),
        });
    }
    if make_stream {
        own.push(Edit::Set {
            pointer: "/stream".to_owned(),
            value: "true".to_owned(),
        });
    }
    for edit in own.iter().chain(&prepared.edits) {
        document.apply(edit).map_err(|invalid| {
            tracing::debug!(
                upstream = route.upstream.name,
                reason = invalid.message,
                "an edit cannot be applied"
            );
            Miss::from(Failure {
                kind: FailureKind::InvalidRequest,
                retry_after_ms: None,
                message: Some(invalid.message),
            })
        })?;
    }
    Ok(document.to_bytes())
}

fn sign(
    worker: &Worker,
    route: &Candidate,
    prepared: &Prepared,
    body: &Bytes,
    headers: &mut HeaderMap,
) -> Result<(), Miss> {
    let upstream = &route.upstream;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, body).as_ref());
    let path = format!("{}{}", upstream.target.base_path(), prepared.path);
    let head = SignHead {
        method: "POST",
        authority: upstream.target.authority(),
        path: &path,
        headers: &prepared.templates,
        body_sha256: sha256,
        now: worker.now_ms(),
    };
    let macs = Arc::new(crate::sign::Macs(upstream.credential.clone()));
    let signed = upstream
        .provider
        .sign(&head, macs)
        .map_err(|error| Miss::from(adapt::broken(upstream, &error)))?;
    for (name, value) in &signed {
        let (name, value) = adapt::fill(upstream, name, value).map_err(Miss::from)?;
        headers.insert(name, value);
    }
    Ok(())
}

/// An answer that the component gives itself.
fn respond(request: &Request, route: &Candidate, call: &Arc<CallFacts>) -> Result<Answer, Miss> {
    let view: Arc<dyn CallView + Send + Sync> = Arc::<CallFacts>::clone(call);
    let body = request.document.to_bytes();
    let answer = route
        .upstream
        .provider
        .respond(&view, &body)
        .map_err(|error| Miss::from(adapt::broken(&route.upstream, &error)))?;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut headers = HeaderMap::new();
    if let Ok(content_type) = answer.content_type.parse() {
        headers.insert(CONTENT_TYPE, content_type);
    }
    let body = Bytes::from(answer.body);
    if !status.is_success() {
        return Err(classify(
            request,
            route,
            Told {
                status,
                headers,
                body,
            },
        ));
    }
    Ok(Answer {
        status,
        headers,
        content: Content::Whole(body),
        hide_usage: false,
        translator: None,
    })
}

/// Looks at an answer as far as the plan says, and decides whether it is one.
async fn accept(
    request: &Request,
    route: &Candidate,
    prepared: &Prepared,
    response: Response<UpstreamBody>,
    translator: Option<Translator>,
    hide_usage: bool,
) -> Result<Answer, Miss> {
    let (parts, body) = response.into_parts();
    let (status, headers) = (parts.status, parts.headers);
    if !status.is_success() {
        // A failure whose body does not arrive is still that failure.
        let body = whole(body, LONGEST_ERROR).await.unwrap_or_default();
        return Err(classify(
            request,
            route,
            Told {
                status,
                headers,
                body,
            },
        ));
    }
    let json = headers.get(CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes()
            .get(..16)
            .is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/json"))
    });
    if (!request.facts.stream && !prepared.always_stream) || json {
        let body = whole(body, LONGEST_ANSWER)
            .await
            .map_err(|error| unreachable(route, &error))?;
        return settle_whole(
            request,
            route,
            prepared,
            Told {
                status,
                headers,
                body,
            },
            translator,
        );
    }
    if !request.facts.stream {
        return aggregate(request, route, headers, body, translator).await;
    }
    let mut body = Coalesce::new(body);
    let first = match prepared.commit_after {
        CommitAfter::FirstEvent => first_event(request, route, &mut body).await?,
        CommitAfter::Status | CommitAfter::Body => Bytes::new(),
    };
    Ok(Answer {
        status,
        headers,
        content: Content::Stream(first, body),
        hide_usage,
        translator,
    })
}

fn settle_whole(
    request: &Request,
    route: &Candidate,
    prepared: &Prepared,
    told: Told,
    mut translator: Option<Translator>,
) -> Result<Answer, Miss> {
    let Told {
        status,
        headers,
        mut body,
    } = told;
    if let Some(made) = &mut translator {
        body = made
            .response(&body)
            .map_err(|error| translation_failed(route, error))?
            .into();
    }
    if prepared.commit_after == CommitAfter::Body
        && tollgate_dialect::first_event_failure(request.operation, &body).is_some()
    {
        return Err(classify(
            request,
            route,
            Told {
                status,
                headers,
                body,
            },
        ));
    }
    Ok(Answer {
        status,
        headers,
        content: Content::Whole(body),
        hide_usage: false,
        translator: None,
    })
}

/// Collects a stream for a client that did not ask for one.
async fn aggregate(
    request: &Request,
    route: &Candidate,
    mut headers: HeaderMap,
    mut body: UpstreamBody,
    mut translator: Option<Translator>,
) -> Result<Answer, Miss> {
    let mut aggregator = Aggregator::new(request.operation, LONGEST_ANSWER);
    let mut push = |bytes: &[u8]| {
        aggregator
            .push(bytes)
            .map_err(|error| incomplete(request, route, error))
    };
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame
            .map_err(|error| unreachable(route, &error))?
            .into_data()
        else {
            continue;
        };
        match &mut translator {
            None => push(&data)?,
            Some(made) => push(
                &made
                    .push(&data)
                    .map_err(|error| translation_failed(route, error))?,
            )?,
        }
    }
    if let Some(made) = translator {
        push(
            &made
                .finish()
                .map_err(|error| translation_failed(route, error))?,
        )?;
    }
    let whole = aggregator
        .finish()
        .map_err(|error| incomplete(request, route, error))?;
    headers.insert(
        CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    Ok(Answer {
        status: StatusCode::OK,
        headers,
        content: Content::Whole(whole),
        hide_usage: false,
        translator: None,
    })
}

fn incomplete(request: &Request, route: &Candidate, error: Incomplete) -> Miss {
    match error {
        Incomplete::Failed { data, .. } => classify(
            request,
            route,
            Told {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: data.into(),
            },
        ),
        Incomplete::Cut | Incomplete::Unreadable(_) | Incomplete::TooLarge => Miss::from(Failure {
            kind: FailureKind::Transient,
            retry_after_ms: None,
            message: None,
        }),
    }
}

/// Reads until the answer has begun, and refuses a stream that begins with a failure.
async fn first_event(
    request: &Request,
    route: &Candidate,
    body: &mut Coalesce<UpstreamBody>,
) -> Result<Bytes, Miss> {
    let mut read = Bytes::new();
    loop {
        let frame = match body.frame().await {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Err(unreachable(route, &error)),
            None if read.is_empty() => {
                return Err(Miss::from(Failure {
                    kind: FailureKind::Transient,
                    retry_after_ms: None,
                    message: None,
                }));
            }
            None => return Ok(read),
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        // The common case: the first read holds the beginning, and nothing is copied.
        read = if read.is_empty() {
            data
        } else {
            [read, data].concat().into()
        };
        match tollgate_dialect::commit_check(request.operation, &read) {
            Commit::Wait if read.len() <= LONGEST_FIRST_EVENT => {}
            Commit::Wait | Commit::Go => return Ok(read),
            Commit::Failed { data, .. } => {
                let told = Told {
                    status: StatusCode::OK,
                    headers: HeaderMap::new(),
                    body: data.into(),
                };
                return Err(classify(request, route, told));
            }
        }
    }
}

async fn whole(mut body: UpstreamBody, limit: usize) -> Result<Bytes, UpstreamError> {
    let mut first: Option<Bytes> = None;
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        match (&first, &mut rest) {
            (None, _) => first = Some(data),
            (Some(start), None) => {
                let mut joined = BytesMut::with_capacity(start.len() + data.len());
                joined.extend_from_slice(start);
                joined.extend_from_slice(&data);
                rest = Some(joined);
            }
            (Some(_), Some(joined)) => joined.extend_from_slice(&data),
        }
        if rest.as_ref().map_or(0, BytesMut::len) > limit {
            break;
        }
    }
    Ok(rest.map(BytesMut::freeze).or(first).unwrap_or_default())
}

/// Asks the provider what a failure means; falls back to the status where it cannot say.
fn classify(request: &Request, route: &Candidate, told: Told) -> Miss {
    let answer = Arc::new(FailedAnswer {
        status: told.status.as_u16(),
        headers: told.headers.clone(),
        body: told.body.clone(),
        operation: request.operation,
    });
    let mut failure = route
        .upstream
        .provider
        .classify(answer)
        .unwrap_or_else(|error| {
            adapt::broken(&route.upstream, &error);
            by_status(told.status)
        });
    failure.retry_after_ms = failure
        .retry_after_ms
        .or_else(|| retry_after(&told.headers));
    Miss {
        failure,
        told: Some(told),
    }
}

fn by_status(status: StatusCode) -> Failure {
    let kind = match status.as_u16() {
        401 | 403 => FailureKind::Auth,
        402 => FailureKind::QuotaExhausted,
        404 => FailureKind::ModelNotFound,
        429 => FailureKind::RateLimited,
        400..=499 => FailureKind::InvalidRequest,
        503 | 529 => FailureKind::Overloaded,
        _ => FailureKind::Transient,
    };
    Failure {
        kind,
        retry_after_ms: None,
        message: None,
    }
}

/// `retry-after-ms`, or `retry-after` in seconds.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let number = |value: &http::HeaderValue| value.to_str().ok()?.trim().parse::<f64>().ok();
    let milliseconds = match headers.get("retry-after-ms").and_then(number) {
        Some(milliseconds) => milliseconds,
        None => headers.get(RETRY_AFTER).and_then(number)? * 1_000.0,
    };
    // A day is the longest that anybody is believed.
    (milliseconds.is_finite() && milliseconds >= 0.0)
        .then(|| milliseconds.min(86_400_000.0).ceil() as u64)
}

fn unreachable(route: &Candidate, error: &UpstreamError) -> Miss {
    tracing::warn!(upstream = route.upstream.name, %error, "an upstream cannot be reached");
    let timed_out = matches!(
        error.kind,
        tollgate_upstream::ErrorKind::Timeout(Phase::FirstByte | Phase::Idle)
    );
    Miss::from(Failure {
        kind: FailureKind::Transient,
        retry_after_ms: None,
        message: timed_out.then(|| TIMED_OUT.to_owned()),
    })
}

fn translation_failed(route: &Candidate, error: tollgate_plugin::TranslateError) -> Miss {
    match error {
        tollgate_plugin::TranslateError::Refused(message) => Miss::from(Failure {
            kind: FailureKind::InvalidRequest,
            retry_after_ms: None,
            message: Some(message),
        }),
        tollgate_plugin::TranslateError::Plugin(error) => {
            Miss::from(adapt::broken(&route.upstream, &error))
        }
    }
}

impl From<Failure> for Miss {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            told: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_times_are_read_in_both_units_and_bounded() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(with("retry-after", "2"), Some(2_000));
        assert_eq!(with("retry-after", "0.5"), Some(500));
        assert_eq!(with("retry-after-ms", "1500"), Some(1_500));
        assert_eq!(with("retry-after", "999999999"), Some(86_400_000));
        assert_eq!(with("retry-after", "-1"), None);
        assert_eq!(with("retry-after", "soon"), None);
    }

    #[test]
    fn what_vendors_say_about_our_credentials_is_never_the_callers() {
        for status in [401_u16, 402, 429] {
            let kind = by_status(StatusCode::from_u16(status).unwrap()).kind;
            assert!(!is_the_clients(kind), "{status}");
        }
    }
}
