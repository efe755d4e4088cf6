//! The host's side of one store: what the guest may read in the call under way, and what it used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::limits::{Deadline, LOG_LINE_BYTES, LOG_LINES_A_CALL, Limiter};
use crate::reads::Recorder;
use crate::{
    AnswerHeadView, CallView, CandidatesView, FailedAnswerView, MacSource, OutcomeView,
    RequestView, Segment, SignHead,
};

/// A call's view as it is shared with the guest.
pub(crate) type SharedCall = Arc<dyn CallView + Send + Sync>;

/// What a guest is given for one call. Guests only ever borrow these for the length of a call, so a handle needs no
/// table: there is at most one of each.
#[derive(Default)]
pub(crate) struct Lent {
    pub(crate) call: Option<SharedCall>,
    pub(crate) failed: Option<Arc<dyn FailedAnswerView>>,
    pub(crate) answer_head: Option<Arc<dyn AnswerHeadView>>,
    pub(crate) head: Option<Arc<SignHead>>,
    pub(crate) request: Option<Arc<dyn RequestView>>,
    pub(crate) segments: Option<Arc<Vec<Segment>>>,
    pub(crate) candidates: Option<Arc<dyn CandidatesView>>,
    pub(crate) outcome: Option<Arc<dyn OutcomeView>>,
    pub(crate) macs: Option<Arc<dyn MacSource>>,
    /// Bytes of bodies and texts that it has to look at.
    pub(crate) bytes: usize,
}

impl Lent {
    /// Nothing to read but what is passed.
    pub(crate) fn of(passed: &[u8]) -> Self {
        Self {
            bytes: passed.len(),
            ..Self::default()
        }
    }
}

/// The data of one store.
pub(crate) struct State {
    pub(crate) component: Arc<str>,
    pub(crate) limiter: Limiter,
    pub(crate) deadline: Deadline,
    pub(crate) lent: Lent,
    /// What the guest read of the call, while a plan is to be remembered.
    pub(crate) recorder: Recorder,
    log_lines: u32,
    wasi: Option<Box<Wasi>>,
}

struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
    /// Lines that the guest printed in the call under way.
    printed: Arc<AtomicU32>,
}

impl Wasi {
    fn empty(component: &Arc<str>) -> Box<Self> {
        let printed = Arc::default();
        Box::new(Self {
            ctx: crate::wasi::empty_context(component, &printed),
            table: ResourceTable::new(),
            printed,
        })
    }
}

impl State {
    pub(crate) fn new(component: Arc<str>, memory: usize, wasi: bool) -> Self {
        let wasi = wasi.then(|| Wasi::empty(&component));
        Self {
            component,
            limiter: Limiter::new(memory),
            deadline: Deadline::default(),
            lent: Lent::default(),
            recorder: Recorder::default(),
            log_lines: 0,
            wasi,
        }
    }

    /// Called before each call into the guest, with what it may read.
    pub(crate) fn begin(&mut self, lent: Lent) {
        self.lent = lent;
        self.log_lines = 0;
        if let Some(wasi) = &self.wasi {
            wasi.printed.store(0, Ordering::Relaxed);
        }
    }

    /// Called after each call: nothing of it may be seen by the next.
    pub(crate) fn end(&mut self) {
        self.lent = Lent::default();
    }

    /// Whether the guest wrote to the log in this call.
    pub(crate) fn logged(&self) -> bool {
        self.log_lines > 0
    }

    /// Writes a line of the guest's to the log, cut and counted.
    pub(crate) fn log(&mut self, level: &str, message: &str) {
        self.log_lines = self.log_lines.saturating_add(1);
        if self.log_lines > LOG_LINES_A_CALL {
            return;
        }
        write_log(&self.component, level, message);
    }
}

/// Puts a guest's line into the host's log.
pub(crate) fn write_log(component: &str, level: &str, message: &str) {
    let mut end = message.len().min(LOG_LINE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let message = &message[..end];
    match level {
        "error" => tracing::error!(target: "tollgate::guest", component, "{message}"),
        "warn" => tracing::warn!(target: "tollgate::guest", component, "{message}"),
        "debug" => tracing::debug!(target: "tollgate::guest", component, "{message}"),
        _ => tracing::info!(target: "tollgate::guest", component, "{message}"),
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        // Only stores of components that import `wasi:*` are linked to code that comes here; the check of imports
        // decides both. A store made without is given an empty context rather than a panic.
        let component = &self.component;
        let wasi = self.wasi.get_or_insert_with(|| Wasi::empty(component));
        WasiCtxView {
            ctx: &mut wasi.ctx,
            table: &mut wasi.table,
        }
    }
}
