//! A server that does exactly what a test tells it to, byte by byte.
#![allow(unreachable_pub, reason = "shared by several test programs")]
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tollgate_upstream::{
    Client, ClientConfig, RequestHead, Target, Tls, UpstreamBody, UpstreamError,
};

/// Runs a test the way a worker runs: one thread, local tasks. A test that hangs fails.
pub fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(async {
        tokio::time::timeout(Duration::from_secs(20), test)
            .await
            .expect("the test hangs")
    }))
}

/// What a server has seen.
#[derive(Default)]
pub struct Seen {
    pub connections: Cell<usize>,
    pub requests: RefCell<Vec<String>>,
}

/// Serves every connection with `script`, which gets the socket, the connection's number (from 0) and a
/// place to note what it saw.
pub async fn serve<F, Fut>(script: F) -> (SocketAddr, Rc<Seen>)
where
    F: Fn(TcpStream, usize, Rc<Seen>) -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Rc::new(Seen::default());
    let noted = Rc::clone(&seen);
    tokio::task::spawn_local(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            let number = noted.connections.get();
            noted.connections.set(number + 1);
            tokio::task::spawn_local(script(socket, number, Rc::clone(&noted)));
        }
    });
    (address, seen)
}

/// Reads one request, head and body; `None` when the client has closed.
pub async fn request(socket: &mut TcpStream, seen: &Seen) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut buf = [0_u8; 4096];
        let n = socket.read(&mut buf).await.ok()?;
        if n == 0 {
            return None;
        }
        bytes.extend_from_slice(&buf[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|l| {
                    l.to_ascii_lowercase()
                        .strip_prefix("content-length: ")
                        .map(|n| n.parse::<usize>().unwrap())
                })
                .unwrap_or(0);
            if body.len() >= length {
                seen.requests.borrow_mut().push(text.clone());
                return Some(text);
            }
        }
    }
}

/// Answers every request on a connection with the same JSON.
pub async fn answer_json(mut socket: TcpStream, seen: Rc<Seen>) {
    while request(&mut socket, &seen).await.is_some() {
        write(&mut socket, b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}").await;
    }
}

pub async fn write(socket: &mut TcpStream, bytes: &[u8]) {
    // A client that has gone is the test's business, not the server's.
    let _ = socket.write_all(bytes).await;
}

/// One HTTP chunk.
pub fn chunk(data: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

pub const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

pub fn config() -> ClientConfig {
    ClientConfig {
        connect_timeout: Duration::from_secs(2),
        first_byte_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(5),
        max_idle_per_target: 4,
        idle_connection_lifetime: Duration::from_secs(30),
    }
}

pub fn client(config: ClientConfig) -> Client {
    Client::new(config, Tls::new(None).unwrap())
}

pub fn target(address: SocketAddr) -> Arc<Target> {
    Arc::new(Target::parse(&format!("http://{address}/base")).unwrap())
}

pub async fn post(
    client: &Client,
    target: &Arc<Target>,
    body: &'static str,
) -> Result<Response<UpstreamBody>, UpstreamError> {
    let head = RequestHead::new(target, "/x?y=1", HeaderMap::new())?;
    let body = Bytes::from_static(body.as_bytes());
    client.send(target, Method::POST, &head, body).await
}

pub async fn text(response: Response<UpstreamBody>) -> Result<String, UpstreamError> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

/// Waits until something has happened, however busy the machine is.
pub async fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
