//! An answer of the simulator: what to write, and where to misbehave.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// Holds an answer back until the test opens it: order without clocks.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Lets every answer that waits here, now or later, go on.
    pub fn open(&self) {
        self.0.add_permits(1 << 20);
    }

    pub(super) async fn passed(&self) {
        drop(self.0.acquire().await);
    }
}

/// A piece of an answer.
#[derive(Clone, Debug)]
pub enum Part {
    /// Bytes of the body, written (and, in a stream, framed as one chunk) at once.
    Bytes(Vec<u8>),
    /// A wait.
    Pause(Duration),
    /// A wait until the test opens the gate.
    Wait(Gate),
    /// Nothing more, for as long as the caller stays.
    Hang,
    /// The connection is closed without the body's proper end.
    Cut,
}

/// What to answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// Parts to go through before the head is written.
    pub(super) before: Vec<Part>,
    pub(super) parts: Vec<Part>,
    pub(super) chunked: bool,
    pub(super) close: bool,
    /// Opened once the exchange has ended, however it did.
    pub(super) ended: Option<Gate>,
}

impl Answer {
    /// An answer with a JSON body and a content length.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), "application/json".into())],
            before: Vec::new(),
            parts: vec![Part::Bytes(body.into())],
            chunked: false,
            close: false,
            ended: None,
        }
    }

    /// An event stream, one chunk for each event of the text.
    pub fn events(text: impl AsRef<str>) -> Self {
        let mut parts = Vec::new();
        let mut rest = text.as_ref();
        while !rest.is_empty() {
            let end = rest.find("\n\n").map_or(rest.len(), |at| at + 2);
            parts.push(Part::Bytes(rest.as_bytes()[..end].to_vec()));
            rest = &rest[end..];
        }
        Self::stream(parts)
    }

    /// An event stream of these parts.
    pub fn stream(parts: Vec<Part>) -> Self {
        Self {
            status: 200,
            headers: vec![(
                "content-type".into(),
                "text/event-stream; charset=utf-8".into(),
            )],
            before: Vec::new(),
            parts,
            chunked: true,
            close: false,
            ended: None,
        }
    }

    /// No answer at all for as long as the caller stays.
    pub fn silence() -> Self {
        let mut answer = Self::json(200, "");
        answer.before = vec![Part::Hang];
        answer
    }

    /// The connection is closed before anything is said.
    pub fn hang_up() -> Self {
        let mut answer = Self::json(200, "");
        answer.before = vec![Part::Cut];
        answer
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Leaves the content type out.
    #[must_use]
    pub fn without_content_type(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "content-type");
        self
    }

    /// Says that it is something of this type.
    #[must_use]
    pub fn labelled(self, content_type: &str) -> Self {
        self.without_content_type()
            .header("content-type", content_type)
    }

    /// Another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Does this before the head is written.
    #[must_use]
    pub fn before(mut self, part: Part) -> Self {
        self.before.push(part);
        self
    }

    /// Waits at the gate before the head is written.
    #[must_use]
    pub fn after(mut self, gate: &Gate) -> Self {
        self.before.push(Part::Wait(gate.clone()));
        self
    }

    /// Whether it never ends by itself.
    pub(super) fn hangs(&self) -> bool {
        let mut parts = self.before.iter().chain(&self.parts);
        parts.any(|part| matches!(part, Part::Hang))
    }

    /// The gate opens once the exchange has ended, however it did.
    pub(super) fn opening(mut self, gate: Gate) -> Self {
        self.ended = Some(gate);
        self
    }

    /// Closes the connection after the answer, as the answer's header says too.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close = true;
        self.header("connection", "close")
    }

    /// Closes the connection after the answer without having said so, as a vendor does that has waited long.
    #[must_use]
    pub fn closing_silently(mut self) -> Self {
        self.close = true;
        self
    }

    /// Whether its caller is told that the connection is closed after it.
    pub(super) fn says_that_it_closes(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == "connection")
    }

    /// Line feeds become carriage return and line feed.
    #[must_use]
    pub fn with_crlf(self) -> Self {
        self.map(|bytes| {
            String::from_utf8(bytes)
                .unwrap()
                .replace('\n', "\r\n")
                .into_bytes()
        })
    }

    /// The body's bytes are written `size` at a time, wherever events begin or end.
    #[must_use]
    pub fn split_every(mut self, size: usize) -> Self {
        let body = self.body();
        self.parts = body
            .chunks(size)
            .map(|chunk| Part::Bytes(chunk.to_vec()))
            .collect();
        self
    }

    /// The body is written as two parts, split before the byte at `position`.
    #[must_use]
    pub fn split_at(mut self, position: usize) -> Self {
        let body = self.body();
        let (left, right) = body.split_at(position);
        let pause = Part::Pause(Duration::from_millis(5));
        self.parts = vec![
            Part::Bytes(left.to_vec()),
            pause,
            Part::Bytes(right.to_vec()),
        ];
        self
    }

    /// After `count` parts comes this one instead of the rest.
    #[must_use]
    pub fn then(mut self, count: usize, part: Part) -> Self {
        self.parts.truncate(count);
        self.parts.push(part);
        self
    }

    /// This part is put in after `count` others; the rest follows.
    #[must_use]
    pub fn with_part(mut self, count: usize, part: Part) -> Self {
        self.parts.insert(count.min(self.parts.len()), part);
        self
    }

    /// A pause before each part of the body.
    #[must_use]
    pub fn dripping(mut self, pause: Duration) -> Self {
        self.parts = self
            .parts
            .into_iter()
            .flat_map(|part| [Part::Pause(pause), part])
            .collect();
        self
    }

    /// The whole body compressed, and said so.
    #[must_use]
    pub fn gzipped(mut self) -> Self {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&self.body()).unwrap();
        let body = encoder.finish().unwrap();
        // In two parts, so that a reader must go on after a part that ends anywhere.
        let (left, right) = body.split_at(body.len() / 2);
        self.parts = vec![Part::Bytes(left.to_vec()), Part::Bytes(right.to_vec())];
        self.header("content-encoding", "gzip")
    }

    /// The body's bytes, whatever parts they are written in.
    pub fn body(&self) -> Vec<u8> {
        let bytes = self.parts.iter().filter_map(|part| match part {
            Part::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        bytes.collect::<Vec<_>>().concat()
    }

    fn map(mut self, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Self {
        for part in &mut self.parts {
            if let Part::Bytes(bytes) = part {
                *bytes = change(std::mem::take(bytes));
            }
        }
        self
    }
}
