//! Hands an answer to the client: headers cleaned, body whole or relayed, settled before its last byte.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName, HeaderValue,
};
use http::{HeaderMap, Response, StatusCode};
use tollgate_dialect::{
    AnswerRewriter, Dialect, Operation, StreamFilter, StreamTap, Usage, opaque_marks, unfold,
};
use tollgate_governance::Headroom;

use crate::exchange::{Answer, Content};
use crate::filters::Filters;
use crate::makers::Maker;
use crate::relay::Relay;
use crate::reply::{self, Reply};
use crate::request::{Refusal, Request};
use crate::route::Candidate;
use crate::settle::{self, Outcome, Settlement};
use crate::silence::Silence;
use crate::time_text;
use crate::turns::Keeper;
use crate::worker::Worker;

/// Marks an answer that is the gateway's estimate, not a vendor's count.
const ESTIMATED: HeaderName = HeaderName::from_static("x-tollgate-estimated");

/// Turns an answer into the response. The settlement goes with the body. The row of an answer that is there to its end is not
/// written yet: the caller does that, for all that end in a turn ([`Worker::write_rows`]).
pub(crate) fn deliver(
    worker: &Worker,
    request: &Request,
    route: &Candidate,
    answer: Answer,
    settlement: Settlement,
    mut keeper: Option<Keeper>,
) -> Response<Reply> {
    let mut headers = passed_on(&answer.headers);
    if answer.estimated {
        headers.insert(ESTIMATED, HeaderValue::from_static("input_tokens"));
    }
    let mut id = [0; 36];
    let id = &*request.id.hyphenated().encode_lower(&mut id);
    reply::identify(&mut headers, id);
    let dialect = request.operation.dialect();
    tell_limits(&mut headers, dialect, &settlement);
    let filters = Filters::new(request, &route.upstream);
    let signs = matches!(
        request.operation,
        Operation::Messages | Operation::Responses
    );
    let maker = (signs && answer.bridge.is_none()).then(|| Maker {
        makers: Arc::clone(worker.control.makers()),
        route: Arc::clone(route),
    });
    let (status, body) = match answer.content {
        Content::Whole(body, bridged) => {
            let mut is_stream = is_event_stream(&headers);
            if let Some(maker) = maker.filter(|_| bridged.is_none()) {
                maker.note(&opaque_marks(&body));
            }
            // Read before any policy sees the body: the vendor bills what it said, not what the client is shown.
            let usage = usage_of(answer.spoken, &body, route, is_stream, &settlement);
            let body = match answer.hide_usage && is_stream {
                true => without_usage(body),
                false => body,
            };
            let mut shown = bridged;
            if shown.is_none() && request.facts.stream && !is_stream {
                // A vendor that answers at once: its client reads events, and nothing else.
                let asked = request.facts.wants_usage;
                shown = unfold(request.operation, &body, asked).map(Bytes::from);
            }
            if shown.is_some() && request.facts.stream {
                is_stream = true;
                as_a_stream(&mut headers);
            }
            let shown = whole(request, filters, shown.unwrap_or(body), is_stream);
            let body = shown.and_then(|body| match &answer.bridge {
                Some(back) => back.seal(request, body).map_err(Refusal::from),
                None => Ok(body),
            });
            match body {
                Ok(body) => {
                    match &mut keeper {
                        Some(keeper) if is_stream => keeper.push(&body),
                        Some(keeper) => keeper.whole(&body),
                        None => {}
                    }
                    let outcome = Outcome::complete(answer.status.as_u16(), usage);
                    let running = settlement.close_unwritten(outcome).map(Arc::new);
                    let body = reply::until_sent(body, running.as_ref());
                    (answer.status, Reply::whole(body))
                }
                Err(refusal) => return refused(request, refusal, usage, settlement),
            }
        }
        Content::Stream(first, source) => {
            as_a_stream(&mut headers);
            let silence = Duration::from_millis(worker.config().server.keep_alive_ms);
            let mut relay = Relay {
                operation: request.operation,
                bridge: answer.bridge.and_then(|back| back.stream(route)),
                silence: Silence::over(silence),
                request_id: id.to_owned(),
                source: Some(source),
                translator: answer.translator,
                tap: Some(StreamTap::new(
                    answer.spoken,
                    Arc::clone(&route.upstream.hints),
                )),
                hide_usage: answer.hide_usage.then(StreamFilter::new),
                rewriter: filters.map(|filters| (AnswerRewriter::new(request.operation), filters)),
                settlement: Some(settlement),
                running: None,
                keeper,
                maker,
                ready: VecDeque::new(),
                begun: false,
            };
            relay.begin(first);
            (StatusCode::OK, Reply::Stream(Box::new(relay)))
        }
        Content::Cut(summary, name) => {
            if let Some(keeper) = &mut keeper {
                keeper.ended(name.as_deref(), &summary);
            }
            let usage = settlement.part_way(summary.usage, summary.output_bytes_estimate);
            return refused(request, settle::exhausted(), usage, settlement);
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The vendor's headers that a client may see. A list of what passes, not of what does not: vendors tell about the
/// account behind the credential in ever new headers (limits, plans, windows, organisations, cookies).
fn passed_on(told: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    for name in [
        CONTENT_TYPE,
        CACHE_CONTROL,
        CONTENT_DISPOSITION,
        CONTENT_LANGUAGE,
    ] {
        if let Some(value) = told.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers
}

/// A whole stream without the usage event that its client did not ask for.
fn without_usage(body: Bytes) -> Bytes {
    let mut filter = StreamFilter::new();
    let mut out = Vec::with_capacity(body.len());
    filter.push(body, |bytes| out.extend_from_slice(&bytes));
    filter.finish(|bytes| out.extend_from_slice(&bytes));
    out.into()
}

pub(crate) fn as_a_stream(headers: &mut HeaderMap) {
    // Some vendors send no content type; the clients' SDKs want one.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache"));
    // Proxies of the nginx family buffer event streams unless told not to.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
}

pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// The answer to a request that a vendor was asked for and that is refused all the same. `usage` is what it cost.
pub(crate) fn refused(
    request: &Request,
    refusal: Refusal,
    usage: Usage,
    settlement: Settlement,
) -> Response<Reply> {
    let dialect = request.operation.dialect();
    let mut response = reply::error(dialect, &refusal.error, request.id);
    tell_limits(response.headers_mut(), dialect, &settlement);
    let status = response.status().as_u16();
    settlement.close(Outcome::refused(status, refusal, usage));
    response
}

fn whole(
    request: &Request,
    filters: Option<Filters>,
    body: Bytes,
    is_stream: bool,
) -> Result<Bytes, Refusal> {
    let Some(mut filters) = filters else {
        return Ok(body);
    };
    if !is_stream {
        return filters.whole(request.operation, body);
    }
    let mut rewriter = AnswerRewriter::new(request.operation);
    let mut out = Vec::with_capacity(body.len());
    let rewritten = rewriter
        .push(&body, &mut filters, &mut out)
        .and_then(|()| rewriter.finish(&mut filters, &mut out));
    rewritten.map_err(|denied| filters.refusal(denied))?;
    Ok(out.into())
}

fn usage_of(
    operation: Operation,
    body: &[u8],
    route: &Candidate,
    is_stream: bool,
    settlement: &Settlement,
) -> Usage {
    if operation.counts() {
        // Counting is free at every vendor that offers it.
        return Usage::default();
    }
    let hints = &route.upstream.hints;
    if is_stream {
        let mut tap = StreamTap::new(operation, Arc::clone(hints));
        tap.push(body);
        return settlement.used(&tap.finish());
    }
    // As of a stream: by what was said, not by the JSON around it.
    let estimate = || settlement.estimate(tollgate_dialect::output_text_bytes(operation, body));
    tollgate_dialect::read_usage(operation, body, hints).unwrap_or_else(estimate)
}

/// The caller's own limits as they were right after its request had been admitted.
pub(crate) fn tell_limits(headers: &mut HeaderMap, dialect: Dialect, settlement: &Settlement) {
    if let Some((admitted_ms, headroom)) = settlement.headroom() {
        rate_limits(headers, dialect, &headroom, admitted_ms);
    }
}

/// The caller's own limits, in the words of its dialect. What is not limited is not told.
pub(crate) fn rate_limits(
    headers: &mut HeaderMap,
    dialect: Dialect,
    headroom: &Headroom,
    now_ms: u64,
) {
    // Limit, remaining, reset.
    static ANTHROPIC: [[HeaderName; 3]; 2] = [
        [
            HeaderName::from_static("anthropic-ratelimit-requests-limit"),
            HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
            HeaderName::from_static("anthropic-ratelimit-requests-reset"),
        ],
        [
            HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
            HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
            HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
        ],
    ];
    static OPENAI: [[HeaderName; 3]; 2] = [
        [
            HeaderName::from_static("x-ratelimit-limit-requests"),
            HeaderName::from_static("x-ratelimit-remaining-requests"),
            HeaderName::from_static("x-ratelimit-reset-requests"),
        ],
        [
            HeaderName::from_static("x-ratelimit-limit-tokens"),
            HeaderName::from_static("x-ratelimit-remaining-tokens"),
            HeaderName::from_static("x-ratelimit-reset-tokens"),
        ],
    ];
    let anthropic = dialect == Dialect::AnthropicMessages;
    let names = if anthropic { &ANTHROPIC } else { &OPENAI };
    for (rate, names) in [headroom.requests, headroom.tokens].into_iter().zip(names) {
        let Some(rate) = rate else { continue };
        let reset = if anthropic {
            time_text::rfc3339(now_ms.saturating_add(rate.reset_ms))
        } else {
            time_text::go_duration(rate.reset_ms)
        };
        // Digits, letters and `-:`: always a header value.
        let reset = HeaderValue::try_from(reset).unwrap_or(HeaderValue::from_static(""));
        let values = [rate.limit.into(), rate.remaining.into(), reset];
        for (name, value) in names.iter().zip(values) {
            headers.insert(name, value);
        }
    }
}
