//! What can go wrong between this gateway and a vendor, in words that hold no secret.
use std::fmt;

/// Which wait ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Name lookup, TCP and TLS together.
    Connect,
    /// From the request's last byte to the response head.
    FirstByte,
    /// Between two frames of a response body.
    Idle,
}

/// The kind of a failure; what the router and the logs act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host name did not resolve.
    Dns,
    /// No TCP connection.
    Connect,
    /// The TLS handshake or the certificate check failed.
    Tls,
    /// A wait ran out.
    Timeout(Phase),
    /// The upstream closed the connection before its answer was complete.
    Closed,
    /// The upstream did not speak HTTP/1.1 or the WebSocket protocol, or the request could not be put into it.
    Protocol,
    /// The body was compressed in a way that could not be undone.
    Decode,
}

/// A failed exchange. Its text names the upstream's authority at most: no header, no path, no body.
pub struct UpstreamError {
    /// What happened.
    pub kind: ErrorKind,
    /// True if no byte of the request can have been acted upon, so sending it again costs nobody anything.
    pub retry_safe: bool,
    detail: Box<str>,
}

impl UpstreamError {
    pub(crate) fn new(kind: ErrorKind, retry_safe: bool, detail: impl Into<Box<str>>) -> Self {
        Self {
            kind,
            retry_safe,
            detail: detail.into(),
        }
    }

    /// An answer of this authority (host and port) that is not what its protocol says.
    #[must_use]
    pub fn unreadable(authority: &str) -> Self {
        Self::new(ErrorKind::Protocol, false, authority)
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ErrorKind::Dns => "name lookup failed",
            ErrorKind::Connect => "connection failed",
            ErrorKind::Tls => "TLS failed",
            ErrorKind::Timeout(Phase::Connect) => "timed out connecting",
            ErrorKind::Timeout(Phase::FirstByte) => "timed out waiting for the response",
            ErrorKind::Timeout(Phase::Idle) => "timed out in the middle of the response",
            ErrorKind::Closed => "connection closed early",
            ErrorKind::Protocol => "protocol error",
            ErrorKind::Decode => "undecodable response body",
        };
        write!(f, "upstream: {what}: {}", self.detail)
    }
}

impl fmt::Debug for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "UpstreamError({:?}, retry_safe: {}, {:?})",
            self.kind, self.retry_safe, self.detail
        )
    }
}

impl std::error::Error for UpstreamError {}
