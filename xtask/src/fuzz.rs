//! `cargo xtask fuzz`: the targets of `fuzz/`, with the toolchain that builds everything else. cargo-fuzz would do, but
//! by itself it asks for a nightly one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

use crate::tools::{self, say};

/// A target, and the golden files of `runtime/dialect` that are seeds of it.
struct Target {
    name: &'static str,
    /// A folder of golden files and an ending; empty for none. What else it begins with lies in `fuzz/corpus`.
    golden: (&'static str, &'static str),
    /// The bytes in front that choose; the first one counts from the dialect of the file.
    heads: &'static [[u8; 4]],
}

/// Streams with two clients each: the first byte chooses both dialects.
const BOTH_CLIENTS: &[[u8; 4]] = &[[0, 0, 7, 31], [3, 0, 7, 31]];
const STREAMS: (&str, &str) = ("answers", "sse");

const TARGETS: [Target; 12] = [
    target("bridge_stream", STREAMS, BOTH_CLIENTS),
    target("bridge_request", ("requests", "json"), &[[0, 0, 0, 4]]),
    target("bridge_answer", ("answers", "json"), BOTH_CLIENTS),
    target("rewriter", STREAMS, &[[0, 1, 0, 40]]),
    target("tap", STREAMS, &[[0, 0, 0, 40]]),
    target("aggregate", STREAMS, &[[0, 7, 0, 40]]),
    target("websocket", ("", ""), &[]),
    target("requests", ("requests", "json"), &[[0, 100, 6, 0]]),
    target("document", ("", ""), &[]),
    target("sse", STREAMS, &[[0, 0, 0, 20]]),
    target("errors", ("", ""), &[]),
    target("sealed", ("", ""), &[]),
];

const fn target(
    name: &'static str,
    golden: (&'static str, &'static str),
    heads: &'static [[u8; 4]],
) -> Target {
    Target {
        name,
        golden,
        heads,
    }
}

/// As the targets count them.
const DIALECTS: [&str; 3] = ["chat", "responses", "messages"];

/// What `cargo xtask test` gives each target, in seconds.
const SMOKE: u64 = 60;

/// What chance begins with in `cargo xtask test`: the same each time, so that a change is not blamed for what luck has
/// found in older code. The hunt is `cargo xtask fuzz`.
const SMOKE_SEED: u32 = 1;

/// Another one each time.
const ANY_SEED: u32 = 0;

/// How many run at once: one a core of the smallest machine that is used.
const AT_ONCE: usize = 2;

/// What cargo-fuzz passes, but for the sanitizer: coverage is part of the stable compiler, AddressSanitizer is not, and
/// there is no `unsafe` in what is fuzzed.
const FLAGS: [&str; 7] = [
    "--cfg=fuzzing",
    "-Dwarnings",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// `[--seconds N] [TARGET [INPUT...]]`: fuzzes all targets or one; with inputs, only runs these.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut seconds = SMOKE;
    let mut words = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            let number = args.next().and_then(|number| number.parse().ok());
            seconds = number.context("--seconds needs a number")?;
        } else {
            words.push(arg.as_str());
        }
    }
    let Some((name, inputs)) = words.split_first() else {
        return fuzz(&TARGETS, seconds, ANY_SEED);
    };
    let Some(chosen) = TARGETS.iter().find(|target| target.name == *name) else {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        bail!("`{name}` is no target: {}", names.join(", "));
    };
    if inputs.is_empty() {
        return fuzz(std::slice::from_ref(chosen), seconds, ANY_SEED);
    }
    let program = build()?.join(name);
    tools::run(Command::new(program).args(inputs))
}

/// What `cargo xtask test` does: a minute for each target.
pub(crate) fn smoke() -> Result<()> {
    fuzz(&TARGETS, SMOKE, SMOKE_SEED)
}

/// Each target first runs its seeds and what was once found with it, then fuzzes.
fn fuzz(targets: &[Target], seconds: u64, seed: u32) -> Result<()> {
    let programs = build()?;
    let mut waiting = Vec::new();
    for target in targets.iter().rev() {
        seeds(target)?;
        waiting.push(target);
    }
    say(&format!(
        "fuzz: {} targets, {seconds} s each",
        targets.len()
    ));
    let waiting = Mutex::new(waiting);
    let failed = Mutex::new(Vec::new());
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.pop());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let outcome = one(target, &programs, seconds, seed);
                    let line = outcome.unwrap_or_else(|why| {
                        if let Ok(mut failed) = failed.lock() {
                            failed.push(format!("{}: {why:#}", target.name));
                        }
                        "FAILED, see the end".to_owned()
                    });
                    println!("{:<15} {line}", target.name);
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    if !failed.is_empty() {
        bail!("found something\n{}", failed.join("\n\n"));
    }
    Ok(())
}

/// Where a kind of the targets' files lies.
fn place(kind: &str, target: &Target) -> PathBuf {
    fuzz_dir().join(kind).join(target.name)
}

/// Not in the repository: what is built and found.
fn fuzz_dir() -> PathBuf {
    tools::target_dir().join("fuzz")
}

/// Runs one target to its end; says how far it came.
fn one(target: &Target, programs: &Path, seconds: u64, seed: u32) -> Result<String> {
    let source = tools::root().join("fuzz");
    let corpus = place("corpus", target);
    let artifacts = place("artifacts", target);
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut fuzzer = Command::new(programs.join(target.name));
    fuzzer
        .current_dir(&source)
        // What is new goes into the first folder; the others are read.
        .arg(&corpus)
        .arg(place("seeds", target))
        .args(
            ["corpus", "regressions"]
                .map(|kind| source.join(kind).join(target.name))
                .iter()
                .filter(|folder| folder.is_dir()),
        )
        .arg(match seconds {
            0 => "-runs=0".to_owned(),
            _ => format!("-max_total_time={seconds}"),
        })
        .arg(format!("-seed={seed}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args([
            "-dict=wire.dict",
            "-max_len=8192",
            // A hang, not a machine that stood still for a while: 20 s were too few once.
            "-timeout=120",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
        ])
        .stdin(Stdio::null());
    let output = fuzzer
        .output()
        .with_context(|| format!("cannot start {}", target.name))?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{}", finding(target, &told));
    }
    let last = told.lines().rfind(|line| line.contains("DONE"));
    Ok(last.unwrap_or("ok").trim().to_owned())
}

/// What was wrong, where the input lies, and how to see it again.
fn finding(target: &Target, told: &str) -> String {
    let wrong: Vec<&str> = told
        .lines()
        .skip_while(|line| !line.contains("panicked at") && !line.contains("ERROR: libFuzzer"))
        .take(20)
        .map(|line| line.get(..500).unwrap_or(line))
        .collect();
    let input = told
        .lines()
        .find_map(|line| line.split_once("Test unit written to "))
        .map_or("(no input was written)", |(_, file)| file.trim());
    // The file itself stays on the machine that found it, which may be gone by the time somebody reads this.
    let bytes = fs::read(input).unwrap_or_default();
    format!(
        "{}\nb\"{}\"\nsee it again with\n    cargo xtask fuzz {} {input}",
        wrong.join("\n"),
        bytes.escape_ascii(),
        target.name
    )
}

/// Builds all targets; returns where they are.
fn build() -> Result<PathBuf> {
    say("fuzz: building");
    let host = tools::output(Command::new("rustc").args(["--print", "host-tuple"]))
        .context("rustc does not say what this machine is")?;
    let dir = fuzz_dir().join("build");
    let manifest = tools::root().join("fuzz").join("Cargo.toml");
    let mut build = tools::cargo();
    build
        .args([
            "build",
            "--release",
            "--locked",
            "--bins",
            "--manifest-path",
        ])
        .arg(manifest)
        // Named, so that build scripts and macros are built without the flags.
        .args(["--target", &host])
        .env("CARGO_TARGET_DIR", &dir)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    tools::run(&mut build)?;
    Ok(dir.join(host).join("release"))
}

/// Makes seeds of golden files: a few bytes in front of each.
fn seeds(target: &Target) -> Result<()> {
    let folder = place("seeds", target);
    if folder.is_dir() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (kind, ending) = target.golden;
    if kind.is_empty() {
        return Ok(());
    }
    let golden = tools::root()
        .join("runtime/dialect/tests/golden")
        .join(kind);
    for (number, dialect) in (0..).zip(DIALECTS) {
        for file in tools::sorted(&golden.join(dialect))? {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            // A name with a dot in it is an expected output.
            if name.contains('.') || file.extension().is_none_or(|found| found != ending) {
                continue;
            }
            let body =
                fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            for [first, rest @ ..] in target.heads {
                let seed = [&[first + number], &rest[..], &body].concat();
                tools::write_whole(&folder.join(format!("{dialect}-{name}-{first}")), &seed)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_its_program_and_its_seeds() {
        let source = tools::root().join("fuzz");
        let mut programs: Vec<_> = tools::sorted(&source.join("fuzz_targets"))
            .unwrap()
            .iter()
            .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        programs.sort();
        let mut names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        names.sort_unstable();
        assert_eq!(programs, names);
        let manifest = fs::read_to_string(source.join("Cargo.toml")).unwrap();
        for target in &TARGETS {
            assert!(manifest.contains(&format!("name = \"{}\"", target.name)));
            let own = source.join("corpus").join(target.name);
            assert!(
                !target.golden.0.is_empty() || own.is_dir(),
                "{}",
                target.name
            );
        }
    }

    #[test]
    fn a_finding_says_what_was_wrong_and_how_to_see_it_again() {
        let told = "#2 INITED\nthread panicked at src/sse.rs:1:1:\nlost a byte\n\
                    artifact_prefix='x/'; Test unit written to x/crash-1\n";
        let said = finding(&TARGETS[9], told);
        assert!(said.contains("lost a byte"), "{said}");
        assert!(said.ends_with("cargo xtask fuzz sse x/crash-1"), "{said}");
    }
}
