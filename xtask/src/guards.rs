//! `cargo xtask guards`: breaks each rule that a test guards, one at a time, and sees the test fail.
//!
//! A table beside a crate (`guards.toml`) names what is known to go wrong, the test that protects from it, and how the
//! rule is broken. All breaks go into one copy of the crate, each behind a switch, so that it is compiled once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::tools::{self, say};

/// Crates that have a table.
const CRATES: [&str; 2] = ["runtime/governance", "runtime/dialect"];

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
    /// The test that protects from it, as its crate's unit tests name it.
    test: String,
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
    let tests = build(&copy(folder, guards)?)?;

    let started = Instant::now();
    let whole = outcome(&tests, None, guards)?;
    ensure!(
        whole == Outcome::Passed,
        "the guards' own tests do not pass, or are not all there"
    );
    let (next, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(guard) = guards.get(next.fetch_add(1, Ordering::Relaxed)) {
            let seen = outcome(&tests, Some(&guard.name), std::slice::from_ref(guard));
            if !matches!(seen, Ok(Outcome::Failed)) {
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

/// A workspace with this crate alone, every rule of it broken behind its switch.
fn copy(folder: &str, guards: &[Guard]) -> Result<PathBuf> {
    let work = tools::target_dir().join("guards").join(folder);
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    let root = tools::root();
    for file in tools::files_under(&root.join(folder))? {
        let to = work.join(file.strip_prefix(&root)?);
        std::fs::create_dir_all(to.parent().context("a file lies in a directory")?)?;
        std::fs::copy(&file, &to)?;
    }
    std::fs::copy(root.join("Cargo.lock"), work.join("Cargo.lock"))?;
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let mut manifest: toml::Table = manifest.parse()?;
    let workspace = manifest
        .get_mut("workspace")
        .and_then(toml::Value::as_table_mut)
        .context("Cargo.toml has a workspace")?;
    workspace.insert("members".to_owned(), vec![folder].into());
    workspace.remove("default-members");
    std::fs::write(work.join("Cargo.toml"), toml::to_string(&manifest)?)?;

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
    Ok(work)
}

/// Builds the unit tests of the copy and says where they are.
fn build(work: &Path) -> Result<PathBuf> {
    let mut cargo = tools::cargo();
    cargo
        .current_dir(work)
        .env("CARGO_TARGET_DIR", tools::target_dir().join("guards/build"))
        .args(["test", "--release", "--lib", "--no-run"])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit());
    let built = cargo.output()?;
    ensure!(built.status.success(), "the broken rules do not compile");
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
    }
    let lines = String::from_utf8(built.stdout)?;
    let mut messages = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let tests = messages.find_map(|message| message.executable);
    tests.context("cargo built no tests")
}

#[derive(PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
}

/// Runs the tests of these guards, one rule broken or none.
fn outcome(tests: &Path, broken: Option<&str>, guards: &[Guard]) -> Result<Outcome> {
    let wanted: BTreeSet<_> = guards.iter().map(|guard| guard.test.as_str()).collect();
    let mut command = Command::new(tests);
    command
        .arg("--exact")
        .args(&wanted)
        // A failure is what is looked for, not the smallest one.
        .envs([("PROPTEST_MAX_SHRINK_ITERS", "0")])
        .envs([("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(name) = broken {
        command.env(SWITCH, name);
    }
    let mut child = command.spawn()?;
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if broken.is_some() && started.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(Outcome::Failed);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let ended = child.wait_with_output()?;
    let told = String::from_utf8_lossy(&ended.stdout);
    let ran = format!("running {} test", wanted.len());
    ensure!(told.contains(&ran), "not all tests are there: {wanted:?}");
    Ok(match ended.status.success() {
        true => Outcome::Passed,
        false => Outcome::Failed,
    })
}
