//! `cargo xtask guards`: breaks each rule that a test guards, one at a time, and sees the test fail.
//!
//! A table beside a crate (`guards.toml`) names what is known to go wrong, the test that protects from it, and how the
//! rule is broken. All breaks go into one copy of the crate, each behind a switch, so that it is compiled once.

mod copy;
mod programs;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use self::programs::Programs;
use crate::tools::{self, say};

/// Crates that have a table.
pub(crate) const CRATES: [&str; 4] = [
    "runtime/governance",
    "runtime/dialect",
    "runtime/store",
    "runtime/gateway",
];

/// The switch: the name of the guard whose rule is broken.
const SWITCH: &str = "TOLLGATE_BROKEN_GUARD";

/// Some rules are about races of threads, and some tests take numbers at random: a break may go unseen once.
const ATTEMPTS: u32 = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Where the tests of the table are.
    #[serde(default)]
    tests: Tests,
    guard: Vec<Guard>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Tests {
    /// In the crate.
    #[default]
    OfTheCrate,
    /// In the end-to-end tests, which run the command with the rules in it.
    EndToEnd,
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

/// Checks every guard of every table, or of the tables of these crates.
pub(crate) fn run(folders: &[String]) -> Result<()> {
    for folder in folders {
        ensure!(
            CRATES.contains(&folder.as_str()),
            "there are guards for {}",
            CRATES.join(", ")
        );
    }
    for folder in CRATES {
        if folders.is_empty() || folders.iter().any(|asked| asked == folder) {
            check(folder)?;
        }
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
    let programs = match table.tests {
        Tests::OfTheCrate => {
            let members = copy::needed_by(folder)?;
            Programs::of_the_crate(
                &copy::copy(folder, &members, guards, None)?.join(folder),
                guards,
            )?
        }
        Tests::EndToEnd => {
            let copied = copy::copy(
                folder,
                &copy::all_members()?,
                guards,
                Some(programs::COMMAND),
            )?;
            Programs::end_to_end(&copied)?
        }
    };

    let started = Instant::now();
    programs.pass(guards)?;
    let (next, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(guard) = guards.get(next.fetch_add(1, Ordering::Relaxed)) {
            if !(0..ATTEMPTS).any(|_| matches!(programs.notice(guard), Ok(true))) {
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
