//! From a provider's plan to what is sent: header templates filled in, edits ready to apply.
//!
//! A plan is turned into a request head once and kept with it. The component host remembers plans, or gives the same one
//! again where a guest plans what it planned before: the warm path is one look-up here.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use tollgate_dialect::Edit;
use tollgate_plugin::{
    CallView, CommitAfter, Failure, FailureKind, Plan, PluginError, PrepareError, UpstreamStream,
};
use tollgate_upstream::RequestHead;

use crate::snapshot::{Snapshot, Upstream};
use crate::views::CallFacts;

/// A plan, ready to send.
pub(crate) struct Prepared {
    pub(crate) head: RequestHead,
    pub(crate) edits: Vec<Edit>,
    pub(crate) commit_after: CommitAfter,
    pub(crate) always_stream: bool,
    /// Header templates as planned, for components that sign.
    pub(crate) templates: Vec<(String, String)>,
}

/// Prepared plans by the plan they were made from and the upstream whose secrets they hold. Emptied with the snapshot,
/// so that a changed credential is never used again.
#[derive(Default)]
pub(crate) struct PlanCache {
    snapshot: usize,
    prepared: HashMap<PlanKey, Kept>,
}

/// Addresses of a plan and an upstream, and whether a stream is wanted.
type PlanKey = (usize, usize, bool);

/// What the addresses stand for is kept alive with what was made of it, so that they cannot come to mean others.
type Kept = (Arc<Plan>, Arc<Upstream>, Rc<Prepared>);

/// Far more than a provider has shapes of requests; a client that varies a header the guest reads starts over.
const MOST: usize = 1024;

impl PlanCache {
    /// What to send for one attempt.
    pub(crate) fn prepare(
        &mut self,
        snapshot: &Arc<Snapshot>,
        upstream: &Arc<Upstream>,
        call: &Arc<CallFacts>,
    ) -> Result<Rc<Prepared>, Failure> {
        let current = Arc::as_ptr(snapshot) as usize;
        if self.snapshot != current || self.prepared.len() > MOST {
            self.prepared.clear();
            self.snapshot = current;
        }
        let plan = match upstream.provider.remembered(&**call) {
            Some(plan) => plan,
            None => {
                let view: Arc<dyn CallView + Send + Sync> = Arc::<CallFacts>::clone(call);
                upstream
                    .provider
                    .prepare(&view)
                    .map_err(|error| match error {
                        PrepareError::Refused(failure) => failure,
                        PrepareError::Plugin(error) => broken(upstream, &error),
                    })?
            }
        };
        let key = (
            Arc::as_ptr(&plan) as usize,
            Arc::as_ptr(upstream) as usize,
            call.stream,
        );
        if let Some((_, _, prepared)) = self.prepared.get(&key) {
            return Ok(Rc::clone(prepared));
        }
        let prepared = Rc::new(Prepared::new(&plan, upstream, call)?);
        self.prepared
            .insert(key, (plan, Arc::clone(upstream), Rc::clone(&prepared)));
        Ok(prepared)
    }
}

/// A provider that trapped, ran out of time or answered nonsense fails the attempt; routing moves on.
pub(crate) fn broken(upstream: &Upstream, error: &PluginError) -> Failure {
    tracing::warn!(upstream = upstream.name, provider = upstream.provider_id, %error, "a provider component failed");
    match error.kind {
        // Tried again, it would be as large.
        tollgate_plugin::ErrorKind::TooLarge => Failure {
            kind: FailureKind::InvalidRequest,
            retry_after_ms: None,
            message: Some("this is too large for the provider of the model".to_owned()),
        },
        _ => Failure {
            kind: FailureKind::Transient,
            retry_after_ms: None,
            message: None,
        },
    }
}

impl Prepared {
    fn new(plan: &Plan, upstream: &Upstream, call: &CallFacts) -> Result<Self, Failure> {
        let always_stream = plan.upstream_stream == UpstreamStream::Always;
        let head = head(plan, upstream, &plan.path, call.stream || always_stream)?;
        Ok(Self {
            head,
            edits: plan.edits.iter().map(edit).collect(),
            commit_after: plan.commit_after,
            always_stream,
            templates: if upstream.signs {
                plan.headers.clone()
            } else {
                Vec::new()
            },
        })
    }
}

/// The head of a request as planned, at this path.
pub(crate) fn head(
    plan: &Plan,
    upstream: &Upstream,
    path: &str,
    stream: bool,
) -> Result<RequestHead, Failure> {
    let mut headers = HeaderMap::with_capacity(plan.headers.len() + 4);
    let accept = match stream {
        true => "text/event-stream",
        false => "application/json",
    };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("tollgate/", env!("CARGO_PKG_VERSION"))),
    );
    for (name, template) in &plan.headers {
        let (name, value) = fill(upstream, name, template)?;
        headers.insert(name, value);
    }
    RequestHead::new(&upstream.target, path, headers).map_err(|error| {
        tracing::warn!(upstream = upstream.name, %error, "a planned request cannot be sent");
        Failure {
            kind: FailureKind::Transient,
            retry_after_ms: None,
            message: None,
        }
    })
}

/// Fills a header template with the upstream's credential. The guest has returned by then and never sees the result.
pub(crate) fn fill(
    upstream: &Upstream,
    name: &str,
    template: &str,
) -> Result<(HeaderName, HeaderValue), Failure> {
    let refuse = |why: &str| {
        tracing::warn!(
            upstream = upstream.name,
            header = name,
            why,
            "a planned header cannot be sent"
        );
        Failure {
            kind: FailureKind::Auth,
            retry_after_ms: None,
            message: None,
        }
    };
    let name: HeaderName = name.parse().map_err(|_| refuse("not a header name"))?;
    let literal = tollgate_plugin::literal_header(template);
    let secret = literal.is_none();
    let mut value = match (&upstream.credential, literal) {
        (Some(credential), None) => {
            let filled = credential
                .render(template)
                .map_err(|error| refuse(&error.to_string()))?;
            HeaderValue::from_str(&filled)
                .map_err(|_| refuse("the credential has characters that no header can carry"))?
        }
        (None, None) => return Err(refuse("it needs a credential and the upstream has none")),
        (_, Some(text)) => HeaderValue::from_str(&text)
            .map_err(|_| refuse("characters that no header can carry"))?,
    };
    value.set_sensitive(secret);
    Ok((name, value))
}

fn edit(edit: &tollgate_plugin::Edit) -> Edit {
    use tollgate_plugin::Edit as Planned;
    match edit.clone() {
        Planned::Set { pointer, value } => Edit::Set { pointer, value },
        Planned::SetDefault { pointer, value } => Edit::SetDefault { pointer, value },
        Planned::Remove { pointer } => Edit::Remove { pointer },
        Planned::Rename { pointer, name } => Edit::Rename { pointer, to: name },
        Planned::Retain { pointer, members } => Edit::Retain {
            pointer,
            names: members,
        },
    }
}
