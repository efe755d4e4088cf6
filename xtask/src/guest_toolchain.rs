//! Which compiler builds the guests: rustup's wasm target where there is one, Debian's rustc otherwise.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::debian;
use crate::tools::{self, output, say, which};

/// The target of all guests: no operating system, so nothing to import from one.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];

/// A way to compile guests.
pub(crate) enum GuestToolchain {
    /// The toolchain that builds the host has the target.
    Rustup,
    /// Debian's rustc, with the standard library compiled from its source package.
    Debian { linker: PathBuf },
}

impl GuestToolchain {
    /// What this machine has, without installing anything.
    pub(crate) fn present() -> Option<Self> {
        if rustup_has_target() {
            return Some(Self::Rustup);
        }
        let source = Path::new("/usr/lib/rustlib/src/rust/library/std/Cargo.toml");
        if !(Path::new(DEBIAN_RUSTC).exists() && source.exists()) {
            return None;
        }
        Some(Self::Debian { linker: linker()? })
    }

    /// What this machine has, or can be given.
    pub(crate) fn find_or_install() -> Result<Self> {
        if let Some(found) = Self::present() {
            return Ok(found);
        }
        say(&format!(
            "no Rust compiler for {TARGET} here yet: asking rustup for the target"
        ));
        if rustup_adds_target() && rustup_has_target() {
            return Ok(Self::Rustup);
        }
        // Other machines need the target from rustup's server, or these packages.
        let purpose = format!("compiling guests for {TARGET}, which rustup cannot add here");
        debian::install(&DEBIAN_PACKAGES, &purpose)?;
        match Self::present() {
            Some(found) => Ok(found),
            None => bail!(
                "{} are installed, but no compiler for {TARGET} was found",
                DEBIAN_PACKAGES.join(" ")
            ),
        }
    }

    /// One line for people and for the stamp of what was built.
    pub(crate) fn describe(&self) -> String {
        let version = |mut rustc: Command| output(rustc.arg("--version")).unwrap_or_default();
        match self {
            Self::Rustup => format!("{} with its {TARGET} target", version(host_rustc())),
            Self::Debian { linker } => format!(
                "{} with std from source and {}",
                version(Command::new(DEBIAN_RUSTC)),
                linker.display()
            ),
        }
    }

    /// `cargo build` for guests, with everything set but the packages.
    pub(crate) fn build(&self, target_dir: &Path) -> Command {
        let mut command = match self {
            Self::Rustup => tools::cargo(),
            Self::Debian { .. } => debian_cargo(),
        };
        command
            .args([
                "build",
                "--profile",
                "guest",
                "--target",
                TARGET,
                "--target-dir",
            ])
            .arg(target_dir)
            // Flags for the host's processor would make no sense to a guest's.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_BUILD_RUSTFLAGS")
            .env("CARGO_ENCODED_RUSTFLAGS", nameless());
        if let Self::Debian { linker } = self {
            command
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                .env_remove("RUSTC_WRAPPER")
                .env_remove("RUSTC_WORKSPACE_WRAPPER")
                .env_remove("RUSTUP_TOOLCHAIN");
        }
        command
    }
}

/// Flags that keep the folders of this machine out of a component: messages of panics carry the paths of sources. Who
/// gets a component must not learn whose home it was built in, and two machines shall build the same bytes.
fn nameless() -> String {
    let registry = tools::cargo_home().join("registry/src");
    // Each folder in it is one registry's, a mirror's with the mirror's name. The last prefix that fits counts, so the
    // folders come after what they lie in, which is for those that cargo is yet to make.
    let registries = tools::sorted(&registry).unwrap_or_default();
    let renamed = std::iter::once(registry).chain(registries);
    let renamed = renamed.map(|folder| (folder, "/registry"));
    let flags = std::iter::once((tools::root(), "/tollgate"))
        .chain(renamed)
        .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()));
    flags.collect::<Vec<_>>().join("\u{1f}")
}

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Debian's cargo fits Debian's rustc; the one that runs this does too, as long as it is not older by much.
fn debian_cargo() -> Command {
    let debian = Path::new("/usr/bin/cargo");
    if debian.exists() {
        let mut command = Command::new(debian);
        command.current_dir(tools::root());
        command
    } else {
        tools::cargo()
    }
}

fn host_rustc() -> Command {
    let mut command = Command::new("rustc");
    command.current_dir(tools::root());
    command
}

fn rustup_has_target() -> bool {
    let mut rustc = host_rustc();
    let dir = output(rustc.args(["--print", "target-libdir", "--target", TARGET]));
    // The path is printed whether or not something lies there.
    dir.is_some_and(|dir| Path::new(&dir).is_dir())
}

fn rustup_adds_target() -> bool {
    let Some(rustup) = which("rustup") else {
        return false;
    };
    // Where rustup's server is out of reach this must not hold up the build for minutes.
    let mut command = match which("timeout") {
        Some(timeout) => {
            let mut command = Command::new(timeout);
            command.arg("60").arg(rustup);
            command
        }
        None => Command::new(rustup),
    };
    command
        .current_dir(tools::root())
        .args(["target", "add", TARGET]);
    output(&mut command).is_some()
}

/// A linker for wasm: LLVM's own, or the one that comes with a Rust toolchain.
fn linker() -> Option<PathBuf> {
    let in_toolchain = output(host_rustc().args(["--print", "sysroot"])).and_then(|sysroot| {
        let rustlib = Path::new(&sysroot).join("lib/rustlib");
        let targets = tools::sorted(&rustlib).ok()?;
        let linkers = targets
            .into_iter()
            .map(|target| target.join("bin/rust-lld"));
        linkers.into_iter().find(|file| file.is_file())
    });
    which("wasm-ld-19")
        .or(in_toolchain)
        .or_else(|| which("rust-lld"))
        .or_else(|| which("wasm-ld"))
}
