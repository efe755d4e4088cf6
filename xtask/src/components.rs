//! Builds every guest into a component, and only those whose sources changed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use wit_component::ComponentEncoder;

use crate::contract;
use crate::guest_toolchain::{GuestToolchain, TARGET};
use crate::tools::{self, say};

/// A guest crate.
pub(crate) struct Guest {
    /// The component's name: the directory's.
    pub(crate) name: String,
    package: String,
    dir: PathBuf,
}

impl Guest {
    /// Where its component lies.
    pub(crate) fn component(&self) -> PathBuf {
        components_dir().join(format!("{}.wasm", self.name))
    }

    fn stamp(&self) -> PathBuf {
        components_dir().join(".stamps").join(&self.name)
    }

    /// Whether the component was built from just this.
    fn is_fresh(&self, digest: &str) -> bool {
        let stamped = std::fs::read_to_string(self.stamp());
        self.component().exists() && stamped.is_ok_and(|stamped| stamped == digest)
    }
}

/// Where components are put.
pub(crate) fn components_dir() -> PathBuf {
    tools::target_dir().join("components")
}

/// Every guest of the workspace, in a stable order.
pub(crate) fn guests() -> Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for folder in ["guest-providers", "guest-policies"] {
        for dir in tools::sorted(&tools::root().join(folder))? {
            let manifest = dir.join("Cargo.toml");
            if !manifest.exists() {
                continue;
            }
            let name = dir
                .file_name()
                .context("a directory has a name")?
                .to_string_lossy()
                .into_owned();
            let text = std::fs::read_to_string(&manifest)
                .with_context(|| format!("cannot read {}", manifest.display()))?;
            let manifest: toml::Table = text
                .parse()
                .with_context(|| format!("cannot read {}", manifest.display()))?;
            let package = manifest["package"]["name"].as_str();
            let package = package.context("a package has a name")?.to_owned();
            guests.push(Guest { name, package, dir });
        }
    }
    Ok(guests)
}

/// Builds what is not up to date.
pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    let toolchain = GuestToolchain::find_or_install()?;
    let guests = guests()?;
    let mut stale = Vec::new();
    for guest in &guests {
        let digest = sources(guest, &toolchain)?;
        if !guest.is_fresh(&digest) {
            stale.push((guest, digest));
        }
    }
    if stale.is_empty() {
        say(&format!("components: {} up to date", guests.len()));
        return Ok(());
    }
    say(&format!(
        "components: building {} of {} with {}",
        stale.len(),
        guests.len(),
        toolchain.describe()
    ));
    let target_dir = tools::target_dir().join("guest");
    let mut build = toolchain.build(&target_dir);
    for (guest, _) in &stale {
        build.args(["--package", &guest.package]);
    }
    tools::run(&mut build)?;
    for (guest, digest) in &stale {
        let module = guest.package.replace('-', "_");
        let module = target_dir
            .join(TARGET)
            .join("guest")
            .join(format!("{module}.wasm"));
        let component = encode(&module)?;
        let surface = contract::check_component(&component)
            .with_context(|| format!("{} is not as the contract says", guest.name))?;
        tools::write_whole(&guest.component(), &component)?;
        tools::write_whole(&guest.stamp(), digest.as_bytes())?;
        println!(
            "{:>9} bytes  {}: exports {}; imports {}",
            component.len(),
            guest.name,
            surface.exports.join(", "),
            surface.imports.join(", ")
        );
    }
    say(&format!(
        "components: done in {:.1} s",
        started.elapsed().as_secs_f32()
    ));
    Ok(())
}

/// `cargo xtask component DIR [OUT]`: builds the guest in a folder, wherever it lies.
pub(crate) fn build_one(args: &[String]) -> Result<()> {
    let (dir, out) = match args {
        [dir] => (Path::new(dir), None),
        [dir, out] => (Path::new(dir), Some(PathBuf::from(out))),
        _ => bail!("usage: cargo xtask component DIR [OUT.wasm]"),
    };
    let component = build_in(dir)?;
    let surface = contract::check_component(&component)?;
    let out = out.unwrap_or_else(|| {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        PathBuf::from(format!("{name}.wasm"))
    });
    std::fs::write(&out, &component).with_context(|| format!("cannot write {}", out.display()))?;
    println!(
        "{} bytes  {}: exports {}",
        component.len(),
        out.display(),
        surface.exports.join(", ")
    );
    Ok(())
}

/// Builds the guest in a folder that may be a workspace of its own.
pub(crate) fn build_in(dir: &Path) -> Result<Vec<u8>> {
    let manifest = dir.join("Cargo.toml");
    let manifest = manifest
        .canonicalize()
        .with_context(|| format!("cannot find {}", manifest.display()))?;
    let library = library_name(&manifest)?;
    let target_dir = tools::target_dir().join("guest");
    let mut build = GuestToolchain::find_or_install()?.build(&target_dir);
    tools::run(build.arg("--manifest-path").arg(&manifest))?;
    encode(
        &target_dir
            .join(TARGET)
            .join("guest")
            .join(format!("{library}.wasm")),
    )
}

/// What cargo calls a package's library.
fn library_name(manifest: &Path) -> Result<String> {
    let mut metadata = tools::cargo();
    metadata
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--manifest-path",
        ])
        .arg(manifest);
    let text = tools::output(&mut metadata)
        .with_context(|| format!("cargo cannot read {}", manifest.display()))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mine =
        |package: &&serde_json::Value| package["manifest_path"].as_str() == manifest.to_str();
    let targets = packages
        .filter(mine)
        .flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let is_component = |target: &&serde_json::Value| {
        target["crate_types"]
            .as_array()
            .is_some_and(|types| types.iter().any(|of| of == "cdylib"))
    };
    let library = targets
        .into_iter()
        .find(is_component)
        .and_then(|target| target["name"].as_str());
    let library = library
        .with_context(|| format!("{} has no library of the type `cdylib`", manifest.display()))?;
    Ok(library.replace('-', "_"))
}

/// Wraps a core module, which carries the description of its interfaces, into a component.
fn encode(module: &Path) -> Result<Vec<u8>> {
    let bytes =
        std::fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    for folder in [tools::root(), tools::cargo_home()] {
        let folder = folder.to_string_lossy();
        ensure!(
            !bytes
                .windows(folder.len())
                .any(|window| window == folder.as_bytes()),
            "{} names {folder}: a component must not tell where it was built",
            module.display()
        );
    }
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(ComponentEncoder::encode)
        .with_context(|| format!("cannot make a component of {}", module.display()))
}

/// A digest of all that goes into a component: the guest, the SDK, the contract, versions, compiler, and this file.
fn sources(guest: &Guest, toolchain: &GuestToolchain) -> Result<String> {
    let root = tools::root();
    let mut files = vec![
        root.join("Cargo.toml"),
        root.join("Cargo.lock"),
        root.join("xtask/src/components.rs"),
        root.join("xtask/src/guest_toolchain.rs"),
    ];
    for dir in [&guest.dir, &root.join("sdk"), &root.join("wit")] {
        files.extend(tools::files_under(dir)?);
    }
    tools::digest(&files, &toolchain.describe())
}
