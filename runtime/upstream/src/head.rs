//! The head of a request to one target: made once, sent as often as needed.
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::{Empty, Full};

use crate::{ErrorKind, Target, UpstreamError};

/// Path and headers, ready to be sent to one target.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestHead {
    uri: Uri,
    headers: HeaderMap,
}

impl RequestHead {
    /// `path_and_query` begins with `/` and is appended to the target's base path. `headers` are sent as they are,
    /// except that the client writes `host`, `content-length` and `accept-encoding: identity` itself.
    ///
    /// # Errors
    /// `Protocol` if the path leaves the target's base path or is none.
    pub fn new(
        target: &Target,
        path_and_query: &str,
        mut headers: HeaderMap,
    ) -> Result<Self, UpstreamError> {
        let uri = request_uri(target, path_and_query)?;
        headers.insert(header::HOST, target.host_header.clone());
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        Ok(Self { uri, headers })
    }

    /// Path and query as they are sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", PathAndQuery::as_str)
    }

    /// Adds a header, in place of one with the same name.
    pub fn insert(&mut self, name: header::HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    pub(crate) fn request(&self, method: Method, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// The request that asks for a WebSocket at the same path, with this `Sec-WebSocket-Key`.
    pub(crate) fn upgrade(&self, key: HeaderValue) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        for name in OF_THE_BODY {
            headers.remove(name);
        }
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(
            header::SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static("13"),
        );
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
        // Messages are not compressed: an extension that is not offered cannot be agreed on.
        headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
        headers.remove(header::SEC_WEBSOCKET_PROTOCOL);
        request
    }
}

/// Headers of a request that are about its body, which an upgrade has none of.
const OF_THE_BODY: [header::HeaderName; 2] = [header::ACCEPT, header::CONTENT_TYPE];

/// Joins base path and path. The path comes from a component: it must stay below the base path.
fn request_uri(target: &Target, path_and_query: &str) -> Result<Uri, UpstreamError> {
    let refuse = || {
        UpstreamError::new(
            ErrorKind::Protocol,
            true,
            "the request path is not a valid path below the base",
        )
    };
    if !path_and_query.starts_with('/') || climbs(path_and_query) {
        return Err(refuse());
    }
    let joined: PathAndQuery = if target.base_path().is_empty() {
        path_and_query.parse().map_err(|_| refuse())?
    } else {
        let base = without_version(target.base_path(), path_and_query);
        let mut joined = String::with_capacity(base.len() + path_and_query.len());
        joined.push_str(base);
        joined.push_str(path_and_query);
        joined.try_into().map_err(|_| refuse())?
    };
    Ok(Uri::from(joined))
}

/// The base path without a version at its end that the path has, too: SDKs are told base URLs that end in `/v1`, so
/// people write them here too, and no vendor has `/v1/v1`. Wherever the path has it: one base URL serves all operations of
/// a vendor, of which one may have its version further on (`/v1/chat/completions` beside `/other/v1/messages`).
fn without_version<'a>(base: &'a str, path: &str) -> &'a str {
    let Some((rest, last)) = base.rsplit_once('/') else {
        return base;
    };
    let is_version = last.strip_prefix('v').is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    match is_version && path.split('/').any(|segment| segment == last) {
        true => rest,
        false => base,
    }
}

/// True if a segment of the path is `..`, plain or percent-encoded.
fn climbs(path_and_query: &str) -> bool {
    let path = path_and_query
        .split_once('?')
        .map_or(path_and_query, |(path, _)| path);
    if memchr::memchr2(b'%', b'\\', path.as_bytes()).is_none()
        && memchr::memmem::find(path.as_bytes(), b"..").is_none()
    {
        return false;
    }
    path.to_ascii_lowercase()
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/")
        .replace('\\', "/")
        .split('/')
        .any(|segment| segment == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_base_path_and_path() {
        for (base, path, whole) in [
            (
                "http://h",
                "/v1/messages?beta=true",
                "/v1/messages?beta=true",
            ),
            ("http://h/v1/", "/chat", "/v1/chat"),
            ("http://h/v1/", "/v1/chat?x=/v1", "/v1/chat?x=/v1"),
            ("http://h/api/v1", "/v1?x", "/api/v1?x"),
            ("http://h/v1", "/x/v1/messages?y", "/x/v1/messages?y"),
            ("http://h/api/v1", "/x/v1/messages", "/api/x/v1/messages"),
            ("http://h/v1", "/x?u=/v1/", "/v1/x?u=/v1/"),
            ("http://h/v2", "/v1/chat", "/v2/v1/chat"),
            ("http://h/v1", "/v11/chat", "/v1/v11/chat"),
            ("http://h/v/a", "/a/v", "/v/a/a/v"),
            ("http://h/a/b", "/models/x..y", "/a/b/models/x..y"),
            ("http://h", "/q?u=../..", "/q?u=../.."),
        ] {
            let target = Target::parse(base).unwrap();
            assert_eq!(request_uri(&target, path).unwrap().to_string(), whole);
        }
    }

    #[test]
    fn a_path_cannot_leave_its_target() {
        let target = Target::parse("http://h/api/tenant").unwrap();
        for path in [
            "",
            "x",
            "http://evil/",
            "//x/../../..",
            "/..",
            "/a/%2e%2E/b",
            "/a%2f..%2fb",
            "/a\\..\\b",
            "/a b",
            "/a\r\nx: y",
        ] {
            let outcome = request_uri(&target, path);
            assert!(outcome.is_err(), "{path:?} became {:?}", outcome.unwrap());
        }
    }
}
