//! `cargo xtask guards`: breaks each rule that a test guards, one at a time, and sees the test fail.
//!
//! A table beside a crate (`guards.toml`) names what is known to go wrong, the test that protects from it, and how the
//! rule is broken. All breaks go into one copy of the crate, each behind a switch, so that it is compiled once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::tools::{self, say};

/// Crates that have a table.
const CRATES: [&str; 3] = ["runtime/governance", "runtime/dialect", "runtime/store"];

/// The switch: the name of the guard whose rule is broken.
const SWITCH: &str = "TOLLGATE_BROKEN_GUARD";

/// Stands in a table for "this guard's rule is broken".
const BROKEN: &str = "BROKEN";

/// A test whose rule is broken may hang as well as fail.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    guard: Vec<Guard>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Guard {
    /// The known failure.
    name: String,
    /// The test that protects from it, as its program names it.
    test: String,
    /// The file below `tests` that has the test, without its ending; absent: it is a unit test.
    #[serde(rename = "in")]
    place: Option<String>,
    /// The file of the rule, below `src`.
    file: String,
    /// The rule: text that stands there once.
    rule: String,
    /// The same, broken where `BROKEN` is true.
    broken: String,
}

/// Checks every guard of every table.
pub(crate) fn run() -> Result<()> {
    for folder in CRATES {
        check(folder)?;
    }
    Ok(())
}

fn check(folder: &str) -> Result<()> {
    let text = std::fs::read_to_string(tools::root().join(folder).join("guards.toml"))?;
    let table: Table = toml::from_str(&text).with_context(|| format!("{folder}/guards.toml"))?;
    let guards = &table.guard;
    ensure!(!guards.is_empty(), "{folder}/guards.toml has no guard");
    let names: BTreeSet<_> = guards.iter().map(|guard| &guard.name).collect();
    ensure!(names.len() == guards.len(), "two guards have one name");
    let programs = build(&copy(folder, guards)?, guards)?;

    let started = Instant::now();
    for (place, program) in &programs {
        let own = guards.iter().filter(|guard| guard.place == *place);
        pass(program, &own.map(|guard| &*guard.test).collect())?;
    }
    let (next, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(guard) = guards.get(next.fetch_add(1, Ordering::Relaxed)) {
            if !matches!(notices(&programs, guard), Ok(true)) {
                let mut missed = missed.lock().unwrap_or_else(PoisonError::into_inner);
                missed.push(format!("{}: `{}` does not notice", guard.name, guard.test));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let missed = missed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !missed.is_empty() {
        bail!(
            "{} of {} broken rules go unnoticed:\n{}",
            missed.len(),
            guards.len(),
            missed.join("\n")
        );
    }
    say(&format!(
        "guards: {folder}: {} rules broken one by one, each test failed ({:.0} s)",
        guards.len(),
        started.elapsed().as_secs_f32()
    ));
    Ok(())
}

/// A workspace with this crate, every rule of it broken behind its switch, and the crates that it needs. Returns the
/// crate's folder there.
fn copy(folder: &str, guards: &[Guard]) -> Result<PathBuf> {
    let work = tools::target_dir().join("guards").join(folder);
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    let root = tools::root();
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let mut manifest: toml::Table = manifest.parse()?;
    let workspace = manifest
        .get_mut("workspace")
        .and_then(toml::Value::as_table_mut)
        .context("Cargo.toml has a workspace")?;
    let members = with_needed(folder, workspace)?;
    for member in &members {
        for file in tools::files_under(&root.join(member))? {
            let to = work.join(file.strip_prefix(&root)?);
            std::fs::create_dir_all(to.parent().context("a file lies in a directory")?)?;
            std::fs::copy(&file, &to)?;
        }
    }
    workspace.insert("members".to_owned(), members.into());
    workspace.remove("default-members");
    std::fs::write(work.join("Cargo.toml"), toml::to_string(&manifest)?)?;
    std::fs::copy(root.join("Cargo.lock"), work.join("Cargo.lock"))?;

    let source = work.join(folder).join("src");
    for guard in guards {
        let file = source.join(&guard.file);
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("{}: {}", guard.name, guard.file))?;
        ensure!(
            text.matches(&guard.rule).count() == 1 && guard.broken.contains(BROKEN),
            "{}: its rule is not there once in {}: has the code moved on?\n{}",
            guard.name,
            guard.file,
            guard.rule
        );
        let switch = format!("crate::broken({:?})", guard.name);
        let broken = guard.broken.replace(BROKEN, &switch);
        std::fs::write(&file, text.replace(&guard.rule, &broken))?;
    }
    let library = source.join("lib.rs");
    let text = std::fs::read_to_string(&library)?;
    let switch = format!(
        "{text}\npub(crate) fn broken(guard: &str) -> bool {{\n    \
         static BROKEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();\n    \
         BROKEN.get_or_init(|| std::env::var({SWITCH:?}).ok()).as_deref() == Some(guard)\n}}\n"
    );
    std::fs::write(&library, switch)?;
    Ok(work.join(folder))
}

/// The folder of a crate, and those of the crates of this workspace that it is built from.
fn with_needed(folder: &str, workspace: &toml::Table) -> Result<Vec<String>> {
    let mut folders = vec![folder.to_owned()];
    let mut next = 0;
    while let Some(folder) = folders.get(next) {
        let manifest = tools::root().join(folder).join("Cargo.toml");
        let manifest: toml::Table = std::fs::read_to_string(manifest)?.parse()?;
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let names = manifest.get(kind).and_then(toml::Value::as_table);
            for name in names.into_iter().flat_map(toml::Table::keys) {
                let path = workspace
                    .get("dependencies")
                    .and_then(|dependencies| dependencies.get(name)?.get("path")?.as_str());
                if let Some(path) = path.filter(|path| !folders.iter().any(|had| had == path)) {
                    folders.push(path.to_owned());
                }
            }
        }
        next += 1;
    }
    Ok(folders)
}

/// The programs of tests, by [`Guard::place`].
type Programs = BTreeMap<Option<String>, PathBuf>;

/// Builds the tests of the copied crate that guards are in.
fn build(copied: &Path, guards: &[Guard]) -> Result<Programs> {
    let mut cargo = tools::cargo();
    cargo
        .current_dir(copied)
        .env("CARGO_TARGET_DIR", tools::target_dir().join("guards/build"))
        .args(["test", "--release", "--no-run"])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit());
    let places: BTreeSet<_> = guards.iter().map(|guard| &guard.place).collect();
    for place in &places {
        match place {
            Some(name) => cargo.args(["--test", name]),
            None => cargo.arg("--lib"),
        };
    }
    let built = cargo.output()?;
    ensure!(built.status.success(), "the broken rules do not compile");
    #[derive(Deserialize)]
    struct Message {
        executable: PathBuf,
        target: Target,
    }
    #[derive(Deserialize)]
    struct Target {
        kind: Vec<String>,
        name: String,
    }
    let lines = String::from_utf8(built.stdout)?;
    let programs: Programs = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .map(|Message { executable, target }| {
            let place = (target.kind == ["test"]).then_some(target.name);
            (place, executable)
        })
        .collect();
    ensure!(
        programs.keys().eq(places),
        "cargo built other tests than asked"
    );
    Ok(programs)
}

fn command(program: &Path, tests: &BTreeSet<&str>) -> Command {
    let mut command = Command::new(program);
    command.arg("--exact").args(tests);
    command
}

/// Sees to it that these tests are there and pass while no rule is broken.
fn pass(program: &Path, tests: &BTreeSet<&str>) -> Result<()> {
    let ended = command(program, tests).output()?;
    let told = String::from_utf8_lossy(&ended.stdout);
    let ran = format!("running {} test", tests.len());
    ensure!(told.contains(&ran), "not all tests are there: {tests:?}");
    ensure!(
        ended.status.success(),
        "the guards' own tests do not pass:\n{told}"
    );
    Ok(())
}

/// Whether a guard's test fails while its rule is broken.
fn notices(programs: &Programs, guard: &Guard) -> Result<bool> {
    let program = programs
        .get(&guard.place)
        .context("a guard's test was built")?;
    let mut child = command(program, &[&*guard.test].into())
        .env(SWITCH, &guard.name)
        // A failure is what is looked for, not the smallest one.
        .env("PROPTEST_MAX_SHRINK_ITERS", "0")
        .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(!status.success());
        }
        if started.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
