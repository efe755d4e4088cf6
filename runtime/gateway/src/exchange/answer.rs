//! Looks at a vendor's answer as far as the plan says, and decides whether it is one.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use tollgate_dialect::{Aggregator, Commit, StreamTap};
use tollgate_plugin::CommitAfter;
use tollgate_upstream::{Coalesce, UpstreamBody, UpstreamError};

use super::failure::{Miss, Told, classify, incomplete, translation_failed, unreachable};
use super::{Answer, Attempt, Content, Translation, estimate};
use crate::adapt::Prepared;
use crate::settle::Settlement;

/// An answer longer than this is not a model's. Bytes.
pub(super) const LONGEST_ANSWER: usize = 256 << 20;
/// As much of an error as anybody reads. Bytes.
const LONGEST_ERROR: usize = 1 << 20;
/// A first event longer than this is committed unseen. Bytes.
const LONGEST_FIRST_EVENT: usize = 64 << 10;

/// Looks at an answer as far as the plan says, and decides whether it is one.
pub(super) async fn accept(
    attempt: Attempt<'_>,
    prepared: &Prepared,
    response: Response<UpstreamBody>,
    mut translator: Option<Translation>,
    hide_usage: bool,
    settlement: &Settlement,
) -> Result<Answer, Miss> {
    let Attempt { request, route, .. } = attempt;
    let (parts, body) = response.into_parts();
    let (status, headers) = (parts.status, parts.headers);
    let counts = request.operation.counts() && attempt.bridge.is_some();
    if counts && matches!(status.as_u16(), 404 | 405) {
        // It has no such path after all: an estimate is what the client would get of any vendor that counts nothing.
        return Ok(estimate::tokens(request));
    }
    if !status.is_success() {
        // A failure whose body does not arrive is still that failure.
        let body = whole(body, LONGEST_ERROR).await.unwrap_or_default();
        return Err(classify(
            &attempt,
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
        if body.len() > LONGEST_ANSWER {
            // Half an answer must not pass for one.
            tracing::warn!(
                upstream = route.upstream.name,
                "an answer is too long and was given up"
            );
            return Err(Miss::broken_off());
        }
        return settle_whole(
            attempt,
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
        return aggregate(attempt, headers, body, translator, settlement).await;
    }
    let mut body = Coalesce::new(body);
    let first = match prepared.commit_after {
        CommitAfter::FirstEvent => first_event(&attempt, &mut body, translator.as_mut()).await?,
        CommitAfter::Status | CommitAfter::Body => Bytes::new(),
    };
    Ok(Answer {
        status,
        headers,
        content: Content::Stream(first, body),
        hide_usage,
        translator,
        spoken: attempt.spoken,
        bridge: attempt.bridge,
        estimated: false,
    })
}

fn settle_whole(
    attempt: Attempt<'_>,
    prepared: &Prepared,
    told: Told,
    mut translator: Option<Translation>,
) -> Result<Answer, Miss> {
    let Told {
        status,
        mut headers,
        mut body,
    } = told;
    if let Some(made) = &mut translator {
        body = made
            .response(body)
            .map_err(|error| translation_failed(attempt.route, error))?;
        headers.insert(
            CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
    }
    // What is to be bridged is taken apart anyway; a failure in it is one, for which somebody else may answer.
    if (prepared.commit_after == CommitAfter::Body || attempt.bridge.is_some())
        && tollgate_dialect::first_event_failure(attempt.spoken, &body).is_some()
    {
        return Err(classify(
            &attempt,
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
        spoken: attempt.spoken,
        bridge: attempt.bridge,
        estimated: false,
    })
}

/// Collects a stream for a client that did not ask for one.
async fn aggregate(
    attempt: Attempt<'_>,
    mut headers: HeaderMap,
    mut body: UpstreamBody,
    mut translator: Option<Translation>,
    settlement: &Settlement,
) -> Result<Answer, Miss> {
    let route = attempt.route;
    let mut aggregator = Aggregator::new(attempt.spoken, LONGEST_ANSWER);
    // A client that leaves before the end is charged what the vendor has answered by then.
    let mut tap = StreamTap::new(attempt.spoken, Arc::clone(&route.upstream.hints));
    let mut push = |bytes: &[u8]| {
        tap.push(bytes);
        settlement.progress(tap.output_bytes());
        aggregator
            .push(bytes)
            .map_err(|error| incomplete(&attempt, error))
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
                    .push(data)
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
        .map_err(|error| incomplete(&attempt, error))?;
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
        spoken: attempt.spoken,
        bridge: attempt.bridge,
        estimated: false,
    })
}

/// Reads until the answer has begun, and refuses a stream that begins with a failure. Gives what was read, in the
/// standard dialect that the vendor was asked in.
async fn first_event(
    attempt: &Attempt<'_>,
    body: &mut Coalesce<UpstreamBody>,
    mut translator: Option<&mut Translation>,
) -> Result<Bytes, Miss> {
    let route = attempt.route;
    let mut read = Bytes::new();
    loop {
        let frame = match body.frame().await {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Err(unreachable(route, &error)),
            None if read.is_empty() => return Err(Miss::broken_off()),
            None => return Ok(read),
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let data = match &mut translator {
            None => data,
            Some(translator) => translator
                .push(data)
                .map_err(|error| translation_failed(route, error))?,
        };
        // The common case: the first read holds the beginning, and nothing is copied.
        read = if read.is_empty() {
            data
        } else {
            [read, data].concat().into()
        };
        match tollgate_dialect::commit_check(attempt.spoken, &read) {
            Commit::Wait if read.len() <= LONGEST_FIRST_EVENT => {}
            Commit::Wait | Commit::Go => return Ok(read),
            Commit::Failed { data, .. } => {
                let told = Told {
                    status: StatusCode::OK,
                    headers: HeaderMap::new(),
                    body: data.into(),
                };
                return Err(classify(attempt, told));
            }
        }
    }
}

/// Reads a body to its end, or until it is longer than `limit`.
pub(super) async fn whole(mut body: UpstreamBody, limit: usize) -> Result<Bytes, UpstreamError> {
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
