//! What the simulator was sent.

use std::sync::Mutex;

use serde_json::Value;

/// How an exchange ended, as the vendor saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The whole answer was sent.
    Answered,
    /// The caller closed the connection before it had the whole answer.
    CallerLeft,
}

/// One request, byte for byte.
#[derive(Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body, transfer coding removed.
    pub body: Vec<u8>,
    /// Which connection it came on: equal numbers mean a reused connection.
    pub connection: usize,
    /// What a message of a WebSocket stands for: a request with all that its connection remembers of it. `None` over HTTP.
    whole: Option<Value>,
    ending: Mutex<Option<Ending>>,
}

impl Received {
    pub(super) fn new(
        method: String,
        target: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        connection: usize,
    ) -> Self {
        Self {
            method,
            target,
            headers,
            body,
            connection,
            whole: None,
            ending: Mutex::default(),
        }
    }

    /// A message of a WebSocket that began with this request, and the request that it stands for.
    pub(super) fn message(handshake: &Self, text: &str, whole: Value) -> Self {
        Self {
            method: handshake.method.clone(),
            target: handshake.target.clone(),
            headers: handshake.headers.clone(),
            body: text.into(),
            connection: handshake.connection,
            whole: Some(whole),
            ending: Mutex::default(),
        }
    }

    /// Whether it came as a message of a WebSocket.
    pub fn over_websocket(&self) -> bool {
        self.whole.is_some()
    }

    /// The request with all that its vendor knows of it: the body, and over a WebSocket what it goes on from in front.
    ///
    /// # Panics
    /// When it is not JSON.
    pub fn whole(&self) -> Value {
        self.whole.clone().unwrap_or_else(|| self.json())
    }

    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// How the exchange ended; `None` while it is under way.
    pub fn ending(&self) -> Option<Ending> {
        *self.ending.lock().unwrap()
    }

    pub(super) fn end(&self, ending: Ending) {
        self.ending.lock().unwrap().get_or_insert(ending);
    }
}
