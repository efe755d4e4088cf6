//! `cargo xtask package`: what is shipped, in one archive.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::components;
use crate::tools::{self, say};

/// Files of the tree that belong into the archive, where they exist.
const ALONGSIDE: [&str; 4] = ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"];

/// Where the configuration says that components lie, and where they lie in the archive: beside the program.
const COMPONENTS: [&str; 2] = ["\ndir = \"\"\n", "\ndir = \"components\"\n"];

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
    let [ours, theirs] = COMPONENTS;
    let file = tools::root().join("examples/tollgate.toml");
    let config = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    ensure!(
        config.matches(ours).count() == 1,
        "{} does not name the folder of components as this expects",
        file.display()
    );
    std::fs::write(folder.join("tollgate.toml"), config.replace(ours, theirs))?;
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
