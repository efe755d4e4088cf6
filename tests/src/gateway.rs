//! The binary under test: starts it on free ports in a folder of its own, watches it, ends it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::management::Management;
use crate::places;
use crate::wire::{self, PATIENCE, Reply, Request};

/// What to start with.
#[derive(Clone, Debug)]
pub struct Setup {
    components: Vec<String>,
    settings: BTreeMap<String, BTreeMap<String, String>>,
    arguments: Vec<String>,
}

impl Setup {
    /// These components in the drop-in folder, and the defaults.
    pub fn new(components: &[&str]) -> Self {
        let setup = Self {
            components: components.iter().map(|&name| name.into()).collect(),
            settings: BTreeMap::new(),
            arguments: Vec::new(),
        };
        // Tests load a busy machine; guests are given time so that only a guest that loops is stopped.
        setup
            .set("components", "call_timeout_ms", "500")
            .set("data", "durable", "\"process\"")
            .set("governance", "time_zone", &format!("{:?}", noon()))
    }

    /// A setting of the configuration file; `value` is TOML.
    #[must_use]
    pub fn set(mut self, section: &str, key: &str, value: &str) -> Self {
        self.settings
            .entry(section.into())
            .or_default()
            .insert(key.into(), value.into());
        self
    }

    /// Without a setting that tests have by default: what is shipped holds.
    #[must_use]
    pub fn shipped(mut self, section: &str, key: &str) -> Self {
        if let Some(keys) = self.settings.get_mut(section) {
            keys.remove(key);
        }
        self
    }

    /// Durable as it is shipped: what was answered outlives a power failure. By default tests are content with what
    /// outlives the process, which costs no waiting for the disk.
    #[must_use]
    pub fn durable_as_shipped(self) -> Self {
        self.shipped("data", "durable")
    }

    /// A further argument of `serve`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }
}

/// A running gateway. Killed when dropped, and its log searched for secrets.
pub struct Gateway {
    child: Option<Child>,
    folder: TempDir,
    arguments: Vec<String>,
    starts: usize,
    address: SocketAddr,
    management: Management,
    secrets: Mutex<Vec<String>>,
}

impl Gateway {
    /// Starts the binary and waits until it serves.
    ///
    /// # Panics
    /// When the binary or a component is missing, or it does not serve.
    pub async fn start(setup: &Setup) -> Self {
        let binary = places::binary();
        let folder = tempfile::Builder::new()
            .prefix("tollgate-test-")
            .tempdir()
            .unwrap();
        let components = folder.path().join("components");
        fs::create_dir(&components).unwrap();
        for name in &setup.components {
            fs::copy(
                places::component(name),
                components.join(format!("{name}.wasm")),
            )
            .unwrap();
        }
        let mut gateway = Self {
            child: None,
            folder,
            arguments: setup.arguments.clone(),
            starts: 0,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            management: Management::new(SocketAddr::from(([127, 0, 0, 1], 0)), String::new()),
            secrets: Mutex::default(),
        };
        gateway.configure(setup);
        gateway.launch(&binary).await;
        gateway
    }

    /// Writes another configuration, which holds from the next start on. Arguments and components stay.
    pub fn configure(&self, setup: &Setup) {
        let text = config(setup, self.folder.path());
        fs::write(self.folder.path().join("tollgate.toml"), text).unwrap();
    }

    async fn launch(&mut self, binary: &Path) {
        self.starts += 1;
        let _ = fs::remove_file(self.data().join("addresses.json"));
        let log = |name: &str| {
            let path = self
                .folder
                .path()
                .join(format!("{name}-{}.log", self.starts));
            Stdio::from(fs::File::create(path).unwrap())
        };
        let child = Command::new(binary)
            .args(["--config", "tollgate.toml", "serve"])
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .env_clear()
            // All that the gateway itself and what handles its headers can say.
            .env("TOLLGATE_LOG", "info,tollgate=debug,hyper=debug")
            .stdin(Stdio::null())
            .stdout(log("stdout"))
            .stderr(log("stderr"))
            .spawn()
            .unwrap();
        self.child = Some(child);
        let began = Instant::now();
        let (address, management) = loop {
            self.assert_running();
            if let Some(addresses) = self.addresses() {
                break addresses;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "no addresses.json; log:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        self.address = address;
        loop {
            self.assert_running();
            if let Ok(mut connection) = wire::Connection::open(address).await
                && let Ok(reply) = connection.exchange(&Request::get("/healthz")).await
                && reply.status() == 200
            {
                break;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "/healthz never said 200; log:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let token = fs::read_to_string(self.data().join("management-token"))
            .unwrap()
            .trim()
            .to_owned();
        self.keep_secret(&token);
        self.management = Management::new(management, token);
    }

    fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let text = fs::read_to_string(self.data().join("addresses.json")).ok()?;
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some((
            value["server"].as_str()?.parse().ok()?,
            value["management"].as_str()?.parse().ok()?,
        ))
    }

    fn assert_running(&mut self) {
        if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
            panic!(
                "the gateway ended by itself ({status}); log:\n{}",
                self.log()
            );
        }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for clients, without a trailing slash or `/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The management API.
    pub fn management(&self) -> &Management {
        &self.management
    }

    /// The folder of everything this gateway has.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The drop-in folder.
    pub fn components(&self) -> PathBuf {
        self.folder.path().join("components")
    }

    /// Drops a component in under a name, whole at once as an operator's `mv` does.
    pub fn drop_in(&self, name: &str, bytes: &[u8]) {
        let fresh = self.folder.path().join("dropping-in");
        fs::write(&fresh, bytes).unwrap();
        fs::rename(fresh, self.components().join(format!("{name}.wasm"))).unwrap();
    }

    /// Sends one request on a connection of its own.
    pub async fn send(&self, request: &Request) -> Reply {
        wire::send(self.address, request).await
    }

    /// Opens a connection.
    pub async fn connect(&self) -> wire::Connection {
        wire::Connection::open(self.address).await.unwrap()
    }

    /// A secret of this test: it must never be found in the log.
    pub fn keep_secret(&self, secret: &str) {
        self.secrets.lock().unwrap().push(secret.into());
    }

    /// What it has written to standard output and error, over all its starts.
    pub fn log(&self) -> String {
        let mut log = String::new();
        for start in 1..=self.starts {
            for name in ["stdout", "stderr"] {
                let path = self.folder.path().join(format!("{name}-{start}.log"));
                log.push_str(&String::from_utf8_lossy(
                    &fs::read(path).unwrap_or_default(),
                ));
            }
        }
        log
    }

    /// How many bytes its workers have written into the journal: all but the page that each file of it begins with.
    pub fn journaled(&self) -> u64 {
        let files = fs::read_dir(self.data().join("store/journal")).unwrap();
        files
            .filter_map(|file| {
                let file = file.unwrap();
                let is_journal = file.path().extension().is_some_and(|end| end == "journal");
                // A file that has just been removed had nothing in it that is needed.
                is_journal.then(|| {
                    file.metadata()
                        .map_or(0, |file| file.len().saturating_sub(4096))
                })
            })
            .sum()
    }

    /// Waits until more than that many bytes are in the journal.
    ///
    /// # Panics
    /// When nothing comes.
    pub async fn wait_for_journal(&self, before: u64) {
        let began = Instant::now();
        while self.journaled() <= before {
            assert!(
                began.elapsed() < PATIENCE,
                "nothing is written into the journal; log:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Kills it as `kill -9` does: nothing is flushed, nothing is tidied.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to stop, as a service manager does.
    pub fn terminate(&self) {
        let id = self.child.as_ref().unwrap().id();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id.to_string()])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end after [`Gateway::terminate`].
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                self.child = None;
                return status;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "it does not stop; log:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts it again on the same data.
    pub async fn restart(&mut self) {
        assert!(self.child.is_none(), "it still runs");
        self.launch(&places::binary()).await;
    }

    /// Its resident memory in bytes.
    pub fn resident(&self) -> u64 {
        let id = self.child.as_ref().unwrap().id();
        let text = fs::read_to_string(format!("/proc/{id}/statm")).unwrap();
        let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
        pages * 4096
    }

    /// Files of the data directory that hold `needle`, secret files for the operator left out.
    pub fn files_with(&self, needle: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.data()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if contains(&fs::read(&path).unwrap_or_default(), needle.as_bytes()) {
                    found.push(path);
                }
            }
        }
        found
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("--- the gateway's log (last 100 lines) ---");
            let lines: Vec<&str> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(100)..] {
                eprintln!("{line}");
            }
            return;
        }
        for secret in self.secrets.lock().unwrap().iter() {
            // The line itself would show the secret once more: say only where it is.
            let line = log.lines().position(|line| line.contains(secret.as_str()));
            assert!(
                line.is_none(),
                "line {} of the gateway's log holds a secret",
                line.unwrap_or_default() + 1
            );
        }
    }
}

/// A zone where it is about noon: no day or month ends in the middle of a test, so that what it has spent counts.
fn noon() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // The signs of these names are those of POSIX: `-` is east of Greenwich.
    match since.as_secs() / 3_600 % 24 {
        12 => "UTC".to_owned(),
        hour @ ..12 => format!("Etc/GMT-{}", 12 - hour),
        hour => format!("Etc/GMT+{}", hour - 12),
    }
}

fn config(setup: &Setup, folder: &Path) -> String {
    let mut settings = setup.settings.clone();
    let mut preset = |section: &str, key: &str, value: String| {
        settings
            .entry(section.into())
            .or_default()
            .entry(key.into())
            .or_insert(value);
    };
    preset("server", "listen", "\"127.0.0.1:0\"".into());
    preset("management", "listen", "\"127.0.0.1:0\"".into());
    preset("data", "dir", format!("{:?}", folder.join("data")));
    preset(
        "components",
        "dir",
        format!("{:?}", folder.join("components")),
    );
    let mut text = String::new();
    for (section, keys) in settings {
        text.push_str(&format!("[{section}]\n"));
        for (key, value) in keys {
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    text
}

/// Whether bytes hold other bytes.
pub fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}
