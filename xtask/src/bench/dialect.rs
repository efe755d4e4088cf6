//! The bridge alone, without the gateway around it: criterion's benches of `tollgate-dialect`, run and read.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::Value;

use super::report::{aligned, number};
use super::targets::Part;
use crate::tools::{cargo, files_under, output_of, run, say, target_dir};

const BENCHES: [&str; 2] = ["bridge_request", "bridge_stream"];
/// Criterion's group of whole conversations.
const REQUESTS: &str = "bridge a request of 200 KB";

const REQUEST_NS: f64 = 1_000_000.0;
const EVENT_NS: f64 = 2_000.0;

/// One bench.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Bench {
    group: String,
    name: String,
    /// The median of what a turn took.
    ns: f64,
    /// Events of a turn, where it is a stream.
    events: Option<u64>,
    /// Bytes of a turn, where it is a body.
    bytes: Option<u64>,
}

impl Bench {
    /// What criterion says of a bench, and what it measured.
    fn read(bench: &Value, estimates: &Value) -> Result<Self> {
        let text = |name: &str| {
            let text = bench[name].as_str();
            text.map(str::to_owned)
                .with_context(|| format!("criterion gives no {name} in {bench}"))
        };
        let ns = estimates["median"]["point_estimate"].as_f64();
        Ok(Self {
            group: text("group_id")?,
            name: text("function_id")?,
            ns: ns.with_context(|| format!("criterion gives no median of {bench}"))?,
            events: bench["throughput"]["Elements"].as_u64(),
            bytes: bench["throughput"]["Bytes"].as_u64(),
        })
    }

    fn an_event(&self) -> Option<f64> {
        Some(self.ns / self.events? as f64)
    }

    fn a_request(&self) -> Option<f64> {
        (self.group == REQUESTS).then_some(self.ns)
    }
}

/// Builds the benches, and sees that they are there.
pub(crate) fn prepare(profile: &str, build: bool) -> Result<()> {
    if build {
        say(&format!(
            "building the benches of the bridge (profile {profile})"
        ));
        let mut command = cargo();
        command.args(["bench", "--no-run", "--profile", profile]);
        command.args(["-p", "tollgate-dialect"]);
        for bench in BENCHES {
            command.args(["--bench", bench]);
        }
        // Cargo puts a hash into the names of benches, and tells them nowhere else.
        command.arg("--message-format=json-render-diagnostics");
        let told = output_of(&mut command)?;
        for bench in BENCHES {
            let (built, kept) = (executable(&told, bench)?, binary(profile, bench));
            fs::create_dir_all(kept.parent().unwrap_or(&kept))?;
            fs::copy(&built, &kept)
                .with_context(|| format!("{} to {}", built.display(), kept.display()))?;
        }
    }
    for bench in BENCHES {
        let binary = binary(profile, bench);
        ensure!(binary.is_file(), "{} is not built", binary.display());
    }
    Ok(())
}

fn binary(profile: &str, bench: &str) -> PathBuf {
    target_dir().join("bench").join(profile).join(bench)
}

/// Where cargo's messages say that a bench lies.
fn executable(messages: &str, bench: &str) -> Result<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == bench)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .with_context(|| format!("cargo does not say where it put {bench}"))
}

/// Runs the benches, one after the other, on the core of what is measured.
pub(crate) fn measure(profile: &str, quick: bool, scratch: &Path) -> Result<Vec<Bench>> {
    // A folder of its own: neither do earlier runs count here, nor is what a developer compares with written over.
    let home = scratch.join("criterion");
    let (warm_up, measurement) = if quick { ("0.1", "0.2") } else { ("0.3", "1") };
    for bench in BENCHES {
        say(&format!("measuring {bench}"));
        let binary = binary(profile, bench);
        run(Command::new("taskset")
            .args(["-c", "0"])
            .arg(&binary)
            .args(["--bench", "--quiet", "--noplot", "--sample-size", "10"])
            .args(["--warm-up-time", warm_up, "--measurement-time", measurement])
            .env("CRITERION_HOME", &home))?;
    }
    let benches = read(&home)?;
    ensure!(
        benches.iter().any(|bench| bench.a_request().is_some())
            && benches.iter().any(|bench| bench.an_event().is_some()),
        "criterion measured no conversation or no stream: {benches:?}"
    );
    Ok(benches)
}

/// What criterion has left in its folder, in the order of names.
fn read(home: &Path) -> Result<Vec<Bench>> {
    let mut benches = Vec::new();
    for file in files_under(home)? {
        // `base` beside `new` is the same once more.
        if !file.ends_with("new/benchmark.json") {
            continue;
        }
        let json = |file: &Path| -> Result<Value> {
            let bytes = fs::read(file).with_context(|| format!("no {}", file.display()))?;
            serde_json::from_slice(&bytes).with_context(|| file.display().to_string())
        };
        let estimates = json(&file.with_file_name("estimates.json"))?;
        benches.push(Bench::read(&json(&file)?, &estimates)?);
    }
    benches.sort_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name)));
    Ok(benches)
}

/// The dearest of each kind beside its bound.
pub(super) fn targets(benches: &[Bench]) -> Vec<Part> {
    let dearest = |figure: fn(&Bench) -> Option<f64>| {
        let measured = benches
            .iter()
            .filter_map(|bench| Some((figure(bench)?, bench)));
        let count = measured.clone().count();
        let most = measured.max_by(|a, b| a.0.total_cmp(&b.0));
        most.map(|(ns, bench)| (ns, format!("the dearest of {count}: {}", bench.name)))
    };
    let (request, event) = (dearest(Bench::a_request), dearest(Bench::an_event));
    let part =
        |what: &str, dearest: Option<(f64, String)>, bound: f64, shown: fn(f64) -> String| {
            let (ns, which) = dearest.unzip();
            Part::at_most(what, &which.unwrap_or_default(), ns, bound, shown)
        };
    vec![
        part(
            "bridge alone, a conversation of 200 KB",
            request,
            REQUEST_NS,
            |ns| format!("{:.2} ms", ns / 1e6),
        ),
        part(
            "bridge alone, an event of a stream",
            event,
            EVENT_NS,
            |ns| format!("{:.2} µs", ns / 1e3),
        ),
    ]
}

/// All benches as a table.
pub(super) fn table(benches: &[Bench]) -> String {
    let mut out = String::from("\n### The bridge alone\n\n");
    out.push_str("One core, medians of criterion (ten samples in a second). From the dialect that is read to the one that is written; `apart`: each\n");
    out.push_str("event in a read of its own. The events are the 24 of the source.\n\n");
    let mut lines = vec![["", "µs", "µs/event", "bytes"].map(str::to_owned).to_vec()];
    lines.extend(benches.iter().map(|bench| {
        let bytes = bench.bytes.map(|bytes| bytes as f64);
        let us = |ns: f64| ns / 1e3;
        vec![
            format!("{}: {}", bench.group, bench.name),
            number(Some(us(bench.ns)), 2),
            number(bench.an_event().map(us), 2),
            number(bytes, 0),
        ]
    }));
    let _ = write!(out, "{}", aligned(&lines));
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::targets::shown;

    /// A bench as criterion leaves it, in folders of `base` and of `new`.
    fn leave(home: &Path, bench: &str, what: &Value, median: f64) {
        let estimates = json!({
            "mean": { "point_estimate": 9e9 }, "slope": null,
            "median": { "confidence_interval": { "upper_bound": 8e9 }, "point_estimate": median },
        });
        for (folder, estimates) in [("base", &json!({})), ("new", &estimates)] {
            let folder = home.join(bench).join(folder);
            fs::create_dir_all(&folder).expect("a folder");
            for (name, value) in [("benchmark", what), ("estimates", estimates)] {
                let file = folder.join(format!("{name}.json"));
                fs::write(file, value.to_string()).expect("a file");
            }
        }
    }

    fn request(name: &str, ns: f64) -> Bench {
        Bench {
            group: REQUESTS.to_owned(),
            name: name.to_owned(),
            ns,
            events: None,
            bytes: Some(200_000),
        }
    }

    fn stream(name: &str, ns: f64) -> Bench {
        Bench {
            group: "bridge a stream".to_owned(),
            name: name.to_owned(),
            ns,
            events: Some(24),
            bytes: None,
        }
    }

    #[test]
    fn what_criterion_leaves_is_read() {
        let home = std::env::temp_dir().join(format!("tollgate-criterion-{}", std::process::id()));
        let what = json!({
            "group_id": "bridge a stream", "function_id": "chat to messages", "value_str": null,
            "throughput": { "Elements": 24 }, "full_id": "…", "directory_name": "…", "title": "…",
        });
        leave(&home, "a stream/b", &what, 24_000.0);
        let what =
            json!({ "group_id": REQUESTS, "function_id": "x", "throughput": { "Bytes": 200_000 } });
        leave(&home, "a request/x", &what, 250_000.0);
        let read = read(&home);
        let _ = fs::remove_dir_all(&home);
        let expected = [
            request("x", 250_000.0),
            stream("chat to messages", 24_000.0),
        ];
        assert_eq!(read.expect("read"), expected);
        assert!(
            Bench::read(&what, &json!({ "mean": {} })).is_err(),
            "no median"
        );
    }

    #[test]
    fn the_dearest_of_each_kind_is_held_against_its_bound() {
        let whole = Bench {
            events: None,
            ..stream("whole answer", 9e9)
        };
        let mut benches = vec![
            request("a to b", 200_000.0),
            request("b to a", 290_000.0),
            stream("b to a, text", 48_000.0),
            stream("a to b, text", 24_000.0),
            whole,
        ];
        assert_eq!(
            shown(&targets(&benches)),
            "| bridge alone, a conversation of 200 KB | the dearest of 2: b to a | 0.29 ms | ≤ 1.00 ms | reached |\n\
             | bridge alone, an event of a stream | the dearest of 2: b to a, text | 2.00 µs | ≤ 2.00 µs | reached |\n"
        );
        benches.push(stream("c to b", 48_240.0));
        benches.push(request("c to b", 1_010_000.0));
        let missed = shown(&targets(&benches));
        assert_eq!(
            missed.matches("the dearest of 3: c to b").count(),
            2,
            "{missed}"
        );
        assert_eq!(missed.matches("**missed**").count(), 2, "{missed}");
        assert_eq!(shown(&targets(&[])).matches("**not measured**").count(), 2);
    }

    #[test]
    fn the_table_has_the_cost_of_an_event_where_there_are_events() {
        let table = table(&[request("a to b", 200_000.0), stream("b to a", 24_000.0)]);
        let cells = |line: &str| {
            line.split('|')
                .map(|cell| cell.trim().to_owned())
                .collect::<Vec<_>>()
        };
        let rows: Vec<_> = table.lines().rev().take(2).map(cells).collect();
        assert_eq!(
            rows[0][1..5],
            ["bridge a stream: b to a", "24.00", "1.00", "–"]
        );
        assert_eq!(rows[1][2..5], ["200.00", "–", "200000"]);
    }

    #[test]
    fn a_bench_is_found_where_cargo_says_that_it_lies() {
        let messages = "not json\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"criterion\"},\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"bridge_stream\"},\"executable\":\"/t/deps/bridge_stream-1\"}\n";
        let found = executable(messages, "bridge_stream").expect("found");
        assert_eq!(found, Path::new("/t/deps/bridge_stream-1"));
        assert!(executable(messages, "bridge_request").is_err());
    }
}
