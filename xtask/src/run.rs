//! `cargo xtask run`: from sources to a gateway that answers, in one command.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::components;
use crate::tools::{self, say};

/// Built like the others, but left out of the folder that is served: the documentation adds it while the gateway runs,
/// which is the point of it.
const ADDED_LATER: &str = "kimi";

/// Builds what is not up to date and becomes the gateway. Arguments go to `tollgate serve`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let args: Vec<&String> = args.iter().skip_while(|arg| *arg == "--").collect();
    components::run()?;
    build_host()?;
    let folder = data_dir(&args, std::env::var_os("TOLLGATE_DATA")).join("components");
    make_private(&folder)?;
    copy_bundled(&folder)?;
    let mut gateway = Command::new(host_binary());
    gateway
        .current_dir(tools::root())
        .args(["serve", "--quickstart"]);
    gateway.args(args);
    become_it(gateway)
}

/// Builds the `tollgate` command.
///
/// The whole workspace is selected, though one program is built: cargo then chooses the same features for every
/// dependency as it does for the tests, and wasmtime is compiled once for both.
pub(crate) fn build_host() -> Result<()> {
    say("host: building");
    tools::run(tools::cargo().args(["build", "--release", "--workspace", "--bin", "tollgate"]))
}

/// Where the command lies once built.
pub(crate) fn host_binary() -> PathBuf {
    tools::target_dir().join("release").join("tollgate")
}

/// Where the gateway that is started with these arguments keeps its data, and looks for components.
fn data_dir(args: &[&String], environment: Option<OsString>) -> PathBuf {
    let mut said = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--data") {
            Some("") => said = args.next().map(OsString::from),
            Some(rest) => said = rest.strip_prefix('=').map(OsString::from).or(said),
            None => {}
        }
    }
    let said = said.or(environment).unwrap_or_else(|| "data".into());
    tools::root().join(said)
}

/// Makes the folder and those above it for their owner alone: the gateway keeps its keys beside the components and refuses
/// a data directory that others can read.
#[cfg(unix)]
fn make_private(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make {}", folder.display()))
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Copies the bundled components, newer ones over older; files of other names are the operator's and stay, and so does a
/// component that has been signed since it was copied.
fn copy_bundled(folder: &Path) -> Result<()> {
    for guest in components::guests()? {
        if guest.name != ADDED_LATER {
            let component = std::fs::read(guest.component())
                .with_context(|| format!("cannot read {}", guest.component().display()))?;
            let there = folder.join(format!("{}.wasm", guest.name));
            if !std::fs::read(&there).is_ok_and(|there| is_signed(&there, &component)) {
                tools::write_whole(&there, &component)?;
            }
        }
    }
    Ok(())
}

/// Whether a file is this component and behind it the section with a signature.
fn is_signed(file: &[u8], component: &[u8]) -> bool {
    let behind = file.strip_prefix(component).unwrap_or_default();
    behind.starts_with(b"\x00\x73\x12tollgate-signature")
}

/// Replaces this process, so that signals reach the gateway itself.
#[cfg(unix)]
fn become_it(mut gateway: Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    let why = gateway.exec();
    Err(why).with_context(|| format!("cannot start {}", host_binary().display()))
}

#[cfg(not(unix))]
fn become_it(mut gateway: Command) -> Result<()> {
    tools::run(&mut gateway)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_component_stays_where_only_its_signature_is_new() {
        let signed = [
            b"\0asm component".as_slice(),
            b"\x00\x73\x12tollgate-signature...",
        ]
        .concat();
        assert!(is_signed(&signed, b"\0asm component"));
        for newer in [b"\0asm another".as_slice(), &signed, b"\0asm comp"] {
            assert!(!is_signed(&signed, newer));
        }
    }

    #[test]
    fn components_go_where_the_gateway_looks_for_them() {
        let with = |args: &[&str], environment: Option<&str>| {
            let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
            let dir = data_dir(
                &args.iter().collect::<Vec<_>>(),
                environment.map(OsString::from),
            );
            dir.strip_prefix(tools::root()).unwrap_or(&dir).to_owned()
        };
        assert_eq!(with(&[], None), Path::new("data"));
        assert_eq!(with(&["--data-of-nobody"], Some("b")), Path::new("b"));
        for said in [&["--data", "a"][..], &["--quickstart", "--data=a"]] {
            assert_eq!(with(said, Some("b")), Path::new("a"));
        }
        assert_eq!(with(&["--data", "/a"], None), Path::new("/a"));
    }

    #[test]
    fn a_fresh_data_directory_is_its_owners_alone() {
        let base = std::env::temp_dir().join(format!("xtask-run-{}", std::process::id()));
        make_private(&base.join("data").join("components")).unwrap();
        let mode = std::fs::metadata(base.join("data"))
            .unwrap()
            .permissions()
            .mode();
        std::fs::remove_dir_all(&base).unwrap();
        assert_eq!(mode & 0o777, 0o700);
    }
}
