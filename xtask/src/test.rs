//! `cargo xtask test`: everything that must hold before a change is good, with a summary at the end.
//!
//! A step installs what it lacks. One that cannot be run has failed: only `--skip` makes it count as anything else.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::needs::{self, Need};
use crate::tools::{self, say};
use crate::{components, first_start, fuzz, guards, languages, run, unsafety, vendors, wit};

/// One step.
struct Step {
    name: &'static str,
    needs: &'static [Need],
    run: fn(&Choice) -> Result<()>,
}

/// The step that gets the real clients; without it the tests go without them.
const CLIENTS: &str = "clients";

/// The step that builds guests in other languages than Rust; without it the tests go without them.
const LANGUAGES: &str = "languages";

/// What is cheap and says most comes first.
const STEPS: [Step; 16] = [
    step("format", &[needs::RUSTFMT], |_| format_check()),
    step("contract", &[], |_| wit::check()),
    step("vendors", &[], |_| vendors::check()),
    step("unsafe", &[], |_| unsafety::check()),
    step("components", &[], |_| {
        components::run().and_then(|()| wit::check_components())
    }),
    step("lints", &[needs::CLIPPY], |_| lints()),
    step("host", &[], |_| run::build_host()),
    step("run", &[needs::IP], |_| first_start::check()),
    step(CLIENTS, &[needs::NODE, needs::PYTHON], |_| clients()),
    step(LANGUAGES, &[needs::PYTHON], |_| languages::build()),
    step("tests", &[needs::CARGO_NEXTEST], tests),
    step("guards", &[], |_| guards::run(&[])),
    step("doc-tests", &[], |_| doc_tests()),
    step("fuzz", &[needs::CXX], |_| fuzz::smoke()),
    step("examples", &[], |_| wit::check_examples()),
    step("dependencies", &[needs::CARGO_DENY], |_| dependencies()),
];

const fn step(name: &'static str, needs: &'static [Need], run: fn(&Choice) -> Result<()>) -> Step {
    Step { name, needs, run }
}

/// With arguments, only the tests, and the arguments go to `cargo nextest run`.
const STEPS_OF_A_FILTERED_RUN: [&str; 5] = ["components", "host", CLIENTS, LANGUAGES, "tests"];

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Choice {
    skipped: Vec<String>,
    /// For `cargo nextest run`.
    filter: Vec<String>,
}

impl Choice {
    /// `--skip STEP` and `--skip=STEP`, up to `--`; all else is for nextest.
    fn of(args: &[String]) -> Result<Self> {
        let mut choice = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let skipped = match arg.split_once('=') {
                Some(("--skip", step)) => step,
                _ if arg == "--skip" => args.next().map_or("", String::as_str),
                _ if arg == "--" => {
                    choice.filter.push(arg.clone());
                    choice.filter.extend(args.cloned());
                    break;
                }
                _ => {
                    choice.filter.push(arg.clone());
                    continue;
                }
            };
            if !STEPS.iter().any(|step| step.name == skipped) {
                bail!("--skip needs the name of a step: {}", names().join(", "));
            }
            choice.skipped.push(skipped.to_owned());
        }
        Ok(choice)
    }

    fn skips(&self, name: &str) -> bool {
        self.skipped.iter().any(|skipped| skipped == name)
    }
}

fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

/// What is no member of the workspace: fuzzers are built with instrumentation, and examples are to be copied elsewhere.
const APART: [&str; 3] = [
    "fuzz/Cargo.toml",
    "examples/policy-from-scratch/Cargo.toml",
    "examples/provider-from-scratch/Cargo.toml",
];

/// Runs every step, also after one that failed.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if args == ["--steps"] {
        println!("{}", names().join("\n"));
        return Ok(());
    }
    let choice = Choice::of(args)?;
    let mut lines = Vec::new();
    let mut failures = Vec::new();
    for step in &STEPS {
        if !choice.filter.is_empty() && !STEPS_OF_A_FILTERED_RUN.contains(&step.name) {
            continue;
        }
        if choice.skips(step.name) {
            lines.push(line(step.name, Duration::ZERO, "skipped, as asked"));
            continue;
        }
        say(&format!("test: {}", step.name));
        let started = Instant::now();
        let needs = step.needs.iter().try_for_each(Need::ensure);
        let verdict = match needs.and_then(|()| (step.run)(&choice)) {
            Ok(()) => "ok".to_owned(),
            Err(why) => {
                let verdict = format!("FAILED: {why:#}");
                failures.push(format!("{}: {why:#}", step.name));
                verdict
            }
        };
        lines.push(line(step.name, started.elapsed(), &verdict));
    }
    // At the end, whole: of a long log the end is what is read first, and kept.
    for failure in &failures {
        eprintln!("\nerror: {failure}");
    }
    println!("\n{}", lines.join("\n"));
    if !failures.is_empty() {
        bail!("{} of {} steps failed", failures.len(), lines.len());
    }
    Ok(())
}

fn line(name: &str, took: Duration, verdict: &str) -> String {
    let verdict = verdict.lines().next().unwrap_or_default();
    format!("{name:<13} {:>7.1} s  {verdict}", took.as_secs_f32())
}

/// Formatting alone.
pub(crate) fn format_check() -> Result<()> {
    tools::run(tools::cargo().args(["fmt", "--all", "--check"]))?;
    APART.iter().try_for_each(|manifest| {
        tools::run(tools::cargo().args(["fmt", "--check", "--manifest-path", manifest]))
    })
}

/// Of the workspace, and of those that are workspaces of their own.
fn lints() -> Result<()> {
    const DENY: [&str; 3] = ["--", "--deny", "warnings"];
    let mut clippy = tools::cargo();
    clippy.args(["clippy", "--release", "--workspace", "--all-targets"]);
    tools::run(clippy.args(DENY))?;
    for manifest in APART {
        let mut clippy = tools::cargo();
        clippy.args([
            "clippy",
            "--locked",
            "--all-targets",
            "--manifest-path",
            manifest,
        ]);
        clippy
            .arg("--target-dir")
            .arg(tools::target_dir().join("lints"));
        tools::run(clippy.args(DENY))?;
    }
    Ok(())
}

/// Installs Codex, Claude Code and the SDKs before the tests, so that a registry that is out of reach is told once and
/// by itself, not as the failure of each test that needs them.
fn clients() -> Result<()> {
    const PROGRAM: &str = "ensure-clients";
    let mut build = tools::cargo();
    tools::run(build.args(["build", "--release", "--workspace", "--bin", PROGRAM]))?;
    let program = tools::target_dir().join("release").join(PROGRAM);
    tools::run(&mut with_places(Command::new(program)))
}

fn tests(choice: &Choice) -> Result<()> {
    let mut nextest = tools::cargo();
    nextest
        .args([
            "nextest",
            "run",
            "--release",
            "--workspace",
            "--no-fail-fast",
        ])
        .args(&choice.filter);
    let mut nextest = with_places(nextest);
    if choice.skips(CLIENTS) {
        nextest.env("TOLLGATE_SKIP_CLIENTS", "1");
    }
    if choice.skips(LANGUAGES) {
        nextest.env("TOLLGATE_SKIP_LANGUAGES", "1");
    }
    tools::run(&mut nextest)
}

/// Where things are, for programs that run in folders of their own. What the environment says about skipping is not
/// passed on: a step is skipped by asking for it here.
fn with_places(mut command: Command) -> Command {
    command
        .env("CARGO_TARGET_DIR", tools::target_dir())
        .env("TOLLGATE_BIN", run::host_binary())
        .env("TOLLGATE_COMPONENTS", components::components_dir())
        .env_remove("TOLLGATE_SKIP_CLIENTS")
        .env_remove("TOLLGATE_SKIP_LANGUAGES");
    command
}

fn doc_tests() -> Result<()> {
    tools::run(tools::cargo().args(["test", "--doc", "--release", "--workspace"]))
}

/// Licences, sources and bans. Not advisories: their database lies in a repository that is no package registry, so a
/// bare machine behind registries alone could never pass. Where it can be reached: `cargo deny check advisories`.
fn dependencies() -> Result<()> {
    let checks = ["bans", "licenses", "sources"];
    // Warnings (two versions of a crate) fill pages; `cargo deny check bans` shows them.
    let deny = ["deny", "--log-level", "error", "check"];
    tools::run(tools::cargo().args(deny).args(checks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(args: &[&str]) -> Result<Choice> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        Choice::of(&args)
    }

    #[test]
    fn a_filtered_run_names_steps_that_there_are() {
        for name in STEPS_OF_A_FILTERED_RUN {
            assert!(names().contains(&name), "{name}");
        }
    }

    #[test]
    fn steps_are_skipped_by_name_and_the_rest_is_for_nextest() {
        let asked = choice(&[
            "--skip",
            "clients",
            "limits::",
            "--skip=lints",
            "--",
            "--skip",
            "x",
        ]);
        let asked = asked.unwrap();
        assert!(asked.skips("clients") && asked.skips("lints") && !asked.skips("tests"));
        assert_eq!(asked.filter, ["limits::", "--", "--skip", "x"]);
        for wrong in [&["--skip"][..], &["--skip", "nothing"], &["--skip="]] {
            assert!(choice(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_summary_has_one_line_a_step() {
        let line = line("tests", Duration::from_millis(1500), "FAILED: one\ntwo");
        assert_eq!(line, "tests             1.5 s  FAILED: one");
    }
}
