//! Guests in other languages than Rust, built as the README of each tells its readers to.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::tools::{self, say};

/// The example in Python: its folder, the world it is built for, and its component.
const EXAMPLE: &str = "examples/policy-in-python";
const WORLD: &str = "example:model-budget/model-budget";
const COMPONENT: &str = "model-budget.wasm";
/// The contract that it is built against.
const CONTRACT: &str = "wit/0.1.0";

/// Builds what is not up to date.
///
/// # Errors
/// When the tool cannot be installed, the example's own tests fail, or it does not build.
pub(crate) fn build() -> Result<()> {
    let folder = tools::target_dir().join("languages");
    let example = tools::root().join(EXAMPLE);
    let component = folder.join(COMPONENT);
    let stamp = folder.join("stamp");
    let digest = sources(&example)?;
    if component.exists() && std::fs::read_to_string(&stamp).is_ok_and(|built| built == digest) {
        say("languages: up to date");
        return Ok(());
    }
    let packages = packages(&example, &folder)?;
    let bindings = folder.join("bindings");
    renew(&bindings)?;
    tools::run(componentize(&packages)?.arg("bindings").arg(&bindings))?;
    tools::run(python(&[&bindings, &example])?.args(["-m", "unittest", "policy_test"]))?;
    let mut build = componentize(&packages)?;
    build.args(["componentize", "policy", "--python-path"]);
    tools::run(build.arg(&example).arg("--output").arg(&component))?;
    tools::write_whole(&stamp, digest.as_bytes())
}

/// A digest of all that goes into the component: the example, with the version of its tool, the contract, and this file.
fn sources(example: &Path) -> Result<String> {
    let root = tools::root();
    let mut files = vec![root.join("xtask/src/languages.rs")];
    files.extend(tools::files_under(example)?);
    files.extend(tools::files_under(&root.join(CONTRACT))?);
    tools::digest(&files, WORLD)
}

/// The folder of the packages that an example asks for; installs them where they are not there yet.
fn packages(example: &Path, folder: &Path) -> Result<PathBuf> {
    let requirements = example.join("requirements.txt");
    let wanted = std::fs::read(&requirements)?;
    let packages = folder.join("packages");
    let installed = packages.join("installed.stamp");
    if std::fs::read(&installed).is_ok_and(|there| there == wanted) {
        return Ok(packages);
    }
    say("languages: installing what the example in Python is built with");
    renew(&packages)?;
    // Into a folder of our own rather than a virtual environment: Debian splits `venv` into a package apart.
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-warn-conflicts"])
        .args(["--root-user-action=ignore", "--target"])
        .arg(&packages)
        .arg("--requirement")
        .arg(&requirements);
    tools::run(&mut pip)?;
    tools::write_whole(&installed, &wanted)?;
    Ok(packages)
}

/// Python with these folders on its path. Nothing of the environment but where programs are: what the machine has set
/// must not get into a component.
fn python<P: AsRef<OsStr>>(path: &[P]) -> Result<Command> {
    let mut python = Command::new("python3");
    python
        .current_dir(tools::root())
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("PYTHONPATH", env::join_paths(path)?)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(python)
}

/// `componentize-py` for the contract and the example's world.
fn componentize(packages: &Path) -> Result<Command> {
    let mut command = python(&[packages])?;
    command
        .arg(packages.join("bin/componentize-py"))
        .args(["--wit-path", CONTRACT, "--wit-path"])
        .arg(Path::new(EXAMPLE).join("world.wit"))
        .args(["--world", WORLD]);
    Ok(command)
}

/// An empty folder of that name.
fn renew(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(std::fs::create_dir_all(folder)?)
}
