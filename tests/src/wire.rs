//! An HTTP/1.1 client that shows every byte: for asserting on what really goes over the wire.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing here may take longer; a test that waits for ever says nothing.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A request to send.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.into(),
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A GET.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST of JSON.
    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", path)
            .header("content-type", "application/json")
            .body(body)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The request as it goes over the wire, with `host` and, for a body or a POST, `content-length`.
    pub fn to_bytes(&self, host: &str) -> Vec<u8> {
        let mut bytes =
            format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !self.body.is_empty() || self.method == "POST" {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Status and headers of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status and headers.
    pub head: Head,
    /// The body, transfer coding removed.
    pub body: Vec<u8>,
    /// Whether the body came to its proper end.
    pub complete: bool,
}

impl Reply {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "status {}, body is not JSON ({error}): {}",
                self.status(),
                self.text()
            )
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

/// One connection to the gateway.
pub struct Connection {
    stream: TcpStream,
    host: String,
    buffer: Vec<u8>,
    framing: Framing,
    ended: bool,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            host: address.to_string(),
            buffer: Vec::new(),
            framing: Framing::None,
            ended: true,
        })
    }

    /// Sends raw bytes.
    ///
    /// # Errors
    /// When the other side has closed.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await?;
        Ok(())
    }

    /// Sends a request and reads the answer's head. Interim answers are skipped.
    ///
    /// # Errors
    /// When the connection ends before a head has come.
    pub async fn send(&mut self, request: &Request) -> Result<Head> {
        let bytes = request.to_bytes(&self.host);
        // A server may answer and close before it has read a large body: what it said counts, not that it hung up.
        let written = self.write(&bytes).await;
        match self.read_head(request.method == "HEAD").await {
            Ok(head) => Ok(head),
            Err(error) => Err(written.err().unwrap_or(error)),
        }
    }

    /// Reads an answer's head.
    ///
    /// # Errors
    /// When the connection ends first.
    pub async fn read_head(&mut self, to_head: bool) -> Result<Head> {
        loop {
            let mut slots = [httparse::EMPTY_HEADER; 128];
            let mut parsed = httparse::Response::new(&mut slots);
            if let httparse::Status::Complete(length) = parsed.parse(&self.buffer)? {
                let status = parsed.code.context("no status")?;
                let headers: Vec<(String, String)> = parsed
                    .headers
                    .iter()
                    .map(|header| {
                        (
                            header.name.to_ascii_lowercase(),
                            String::from_utf8_lossy(header.value).into_owned(),
                        )
                    })
                    .collect();
                self.buffer.drain(..length);
                if (100..200).contains(&status) && status != 101 {
                    continue;
                }
                let head = Head { status, headers };
                self.framing = if to_head || status == 204 || status == 304 || status == 101 {
                    Framing::None
                } else if head
                    .header("transfer-encoding")
                    .is_some_and(|value| value.contains("chunked"))
                {
                    Framing::Chunked
                } else if let Some(length) = head.header("content-length") {
                    Framing::Length(length.parse()?)
                } else {
                    Framing::UntilClose
                };
                self.ended = matches!(self.framing, Framing::None | Framing::Length(0));
                return Ok(head);
            }
            if self.fill().await? == 0 {
                bail!("connection closed before an answer");
            }
        }
    }

    /// The next piece of the body as it arrived (one chunk, or one read); `None` at its proper end.
    ///
    /// # Errors
    /// When the connection ends before the body does.
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if self.ended {
                return Ok(None);
            }
            match self.framing {
                Framing::None => return Ok(None),
                Framing::Length(left) if !self.buffer.is_empty() => {
                    let taken = left.min(self.buffer.len());
                    self.framing = Framing::Length(left - taken);
                    self.ended = left == taken;
                    return Ok(Some(self.buffer.drain(..taken).collect()));
                }
                Framing::Chunked => {
                    if let Some(piece) = self.chunk()? {
                        return Ok(if self.ended { None } else { Some(piece) });
                    }
                }
                Framing::UntilClose if !self.buffer.is_empty() => {
                    return Ok(Some(std::mem::take(&mut self.buffer)));
                }
                _ => {}
            }
            if self.fill().await? == 0 {
                self.ended = true;
                if matches!(self.framing, Framing::UntilClose) {
                    return Ok(None);
                }
                bail!("connection closed in the middle of the body");
            }
        }
    }

    /// One whole chunk out of the buffer, if it is there.
    fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        match httparse::parse_chunk_size(&self.buffer) {
            Ok(httparse::Status::Complete((start, size))) => {
                let size = usize::try_from(size)?;
                if self.buffer.len() < start + size + 2 {
                    return Ok(None);
                }
                let data = self.buffer[start..start + size].to_vec();
                self.buffer.drain(..start + size + 2);
                self.ended = size == 0;
                Ok(Some(data))
            }
            Ok(httparse::Status::Partial) => Ok(None),
            Err(_) => bail!("bad chunk: {:?}", String::from_utf8_lossy(&self.buffer)),
        }
    }

    /// The first line that came and has not been read yet; stays to be read.
    ///
    /// # Panics
    /// When none comes.
    pub async fn raw_status_line(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                return String::from_utf8_lossy(&self.buffer[..end]).into_owned();
            }
            assert!(self.fill().await.unwrap() > 0, "closed before a line came");
        }
    }

    /// Reads what is left of the body.
    ///
    /// # Panics
    /// When it does not end: signs of life may come for ever.
    pub async fn rest(&mut self) -> (Vec<u8>, bool) {
        let began = Instant::now();
        let mut body = Vec::new();
        loop {
            match self.piece().await {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => return (body, true),
                Err(_) => return (body, false),
            }
            let (length, end) = (body.len(), body.len().saturating_sub(200));
            assert!(
                began.elapsed() < 2 * PATIENCE,
                "the body does not end; {length} bytes so far, the last: {}",
                String::from_utf8_lossy(&body[end..])
            );
        }
    }

    /// Reads the body until it holds `needle`.
    ///
    /// # Panics
    /// When the body ends first, or goes on without it.
    pub async fn read_until(&mut self, needle: &str) -> Vec<u8> {
        let began = Instant::now();
        let mut body = Vec::new();
        while !String::from_utf8_lossy(&body).contains(needle) {
            assert!(
                began.elapsed() < PATIENCE,
                "no {needle:?} came; so far: {}",
                String::from_utf8_lossy(&body)
            );
            match self.piece().await {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                other => panic!(
                    "{other:?} before {needle:?} came; so far: {}",
                    String::from_utf8_lossy(&body)
                ),
            }
        }
        body
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When no answer's head comes.
    pub async fn exchange(&mut self, request: &Request) -> Result<Reply> {
        let head = self.send(request).await?;
        let (body, complete) = self.rest().await;
        Ok(Reply {
            head,
            body,
            complete,
        })
    }

    /// Whether the other side has closed the connection (waits for it to do so or to send something).
    ///
    /// # Errors
    /// When nothing happens for long.
    pub async fn closed(&mut self) -> Result<bool> {
        match self.fill().await {
            Ok(0) => Ok(true),
            Ok(_) => Ok(false),
            Err(error) if error.downcast_ref::<std::io::Error>().is_some() => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn fill(&mut self) -> Result<usize> {
        self.buffer.reserve(65536);
        let read = self.stream.read_buf(&mut self.buffer);
        Ok(tokio::time::timeout(PATIENCE, read)
            .await
            .context("nothing came")??)
    }
}

/// Sends one request on a connection of its own.
///
/// # Panics
/// When there is no answer.
pub async fn send(address: SocketAddr, request: &Request) -> Reply {
    let mut connection = Connection::open(address).await.unwrap();
    connection
        .exchange(request)
        .await
        .unwrap_or_else(|error| panic!("{} {}: {error:#}", request.method, request.path))
}
