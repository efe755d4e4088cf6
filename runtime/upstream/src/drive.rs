//! One HTTP/1.1 connection, driven by whoever waits for its answer.
//!
//! hyper splits a connection into a state machine to be polled and handles that talk to it through channels.
//! The usual way gives the machine a task of its own, and then every chunk wakes one task that wakes another.
//! Here the waiting task polls the machine itself. The machine gets a waker of its own ([`Signal`]) because
//! both ends of hyper's channels wake each other while we poll them: such a wake means "look again now" and
//! must not send the task round the scheduler; a wake from outside (the socket, a timer) must.
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::Request;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::connect::Stream;

/// Look again at most this often before other tasks get a turn.
const TURNS: u32 = 8;

/// Tells wakes during our own polling from wakes that come later.
struct Signal {
    polling: AtomicBool,
    woken: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, SeqCst);
        if !self.polling.load(SeqCst) {
            self.task.wake();
        }
    }
}

/// A connection. Dropping it closes the socket.
pub(crate) struct Conn {
    sender: SendRequest<Full<Bytes>>,
    machine: Pin<Box<Connection<TokioIo<Stream>, Full<Bytes>>>>,
    finished: bool,
    signal: Arc<Signal>,
    waker: Waker,
    received: Rc<Cell<u64>>,
    /// Both timers live as long as the connection: pushing a deadline further out costs one atomic write.
    first_byte: Pin<Box<Sleep>>,
    idle: Pin<Box<Sleep>>,
    /// When it was last put into the pool.
    pub(crate) idle_since: Instant,
}

impl Conn {
    /// Starts HTTP/1.1 on an open stream.
    pub(crate) async fn start(stream: Stream) -> hyper::Result<Self> {
        let received = stream.received();
        let (sender, machine) = Builder::new()
            .ignore_invalid_headers_in_responses(true)
            .handshake(TokioIo::new(stream))
            .await?;
        let signal = Arc::new(Signal {
            polling: AtomicBool::new(false),
            woken: AtomicBool::new(false),
            task: AtomicWaker::new(),
        });
        let waker = Waker::from(Arc::clone(&signal));
        let now = Instant::now();
        Ok(Self {
            sender,
            machine: Box::pin(machine),
            finished: false,
            signal,
            waker,
            received,
            first_byte: Box::pin(sleep_until(now)),
            idle: Box::pin(sleep_until(now)),
            idle_since: now,
        })
    }

    /// Bytes received so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.get()
    }

    /// Hands a request over; the future must be polled through [`Self::drive`].
    pub(crate) fn submit(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> impl Future<Output = Result<http::Response<Incoming>, TrySendError<Request<Full<Bytes>>>>> + use<>
    {
        self.sender.try_send_request(request)
    }

    /// Polls the connection and `step` (something that waits for it) in turns until `step` is ready or neither can go on.
    /// `Ready(None)`: the connection has ended and `step` will never be ready.
    pub(crate) fn drive<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut step: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        let signal = &*self.signal;
        signal.task.register(cx.waker());
        signal.polling.store(true, SeqCst);
        let mut inner = Context::from_waker(&self.waker);
        let mut outcome = Poll::Pending;
        for _ in 0..TURNS {
            signal.woken.store(false, SeqCst);
            // The connection first: what `step` waits for was mostly taken when it was last ready.
            if !self.finished {
                self.finished = self.machine.as_mut().poll(&mut inner).is_ready();
            }
            outcome = step(&mut inner).map(Some);
            if outcome.is_ready() {
                break;
            }
            if self.finished {
                outcome = Poll::Ready(None);
                break;
            }
            if !signal.woken.load(SeqCst) {
                break;
            }
        }
        signal.polling.store(false, SeqCst);
        if outcome.is_pending() && signal.woken.load(SeqCst) {
            cx.waker().wake_by_ref();
        }
        outcome
    }

    /// After an exchange: true if the connection can carry another. Detaches it from the task that used it.
    pub(crate) fn settle(&mut self) -> bool {
        if !self.finished && !self.sender.is_ready() {
            let mut inner = Context::from_waker(&self.waker);
            self.signal.polling.store(true, SeqCst);
            self.finished = self.machine.as_mut().poll(&mut inner).is_ready();
            self.signal.polling.store(false, SeqCst);
        }
        self.signal.task.take();
        !self.finished && self.sender.is_ready()
    }

    /// Notices, without waiting, that the other side has closed an idle connection.
    pub(crate) fn is_dead(&mut self) -> bool {
        if !self.finished {
            let mut inner = Context::from_waker(&self.waker);
            self.finished = self.machine.as_mut().poll(&mut inner).is_ready();
        }
        self.finished || self.sender.is_closed()
    }

    /// Starts the wait for a response head.
    pub(crate) fn expect_head_by(&mut self, deadline: Instant) {
        self.first_byte.as_mut().reset(deadline);
    }

    /// Has that wait run out?
    pub(crate) fn poll_head_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.first_byte.as_mut().poll(cx)
    }

    /// Starts the wait for a frame.
    pub(crate) fn expect_frame_by(&mut self, deadline: Instant) {
        self.idle.as_mut().reset(deadline);
    }

    /// Has that wait run out?
    pub(crate) fn poll_frame_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.idle.as_mut().poll(cx)
    }
}
