//! Undoes a compression that was not asked for, as the bytes arrive.
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http::{HeaderMap, header};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::StreamReader;

use crate::body::Plain;
use crate::{ErrorKind, UpstreamError};

/// Decoded bytes handed on at once, at most.
const OUTPUT: usize = 16 * 1024;

/// A compression this client can undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Encoding {
    /// What the head says; `None` if the body is as it should be.
    ///
    /// # Errors
    /// A word on an encoding that cannot be undone (unknown, or several on top of each other).
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, &'static str> {
        let mut found = None;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            let value = value.to_str().map_err(|_| "unreadable content-encoding")?;
            for name in value.split(',').map(str::trim).filter(|n| !n.is_empty()) {
                let encoding = match name.to_ascii_lowercase().as_str() {
                    "identity" => continue,
                    "gzip" | "x-gzip" => Self::Gzip,
                    "deflate" => Self::Deflate,
                    "br" => Self::Brotli,
                    "zstd" => Self::Zstd,
                    _ => return Err("unknown content-encoding"),
                };
                if found.replace(encoding).is_some() {
                    return Err("several content-encodings on top of each other");
                }
            }
        }
        Ok(found)
    }
}

/// The wire's data frames as a stream of bytes.
struct Wire {
    /// Looked at already, to tell the two kinds of `deflate` apart.
    first: Option<Bytes>,
    plain: Rc<RefCell<Plain>>,
    /// Told on the next poll: a decoder forgets what it has just decoded when its input fails.
    failed: Option<UpstreamError>,
}

impl Stream for Wire {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(io::Error::other(error))));
        }
        match next_data(&self.plain, cx) {
            Poll::Ready(Some(Ok(data))) => Poll::Ready(Some(Ok(data))),
            Poll::Ready(Some(Err(error))) => {
                self.failed = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn next_data(
    plain: &RefCell<Plain>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, UpstreamError>>> {
    loop {
        let frame = plain.borrow_mut().poll(cx);
        return match frame {
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Poll::Ready(Some(Ok(data))),
                Err(_) => continue, // trailers tell nothing a client needs
            },
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        };
    }
}

/// A body that is being decoded.
pub(crate) struct Decoded {
    plain: Rc<RefCell<Plain>>,
    state: State,
    output: BytesMut,
}

enum State {
    Waiting(Encoding),
    Running(Pin<Box<dyn AsyncRead>>),
    Done,
}

impl Decoded {
    pub(crate) fn new(encoding: Encoding, plain: Rc<RefCell<Plain>>) -> Self {
        Self {
            plain,
            state: State::Waiting(encoding),
            output: BytesMut::new(),
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        loop {
            match &mut self.state {
                State::Done => return Poll::Ready(None),
                State::Waiting(encoding) => {
                    let encoding = *encoding;
                    match next_data(&self.plain, cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Some(Ok(bytes))) if bytes.is_empty() => {}
                        Poll::Ready(Some(Ok(bytes))) => {
                            let zlib = bytes[0] & 0x0f == 8;
                            let wire = Wire {
                                first: Some(bytes),
                                plain: Rc::clone(&self.plain),
                                failed: None,
                            };
                            self.state =
                                State::Running(decoder(encoding, zlib, StreamReader::new(wire)));
                        }
                        Poll::Ready(Some(Err(error))) => return self.fail(io::Error::other(error)),
                        // No byte at all: an empty body, whatever the head said.
                        Poll::Ready(None) => self.state = State::Done,
                    }
                }
                State::Running(reader) => {
                    self.output.resize(OUTPUT, 0);
                    let mut space = ReadBuf::new(&mut self.output);
                    return match reader.as_mut().poll_read(cx, &mut space) {
                        Poll::Pending => Poll::Pending,
                        Poll::Ready(Err(error)) => self.fail(error),
                        Poll::Ready(Ok(())) => {
                            let filled = space.filled().len();
                            if filled == 0 {
                                self.state = State::Done;
                                // The compressed stream has ended; take note of the end of the body too, so
                                // that the connection can be used again.
                                let _ = self.plain.borrow_mut().poll(cx);
                                return Poll::Ready(None);
                            }
                            Poll::Ready(Some(Ok(self.output.split_to(filled).freeze())))
                        }
                    };
                }
            }
        }
    }

    fn fail(&mut self, error: io::Error) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        self.state = State::Done;
        let mut plain = self.plain.borrow_mut();
        plain.close();
        let error = match error.downcast::<UpstreamError>() {
            Ok(ours) => ours,
            Err(codec) => UpstreamError::new(
                ErrorKind::Decode,
                false,
                format!("{}: {codec}", plain.authority()),
            ),
        };
        Poll::Ready(Some(Err(error)))
    }
}

fn decoder(
    encoding: Encoding,
    zlib: bool,
    input: StreamReader<Wire, Bytes>,
) -> Pin<Box<dyn AsyncRead>> {
    match encoding {
        Encoding::Gzip => {
            let mut gzip = GzipDecoder::new(input);
            gzip.multiple_members(true);
            Box::pin(gzip)
        }
        // "deflate" means zlib (RFC 9110 §8.4.1.2), but some servers send the bare stream.
        Encoding::Deflate if zlib => Box::pin(ZlibDecoder::new(input)),
        Encoding::Deflate => Box::pin(DeflateDecoder::new(input)),
        Encoding::Brotli => Box::pin(BrotliDecoder::new(input)),
        Encoding::Zstd => {
            let mut zstd = ZstdDecoder::new(input);
            zstd.multiple_members(true);
            Box::pin(zstd)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Result<Option<Encoding>, &'static str> {
        let mut headers = HeaderMap::new();
        for v in values {
            headers.append(header::CONTENT_ENCODING, v.parse().unwrap());
        }
        Encoding::of(&headers)
    }

    #[test]
    fn reads_the_head() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["identity"]), Ok(None));
        assert_eq!(of(&["GZip"]), Ok(Some(Encoding::Gzip)));
        assert_eq!(of(&["identity", "br"]), Ok(Some(Encoding::Brotli)));
        assert!(of(&["gzip, br"]).is_err());
        assert!(of(&["gzip", "gzip"]).is_err());
        assert!(of(&["rot13"]).is_err());
    }
}
