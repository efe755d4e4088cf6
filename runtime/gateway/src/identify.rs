//! From the headers to the caller: which key, which account, which path.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
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

/// Finds the caller. Says the same of an unknown, a revoked and a suspended key: a stranger learns nothing.
pub(crate) fn caller(
    snapshot: &Snapshot,
    hasher: &KeyHasher,
    headers: &HeaderMap,
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
    match snapshot.accounts.find(&hasher.mac(token)) {
        Some(caller) if caller.path.enabled => Ok(Arc::clone(caller)),
        _ => Err(ApiError::new(
            ErrorKind::InvalidKey,
            "the API key is unknown, revoked, or its account is suspended",
        )),
    }
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
}
