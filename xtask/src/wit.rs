//! The contract's own checks: frozen versions, compatibility, components against it, and its page of documentation.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::contract::{self, Contract, Side};
use crate::tools::{self, say};
use crate::wit_docs;

/// `cargo xtask wit [--write | --freeze VERSION]`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => check(),
        ["--write"] => {
            tools::write_whole(&page(), wit_docs::render(&latest()?)?.as_bytes())?;
            println!("{}", page().display());
            Ok(())
        }
        ["--freeze", version] => contract::freeze(version),
        _ => bail!("usage: cargo xtask wit [--write | --freeze VERSION]"),
    }
}

/// Everything that can be checked without a component.
pub(crate) fn check() -> Result<()> {
    let versions = contract::versions()?;
    contract::check_frozen()?;
    for pair in versions.windows(2) {
        contract::check_compatible(&Contract::read(&pair[0])?, &Contract::read(&pair[1])?)?;
    }
    for version in &versions {
        let missing = wit_docs::undocumented(&Contract::read(version)?);
        if !missing.is_empty() {
            bail!(
                "wit/{version} does not document:\n  {}",
                missing.join("\n  ")
            );
        }
    }
    for version in &versions {
        check_kept(version)?;
    }
    let written = std::fs::read_to_string(page()).unwrap_or_default();
    if written != wit_docs::render(&latest()?)? {
        bail!("docs/wit.md does not say what wit/ says: run `cargo xtask wit --write`");
    }
    say(&format!(
        "contract: {} frozen, compatible and documented item by item, docs/wit.md up to date",
        versions.join(", ")
    ));
    Ok(())
}

/// The components that were kept when the version was frozen: one at least, each as the contract says, and together they
/// export every interface of it.
fn check_kept(version: &str) -> Result<()> {
    let dir = tools::root()
        .join("runtime/plugin/tests/frozen")
        .join(version);
    let mut exported = Vec::new();
    for file in tools::sorted(&dir)? {
        if file.extension().is_some_and(|of| of == "wasm") {
            let surface = contract::check_component(&std::fs::read(&file)?)
                .with_context(|| file.display().to_string())?;
            exported.extend(surface.exports);
        }
    }
    let contract = Contract::read(version)?;
    for (name, _, side) in contract.interfaces() {
        if side == Side::Export && !exported.contains(&name) {
            bail!(
                "no component in {} exports `{name}` of {version}",
                dir.display()
            );
        }
    }
    Ok(())
}

/// Every component that was built, against the contract it was built for.
pub(crate) fn check_components() -> Result<()> {
    let guests = crate::components::guests()?;
    for guest in &guests {
        let file = guest.component();
        let component =
            std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        contract::check_component(&component)
            .with_context(|| format!("{} is not as the contract says", guest.name))?;
    }
    say(&format!(
        "contract: {} components are as it says",
        guests.len()
    ));
    Ok(())
}

/// The guests that readers copy: they must build, be as the contract says, and pass their own tests.
pub(crate) fn check_examples() -> Result<()> {
    for example in ["provider-from-scratch", "policy-from-scratch"] {
        let dir = tools::root().join("examples").join(example);
        let component = crate::components::build_in(&dir)?;
        contract::check_component(&component).with_context(|| format!("examples/{example}"))?;
        let mut test = tools::cargo();
        test.args(["test", "--release", "--quiet", "--target-dir"])
            .arg(tools::target_dir().join("examples"));
        tools::run(test.arg("--manifest-path").arg(dir.join("Cargo.toml")))?;
    }
    Ok(())
}

fn latest() -> Result<Contract> {
    let versions = contract::versions()?;
    Contract::read(versions.last().context("wit/ holds no version")?)
}

fn page() -> PathBuf {
    tools::root().join("docs/wit.md")
}
