//! What the bridge writes is what the vendors' own SDKs know: requests, answers and events fit their types, and their
//! streaming helpers read from a stream what its events say.

mod material;
mod state;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tollgate_tests::clients::{Clients, run_within, skipped};
use tollgate_tests::places;

use material::Material;

/// Thousands of bodies and streams, on a machine that has other things to do.
const LIMIT: Duration = Duration::from_secs(600);

/// Runs a program that ends with status 0 if everything fits; its last line of output counts what it looked at.
fn judged(mut command: Command, folder: &Path) -> Value {
    let outcome = run_within(command.env("HOME", folder), folder, LIMIT).unwrap();
    assert!(
        outcome.success,
        "{command:?}:\n{}\n{}",
        outcome.output, outcome.errors
    );
    let last = outcome.output.lines().last().unwrap_or_default();
    println!("{last}");
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {}", outcome.output))
}

fn assert_some_of_each(counts: &Value, kinds: &[&str]) {
    for dialect in ["chat", "responses", "messages"] {
        for kind in kinds {
            let count = counts[format!("{dialect} {kind}")].as_u64();
            assert!(count > Some(0), "no {kind} of {dialect}: {counts}");
        }
    }
}

#[test]
fn everything_bridged_fits_the_types_and_the_helpers_of_the_official_sdks() {
    if skipped() {
        return;
    }
    let clients = Clients::ensure().unwrap();
    let recordings = places::recordings();
    if recordings.is_none() {
        println!("no recordings found: only the bridge's own fixtures are judged");
    }
    let folder = tempfile::tempdir().unwrap();
    let material = Material::gather(&places::workspace(), recordings.as_deref());
    println!("bridged: {:?}", material.write(folder.path()));

    let mut python = clients.script("sdk_shapes.py");
    python.arg(folder.path());
    let counts = judged(python, folder.path());
    assert_some_of_each(&counts, &["requests", "answers", "streams", "events"]);

    let mut typescript = clients.script("sdk_shapes.mjs");
    typescript.arg(folder.path());
    let counts = judged(typescript, folder.path());
    assert_some_of_each(&counts, &["answers", "streams"]);
}
