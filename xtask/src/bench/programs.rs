//! What a measurement needs to be there: nginx, wrk, the gateway, the canned upstream, the components.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::components;
use crate::tools::{cargo, run, say, target_dir, which};

/// Installs what Debian has and this machine has not: what pins, and where something is measured over HTTP, what that needs.
pub(crate) fn install(http: bool) -> Result<()> {
    let mut needed = vec![("taskset", "util-linux")];
    if http {
        needed.extend([("nginx", "nginx-light"), ("wrk", "wrk")]);
    }
    let missing: Vec<&str> = needed
        .into_iter()
        .filter(|(program, _)| which(program).is_none())
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if which("apt-get").is_none() {
        bail!(
            "please install {}: there is no apt-get here to do it",
            missing.join(", ")
        );
    }
    say(&format!("installing {}", missing.join(", ")));
    let apt = |args: &[&str]| {
        run(Command::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-qq"])?;
    let arguments = [
        &["install", "-y", "-qq", "--no-install-recommends"],
        missing.as_slice(),
    ]
    .concat();
    apt(&arguments).context("is this run as root?")
}

/// The built programs.
pub(crate) struct Programs {
    pub(crate) upstream: PathBuf,
    pub(crate) load: PathBuf,
    pub(crate) bare: PathBuf,
    pub(crate) gateway: Option<PathBuf>,
}

impl Programs {
    /// Builds what is wanted and says where it lies.
    pub(crate) fn build(profile: &str, gateway: bool, build: bool) -> Result<Self> {
        let programs = Self {
            upstream: target_dir().join("release/bench-upstream"),
            load: target_dir().join("release/bench-load"),
            bare: target_dir().join(profile).join("examples/bare-proxy"),
            gateway: gateway.then(|| {
                std::env::var_os("TOLLGATE_BIN").map_or_else(
                    || target_dir().join(profile).join("tollgate"),
                    PathBuf::from,
                )
            }),
        };
        if build {
            say("building the bench's upstream and load");
            run(cargo()
                .args(["build", "--release", "-p", "tollgate-tests"])
                .args(["--bin", "bench-upstream", "--bin", "bench-load"]))?;
            run(cargo()
                .args(["build", "--profile", profile, "-p", "tollgate-upstream"])
                .args(["--example", "bare-proxy"]))?;
            if gateway {
                components::run()?;
                say(&format!("building the gateway (profile {profile})"));
                run(cargo().args(["build", "--profile", profile, "-p", "tollgate"]))?;
            }
        }
        for file in [
            Some(&programs.upstream),
            Some(&programs.load),
            Some(&programs.bare),
            programs.gateway.as_ref(),
        ]
        .into_iter()
        .flatten()
        {
            if !file.is_file() {
                bail!("{} is not built", file.display());
            }
        }
        Ok(programs)
    }
}
