//! TLS against a server whose certificate comes from a CA made for the test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]
mod common;

use std::io::Write;
use std::sync::Arc;

use common::{config, post, run, text};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tollgate_upstream::{Client, ErrorKind, Target, Tls};

struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    fn file(&self) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(self.issuer.pem().as_bytes()).unwrap();
        file
    }

    /// Serves one JSON answer per request with a certificate for `name`; the port.
    async fn serve(&self, name: &str) -> u16 {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &self.issuer)
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::task::spawn_local(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(socket).await else {
                    continue;
                };
                assert_eq!(
                    stream.get_ref().1.alpn_protocol(),
                    Some(b"http/1.1".as_slice())
                );
                tokio::task::spawn_local(async move {
                    let mut buf = [0; 4096];
                    while stream.read(&mut buf).await.is_ok_and(|n| n > 0) {
                        stream
                            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                            .await
                            .unwrap();
                        stream.flush().await.unwrap();
                    }
                });
            }
        });
        port
    }
}

fn target(host: &str, port: u16) -> Arc<Target> {
    Arc::new(Target::parse(&format!("https://{host}:{port}")).unwrap())
}

#[test]
fn a_certificate_of_the_extra_ca_is_trusted_and_its_connection_kept() {
    run(async {
        let ca = Ca::new();
        let port = ca.serve("localhost").await;
        let client = Client::new(config(), Tls::new(Some(ca.file().path())).unwrap());
        for _ in 0..3 {
            assert_eq!(
                text(
                    post(&client, &target("localhost", port), "x")
                        .await
                        .unwrap()
                )
                .await
                .unwrap(),
                "ok"
            );
            assert_eq!(client.idle_connections(), 1);
        }
    });
}

#[test]
fn a_certificate_for_an_address_works() {
    run(async {
        let ca = Ca::new();
        let port = ca.serve("127.0.0.1").await;
        let client = Client::new(config(), Tls::new(Some(ca.file().path())).unwrap());
        assert_eq!(
            text(
                post(&client, &target("127.0.0.1", port), "x")
                    .await
                    .unwrap()
            )
            .await
            .unwrap(),
            "ok"
        );
    });
}

#[test]
fn an_unknown_ca_and_a_wrong_name_are_refused() {
    run(async {
        let ca = Ca::new();
        let port = ca.serve("localhost").await;
        let stranger = Client::new(config(), Tls::new(Some(Ca::new().file().path())).unwrap());
        let error = post(&stranger, &target("localhost", port), "x")
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind, error.retry_safe),
            (ErrorKind::Tls, true),
            "{error}"
        );

        let port = ca.serve("other.example").await;
        let client = Client::new(config(), Tls::new(Some(ca.file().path())).unwrap());
        let error = post(&client, &target("localhost", port), "x")
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Tls, "{error}");
    });
}
