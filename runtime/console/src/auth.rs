//! Who manages: bearers of the operator's token, to whom everything is open, and of tokens that are bound to an account.
//!
//! Handlers get at the control plane through [`Operator`] or [`Managing`] and in no other way: which of the two a handler
//! takes says for whom its route is. Inference keys are told that they are not one.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tollgate_gateway::control::{
    Control, ControlError, ExportFormat, Filter, Management, Manager, UsageExport,
};

use crate::answer::{Refusal, work};

/// Who asks; put into a request by [`require_token`].
#[derive(Clone)]
struct Bearer {
    control: Arc<Control>,
    manager: Manager,
}

/// The operator. A token that is bound to an account is refused.
pub(crate) struct Operator(pub(crate) Arc<Control>);

/// Somebody who manages accounts: the operator all of them, others those below their own.
pub(crate) struct Managing(Bearer);

impl Managing {
    /// What he may do.
    pub(crate) fn accounts(&self) -> Management<'_> {
        self.0.control.management(&self.0.manager)
    }

    /// An export of what he sees.
    pub(crate) fn usage_export(
        &self,
        filter: &Filter,
        format: ExportFormat,
    ) -> Result<UsageExport, ControlError> {
        self.0.control.usage_export(&self.0.manager, filter, format)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Managing {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        bearer_of(parts).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let Bearer { control, manager } = bearer_of(parts)?;
        match manager.is_operator() {
            true => Ok(Self(control)),
            false => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "this is the operator's alone; a token of an account manages accounts, keys, tokens, limits and credit below it and reads their usage",
            )),
        }
    }
}

fn bearer_of(parts: &Parts) -> Result<Bearer, Refusal> {
    let bearer = parts.extensions.get::<Bearer>().cloned();
    // Only a route that does not ask for a token can lack it, and such a one has no business here.
    bearer.ok_or_else(|| {
        let message = "the operation failed inside the gateway";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    })
}

/// Lets a request through that carries a management token, and one that changes something only if the token may.
pub(crate) async fn require_token(
    State(control): State<Arc<Control>>,
    mut request: Request,
    next: Next,
) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(bearer);
    let why = match given {
        None => "send a management token as `Authorization: Bearer tgm-…`",
        Some(token) => match manager(&control, token).await {
            Err(refusal) => return refusal.into_response(),
            Ok(Some(manager)) if !manager.may_change() && !reads(request.method()) => {
                let message = "this token may only look; it cannot change anything";
                return Refusal::new(StatusCode::FORBIDDEN, message).into_response();
            }
            Ok(Some(manager)) => {
                request.extensions_mut().insert(Bearer { control, manager });
                return next.run(request).await;
            }
            // Only the form is looked at: whether such a key exists is not told.
            Ok(None) if !token.starts_with("tgm-") && token.starts_with("tg-") => {
                "an inference key cannot manage; use a management token (tgm-…)"
            }
            Ok(None) => "the management token is not valid",
        },
    };
    let mut response = Refusal::new(StatusCode::UNAUTHORIZED, why).into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Whose token this is. Those of accounts are looked up under the lock that every change holds while the disk takes it: on the
/// thread that serves all bearers one would wait for the change of another.
async fn manager(control: &Arc<Control>, token: &str) -> Result<Option<Manager>, Refusal> {
    if control.is_management_token(token) {
        return Ok(control.manager(token));
    }
    let (control, token) = (Arc::clone(control), token.to_owned());
    work(move || Ok(control.manager(&token))).await
}

/// Whether a method changes nothing. Every operation that does has another one.
fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
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
