//! What one worker thread owns. Nothing in it is shared, so nothing in it is locked.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tollgate_governance::{OsRandom, RequestIds};
use tollgate_store::JournalWriter;
use tollgate_upstream::{Client, ClientConfig, Tls};

use crate::adapt::PlanCache;
use crate::config::Config;
use crate::control::Control;
use crate::metrics::Shard;
use crate::pace::Pace;
use crate::seldom::Seldom;
use crate::underway::Underway;

/// Clocks are corrected by less; by more they are set.
const CORRECTION_MS: u64 = 5_000;

/// One worker.
pub(crate) struct Worker {
    pub(crate) control: Arc<Control>,
    pub(crate) client: Client,
    pub(crate) plans: RefCell<PlanCache>,
    /// Its own journal of usage rows: no other worker waits for it.
    pub(crate) journal: RefCell<JournalWriter>,
    /// Requests that have been admitted and have not ended.
    pub(crate) underway: Underway,
    /// What each key's refusals leave on the disk.
    pub(crate) refusals: RefCell<Pace>,
    /// And its conversations, before anything is asked in them.
    pub(crate) conversations: RefCell<Pace>,
    /// Clients that did not end the head of a request in time.
    pub(crate) slow_heads: Seldom,
    ids: RefCell<RequestIds>,
    last_now: Cell<u64>,
    shards: Arc<[Shard]>,
    number: usize,
}

impl Worker {
    /// What all workers trust.
    pub(crate) fn tls(config: &Config) -> std::io::Result<Tls> {
        let extra = &config.upstream.extra_ca_file;
        Tls::new((!extra.as_os_str().is_empty()).then_some(extra.as_path()))
            .map_err(std::io::Error::other)
    }

    pub(crate) fn new(
        control: Arc<Control>,
        journal: JournalWriter,
        tls: Tls,
        shards: Arc<[Shard]>,
        number: usize,
    ) -> Self {
        let (connect_timeout, first_byte_timeout, idle_timeout) =
            control.config().upstream.timeouts();
        let client = Client::new(
            ClientConfig {
                connect_timeout,
                first_byte_timeout,
                idle_timeout,
                ..ClientConfig::default()
            },
            tls,
        );
        Self {
            control,
            client,
            plans: RefCell::default(),
            journal: RefCell::new(journal),
            underway: Underway::default(),
            refusals: RefCell::default(),
            conversations: RefCell::default(),
            slow_heads: Seldom::default(),
            ids: RefCell::new(RequestIds::new(&mut OsRandom::default())),
            last_now: Cell::new(0),
            shards,
            number,
        }
    }

    pub(crate) fn config(&self) -> &Config {
        self.control.config()
    }

    /// Unix milliseconds. Never runs backwards by the little that clocks are corrected by; a clock that was set back is
    /// followed, or every window would stand still until it is where it was.
    pub(crate) fn now_ms(&self) -> u64 {
        let system = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        let system = u64::try_from(system.as_millis()).unwrap_or(u64::MAX);
        let last = self.last_now.get();
        let now = match last.saturating_sub(system) {
            0..=CORRECTION_MS => last.max(system),
            _ => system,
        };
        self.last_now.set(now);
        now
    }

    /// Writes the rows of all that has ended and is not written yet. Where that fails [`crate::underway::watch`] tries again,
    /// and no new request is admitted meanwhile.
    pub(crate) fn write_rows(&self) {
        let mut journal = self.journal.borrow_mut();
        if !journal.is_failing()
            && let Err(error) = journal.flush()
        {
            self.shard().late_row();
            tracing::error!(%error, "usage rows are not on the disk yet");
        }
    }

    pub(crate) fn next_id(&self, now_ms: u64) -> uuid::Uuid {
        self.ids.borrow_mut().next(now_ms)
    }

    /// This worker's counters.
    pub(crate) fn shard(&self) -> &Shard {
        &self.shards[self.number]
    }

    /// All workers' counters.
    pub(crate) fn shards(&self) -> &[Shard] {
        &self.shards
    }
}
