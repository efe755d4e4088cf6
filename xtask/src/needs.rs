//! Programs that steps of `cargo xtask test` need: how to see whether they are there, and how to get them.
//!
//! Reachable on a bare machine are the registries of Cargo, PyPI, npm and Debian, and nothing else.

use std::process::Command;

use anyhow::{Result, bail};

use crate::debian;
use crate::tools::{self, output, say};

/// The version of cargo-nextest that is installed where there is none: one that this toolchain builds.
const NEXTEST: &str = "0.9.143";
/// The same for cargo-deny.
const DENY: &str = "0.20.2";
/// Codex's launcher asks for 16, the installer of Claude Code runs on 18, which is what Debian 12 has, and so does the
/// Vercel AI SDK. The command-line clients themselves are programs of their own that come with the packages.
const OLDEST_NODE: u32 = 18;

/// Something that a step needs.
pub(crate) struct Need {
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    /// Its version, if it is there and will do.
    pub(crate) present: fn() -> Option<String>,
    install: fn(&Need) -> Result<()>,
}

pub(crate) const RUSTFMT: Need = Need {
    name: "rustfmt",
    purpose: "the check of the formatting",
    present: || version(tools::cargo().args(["fmt", "--version"])),
    install: |need| rustup(need, "rustfmt"),
};

pub(crate) const CLIPPY: Need = Need {
    name: "clippy",
    purpose: "the lints",
    present: || version(tools::cargo().args(["clippy", "--version"])),
    install: |need| rustup(need, "clippy"),
};

pub(crate) const CARGO_NEXTEST: Need = Need {
    name: "cargo-nextest",
    purpose: "the tests",
    present: || version(tools::cargo().args(["nextest", "--version"])),
    install: |need| cargo_install(need, NEXTEST, &[]),
};

pub(crate) const CARGO_DENY: Need = Need {
    name: "cargo-deny",
    purpose: "the check of licences and sources",
    present: || version(tools::cargo().args(["deny", "--version"])),
    // It runs for seconds; optimising it takes many minutes.
    install: |need| cargo_install(need, DENY, &["--debug"]),
};

pub(crate) const NODE: Need = Need {
    name: "node and npm",
    purpose: "tests with Codex and Claude Code",
    present: || {
        let node = version(Command::new("node").arg("--version"))?;
        let npm = version(Command::new("npm").arg("--version"))?;
        (major(&node)? >= OLDEST_NODE).then(|| format!("node {node}, npm {npm}"))
    },
    install: |need| debian::install(&["nodejs", "npm"], need.purpose),
};

pub(crate) const PYTHON: Need = Need {
    name: "python3 and pip",
    purpose: "tests with the OpenAI and Anthropic SDKs, and a policy in Python",
    present: || version(Command::new("python3").args(["-m", "pip", "--version"])),
    install: |need| debian::install(&["python3", "python3-pip"], need.purpose),
};

pub(crate) const CXX: Need = Need {
    name: "g++",
    purpose: "the fuzzers, whose engine is C++",
    present: || version(Command::new("c++").arg("--version")),
    install: |need| debian::install(&["g++"], need.purpose),
};

pub(crate) const IP: Need = Need {
    name: "ip",
    purpose: "the start of the gateway without a network",
    present: || version(Command::new("ip").arg("-Version")),
    install: |need| debian::install(&["iproute2"], need.purpose),
};

/// All of them, for `cargo xtask doctor`.
pub(crate) const ALL: [Need; 8] = [
    RUSTFMT,
    CLIPPY,
    CARGO_NEXTEST,
    CARGO_DENY,
    NODE,
    PYTHON,
    CXX,
    IP,
];

impl Need {
    /// Installs it where it is missing.
    ///
    /// # Errors
    /// When it cannot be installed, with what a person can do.
    pub(crate) fn ensure(&self) -> Result<()> {
        if (self.present)().is_some() {
            return Ok(());
        }
        (self.install)(self)?;
        if (self.present)().is_none() {
            bail!(
                "{} was installed for {}, but does not run, or is too old",
                self.name,
                self.purpose
            );
        }
        Ok(())
    }
}

fn version(command: &mut Command) -> Option<String> {
    let text = output(command)?;
    text.lines().next().map(str::to_owned)
}

/// The first number of `v18.20.4`.
fn major(version: &str) -> Option<u32> {
    let digits = version.trim_start_matches('v');
    digits.split('.').next()?.parse().ok()
}

fn rustup(need: &Need, component: &str) -> Result<()> {
    say(&format!("installing {component} for {}", need.purpose));
    let added = output(Command::new("rustup").current_dir(tools::root()).args([
        "component",
        "add",
        component,
    ]));
    if added.is_none() {
        bail!(
            "{} is part of rustup's default profile, but not of this toolchain, and rustup cannot fetch it: \
             rustup component add {component}",
            need.name
        );
    }
    Ok(())
}

fn cargo_install(need: &Need, version: &str, further: &[&str]) -> Result<()> {
    say(&format!("installing {} for {}", need.name, need.purpose));
    let mut install = tools::cargo();
    install.args(["install", "--locked", need.name, "--version", version]);
    tools::run(install.args(further))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_node_is_read() {
        assert_eq!(major("v18.20.4"), Some(18));
        assert_eq!(major("20.1.0"), Some(20));
        assert_eq!(major("none"), None);
    }
}
