//! A client's connection on which what is no HTTP request is refused in words: the HTTP server refuses it before there is a
//! request, with a bare number that no client can show to anybody.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tollgate_dialect::{ApiError, ErrorKind};
use tollgate_governance::{OsRandom, RequestIds};
use uuid::Uuid;

use crate::control::now_ms;
use crate::endpoint;
use crate::reply::REQUEST_ID;

/// As much of a request as names its path.
const OPENING: usize = 128;

/// A connection that puts words to the HTTP server's own refusals.
pub(crate) struct Worded<S> {
    stream: S,
    /// The first bytes since the last answer, and how many.
    opening: [u8; OPENING],
    opened: usize,
    /// What is written instead of what the server said, and how much of it has been.
    instead: Vec<u8>,
    sent: usize,
}

impl<S> Worded<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            opening: [0; OPENING],
            opened: 0,
            instead: Vec::new(),
            sent: 0,
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        let room = &mut self.opening[self.opened..];
        let taken = room.len().min(bytes.len());
        room[..taken].copy_from_slice(&bytes[..taken]);
        self.opened += taken;
    }

    /// Looks at what the server is about to write; says whether words were put in its place.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        let Some(status) = bare_refusal(bytes) else {
            self.opened = 0;
            return false;
        };
        // Not from the worker, which this may outlive. Hardly ever needed: a start from new costs nobody.
        let id = RequestIds::new(&mut OsRandom::default()).next(now_ms());
        self.instead = refusal(status, &self.opening[..self.opened], id);
        self.opened = 0;
        true
    }
}

impl<S: AsyncWrite + Unpin> Worded<S> {
    fn poll_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.instead.len() {
            let stream = Pin::new(&mut self.stream);
            match ready!(stream.poll_write(context, &self.instead[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The status of an answer that the HTTP server made itself: a whole one without a body, and without the id that every
/// answer of the pipeline carries.
fn bare_refusal(bytes: &[u8]) -> Option<u16> {
    let status = bytes.strip_prefix(b"HTTP/1.1 4")?.get(..2)?;
    if !bytes.ends_with(b"\r\n\r\n")
        || memmem::find(bytes, REQUEST_ID.as_str().as_bytes()).is_some()
    {
        return None;
    }
    let status: u16 = std::str::from_utf8(status).ok()?.parse().ok()?;
    Some(400 + status)
}

fn refusal(status: u16, opening: &[u8], id: Uuid) -> Vec<u8> {
    let (reason, message) = match status {
        414 => (
            "URI Too Long",
            "the target of the request is longer than 65,534 bytes",
        ),
        431 => (
            "Request Header Fields Too Large",
            "the request has more than 100 headers, or more than 256 KiB of them",
        ),
        _ => (
            "Bad Request",
            "this is no request in HTTP/1.1: its first line or one of its headers is malformed",
        ),
    };
    let dialect = endpoint::error_dialect(path(opening), false);
    let error = ApiError::new(ErrorKind::InvalidRequest, message);
    let mut text = [0; 36];
    let id = &*id.hyphenated().encode_lower(&mut text);
    let body = tollgate_dialect::render(dialect, &error, id).body;
    let mut refusal = format!(
        "HTTP/1.1 {status} {reason}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         request-id: {id}\r\nx-request-id: {id}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    refusal.extend_from_slice(body.as_ref());
    refusal
}

/// The path in a request line, as far as it is one.
fn path(opening: &[u8]) -> &str {
    let line = opening.trim_ascii_start();
    let line = line.split(|byte| *byte == b'\r').next().unwrap_or(line);
    let target = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let path = target.split(|byte| *byte == b'?').next().unwrap_or(target);
    std::str::from_utf8(path).unwrap_or_default()
}

impl<S: AsyncRead + Unpin> AsyncRead for Worded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.read(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Worded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.replaces(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A bare answer is one slice.
        if let [bytes] = slices
            && self.replaces(bytes)
        {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.opened = 0;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_refusal_is_told_from_an_answer_of_the_pipeline() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(bare_refusal(bare), Some(431));
        for answer in [
            &b"HTTP/1.1 404 Not Found\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 4",
            b"",
        ] {
            assert_eq!(bare_refusal(answer), None);
        }
    }

    #[test]
    fn the_path_is_found_in_as_much_as_there_is_of_a_request() {
        for (opening, wanted) in [
            (
                &b"POST /v1/messages HTTP/1.1\r\nhost: x"[..],
                "/v1/messages",
            ),
            (b"\r\n\r\nPOST /v1/responses?a=b HTTP/1.1", "/v1/responses"),
            (b"POST /v1/messages?aaaaaaaaaaaaaaaaaa", "/v1/messages"),
            (b"GET\r\nx: y z", ""),
            (b"\x16\x03\x01 \xff", ""),
            (b"", ""),
        ] {
            assert_eq!(path(opening), wanted);
        }
    }
}
