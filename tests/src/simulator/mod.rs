//! A vendor to test against: speaks the dialects, remembers what it was sent, misbehaves on demand.
//!
//! It stands on bare sockets, not on an HTTP library, because its tests need answers that no library would write:
//! cut in the middle of a chunk, split at any byte, without a length.

mod answer;
mod chat;
mod compressed;
mod connection;
mod dialogue;
mod embeddings;
mod failures;
mod messages;
mod received;
mod responses;
mod tls;
mod tokens;
mod trouble;
mod websocket;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use answer::{Answer, Gate, Part};
pub use compressed::Coding;
pub use dialogue::{ENCRYPTED_CONTENT, REASONING_CONTENT, SIGNATURE, called, spoken};
pub use failures::{anthropic_error, openai_error};
pub use received::{Ending, Received};
pub use tokens::{ANTHROPIC, EMBEDDING, OPENAI, Tokens};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::wire::PATIENCE;

/// What was said about a request that is yet to come.
enum Next {
    /// This answer, whatever was asked.
    Scripted(Answer),
    /// What a vendor would say, with a pause after so many parts of its body.
    Slow(usize, Duration),
}

/// What the simulator's connections share.
struct Shared {
    queue: Mutex<VecDeque<Next>>,
    fallback: Mutex<Option<Answer>>,
    received: Mutex<Vec<Arc<Received>>>,
    /// What asks for a WebSocket gets this answer; `None`: the WebSocket.
    no_websocket: Mutex<Option<Answer>>,
    handshakes: Mutex<Vec<Arc<Received>>>,
    /// What responses stand on that were to be stored and came over a WebSocket: any connection may go on from them.
    stored: Mutex<HashMap<String, Vec<serde_json::Value>>>,
    /// For each path the end of the last answer there that hangs.
    hanging: Mutex<HashMap<String, Gate>>,
    /// Counts every change worth waiting for.
    changes: watch::Sender<u64>,
}

impl Shared {
    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// The answer for a request: scripted first, else what a vendor would say.
    fn answer(&self, received: &Received) -> Answer {
        match self.queue.lock().unwrap().pop_front() {
            Some(Next::Scripted(answer)) => return answer,
            Some(Next::Slow(after, pause)) => {
                return dialogue::answer(received).with_part(after, Part::Pause(pause));
            }
            None => {}
        }
        if let Some(answer) = self.fallback.lock().unwrap().clone() {
            return answer;
        }
        let answer = dialogue::answer(received);
        let path = received.path().to_owned();
        let mut hanging = self.hanging.lock().unwrap();
        if answer.hangs() {
            let gate = Gate::default();
            hanging.insert(path, gate.clone());
            return answer.opening(gate);
        }
        // A client that has left asks whether it was noticed: it is answered once it was.
        match hanging.get(&path) {
            Some(gate) if received.text().contains("LEFT_PLEASE") => answer.after(gate),
            _ => answer,
        }
    }
}

/// A running upstream simulator. Stops when dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    scheme: &'static str,
    task: JoinHandle<()>,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Simulator {
    /// Starts on a free port.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// Starts with TLS, its certificate from an authority of its own, and returns that authority's certificate (PEM).
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start_tls() -> (Self, String) {
        let (acceptor, authority) = tls::acceptor();
        (Self::listen(Some(acceptor)).await, authority)
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            fallback: Mutex::default(),
            received: Mutex::default(),
            no_websocket: Mutex::default(),
            handshakes: Mutex::default(),
            stored: Mutex::default(),
            hanging: Mutex::default(),
            changes: watch::Sender::new(0),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let for_task = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&for_task), tls.clone());
                connections.spawn(async move {
                    if stream.set_nodelay(true).is_err() {
                        return;
                    }
                    match tls {
                        None => connection::serve(stream, shared).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                connection::serve(stream, shared).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            shared,
            address,
            scheme,
            task,
        }
    }

    /// Where it listens, as a base URL without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next request that has no answer yet gets this one.
    pub fn script(&self, answer: Answer) {
        let mut queue = self.shared.queue.lock().unwrap();
        queue.push_back(Next::Scripted(answer));
    }

    /// The next request that has no answer yet gets a vendor's own, with a pause after so many parts of its body.
    pub fn slow(&self, after: usize, pause: Duration) {
        self.shared
            .queue
            .lock()
            .unwrap()
            .push_back(Next::Slow(after, pause));
    }

    /// Every request gets this answer from now on (scripted ones first); `None`: a vendor's own again.
    pub fn always(&self, answer: Option<Answer>) {
        *self.shared.fallback.lock().unwrap() = answer;
    }

    /// Whoever asks for a WebSocket gets this answer from now on, a pause or a cut before its head included; `None`: the
    /// WebSocket again.
    pub fn refuse_websockets(&self, answer: Option<Answer>) {
        *self.shared.no_websocket.lock().unwrap() = answer;
    }

    /// The requests that asked for a WebSocket, granted or not, in order.
    pub fn handshakes(&self) -> Vec<Arc<Received>> {
        self.shared.handshakes.lock().unwrap().clone()
    }

    /// All requests received, in order: those of HTTP, and the messages of WebSockets that stand for one.
    pub fn received(&self) -> Vec<Arc<Received>> {
        self.shared.received.lock().unwrap().clone()
    }

    /// The request received last.
    ///
    /// # Panics
    /// When there was none.
    pub fn last(&self) -> Arc<Received> {
        self.received()
            .pop()
            .expect("the upstream received no request")
    }

    /// Forgets the requests received.
    pub fn forget(&self) {
        self.shared.received.lock().unwrap().clear();
        self.shared.handshakes.lock().unwrap().clear();
    }

    /// Waits until `count` requests have been received and returns them all.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn wait_for(&self, count: usize) -> Vec<Arc<Received>> {
        self.wait(&format!("{count} requests"), |received| {
            received.len() >= count
        })
        .await
    }

    /// Waits until the request received last has been answered, or its sender has left.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn wait_for_ending(&self) -> Ending {
        let ended = |received: &[Arc<Received>]| {
            received.last().is_some_and(|last| last.ending().is_some())
        };
        let all = self.wait("an ending", ended).await;
        all.last().unwrap().ending().unwrap()
    }

    /// Waits, for as long as it takes, for the request of that number (from 1) and returns it.
    ///
    /// # Panics
    /// Never: the simulator outlives the wait.
    pub async fn wait_for_at_leisure(&self, count: usize) -> Arc<Received> {
        let mut changes = self.shared.changes.subscribe();
        loop {
            if let Some(received) = self.received().get(count - 1) {
                return Arc::clone(received);
            }
            changes.changed().await.unwrap();
        }
    }

    async fn wait(
        &self,
        what: &str,
        done: impl Fn(&[Arc<Received>]) -> bool,
    ) -> Vec<Arc<Received>> {
        let mut changes = self.shared.changes.subscribe();
        let waiting = async {
            loop {
                let received = self.received();
                if done(&received) {
                    return received;
                }
                changes.changed().await.unwrap();
            }
        };
        let Ok(received) = tokio::time::timeout(PATIENCE, waiting).await else {
            panic!(
                "the upstream waited in vain for {what}; received: {:?}",
                self.received()
            );
        };
        received
    }
}
