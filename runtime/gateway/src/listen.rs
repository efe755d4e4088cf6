//! Listeners and workers: one thread, one runtime, one upstream pool and one listener each, sharing a port.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::control::Control;
use crate::metrics::Shard;
use crate::pipeline;
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
    for (number, listener) in listeners.into_iter().enumerate() {
        let control = Arc::clone(control);
        let tls = tls.clone();
        let shards = Arc::clone(&shards);
        let stopped = stopped.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        threads.push(
            std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || {
                    let local = LocalSet::new();
                    let worker = Rc::new(Worker::new(control, tls, shards, number));
                    local.block_on(&runtime, accept(worker, listener, stopped));
                    // Connections that outlived the drain time-out end here, with their tasks.
                    drop(local);
                })?,
        );
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
        let mut stopped = stopped.clone();
        let open = open.clone();
        let header_timeout = Duration::from_millis(config.header_timeout_ms);
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| pipeline::handle(Rc::clone(&worker), peer, request));
            let mut connection = std::pin::pin!(
                http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(header_timeout)
                    .max_buf_size(256 << 10)
                    .serve_connection(TokioIo::new(stream), service)
            );
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                _ = stopped.wait_for(|stop| *stop) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a client connection ended early");
            }
            drop(open);
        });
    }
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
