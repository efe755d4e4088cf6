//! A WebSocket client: one message at a time, each looked at.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::wire::{PATIENCE, Request};

/// The key of the standard's example; the gateway's answer to it is checked.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// An open WebSocket.
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
}

impl Socket {
    /// Asks for a WebSocket; the status and the body of the answer where it is not granted.
    ///
    /// # Errors
    /// The gateway refused.
    ///
    /// # Panics
    /// When the gateway does not answer.
    pub async fn ask(address: SocketAddr, path: &str, key: &str) -> Result<Self, (u16, String)> {
        let request = Request::get(path)
            .bearer(key)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", KEY)
            .header(
                "sec-websocket-extensions",
                "permessage-deflate; client_max_window_bits",
            )
            .header("openai-beta", "responses_websockets=2026-02-06");
        Self::begin(address, &request).await
    }

    /// Asks for a WebSocket with this request, which has [`KEY`]; the status and the body of the answer where it is not
    /// granted.
    ///
    /// # Errors
    /// The gateway refused.
    ///
    /// # Panics
    /// When the gateway does not answer.
    pub async fn begin(address: SocketAddr, request: &Request) -> Result<Self, (u16, String)> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(&request.to_bytes("x")).await.unwrap();
        // Byte for byte: what follows the head belongs to the WebSocket.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = timeout(PATIENCE, stream.read_u8()).await;
            head.push(byte.expect("no answer to the upgrade").unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let header = |name: &str| {
            let mut lines = head.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        if status != 101 {
            let length = header("content-length").unwrap().parse().unwrap();
            let mut body = vec![0; length];
            let whole = timeout(PATIENCE, stream.read_exact(&mut body)).await;
            whole.expect("no body of the refusal").unwrap();
            return Err((status, String::from_utf8(body).unwrap()));
        }
        // The answer to the key in the standard, in lower case as all of the head is here.
        assert_eq!(
            header("sec-websocket-accept"),
            Some("s3pplmbitxaq9kygzzhzrbk+xoo=")
        );
        assert_eq!(header("sec-websocket-extensions"), None, "{head}");
        let stream = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        Ok(Self { stream })
    }

    /// Opens a WebSocket on `/v1/responses`.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn open(address: SocketAddr, key: &str) -> Self {
        let asked = Self::ask(address, "/v1/responses", key).await;
        asked.unwrap_or_else(|refused| panic!("no WebSocket: {refused:?}"))
    }

    /// Sends a message of any kind.
    pub async fn send_as(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// Sends JSON.
    pub async fn send(&mut self, message: &Value) {
        self.send_as(Message::text(message.to_string())).await;
    }

    /// Sends a ping and waits for the pong; events that come before it are lost.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn ping(&mut self) {
        let mark = Bytes::from_static(b"are you there");
        self.send_as(Message::Ping(mark.clone())).await;
        let answered = async {
            while self.stream.next().await.unwrap().unwrap() != Message::Pong(mark.clone()) {}
        };
        timeout(PATIENCE, answered).await.expect("a pong");
    }

    /// The next event; pings and pongs are passed over. The code and reason of the close where there is none.
    ///
    /// # Errors
    /// The gateway closed.
    ///
    /// # Panics
    /// When nothing comes, or something that is neither.
    pub async fn next(&mut self) -> Result<Value, (u16, String)> {
        loop {
            let next = timeout(PATIENCE, self.stream.next()).await;
            match next.expect("the gateway says nothing") {
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(&text)
                        .unwrap_or_else(|error| panic!("not JSON ({error}): {text}")));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(Some(close)))) => {
                    return Err((close.code.into(), close.reason.to_string()));
                }
                other => panic!("neither an event nor a close: {other:?}"),
            }
        }
    }

    /// The next event.
    ///
    /// # Panics
    /// When the gateway closes instead.
    pub async fn event(&mut self) -> Value {
        let next = self.next().await;
        next.unwrap_or_else(|closed| panic!("closed: {closed:?}"))
    }

    /// The events of an answer, up to the one that ends it.
    pub async fn answer(&mut self) -> Vec<Value> {
        const LAST: [&str; 4] = [
            "response.completed",
            "response.incomplete",
            "response.failed",
            "error",
        ];
        let mut events = Vec::new();
        loop {
            let event = self.event().await;
            let last = LAST.contains(&event["type"].as_str().unwrap());
            events.push(event);
            if last {
                return events;
            }
        }
    }

    /// Waits for the close; its code and reason.
    ///
    /// # Panics
    /// When an event comes instead.
    pub async fn closed(&mut self) -> (u16, String) {
        match self.next().await {
            Err(closed) => closed,
            Ok(event) => panic!("an event instead of a close: {event}"),
        }
    }

    /// Closes, as a client does that has what it wants.
    ///
    /// # Panics
    /// When the gateway does not close, too.
    pub async fn close(mut self) {
        self.stream.close(None).await.unwrap();
        let closed = async { while let Some(Ok(_)) = self.stream.next().await {} };
        timeout(PATIENCE, closed).await.expect("a close");
    }
}
