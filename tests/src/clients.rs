//! The real clients: installs them once, runs them headless with a home of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::places;

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Whether the operator of this run asked to go without the real clients; says so when he did.
pub fn skipped() -> bool {
    let skipped = std::env::var("TOLLGATE_SKIP_CLIENTS").is_ok_and(|value| value == "1");
    if skipped {
        println!("SKIPPED: real clients are not run because TOLLGATE_SKIP_CLIENTS=1");
    }
    skipped
}

/// Where the installed clients are.
#[derive(Clone, Debug)]
pub struct Clients {
    node: PathBuf,
    python: PathBuf,
}

/// What a client that has been run left behind.
#[derive(Debug)]
pub struct Outcome {
    /// Whether it ended with status 0.
    pub success: bool,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Clients {
    /// Installs what is missing or of another version, and says where it is. Takes a lock: tests run side by side.
    ///
    /// # Errors
    /// When npm or pip is missing or fails, with what it said.
    pub fn ensure() -> Result<Self> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        let folder = places::target().join("clients");
        fs::create_dir_all(&folder)?;
        let lock = fs::File::create(folder.join("lock"))?;
        lock.lock()?;
        let clients = Self {
            node: folder.join("node"),
            python: folder.join("python"),
        };
        let package = fs::read_to_string(sources.join("package.json"))?;
        if stale(&clients.node, &package) {
            fresh(&clients.node)?;
            fs::copy(
                sources.join("package.json"),
                clients.node.join("package.json"),
            )?;
            let npm = [
                "install",
                "--no-audit",
                "--no-fund",
                "--no-package-lock",
                "--loglevel=error",
            ];
            install(Command::new("npm").args(npm).current_dir(&clients.node))?;
            stamp(&clients.node, &package)?;
        }
        let requirements = fs::read_to_string(sources.join("requirements.txt"))?;
        if stale(&clients.python, &requirements) {
            fresh(&clients.python)?;
            // Into a folder of our own rather than a virtual environment: Debian splits `venv` into a package apart.
            let pip = [
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-warn-conflicts",
                "--root-user-action=ignore",
                "--target",
            ];
            let list = sources.join("requirements.txt");
            install(
                Command::new("python3")
                    .args(pip)
                    .arg(&clients.python)
                    .arg("-r")
                    .arg(list),
            )?;
            stamp(&clients.python, &requirements)?;
        }
        Ok(clients)
    }

    /// A shell command with the clients and the SDKs on its paths: what a person who has installed them can paste.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-ec", script]);
        let mut path = self.node.join("node_modules/.bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        clean(&mut command)
            .env("PATH", path)
            .env("PYTHONPATH", &self.python)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// A script of `tests/clients` with the SDKs on its path: Python, or JavaScript if its name ends so.
    pub fn script(&self, name: &str) -> Command {
        let javascript = name.ends_with(".mjs");
        let mut command = Command::new(if javascript { "node" } else { "python3" });
        command.arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("clients")
                .join(name),
        );
        clean(&mut command)
            .env("NODE_PATH", self.node.join("node_modules"))
            .env("PYTHONPATH", &self.python)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// A command-line client by name (`codex`, `claude`, `opencode`).
    pub fn node(&self, name: &str) -> Command {
        let mut command = Command::new(self.node.join("node_modules/.bin").join(name));
        clean(&mut command);
        command
    }
}

/// No environment but the path: nothing of the machine's own settings, proxies or credentials.
fn clean(command: &mut Command) -> &mut Command {
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started or does not end in three minutes (it is killed then).
pub fn run(command: &mut Command, home: &Path) -> Result<Outcome> {
    run_within(command, home, PATIENCE)
}

/// The same with another limit.
///
/// # Errors
/// When it cannot be started or does not end in time.
pub fn run_within(command: &mut Command, home: &Path, limit: Duration) -> Result<Outcome> {
    Running::start(command, home)?.finish_within(limit)
}

/// A client under way.
#[derive(Debug)]
pub struct Running {
    child: Child,
    home: PathBuf,
}

impl Running {
    /// Starts a command; what it writes goes into files in `home`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command, home: &Path) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(fs::File::create(file(home, "output"))?)
            .stderr(fs::File::create(file(home, "errors"))?)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self {
            child,
            home: home.to_owned(),
        })
    }

    /// Does what Ctrl-C does.
    ///
    /// # Errors
    /// When it is no longer there.
    pub fn interrupt(&self) -> Result<()> {
        let pid = i32::try_from(self.child.id())?;
        let pid = Pid::from_raw(pid).context("a process has a number")?;
        Ok(kill_process(pid, Signal::INT)?)
    }

    /// Waits until it has written these words to its standard output.
    ///
    /// # Errors
    /// When it ends without them, or they do not come in three minutes.
    pub async fn wait_for(&mut self, words: &str) -> Result<()> {
        let began = Instant::now();
        loop {
            let ended = self.child.try_wait()?.is_some();
            let output = read(&self.home, "output")?;
            if output.contains(words) {
                return Ok(());
            }
            ensure!(!ended, "it ended without {words:?}: {output}");
            ensure!(began.elapsed() < PATIENCE, "no {words:?} came: {output}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When that does not come in three minutes (it is killed then).
    pub fn finish(self) -> Result<Outcome> {
        self.finish_within(PATIENCE)
    }

    fn finish_within(mut self, limit: Duration) -> Result<Outcome> {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break Some(status);
            }
            if began.elapsed() > limit {
                self.child.kill()?;
                self.child.wait()?;
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let outcome = Outcome {
            success: status.is_some_and(|status| status.success()),
            output: read(&self.home, "output")?,
            errors: read(&self.home, "errors")?,
        };
        ensure!(status.is_some(), "it did not end: {outcome:?}");
        Ok(outcome)
    }
}

fn file(home: &Path, name: &str) -> PathBuf {
    home.join(format!("client-{name}.txt"))
}

fn read(home: &Path, name: &str) -> Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(file(home, name))?).into_owned())
}

fn stale(folder: &Path, wanted: &str) -> bool {
    fs::read_to_string(folder.join("installed.stamp"))
        .ok()
        .as_deref()
        != Some(wanted)
}

fn stamp(folder: &Path, wanted: &str) -> Result<()> {
    Ok(fs::write(folder.join("installed.stamp"), wanted)?)
}

fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(fs::create_dir_all(folder)?)
}

fn install(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| {
        format!("cannot run {command:?}: `cargo xtask test` installs what it needs")
    })?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!(
            "{command:?} failed ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&said)
        );
    }
    Ok(())
}
