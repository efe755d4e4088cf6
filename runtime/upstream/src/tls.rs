//! Whom to trust: the machine's certificates and those the operator adds.
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The extra CA file is unreadable or holds no certificate.
    #[error("extra CA file: {0}")]
    ExtraCa(String),
    /// The crypto provider offers no usable protocol version.
    #[error("TLS set-up: {0}")]
    Setup(#[from] rustls::Error),
}

/// The client side of TLS: shared by all workers, sessions resumed across them.
#[derive(Clone)]
pub struct Tls {
    pub(crate) connector: TlsConnector,
    roots: usize,
}

impl Tls {
    /// Trusts the machine's certificates and, if given, those in `extra_ca` (PEM). A machine without
    /// certificates is not an error: plain HTTP and upstreams of the extra CA still work.
    ///
    /// # Errors
    /// If the extra file cannot be read or holds no certificate.
    pub fn new(extra_ca: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            tracing::warn!(%error, "a certificate of this machine could not be loaded");
        }
        roots.add_parsable_certificates(native.certs);
        if let Some(path) = extra_ca {
            add_file(&mut roots, path)?;
        }
        if roots.is_empty() {
            tracing::warn!(
                "no CA certificate found on this machine: https upstreams will be refused"
            );
        }
        let count = roots.len();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            roots: count,
        })
    }

    /// How many CA certificates are trusted (for `doctor`).
    #[must_use]
    pub fn roots(&self) -> usize {
        self.roots
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({} roots)", self.roots)
    }
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    let refuse = |why: String| TlsError::ExtraCa(format!("{}: {why}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| refuse(e.to_string()))?;
    let before = roots.len();
    for certificate in certificates {
        let certificate = certificate.map_err(|e| refuse(e.to_string()))?;
        roots.add(certificate).map_err(|e| refuse(e.to_string()))?;
    }
    if roots.len() == before {
        return Err(refuse("holds no certificate".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extra_ca_file_without_certificates_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Tls::new(Some(file.path())).unwrap_err().to_string();
        assert!(error.contains("holds no certificate"), "{error}");
        assert!(Tls::new(Some(Path::new("/nonexistent.pem"))).is_err());
    }
}
