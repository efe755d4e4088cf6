//! `cargo xtask test`: everything that must hold before a change is good, with a summary at the end.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::tools::{self, output, say, which};
use crate::{components, run, wit};

/// The version that is installed where there is none: one that this toolchain builds.
const NEXTEST: &str = "0.9.143";

/// How a step ended.
enum Ended {
    Well,
    /// It could not be run here; the sentence says why and how to change that.
    Skipped(&'static str),
}

/// A step by its name.
type Step = (&'static str, fn(&[String]) -> Result<Ended>);

const STEPS: [Step; 9] = [
    ("format", |_| format()),
    ("contract", |_| well(wit::check())),
    ("components", |_| {
        well(components::run().and_then(|()| wit::check_components()))
    }),
    ("lints", |_| lints()),
    ("host", |_| well(run::build_host())),
    ("tests", tests),
    ("doc tests", |_| well(doc_tests())),
    ("examples", |_| well(wit::check_examples())),
    ("dependencies", |_| dependencies()),
];

/// With arguments, only the tests, and the arguments go to `cargo nextest run`.
const STEPS_OF_A_FILTERED_RUN: [&str; 3] = ["components", "host", "tests"];

/// Runs every step, also after one that failed.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut lines = Vec::new();
    let mut failed = 0;
    for (name, step) in STEPS {
        if !args.is_empty() && !STEPS_OF_A_FILTERED_RUN.contains(&name) {
            continue;
        }
        say(&format!("test: {name}"));
        let started = Instant::now();
        let outcome = step(args);
        let verdict = match outcome {
            Ok(Ended::Well) => "ok".to_owned(),
            Ok(Ended::Skipped(why)) => format!("skipped: {why}"),
            Err(why) => {
                failed += 1;
                eprintln!("error: {why:#}");
                format!("FAILED: {why:#}")
            }
        };
        lines.push(line(name, started.elapsed(), &verdict));
    }
    println!("\n{}", lines.join("\n"));
    if failed > 0 {
        bail!("{failed} of {} steps failed", lines.len());
    }
    Ok(())
}

fn line(name: &str, took: Duration, verdict: &str) -> String {
    let verdict = verdict.lines().next().unwrap_or_default();
    format!("{name:<13} {:>7.1} s  {verdict}", took.as_secs_f32())
}

fn well(outcome: Result<()>) -> Result<Ended> {
    outcome.map(|()| Ended::Well)
}

/// Formatting alone.
pub(crate) fn format_check() -> Result<()> {
    tools::run(tools::cargo().args(["fmt", "--all", "--check"]))
}

fn format() -> Result<Ended> {
    if !has_component("fmt") {
        return Ok(Ended::Skipped(
            "rustfmt is not installed and cannot be fetched: rustup component add rustfmt",
        ));
    }
    well(format_check())
}

fn lints() -> Result<Ended> {
    if !has_component("clippy") {
        return Ok(Ended::Skipped(
            "clippy is not installed and cannot be fetched: rustup component add clippy",
        ));
    }
    let mut clippy = tools::cargo();
    clippy.args([
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]);
    well(tools::run(&mut clippy))
}

/// Whether a part of the toolchain is there, or can be fetched.
fn has_component(name: &str) -> bool {
    let here = || output(tools::cargo().args([name, "--version"])).is_some();
    let package = if name == "fmt" { "rustfmt" } else { name };
    here()
        || (output(Command::new("rustup").args(["component", "add", package])).is_some() && here())
}

fn tests(args: &[String]) -> Result<Ended> {
    if output(tools::cargo().args(["nextest", "--version"])).is_none() {
        say("installing cargo-nextest");
        tools::run(tools::cargo().args([
            "install",
            "--locked",
            "cargo-nextest",
            "--version",
            NEXTEST,
        ]))?;
    }
    let mut nextest = tools::cargo();
    nextest
        .args([
            "nextest",
            "run",
            "--release",
            "--workspace",
            "--no-fail-fast",
        ])
        .args(args)
        .env("TOLLGATE_BIN", run::host_binary())
        .env("TOLLGATE_COMPONENTS", components::components_dir());
    well(tools::run(&mut nextest))
}

fn doc_tests() -> Result<()> {
    tools::run(tools::cargo().args(["test", "--doc", "--release", "--workspace"]))
}

fn dependencies() -> Result<Ended> {
    if which("cargo-deny").is_none() {
        return Ok(Ended::Skipped(
            "cargo-deny is not installed: cargo install --locked cargo-deny",
        ));
    }
    // Advisories need a database from the network; licences, sources and bans do not.
    well(tools::run(
        tools::cargo().args(["deny", "check", "bans", "licenses", "sources"]),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filtered_run_names_steps_that_there_are() {
        for name in STEPS_OF_A_FILTERED_RUN {
            assert!(STEPS.iter().any(|(step, _)| *step == name), "{name}");
        }
    }

    #[test]
    fn the_summary_has_one_line_a_step() {
        let line = line("tests", Duration::from_millis(1500), "FAILED: one\ntwo");
        assert_eq!(line, "tests             1.5 s  FAILED: one");
    }
}
