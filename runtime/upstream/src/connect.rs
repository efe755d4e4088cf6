//! Opens one connection: name, TCP, TLS, HTTP/1.1.
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use crate::target::Origin;
use crate::{ErrorKind, Phase, Tls, UpstreamError};

/// A peer that vanished without a word is noticed after this silence (probes are sent by the kernel).
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Each address of a name gets at least this long before the next is tried.
const LEAST_PER_ADDRESS: Duration = Duration::from_millis(250);

/// A plain or encrypted socket that counts what it received.
pub(crate) struct Stream {
    socket: Socket,
    received: Rc<Cell<u64>>,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// The counter of received bytes (inside TLS: of plain bytes).
    pub(crate) fn received(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.received)
    }
}

/// Opens a connection within `limit`.
///
/// # Errors
/// `Dns`, `Connect`, `Tls` or `Timeout(Connect)`; all of them safe to retry.
pub(crate) async fn open(
    origin: &Origin,
    tls: &Tls,
    limit: Duration,
) -> Result<Stream, UpstreamError> {
    let deadline = Instant::now() + limit;
    match timeout_at(deadline, open_by(origin, tls, deadline)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(failure(
            ErrorKind::Timeout(Phase::Connect),
            origin,
            &"no connection in time",
        )),
    }
}

async fn open_by(origin: &Origin, tls: &Tls, deadline: Instant) -> Result<Stream, UpstreamError> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((origin.host.as_str(), origin.port))
        .await
        .map_err(|e| failure(ErrorKind::Dns, origin, &e))?
        .collect();
    let tcp = first_that_answers(&addresses, deadline)
        .await
        .map_err(|e| failure(ErrorKind::Connect, origin, &e))?;
    // Best effort: neither option changes what is sent.
    let _ = tcp.set_nodelay(true);
    let _ = SockRef::from(&tcp).set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE),
    );
    let socket = if origin.tls {
        let stream = tls
            .connector
            .connect(origin.server_name.clone(), tcp)
            .await
            .map_err(|e| failure(ErrorKind::Tls, origin, &e))?;
        Socket::Tls(Box::new(stream))
    } else {
        Socket::Plain(tcp)
    };
    Ok(Stream {
        socket,
        received: Rc::default(),
    })
}

/// Tries the addresses in the resolver's order; an unresponsive one may use up its share of the time only.
async fn first_that_answers(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (tried, address) in addresses.iter().enumerate() {
        let now = Instant::now();
        let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share = (deadline.saturating_duration_since(now) / left).max(LEAST_PER_ADDRESS);
        match timeout_at(deadline.min(now + share), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "no answer"),
        }
    }
    Err(last)
}

fn failure(kind: ErrorKind, origin: &Origin, why: &dyn std::fmt::Display) -> UpstreamError {
    UpstreamError::new(
        kind,
        true,
        format!("{}:{}: {why}", origin.host, origin.port),
    )
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = match &mut self.socket {
            Socket::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Socket::Tls(s) => Pin::new(&mut **s).poll_read(cx, buf),
        };
        let got = buf.filled().len() - before;
        self.received
            .set(self.received.get().wrapping_add(got as u64));
        outcome
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Socket::Tls(s) => Pin::new(&mut **s).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Plain(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Socket::Tls(s) => Pin::new(&mut **s).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(s) => s.is_write_vectored(),
            Socket::Tls(s) => s.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(s) => Pin::new(s).poll_flush(cx),
            Socket::Tls(s) => Pin::new(&mut **s).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Socket::Tls(s) => Pin::new(&mut **s).poll_shutdown(cx),
        }
    }
}
