//! What goes back to a client: a whole body, or a relayed stream.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use tollgate_dialect::{ApiError, Dialect};
use tollgate_governance::Running;
use uuid::Uuid;

use crate::late::Late;
use crate::relay::Relay;

/// A response body. It never fails: what goes wrong in a stream is told in the client's dialect.
pub(crate) enum Reply {
    /// Known from end to end.
    Whole(Option<Bytes>),
    /// As it comes from the vendor.
    Stream(Box<Relay>),
    /// Signs of life until somebody answers.
    Late(Box<Late>),
}

impl Reply {
    /// The next bytes; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *self).poll_frame(context)).await;
        frame?.ok()?.into_data().ok()
    }

    pub(crate) fn whole(body: impl Into<Bytes>) -> Self {
        Self::Whole(Some(body.into()).filter(|body: &Bytes| !body.is_empty()))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Stream(relay) => relay
                .poll_next(context)
                .map(|next| next.map(|bytes| Ok(Frame::data(bytes)))),
            Self::Late(late) => late
                .poll_next(context)
                .map(|next| next.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            Self::Stream(_) | Self::Late(_) => SizeHint::default(),
        }
    }
}

/// Bytes with a request that runs until they have been written to the client, or given up.
pub(crate) fn until_sent(bytes: Bytes, running: Option<&Arc<Running>>) -> Bytes {
    struct Held(
        Bytes,
        #[expect(dead_code, reason = "held for its end")] Arc<Running>,
    );
    impl AsRef<[u8]> for Held {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    match running {
        None => bytes,
        Some(running) => Bytes::from_owner(Held(bytes, Arc::clone(running))),
    }
}

/// The header every answer carries.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The same to SDKs of the Anthropic family.
const SHORT_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// An error in the caller's dialect; the response carries it for whoever has to tell it in another way.
pub(crate) fn error(dialect: Dialect, error: &ApiError, id: Uuid) -> Response<Reply> {
    let mut text = [0; 36];
    let id = &*id.hyphenated().encode_lower(&mut text);
    let rendered = tollgate_dialect::render(dialect, error, id);
    let mut response = Response::new(Reply::whole(rendered.body));
    *response.status_mut() =
        StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(error.clone());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in rendered.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    identify(headers, id);
    response
}

/// Puts the request id on an answer, under the names that either family of SDKs reads.
pub(crate) fn identify(headers: &mut HeaderMap, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(SHORT_REQUEST_ID, value.clone());
        headers.insert(REQUEST_ID, value);
    }
}

/// A whole answer of the gateway's own.
pub(crate) fn own(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Reply> {
    let mut response = Response::new(Reply::whole(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
