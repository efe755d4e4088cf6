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
    let what = format!(
        "admission, {} accounts, {} keys",
        size(large, "accounts"),
        size(large, "keys"),
    );
    let us = |ns: f64| format!("{:.2} µs", ns / 1e3);
    let judged = [("active", "1,000 keys in use"), ("all", "all keys in use")];
    let mut parts: Vec<_> = judged
        .iter()
        .map(|(keys, which)| Part::at_most(&what, which, p50(large, keys), ADMISSION_NS, us))
        .collect();
    let what = format!(
        "admission, flat from {} to {} accounts",
        size(small, "accounts"),
        size(large, "accounts"),
    );
    let flat = growth(small, large, "branch");
    let looks = flat.as_ref().map_or_else(String::new, |growth| {
        format!(" (looks at memory: {:.1})", growth.looks)
    });
    let ratio = flat.map(|growth| growth.times);
    let which = "as many in use, all others at rest";
    let times = |ratio: f64| format!("× {ratio:.2}");
    parts.push(Part::at_most(&what, which, ratio, FLAT, times).noted(&looks));
    parts
}

/// Hold and settlement of half of all requests, nanoseconds.
fn p50(tree: Option<&Value>, keys: &str) -> Option<f64> {
    tree?[keys]["admit_and_settle_ns"]["p50"].as_f64()
}

/// How much dearer the same is in the larger tree.
struct Growth {
    times: f64,
    /// The difference as waits for memory, by what one takes on this machine.
    looks: f64,
}

fn growth(small: Option<&Value>, large: Option<&Value>, keys: &str) -> Option<Growth> {
    let (few, many) = (p50(small, keys)?, p50(large, keys)?);
    let look = large?["memory_ns"].as_f64()?;
    Some(Growth {
        times: many / few,
        looks: (many - few).max(0.0) / look,
    })
}

/// How much dearer admission is in the larger tree by how much of it is in use: what grows is waiting for memory, with
/// what is in use and not with what is there, so only the first of these is judged.
fn growths(scale: &Value) -> String {
    let rows = &scale["admission_scale"];
    let mut out =
        String::from("Hold and settlement in the larger tree against the smaller one, p50:");
    for keys in ["branch", "active", "all"] {
        let told = growth(rows.get(0), rows.get(1), keys).map_or_else(
            || "not measured".to_owned(),
            |Growth { times, looks }| format!("× {times:.2} ({looks:.1} looks at memory)"),
        );
        let _ = write!(out, " `{keys}` {told};");
    }
    out.pop();
    out.push_str(".\n");
    out
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
    out.push_str("One core: key look-up, path of eight accounts, admission on all of them and on a wallet, settlement. `branch`: the keys of\n");
    out.push_str("one branch of 1,000 accounts are in use and all others rest, `active`: 1,000 keys spread over the tree are; `all`: every key as likely as every other, so that hardly anything is in a cache; `hot`: 64\n");
    out.push_str(
        "threads share one key: `a_turn_ns` is the time of all of them by the number of turns.\n\n",
    );
    out.push_str(&growths(scale));
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
        json!({ "accounts": accounts, "keys": accounts, "memory_ns": 150.0, "branch": times, "active": times, "all": times })
    }

    fn lines(trees: &[Value]) -> Vec<String> {
        let parts = targets(&json!({ "admission_scale": trees }));
        shown(&parts).lines().map(str::to_owned).collect()
    }

    #[test]
    fn admission_is_judged_in_the_large_tree_and_against_the_small_one() {
        let judged = lines(&[tree(1_000, 1_500), tree(1_000_000, 3_000)]);
        assert_eq!(
            judged,
            [
                "| admission, 1,000,000 accounts, 1,000,000 keys | 1,000 keys in use | 3.00 µs | ≤ 5.00 µs | reached |",
                "| admission, 1,000,000 accounts, 1,000,000 keys | all keys in use | 3.00 µs | ≤ 5.00 µs | reached |",
                "| admission, flat from 1,000 to 1,000,000 accounts | as many in use, all others at rest | × 2.00 (looks at memory: 10.0) | ≤ × 1.25 | **missed** |",
            ]
        );
        let slow = lines(&[tree(1_000, 4_100), tree(1_000_000, 5_001)]);
        assert!(slow[0].ends_with("| **missed** |"), "{}", slow[0]);
        assert!(slow[1].ends_with("| **missed** |"), "{}", slow[1]);
        assert!(slow[2].ends_with("| reached |"), "{}", slow[2]);
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
        assert!(alone[2].ends_with("| **not measured** |"), "{}", alone[2]);
    }

    #[test]
    fn the_page_tells_the_growth_that_nothing_is_judged_by_too() {
        let trees = [tree(1_000, 1_500), tree(1_000_000, 3_000)];
        let table = table(&json!({ "admission_scale": trees }));
        assert!(
            table.contains("`all` × 2.00 (10.0 looks at memory).\n"),
            "{table}"
        );
    }

    #[test]
    fn thousands_have_commas() {
        let numbers = [0, 999, 1_000, 12_345, 898_875, 1_000_000];
        let texts = ["0", "999", "1,000", "12,345", "898,875", "1,000,000"];
        assert_eq!(numbers.map(grouped), texts);
    }
}
