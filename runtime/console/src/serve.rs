//! The management listener on a thread and a runtime of its own: it never takes time from a data-plane worker.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tollgate_gateway::control::Control;

/// How long open requests may go on after a stop: none takes longer unless its client is stuck.
const DRAIN: Duration = Duration::from_secs(2);

/// A running management listener.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Serving {
    /// Where operators connect; the real port where the configuration said 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new connection and returns when open requests are answered.
    pub fn stop(self) {
        let _ = self.stop.send(true);
        if self.thread.join().is_err() {
            tracing::error!("the management thread panicked");
        }
    }
}

/// Starts the management listener.
///
/// # Errors
/// The address cannot be bound or the system has no thread left.
pub fn serve(control: Arc<Control>) -> std::io::Result<Serving> {
    let listener = TcpListener::bind(control.config().management.listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()?;
    let thread = std::thread::Builder::new()
        .name("management".to_owned())
        .spawn(move || {
            if let Err(error) = runtime.block_on(run(listener, control, stopped)) {
                tracing::error!(%error, "the management listener ended");
            }
            runtime.shutdown_timeout(DRAIN);
        })?;
    Ok(Serving {
        address,
        stop,
        thread,
    })
}

async fn run(
    listener: TcpListener,
    control: Arc<Control>,
    stopped: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut overdue = stopped.clone();
    let mut stopped = stopped;
    let serving =
        axum::serve(listener, crate::router(control)).with_graceful_shutdown(async move {
            // A dropped sender means the same as a sent stop.
            let _ = stopped.wait_for(|stop| *stop).await;
        });
    tokio::select! {
        ended = serving.into_future() => ended,
        () = async { let _ = overdue.wait_for(|stop| *stop).await; tokio::time::sleep(DRAIN).await } => Ok(()),
    }
}
