//! Who may manage: bearers of a management token. Inference keys are told that they are not one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tollgate_gateway::control::Control;

use crate::answer::Refusal;

/// Lets a request through that carries the management token.
pub(crate) async fn require_token(
    State(control): State<Arc<Control>>,
    request: Request,
    next: Next,
) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(bearer);
    let why = match given {
        None => "send the management token as `Authorization: Bearer tgm-…`",
        Some(token) if control.is_management_token(token) => return next.run(request).await,
        // Only the form is looked at: whether such a key exists is not told.
        Some(token) if !token.starts_with("tgm-") && token.starts_with("tg-") => {
            "an inference key cannot manage; use the management token (tgm-…)"
        }
        Some(_) => "the management token is not valid",
    };
    let mut response = Refusal::new(StatusCode::UNAUTHORIZED, why).into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_is_read() {
        assert_eq!(bearer("bearer  tgm-x "), Some("tgm-x"));
        assert_eq!(bearer("Basic dTpw"), None);
        assert_eq!(bearer("tgm-x"), None);
    }
}
