//! The gateway in its modes, each on a fresh data directory, set up through the management API.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::api;
use super::process::Pinned;
use super::run::Target;
use crate::components::components_dir;

/// The model that clients ask for.
pub(crate) const MODEL: &str = "bench";

/// What of the gateway is on the path. All modes check a key, a request rate and a daily limit, and leave a durable
/// usage row.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    /// Plans remembered, no policy: no component works.
    Gateway,
    /// The provider component is called for each request.
    Provider,
    /// As shipped, with two policies: they are called for each request, pure plans are remembered.
    Policies,
    /// Two policies, and the provider called for each request.
    Strict,
    /// As shipped, with a policy that sees all text, of requests and of answers.
    Content,
    /// As shipped, with two policies, asked in another dialect than the upstream's.
    Bridge,
}

impl Mode {
    pub(crate) const ALL: [Self; 6] = [
        Self::Gateway,
        Self::Provider,
        Self::Policies,
        Self::Strict,
        Self::Content,
        Self::Bridge,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Provider => "provider",
            Self::Policies => "policies",
            Self::Strict => "strict",
            Self::Content => "content",
            Self::Bridge => "bridge",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Gateway => "tollgate, no component's work (plan remembered)",
            Self::Provider => "tollgate + provider called each time",
            Self::Policies => {
                "tollgate + provider + 2 policies (as shipped: pure plans remembered)"
            }
            Self::Strict => "tollgate + provider + 2 policies, all called each time",
            Self::Content => "tollgate + provider + redact (sees all text both ways)",
            Self::Bridge => {
                "tollgate + provider + 2 policies, Messages bridged onto Chat Completions"
            }
        }
    }
}

/// Starts the gateway on core 0 and sets it up.
pub(crate) fn start(mode: Mode, binary: &Path, upstream: &str, scratch: &Path) -> Result<Target> {
    let folder = scratch.join(mode.name());
    let components = folder.join("components");
    fs::create_dir_all(&components)?;
    for name in ["openai", "office-hours", "model-tiers", "redact"] {
        let file = format!("{name}.wasm");
        fs::copy(components_dir().join(&file), components.join(&file))
            .with_context(|| format!("component {name}"))?;
    }
    let data = folder.join("data");
    let config = folder.join("tollgate.toml");
    fs::write(&config, settings(mode, &data, &components))?;

    let args = ["--config", &config.to_string_lossy(), "serve"].map(str::to_owned);
    let mut gateway = Pinned::start(0, binary, &args, scratch, mode.name())?;
    let (address, management) = gateway.wait_for("its addresses", || addresses(&data))?;
    let token = fs::read_to_string(data.join("management-token"))?;
    let key = set_up(mode, management, token.trim(), upstream)
        .with_context(|| format!("setting up `{}`", mode.name()))?;
    gateway.wait_for("/readyz", || {
        api::call(address, "GET", "/readyz", "", "")
            .ok()
            .filter(|(status, _)| *status == 200)
    })?;
    let counted = (management, token.trim().to_owned());
    let target = Target::running(
        mode.name(),
        mode.label(),
        gateway,
        &address.to_string(),
        &key,
    )
    .with_usage(counted);
    Ok(match mode {
        Mode::Bridge => target.bridged(),
        Mode::Content => target.rewritten(),
        _ => target,
    })
}

fn settings(mode: Mode, data: &Path, components: &Path) -> String {
    let memoise = !matches!(mode, Mode::Provider | Mode::Strict);
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n\
         [management]\nlisten = \"127.0.0.1:0\"\n\
         [data]\ndir = {data:?}\n\
         [components]\ndir = {components:?}\nmemoise = {memoise}\n"
    )
}

fn addresses(data: &Path) -> Option<(SocketAddr, SocketAddr)> {
    let value: Value = serde_json::from_slice(&fs::read(data.join("addresses.json")).ok()?).ok()?;
    Some((
        value["server"].as_str()?.parse().ok()?,
        value["management"].as_str()?.parse().ok()?,
    ))
}

/// An account two levels down with limits on each, its key, the upstream, the policies. Limits are checked and counted
/// but never reached.
fn set_up(mode: Mode, management: SocketAddr, token: &str, upstream: &str) -> Result<String> {
    let call =
        |method: &str, path: &str, body: Value| api::manage(management, token, method, path, &body);
    let limits = json!({ "rpm": 1_000_000_000_u64, "daily_limit": 1_000_000_000_000_000_u64 });
    call(
        "PUT",
        "/api/credentials/bench",
        json!({ "fields": { "api-key": "sk-bench-upstream" } }),
    )?;
    call(
        "PUT",
        "/api/upstreams/bench",
        json!({
            "provider": "openai", "base_url": format!("http://{upstream}"), "credential": "bench", "tier": "standard",
            "models": [{ "id": MODEL, "operations": ["chat-completions"], "price": { "currency": "USD", "input": 1_000_000, "output": 4_000_000 } }],
        }),
    )?;
    call(
        "POST",
        "/api/accounts",
        json!({ "name": "team", "parent": "root", "limits": limits }),
    )?;
    call(
        "POST",
        "/api/accounts",
        json!({ "name": "person", "parent": "root/team", "limits": limits }),
    )?;
    let key = call(
        "POST",
        "/api/keys",
        json!({ "account": "root/team/person", "label": "bench" }),
    )?;
    let policy = |id: &str, component: &str, account: &str, config: Value| {
        let body = json!({ "component": component, "account": account, "config": config });
        call("PUT", &format!("/api/policies/{id}"), body)
    };
    if matches!(mode, Mode::Content) {
        let patterns = json!({ "patterns": [{ "name": "email" }, { "name": "card" }] });
        policy("redact", "redact", "root/team", patterns)?;
    }
    if matches!(mode, Mode::Policies | Mode::Strict | Mode::Bridge) {
        let always =
            json!({ "zone": "UTC", "days": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "24:00" });
        policy("hours", "office-hours", "root", always)?;
        policy(
            "tiers",
            "model-tiers",
            "root/team",
            json!({ "tiers": [["standard"]], "by": "price" }),
        )?;
    }
    Ok(key["key"]
        .as_str()
        .context("the key was not shown")?
        .to_owned())
}
