//! One connection of the simulator: reads requests, writes answers, notices when the caller leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Shared;
use super::answer::{Answer, Part};
use super::received::{Ending, Received};
use super::websocket;

/// The caller is gone, or must go.
pub(super) struct Gone;

/// Serves a connection to its end.
pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
    let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = Reader {
        half: reader,
        buffer: Vec::new(),
    };
    while let Ok(received) = reader.request(&mut writer, number).await {
        let received = Arc::new(received);
        if received.header("upgrade").is_some() {
            shared
                .handshakes
                .lock()
                .unwrap()
                .push(Arc::clone(&received));
            shared.changed();
            let refusal = shared.no_websocket.lock().unwrap().clone();
            match refusal {
                Some(refusal) => {
                    if write(&mut writer, refusal).await.is_err() {
                        return;
                    }
                    continue;
                }
                None => {
                    let stream = reader.half.unsplit(writer);
                    return websocket::serve(stream, reader.buffer, &received, &shared).await;
                }
            }
        }
        let answer = shared.answer(&received);
        shared.received.lock().unwrap().push(Arc::clone(&received));
        shared.changed();
        let (close, ended) = (answer.close, answer.ended.clone());
        let result = tokio::select! {
            biased;
            result = write(&mut writer, answer) => result,
            () = reader.left() => Err(Gone),
        };
        received.end(if result.is_ok() {
            Ending::Answered
        } else {
            Ending::CallerLeft
        });
        if let Some(gate) = ended {
            gate.open();
        }
        shared.changed();
        if result.is_err() || close {
            return;
        }
    }
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), answer: Answer) -> Result<(), Gone> {
    for part in &answer.before {
        if !go_through(writer, part, false).await? {
            return Ok(());
        }
    }
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, "Simulated");
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if answer.chunked {
        head.push_str("transfer-encoding: chunked\r\n\r\n");
    } else {
        head.push_str(&format!("content-length: {}\r\n\r\n", answer.body().len()));
    }
    send(writer, head.as_bytes()).await?;
    for part in &answer.parts {
        if !go_through(writer, part, answer.chunked).await? {
            return Ok(());
        }
    }
    if answer.chunked {
        send(writer, b"0\r\n\r\n").await?;
    }
    Ok(())
}

/// `false`: the connection was cut on purpose.
async fn go_through(
    writer: &mut (impl AsyncWrite + Unpin),
    part: &Part,
    chunked: bool,
) -> Result<bool, Gone> {
    match part {
        Part::Bytes(bytes) if bytes.is_empty() => {}
        Part::Bytes(bytes) if chunked => {
            let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
            chunk.extend_from_slice(bytes);
            chunk.extend_from_slice(b"\r\n");
            send(writer, &chunk).await?;
        }
        Part::Bytes(bytes) => send(writer, bytes).await?,
        Part::Pause(time) => tokio::time::sleep(*time).await,
        Part::Wait(gate) => gate.passed().await,
        Part::Hang => std::future::pending().await,
        Part::Cut => {
            // A reader must see what was sent before the end: shut down, do not reset.
            writer.shutdown().await.map_err(|_| Gone)?;
            return Ok(false);
        }
    }
    Ok(true)
}

async fn send(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), Gone> {
    writer.write_all(bytes).await.map_err(|_| Gone)
}

struct Reader<R> {
    half: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Returns when the caller has closed; whatever it sends meanwhile is kept for the next request.
    async fn left(&mut self) {
        while self.fill().await.is_ok() {}
    }

    async fn fill(&mut self) -> Result<(), Gone> {
        self.buffer.reserve(65536);
        match self.half.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => Err(Gone),
            Ok(_) => Ok(()),
        }
    }

    async fn request(
        &mut self,
        writer: &mut (impl AsyncWrite + Unpin),
        connection: usize,
    ) -> Result<Received, Gone> {
        let (method, target, headers, length) = loop {
            if let Some(head) = head(&self.buffer)? {
                break head;
            }
            self.fill().await?;
        };
        self.buffer.drain(..length);
        let header = |name: &str| {
            headers
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.as_str())
        };
        if header("expect").is_some() {
            send(writer, b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let body = if header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            self.chunked().await?
        } else {
            let length = header("content-length")
                .map_or(Ok(0), str::parse)
                .map_err(|_| Gone)?;
            while self.buffer.len() < length {
                self.fill().await?;
            }
            self.buffer.drain(..length).collect()
        };
        Ok(Received::new(method, target, headers, body, connection))
    }

    async fn chunked(&mut self) -> Result<Vec<u8>, Gone> {
        let mut body = Vec::new();
        loop {
            if let httparse::Status::Complete((start, size)) =
                httparse::parse_chunk_size(&self.buffer).map_err(|_| Gone)?
            {
                let size = usize::try_from(size).map_err(|_| Gone)?;
                if self.buffer.len() >= start + size + 2 {
                    body.extend_from_slice(&self.buffer[start..start + size]);
                    self.buffer.drain(..start + size + 2);
                    if size == 0 {
                        return Ok(body);
                    }
                    continue;
                }
            }
            self.fill().await?;
        }
    }
}

type Head = (String, String, Vec<(String, String)>, usize);

fn head(buffer: &[u8]) -> Result<Option<Head>, Gone> {
    let mut slots = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut slots);
    let httparse::Status::Complete(length) = request.parse(buffer).map_err(|_| Gone)? else {
        return Ok(None);
    };
    let headers = request
        .headers
        .iter()
        .map(|header| {
            (
                header.name.to_ascii_lowercase(),
                String::from_utf8_lossy(header.value).into_owned(),
            )
        })
        .collect();
    Ok(Some((
        request.method.unwrap_or_default().into(),
        request.path.unwrap_or_default().into(),
        headers,
        length,
    )))
}
