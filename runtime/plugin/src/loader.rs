//! From the bytes of a file to a component, with the engine and the cache that all files share.

use std::sync::Arc;

use crate::cache::Cache;
use crate::engine::Host;
use crate::limits::Limits;
use crate::{Component, ComponentsConfig, PluginError};

/// What every load needs.
pub(crate) struct Loader {
    host: Arc<Host>,
    cache: Cache,
    config: ComponentsConfig,
}

impl Loader {
    pub(crate) fn new(config: ComponentsConfig) -> Result<Self, PluginError> {
        let host = Host::new(Limits::new(config.max_memory_bytes, config.call_timeout))?;
        let cache = Cache::open(&config.cache_dir, host.engine())?;
        Ok(Self {
            host,
            cache,
            config,
        })
    }

    pub(crate) fn config(&self) -> &ComponentsConfig {
        &self.config
    }

    /// Checks, compiles and tries a component called `file`.
    pub(crate) fn load(&self, file: &str, bytes: &[u8]) -> Result<Component, PluginError> {
        Component::load(&self.host, &self.cache, &self.config, file, bytes)
    }
}
