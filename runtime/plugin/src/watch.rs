//! Watches the components folder: the system's notices for speed, a slow look of our own as a safety net.

use std::path::Path;
use std::sync::Weak;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::{Components, PluginError};

/// Between looks when no notice came: network file systems send none.
const POLL: Duration = Duration::from_secs(2);
/// After a notice, so that a burst of writes is one look.
const DEBOUNCE: Duration = Duration::from_millis(30);

/// The watching thread; dropping this ends it.
pub(crate) struct Watch {
    // The thread ends when this is dropped and its channel with it.
    _stop: Sender<()>,
}

impl Watch {
    /// Starts to watch. Where the system gives no notices, only the slow look remains, and the log says so.
    pub(crate) fn start(dir: &Path, components: Weak<Components>) -> Result<Self, PluginError> {
        let (notice, notices) = bounded(1);
        let watcher = watcher(dir, notice);
        let (stop, stopped) = bounded(0);
        std::thread::Builder::new()
            .name("component-watch".into())
            .spawn(move || {
                run(&notices, &stopped, &components);
                drop(watcher);
            })
            .map_err(|error| {
                PluginError::host(format!("cannot start the component watch: {error}"))
            })?;
        Ok(Self { _stop: stop })
    }
}

fn watcher(dir: &Path, notice: Sender<()>) -> Option<RecommendedWatcher> {
    let made = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading is no change. One notice under way is enough, so a full channel is fine.
        if event.is_ok_and(|event| event.kind.is_access()) {
            return;
        }
        let _ = notice.try_send(());
    });
    let started = made.and_then(|mut watcher| {
        watcher.watch(dir, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    match started {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(
                "no notices for {}: looking every {} s: {error}",
                dir.display(),
                POLL.as_secs()
            );
            None
        }
    }
}

fn run(notices: &Receiver<()>, stopped: &Receiver<()>, components: &Weak<Components>) {
    let never = crossbeam_channel::never();
    let mut notices = notices;
    loop {
        crossbeam_channel::select! {
            recv(stopped) -> _ => return,
            recv(notices) -> notice => match notice {
                Ok(()) => std::thread::sleep(DEBOUNCE),
                // No watcher: only the slow look is left.
                Err(_) => {
                    notices = &never;
                    continue;
                }
            },
            default(POLL) => {}
        }
        let Some(components) = components.upgrade() else {
            return;
        };
        components.rescan();
    }
}
