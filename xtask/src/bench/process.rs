//! A process pinned to one core: started, watched, its CPU time and memory read, ended.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a program may take to say where it listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program and all its children. Killed when dropped.
pub(crate) struct Pinned {
    child: Child,
    name: String,
    output: PathBuf,
}

impl Pinned {
    /// Starts a program on one core, its output in files below `scratch`.
    pub(crate) fn start(
        core: usize,
        program: &Path,
        args: &[String],
        scratch: &Path,
        name: &str,
    ) -> Result<Self> {
        let output = scratch.join(format!("{name}.out"));
        let child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(program)
            .args(args)
            .current_dir(scratch)
            .stdin(Stdio::null())
            .stdout(File::create(&output)?)
            .stderr(File::create(scratch.join(format!("{name}.err")))?)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            child,
            name: name.to_owned(),
            output,
        })
    }

    /// The first line it prints.
    pub(crate) fn first_line(&self) -> Result<String> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let mut line = String::new();
            BufReader::new(File::open(&self.output)?).read_line(&mut line)?;
            if line.ends_with('\n') {
                return Ok(line.trim().to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("{} printed nothing", self.name)
    }

    /// Waits until `ready` gives a value; fails at once if the program ends.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &str,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Result<T> {
        let began = Instant::now();
        loop {
            if let Some(value) = ready() {
                return Ok(value);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before {what}", self.name);
            }
            if began.elapsed() > PATIENCE {
                bail!("{}: waited in vain for {what}", self.name);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // Children first: nginx's worker would outlive a killed master.
        for id in family(self.child.id()).into_iter().rev() {
            if id != self.child.id() {
                let _ = Command::new("kill")
                    .args(["-9", &id.to_string()])
                    .stderr(Stdio::null())
                    .status();
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process and its descendants.
fn family(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|id: u32| Some((id, fields(id)?.first()?.parse().ok()?)))
        .collect();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(id, _)| *id),
        );
        next += 1;
    }
    family
}

/// The fields of `/proc/ID/stat` from the parent's id on (the name before it may hold anything).
fn fields(id: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().skip(1).map(str::to_owned).collect())
}

/// CPU time used so far by a process and its descendants, user and system together.
pub(crate) struct CpuTime {
    /// Nanoseconds of each thread that lives.
    by_thread: HashMap<u32, u64>,
    /// Of all threads, those that have ended too, but counted in ticks.
    ticks: u64,
}

impl CpuTime {
    pub(crate) fn of(root: u32) -> Self {
        let mut by_thread = HashMap::new();
        let mut ticks = 0;
        for id in family(root) {
            let tasks = fs::read_dir(format!("/proc/{id}/task"));
            for task in tasks.into_iter().flatten().flatten() {
                let name = task.file_name();
                let thread = name.to_str().and_then(|id| id.parse::<u32>().ok());
                let used = fs::read_to_string(task.path().join("schedstat")).ok();
                let used =
                    used.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
                by_thread.extend(thread.zip(used));
            }
            // utime and stime are the 14th and 15th fields; ours begin with the 4th.
            let fields = fields(id).unwrap_or_default();
            let times = fields.iter().skip(10).take(2);
            ticks += times.filter_map(|n| n.parse::<u64>().ok()).sum::<u64>();
        }
        Self { by_thread, ticks }
    }

    /// Nanoseconds used since an earlier look. Threads that ended in between are missed by the exact count; where the
    /// ticks (of 10 ms) show that they mattered, the ticks are taken.
    pub(crate) fn since(&self, before: &Self) -> u64 {
        const TICK_NS: u64 = 10_000_000;
        const ROUNDING: u64 = 4 * TICK_NS;
        let used = |(thread, now): (&u32, &u64)| {
            now.saturating_sub(before.by_thread.get(thread).copied().unwrap_or_default())
        };
        let exact: u64 = self.by_thread.iter().map(used).sum();
        let ticks = self.ticks.saturating_sub(before.ticks) * TICK_NS;
        if ticks > exact + exact / 50 + ROUNDING {
            ticks
        } else {
            exact
        }
    }
}

/// Resident memory of a process and its descendants in bytes (pages shared by them count for each).
pub(crate) fn resident(root: u32) -> u64 {
    let of_one = |id: u32| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().split(' ').next()?.parse::<u64>().ok()? * 1024)
    };
    family(root).into_iter().filter_map(of_one).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_of_work_in_a_child_is_seen() {
        let mut child = Command::new("sh")
            .args(["-c", "sh -c 'while :; do :; done' & wait"])
            .spawn()
            .expect("sh");
        let began = Instant::now();
        let before = CpuTime::of(child.id());
        let mut used = 0;
        while used < 50_000_000 && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
            used = CpuTime::of(child.id()).since(&before);
        }
        let (elapsed, family) = (began.elapsed().as_nanos(), family(child.id()));
        for id in &family {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
        let _ = child.wait();
        assert!(family.len() >= 2, "{family:?}");
        assert!(
            used >= 50_000_000 && u128::from(used) <= elapsed,
            "{used} of {elapsed}"
        );
    }

    #[test]
    fn resident_memory_is_plausible() {
        let bytes = resident(std::process::id());
        assert!((500_000..1 << 34).contains(&bytes), "{bytes}");
    }
}
