//! What the components folder holds.

use std::sync::Arc;

use tollgate_plugin::{Component, Interface, Kind};

use super::Control;
use super::views::{ComponentList, ComponentView, FailedComponent};

impl Control {
    /// Components that are loaded, and files that are not, with the reason. Of the published snapshot: what is listed
    /// serves.
    #[must_use]
    pub fn component_list(&self) -> ComponentList {
        let generation = Arc::clone(&self.state.lock().generation);
        let all = generation
            .providers
            .values()
            .chain(generation.policies.values());
        ComponentList {
            loaded: all.map(|component| view(component)).collect(),
            failed: generation
                .failed
                .iter()
                .map(|(file, reason)| FailedComponent {
                    file: file.clone(),
                    reason: reason.clone(),
                })
                .collect(),
        }
    }
}

fn view(component: &Component) -> ComponentView {
    ComponentView {
        id: component.id().to_owned(),
        kind: match component.kind() {
            Kind::Provider => "provider",
            Kind::Policy => "policy",
        },
        file: component.file().to_owned(),
        digest: component.digest().to_owned(),
        exports: Interface::ALL
            .into_iter()
            .filter(|interface| component.exports(*interface))
            .map(Interface::name)
            .collect(),
        manifest: component.manifest().cloned(),
    }
}
