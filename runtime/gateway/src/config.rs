//! The operator's configuration file, `tollgate.toml`: every key has a default, an unknown key is an error.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use tollgate_plugin::TrustedKey;

/// Everything that is decided before the process starts. What changes while it runs lives in the store instead.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The data plane: where clients connect.
    pub server: Server,
    /// The control plane: where operators connect.
    pub management: Management,
    /// Where state is kept.
    pub data: Data,
    /// The component host.
    pub components: Components,
    /// The way to vendors.
    pub upstream: Upstream,
    /// Money and calendar.
    pub governance: Governance,
    /// Answers that clients may name later.
    pub responses: Responses,
}

/// Vendors keep answers for so long; whose they are is known here at least as long.
const KEPT_THERE_DAYS: u64 = 30;

/// Answers that clients may name later, where the vendor does not keep them itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Responses {
    /// For so many days; 0 keeps nothing but whose the answers are that vendors keep.
    pub keep_days: u64,
    /// A longer conversation is not kept. Bytes.
    pub max_kept_bytes: usize,
}

impl Responses {
    /// Until when something is kept that is kept from `now_ms` on. Unix milliseconds.
    pub(crate) fn expires_ms(&self, now_ms: u64) -> u64 {
        after_days(now_ms, self.keep_days)
    }

    /// Until when it is known whose an answer is that its vendor keeps. Unix milliseconds.
    pub(crate) fn known_until_ms(&self, now_ms: u64) -> u64 {
        after_days(now_ms, self.keep_days.max(KEPT_THERE_DAYS))
    }
}

fn after_days(now_ms: u64, days: u64) -> u64 {
    const DAY_MS: u64 = 86_400_000;
    now_ms.saturating_add(days.saturating_mul(DAY_MS))
}

impl Default for Responses {
    fn default() -> Self {
        Self {
            keep_days: 30,
            max_kept_bytes: 8 << 20,
        }
    }
}

/// The data plane's listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Worker threads, each with a runtime and an upstream pool of its own; 0 means one for each core.
    pub workers: usize,
    /// A larger request body is answered 413. Bytes.
    pub max_body_bytes: usize,
    /// A client that has not sent its header block by then is disconnected; so is an idle connection. Milliseconds.
    pub header_timeout_ms: u64,
    /// A client that has not sent its body by then is answered 408. Milliseconds.
    pub body_timeout_ms: u64,
    /// How long a client may take nothing of what is ready for it before its connection is closed.
    pub write_timeout_ms: u64,
    /// A vendor may be silent so long before the client of a stream is sent a sign of life. Vendors of
    /// Messages ping every few seconds; clients and proxies between give up after a minute. Milliseconds, at least 100.
    pub keep_alive_ms: u64,
    /// How long open requests may go on after a stop signal. Milliseconds.
    pub drain_timeout_ms: u64,
    /// Whether responses are served over a WebSocket too. If not, clients that try one are sent back to HTTP.
    pub websocket: bool,
    /// A WebSocket whose client has not been heard of for so long between two answers is closed. Milliseconds.
    pub websocket_idle_timeout_ms: u64,
    /// No WebSocket becomes older; an answer under way is finished. Milliseconds.
    pub websocket_max_age_ms: u64,
    /// Networks of proxies in front, whose `X-Forwarded-For` is believed where keys and accounts are bound to networks.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            workers: 0,
            max_body_bytes: 32 << 20,
            header_timeout_ms: 60_000,
            body_timeout_ms: 60_000,
            write_timeout_ms: 120_000,
            keep_alive_ms: 15_000,
            drain_timeout_ms: 30_000,
            websocket: true,
            websocket_idle_timeout_ms: 600_000,
            websocket_max_age_ms: 3_600_000,
            trusted_proxies: Vec::new(),
        }
    }
}

/// The control plane's listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Management {
    /// Address and port; port 0 picks a free one.
    pub listen: SocketAddr,
}

impl Default for Management {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
        }
    }
}

/// Where state is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// The store, the vault's key file, the component cache and the management token. Made with mode 0700.
    pub dir: PathBuf,
    /// What a usage row survives once written: a killed `process`, or a `power-loss` too (one `fdatasync` a batch).
    pub durable: Durable,
    /// So much of the disk is left free: at that point no new request is admitted (503), and nothing is lost. Bytes.
    pub keep_free_bytes: u64,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("data"),
            durable: Durable::default(),
            keep_free_bytes: 32 << 20,
        }
    }
}

/// What a written usage row survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durable {
    /// A killed process.
    Process,
    /// A killed process and a lost disk cache.
    #[default]
    PowerLoss,
}

/// The component host.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Components {
    /// The drop-in folder, relative to the working directory. Empty: `components` in the data directory.
    pub dir: PathBuf,
    /// Only components that one of these keys has signed are loaded. Empty: whatever lies in the folder.
    pub trusted_keys: Vec<TrustedKey>,
    /// Whether instances are kept warm or made for each call.
    pub isolation: Isolation,
    /// The same, for single components by name.
    pub isolation_of: HashMap<String, Isolation>,
    /// Remember a provider's plan for calls that would read the same.
    pub memoise: bool,
    /// A larger file is refused.
    pub max_component_bytes: usize,
    /// A guest that needs more memory is stopped.
    pub max_memory_bytes: usize,
    /// A guest call that takes longer is stopped. Milliseconds.
    pub call_timeout_ms: u64,
}

impl Default for Components {
    fn default() -> Self {
        Self {
            dir: PathBuf::new(),
            trusted_keys: Vec::new(),
            isolation: Isolation::default(),
            isolation_of: HashMap::new(),
            memoise: true,
            max_component_bytes: 32 << 20,
            max_memory_bytes: 64 << 20,
            call_timeout_ms: 50,
        }
    }
}

/// How instances are shared between requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// A fresh instance for each call of a component that sees text (a content policy, a translating or answering
    /// provider), warm ones for all others.
    #[default]
    Auto,
    /// Warm instances, each used by one call or stream at a time.
    Pooled,
    /// A fresh instance for each call: nothing can stay behind.
    PerRequest,
}

/// The way to vendors. Milliseconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upstream {
    /// Name resolution, TCP and TLS together.
    pub connect_timeout_ms: u64,
    /// From the request's last byte to the answer's first.
    pub first_byte_timeout_ms: u64,
    /// Between two reads of an answer.
    pub idle_timeout_ms: u64,
    /// Whether vendors that have a WebSocket are asked over it for what came over one. If not, over HTTP as all others.
    pub websocket: bool,
    /// PEM file of further certificate authorities; empty for none.
    pub extra_ca_file: PathBuf,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 5_000,
            first_byte_timeout_ms: 600_000,
            idle_timeout_ms: 300_000,
            websocket: true,
            extra_ca_file: PathBuf::new(),
        }
    }
}

/// Money and calendar.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Governance {
    /// The price of a model that has none. Without it such a model is refused.
    pub default_price: Option<Price>,
    /// IANA zone in which days begin.
    pub time_zone: String,
    /// Micro-units of the base currency for one unit of another, by currency code.
    pub rates: BTreeMap<String, u64>,
    /// The base currency.
    pub currency: String,
    /// The operator's share of each charge that a wallet pays, in millionths of it: booked as a fee, within the charge.
    pub fee_ppm: u32,
}

impl Default for Governance {
    fn default() -> Self {
        Self {
            default_price: None,
            time_zone: "UTC".to_owned(),
            rates: BTreeMap::new(),
            currency: "USD".to_owned(),
            fee_ppm: 0,
        }
    }
}

/// A price as an operator writes it: micro-units of `currency` for a million tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Currency code; the base currency if absent.
    pub currency: Option<String>,
    /// Uncached input.
    pub input: u64,
    /// Input read from the vendor's cache; as `input` if absent.
    pub cache_read: Option<u64>,
    /// Input written to the five-minute cache; as `input` if absent.
    pub cache_write_5m: Option<u64>,
    /// Input written to the one-hour cache; as `input` if absent.
    pub cache_write_1h: Option<u64>,
    /// Output, reasoning included.
    pub output: u64,
}

/// Why the configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not what `tollgate.toml` should be.
    #[error("{path}: {source}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        source: Box<toml::de::Error>,
    },
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has a key or value that is not known.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }
}

impl Config {
    /// The drop-in folder.
    #[must_use]
    pub fn components_dir(&self) -> PathBuf {
        match self.components.dir.as_os_str().is_empty() {
            true => self.data.dir.join("components"),
            false => self.components.dir.clone(),
        }
    }
}

impl Upstream {
    /// As durations: connect, first byte, idle.
    #[must_use]
    pub fn timeouts(&self) -> (Duration, Duration, Duration) {
        (
            Duration::from_millis(self.connect_timeout_ms),
            Duration::from_millis(self.first_byte_timeout_ms),
            Duration::from_millis(self.idle_timeout_ms),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        let config: Config = toml::from_str("").unwrap();
        assert_eq!(config.server.listen.port(), 8080);
        assert_eq!(config.data.durable, Durable::PowerLoss);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = toml::from_str::<Config>("[server]\nlisten_on = \"x\"").unwrap_err();
        assert!(error.to_string().contains("listen_on"), "{error}");
    }
}
