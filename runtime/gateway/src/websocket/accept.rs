//! From an HTTP request to a WebSocket: who asks is known before it is granted.

use std::cell::Cell;
use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName, HeaderValue,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Request as HttpRequest, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tollgate_dialect::{ApiError, ErrorKind};
use tollgate_upstream::websocket_accept;
use uuid::Uuid;

use super::RESPONSES;
use crate::reply::{self, Reply};
use crate::worker::Worker;
use crate::{inform, pipeline};

/// A WebSocket that has been granted.
pub(crate) struct Accepted {
    pub(super) upgrade: OnUpgrade,
    /// What its requests have in common.
    pub(super) headers: HeaderMap,
    pub(super) client: Option<IpAddr>,
}

/// Where a connection finds the WebSocket that it is to become, once its HTTP has ended.
#[derive(Default)]
pub(crate) struct Slot(Cell<Option<Accepted>>);

impl Slot {
    /// The WebSocket, if one was granted.
    pub(crate) fn take(&self) -> Option<Accepted> {
        self.0.take()
    }
}

const VERSION: HeaderValue = HeaderValue::from_static("13");

/// What is about the connection and its first request alone.
const OF_THE_CONNECTION: [HeaderName; 10] = [
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    EXPECT,
    SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The one beta that is about the WebSocket: no vendor hears of it. Over HTTP it means nothing, and a WebSocket of the
/// vendor's is the gateway's own to ask for.
const OWN_BETA: &str = "responses_websockets";

/// Grants a WebSocket to a key that may use it, or says why not.
pub(crate) fn accept(
    worker: &Worker,
    mut request: HttpRequest<Incoming>,
    client: Option<IpAddr>,
    id: Uuid,
    slot: &Slot,
) -> Response<Reply> {
    let refuse = |error: &ApiError| pipeline::refuse(worker, RESPONSES, error, id);
    if let Err(error) = pipeline::known(worker, RESPONSES, request.headers(), client) {
        return refuse(&error);
    }
    let headers = request.headers();
    if request.version() != Version::HTTP_11 || !names(headers, UPGRADE, "websocket") {
        return inform::upgrade(RESPONSES.dialect(), id);
    }
    if headers.get(SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        let mut response = inform::upgrade(RESPONSES.dialect(), id);
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_VERSION, VERSION);
        return response;
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    let (Some(key), true) = (key, names(headers, CONNECTION, "upgrade")) else {
        return refuse(&ApiError::new(
            ErrorKind::InvalidRequest,
            "this is not the beginning of a WebSocket: `Connection: Upgrade` or `Sec-WebSocket-Key` is missing",
        ));
    };
    let Ok(agreed) = HeaderValue::from_str(&websocket_accept(key)) else {
        return refuse(&ApiError::new(ErrorKind::Internal, "the WebSocket failed"));
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let headers = in_common(request.into_parts().0.headers);
    slot.0.set(Some(Accepted {
        upgrade,
        headers,
        client,
    }));
    let mut response = Response::new(Reply::Whole(None));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, agreed);
    let mut text = [0; 36];
    reply::identify(headers, id.hyphenated().encode_lower(&mut text));
    response
}

/// Whether a header's list has this word.
fn names(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let lists = headers.get_all(name);
    let mut words = lists
        .iter()
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','));
    words.any(|found| found.trim().eq_ignore_ascii_case(word))
}

/// The headers of each request: those of the first, as a client would send them with a body.
fn in_common(mut headers: HeaderMap) -> HeaderMap {
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
    let beta = HeaderName::from_static("openai-beta");
    if let Some(told) = headers.get(&beta).and_then(|beta| beta.to_str().ok()) {
        let others: Vec<_> = told
            .split(',')
            .map(str::trim)
            .filter(|one| !one.starts_with(OWN_BETA))
            .collect();
        match HeaderValue::from_str(&others.join(",")) {
            Ok(others) if !others.is_empty() => headers.insert(beta, others),
            _ => headers.remove(beta),
        };
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_headers_of_the_first_without_what_is_about_the_connection() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer tg-1"),
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("openai-beta", "responses_websockets=2026-02-06, other=1"),
            ("x-session", "s"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        assert!(names(&headers, CONNECTION, "upgrade") && names(&headers, UPGRADE, "websocket"));
        assert!(!names(&headers, CONNECTION, "close"));
        let headers = in_common(headers);
        let mut left: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        left.sort_unstable();
        assert_eq!(
            left,
            [
                ("authorization", "Bearer tg-1"),
                ("content-type", "application/json"),
                ("openai-beta", "other=1"),
                ("x-session", "s"),
            ]
        );
        let mut only = HeaderMap::new();
        only.insert(
            "openai-beta",
            "responses_websockets=2026-02-06".parse().unwrap(),
        );
        assert!(!in_common(only).contains_key("openai-beta"));
    }
}
