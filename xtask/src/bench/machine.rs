//! The machine a measurement was made on, without its name.

use std::fs;
use std::process::Command;

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
    /// Load average of the last minute before the run.
    pub(crate) load: String,
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
            load: fs::read_to_string("/proc/loadavg")?
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
        })
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
