//! Governance and store at scale: examples of their crates that measure themselves, run and read.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::tools::{cargo, run, say, target_dir};

/// Crate, example, and the member of its answer that has the rows.
const EXAMPLES: [(&str, &str, &str); 3] = [
    ("tollgate-governance", "admission_scale", "admission_scale"),
    ("tollgate-store", "start_up", "start_up"),
    ("tollgate-store", "commit_cost", "commit_cost"),
];

/// Builds the examples, and sees that they are there: before all else is measured for a quarter of an hour.
pub(crate) fn prepare(profile: &str, build: bool) -> Result<()> {
    for (package, example, _) in EXAMPLES {
        if build {
            run(cargo().args([
                "build",
                "--profile",
                profile,
                "-p",
                package,
                "--example",
                example,
            ]))?;
        }
        let binary = binary(profile, example);
        ensure!(binary.is_file(), "{} is not built", binary.display());
    }
    Ok(())
}

fn binary(profile: &str, example: &str) -> PathBuf {
    target_dir().join(profile).join("examples").join(example)
}

/// Runs the examples, one after the other, on the core of what is measured.
pub(crate) fn measure(profile: &str) -> Result<Value> {
    let mut all = serde_json::Map::new();
    for (_, example, member) in EXAMPLES {
        say(&format!("measuring {example}"));
        let binary = binary(profile, example);
        let output = Command::new("taskset")
            .args(["-c", "0"])
            .arg(&binary)
            .arg("--json")
            .output()
            .with_context(|| format!("{} does not start", binary.display()))?;
        ensure!(
            output.status.success(),
            "{example}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let answer: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{example} did not answer with JSON"))?;
        all.insert(member.to_owned(), answer[member].clone());
    }
    Ok(Value::Object(all))
}

/// What was measured, as tables.
pub(crate) fn table(scale: &Value) -> String {
    let mut out = String::from("\n### Governance at scale\n\n");
    out.push_str("One core: key look-up, path of eight accounts, admission on all of them and on a wallet, settlement. `active`: 1,000 keys spread\n");
    out.push_str("over the tree are in use; `all`: every key as likely as every other, so that hardly anything is in a cache; `hot`: 64\n");
    out.push_str(
        "threads share one key: `a_turn_ns` is the time of all of them by the number of turns.\n",
    );
    for (title, member) in [
        ("admission", "admission_scale"),
        ("growth and start", "start_up"),
        ("group commit and replay", "commit_cost"),
    ] {
        let _ = writeln!(out, "\n{title}:\n\n```json");
        for row in scale[member].as_array().into_iter().flatten() {
            let _ = writeln!(out, "{row}");
        }
        out.push_str("```\n");
    }
    out
}
