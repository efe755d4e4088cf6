//! The client of the management API: one request at a time, JSON both ways.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;
use tollgate_gateway::config::Config;
use tollgate_gateway::control::data_dir::{DataDir, read_secret};

/// A connection to a running gateway's management API.
pub(crate) struct Api {
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Api {
    /// Finds the gateway: the address given, else the one that runs on the data directory, else the configured one.
    /// The token comes from `TOLLGATE_TOKEN` or from the data directory.
    ///
    /// # Errors
    /// There is no token, or its file is open to others.
    pub(crate) fn find(config: &Config, management: Option<&str>) -> anyhow::Result<Self> {
        let data = DataDir::at(&config.data.dir);
        let base = match management {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => {
                running_at(&data).unwrap_or_else(|| format!("http://{}", config.management.listen))
            }
        };
        if !base.starts_with("http://") {
            bail!("--management must be http://HOST:PORT, not {base:?}");
        }
        let token = match std::env::var("TOLLGATE_TOKEN") {
            Ok(token) if !token.trim().is_empty() => token.trim().to_owned(),
            _ => read_secret(&data.management_token())?.ok_or_else(|| {
                anyhow!(
                    "no management token: set TOLLGATE_TOKEN, or run this where the gateway's data directory is ({} has none)",
                    data.root().display()
                )
            })?,
        };
        Ok(Self::new(base, token))
    }

    /// A client for a known address.
    pub(crate) fn new(base: String, token: String) -> Self {
        Self {
            agent: agent(Some(Duration::from_secs(60))),
            base,
            token,
        }
    }

    /// The same, for what takes as long as it takes.
    pub(crate) fn without_hurry(self) -> Self {
        Self {
            agent: agent(None),
            ..self
        }
    }

    /// Asks for something.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send("GET", path, None)
    }

    /// Sends something.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let response = self.ask(method, path, body)?;
        self.read(response)
    }

    /// Asks for something that is not JSON and may be large: it is read as it comes.
    pub(crate) fn stream(&self, path: &str) -> anyhow::Result<impl std::io::Read + use<>> {
        let response = self.ask("GET", path, None)?;
        if response.status().is_success() {
            return Ok(response.into_body().into_reader());
        }
        self.read(response)?;
        bail!("{} answered without a reason", self.base)
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<ureq::http::Response<ureq::Body>> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(body.map(Value::to_string).unwrap_or_default())
            .context("the management address is not a URL")?;
        self.agent.run(request).map_err(|error| {
            anyhow!(
                "no gateway answers at {} ({error}); start one with `tollgate serve`",
                self.base
            )
        })
    }

    /// The answer, or what the refusal says.
    fn read(&self, mut response: ureq::http::Response<ureq::Body>) -> anyhow::Result<Value> {
        let status = response.status();
        let text = response
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string()
            .context("the answer broke off")?;
        let value: Value = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).map_err(|_| {
                anyhow!(
                    "{} did not answer as a Tollgate management API does (status {status})",
                    self.base
                )
            })?
        };
        if status.is_success() {
            return Ok(value);
        }
        let error = &value["error"];
        let message = error["message"].as_str().unwrap_or("no reason given");
        let text = match error["field"].as_str() {
            Some(field) => format!("{field}: {message}"),
            None if status.as_u16() == 401 => format!("{message} (from {})", self.base),
            None => message.to_owned(),
        };
        let status = status.as_u16();
        Err(Refused { status, text }.into())
    }
}

/// What a gateway says instead of doing what it was asked.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The status of its answer.
    pub(crate) status: u16,
    text: String,
}

impl Refused {
    #[cfg(test)]
    pub(crate) fn new(status: u16, text: &str) -> Self {
        let text = text.to_owned();
        Self { status, text }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refused {}

fn agent(patience: Option<Duration>) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(patience)
        .proxy(None)
        .max_redirects(0)
        .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// What a gateway that runs on the data directory wrote down of itself; null where none did.
pub(crate) fn published(data: &DataDir) -> Value {
    let text = std::fs::read_to_string(data.addresses()).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The management address that a running gateway wrote down, where it did.
fn running_at(data: &DataDir) -> Option<String> {
    let told = published(data);
    let address = told["management"].as_str()?;
    Some(format!("http://{address}"))
}

/// Escapes one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    escape(text, b"-._~")
}

/// Escapes a path of segments; slashes stay.
pub(crate) fn path(text: &str) -> String {
    escape(text, b"-._~/")
}

fn escape(text: &str, plain: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_segment() {
        assert_eq!(segment("a/b?c=ü"), "a%2Fb%3Fc%3D%C3%BC");
        assert_eq!(path("root/a b"), "root/a%20b");
    }
}
