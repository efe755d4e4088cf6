//! Asks the policies on the caller's path, root first: may this go on, and how must it be narrowed?
//!
//! A policy that cannot be asked denies: missing component, trap, time-out, an answer that would widen anything.

use std::sync::Arc;

use tollgate_dialect::{ApiError, Document, Edit, ErrorKind};
use tollgate_plugin::{Amendment, Interface, Judgement, PluginError, Verdict};

use crate::request::{Act, Refusal, Request};
use crate::snapshot::Policy;

/// Checks the model, asks admission policies, then content policies.
pub(crate) fn admit(request: &mut Request) -> Result<(), Refusal> {
    allowed(request, &request.facts.model)?;
    let policies = request.policies.clone();
    for policy in policies.with(Interface::Admission) {
        let verdict = guest(policy)?
            .admit(request.view())
            .map_err(|error| failed(policy, &error))?;
        match verdict {
            Verdict::Allow => {}
            Verdict::Deny(denial) => return Err(denied(policy, &denial.reason, denial.message)),
            Verdict::Amend(amendments) => {
                request.changed();
                for amendment in amendments {
                    amend(request, policy, amendment)?;
                }
                acted(request, policy);
            }
        }
    }
    for policy in policies.with(Interface::Content) {
        inspect(request, policy)?;
    }
    Ok(())
}

/// The requested name must pass every allow-list on the path. The answer is the same for a name that does not exist.
fn allowed(request: &Request, model: &str) -> Result<(), Refusal> {
    if request.caller.path.models.allows(model) {
        Ok(())
    } else {
        Err(no_such_model(model).into())
    }
}

/// What a client hears of a model that it may not use, and of one that is not there.
pub(crate) fn no_such_model(model: &str) -> ApiError {
    ApiError::new(
        ErrorKind::ModelNotFound,
        format!("the model `{model}` does not exist or is not allowed for this key; GET /v1/models lists those that are"),
    )
    .with_param("model")
}

fn amend(request: &mut Request, policy: &Policy, amendment: Amendment) -> Result<(), Refusal> {
    match amendment {
        Amendment::SetModel(model) => {
            if !request.caller.path.models.allows(&model) {
                return Err(refused(
                    policy,
                    "chose a model that the account may not use",
                ));
            }
            request.facts.model = model;
        }
        Amendment::CapOutput(cap) => {
            if request.facts.output_cap.is_none_or(|old| cap < old) {
                set(request, policy, cap_parameter(request), &cap.to_string())?;
                request.facts.output_cap = Some(cap);
            }
        }
        Amendment::SetParameter { name, value } => {
            const FIXED: [&str; 11] = [
                "messages",
                "input",
                "system",
                "instructions",
                "tools",
                "model",
                "stream",
                "max_tokens",
                "max_completion_tokens",
                "max_output_tokens",
                "stream_options",
            ];
            if FIXED.contains(&name.as_str()) || name.is_empty() {
                return Err(refused(policy, "set a parameter that policies may not set"));
            }
            set(request, policy, &name, &value)?;
        }
        Amendment::Tag { name, value } => request.tags.push((name, value)),
    }
    Ok(())
}

/// The member in which this request carries its output cap.
fn cap_parameter(request: &Request) -> &'static str {
    use tollgate_dialect::Operation;
    match request.operation {
        Operation::Responses => "max_output_tokens",
        Operation::ChatCompletions if request.document.get("max_tokens").is_none() => {
            "max_completion_tokens"
        }
        _ => "max_tokens",
    }
}

fn set(request: &mut Request, policy: &Policy, name: &str, value: &str) -> Result<(), Refusal> {
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
fn inspect(request: &mut Request, policy: &Policy) -> Result<(), Refusal> {
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
            acted(request, policy);
            Ok(())
        }
    }
}

/// The component behind a policy.
pub(crate) fn guest(policy: &Policy) -> Result<&Arc<tollgate_plugin::Configured>, Refusal> {
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
pub(crate) fn failed(policy: &Policy, error: &PluginError) -> Refusal {
    tracing::warn!(policy = policy.id, component = policy.component, %error, "a policy failed");
    refused(policy, "failed")
}

/// Fails closed. The name is told so that the person who asked knows whom to ask.
fn refused(policy: &Policy, what: &str) -> Refusal {
    let message = format!(
        "the policy `{}` {what}; the request was not sent",
        policy.id
    );
    Refusal {
        reason: "policy-failed".to_owned(),
        ..Refusal::from(ApiError::new(ErrorKind::DeniedByPolicy, message))
    }
}

pub(crate) fn denied(policy: &Policy, reason: &str, message: String) -> Refusal {
    tracing::debug!(policy = policy.id, reason, "denied by a policy");
    Refusal {
        reason: reason.to_owned(),
        ..Refusal::from(ApiError::new(ErrorKind::DeniedByPolicy, message))
    }
}

pub(crate) fn acted(request: &mut Request, policy: &Policy) {
    request.acts.push(Act {
        component: policy.component.clone(),
        digest: policy.digest(),
    });
}
