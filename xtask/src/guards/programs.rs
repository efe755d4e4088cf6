//! The programs that have the tests, run with one rule broken, or none.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::{Guard, SWITCH};
use crate::{components, tools};

/// A test whose rule is broken may hang as well as fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command with broken rules is built beside the one without: it needs a name of its own.
pub(super) const COMMAND: &str = "tollgate-broken";

/// The program of the end-to-end tests.
const END_TO_END: &str = "e2e";

pub(super) struct Programs {
    /// By [`Guard::place`].
    by_place: BTreeMap<Option<String>, PathBuf>,
    /// What end-to-end tests run.
    command: Option<PathBuf>,
}

impl Programs {
    /// The tests of a copied crate that guards are in.
    pub(super) fn of_the_crate(copied: &Path, guards: &[Guard]) -> Result<Self> {
        let mut cargo = tools::cargo();
        cargo
            .current_dir(copied)
            .env("CARGO_TARGET_DIR", tools::target_dir().join("guards/build"))
            .args(["test", "--release", "--no-run"]);
        let places: BTreeSet<_> = guards.iter().map(|guard| guard.place.clone()).collect();
        for place in &places {
            match place {
                Some(name) => cargo.args(["--test", name]),
                None => cargo.arg("--lib"),
            };
        }
        let built = built(&mut cargo)?;
        let by_place: BTreeMap<_, _> = built
            .into_iter()
            .map(|Built { executable, target }| {
                let place = (target.kind == ["test"]).then_some(target.name);
                (place, executable)
            })
            .collect();
        ensure!(
            by_place.keys().eq(&places),
            "cargo built other tests than asked"
        );
        Ok(Self {
            by_place,
            command: None,
        })
    }

    /// The end-to-end tests as they are, and the command as it is in the copied workspace.
    pub(super) fn end_to_end(copied: &Path) -> Result<Self> {
        let mut cargo = tools::cargo();
        cargo
            .current_dir(copied)
            .env("CARGO_TARGET_DIR", tools::target_dir())
            .args(["build", "--release", "--workspace", "--bin", COMMAND]);
        let command = named(built(&mut cargo)?, COMMAND)?;
        let mut cargo = tools::cargo();
        cargo.args(["test", "--release", "--workspace", "--no-run"]);
        cargo.args(["--test", END_TO_END]);
        let tests = named(built(&mut cargo)?, END_TO_END)?;
        Ok(Self {
            by_place: [(None, tests)].into(),
            command: Some(command),
        })
    }

    /// Sees to it that the tests are there and pass while no rule is broken.
    pub(super) fn pass(&self, guards: &[Guard]) -> Result<()> {
        for place in self.by_place.keys() {
            let own = guards.iter().filter(|guard| guard.place == *place);
            let tests: BTreeSet<_> = own.map(|guard| &*guard.test).collect();
            let ended = self.command(place, &tests)?.output()?;
            let told = String::from_utf8_lossy(&ended.stdout);
            let ran = format!("running {} test", tests.len());
            ensure!(told.contains(&ran), "not all tests are there: {tests:?}");
            ensure!(
                ended.status.success(),
                "the guards' own tests do not pass:\n{told}"
            );
        }
        Ok(())
    }

    /// Whether a guard's test fails while its rule is broken.
    pub(super) fn notice(&self, guard: &Guard) -> Result<bool> {
        let mut command = self.command(&guard.place, &[&*guard.test].into())?;
        if let Some(tollgate) = &self.command {
            command.env("TOLLGATE_BIN", switched(tollgate, guard)?);
        }
        let mut child = command
            .env(SWITCH, &guard.name)
            // A failure is what is looked for, not the smallest one.
            .env("PROPTEST_MAX_SHRINK_ITERS", "0")
            .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(!status.success());
            }
            if started.elapsed() > PATIENCE {
                // With what the test has started.
                let group = format!("-{}", child.id());
                tools::run(Command::new("kill").args(["-KILL", "--", &group]))?;
                child.wait()?;
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn command(&self, place: &Option<String>, tests: &BTreeSet<&str>) -> Result<Command> {
        let program = self.by_place.get(place);
        let mut command = Command::new(program.context("a guard's test was built")?);
        command.arg("--exact").args(tests);
        if let Some(tollgate) = &self.command {
            command
                .env("CARGO_TARGET_DIR", tools::target_dir())
                .env("TOLLGATE_BIN", tollgate)
                .env("TOLLGATE_COMPONENTS", components::components_dir());
        }
        Ok(command)
    }
}

/// The command with a rule broken. The tests start it with an environment of its own, so the switch is in what they start.
fn switched(tollgate: &Path, guard: &Guard) -> Result<PathBuf> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let script = format!(
        "#!/bin/sh\n{SWITCH}={} exec {} \"$@\"\n",
        quoted(&guard.name),
        quoted(&tollgate.to_string_lossy()),
    );
    let folder = tools::target_dir().join("guards/switched");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(guard.name.replace([' ', '/'], "-"));
    std::fs::write(&file, script)?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
    Ok(file)
}

/// What cargo says of a program that it has built.
#[derive(Deserialize)]
struct Built {
    executable: PathBuf,
    target: Target,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

fn built(cargo: &mut Command) -> Result<Vec<Built>> {
    cargo
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit());
    let ended = cargo.output()?;
    ensure!(ended.status.success(), "the broken rules do not compile");
    let lines = String::from_utf8(ended.stdout)?;
    let built = lines
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    Ok(built.collect())
}

/// The one of this name: beside tests cargo builds the programs of their package.
fn named(built: Vec<Built>, name: &str) -> Result<PathBuf> {
    let found = built.into_iter().find(|built| built.target.name == name);
    Ok(found
        .with_context(|| format!("cargo built no {name}"))?
        .executable)
}
