//! Which headers may cross: towards the vendor, and back to the client.
//!
//! Responses are cleaned by pattern, never by vendor: whatever tells of the operator's account at a vendor
//! (limits, organisation, project, billing) or of one connection (hop-by-hop, cookies) stays here.
use http::header::{self, HeaderMap, HeaderName};

/// The name under which a vendor's own request id is kept, for tracing.
pub const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

/// Hop-by-hop headers (RFC 9110 §7.6.1) and their old friends.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Client headers that never go upstream: they are the client's credentials, belong to the client's own
/// connection, or are written anew by the host.
const NEVER_UPSTREAM: [&str; 12] = [
    "authorization",
    "api-key",
    "cookie",
    "host",
    "content-length",
    "accept-encoding",
    "content-encoding",
    "expect",
    "via",
    "x-real-ip",
    "true-client-ip",
    "x-client-ip",
];

/// Parts of response header names that tell of the operator's account.
const ACCOUNT_PATTERNS: [&str; 8] = [
    "ratelimit",
    "rate-limit",
    "-organization",
    "-organisation",
    "-project",
    "-processing-ms",
    "-quota",
    "-billing",
];

/// Response headers that stay here although no pattern matches.
const NEVER_DOWNSTREAM: [&str; 8] = [
    "set-cookie",
    "server",
    "via",
    "alt-svc",
    "strict-transport-security",
    "nel",
    "report-to",
    "date",
];

/// Names under which servers put their request id, most telling first.
const REQUEST_IDS: [&str; 3] = ["x-request-id", "request-id", "x-trace-id"];

/// True if a client's header of this name may be shown to a provider component and sent upstream.
#[must_use]
pub fn may_go_upstream(name: &HeaderName) -> bool {
    let name = name.as_str();
    !(HOP_BY_HOP.contains(&name)
        || NEVER_UPSTREAM.contains(&name)
        || name.starts_with("forwarded")
        || name.starts_with("x-forwarded")
        || name.starts_with("cf-")
        || name.starts_with("sec-")
        || name.starts_with("proxy-")
        || name.ends_with("-api-key")
        || name.ends_with("-security-token"))
}

/// Removes everything that [`may_go_upstream`] refuses, and what a `Connection` header names.
pub fn scrub_request(headers: &mut HeaderMap) {
    remove_named_by_connection(headers);
    let doomed: Vec<HeaderName> = headers
        .keys()
        .filter(|n| !may_go_upstream(n))
        .cloned()
        .collect();
    for name in doomed {
        headers.remove(name);
    }
}

/// Makes a vendor's response head fit for the client. `content-length` stays unless the body was decoded
/// (then [`crate::Client::send`] has removed it already). A request id moves to [`UPSTREAM_REQUEST_ID`].
pub fn scrub_response(headers: &mut HeaderMap) {
    remove_named_by_connection(headers);
    let id = REQUEST_IDS.iter().find_map(|name| headers.remove(*name));
    let mut doomed: [Option<HeaderName>; 16] = [const { None }; 16];
    loop {
        let mut found = 0;
        for name in headers
            .keys()
            .filter(|n| stays_here(n.as_str()))
            .take(doomed.len())
        {
            doomed[found] = Some(name.clone());
            found += 1;
        }
        for name in doomed.iter_mut().take(found).filter_map(Option::take) {
            headers.remove(name);
        }
        if found < doomed.len() {
            break;
        }
    }
    if let Some(id) = id {
        headers.insert(UPSTREAM_REQUEST_ID, id);
    }
}

fn stays_here(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
        || NEVER_DOWNSTREAM.contains(&name)
        || REQUEST_IDS.contains(&name)
        || name.ends_with("-request-id")
        || name.ends_with("requestid")
        || name.starts_with("cf-")
        || name.starts_with("access-control-")
        || ACCOUNT_PATTERNS.iter().any(|p| name.contains(p))
        // `<vendor>-model`, `<vendor>-version`: which vendor answered is the operator's business.
        || ((name.ends_with("-model") || name.ends_with("-version")) && !name.starts_with("x-"))
}

/// `Connection: a, b` makes `a` and `b` hop-by-hop.
fn remove_named_by_connection(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONNECTION) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|n| n.trim().parse().ok())
        .collect();
    for name in named {
        // Content framing is never up to a `Connection` header.
        if name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut m = HeaderMap::new();
        for (n, v) in pairs {
            m.append(*n, HeaderValue::from_static(v));
        }
        m
    }

    #[test]
    fn a_clients_credentials_and_connection_never_go_upstream() {
        let mut m = map(&[
            ("authorization", "Bearer a"),
            ("x-api-key", "a"),
            ("x-acme-api-key", "a"),
            ("cookie", "a"),
            ("host", "a"),
            ("content-length", "1"),
            ("accept-encoding", "gzip"),
            ("forwarded", "for=1"),
            ("x-forwarded-for", "1"),
            ("connection", "close, x-private"),
            ("x-private", "1"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("acme-version", "1"),
            ("user-agent", "t"),
        ]);
        scrub_request(&mut m);
        let mut left: Vec<_> = m.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["acme-version", "user-agent"]);
    }

    #[test]
    fn nothing_of_the_operators_account_reaches_the_client() {
        let mut m = map(&[
            ("content-type", "application/json"),
            ("content-length", "7"),
            ("x-ratelimit-remaining-tokens", "1"),
            ("acme-ratelimit-unified-status", "ok"),
            ("acme-organization", "org"),
            ("acme-project", "p"),
            ("acme-processing-ms", "1"),
            ("acme-model", "m"),
            ("acme-version", "2020"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("cf-ray", "1"),
            ("x-acme-request-id", "req_3"),
            ("x-request-id", "req_1"),
            ("request-id", "req_2"),
            ("retry-after", "3"),
            ("x-own", "kept"),
        ]);
        scrub_response(&mut m);
        let mut left: Vec<_> = m.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(
            left,
            [
                "content-length",
                "content-type",
                "retry-after",
                "x-own",
                "x-upstream-request-id"
            ]
        );
        assert_eq!(m[UPSTREAM_REQUEST_ID], "req_1");
    }

    #[test]
    fn more_doomed_headers_than_one_sweep_holds_all_go() {
        let mut m = HeaderMap::new();
        for i in 0..40 {
            let name: HeaderName = format!("x-ratelimit-{i}").parse().unwrap();
            m.append(name, HeaderValue::from_static("1"));
        }
        scrub_response(&mut m);
        assert!(m.is_empty());
    }
}
