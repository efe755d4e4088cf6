//! From the headers to the caller: which key, which account, which path, and whether it may come from there.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use ipnet::IpNet;
use tollgate_dialect::{ApiError, ErrorKind};
use tollgate_governance::{Caller, KeyHasher, TokenKind};

use crate::snapshot::Snapshot;

/// The key as a client sends it: `Authorization: Bearer` (OpenAI's and the newer Anthropic SDKs, Codex, Claude Code
/// with a token) or `x-api-key` (older Anthropic SDKs, Claude Code with a key). With both, `x-api-key` counts only if
/// there is no bearer token: Claude Code's key helper sends the same value twice.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim())
            .filter(|token| !token.is_empty())
    });
    bearer.or_else(|| {
        headers
            .get("x-api-key")?
            .to_str()
            .ok()
            .map(str::trim)
            .filter(|key| !key.is_empty())
    })
}

/// What a client hears of a key that does not work, for whatever reason.
pub(crate) fn no_such_key() -> ApiError {
    ApiError::new(
        ErrorKind::InvalidKey,
        "the API key is unknown, expired or revoked, or its account is suspended",
    )
}

/// Finds the caller. Says the same of an unknown, a revoked, an expired and a suspended key: a stranger learns nothing.
pub(crate) fn caller(
    snapshot: &Snapshot,
    hasher: &KeyHasher,
    headers: &HeaderMap,
    client: Option<IpAddr>,
    now_ms: u64,
) -> Result<Arc<Caller>, ApiError> {
    let Some(token) = presented(headers) else {
        return Err(ApiError::new(
            ErrorKind::InvalidKey,
            "no API key was given: send `Authorization: Bearer <key>` or `x-api-key: <key>`",
        ));
    };
    TokenKind::Inference.check(token).map_err(|_| {
        ApiError::new(
            ErrorKind::InvalidKey,
            "this is not a Tollgate key: such a key begins with `tg-` and ends in its checksum",
        )
    })?;
    let found = snapshot.accounts.find(&hasher.mac(token));
    let caller = found
        .filter(|caller| caller.is_valid_at(now_ms) && caller.path.is_enabled())
        .ok_or_else(no_such_key)?;
    if !caller.allows_address(client) {
        return Err(ApiError::new(
            ErrorKind::AddressForbidden,
            "this API key may not be used from your address",
        ));
    }
    caller.used_at(now_ms);
    Ok(Arc::new(caller))
}

/// The client's address: the peer's, or where that is a proxy that the operator trusts, the last address in
/// `X-Forwarded-For` that is not one. Whatever stands before that was written by the client.
pub(crate) fn client_address(
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    trusted: &[IpNet],
) -> Option<IpAddr> {
    let is_trusted = |address: &IpAddr| {
        trusted.iter().any(|network| match (network, address) {
            // Of mapped addresses: `::ffff:10.0.0.0/104` is `10.0.0.0/8`, but `::/0` is not all of IPv4.
            (IpNet::V6(network), IpAddr::V4(address)) => {
                network.prefix_len() >= 96 && network.contains(&address.to_ipv6_mapped())
            }
            (network, address) => network.contains(address),
        })
    };
    let peer = peer?.to_canonical();
    if trusted.is_empty() || !is_trusted(&peer) {
        return Some(peer);
    }
    let forwarded = headers.get_all("x-forwarded-for");
    let hops: Vec<&str> = forwarded
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in hops.iter().rev() {
        match hop.trim().parse::<IpAddr>().map(|hop| hop.to_canonical()) {
            Ok(hop) if is_trusted(&hop) => {}
            Ok(hop) => return Some(hop),
            // A proxy of ours does not write that: nobody knows where it came from.
            Err(_) => return None,
        }
    }
    Some(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_header_styles_are_read() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            headers
        };
        assert_eq!(
            presented(&with("authorization", "Bearer tg-1")),
            Some("tg-1")
        );
        assert_eq!(
            presented(&with("authorization", "bearer  tg-1 ")),
            Some("tg-1")
        );
        assert_eq!(presented(&with("x-api-key", "tg-1")), Some("tg-1"));
        assert_eq!(presented(&with("authorization", "Basic dGc6")), None);
        assert_eq!(presented(&with("authorization", "Bearer ")), None);
        assert_eq!(presented(&HeaderMap::new()), None);
    }

    #[test]
    fn only_trusted_proxies_are_believed_about_where_a_client_is() {
        let trusted = |network: &str| vec![network.parse::<IpNet>().unwrap()];
        let behind = |trusted: &[IpNet], peer: &str, forwarded: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            client_address(peer.parse().ok(), &headers, trusted).map(|a| a.to_string())
        };
        let seen = |peer: &str, forwarded: &[&str]| behind(&trusted("10.0.0.0/8"), peer, forwarded);
        let some = |text: &str| Some(text.to_owned());
        // Not a proxy: what it says of others is not heard.
        assert_eq!(seen("192.0.2.7", &["198.51.100.1"]), some("192.0.2.7"));
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"]), some("198.51.100.1"));
        // The client wrote the first, a trusted proxy the second.
        assert_eq!(
            seen("10.0.0.1", &["127.0.0.1, 198.51.100.1"]),
            some("198.51.100.1")
        );
        assert_eq!(
            seen("10.0.0.1", &["127.0.0.1", "198.51.100.1, 10.2.3.4"]),
            some("198.51.100.1")
        );
        assert_eq!(seen("10.0.0.1", &["198.51.100.1, unknown"]), None);
        assert_eq!(seen("10.0.0.1", &[]), some("10.0.0.1"));
        assert_eq!(seen("::ffff:192.0.2.7", &[]), some("192.0.2.7"));
        let far = ["198.51.100.1"];
        let mapped = trusted("::ffff:10.0.0.0/104");
        assert_eq!(behind(&mapped, "10.0.0.1", &far), some("198.51.100.1"));
        assert_eq!(behind(&mapped, "11.0.0.1", &far), some("11.0.0.1"));
        let six = trusted("::/0");
        assert_eq!(behind(&six, "10.0.0.1", &far), some("10.0.0.1"));
    }
}
