//! Names in an account's or key's lists and limits that mean nothing: refused, because a list with a typing error in it
//! restricts or allows something else than its author thinks.

use tollgate_dialect::Operation;
use tollgate_dialect::bridge::Abilities;
use tollgate_governance::{Account, AccountPatch, UpstreamModel};

use super::State;
use super::error::ControlError;
use crate::snapshot::Snapshot;

/// Lists of names as a request has them, and as they are now.
pub(super) struct Lists<'a> {
    /// The field of the request.
    pub(super) field: &'static str,
    pub(super) given: Option<&'a [String]>,
    /// What is there already may stay, whatever has become of it.
    pub(super) present: Option<&'a [String]>,
}

impl Lists<'_> {
    fn unknown(&self, known: impl Fn(&str) -> bool) -> Option<&String> {
        let present = self.present.unwrap_or_default();
        let mut given = self.given.unwrap_or_default().iter();
        given.find(|name| !known(name) && !present.contains(name))
    }
}

/// Refuses operations that there are not.
pub(super) fn endpoints(lists: &Lists<'_>) -> Result<(), ControlError> {
    let unknown = lists.unknown(|name| Operation::from_name(name).is_some());
    unknown.map_or(Ok(()), |name| {
        let known = Operation::ALL.map(Operation::as_str).join(", ");
        let message = format!("there is no operation `{name}`; there are: {known}");
        Err(ControlError::invalid(lists.field, message))
    })
}

/// Refuses another spelling of a model in a list: a model is judged by its own name, so such an entry would allow or deny
/// nothing. Where a model map knows the spelling, it is a name of its own.
pub(super) fn listed_models(
    snapshot: &Snapshot,
    lists: &Lists<'_>,
    is_mapped: impl Fn(&str) -> bool,
) -> Result<(), ControlError> {
    let is_own = |name: &str| snapshot.limited_as(name).is_none() || is_mapped(name);
    lists.unknown(is_own).map_or(Ok(()), |name| {
        let own = snapshot.limited_as(name).unwrap_or_default();
        let message = format!("`{name}` is judged as `{own}`: write that");
        Err(ControlError::invalid(lists.field, message))
    })
}

/// Refuses limits under another spelling of a model, or under a name that the account's model maps make another of: requests are counted under its own name, so they would not limit
/// anything, and nobody would notice. A name that nothing is served under may still come to be one; so may what a pattern
/// is about.
pub(super) fn limited_models(
    snapshot: &Snapshot,
    patch: &AccountPatch,
    present: Option<&Account>,
    mapped: impl Fn(&str) -> Option<String>,
) -> Result<(), ControlError> {
    let given = patch.model_limits.iter().flatten().flatten();
    let mut given = given.filter_map(|(pattern, limits)| limits.as_ref().map(|_| pattern));
    let is_new =
        |pattern: &str| present.is_none_or(|account| !account.model_limits.contains_key(pattern));
    let wrong = given.find_map(|pattern| {
        let name = snapshot.limited_as(pattern).map(str::to_owned);
        let name = name.or_else(|| mapped(pattern))?;
        is_new(pattern).then_some((pattern, name))
    });
    wrong.map_or(Ok(()), |(pattern, name)| {
        let message = format!("`{pattern}` is counted as `{name}`: limit that");
        Err(ControlError::invalid("model_limits", message))
    })
}

/// Refuses operations and abilities of an operator's models that mean nothing: such a model would not be served, or the
/// bridge would write another request than its operator thinks.
pub(super) fn models(models: &[UpstreamModel]) -> Result<(), ControlError> {
    for model in models {
        endpoints(&Lists {
            field: "models.operations",
            given: model.operations.as_deref(),
            present: None,
        })?;
        let mut abilities = model.abilities.iter().flatten();
        if let Some(name) = abilities.find(|name| !Abilities::is_known(name)) {
            let message = format!("there is no ability `{name}`; `wit/README.md` lists them");
            return Err(ControlError::invalid("models.abilities", message));
        }
    }
    Ok(())
}

/// Refuses providers that are neither loaded nor named by an upstream.
pub(super) fn providers(state: &State, lists: &Lists<'_>) -> Result<(), ControlError> {
    let of_upstream = |name: &str| {
        let mut upstreams = state.directory.upstreams();
        upstreams.any(|upstream| upstream.provider == name)
    };
    let loaded = &state.generation.providers;
    let unknown = lists.unknown(|name| loaded.contains_key(name) || of_upstream(name));
    unknown.map_or(Ok(()), |name| {
        let known: Vec<_> = loaded.keys().map(String::as_str).collect();
        let message = format!(
            "no provider component `{name}` is loaded; there are: {}",
            known.join(", ")
        );
        Err(ControlError::invalid(lists.field, message))
    })
}
