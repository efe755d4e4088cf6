//! The machine a measurement was made on, without its name.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::tools::output;

/// What a reader needs to judge numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    pub(crate) nginx: String,
    pub(crate) wrk: String,
    pub(crate) rustc: String,
    pub(crate) commit: String,
    /// UTC, as part of file names.
    pub(crate) stamp: String,
    /// How much of all cores was taken by others right before the run, percent.
    pub(crate) busy_percent: f64,
}

impl Machine {
    pub(crate) fn look() -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let cpu = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned());
        let memory_mib = fs::read_to_string("/proc/meminfo")?
            .lines()
            .find_map(|line| {
                line.strip_prefix("MemTotal:")?
                    .trim()
                    .split(' ')
                    .next()?
                    .parse::<u64>()
                    .ok()
            })
            .unwrap_or_default()
            / 1024;
        let dirty = output(Command::new("git").args(["status", "--porcelain"]))
            .is_some_and(|text| !text.is_empty());
        let commit =
            output(Command::new("git").args(["rev-parse", "--short", "HEAD"])).unwrap_or_default();
        Ok(Self {
            cpu,
            cores: std::thread::available_parallelism()?.get(),
            memory_mib,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?
                .trim()
                .to_owned(),
            nginx: String::new(),
            wrk: String::new(),
            rustc: output(Command::new("rustc").arg("--version")).unwrap_or_default(),
            commit: if dirty { format!("{commit}+") } else { commit },
            stamp: output(Command::new("date").args(["-u", "+%Y-%m-%dT%H%M%SZ"]))
                .unwrap_or_default(),
            busy_percent: 0.0,
        })
    }

    /// Looks for some seconds how busy the machine is while nothing is measured. What a hypervisor takes counts as well.
    pub(crate) fn look_for_neighbours(&mut self) -> Result<()> {
        let (idle, all) = processor_time()?;
        std::thread::sleep(Duration::from_secs(5));
        let (still_idle, still_all) = processor_time()?;
        let passed = still_all.saturating_sub(all).max(1) as f64;
        let rested = still_idle.saturating_sub(idle) as f64;
        self.busy_percent = (1.0 - rested / passed) * 100.0;
        Ok(())
    }

    /// Versions that can be asked for only once the programs are installed.
    pub(crate) fn look_at_programs(&mut self) {
        // Both tell their version where errors go.
        let told = |program: &str, arg: &str| {
            let output = Command::new(program).arg(arg).output().ok()?;
            let text = [output.stdout, output.stderr].concat();
            String::from_utf8_lossy(&text)
                .lines()
                .next()
                .map(str::to_owned)
        };
        self.nginx = told("nginx", "-v")
            .unwrap_or_default()
            .replace("nginx version: ", "");
        let wrk = told("wrk", "-v").unwrap_or_default();
        self.wrk = wrk.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    }
}

/// Ticks of all cores: those in which nothing ran, and all of them.
fn processor_time() -> Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; what guests take is in user.
    let all = ticks.iter().take(8).sum();
    Ok((ticks.iter().skip(3).take(2).sum(), all))
}
