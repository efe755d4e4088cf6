//! `cargo xtask package`: what is shipped, in one archive.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::components;
use crate::tools::{self, say};

/// Files of the tree that belong into the archive, where they exist.
const ALONGSIDE: [&str; 5] = [
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "SECURITY.md",
    "examples/tollgate.toml",
];

/// Builds the `dist` profile and packs it with the components.
pub(crate) fn run() -> Result<()> {
    components::run()?;
    say("host: building for distribution");
    tools::run(tools::cargo().args(["build", "--profile", "dist", "--package", "tollgate"]))?;

    let name = format!(
        "tollgate-{}-{}-{}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS
    );
    let package = tools::target_dir().join("package");
    let folder = package.join(&name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    copy(&tools::target_dir().join("dist").join("tollgate"), &folder)?;
    for guest in components::guests()? {
        copy(&guest.component(), &folder.join("components"))?;
    }
    for file in ALONGSIDE {
        let file = tools::root().join(file);
        if file.exists() {
            copy(&file, &folder)?;
        }
    }
    let archive = package.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.arg("--create")
        .arg("--gzip")
        .arg("--file")
        .arg(&archive);
    // The same content gives the same archive, whoever builds it and when.
    tar.args([
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mtime=@0",
        "--directory",
    ]);
    tools::run(tar.arg(&package).arg(&name))?;
    println!("{}", archive.display());
    Ok(())
}

/// Copies a file into a folder, permissions included.
fn copy(file: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let name = file.file_name().context("a file has a name")?;
    std::fs::copy(file, folder.join(name))
        .with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(())
}
