//! Listeners and workers: one thread, one runtime, one upstream pool and one listener each, sharing a port.

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;

use crate::control::Control;
use crate::drain::Drain;
use crate::metrics::Shard;
use crate::patience::Patience;
use crate::pipeline;
use crate::underway;
use crate::websocket;
use crate::worded::Worded;
use crate::worker::Worker;

/// A running data plane.
pub struct Serving {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Serving {
    /// Where clients connect; the real port where the configuration said 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new connection, lets open requests finish within the drain time-out, and returns when all are done.
    pub fn stop(self) {
        // The receivers are gone only if every worker has ended already.
        let _ = self.stop.send(true);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

/// Starts the data plane.
///
/// # Errors
/// The address cannot be bound, the system has no thread left, or the upstream client cannot be set up.
pub fn serve(control: &Arc<Control>) -> std::io::Result<Serving> {
    let config = &control.config().server;
    let workers = match config.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        n => n,
    };
    // Shared ports hide a second gateway on the same one: ask once without sharing.
    drop(bind(config.listen, false)?);
    let first = bind(config.listen, true)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..workers {
        listeners.push(bind(address, true)?);
    }
    let tls = Worker::tls(control.config())?;
    let shards: Arc<[Shard]> = (0..workers).map(|_| Shard::default()).collect();
    let (stop, stopped) = watch::channel(false);
    let mut threads = Vec::with_capacity(workers);
    let (started, all_started) = std::sync::mpsc::channel();
    for (number, listener) in listeners.into_iter().enumerate() {
        let control = Arc::clone(control);
        let journal = control
            .journal_writer()
            .ok_or_else(|| std::io::Error::other("the usage store is closed"))?;
        let tls = tls.clone();
        let shards = Arc::clone(&shards);
        let stopped = stopped.clone();
        let started = started.clone();
        let run = move || {
            // Not a `LocalSet`: that one wakes itself with a system call for each event of a socket. And made on its
            // own thread, which it cannot leave.
            let runtime = match Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default())
            {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error))),
            };
            drop(started.send(Ok(())));
            let worker = Rc::new(Worker::new(control, journal, tls, shards, number));
            runtime.block_on(accept(worker, listener, stopped));
            // Connections that outlived the drain time-out end here, with the runtime that their tasks live on.
            drop(runtime);
        };
        threads.push(
            std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(run)?,
        );
    }
    drop(started);
    for outcome in all_started.iter().take(workers) {
        outcome?;
    }
    Ok(Serving {
        address,
        stop,
        threads,
    })
}

/// A listener, `shared` with its siblings (`SO_REUSEPORT`): the kernel spreads connections, no lock does.
fn bind(address: SocketAddr, shared: bool) -> std::io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// How often a worker looks after itself. Also what keeps the hot path free of system calls: tokio writes to an event
/// file whenever a timer is set that would end before all others, so a request's timer of a minute must never be the
/// first one (measured: one write for each request without this).
const TICK: Duration = Duration::from_secs(1);

/// Closes upstream connections that idled too long or that the vendor has closed.
async fn tick(worker: Rc<Worker>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        worker.client.sweep();
    }
}

async fn accept(
    worker: Rc<Worker>,
    listener: std::net::TcpListener,
    mut stopped: watch::Receiver<bool>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "a worker cannot listen");
            return;
        }
    };
    let config = worker.config().server.clone();
    let header_timeout = Duration::from_millis(config.header_timeout_ms);
    let write_timeout = Duration::from_millis(config.write_timeout_ms);
    let drain = Rc::new(Drain::default());
    tokio::task::spawn_local(tick(Rc::clone(&worker)));
    tokio::task::spawn_local(underway::watch(Rc::clone(&worker)));
    let (open, mut all_closed) = tokio::sync::mpsc::channel::<()>(1);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, mostly: waiting lets some connections end, a busy loop would not.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        // Without it a short stream waits 44 ms for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let peer = stream.peer_addr().ok();
        let worker = Rc::clone(&worker);
        let seat = Drain::seat(&drain);
        let open = open.clone();
        tokio::task::spawn_local(async move {
            let slot = websocket::Slot::default();
            let ended = {
                let service = service_fn(|request| {
                    pipeline::handle(Rc::clone(&worker), peer, request, &slot)
                });
                let mut connection = std::pin::pin!(
                    http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(header_timeout)
                        .max_buf_size(256 << 10)
                        .serve_connection(
                            Patience::new(Worded::new(stream), write_timeout),
                            service
                        )
                        .with_upgrades()
                );
                let mut told = false;
                std::future::poll_fn(|context| {
                    if seat.is_over(context) && !told {
                        told = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    connection.as_mut().poll(context)
                })
                .await
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a client connection ended early");
                // Nothing is answered to what is no request yet; the operator hears of it.
                if error.is_timeout()
                    && let Some(connections) = worker.slow_heads.happened(worker.now_ms())
                {
                    tracing::info!(
                        connections,
                        "closed: no whole head of a request came in time"
                    );
                }
            } else if let Some(accepted) = slot.take() {
                // Boxed, so that connections that never become one do not carry its size.
                Box::pin(websocket::serve(worker, accepted, &seat)).await;
            }
            drop(open);
        });
    }
    drain.begin();
    drop((listener, open));
    let drained = tokio::time::timeout(
        Duration::from_millis(config.drain_timeout_ms),
        all_closed.recv(),
    )
    .await;
    if drained.is_err() {
        tracing::warn!("open requests were cut at the end of the drain time-out");
    }
}
