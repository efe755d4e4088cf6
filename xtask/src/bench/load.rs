//! The loads of a measurement, and how one window of each is run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde_json::Value;

use super::gateway::MODEL;

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// A JSON answer a request; so many connections, each with one request at a time.
    Json(usize),
    /// A stream of 24 events that the upstream writes at once.
    Burst(usize),
    /// A stream of 24 events, 20 ms apart.
    Paced(usize),
}

impl Load {
    pub(crate) const ALL: [Self; 5] = [
        Self::Json(1),
        Self::Json(32),
        Self::Burst(1),
        Self::Burst(32),
        Self::Paced(100),
    ];

    pub(crate) fn name(self) -> String {
        match self {
            Self::Json(c) => format!("json-{c}"),
            Self::Burst(c) => format!("burst-{c}"),
            Self::Paced(c) => format!("paced-{c}"),
        }
    }

    pub(crate) fn title(self) -> String {
        match self {
            Self::Json(c) => format!("JSON, concurrency {c}"),
            Self::Burst(c) => format!("SSE, 24 events in a burst, concurrency {c}"),
            Self::Paced(c) => format!("SSE, 24 events 20 ms apart, {c} streams at a time"),
        }
    }

    /// Requests that the load generator leaves unfinished where a window ends, at most. wrk stops by the clock, in the midst
    /// of one on each connection; the client of paced streams reads all to their end.
    pub(crate) fn left_open(self) -> usize {
        match self {
            Self::Json(c) | Self::Burst(c) => c,
            Self::Paced(_) => 0,
        }
    }

    /// What is counted.
    pub(crate) fn unit(self) -> &'static str {
        if matches!(self, Self::Json(_)) {
            "request"
        } else {
            "stream"
        }
    }
}

/// What one window showed. Times are microseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Sample {
    /// Requests or streams that were answered whole.
    pub(crate) count: u64,
    /// CPU time of the measured processes for each of them; none for `direct`.
    pub(crate) cpu: Option<f64>,
    /// A second.
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Paced streams: request to first event.
    pub(crate) first_p50: Option<f64>,
    /// Paced streams: how much later than 20 ms after the one before an event came.
    pub(crate) late_p99: Option<f64>,
}

/// Where a load goes.
pub(crate) struct To<'a> {
    pub(crate) address: &'a str,
    pub(crate) key: &'a str,
    pub(crate) path: &'static str,
}

/// What is asked.
pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const MESSAGES: &str = "/v1/messages";

/// Runs loads, from core 1.
pub(crate) struct Driver {
    script: PathBuf,
    paced: PathBuf,
}

impl Driver {
    pub(crate) fn new(paced: &Path, scratch: &Path) -> Result<Self> {
        let script = scratch.join("post.lua");
        fs::write(&script, SCRIPT)?;
        Ok(Self {
            script,
            paced: paced.to_owned(),
        })
    }

    /// One window: everything answered well, or an error that says what was not.
    pub(crate) fn run(&self, load: Load, to: &To<'_>, length: Duration) -> Result<Sample> {
        match load {
            Load::Json(c) => self.wrk(to, c, length, false),
            Load::Burst(c) => self.wrk(to, c, length, true),
            Load::Paced(c) => self.paced(to, c, length),
        }
    }

    fn wrk(
        &self,
        to: &To<'_>,
        connections: usize,
        length: Duration,
        stream: bool,
    ) -> Result<Sample> {
        let seconds = length.as_secs().max(1);
        let output = Command::new("taskset")
            .args([
                "-c",
                "1",
                "wrk",
                "-t1",
                &format!("-c{connections}"),
                &format!("-d{seconds}s"),
                "--timeout",
                "5s",
            ])
            .arg("-s")
            .arg(&self.script)
            .arg(format!("http://{}{}", to.address, to.path))
            .args(["--", to.key, &body(to.path, stream)])
            .output()
            .context("cannot start wrk")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("RESULT "))
            .with_context(|| format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
        let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [
            count,
            duration,
            connect,
            read,
            write,
            status,
            timeout,
            p50,
            p99,
        ] = numbers.as_slice()
        else {
            bail!("wrk printed `{line}`");
        };
        let wrong = [
            ("connect", connect),
            ("read", read),
            ("write", write),
            ("status", status),
            ("timeout", timeout),
        ]
        .iter()
        .filter(|(_, n)| **n > 0.0)
        .map(|(what, n)| format!("{n} {what} errors"))
        .collect::<Vec<_>>();
        ensure!(wrong.is_empty(), "{} in {count} requests", wrong.join(", "));
        ensure!(*count > 0.0 && *duration > 0.0, "no request was answered");
        Ok(Sample {
            count: *count as u64,
            rate: count / (duration / 1e6),
            p50: *p50,
            p99: *p99,
            ..Sample::default()
        })
    }

    fn paced(&self, to: &To<'_>, connections: usize, length: Duration) -> Result<Sample> {
        const STREAM_MS: u128 = 480;
        let streams = (length.as_millis() / STREAM_MS).max(1);
        let output = Command::new("taskset")
            .args(["-c", "1"])
            .arg(&self.paced)
            .args([
                to.address,
                to.key,
                MODEL,
                &connections.to_string(),
                &streams.to_string(),
            ])
            .output()
            .context("cannot start bench-load")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let told: Value = serde_json::from_str(text.trim()).with_context(|| {
            format!(
                "bench-load: {text}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })?;
        ensure!(
            told["failed"] == 0,
            "{} of {connections} clients failed: {}",
            told["failed"],
            told["reason"]
        );
        let number = |name: &str| told[name].as_f64().unwrap_or_default();
        Ok(Sample {
            count: number("streams") as u64,
            // Paced streams have the rate they are given.
            rate: connections as f64 / (number("whole_p50") / 1e6),
            p50: number("whole_p50"),
            p99: number("whole_p99"),
            first_p50: Some(number("first_p50")),
            late_p99: Some(number("late_p99")),
            cpu: None,
        })
    }
}

/// What a client sends.
pub(crate) fn body(path: &str, stream: bool) -> String {
    if path == MESSAGES {
        let stream = if stream { "\"stream\":true," } else { "" };
        return format!(
            "{{\"model\":\"{MODEL}\",{stream}\"max_tokens\":256,\"system\":\"You are terse.\",\"messages\":[\
             {{\"role\":\"user\",\"content\":\"Say something short about gateways.\"}}]}}"
        );
    }
    let stream = if stream {
        "\"stream\":true,\"stream_options\":{\"include_usage\":true},"
    } else {
        ""
    };
    format!(
        "{{\"model\":\"{MODEL}\",{stream}\"messages\":[{{\"role\":\"system\",\"content\":\"You are terse.\"}},\
         {{\"role\":\"user\",\"content\":\"Say something short about gateways.\"}}]}}"
    )
}

const SCRIPT: &str = r#"-- Written by `cargo xtask bench`: POST the second argument with the first as key; print exact numbers.
function init(args)
  wrk.method = "POST"
  wrk.headers["authorization"] = "Bearer " .. args[1]
  wrk.headers["content-type"] = "application/json"
  wrk.body = args[2]
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d %d %.0f %.0f\n", summary.requests, summary.duration,
    e.connect, e.read, e.write, e.status, e.timeout, latency:percentile(50), latency:percentile(99)))
end
"#;
