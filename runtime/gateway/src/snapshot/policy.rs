//! Policies at work, resolved against the components that are loaded.

use std::collections::HashMap;
use std::sync::Arc;

use tollgate_plugin::{Configured, Interface};

use super::{Problem, Snapshot, SnapshotInputs, config_text};

/// A policy at work on an account.
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) component: String,
    /// `None`: the component is missing or refused its configuration. Such a policy denies everything: a rule that
    /// cannot be asked must not be skipped.
    pub(crate) guest: Option<Arc<Configured>>,
    config: String,
}

/// Without its configuration, which may hold what only operators see.
impl std::fmt::Debug for Policy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Policy");
        shown
            .field("id", &self.id)
            .field("component", &self.component);
        shown.finish_non_exhaustive()
    }
}

impl Policy {
    /// One whose component is not loaded.
    #[cfg(test)]
    pub(crate) fn unloaded(id: &str, component: &str) -> Self {
        Self {
            id: id.to_owned(),
            component: component.to_owned(),
            guest: None,
            config: String::new(),
        }
    }

    pub(crate) fn exports(&self, interface: Interface) -> bool {
        self.guest
            .as_ref()
            .is_none_or(|guest| guest.component().exports(interface))
    }

    /// SHA-256 of the component; zeros if it is not loaded.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut digest = [0; 32];
        let hex = self
            .guest
            .as_ref()
            .map_or("", |guest| guest.component().digest());
        for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = std::str::from_utf8(pair)
                .ok()
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .unwrap_or(0);
        }
        digest
    }
}

/// The policies of all attachments, by attachment.
pub(super) fn policies(
    inputs: &SnapshotInputs<'_>,
    previous: Option<&Snapshot>,
    problems: &mut Vec<Problem>,
) -> HashMap<String, Arc<Policy>> {
    let mut policies = HashMap::new();
    for attachment in &inputs.attachments {
        let config = config_text(&attachment.config);
        let component = inputs.generation.policies.get(&attachment.component);
        let old = previous
            .and_then(|snapshot| snapshot.policy(&attachment.id))
            .filter(|old| old.config == config && old.component == attachment.component);
        let kept = old.filter(|old| match (&old.guest, component) {
            (Some(guest), Some(component)) => Arc::ptr_eq(guest.component(), component),
            _ => false,
        });
        let policy = match kept {
            Some(old) => Arc::clone(old),
            None => {
                let guest = match component {
                    None => Err(format!(
                        "no policy component `{}` is loaded",
                        attachment.component
                    )),
                    Some(component) => component
                        .configured(&config)
                        .map_err(|error| error.to_string()),
                };
                let guest = guest.map_or_else(
                    |why| {
                        // A new version that does not take the configuration: the one before stays.
                        let before = component
                            .and(old)
                            .and_then(|old| old.guest.as_ref().map(Arc::clone));
                        let stays = match before {
                            Some(_) => "the version of its component before stays in service: ",
                            None => "",
                        };
                        problems.push(Problem {
                            what: format!("policy `{}`", attachment.id),
                            why: format!("{stays}{why}"),
                        });
                        before
                    },
                    Some,
                );
                Arc::new(Policy {
                    id: attachment.id.clone(),
                    component: attachment.component.clone(),
                    guest,
                    config,
                })
            }
        };
        policies.insert(attachment.id.clone(), policy);
    }
    policies
}
