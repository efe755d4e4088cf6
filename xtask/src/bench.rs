//! Measures the gateway against nginx and a direct connection, in one run: `cargo xtask bench`.
//!
//! The measured process is pinned to core 0; the canned upstream and the load generator share core 1. A *window* is one
//! target under one load; windows of all targets are interleaved, several rounds of them, and medians are reported. CPU
//! time comes first: rates drift by a quarter on shared machines, CPU time a request by far less.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::tools::{root, say, target_dir, write_whole};

mod api;
mod dialect;
mod gateway;
mod load;
mod machine;
mod nginx;
mod process;
mod programs;
mod report;
mod run;
mod scale;
mod targets;

const USAGE: &str = "\
cargo xtask bench [--quick] [--write] [--rounds N] [--only NAME,...] [--profile release|dist] [--no-build]

  --quick      one round of short windows: a look, not a measurement
  --write      write docs/bench.md and docs/bench.json
  --rounds N   rounds (3)
  --only       of: direct, nginx, bare, gateway, provider, policies, strict, content, bridge, and, beside the gateway:
               dialect (the bridge alone, criterion), scale (governance and store; left out of --quick unless named)
  --profile    what the gateway is built with (dist)
  --no-build   measure what was built before, or the binary that TOLLGATE_BIN names";

/// What is measured over HTTP beside the modes of the gateway.
const PROXIES: [&str; 3] = ["direct", "nginx", "bare"];
/// What measures itself, without a gateway.
const ALONE: [&str; 2] = ["dialect", "scale"];

/// A machine that does more than this beside is no place to measure: a neighbour on the other core doubled our figures and
/// added a fifth to nginx's.
const QUIET_PERCENT: f64 = 10.0;

/// What was asked for.
pub(crate) struct Options {
    pub(crate) quick: bool,
    write: bool,
    rounds: usize,
    only: Vec<String>,
    profile: String,
    build: bool,
}

impl Options {
    fn read(args: &[String]) -> Result<Self> {
        let mut options = Self {
            quick: false,
            write: false,
            rounds: 0,
            only: Vec::new(),
            profile: "dist".to_owned(),
            build: true,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || {
                args.next()
                    .with_context(|| format!("`{arg}` needs a value"))
            };
            match arg.as_str() {
                "--quick" => options.quick = true,
                "--write" => options.write = true,
                "--no-build" => options.build = false,
                "--rounds" => options.rounds = value()?.parse().context("--rounds")?,
                "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
                "--profile" => options.profile = value()?.clone(),
                _ => bail!("`{arg}` is not an option of bench\n\n{USAGE}"),
            }
        }
        let modes = gateway::Mode::ALL.map(gateway::Mode::name);
        let all = [modes.as_slice(), &PROXIES, &ALONE].concat();
        let unknown = |name: &&String| !all.contains(&name.as_str());
        if let Some(name) = options.only.iter().find(unknown) {
            bail!("`{name}` is nothing that bench measures\n\n{USAGE}");
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { 1 } else { 3 };
        }
        if options.write && (options.quick || !options.only.is_empty() || options.profile != "dist")
        {
            bail!(
                "--write is for a whole measurement: not with --quick, --only or another profile"
            );
        }
        Ok(options)
    }

    fn wants(&self, target: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == target)
    }

    /// How long the load of one window lasts, and before it the warm-up.
    pub(crate) fn window(&self) -> (Duration, Duration) {
        if self.quick {
            (Duration::from_millis(1_000), Duration::from_millis(500))
        } else {
            (Duration::from_secs(4), Duration::from_secs(1))
        }
    }
}

/// Runs the measurement.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        println!("{USAGE}");
        return Ok(());
    }
    let options = Options::read(args)?;
    let mut machine = machine::Machine::look()?;
    if machine.cores < 2 {
        bail!("a measurement needs two cores: one for what is measured, one for the rest");
    }
    let wants_gateway = gateway::Mode::ALL
        .iter()
        .any(|mode| options.wants(mode.name()));
    let wants_http = wants_gateway || PROXIES.iter().any(|name| options.wants(name));
    programs::install(wants_http)?;
    let programs = wants_http
        .then(|| programs::Programs::build(&options.profile, wants_gateway, options.build))
        .transpose()?;
    let wants_dialect = options.wants("dialect");
    if wants_dialect {
        dialect::prepare(&options.profile, options.build)?;
    }
    let wants_scale = options.wants("scale") && !(options.quick && options.only.is_empty());
    if wants_scale {
        scale::prepare(&options.profile, options.build)?;
    }

    machine.look_for_neighbours()?;
    if machine.busy_percent > QUIET_PERCENT {
        let busy = format!(
            "the machine is busy with other things ({:.0} %)",
            machine.busy_percent
        );
        if options.write {
            bail!("{busy}: such numbers are not written");
        }
        say(&format!("{busy}: numbers will be too high"));
    }
    machine.look_at_programs();
    let folder = target_dir().join("bench");
    let scratch = folder.join(format!("run-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let mut results = report::Results {
        machine,
        rounds: options.rounds,
        window_ms: options.window().0.as_millis() as u64,
        rows: Vec::new(),
        dialect: None,
        scale: None,
    };
    // The shortest first: what is wrong with it shows before a quarter of an hour is spent.
    if wants_dialect {
        let benches = dialect::measure(&options.profile, options.quick, &scratch)?;
        results.dialect = Some(benches);
    }
    if let Some(programs) = &programs {
        // Data directories and logs of the run; kept when it failed, to be looked at.
        results.rows = measure(&options, programs, &scratch)
            .with_context(|| format!("logs are in {}", scratch.display()))?;
    }
    if wants_scale {
        results.scale = Some(scale::measure(&options.profile)?);
    }
    let _ = fs::remove_dir_all(&scratch);

    println!("{}", report::table(&results));
    let file = folder.join(format!("{}.json", results.machine.stamp));
    write_whole(&file, serde_json::to_string_pretty(&results)?.as_bytes())?;
    say(&format!("written: {}", file.display()));
    if options.write {
        let page = root().join("docs/bench.md");
        write_whole(&page, report::page(&results).as_bytes())?;
        let figures = root().join("docs/bench.json");
        write_whole(&figures, serde_json::to_string_pretty(&results)?.as_bytes())?;
        say("written: docs/bench.md, docs/bench.json");
    }
    let failed = report::failures(&results);
    if !failed.is_empty() {
        bail!(
            "windows failed and do not count:\n  {}",
            failed.join("\n  ")
        );
    }
    Ok(())
}

fn measure(
    options: &Options,
    programs: &programs::Programs,
    scratch: &Path,
) -> Result<Vec<report::Row>> {
    let upstream = process::Pinned::start(1, &programs.upstream, &[], scratch, "upstream")?;
    let upstream_address = upstream.first_line()?;
    let mut targets = Vec::new();
    if options.wants("direct") {
        targets.push(run::Target::direct(&upstream_address));
    }
    if options.wants("nginx") {
        targets.push(nginx::start(&upstream_address, scratch)?);
    }
    if options.wants("bare") {
        let base = format!("http://{upstream_address}");
        let bare = process::Pinned::start(0, &programs.bare, &[base], scratch, "bare")?;
        let address = bare.first_line()?;
        let label = "bare proxy of the gateway's HTTP server and client";
        targets.push(run::Target::running("bare", label, bare, &address, "none"));
    }
    if let Some(binary) = &programs.gateway {
        for mode in gateway::Mode::ALL {
            if options.wants(mode.name()) {
                targets.push(gateway::start(mode, binary, &upstream_address, scratch)?);
            }
        }
    }
    run::all(options, programs, &upstream_address, targets, scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Options> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Options::read(&args)
    }

    #[test]
    fn only_takes_what_can_be_measured() {
        let options = read(&["--only", "dialect,bridge"]).expect("known names");
        assert!(options.wants("dialect") && options.wants("bridge") && !options.wants("scale"));
        assert!(read(&["--only", "bridges"]).is_err(), "a typing error");
        for name in gateway::Mode::ALL
            .map(gateway::Mode::name)
            .iter()
            .chain(&PROXIES)
            .chain(&ALONE)
        {
            assert!(
                read(&["--only", name]).is_ok() && USAGE.contains(name),
                "{name}"
            );
        }
    }
}
