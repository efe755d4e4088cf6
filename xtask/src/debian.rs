//! Installing Debian packages, or saying how.

use std::process::Command;

use anyhow::{Result, bail};

use crate::tools::{self, output, say, which};

/// Installs packages. `purpose` completes "… needed for".
///
/// # Errors
/// Where this is no Debian machine, or not root's: the error has the command to type.
pub(crate) fn install(packages: &[&str], purpose: &str) -> Result<()> {
    let list = packages.join(" ");
    let Some(apt) = which("apt-get") else {
        bail!("{purpose}: needs what Debian calls {list}, and there is no apt-get here");
    };
    if output(Command::new("id").arg("-u")).as_deref() != Some("0") {
        bail!(
            "{purpose}: run once\n    sudo apt-get update && sudo apt-get install -y --no-install-recommends {list}"
        );
    }
    say(&format!("installing {list} for {purpose}"));
    let apt_get = || {
        let mut command = Command::new(&apt);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    tools::run(apt_get().arg("update"))?;
    tools::run(
        apt_get()
            .args(["install", "-y", "--no-install-recommends"])
            .args(packages),
    )
}
