//! A WebSocket towards a vendor: the upgrade, then text messages both ways. What they say is not looked at here.
//!
//! It has no task of its own, as no connection here has: pings are answered whenever somebody reads.
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{Builder, Connection};
use hyper_util::rt::TokioIo;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::connect::{self, Stream};
use crate::{Client, ErrorKind, Phase, RequestHead, Target, UpstreamError};

/// From the open connection to the answer to the upgrade: nothing is thought about there.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// As much of a refusal as anybody reads. Bytes.
const LONGEST_REFUSAL: usize = 1 << 20;
/// A longer message is an error. Bytes.
const LONGEST_MESSAGE: usize = 64 << 20;
/// What is allocated for each connection at once. Bytes.
const READ_BUFFER: usize = 16 << 10;

/// What came of asking for a WebSocket.
#[derive(Debug)]
pub enum Upgrade {
    /// It is open.
    Granted(Box<WebSocket>),
    /// Another status was the answer; its body is whole.
    Refused(Response<Bytes>),
    /// No answer that is one: closed, not HTTP, not in time. Something on the way there knows nothing of upgrades.
    Unanswered,
}

impl Client {
    /// Asks for a WebSocket, with a connection of its own: a `GET` of the head's path with the head's headers, those
    /// about a body left out.
    ///
    /// # Errors
    /// No connection (`Dns`, `Connect`, `Tls`, `Timeout(Connect)`), or no randomness (`Protocol`).
    pub async fn upgrade(
        &self,
        target: &Target,
        head: &RequestHead,
    ) -> Result<Upgrade, UpstreamError> {
        let config = &self.shared.config;
        let key = key(target)?;
        let expected = websocket_accept(key.as_bytes());
        let stream =
            connect::open(&target.origin, &self.shared.tls, config.connect_timeout).await?;
        let Ok(Ok((response, open))) = timeout(HANDSHAKE, shake(stream, head.upgrade(key))).await
        else {
            return Ok(Upgrade::Unanswered);
        };
        let Some((stream, read)) = open else {
            return Ok(Upgrade::Refused(response));
        };
        let accept = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
        if accept.is_none_or(|accept| accept.as_bytes() != expected.as_bytes()) {
            return Ok(Upgrade::Unanswered);
        }
        let limits = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(LONGEST_MESSAGE))
            .max_frame_size(Some(LONGEST_MESSAGE));
        let read = read.to_vec();
        let stream =
            WebSocketStream::from_partially_read(stream, read, Role::Client, Some(limits)).await;
        let now = Instant::now();
        Ok(Upgrade::Granted(Box::new(WebSocket {
            stream,
            authority: target.authority().into(),
            first_byte: config.first_byte_timeout,
            idle: config.idle_timeout,
            expected: None,
            deadline: Box::pin(sleep_until(now)),
            opened: now,
        })))
    }
}

/// An open WebSocket. Dropping it closes the connection.
pub struct WebSocket {
    stream: WebSocketStream<Stream>,
    authority: Box<str>,
    first_byte: Duration,
    idle: Duration,
    /// A message is waited for, until the deadline.
    expected: Option<Phase>,
    deadline: Pin<Box<Sleep>>,
    opened: Instant,
}

impl WebSocket {
    /// Sends a text message; from then on an answer is expected, in the time that the client's configuration gives an
    /// answer to begin.
    ///
    /// # Errors
    /// `Closed`, `Timeout(FirstByte)` if nobody takes it, or `Protocol` if it is not UTF-8.
    pub async fn send(&mut self, text: Bytes) -> Result<(), UpstreamError> {
        let text =
            Utf8Bytes::try_from(text).map_err(|_| self.failed(ErrorKind::Protocol, "not UTF-8"))?;
        self.expect(Phase::FirstByte, self.first_byte);
        let sent = timeout(self.first_byte, self.stream.send(Message::Text(text))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.explain(&error)),
            Err(_) => Err(self.failed(
                ErrorKind::Timeout(Phase::FirstByte),
                "the message was not taken",
            )),
        }
    }

    /// The next text message. Pings are answered on the way; within an answer they are signs of life, as comments are in
    /// an event stream.
    ///
    /// # Errors
    /// `Closed`, `Timeout(FirstByte)` or `Timeout(Idle)` while an answer is expected, `Protocol`. It is of no use after.
    pub fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, UpstreamError>> {
        loop {
            let next = match self.stream.poll_next_unpin(cx) {
                Poll::Ready(next) => next,
                Poll::Pending => {
                    let Some(phase) = self.expected else {
                        return Poll::Pending;
                    };
                    ready!(self.deadline.as_mut().poll(cx));
                    let late = self.failed(ErrorKind::Timeout(phase), "no message in time");
                    return Poll::Ready(Err(late));
                }
            };
            return Poll::Ready(match next {
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                    if self.expected == Some(Phase::Idle) {
                        self.expect(Phase::Idle, self.idle);
                    }
                    continue;
                }
                Some(Ok(Message::Text(text))) => {
                    if self.expected.is_some() {
                        self.expect(Phase::Idle, self.idle);
                    }
                    Ok(text.into())
                }
                Some(Ok(Message::Binary(_))) => {
                    Err(self.failed(ErrorKind::Protocol, "a message that is not text"))
                }
                Some(Ok(Message::Close(close))) => {
                    let code = close.map_or(0, |close| u16::from(close.code));
                    Err(self.failed(ErrorKind::Closed, &format!("closed with code {code}")))
                }
                Some(Err(error)) => Err(self.explain(&error)),
                None => Err(self.failed(ErrorKind::Closed, "closed")),
            });
        }
    }

    /// The answer has ended: nothing is expected until the next message is sent.
    pub fn rest(&mut self) {
        self.expected = None;
    }

    /// How long it has been open.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Host and port of the vendor.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    fn expect(&mut self, phase: Phase, within: Duration) {
        self.expected = Some(phase);
        self.deadline.as_mut().reset(Instant::now() + within);
    }

    fn failed(&self, kind: ErrorKind, why: &str) -> UpstreamError {
        UpstreamError::new(kind, false, format!("{}: {why}", self.authority))
    }

    fn explain(&self, error: &Error) -> UpstreamError {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof,
        };
        let closed = match error {
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(
                ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing,
            ) => true,
            Error::Io(io) => matches!(
                io.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof
            ),
            _ => false,
        };
        let kind = match closed {
            true => ErrorKind::Closed,
            false => ErrorKind::Protocol,
        };
        self.failed(kind, &error.to_string())
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSocket({})", self.authority)
    }
}

/// What a server answers to a client's `Sec-WebSocket-Key` (RFC 6455, 4.2.2): no secret, it only shows that it speaks
/// the protocol.
#[must_use]
pub fn websocket_accept(key: &[u8]) -> String {
    let mut digest = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key);
    digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest.finish())
}

/// A key that nobody has used: caches between do not answer in the vendor's place.
fn key(target: &Target) -> Result<HeaderValue, UpstreamError> {
    let failed = || UpstreamError::new(ErrorKind::Protocol, true, target.authority());
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| failed())?;
    HeaderValue::from_str(&STANDARD.encode(bytes)).map_err(|_| failed())
}

/// Asks, and gives the answer; where it is a switch of protocols, the stream as well, with what was read of it.
async fn shake(
    stream: Stream,
    request: Request<Empty<Bytes>>,
) -> Result<(Response<Bytes>, Option<(Stream, Bytes)>), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = Builder::new()
        .ignore_invalid_headers_in_responses(true)
        .handshake(TokioIo::new(stream))
        .await?;
    let mut driven = Driven {
        connection,
        ended: false,
    };
    let response = driven.until(sender.send_request(request)).await?;
    let (head, body) = response.into_parts();
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        // A refusal whose body does not arrive is still that refusal.
        let body = driven
            .until(Limited::new(body, LONGEST_REFUSAL).collect())
            .await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        return Ok((Response::from_parts(head, body), None));
    }
    driven.end().await?;
    let parts = driven.connection.into_parts();
    let open = (parts.io.into_inner(), parts.read_buf);
    Ok((Response::from_parts(head, Bytes::new()), Some(open)))
}

/// An HTTP connection that whoever waits for it polls as well.
struct Driven {
    connection: Connection<TokioIo<Stream>, Empty<Bytes>>,
    ended: bool,
}

impl Driven {
    async fn until<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            if !self.ended {
                // How it ends is told to whoever waits for it.
                self.ended = self.connection.poll_without_shutdown(cx).is_ready();
            }
            work.as_mut().poll(cx)
        })
        .await
    }

    async fn end(&mut self) -> hyper::Result<()> {
        if self.ended {
            return Ok(());
        }
        let ended = poll_fn(|cx| self.connection.poll_without_shutdown(cx)).await;
        self.ended = true;
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_that_of_the_standard() {
        assert_eq!(
            websocket_accept(b"dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn no_two_keys_are_the_same() {
        let target = Target::parse("http://h").unwrap();
        assert_ne!(key(&target).unwrap(), key(&target).unwrap());
    }
}
