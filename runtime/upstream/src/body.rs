//! A response body that is still arriving.
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::UpstreamError;

/// The body of an upstream's response, decoded if it was compressed. Read to its end, its connection
/// returns to the pool; dropped before, the connection is closed. Not `Send`.
pub struct UpstreamBody {
    _private: (),
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        Poll::Ready(None)
    }
}
