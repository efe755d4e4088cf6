//! Asks the policies on the caller's path, root first: may this go on, and how must it be narrowed?
//!
//! A policy that cannot be asked denies: missing component, trap, time-out, an answer that would widen anything.

use std::sync::Arc;

use tollgate_dialect::{ApiError, Document, Edit, ErrorKind};
use tollgate_plugin::{Amendment, Interface, Judgement, PluginError, Verdict};

use crate::request::{self, Refusal, Request};
use crate::snapshot::{Policy, Snapshot};

/// Finds the model to serve, asks admission policies, then content policies.
pub(crate) fn admit(snapshot: &Snapshot, request: &mut Request) -> Result<(), Refusal> {
    resolve(snapshot, request)?;
    let policies = request.policies.clone();
    for policy in policies.with(Interface::Admission) {
        judge(snapshot, request, policy)?;
    }
    for policy in policies.with(Interface::Content) {
        inspect(request, policy)?;
    }
    Ok(())
}

fn judge(snapshot: &Snapshot, request: &mut Request, policy: &Arc<Policy>) -> Result<(), Refusal> {
    let verdict = guest(policy)?
        .admit(request.view())
        .map_err(|error| failed(policy, &error))?;
    match verdict {
        Verdict::Allow => Ok(()),
        Verdict::Deny(denial) => Err(denied(policy, &denial.reason, denial.message)),
        Verdict::Amend(amendments) => {
            request.changed();
            for amendment in amendments {
                amend(snapshot, request, policy, amendment)?;
            }
            acted(request, policy);
            Ok(())
        }
    }
}

/// The account's model map and every allow- and deny-list on the path. The answer is the same for a name that does not
/// exist.
fn resolve(snapshot: &Snapshot, request: &mut Request) -> Result<(), Refusal> {
    let asked = &request.facts.model;
    let served = request.caller.resolve(asked);
    let served = served.ok_or_else(|| no_such_model(asked))?;
    let model = snapshot.identity(&served).model;
    // Another spelling of a model is no way round a list.
    if model != &*served && !request.caller.path.allows_model(model) {
        return Err(no_such_model(asked).into());
    }
    // Most names stay what they are, and are not written anew.
    let known_as = (model != &*request.served).then(|| Arc::from(model));
    let served = (*served != **asked).then(|| served.into_owned());
    if let Some(known_as) = known_as {
        request.served = known_as;
    }
    if let Some(served) = served {
        request.facts.model = served;
    }
    Ok(())
}

/// What a client hears of a model that it may not use, and of one that is not there.
pub(crate) fn no_such_model(model: &str) -> ApiError {
    ApiError::new(
        ErrorKind::ModelNotFound,
        format!("the model `{model}` does not exist or is not allowed for this key; GET /v1/models lists those that are"),
    )
    .with_param("model")
}

fn amend(
    snapshot: &Snapshot,
    request: &mut Request,
    policy: &Arc<Policy>,
    amendment: Amendment,
) -> Result<(), Refusal> {
    match amendment {
        Amendment::SetModel(model) => {
            let known_as = snapshot.identity(&model).model;
            let allowed = |name: &str| request.caller.allows_model(name);
            if !allowed(&model) || !allowed(known_as) {
                return Err(refused(
                    policy,
                    "chose a model that the account may not use",
                ));
            }
            request.served = known_as.into();
            request.facts.model = model;
        }
        Amendment::CapOutput(cap) => {
            // Every member that says more is lowered: a vendor may read another one than the gateway.
            tollgate_dialect::lower_output_cap(
                Arc::make_mut(&mut request.document),
                request.operation,
                cap,
            )
            .map_err(ApiError::from)?;
            reread(request, policy)?;
        }
        Amendment::SetParameter { name, value } => {
            // The host of components has refused what no policy may set.
            set(request, policy, &name, &value)?;
            reread(request, policy)?;
        }
        Amendment::Tag { name, value } => request.tags.push((name, value)),
    }
    Ok(())
}

/// Reads the facts again after a change, so that limits and prices are about what will be sent. The model stays: it is
/// chosen by name and written into the body when it is sent.
fn reread(request: &mut Request, policy: &Arc<Policy>) -> Result<(), Refusal> {
    let thread = request.thread.as_deref();
    let facts = request::facts(&request.document, request.operation, thread)
        .map_err(|_| refused(policy, "made a request of it that cannot be sent"))?;
    let model = std::mem::take(&mut request.facts.model);
    request.facts = tollgate_dialect::Facts { model, ..facts };
    Ok(())
}

fn set(
    request: &mut Request,
    policy: &Arc<Policy>,
    name: &str,
    value: &str,
) -> Result<(), Refusal> {
    let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
    let edit = Edit::Set {
        pointer,
        value: value.to_owned(),
    };
    Arc::make_mut(&mut request.document)
        .apply(&edit)
        .map_err(|_| refused(policy, "set a parameter to something that is not JSON"))
}

/// Shows the text of the request to a content policy. The text is taken out only if somebody wants it.
fn inspect(request: &mut Request, policy: &Arc<Policy>) -> Result<(), Refusal> {
    let segments =
        tollgate_dialect::segments(&request.document, request.operation).map_err(ApiError::from)?;
    let shown: Vec<_> = segments
        .into_iter()
        .map(|segment| tollgate_plugin::Segment {
            role: segment.role.as_str(),
            kind: segment.kind.as_str(),
            text: segment.text.into_owned(),
        })
        .collect();
    let judgement = guest(policy)?
        .inspect(request.view(), shown)
        .map_err(|error| failed(policy, &error))?;
    match judgement {
        Judgement::Keep => Ok(()),
        Judgement::Deny(denial) => Err(denied(policy, &denial.reason, denial.message)),
        Judgement::Replace(replacements) => {
            let replacements: Vec<_> = replacements
                .into_iter()
                .map(|one| (one.index as usize, one.text))
                .collect();
            request.changed();
            let document: &mut Document = Arc::make_mut(&mut request.document);
            tollgate_dialect::replace(document, request.operation, &replacements)
                .map_err(ApiError::from)?;
            // A text in another's place may be longer, and what is held for is what will be sent.
            *document = Document::parse(document.to_bytes()).map_err(ApiError::from)?;
            reread(request, policy)?;
            acted(request, policy);
            Ok(())
        }
    }
}

/// The component behind a policy.
pub(crate) fn guest(policy: &Arc<Policy>) -> Result<&Arc<tollgate_plugin::Configured>, Refusal> {
    policy.guest.as_ref().ok_or_else(|| {
        tracing::warn!(
            policy = policy.id,
            component = policy.component,
            "a policy cannot be asked: its component is not loaded"
        );
        refused(policy, "cannot be asked now")
    })
}

/// The component trapped, ran out of time or answered nonsense.
pub(crate) fn failed(policy: &Arc<Policy>, error: &PluginError) -> Refusal {
    tracing::warn!(policy = policy.id, component = policy.component, %error, "a policy failed");
    let what = what_failed(error);
    match error.kind {
        // Not "denied" and not "try again": it is the request, and it will be the same the next time.
        tollgate_plugin::ErrorKind::TooLarge => Refusal {
            reason: "too-large-for-policy".to_owned(),
            ..refused_as(ErrorKind::BodyTooLarge, policy, what)
        },
        tollgate_plugin::ErrorKind::Busy => {
            let mut refusal = refused_as(ErrorKind::Overloaded, policy, what);
            refusal.error = refusal.error.with_retry_after_ms(1_000);
            refusal
        }
        _ => refused(policy, what),
    }
}

/// The same for people.
pub(crate) fn what_failed(error: &PluginError) -> &'static str {
    match error.kind {
        tollgate_plugin::ErrorKind::TooLarge => "cannot look at so much text at once",
        tollgate_plugin::ErrorKind::Busy => {
            "is looking at too many requests now; try again shortly"
        }
        _ => "failed",
    }
}

/// Fails closed. The name is told so that the person who asked knows whom to ask.
fn refused(policy: &Arc<Policy>, what: &str) -> Refusal {
    refused_as(ErrorKind::DeniedByPolicy, policy, what)
}

fn refused_as(kind: ErrorKind, policy: &Arc<Policy>, what: &str) -> Refusal {
    let message = format!(
        "the policy `{}` {what}; the request was not sent",
        policy.id
    );
    Refusal {
        reason: "policy-failed".to_owned(),
        denied_by: Some(Arc::clone(policy)),
        ..Refusal::from(ApiError::new(kind, message))
    }
}

pub(crate) fn denied(policy: &Arc<Policy>, reason: &str, message: String) -> Refusal {
    tracing::debug!(policy = policy.id, reason, "denied by a policy");
    Refusal {
        reason: reason.to_owned(),
        denied_by: Some(Arc::clone(policy)),
        ..Refusal::from(ApiError::new(ErrorKind::DeniedByPolicy, message))
    }
}

/// The usage row names each policy that changed something.
pub(crate) fn acted(request: &mut Request, policy: &Arc<Policy>) {
    request.acts.push(Arc::clone(policy));
}
