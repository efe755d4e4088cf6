//! Names in an account's or key's lists that mean nothing: refused, because a list with a typing error in it restricts or
//! allows something else than its author thinks.

use tollgate_dialect::Operation;

use super::State;
use super::error::ControlError;

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
