//! The clients of paced streams in `cargo xtask bench`: a fixed number of streams, each event's delay watched.
//!
//! `bench-load ADDRESS KEY MODEL CONNECTIONS STREAMS` opens the connections, their starts spread over one stream's
//! length, reads STREAMS paced streams on each, and prints one line of JSON. A load generator that stops by the clock cuts
//! streams in the middle and spoils the CPU time a stream; this one reads all to their end. Times are microseconds.
#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const EVENTS: u64 = 24;
const GAP: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);

/// What one stream showed.
struct Seen {
    first: Duration,
    whole: Duration,
    /// How much later than 20 ms after the one before each event came.
    late: Vec<Duration>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, key, model, connections, streams] = arguments.as_slice() else {
        bail!("usage: bench-load ADDRESS KEY MODEL CONNECTIONS STREAMS");
    };
    let (connections, streams): (u32, u32) = (connections.parse()?, streams.parse()?);
    let body = format!(
        "{{\"model\":\"{model}\",\"stream\":true,\"stream_options\":{{\"include_usage\":true}},\
         \"messages\":[{{\"role\":\"user\",\"content\":\"PACED: say something short\"}}]}}"
    );
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let spread = GAP * u32::try_from(EVENTS)? / connections.max(1);
    let tasks: Vec<_> = (0..connections)
        .map(|number| {
            let (address, request) = (address.clone(), request.clone());
            tokio::spawn(async move {
                sleep(spread * number).await;
                client(&address, request.as_bytes(), streams).await
            })
        })
        .collect();
    let (mut seen, mut failed, mut reason) = (Vec::new(), 0_u32, String::new());
    for task in tasks {
        match task.await? {
            Ok(streams) => seen.extend(streams),
            Err(error) => {
                failed += 1;
                reason = format!("{error:#}");
            }
        }
    }
    let first = micros(seen.iter().map(|stream| stream.first));
    let whole = micros(seen.iter().map(|stream| stream.whole));
    let late = micros(seen.iter().flat_map(|stream| stream.late.iter().copied()));
    writeln!(
        io::stdout(),
        "{}",
        serde_json::json!({
            "streams": seen.len(), "failed": failed, "reason": reason,
            "first_p50": at(&first, 50), "first_p99": at(&first, 99),
            "whole_p50": at(&whole, 50), "whole_p99": at(&whole, 99),
            "late_p50": at(&late, 50), "late_p99": at(&late, 99),
        })
    )?;
    Ok(())
}

async fn client(address: &str, request: &[u8], streams: u32) -> Result<Vec<Seen>> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let mut seen = Vec::new();
    for _ in 0..streams {
        let stream = timeout(PATIENCE, stream(&mut socket, request))
            .await
            .context("a stream did not end")??;
        seen.push(stream);
    }
    Ok(seen)
}

/// Sends one request and reads its stream to the last chunk.
async fn stream(socket: &mut TcpStream, request: &[u8]) -> Result<Seen> {
    let began = Instant::now();
    socket.write_all(request).await?;
    let (mut text, mut events, mut last) = (Vec::with_capacity(16 * 1024), 0_u64, began);
    let (mut first, mut late) = (Duration::ZERO, Vec::new());
    loop {
        let before = text.len();
        ensure!(
            socket.read_buf(&mut text).await? > 0,
            "closed in the middle of a stream"
        );
        let now = Instant::now();
        if before == 0 {
            ensure!(
                text.starts_with(b"HTTP/1.1 200 "),
                "not a 200: {}",
                String::from_utf8_lossy(&text)
            );
        }
        // An event may be cut: look from a little before the new bytes.
        let fresh = text.get(before.saturating_sub(1)..).unwrap_or_default();
        let arrived = count(fresh, b"\n\n");
        if arrived > 0 {
            if events == 0 {
                first = now - began;
            } else {
                late.push((now - last).saturating_sub(GAP));
            }
            last = now;
            events += arrived;
        }
        if text.ends_with(b"\r\n0\r\n\r\n") {
            ensure!(events == EVENTS, "{events} events instead of {EVENTS}");
            let whole = now - began;
            return Ok(Seen { first, whole, late });
        }
    }
}

fn count(haystack: &[u8], needle: &[u8]) -> u64 {
    haystack
        .windows(needle.len())
        .filter(|window| *window == needle)
        .count() as u64
}

fn micros(times: impl Iterator<Item = Duration>) -> Vec<u64> {
    let mut times: Vec<u64> = times
        .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
        .collect();
    times.sort_unstable();
    times
}

fn at(sorted: &[u64], percent: usize) -> u64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}
