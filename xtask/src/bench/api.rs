//! Just enough HTTP to set a gateway up through its management API and to look at one answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Sends one request on a connection of its own; status and body.
pub(crate) fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    body: &str,
) -> Result<(u16, Vec<u8>)> {
    let mut socket = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes())?;
    socket.write_all(body.as_bytes())?;
    let mut answer = Vec::new();
    let at = loop {
        if let Some(at) = answer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        read_more(&mut socket, &mut answer)?;
    };
    let head = String::from_utf8_lossy(answer.get(..at).unwrap_or_default()).to_ascii_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .context("not an HTTP answer")?;
    let length: Option<usize> = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let chunked = head.contains("transfer-encoding: chunked");
    loop {
        let body = answer.get(at + 4..).unwrap_or_default();
        let whole = match length {
            Some(length) => body.len() >= length,
            None => chunked && body.ends_with(b"0\r\n\r\n"),
        };
        if whole || read_more(&mut socket, &mut answer).is_err() {
            break;
        }
    }
    let body = answer.split_off(at + 4);
    Ok((status, if chunked { unchunked(&body)? } else { body }))
}

/// The data of a chunked body.
fn unchunked(mut body: &[u8]) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let line = body
            .windows(2)
            .position(|w| w == b"\r\n")
            .context("a chunk without a size")?;
        let size = std::str::from_utf8(body.get(..line).unwrap_or_default())?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
        if size == 0 {
            return Ok(data);
        }
        let from = line + 2;
        data.extend_from_slice(
            body.get(from..from + size)
                .context("a chunk is cut short")?,
        );
        body = body.get(from + size + 2..).unwrap_or_default();
    }
}

/// Calls the management API and insists on success.
pub(crate) fn manage(
    address: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> Result<Value> {
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let (status, answer) = call(address, method, path, token, &text)?;
    if !(200..300).contains(&status) {
        bail!(
            "{method} {path}: {status} {}",
            String::from_utf8_lossy(&answer)
        );
    }
    if answer.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer)
        .with_context(|| format!("{method} {path} did not answer with JSON"))
}

fn read_more(socket: &mut TcpStream, answer: &mut Vec<u8>) -> Result<()> {
    let mut buffer = [0; 16 * 1024];
    let read = socket.read(&mut buffer)?;
    if read == 0 {
        bail!("the connection was closed");
    }
    answer.extend_from_slice(buffer.get(..read).unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_and_cut_bodies_refused() {
        assert_eq!(
            unchunked(b"3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n").expect("whole"),
            b"abc0123456789"
        );
        assert!(unchunked(b"3\r\nab").is_err());
        assert!(unchunked(b"3\r\nabc\r\n").is_err());
    }
}
