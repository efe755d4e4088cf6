//! The vendor of `cargo xtask bench`: answers chat requests with canned bytes, as cheaply as it can.
//!
//! `bench-upstream [PORT]` prints its address. A body with `"stream":true` gets 24 events: in one write, or one
//! every 20 ms if the body holds `PACED`. Any other body gets 577 bytes of JSON. It does what a measurement needs and
//! no more; the upstream that can misbehave is the simulator.
#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

const GAP: Duration = Duration::from_millis(20);
const EVENTS: usize = 24;
const JSON_BYTES: usize = 577;

/// The answers, made once.
struct Canned {
    json: Vec<u8>,
    stream_head: Vec<u8>,
    /// One HTTP chunk an event.
    events: Vec<Vec<u8>>,
    burst: Vec<u8>,
}

impl Canned {
    fn new() -> Self {
        let body = json();
        let json = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-request-id: req_0123456789abcdef\r\n\r\n{body}",
            body.len()
        );
        let stream_head =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\nx-request-id: req_0123456789abcdef\r\n\r\n"
                .to_vec();
        let events: Vec<Vec<u8>> = events()
            .iter()
            .map(|event| format!("{:x}\r\n{event}\r\n", event.len()).into_bytes())
            .collect();
        let burst = [stream_head.clone(), events.concat(), b"0\r\n\r\n".to_vec()].concat();
        Self {
            json: json.into_bytes(),
            stream_head,
            events,
            burst,
        }
    }
}

/// A chat completion of exactly [`JSON_BYTES`].
fn json() -> String {
    let around = |text: &str| {
        format!(
            "{{\"id\":\"chatcmpl-0123456789abcdef0123\",\"object\":\"chat.completion\",\"created\":1790000000,\"model\":\"bench\",\
             \"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\",\"refusal\":null}},\
             \"logprobs\":null,\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":12,\"completion_tokens\":34,\
             \"total_tokens\":46,\"prompt_tokens_details\":{{\"cached_tokens\":0}},\
             \"completion_tokens_details\":{{\"reasoning_tokens\":0}}}},\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\"}}"
        )
    };
    let words = "A gateway adds nothing to an answer but a line in a ledger. ";
    let room = JSON_BYTES.saturating_sub(around("").len());
    around(&words.chars().cycle().take(room).collect::<String>())
}

/// The role, twenty tokens, the end, the usage, `[DONE]`: about 6.4 KB.
fn events() -> Vec<String> {
    let event = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-0123456789abcdef0123\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\
             \"model\":\"bench\",\"system_fingerprint\":\"fp_bench\",\"choices\":[{choices}],\
             \"usage\":{usage},\"obfuscation\":\"0123456789\"}}\n\n"
        )
    };
    let delta = |delta: &str, finish: &str| {
        event(
            &format!(
                "{{\"index\":0,\"delta\":{{{delta}}},\"logprobs\":null,\"finish_reason\":{finish}}}"
            ),
            "null",
        )
    };
    let mut events = vec![delta("\"role\":\"assistant\",\"content\":\"\"", "null")];
    events.extend((0..20).map(|n| delta(&format!("\"content\":\" token{n:02}\""), "null")));
    events.push(delta("", "\"stop\""));
    events.push(event(
        "",
        "{\"prompt_tokens\":12,\"completion_tokens\":20,\"total_tokens\":32,\"prompt_tokens_details\":{\"cached_tokens\":0}}",
    ));
    events.push("data: [DONE]\n\n".to_owned());
    assert_eq!(events.len(), EVENTS);
    events
}

fn main() -> io::Result<()> {
    let port: u16 = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .unwrap_or(0);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let mut output = io::stdout();
        writeln!(output, "{}", listener.local_addr()?)?;
        output.flush()?;
        let canned = Rc::new(Canned::new());
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            tokio::task::spawn_local(serve(socket, Rc::clone(&canned)));
        }
    })
}

/// Answers until the client has gone; what goes wrong ends the connection and shows as a failed window.
async fn serve(mut socket: TcpStream, canned: Rc<Canned>) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        let Some(whole) = receive(&mut socket, &mut buffer).await? else {
            return Ok(());
        };
        let request = buffer.get(..whole).unwrap_or_default();
        let (stream, paced) = (holds(request, b"\"stream\":true"), holds(request, b"PACED"));
        buffer.drain(..whole);
        if !stream {
            socket.write_all(&canned.json).await?;
        } else if !paced {
            socket.write_all(&canned.burst).await?;
        } else {
            socket.write_all(&canned.stream_head).await?;
            let mut due = Instant::now();
            for event in &canned.events {
                due += GAP;
                sleep_until(due).await;
                socket.write_all(event).await?;
            }
            socket.write_all(b"0\r\n\r\n").await?;
        }
    }
}

/// Reads until one whole request is in the buffer; its length, or `None` when the client has closed.
async fn receive(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
    loop {
        if let Some(length) = length(buffer)?
            && buffer.len() >= length
        {
            return Ok(Some(length));
        }
        if socket.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// The length of the request that the buffer begins with, once its head is complete.
fn length(buffer: &[u8]) -> io::Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(buffer).map_err(io::Error::other)?;
    let httparse::Status::Complete(head) = parsed else {
        return Ok(None);
    };
    let body = request
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| {
            std::str::from_utf8(header.value)
                .ok()?
                .parse::<usize>()
                .ok()
        })
        .ok_or_else(|| io::Error::other("a request without content-length"))?;
    Ok(Some(head + body))
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_have_the_sizes_that_the_bench_names() {
        assert_eq!(json().len(), JSON_BYTES);
        let whole: usize = events().iter().map(String::len).sum();
        assert!((6_200..6_600).contains(&whole), "{whole}");
    }
}
