//! Looks at a vendor's answer as far as the plan says, and decides whether it is one.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tollgate_dialect::{Aggregator, Commit, Operation, StreamTap};
use tollgate_plugin::CommitAfter;
use tollgate_upstream::{Coalesce, UpstreamBody, UpstreamError};

use super::failure::{Miss, Told, classify, incomplete, translation_failed, unreachable};
use super::{Answer, Attempt, Content, Translation, estimate};
use crate::adapt::Prepared;
use crate::settle::{Progress, Settlement};

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
    let (status, mut headers) = (parts.status, parts.headers);
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
    let labelled = Label::of(&headers);
    // Some vendors stream to everybody. Others call a stream JSON.
    let collects = !request.facts.stream
        && match labelled {
            Label::Json => false,
            Label::Events => prepared.always_stream || is_streamed(attempt.spoken),
            Label::Other => prepared.always_stream,
        };
    if collects {
        return aggregate(attempt, headers, body, translator, settlement).await;
    }
    if !request.facts.stream {
        return read(attempt, prepared, (status, headers), body, translator).await;
    }
    let mut body = Coalesce::new(body);
    let mut begun = Bytes::new();
    if translator.is_none() && (labelled != Label::Events || attempt.bridge.is_some()) {
        // Looked at rather than believed, where it is labelled as something else or is to be bridged.
        begun = next_data(&mut body)
            .await
            .map_err(|error| unreachable(route, &error))?;
    }
    let streams = match begun.trim_ascii_start().first() {
        Some(b'{') => false,
        Some(b'<') => return Err(Miss::broken_off()),
        Some(_) => true,
        None => labelled != Label::Json,
    };
    if !streams {
        if labelled != Label::Json {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let body = Begun(begun, body);
        return read(attempt, prepared, (status, headers), body, translator).await;
    }
    // A client on the other side of the bridge would be told of a failure where another vendor could still be asked.
    let first = match prepared.commit_after {
        CommitAfter::Status | CommitAfter::Body if attempt.bridge.is_none() => begun,
        _ => first_event(&attempt, begun, &mut body, translator.as_mut()).await?,
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

/// Whether answers of this kind are streamed where a client asks for that.
fn is_streamed(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::ChatCompletions | Operation::Responses | Operation::Messages
    )
}

/// What an answer says that it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Json,
    Events,
    /// Anything else, or nothing: some vendors label no stream.
    Other,
}

impl Label {
    fn of(headers: &HeaderMap) -> Self {
        let kind = headers
            .get(CONTENT_TYPE)
            .map_or(&b""[..], |kind| kind.as_bytes());
        let is = |name: &str| {
            kind.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        };
        match () {
            () if is("application/json") => Self::Json,
            () if is("text/event-stream") => Self::Events,
            () => Self::Other,
        }
    }
}

/// Reads an answer to its end, and decides whether it is one.
async fn read<B>(
    attempt: Attempt<'_>,
    prepared: &Prepared,
    (status, mut headers): (StatusCode, HeaderMap),
    body: B,
    mut translator: Option<Translation>,
) -> Result<Answer, Miss>
where
    B: Body<Data = Bytes, Error = UpstreamError> + Unpin,
{
    let mut body = whole(body, LONGEST_ANSWER)
        .await
        .map_err(|error| unreachable(attempt.route, &error))?;
    if body.len() > LONGEST_ANSWER {
        // Half an answer must not pass for one.
        tracing::warn!(
            upstream = attempt.route.upstream.name,
            "an answer is too long and was given up"
        );
        return Err(Miss::broken_off());
    }
    if let Some(made) = &mut translator {
        body = made
            .response(body)
            .map_err(|error| translation_failed(attempt.route, error))?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if !is_object(&body) {
        // A page of a proxy on the way, or nothing at all. (It was passed on, and charged by its length.)
        tracing::warn!(
            upstream = attempt.route.upstream.name,
            status = status.as_u16(),
            "a success that is no answer of a model"
        );
        return Err(Miss::broken_off());
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
    whole_answer(attempt, status, headers, body)
}

/// What a component answers by itself: over the bridge a stream goes as one that is still coming.
pub(super) fn made(
    attempt: Attempt<'_>,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Miss> {
    if attempt.bridge.is_none() || Label::of(&headers) != Label::Events {
        return whole_answer(attempt, status, headers, body);
    }
    Ok(Answer {
        status,
        headers,
        content: Content::Stream(body, Coalesce::new(UpstreamBody::whole(Bytes::new()))),
        hide_usage: false,
        translator: None,
        spoken: attempt.spoken,
        bridge: attempt.bridge,
        estimated: false,
    })
}

/// A whole answer, taken over the bridge where there is one: one that cannot be is none, and somebody else may be asked.
fn whole_answer(
    attempt: Attempt<'_>,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Miss> {
    let (mut bridge, mut bridged) = (attempt.bridge, None);
    if let Some(back) = bridge.take() {
        let told = match attempt.request.facts.stream {
            // Some vendors answer at once where they were asked for a stream.
            true => back.told(attempt.route, body.clone()),
            false => {
                let told = back.whole(attempt.route, body.clone());
                bridge = Some(back);
                told
            }
        };
        bridged = Some(told.map_err(Miss::unread)?);
    }
    Ok(Answer {
        status,
        headers,
        content: Content::Whole(body, bridged),
        hide_usage: false,
        translator: None,
        spoken: attempt.spoken,
        bridge,
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
    let mut push = |bytes: &[u8]| -> Result<Progress, Miss> {
        tap.push(bytes);
        let progress = settlement.progress(tap.output_bytes());
        let pushed = aggregator.push(bytes);
        pushed.map_err(|error| incomplete(&attempt, error))?;
        Ok(match tap.is_ended() {
            true => Progress::GoOn,
            false => progress,
        })
    };
    let mut progress = Progress::GoOn;
    while progress == Progress::GoOn
        && let Some(frame) = body.frame().await
    {
        let Ok(data) = frame
            .map_err(|error| unreachable(route, &error))?
            .into_data()
        else {
            continue;
        };
        let data = match &mut translator {
            None => data,
            Some(made) => made
                .push(data)
                .map_err(|error| translation_failed(route, error))?,
        };
        progress = push(&data)?;
    }
    if progress == Progress::Cut {
        let name = tap.position().response_id;
        return Ok(Answer {
            status: StatusCode::OK,
            headers,
            content: Content::Cut(Box::new(tap.finish()), name),
            hide_usage: false,
            translator: None,
            spoken: attempt.spoken,
            bridge: attempt.bridge,
            estimated: false,
        });
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
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    whole_answer(attempt, StatusCode::OK, headers, whole)
}

/// Reads until the answer has begun, and refuses a stream that begins with a failure. Gives what was read, in the
/// standard dialect that the vendor was asked in.
async fn first_event(
    attempt: &Attempt<'_>,
    begun: Bytes,
    body: &mut Coalesce<UpstreamBody>,
    mut translator: Option<&mut Translation>,
) -> Result<Bytes, Miss> {
    let route = attempt.route;
    let (mut begun, mut read) = (begun, Bytes::new());
    loop {
        let data = match std::mem::take(&mut begun) {
            begun if begun.is_empty() => next_data(body)
                .await
                .map_err(|error| unreachable(route, &error))?,
            begun => begun,
        };
        if data.is_empty() {
            // Nothing goes to the client of what is no event.
            return match read.is_empty() || !is_events(&read) {
                true => Err(Miss::broken_off()),
                false => Ok(read),
            };
        }
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

/// Whether this can be an answer: all of them are JSON objects.
fn is_object(body: &[u8]) -> bool {
    beginning(body).starts_with(b"{")
}

/// Whether this can be the beginning of an event stream.
fn is_events(bytes: &[u8]) -> bool {
    let bytes = beginning(bytes);
    [&b"data"[..], b"event", b"id", b"retry", b":"]
        .iter()
        .any(|name| bytes.starts_with(name))
}

/// Without what some vendors put before an answer.
fn beginning(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.trim_ascii_start()
}

/// The next bytes of a body; none at its end.
async fn next_data<B>(body: &mut B) -> Result<Bytes, UpstreamError>
where
    B: Body<Data = Bytes, Error = UpstreamError> + Unpin,
{
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data()
            && !data.is_empty()
        {
            return Ok(data);
        }
    }
    Ok(Bytes::new())
}

/// A body whose beginning was read to look at it.
struct Begun<B>(Bytes, B);

impl<B: Body<Data = Bytes> + Unpin> Body for Begun<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match std::mem::take(&mut self.0) {
            begun if begun.is_empty() => Pin::new(&mut self.1).poll_frame(context),
            begun => Poll::Ready(Some(Ok(Frame::data(begun)))),
        }
    }
}

/// Reads a body to its end, or until it is longer than `limit`.
pub(super) async fn whole<B>(mut body: B, limit: usize) -> Result<Bytes, UpstreamError>
where
    B: Body<Data = Bytes, Error = UpstreamError> + Unpin,
{
    let mut first: Option<Bytes> = None;
    let mut rest: Option<BytesMut> = None;
    loop {
        let data = next_data(&mut body).await?;
        if data.is_empty() {
            break;
        }
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
