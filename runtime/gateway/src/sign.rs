//! Lends a component the MACs of a credential's fields while it signs; the fields themselves stay here.

use std::sync::Arc;

use tollgate_plugin::MacSource;
use tollgate_vault::Credential;

/// The MACs of one upstream's credential.
pub(crate) struct Macs(pub(crate) Option<Arc<Credential>>);

impl MacSource for Macs {
    fn mac(
        &self,
        algorithm: &str,
        field: &str,
        prefix: &str,
        data: &[u8],
    ) -> Result<Vec<u8>, String> {
        let credential = self
            .0
            .as_ref()
            .ok_or_else(|| "the upstream has no credential".to_owned())?;
        credential
            .mac(algorithm, field, prefix, data)
            .map_err(|error| error.to_string())
    }
}
