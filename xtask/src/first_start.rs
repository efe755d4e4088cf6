//! The step `run` of `cargo xtask test`: `cargo xtask run`, as a person types it first, on a machine that reaches nothing
//! but itself.
//!
//! The machine is a network namespace of its own: each try to reach anything else, also to look up a name, is refused and
//! counted by the kernel. What is built must be up to date before: nothing can be fetched there. Where namespaces cannot
//! be made (in a container without the right to), the start is tried all the same, and it is said what was not.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::tools::{self, say};

/// What cargo takes to see that all is up to date, and the gateway to start, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How the kernel counts what found no way out, and what was sent to where nobody listens: names are looked up at an address
/// of the loopback device on many machines. In `/proc/net/snmp` and `/proc/net/snmp6`.
const OF_4: [(&str, &str); 2] = [("Ip:", "OutNoRoutes"), ("Udp:", "NoPorts")];
const OF_6: [&str; 2] = ["Ip6OutNoRoutes", "Udp6NoPorts"];

/// The command that is run inside.
pub(crate) const INSIDE: &str = "first-start";

/// A network namespace in which the loopback device is up, before the words of a command. Who is not root becomes it there.
const CUT_OFF: [&str; 6] = [
    "--map-root-user",
    "--net",
    "sh",
    "-c",
    "ip link set lo up && exec \"$@\"",
    "sh",
];

/// Starts the gateway where there is no network, and asks it something.
pub(crate) fn check() -> Result<()> {
    let possible = Command::new("unshare").args(CUT_OFF).arg("true").output();
    if !possible.is_ok_and(|tried| tried.status.success()) {
        say(
            "run: no network namespace can be made here: that the start needs no network is NOT shown",
        );
        return start_and_ask();
    }
    let this = std::env::current_exe().context("no path to this program")?;
    tools::run(Command::new("unshare").args(CUT_OFF).arg(this).arg(INSIDE))
}

/// What is done inside of the namespace.
pub(crate) fn inside() -> Result<()> {
    ensure!(
        devices()? == ["lo"],
        "there is a network here: {INSIDE} is run by `cargo xtask test`"
    );
    let before = tries()?;
    start_and_ask()?;
    let tries = tries()? - before;
    ensure!(
        tries == 0,
        "{tries} tries to reach something beyond this machine"
    );
    Ok(())
}

fn start_and_ask() -> Result<()> {
    let folder = tools::target_dir().join(INSIDE);
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot empty the folder of the last time")?;
    }
    fs::create_dir_all(&folder)?;
    let mut gateway = Started::new(&folder)?;
    let outcome = gateway.answers(&folder.join("data"));
    let outcome = outcome.and_then(|()| gateway.ends());
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    outcome.with_context(|| format!("{log}\n(that was its log)"))
}

/// `cargo xtask run`, killed when dropped.
struct Started(Child);

impl Started {
    fn new(folder: &Path) -> Result<Self> {
        let log = File::create(folder.join("log")).context("cannot write a log")?;
        let mut run = Command::new(std::env::current_exe()?);
        run.args(["run", "--", "--data"]).arg(folder.join("data"));
        // Free ones: a gateway may be running here.
        run.args([
            "--listen",
            "127.0.0.1:0",
            "--management-listen",
            "127.0.0.1:0",
        ]);
        run.stdout(log.try_clone()?).stderr(log);
        let child = run.stdin(Stdio::null()).spawn();
        Ok(Self(child.context("cannot start `cargo xtask run`")?))
    }

    /// Asks what the README asks with curl, with the key that was made.
    fn answers(&mut self, data: &Path) -> Result<()> {
        let started = Instant::now();
        let address = loop {
            // Written whole, once it serves.
            if let Some(address) = address(&data.join("addresses.json")) {
                break address;
            }
            if let Some(status) = self.0.try_wait()? {
                bail!("`cargo xtask run` ended with {status}");
            }
            ensure!(started.elapsed() < PATIENCE, "it does not serve");
            std::thread::sleep(Duration::from_millis(50));
        };
        let key = fs::read_to_string(data.join("quickstart-key")).context("no key was made")?;
        let answer = ask(address, key.trim())?;
        ensure!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("hello"),
            "it answered\n{answer}"
        );
        Ok(())
    }

    /// Is told to end, as by Ctrl-C.
    fn ends(&mut self) -> Result<()> {
        tools::run(Command::new("kill").args(["-INT", &self.0.id().to_string()]))?;
        let started = Instant::now();
        loop {
            match self.0.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("it ended with {status}"),
                None if started.elapsed() < PATIENCE => {}
                None => bail!("it does not end"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where a gateway says that it serves.
fn address(file: &Path) -> Option<SocketAddr> {
    let text = fs::read_to_string(file).ok()?;
    let addresses: serde_json::Value = serde_json::from_str(&text).ok()?;
    addresses["server"].as_str()?.parse().ok()
}

fn ask(address: SocketAddr, key: &str) -> Result<String> {
    let body = r#"{"model":"echo","messages":[{"role":"user","content":"hello"}]}"#;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .context("no whole answer")?;
    Ok(answer)
}

/// The network devices that there are.
fn devices() -> Result<Vec<String>> {
    let table = fs::read_to_string("/proc/net/dev").context("no table of network devices")?;
    // Two lines of headings, then a line a device: its name, a colon, numbers.
    let names = table
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'));
    Ok(names.map(|(name, _)| name.trim().to_owned()).collect())
}

/// How often something had no way out since the namespace was made.
fn tries() -> Result<u64> {
    let table = fs::read_to_string("/proc/net/snmp").context("no counters of the network")?;
    let of_4 = OF_4.map(|(protocol, name)| counter_in_rows(&table, protocol, name));
    let mut sum = 0;
    for counter in of_4 {
        sum += counter.context("a counter of the network is missing")?;
    }
    // A kernel without IPv6 has no such file, and nothing to try with it.
    let table = fs::read_to_string("/proc/net/snmp6").unwrap_or_default();
    for line in table.lines() {
        if let Some((name, number)) = line.split_once(char::is_whitespace)
            && OF_6.contains(&name)
        {
            sum += number.trim().parse::<u64>()?;
        }
    }
    Ok(sum)
}

/// A number out of a table with a row of names and a row of numbers for each protocol.
fn counter_in_rows(table: &str, protocol: &str, name: &str) -> Option<u64> {
    let mut rows = table.lines().filter(|row| row.starts_with(protocol));
    let at = rows.next()?.split_whitespace().position(|is| is == name)?;
    rows.next()?.split_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_name() {
        let table = "Ip: Forwarding OutNoRoutes\nIp: 1 7\nTcp: OutNoRoutes\nTcp: 3\n";
        assert_eq!(counter_in_rows(table, "Ip:", "OutNoRoutes"), Some(7));
        assert_eq!(counter_in_rows(table, "Ip:", "Nothing"), None);
    }
}
