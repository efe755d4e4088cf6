//! The folder of components: loaded at start, watched, published in generations.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Component, PluginError};

/// How far instances are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Warm instances serve one call or stream after another.
    #[default]
    Pooled,
    /// A fresh store and instance for each call or stream: nothing can leak from one tenant to the next.
    PerRequest,
}

/// How components are loaded and limited.
#[derive(Debug, Clone)]
pub struct ComponentsConfig {
    /// The folder of `*.wasm` files.
    pub dir: PathBuf,
    /// The folder for compiled components; made with mode 0700.
    pub cache_dir: PathBuf,
    /// The default isolation.
    pub isolation: Isolation,
    /// Isolation of single components, by id or file stem.
    pub isolation_of: HashMap<String, Isolation>,
    /// Whether `prepare` plans are remembered by what the guest read.
    pub memoise: bool,
    /// Bytes of a `.wasm` file.
    pub max_component_bytes: usize,
    /// Bytes of linear memory of one instance.
    pub max_memory_bytes: usize,
    /// How long one call may take.
    pub call_timeout: Duration,
}

/// What was loaded at one moment. Immutable; a change makes a new one.
#[derive(Default)]
pub struct Generation {
    /// Providers by manifest id.
    pub providers: BTreeMap<String, Arc<Component>>,
    /// Policies by file stem.
    pub policies: BTreeMap<String, Arc<Component>>,
    /// Files that could not be loaded, and why. The last good version of a file may be serving all the same.
    pub failed: BTreeMap<String, String>,
}

/// The folder of components.
pub struct Components {}

#[allow(clippy::missing_errors_doc, unused_variables, missing_docs, reason = "filled in next")]
impl Components {
    pub fn open(config: ComponentsConfig) -> Result<Arc<Components>, PluginError> {
        Err(PluginError::host("not yet"))
    }
    pub fn generation(&self) -> Arc<Generation> {
        Arc::default()
    }
    pub fn subscribe(&self, listener: Box<dyn Fn(Arc<Generation>) + Send + Sync>) {}
    pub fn rescan(&self) {}
}
