//! Governance and store at scale: examples of their crates that measure themselves, run and read.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::targets::Part;
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

/// The bounds are of a tree of so many accounts.
const MANY: u64 = 1_000_000;
/// Hold and settlement of half of all requests, in such a tree.
const ADMISSION_NS: f64 = 5_000.0;
/// What is still called flat, times the small tree's: the same program differs by a fifth from one run to the next.
const FLAT: f64 = 1.25;

/// Admission beside its bounds: in the largest tree, and how much dearer than in the smallest.
pub(super) fn targets(scale: &Value) -> Vec<Part> {
    let rows = scale["admission_scale"].as_array();
    let accounts = |row: &&Value| row["accounts"].as_u64();
    let small = rows.and_then(|rows| rows.iter().min_by_key(accounts));
    let large = rows.and_then(|rows| rows.iter().max_by_key(accounts));
    // A bench that was made smaller has not reached the bound, and a tree is as dear as itself.
    let large = large.filter(|tree| accounts(tree) >= Some(MANY));
    let small = small.filter(|tree| accounts(tree) < Some(MANY));
    let size = |tree: Option<&Value>, what: &str| {
        let count = tree.and_then(|tree| tree[what].as_u64());
        count.map_or_else(|| "?".to_owned(), grouped)
    };
    let mut parts = Vec::new();
    for (keys, which) in [("active", "1,000 keys in use"), ("all", "all keys in use")] {
        let p50 = |tree: Option<&Value>| tree?[keys]["admit_and_settle_ns"]["p50"].as_f64();
        let (few, many) = (p50(small), p50(large));
        let what = format!(
            "admission, {} accounts, {} keys",
            size(large, "accounts"),
            size(large, "keys"),
        );
        let us = |ns: f64| format!("{:.2} µs", ns / 1e3);
        parts.push(Part::at_most(&what, which, many, ADMISSION_NS, us));

        let what = format!(
            "admission, flat from {} to {} accounts",
            size(small, "accounts"),
            size(large, "accounts"),
        );
        let pair = few.zip(many);
        let times = |ratio: f64| format!("× {ratio:.2}");
        let ratio = pair.map(|(few, many)| many / few);
        let look = large.and_then(|tree| tree["memory_ns"].as_f64());
        let looks = pair
            .zip(look)
            .map_or_else(String::new, |((few, many), look)| {
                format!(" (looks at memory: {:.1})", (many - few).max(0.0) / look)
            });
        parts.push(Part::at_most(&what, which, ratio, FLAT, times).noted(&looks));
    }
    parts
}

/// With a comma at the thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::targets::shown;

    fn tree(accounts: u64, p50: u64) -> Value {
        let times = json!({ "admit_and_settle_ns": { "p50": p50, "p99": 9_999 }, "whole_ns": { "p50": 9_000 } });
        json!({ "accounts": accounts, "keys": accounts, "memory_ns": 150.0, "active": times, "all": times })
    }

    fn lines(trees: &[Value]) -> Vec<String> {
        let parts = targets(&json!({ "admission_scale": trees }));
        shown(&parts).lines().map(str::to_owned).collect()
    }

    #[test]
    fn admission_is_judged_in_the_large_tree_and_against_the_small_one() {
        let judged = lines(&[tree(1_000, 1_500), tree(1_000_000, 3_000)]);
        assert_eq!(
            judged[..2],
            [
                "| admission, 1,000,000 accounts, 1,000,000 keys | 1,000 keys in use | 3.00 µs | ≤ 5.00 µs | reached |",
                "| admission, flat from 1,000 to 1,000,000 accounts | 1,000 keys in use | × 2.00 (looks at memory: 10.0) | ≤ × 1.25 | **missed** |",
            ]
        );
        assert_eq!(judged.len(), 4, "and with all keys in use");
        let slow = lines(&[tree(1_000, 4_100), tree(1_000_000, 5_001)]);
        assert!(slow[0].ends_with("| **missed** |"), "{}", slow[0]);
        assert!(slow[1].ends_with("| reached |"), "{}", slow[1]);
    }

    #[test]
    fn what_a_smaller_bench_reached_is_not_called_reached() {
        for trees in [
            vec![],
            vec![tree(1_000, 1_500), tree(999_999, 3_000)],
            vec![
                json!({ "accounts": 1_000 }),
                json!({ "accounts": 1_000_000 }),
            ],
        ] {
            for line in lines(&trees) {
                assert!(line.ends_with("| **not measured** |"), "{line}");
            }
        }
        let alone = lines(&[tree(1_000_000, 3_000)]);
        assert!(alone[1].ends_with("| **not measured** |"), "{}", alone[1]);
    }

    #[test]
    fn thousands_have_commas() {
        let numbers = [0, 999, 1_000, 12_345, 898_875, 1_000_000];
        let texts = ["0", "999", "1,000", "12,345", "898,875", "1,000,000"];
        assert_eq!(numbers.map(grouped), texts);
    }
}
