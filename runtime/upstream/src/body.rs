//! A response body that is still arriving.
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::client::{Shared, explain};
use crate::decode::{Decoded, Encoding};
use crate::drive::Conn;
use crate::{ErrorKind, Phase, Target, UpstreamError};

/// The body of an upstream's response, decoded if it was compressed. Read to its end, its connection
/// returns to the pool; dropped before, the connection is closed. Not `Send`.
pub struct UpstreamBody {
    inner: Inner,
}

enum Inner {
    Plain(Plain),
    Decoded(Box<Decoded>),
    Made(Pin<Box<dyn Body<Data = Bytes, Error = UpstreamError>>>),
}

impl UpstreamBody {
    pub(crate) fn new(
        shared: Rc<Shared>,
        target: Arc<Target>,
        conn: Conn,
        incoming: Incoming,
        encoding: Option<Encoding>,
    ) -> Self {
        let mut plain = Plain {
            shared,
            target,
            conn: Some(conn),
            incoming,
            waiting: false,
        };
        if plain.incoming.is_end_stream() {
            plain.give_back();
        }
        let inner = match encoding {
            None => Inner::Plain(plain),
            Some(encoding) => Inner::Decoded(Box::new(Decoded::new(
                encoding,
                Rc::new(RefCell::new(plain)),
            ))),
        };
        Self { inner }
    }

    /// A body that arrives some other way than over HTTP.
    pub fn made(body: impl Body<Data = Bytes, Error = UpstreamError> + 'static) -> Self {
        Self {
            inner: Inner::Made(Box::pin(body)),
        }
    }

    /// A body that is there.
    pub fn whole(body: Bytes) -> Self {
        Self::made(Full::new(body).map_err(|never| match never {}))
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        match &mut self.inner {
            Inner::Plain(plain) => plain.poll(cx),
            Inner::Decoded(decoded) => decoded.poll(cx).map(|o| o.map(|r| r.map(Frame::data))),
            Inner::Made(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Plain(plain) => plain.conn.is_none(),
            Inner::Decoded(decoded) => decoded.is_done(),
            Inner::Made(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Plain(plain) if plain.conn.is_some() => plain.incoming.size_hint(),
            Inner::Plain(_) => SizeHint::with_exact(0),
            Inner::Decoded(_) => SizeHint::default(),
            Inner::Made(body) => body.size_hint(),
        }
    }
}

impl std::fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.inner {
            Inner::Plain(_) => "UpstreamBody(plain)",
            Inner::Decoded(_) => "UpstreamBody(decoded)",
            Inner::Made(_) => "UpstreamBody(made)",
        })
    }
}

/// The body as it comes over the wire, and the connection it comes over.
pub(crate) struct Plain {
    shared: Rc<Shared>,
    target: Arc<Target>,
    /// None once the body has ended, well or badly.
    conn: Option<Conn>,
    incoming: Incoming,
    /// The frame deadline is running.
    waiting: bool,
}

impl Plain {
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let Some(conn) = &mut self.conn else {
            return Poll::Ready(None);
        };
        let incoming = &mut self.incoming;
        match conn.drive(cx, |cx| Pin::new(&mut *incoming).poll_frame(cx)) {
            Poll::Ready(Some(Some(Ok(frame)))) => {
                self.waiting = false;
                if self.incoming.is_end_stream() {
                    self.give_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Some(Err(error)))) => {
                self.conn = None;
                Poll::Ready(Some(Err(explain(&error, false, &self.target))))
            }
            Poll::Ready(Some(None)) => {
                self.give_back();
                Poll::Ready(None)
            }
            Poll::Ready(None) => {
                self.conn = None;
                Poll::Ready(Some(Err(UpstreamError::new(
                    ErrorKind::Closed,
                    false,
                    self.target.authority(),
                ))))
            }
            Poll::Pending => {
                // The clock is read only when there is something to wait for.
                if !self.waiting {
                    self.waiting = true;
                    conn.expect_frame_by(Instant::now() + self.shared.config.idle_timeout);
                }
                if conn.poll_frame_deadline(cx).is_pending() {
                    return Poll::Pending;
                }
                self.conn = None;
                let kind = ErrorKind::Timeout(Phase::Idle);
                Poll::Ready(Some(Err(UpstreamError::new(
                    kind,
                    false,
                    self.target.authority(),
                ))))
            }
        }
    }

    fn give_back(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.shared
                .pool
                .borrow_mut()
                .put(&self.target.origin, conn, Instant::now());
        }
    }

    /// For failures found above the wire: the rest is of no use.
    pub(crate) fn close(&mut self) {
        self.conn = None;
    }

    pub(crate) fn authority(&self) -> &str {
        self.target.authority()
    }
}
