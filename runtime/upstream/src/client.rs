//! Sends one request and waits for the response head.
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::connect;
use crate::decode::Encoding;
use crate::drive::Conn;
use crate::pool::Pool;
use crate::{ErrorKind, Phase, RequestHead, Target, Tls, UpstreamBody, UpstreamError};

/// Waits and pool sizes of one worker's client.
#[derive(Clone, Copy, Debug)]
pub struct ClientConfig {
    /// Name lookup, TCP and TLS together.
    pub connect_timeout: Duration,
    /// From the moment the request is handed to the connection to the response head.
    pub first_byte_timeout: Duration,
    /// Between two frames of a body.
    pub idle_timeout: Duration,
    /// Connections kept open per origin while nobody uses them.
    pub max_idle_per_target: usize,
    /// How long such a connection is kept.
    pub idle_connection_lifetime: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(300),
            max_idle_per_target: 256,
            idle_connection_lifetime: Duration::from_secs(60),
        }
    }
}

/// The client of one worker. Cheap to clone; clones share the pool. Not `Send`. Needs a tokio runtime with
/// I/O and time, and spawns no task.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Rc<Shared>,
}

/// What a client shares with the bodies it has handed out.
pub(crate) struct Shared {
    pub(crate) config: ClientConfig,
    pub(crate) tls: Tls,
    pub(crate) pool: RefCell<Pool>,
}

/// Why an attempt on one connection gave no response.
struct Lost {
    error: UpstreamError,
    /// Not one byte of a response arrived, and the connection is gone: it was stale.
    unanswered: bool,
}

impl Client {
    /// A client with an empty pool.
    #[must_use]
    pub fn new(config: ClientConfig, tls: Tls) -> Self {
        let pool = RefCell::new(Pool::new(
            config.max_idle_per_target,
            config.idle_connection_lifetime,
        ));
        Self {
            shared: Rc::new(Shared { config, tls, pool }),
        }
    }

    /// Sends a request and returns the response head with a body that is still arriving.
    ///
    /// The head must have been made for the same target. If the response is compressed although the head asks for
    /// none, the body is decoded on the way and the response's head no longer speaks of it. Dropping the future or
    /// the body closes the connection, so that an upstream stops working for nobody.
    ///
    /// A kept connection may have been closed by the other side at the very moment it is used. If it ends
    /// before one byte of an answer came, the request is sent once more on a fresh connection: nothing was
    /// answered, so nobody can see two answers. A fresh connection that ends like that is an error
    /// (`Closed`, not safe to retry), for then the upstream itself gave up on the request.
    ///
    /// # Errors
    /// See [`ErrorKind`]; any HTTP status is a success here.
    pub async fn send(
        &self,
        target: &Arc<Target>,
        method: Method,
        head: &RequestHead,
        body: Bytes,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let pooled = self
            .shared
            .pool
            .borrow_mut()
            .take(&target.origin, Instant::now());
        if let Some(conn) = pooled {
            let request = head.request(method.clone(), body.clone());
            match self.exchange(target, conn, request).await {
                Err(lost) if lost.unanswered => {
                    tracing::debug!(
                        upstream = target.authority(),
                        "a kept connection was stale; trying a fresh one"
                    );
                }
                outcome => return outcome.map_err(|lost| lost.error),
            }
        }
        // Rare, and large with a look-up of a name and a TLS handshake in it: no part of the state of every request.
        let conn = Box::pin(self.connect(target)).await?;
        self.exchange(target, conn, head.request(method, body))
            .await
            .map_err(|lost| lost.error)
    }

    /// Closes connections that idled too long or that the other side has closed. Call it every few seconds
    /// from the worker.
    pub fn sweep(&self) {
        self.shared.pool.borrow_mut().sweep(Instant::now());
    }

    /// Connections that are open and unused, over all targets.
    #[must_use]
    pub fn idle_connections(&self) -> usize {
        self.shared.pool.borrow().len()
    }

    async fn connect(&self, target: &Target) -> Result<Conn, UpstreamError> {
        let stream = connect::open(
            &target.origin,
            &self.shared.tls,
            self.shared.config.connect_timeout,
        )
        .await?;
        Conn::start(stream)
            .await
            .map_err(|e| explain(&e, true, target))
    }

    async fn exchange(
        &self,
        target: &Arc<Target>,
        mut conn: Conn,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<UpstreamBody>, Lost> {
        let head_only = request.method() == Method::HEAD;
        let before = conn.received();
        conn.expect_head_by(Instant::now() + self.shared.config.first_byte_timeout);
        let mut answer = pin!(conn.submit(request));
        let outcome = poll_fn(|cx| match conn.drive(cx, |cx| answer.as_mut().poll(cx)) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => conn.poll_head_deadline(cx).map(|()| None),
        })
        .await;
        match outcome {
            Some(Some(Ok(response))) => self.receive(target, conn, response, head_only),
            Some(Some(Err(mut failed))) => {
                let unsent = failed.take_message().is_some();
                let error = explain(failed.error(), unsent, target);
                let unanswered =
                    unsent || (error.kind == ErrorKind::Closed && conn.received() == before);
                Err(Lost { error, unanswered })
            }
            Some(None) => {
                let error = UpstreamError::new(ErrorKind::Closed, false, target.authority());
                Err(Lost {
                    error,
                    unanswered: conn.received() == before,
                })
            }
            None => {
                let error = UpstreamError::new(
                    ErrorKind::Timeout(Phase::FirstByte),
                    false,
                    target.authority(),
                );
                Err(Lost {
                    error,
                    unanswered: false,
                })
            }
        }
    }

    fn receive(
        &self,
        target: &Arc<Target>,
        conn: Conn,
        response: Response<Incoming>,
        head_only: bool,
    ) -> Result<Response<UpstreamBody>, Lost> {
        let (mut head, incoming) = response.into_parts();
        let encoding = if head_only || incoming.is_end_stream() {
            None
        } else {
            Encoding::of(&head.headers).map_err(|name| Lost {
                error: UpstreamError::new(
                    ErrorKind::Decode,
                    false,
                    format!("{}: {name}", target.authority()),
                ),
                unanswered: false,
            })?
        };
        if encoding.is_some() {
            head.headers.remove(header::CONTENT_ENCODING);
            head.headers.remove(header::CONTENT_LENGTH);
        }
        let body = UpstreamBody::new(
            Rc::clone(&self.shared),
            Arc::clone(target),
            conn,
            incoming,
            encoding,
        );
        Ok(Response::from_parts(head, body))
    }
}

/// Turns hyper's error into ours.
pub(crate) fn explain(error: &hyper::Error, unsent: bool, target: &Target) -> UpstreamError {
    let mut text = format!("{}: {error}", target.authority());
    let mut closed = error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
            closed |= hyper.is_incomplete_message() || hyper.is_closed();
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::{
                BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof,
            };
            closed |= matches!(
                io.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof
            );
        }
        source = cause.source();
    }
    let kind = if closed {
        ErrorKind::Closed
    } else {
        ErrorKind::Protocol
    };
    UpstreamError::new(kind, unsent, text)
}
