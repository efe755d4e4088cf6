//! The vendors' side of a client's WebSocket: where a vendor has one itself, its requests go over a connection that is this
//! client's alone.
//!
//! A transport and no more: what comes back is an answer of HTTP to the rest of the pipeline, an event stream or a refusal
//! with its status. Connections are kept between turns and let go of without a word: what they remember is only ever a way
//! to say the same with fewer bytes.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame};
use tollgate_dialect::websocket::{Asking, Heard, Refusal, Standing};
use tollgate_upstream::{ErrorKind, RequestHead, Upgrade, UpstreamBody, UpstreamError, WebSocket};

use crate::snapshot::Upstream;
use crate::worker::Worker;

/// Vendors end their connections after an hour, whatever happens on them; no turn is begun shortly before.
const OLDEST: Duration = Duration::from_secs(55 * 60);
/// As many connections as are kept for one client while nothing goes over them.
const MOST_KEPT: usize = 4;

/// The connections of one client's WebSocket to vendors, while nothing goes over them.
pub(crate) struct Vendors {
    /// The one used last comes last.
    kept: RefCell<Vec<Line>>,
    /// Bytes that each may remember.
    most: usize,
}

/// One connection.
struct Line {
    /// As it was resolved: another credential or address makes another upstream.
    upstream: Arc<Upstream>,
    head: RequestHead,
    socket: Box<WebSocket>,
    standing: Option<Standing>,
}

/// What came of opening a connection.
enum Opened {
    Line(Line),
    /// The vendor refuses us, not the WebSocket.
    Refused(Response<UpstreamBody>),
    /// There is no WebSocket.
    None,
}

impl Vendors {
    /// None yet; each of them remembers up to so many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            kept: RefCell::default(),
            most,
        }
    }

    /// Looks after the connections that are kept, for as long as it is waited for: answers pings, lets go of what has
    /// ended.
    pub(super) async fn tend(&self) -> Infallible {
        poll_fn(|context| {
            let mut kept = self.kept.borrow_mut();
            kept.retain_mut(|line| line.is_quiet(context));
            Poll::Pending
        })
        .await
    }

    /// A kept connection for this head; what cannot serve this upstream any more is closed.
    fn take(&self, upstream: &Arc<Upstream>, head: &RequestHead) -> Option<Line> {
        let mut kept = self.kept.borrow_mut();
        kept.retain(|line| line.upstream.name != upstream.name || line.is_of(upstream));
        let fits = |line: &Line| line.is_of(upstream) && line.head == *head;
        let place = kept.iter().position(fits)?;
        Some(kept.remove(place))
    }

    fn keep(&self, mut line: Line) {
        line.socket.rest();
        let mut kept = self.kept.borrow_mut();
        if kept.len() == MOST_KEPT {
            kept.remove(0);
        }
        kept.push(line);
    }
}

impl Line {
    /// Whether it goes to this upstream as it is now, and may go on.
    fn is_of(&self, upstream: &Arc<Upstream>) -> bool {
        Arc::ptr_eq(&self.upstream, upstream) && self.socket.age() < OLDEST
    }

    /// Nothing has ended it. What the vendor tells meanwhile is about itself.
    fn is_quiet(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            match self.socket.poll_message(context) {
                Poll::Pending => return true,
                Poll::Ready(Ok(message)) if Refusal::read(&message).is_none() => {}
                Poll::Ready(_) => return false,
            }
        }
    }

    /// Sends a request and waits for the first that is said to it.
    async fn ask(&mut self, message: Bytes, asking: &mut Asking) -> Result<First, UpstreamError> {
        self.socket.send(message).await?;
        loop {
            let message = poll_fn(|context| self.socket.poll_message(context)).await?;
            if let Some(refusal) = Refusal::read(&message) {
                return Ok(First::Refusal(refusal));
            }
            let mut event = Vec::new();
            match self.hear(asking, &message, &mut event)? {
                Heard::Aside => {}
                heard => return Ok(First::Event(event.into(), heard)),
            }
        }
    }

    fn hear(
        &self,
        asking: &mut Asking,
        message: &[u8],
        event: &mut Vec<u8>,
    ) -> Result<Heard, UpstreamError> {
        let heard = asking.hear(message, event);
        heard.map_err(|_| UpstreamError::unreadable(self.socket.authority()))
    }
}

/// What is said to a request first.
enum First {
    Event(Bytes, Heard),
    Refusal(Refusal),
}

/// Asks over a WebSocket of the vendor's; `None` where it has none after all, and has not been asked. The head and the
/// body are those of HTTP.
///
/// # Errors
/// As over HTTP.
pub(crate) async fn send(
    worker: &Worker,
    vendors: &Rc<Vendors>,
    upstream: &Arc<Upstream>,
    head: &RequestHead,
    body: &Bytes,
) -> Result<Option<Response<UpstreamBody>>, UpstreamError> {
    let Ok(mut asking) = Asking::read(body.clone(), vendors.most) else {
        return Ok(None);
    };
    let mut kept = vendors.take(upstream, head);
    loop {
        let is_kept = kept.is_some();
        let mut line = match kept.take() {
            Some(line) => line,
            None => match open(worker, upstream, head).await? {
                Opened::Line(line) => line,
                Opened::Refused(refused) => return Ok(Some(refused)),
                Opened::None => return Ok(None),
            },
        };
        let new = line.standing.take().and_then(|s| asking.since(&s));
        let continued = new.is_some();
        let message = new.unwrap_or_else(|| asking.whole());
        match line.ask(message, &mut asking).await {
            Ok(First::Event(event, heard)) => {
                return Ok(Some(answer(vendors, line, asking, event, heard)));
            }
            // Asked once more, with the whole: the next connection is fresh.
            Ok(First::Refusal(refusal)) if is_kept && refusal.is_the_connections(continued) => {}
            Ok(First::Refusal(refusal)) => {
                vendors.keep(line);
                return Ok(Some(refused(refusal)));
            }
            // It was closed while nothing went over it, as a pooled connection is: nothing was answered.
            Err(error) if is_kept && error.kind == ErrorKind::Closed => {}
            Err(error) => return Err(error),
        }
    }
}

async fn open(
    worker: &Worker,
    upstream: &Arc<Upstream>,
    head: &RequestHead,
) -> Result<Opened, UpstreamError> {
    let refused = match worker.client.upgrade(&upstream.target, head).await? {
        Upgrade::Granted(socket) => {
            return Ok(Opened::Line(Line {
                upstream: Arc::clone(upstream),
                head: head.clone(),
                socket,
                standing: None,
            }));
        }
        Upgrade::Refused(response) => Some(response),
        Upgrade::Unanswered => None,
    };
    let status = refused.as_ref().map(|response| response.status());
    match refused {
        Some(response) if is_a_failure(response.status()) => {
            Ok(Opened::Refused(response.map(UpstreamBody::whole)))
        }
        _ => {
            upstream.websocket.refused(worker.now_ms());
            let status = status.map_or(0, |status| status.as_u16());
            let upstream = &upstream.name;
            tracing::info!(upstream, status, "no WebSocket there; asked over HTTP");
            Ok(Opened::None)
        }
    }
}

/// Whether a status tells of our credential or of the vendor's state. Any other only says that no WebSocket is served:
/// servers say so with 400, 403, 404, 405, 426 or 501, and if it was meant otherwise, HTTP will tell.
fn is_a_failure(status: StatusCode) -> bool {
    match status.as_u16() {
        401 | 402 | 407 | 408 | 429 => true,
        501 => false,
        status => status >= 500,
    }
}

/// A refusal as an answer of HTTP.
fn refused(refusal: Refusal) -> Response<UpstreamBody> {
    let mut response = Response::new(UpstreamBody::whole(refusal.body));
    *response.status_mut() =
        StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    for (name, value) in &refusal.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            headers.insert(name, value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer that has begun, as an answer of HTTP.
fn answer(
    vendors: &Rc<Vendors>,
    line: Line,
    asking: Asking,
    event: Bytes,
    heard: Heard,
) -> Response<UpstreamBody> {
    let mut told = Told {
        under_way: Some((line, asking)),
        first: Some(event),
        vendors: Rc::clone(vendors),
    };
    if heard == Heard::Last {
        told.end();
    }
    let mut response = Response::new(UpstreamBody::made(told));
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// An answer as an event stream. Read to its end, its connection is kept; dropped before, it is closed, so that the vendor
/// stops working for nobody.
struct Told {
    under_way: Option<(Line, Asking)>,
    first: Option<Bytes>,
    vendors: Rc<Vendors>,
}

impl Told {
    /// The answer has ended; its connection is free.
    fn end(&mut self) {
        if let Some((mut line, asking)) = self.under_way.take() {
            line.standing = asking.ended();
            self.vendors.keep(line);
        }
    }
}

impl Body for Told {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let this = &mut *self;
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        loop {
            let Some((line, asking)) = &mut this.under_way else {
                return Poll::Ready(None);
            };
            let message = ready!(line.socket.poll_message(context));
            let mut event = Vec::new();
            match message.and_then(|message| line.hear(asking, &message, &mut event)) {
                Ok(Heard::Aside) => continue,
                Ok(Heard::Event) => {}
                Ok(Heard::Last) => this.end(),
                Err(error) => {
                    this.under_way = None;
                    return Poll::Ready(Some(Err(error)));
                }
            }
            return Poll::Ready(Some(Ok(Frame::data(event.into()))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.under_way.is_none()
    }
}
