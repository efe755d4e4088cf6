//! Asks a vendor about an answer that it keeps itself: below the path at which it answers.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use tollgate_dialect::{ApiError, ErrorKind, Operation};
use tollgate_plugin::CallView;

use super::answer::{LONGEST_ANSWER, whole};
use crate::adapt;
use crate::snapshot::Upstream;
use crate::views::CallFacts;
use crate::worker::Worker;

/// What to ask.
pub(crate) struct Beside<'a> {
    /// The upstream whose vendor keeps it.
    pub(crate) upstream: &'a Arc<Upstream>,
    /// Below the path of Responses, with a slash in front.
    pub(crate) place: &'a str,
    pub(crate) method: Method,
    pub(crate) headers: Arc<HeaderMap>,
}

/// Asks, and gives the answer. Costs nothing: nothing is generated.
///
/// # Errors
/// The vendor cannot be asked, or refuses us.
pub(crate) async fn beside(
    worker: &Worker,
    asked: Beside<'_>,
) -> Result<(StatusCode, Bytes), ApiError> {
    let failed = |kind: ErrorKind| {
        move || ApiError::new(kind, "the vendor that keeps it cannot be asked now")
    };
    let upstream = asked.upstream;
    if upstream.signs {
        return Err(failed(ErrorKind::Unsupported)());
    }
    let call: Arc<dyn CallView + Send + Sync> = Arc::new(CallFacts {
        operation: Operation::Responses,
        model: "".into(),
        stream: false,
        endpoint: Arc::clone(&upstream.endpoint),
        headers: asked.headers,
        session: None,
        attempt: 1,
    });
    let plan = upstream
        .provider
        .prepare(&call)
        .map_err(|_| failed(ErrorKind::UpstreamFailed)())?;
    let path = plan.path.split('?').next().unwrap_or_default();
    let path = format!("{path}{}", asked.place);
    let head = adapt::head(&plan, upstream, &path, false)
        .map_err(|_| failed(ErrorKind::UpstreamFailed)())?;
    let response = worker
        .client
        .send(&upstream.target, asked.method, &head, Bytes::new())
        .await
        .map_err(|error| {
            tracing::warn!(upstream = upstream.name, %error, "an upstream cannot be reached");
            failed(ErrorKind::UpstreamFailed)()
        })?;
    let status = response.status();
    let body = whole(response.into_body(), LONGEST_ANSWER)
        .await
        .map_err(|_| failed(ErrorKind::UpstreamFailed)())?;
    // What a vendor says about our credential is not the caller's business.
    let ours = upstream
        .credential
        .as_ref()
        .is_some_and(|secrets| secrets.occurs_in(&body));
    match status.as_u16() {
        200..=299 | 400 | 404 if !ours => Ok((status, body)),
        _ => Err(failed(ErrorKind::UpstreamFailed)()),
    }
}
