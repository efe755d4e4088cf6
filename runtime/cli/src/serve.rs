//! `tollgate serve`: both planes up, wait for a signal, drain, down.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tollgate_gateway::control::Control;

use crate::args::{Place, Serve};
use crate::{banner, configuration, files, logging, report};

/// Runs until told to stop. A first SIGTERM or SIGINT lets open requests finish, a second one does not.
///
/// # Errors
/// Something that is needed to start is missing or wrong.
pub(crate) fn run(place: &Place, args: &Serve) -> anyhow::Result<ExitCode> {
    let mut config = configuration::load(place)?;
    if let Some(listen) = args.listen {
        config.server.listen = listen;
    }
    if let Some(listen) = args.management_listen {
        config.management.listen = listen;
    }
    if let Some(dir) = &args.components {
        config.components.dir.clone_from(dir);
    }
    logging::start(&args.log, args.log_format)?;
    files::allow_many();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Before anything can be interrupted: a signal that comes while components compile stops cleanly too.
    let mut signals = runtime.block_on(async { Signals::listen() })?;

    let control = Control::open(config)?;
    let quickstart = args.quickstart.then(|| control.quickstart()).transpose()?;
    let (listen, manage) = (
        control.config().server.listen,
        control.config().management.listen,
    );
    // The data plane last: once it accepts a request nothing can stop the start any more.
    let management = tollgate_console::serve(Arc::clone(&control))
        .with_context(|| format!("management.listen = \"{manage}\""))?;
    let data = tollgate_gateway::serve(&control)
        .with_context(|| format!("server.listen = \"{listen}\""))?;
    control.tend()?;
    control.publish_addresses(data.address(), management.address())?;
    tracing::info!(listen = %data.address(), management = %management.address(), "serving");
    report::print(&banner::text(
        data.address(),
        management.address(),
        quickstart.as_ref(),
    ))?;

    let first = runtime.block_on(signals.next());
    tracing::info!(
        signal = first.name,
        "stopping; open requests may finish, a second signal ends them"
    );
    let (drained, done) = tokio::sync::oneshot::channel();
    let draining = Arc::clone(&control);
    std::thread::Builder::new()
        .name("drain".to_owned())
        .spawn(move || {
            data.stop();
            management.stop();
            draining.close();
            // Nobody listens any more only if a second signal ended the process.
            let _ = drained.send(());
        })?;
    let second = runtime.block_on(async {
        tokio::select! {
            _ = done => None,
            signal = signals.next() => Some(signal),
        }
    });
    match second {
        None => {
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        Some(signal) => {
            tracing::warn!(
                signal = signal.name,
                "stopped at once; open requests were cut"
            );
            std::process::exit(128 + signal.number);
        }
    }
}

/// The signals that mean stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// One that came.
struct Came {
    name: &'static str,
    number: i32,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Came {
        tokio::select! {
            _ = self.terminate.recv() => Came { name: "SIGTERM", number: SignalKind::terminate().as_raw_value() },
            _ = self.interrupt.recv() => Came { name: "SIGINT", number: SignalKind::interrupt().as_raw_value() },
        }
    }
}
