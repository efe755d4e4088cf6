//! One WebSocket: takes messages, lets each be answered as the request that it stands for, ends in good order.
//!
//! Everything happens in the connection's own task. While an answer is under way, messages are read as well: a client
//! that closes ends its answer, and requests that come meanwhile wait for their turn, as the protocol has it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tollgate_dialect::websocket::{self, Create, Fault, Memory, Messages, Turn};

use super::accept::Accepted;
use super::{RESPONSES, Vendors};
use crate::drain::Seat;
use crate::pipeline;
use crate::reply::Reply;
use crate::worker::Worker;

/// How often a connection shows that it is alive: proxies give up silent ones after a minute.
const PING: Duration = Duration::from_secs(30);
/// How long a client may take to answer a close.
const FAREWELL: Duration = Duration::from_secs(2);
/// Requests that wait for their turn. More than one are rare: clients wait for the answer before they go on.
const MOST_WAITING: usize = 16;
/// How long a vendor may take to end its stream once it has told the end of the answer.
const LINGER: Duration = Duration::from_secs(1);
/// What is allocated for each connection at once. Bytes.
const READ_BUFFER: usize = 16 << 10;

/// Why a WebSocket ends.
#[derive(Debug)]
enum End {
    /// The client has closed it or is not there any more.
    Gone,
    /// It is closed from here.
    Close(CloseCode, &'static str),
    /// What the client sends cannot be read on: only the close is told.
    Unreadable(CloseCode, &'static str),
}

struct Session {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    worker: Rc<Worker>,
    headers: HeaderMap,
    client: Option<IpAddr>,
    memory: Memory,
    /// Connections to vendors that have a WebSocket themselves.
    vendors: Rc<Vendors>,
    waiting: VecDeque<Create>,
    /// When the client was heard of last, or told something.
    heard: Instant,
    pinged: Instant,
    old_at: Instant,
}

/// Serves a WebSocket to its end.
pub(crate) async fn serve(worker: Rc<Worker>, accepted: Accepted, seat: &Seat) {
    let upgraded = match accepted.upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "a WebSocket ended before it began");
            return;
        }
    };
    let server = &worker.config().server;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(server.max_body_bytes))
        .max_frame_size(Some(server.max_body_bytes));
    let now = Instant::now();
    // What could not be sent to a vendor again need not be remembered, nor what is longer than turns that are kept.
    let most = server
        .max_body_bytes
        .min(worker.config().responses.max_kept_bytes);
    let mut session = Session {
        memory: Memory::new(most),
        vendors: Rc::new(Vendors::new(most)),
        old_at: now + Duration::from_millis(server.websocket_max_age_ms),
        socket: WebSocketStream::from_raw_socket(
            TokioIo::new(upgraded),
            Role::Server,
            Some(config),
        )
        .await,
        headers: accepted.headers,
        client: accepted.client,
        waiting: VecDeque::new(),
        heard: now,
        pinged: now,
        worker,
    };
    let worker = Rc::clone(&session.worker);
    worker.shard().socket_opened();
    let end = loop {
        let outcome = match session.next(seat).await {
            Ok(create) => session.answer(create).await,
            Err(end) => Err(end),
        };
        session.heard = Instant::now();
        if let Err(end) = outcome {
            break end;
        }
    };
    tracing::debug!(?end, "a WebSocket ends");
    session.farewell(end).await;
    worker.shard().socket_closed();
}

impl Session {
    /// The next request. Between two, the connection may end.
    async fn next(&mut self, seat: &Seat) -> Result<Create, End> {
        let server = &self.worker.config().server;
        let patience = Duration::from_millis(server.websocket_idle_timeout_ms);
        let minutes = server.websocket_max_age_ms / 60_000;
        loop {
            if Instant::now() >= self.old_at {
                self.send(Fault::too_old(minutes).message()).await?;
                return Err(End::Close(CloseCode::Normal, "too old"));
            }
            let until = self.old_at.min(self.heard + patience);
            let drained = poll_fn(|context| match seat.is_over(context) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            });
            // Asked for before what waits: a gateway that stops takes nothing new.
            let text = tokio::select! {
                biased;
                () = drained => return Err(End::Close(CloseCode::Away, "the gateway stops")),
                () = std::future::ready(()), if !self.waiting.is_empty() => None,
                text = self.heard_text() => Some(text?),
                () = sleep_until(until) => {
                    if Instant::now() < self.old_at {
                        return Err(End::Close(CloseCode::Normal, "idle"));
                    }
                    None
                }
            };
            if let Some(text) = text {
                self.take(text).await?;
            }
            if let Some(create) = self.waiting.pop_front() {
                return Ok(create);
            }
        }
    }

    /// The next message that is text. Looks after everything else that comes, and after the pings. Nothing is lost
    /// where the caller does not wait for it.
    async fn heard_text(&mut self) -> Result<Bytes, End> {
        loop {
            let message = tokio::select! {
                message = self.socket.next() => message,
                never = self.vendors.tend() => match never {},
                () = sleep_until(self.pinged + PING) => {
                    self.pinged = Instant::now();
                    let ping = Message::Ping(Bytes::new());
                    self.socket.send(ping).await.map_err(|_| End::Gone)?;
                    continue;
                }
            };
            self.heard = Instant::now();
            match message {
                Some(Ok(Message::Text(text))) => return Ok(text.into()),
                Some(Ok(Message::Binary(_))) => {
                    return Err(End::Close(CloseCode::Unsupported, "messages must be text"));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) => {
                    // Writes the answer to it, which is ready.
                    let _ = self.socket.flush().await;
                    return Err(End::Gone);
                }
                Some(Err(error)) => return Err(unreadable(&error)),
                None => return Err(End::Gone),
            }
        }
    }

    /// Takes a message: its request waits for its turn, or the client hears what is wrong with it.
    async fn take(&mut self, text: Bytes) -> Result<(), End> {
        let create = match Create::read(text) {
            Ok(create) => create,
            Err(fault) => return self.send(fault.message()).await,
        };
        let most = self.worker.config().server.max_body_bytes;
        let bytes: usize = self.waiting.iter().map(Create::size).sum();
        let full = self.waiting.len() >= MOST_WAITING || bytes + create.size() > most;
        if !self.waiting.is_empty() && full {
            return self
                .send(Fault::too_many_waiting(create.lane()).message())
                .await;
        }
        self.waiting.push_back(create);
        Ok(())
    }

    /// Lets a request be answered.
    async fn answer(&mut self, create: Create) -> Result<(), End> {
        let warm_up = create.is_warm_up().then(|| create.model());
        let (body, turn) = match self.memory.begin(create) {
            Ok(begun) => begun,
            Err(fault) => return self.send(fault.message()).await,
        };
        if let Some(model) = warm_up {
            return self.warm_up(turn, &model).await;
        }
        let worker = Rc::clone(&self.worker);
        let headers = self.headers.clone();
        let mut answer = std::pin::pin!(pipeline::message(
            &worker,
            RESPONSES,
            headers,
            self.client,
            body,
            Rc::clone(&self.vendors)
        ));
        let response = loop {
            tokio::select! {
                response = &mut answer => break response,
                // An end drops the request, which settles it.
                text = self.heard_text() => self.take(text?).await?,
            }
        };
        self.deliver(response, turn).await
    }

    /// Answers what asks for nothing: no vendor is asked, nothing is charged. Who asks is looked at all the same.
    async fn warm_up(&mut self, turn: Turn, model: &str) -> Result<(), End> {
        let now_ms = self.worker.now_ms();
        let id = self.worker.next_id(now_ms);
        let known = pipeline::known(&self.worker, RESPONSES, &self.headers, self.client);
        if let Err(error) = known {
            let refused = pipeline::refuse(&self.worker, RESPONSES, &error, id);
            return self.refused(refused, &turn).await;
        }
        let id = format!("resp_{}", id.simple());
        let mut messages = websocket::warm_up(&turn, &id, model, now_ms / 1_000);
        self.memory.keep(turn, id);
        self.send_all(&mut messages).await
    }

    /// Sends an answer, one message for each event.
    async fn deliver(&mut self, response: Response<Reply>, mut turn: Turn) -> Result<(), End> {
        if !response.status().is_success() {
            return self.refused(response, &turn).await;
        }
        let streamed = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let mut messages = Messages::default();
        let mut out = Vec::new();
        match response.into_body() {
            Reply::Whole(body) => {
                // Held until it has been sent: its place under a limit of concurrency goes with it.
                let body = body.unwrap_or_default();
                if streamed {
                    messages.push(&body, &mut turn, &mut out);
                    messages.finish(&mut turn, &mut out);
                } else {
                    messages.whole(&body, &mut turn, &mut out);
                }
                self.send_all(&mut out).await?;
            }
            mut stream => {
                let mut ended = None;
                loop {
                    let linger = ended.unwrap_or_else(Instant::now) + LINGER;
                    let chunk = tokio::select! {
                        chunk = stream.next() => chunk,
                        text = self.heard_text() => {
                            self.take(text?).await?;
                            continue;
                        }
                        // A client that has seen the end sends its next request, whatever the vendor does.
                        () = sleep_until(linger), if ended.is_some() => None,
                    };
                    match &chunk {
                        Some(chunk) => messages.push(chunk, &mut turn, &mut out),
                        None => messages.finish(&mut turn, &mut out),
                    }
                    self.send_all(&mut out).await?;
                    if chunk.is_none() {
                        break;
                    }
                    if messages.is_ended() && ended.is_none() {
                        ended = Some(Instant::now());
                    }
                }
            }
        }
        match messages.id() {
            Some(id) => self.memory.keep(turn, id),
            None => self.memory.fail(&turn),
        }
        Ok(())
    }

    /// Tells of a request that was refused. A key that is not valid any more ends the connection.
    async fn refused(&mut self, response: Response<Reply>, turn: &Turn) -> Result<(), End> {
        self.memory.fail(turn);
        let (parts, body) = response.into_parts();
        let body = match body {
            Reply::Whole(body) => body.unwrap_or_default(),
            Reply::Stream(_) | Reply::Late(_) => Bytes::new(),
        };
        let headers = parts
            .headers
            .iter()
            .filter(|(name, _)| **name != CONTENT_TYPE);
        let headers =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let message = websocket::refusal(parts.status.as_u16(), &body, headers, turn.lane());
        self.send(message).await?;
        match parts.status {
            StatusCode::UNAUTHORIZED => Err(End::Close(
                CloseCode::Policy,
                "the API key is not valid any more",
            )),
            _ => Ok(()),
        }
    }

    async fn send(&mut self, message: Bytes) -> Result<(), End> {
        self.send_all(&mut vec![message]).await
    }

    /// Sends messages, together where they are small.
    async fn send_all(&mut self, messages: &mut Vec<Bytes>) -> Result<(), End> {
        if messages.is_empty() {
            return Ok(());
        }
        for message in messages.drain(..) {
            // Always text: messages are made of text alone.
            let text = Utf8Bytes::try_from(message).unwrap_or_default();
            let fed = self.socket.feed(Message::Text(text)).await;
            fed.map_err(|_| End::Gone)?;
        }
        self.socket.flush().await.map_err(|_| End::Gone)
    }

    /// Closes, and waits a little for the client to close, too: a socket that is closed while bytes of the client are
    /// on their way takes back what was sent.
    async fn farewell(mut self, end: End) {
        let (code, reason, readable) = match end {
            End::Gone => return,
            End::Close(code, reason) => (code, reason, true),
            End::Unreadable(code, reason) => (code, reason, false),
        };
        let closing = async {
            let frame = CloseFrame {
                code,
                reason: reason.into(),
            };
            if self.socket.close(Some(frame)).await.is_err() {
                return;
            }
            if readable {
                while let Some(Ok(_)) = self.socket.next().await {}
                return;
            }
            let mut unread = [0; 4096];
            let socket = self.socket.get_mut();
            while socket.read(&mut unread).await.is_ok_and(|read| read > 0) {}
        };
        let _ = timeout(FAREWELL, closing).await;
    }
}

/// What is wrong with what a client sent.
fn unreadable(error: &Error) -> End {
    tracing::debug!(%error, "a WebSocket cannot be read");
    match error {
        Error::Capacity(_) => End::Unreadable(CloseCode::Size, "the message is too large"),
        Error::Utf8(_) => End::Unreadable(CloseCode::Invalid, "the message is not UTF-8"),
        Error::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        )
        | Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_) => End::Gone,
        _ => End::Unreadable(CloseCode::Protocol, "this is not the WebSocket protocol"),
    }
}
