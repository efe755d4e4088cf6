//! Responses over a WebSocket: each message is a request, each event of its answer a message. The connection remembers its
//! last response; of others only those are known that were to be stored.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::Shared;
use super::answer::{Answer, Part};
use super::connection::Gone;
use super::received::{Ending, Received};

/// What all responses are called over HTTP; here each gets a name of its own.
const NAME: &str = "resp_simulated";

/// A response that the next request may go on from.
struct Last {
    id: String,
    items: Vec<Value>,
}

/// Grants the WebSocket that was asked for, and serves it to its end. Some of it may have been read.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    read: Vec<u8>,
    handshake: &Received,
    shared: &Shared,
) {
    let key = handshake.header("sec-websocket-key").unwrap_or_default();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {}\r\n\r\n",
        accept(key)
    );
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    let socket = WebSocketStream::from_partially_read(stream, read, Role::Server, None).await;
    let (mut sink, stream) = socket.split();
    let mut texts = Texts {
        stream,
        waiting: VecDeque::new(),
    };
    let mut last: Option<Last> = None;
    let mut number = 0;
    while let Ok(text) = texts.next().await {
        number += 1;
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        let previous = message["previous_response_id"].as_str();
        let before = match (previous, &last) {
            (None, _) => Some(Vec::new()),
            (Some(id), Some(last)) if last.id == id => Some(last.items.clone()),
            (Some(id), _) => shared.stored.lock().unwrap().get(id).cloned(),
        };
        let whole = before.map(|before| whole(&message, &before));
        let is_known = whole.is_some();
        let whole = whole.unwrap_or_else(|| self::whole(&message, &[]));
        let received = Arc::new(Received::message(handshake, &text, whole));
        let answer = match is_known {
            true => shared.answer(&received),
            false => unknown(previous.unwrap_or_default()),
        };
        shared.received.lock().unwrap().push(Arc::clone(&received));
        shared.changed();
        let (close, says_so) = (answer.close, answer.says_that_it_closes());
        let ended = answer.ended.clone();
        let mut telling = Telling {
            id: format!("{NAME}_{}_{number}", handshake.connection),
            items: Vec::new(),
            completed: false,
        };
        let told = tokio::select! {
            biased;
            told = telling.tell(&mut sink, answer) => told,
            gone = texts.left() => Err(gone),
        };
        received.end(match told {
            Ok(_) => Ending::Answered,
            Err(Gone) => Ending::CallerLeft,
        });
        if let Some(gate) = ended {
            gate.open();
        }
        shared.changed();
        if close && says_so {
            let _ = sink.close().await;
        }
        if close || !matches!(told, Ok(true)) {
            return;
        }
        last = telling.last(&received);
        if let Some(last) = last.as_ref().filter(|_| message["store"] != false) {
            let mut stored = shared.stored.lock().unwrap();
            stored.insert(last.id.clone(), last.items.clone());
        }
    }
}

/// The request that a message stands for.
fn whole(message: &Value, before: &[Value]) -> Value {
    let mut whole = message.clone();
    let new = match &message["input"] {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        text => vec![json!({ "type": "message", "role": "user", "content": text })],
    };
    whole["input"] = before.iter().cloned().chain(new).collect();
    whole["stream"] = json!(true);
    whole
}

fn unknown(id: &str) -> Answer {
    let error = json!({
        "type": "invalid_request_error", "code": "previous_response_not_found",
        "message": format!("Previous response with id '{id}' not found."), "param": "previous_response_id",
    });
    Answer::json(400, json!({ "error": error }).to_string())
}

fn accept(key: &str) -> String {
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key.as_bytes());
    digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest.finish())
}

/// What the caller sends.
struct Texts<S> {
    stream: SplitStream<WebSocketStream<S>>,
    waiting: VecDeque<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Texts<S> {
    async fn next(&mut self) -> Result<String, Gone> {
        while self.waiting.is_empty() {
            self.read().await?;
        }
        self.waiting.pop_front().ok_or(Gone)
    }

    /// Returns when the caller has closed; what it sends meanwhile is kept.
    async fn left(&mut self) -> Gone {
        while self.read().await.is_ok() {}
        Gone
    }

    async fn read(&mut self) -> Result<(), Gone> {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => self.waiting.push_back(text.to_string()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return Err(Gone),
        }
        Ok(())
    }
}

/// An answer under way.
struct Telling {
    id: String,
    items: Vec<Value>,
    completed: bool,
}

impl Telling {
    /// `false`: the connection is cut on purpose.
    async fn tell<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        sink: &mut SplitSink<WebSocketStream<S>, Message>,
        answer: Answer,
    ) -> Result<bool, Gone> {
        for part in &answer.before {
            if !go_through(part).await {
                return Ok(false);
            }
        }
        if !(200..300).contains(&answer.status) {
            self.event(sink, &error(&answer)).await?;
            return Ok(true);
        }
        let mut text = String::new();
        for part in &answer.parts {
            let Part::Bytes(bytes) = part else {
                if !go_through(part).await {
                    return Ok(false);
                }
                continue;
            };
            text.push_str(&String::from_utf8_lossy(bytes).replace("\r\n", "\n"));
            while let Some(end) = text.find("\n\n") {
                let event: String = text.drain(..end + 2).collect();
                let data: Vec<_> = event
                    .lines()
                    .filter_map(|line| line.strip_prefix("data: "))
                    .collect();
                if !data.is_empty() {
                    self.event(sink, &data.join("\n")).await?;
                }
            }
        }
        Ok(true)
    }

    async fn event<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        sink: &mut SplitSink<WebSocketStream<S>, Message>,
        text: &str,
    ) -> Result<(), Gone> {
        let text = text.replace(&format!("\"{NAME}\""), &format!("\"{}\"", self.id));
        let event: Value = serde_json::from_str(&text).unwrap_or_default();
        match event["type"].as_str() {
            Some("response.output_item.done") => self.items.push(event["item"].clone()),
            Some("response.completed" | "response.incomplete") => self.completed = true,
            _ => {}
        }
        sink.send(Message::text(text)).await.map_err(|_| Gone)
    }

    /// What the next request may go on from.
    fn last(self, received: &Received) -> Option<Last> {
        let input = received.whole()["input"].as_array().cloned()?;
        self.completed.then(|| Last {
            id: self.id,
            items: input.into_iter().chain(self.items).collect(),
        })
    }
}

/// What HTTP would have told with its status and its headers.
fn error(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body()).unwrap_or_default();
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| name != "content-type");
    let headers: serde_json::Map<_, _> = headers
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    json!({ "type": "error", "status": answer.status, "error": body["error"], "headers": headers })
        .to_string()
}

/// A part that has no bytes. `false`: the connection is to be cut.
async fn go_through(part: &Part) -> bool {
    match part {
        Part::Bytes(_) => {}
        Part::Pause(time) => tokio::time::sleep(*time).await,
        Part::Wait(gate) => gate.passed().await,
        Part::Hang => std::future::pending().await,
        Part::Cut => return false,
    }
    true
}
