//! `cargo xtask doctor`: what this machine has and lacks, without changing anything.

use std::process::Command;

use anyhow::Result;

use crate::guest_toolchain::GuestToolchain;
use crate::tools::{output, which};

/// Programs that something needs, and what for.
const PROGRAMS: [(&str, &[&str], &str); 7] = [
    ("cargo", &["--version"], "everything"),
    (
        "cargo-nextest",
        &["nextest", "--version"],
        "tests; `cargo xtask test` installs it",
    ),
    ("cargo-clippy", &["--version"], "lints"),
    (
        "cargo-deny",
        &["--version"],
        "the check of licences and sources",
    ),
    (
        "node",
        &["--version"],
        "tests with Codex CLI and Claude Code",
    ),
    (
        "python3",
        &["--version"],
        "tests with the OpenAI and Anthropic SDKs",
    ),
    ("nginx", &["-v"], "the bench, as the floor to compare with"),
];

/// Prints one line for each.
pub(crate) fn run() -> Result<()> {
    match GuestToolchain::present() {
        Some(toolchain) => println!("ok       guests         {}", toolchain.describe()),
        None => println!(
            "missing  guests         no compiler for them yet; `cargo xtask components` gets one"
        ),
    }
    for (program, args, purpose) in PROGRAMS {
        match which(program) {
            Some(path) => {
                // Some print their version where errors go; that they are there is what counts.
                let version = output(Command::new(path).args(args)).unwrap_or_default();
                let version = version.lines().next().unwrap_or_default();
                println!("ok       {program:<14} {version}");
            }
            None => println!("missing  {program:<14} for {purpose}"),
        }
    }
    Ok(())
}
