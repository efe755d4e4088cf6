//! A folder with a configuration, and the command run in it.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a configuration, and the command run in it.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("tollgate.toml"),
            "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[management]\nlisten = \"127.0.0.1:0\"\n",
        )
        .unwrap();
        Self { folder }
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; its standard output.
    pub(crate) fn fine(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.fine(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Runs a command that must fail; its standard error.
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            !output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8(output.stderr).unwrap()
    }

    /// Starts a gateway that must end by itself, and not well, before it serves; its standard error.
    pub(crate) fn fails_to_serve(&self) -> String {
        match self.may_serve() {
            Ok(_) => panic!("it serves"),
            Err(said) => said,
        }
    }

    /// Starts a gateway that may end by itself, but then not well: its standard error.
    pub(crate) fn may_serve(&self) -> Result<Server, String> {
        let _ = std::fs::remove_file(self.data("addresses.json"));
        let mut command = self.command(&["serve"]);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Server(child);
        let began = Instant::now();
        loop {
            if let Some(status) = server.0.try_wait().unwrap() {
                assert!(!status.success());
                let mut text = String::new();
                let mut said = server.0.stderr.take().unwrap();
                said.read_to_string(&mut text).unwrap();
                return Err(text);
            }
            if self.data("addresses.json").exists() {
                return Ok(server);
            }
            assert!(began.elapsed() < PATIENCE, "it neither serves nor ends");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        let _ = std::fs::remove_file(self.data("addresses.json"));
        let mut child = self
            .command(&[&["serve"], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while !self.data("addresses.json").exists() {
            if let Some(status) = child.try_wait().unwrap() {
                let mut text = String::new();
                child
                    .stderr
                    .take()
                    .unwrap()
                    .read_to_string(&mut text)
                    .unwrap();
                panic!("serve ended: {status}: {text}");
            }
            assert!(began.elapsed() < PATIENCE, "serve did not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
        Server(child)
    }
}

/// A running gateway, killed when a test ends early.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.0.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for the end; its status and standard output.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                let mut text = String::new();
                self.0
                    .stdout
                    .take()
                    .unwrap()
                    .read_to_string(&mut text)
                    .unwrap();
                return (status, text);
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The line of a table that begins so.
pub(crate) fn row(table: &str, begins: &str) -> String {
    let mut lines = table.lines().filter(|line| line.starts_with(begins));
    let line = lines
        .next()
        .unwrap_or_else(|| panic!("no {begins:?} in\n{table}"));
    line.trim_end().to_owned()
}
