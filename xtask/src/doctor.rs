//! `cargo xtask doctor`: what this machine has and lacks, without changing anything.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::guest_toolchain::GuestToolchain;
use crate::needs;
use crate::tools::{output, which};

/// Prints one line for each. That something is missing is no error: most of it is installed when it is needed.
pub(crate) fn run() -> Result<()> {
    let rust = output(Command::new("rustc").arg("--version"));
    line("rust", rust, "everything");
    let guests = GuestToolchain::present().map(|toolchain| toolchain.describe());
    line("guests", guests, "components; `cargo xtask run` gets it");
    for need in needs::ALL {
        let purpose = format!("{}; `cargo xtask test` gets it", need.purpose);
        line(need.name, (need.present)(), &purpose);
    }
    // Where it says its version is of no interest, so its place is told.
    let nginx = which("nginx").map(|path: PathBuf| path.display().to_string());
    line("nginx", nginx, "the bench, as the floor to compare with");
    Ok(())
}

fn line(name: &str, found: Option<String>, purpose: &str) {
    match found {
        Some(version) => println!("ok       {name:<16} {version}"),
        None => println!("missing  {name:<16} for {purpose}"),
    }
}
