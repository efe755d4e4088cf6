//! Where things are: the binary under test, the components, fixtures, recordings.

use std::path::{Path, PathBuf};

/// The workspace's root folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
        .to_path_buf()
}

/// Where cargo puts what it builds: `CARGO_TARGET_DIR`, else `<workspace>/target`.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The gateway's binary: `TOLLGATE_BIN`, else the release build.
///
/// # Panics
/// When it is not there: a test that skipped itself would say nothing.
pub fn binary() -> PathBuf {
    let path = std::env::var_os("TOLLGATE_BIN")
        .map_or_else(|| target().join("release/tollgate"), PathBuf::from);
    assert!(
        path.is_file(),
        "{} is missing: `cargo xtask test` builds it",
        path.display()
    );
    path
}

/// A built component by its file stem, from `TOLLGATE_COMPONENTS`, else `<target>/components`.
///
/// # Panics
/// When it is not there.
pub fn component(name: &str) -> PathBuf {
    let folder = std::env::var_os("TOLLGATE_COMPONENTS")
        .map_or_else(|| target().join("components"), PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    assert!(
        path.is_file(),
        "{} is missing: `cargo xtask test` builds it",
        path.display()
    );
    path
}

/// A component that another language's toolchain built, by its file stem.
///
/// # Panics
/// When it is not there.
pub fn language(name: &str) -> PathBuf {
    let path = target().join("languages").join(format!("{name}.wasm"));
    assert!(
        path.is_file(),
        "{} is missing: `cargo xtask test languages::` builds it",
        path.display()
    );
    path
}

/// Whether the operator of this run asked to go without guests in other languages; says so when he did.
pub fn without_languages() -> bool {
    let skipped = std::env::var("TOLLGATE_SKIP_LANGUAGES").is_ok_and(|value| value == "1");
    if skipped {
        println!("SKIPPED: no guest in another language, because TOLLGATE_SKIP_LANGUAGES=1");
    }
    skipped
}

/// The bytes of a file under `tests/fixtures`.
///
/// # Panics
/// When it cannot be read.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folder of recorded exchanges, if there is one: `TOLLGATE_RECORDINGS`, else `../shared/recordings`.
///
/// # Panics
/// When `TOLLGATE_RECORDINGS` names no folder: a typing error must not read as "all replayed".
pub fn recordings() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("TOLLGATE_RECORDINGS").map(PathBuf::from) {
        assert!(named.is_dir(), "TOLLGATE_RECORDINGS is no folder");
        return Some(named);
    }
    let beside = workspace().join("../shared/recordings");
    beside.is_dir().then_some(beside)
}
