//! One loaded component.

use std::sync::Arc;

use crate::{Configured, Interface, Kind, Manifest, PluginError};

/// A component that was compiled, checked and can be called.
pub struct Component {}

impl Component {
    /// The manifest's id for a provider, the file's stem for a policy.
    pub fn id(&self) -> &str {
        ""
    }
    /// SHA-256 of the file, in lower-case hex.
    pub fn digest(&self) -> &str {
        ""
    }
    /// The file's name in the components folder.
    pub fn file(&self) -> &str {
        ""
    }
    /// Provider or policy.
    pub fn kind(&self) -> Kind {
        Kind::Policy
    }
    /// The manifest, if it is a provider.
    pub fn manifest(&self) -> Option<&Manifest> {
        None
    }
    /// Whether it exports the interface.
    pub fn exports(&self, _interface: Interface) -> bool {
        false
    }
    /// The component with the operator's configuration (JSON text; `{}` if none), checked on a trial instance.
    ///
    /// # Errors
    /// `Refused` with the component's own sentence if it does not accept the configuration.
    pub fn configured(self: &Arc<Self>, _config_json: &str) -> Result<Arc<Configured>, PluginError> {
        Err(PluginError::host("not yet"))
    }
}
