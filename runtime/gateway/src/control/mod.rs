//! The one owner of mutable state: every change goes through [`Control`], and the data plane sees it as a new snapshot.
//!
//! A change is validated, made durable with the entry of the audit log that tells of it, made effective in the directory,
//! and published; in this order, under one lock.
//! What the store or a component refuses never happened; what the store has is in force, also where the disk has not
//! confirmed it and whoever asked hears of that. The data plane takes no part: it loads snapshots.

mod accounts;
mod audit;
mod audit_seen;
mod backup;
mod change;
mod components;
mod credentials;
pub mod data_dir;
mod denials;
mod effective;
mod error;
mod export;
mod grants;
mod idle;
mod keys;
mod keys_used;
mod known;
mod limits;
mod listing;
mod management;
mod money;
mod open;
mod policies;
mod quickstart;
mod report;
mod status;
mod tend;
#[cfg(test)]
mod tests;
mod token;
mod tokens;
mod upstreams;
mod usage;
mod views;

pub use audit::{AuditItem, AuditPage};
pub use audit_seen::SeenEntry;
pub use backup::{BackupManifest, BackupRequest, Restored, restore};
pub use credentials::CredentialRequest;
pub use effective::{Decided, Effective, LimitOf, ListOf, MapOf, PayingWallet, Used};
pub use error::{ControlError, Kind, StartError};
pub use export::{ExportFormat, UsageExport};
pub use grants::{
    Counterpart, GrantRequest, LedgerView, LotView, Moved, ReclaimRequest, TotalsView, WalletView,
};
pub use limits::{LimitsChange, LimitsView};
pub use listing::Listing;
pub use management::{Management, Manager};
pub use open::{Initialised, initialise, master_key_source};
pub use quickstart::{Quickstart, QuickstartModel};
pub use report::{LineView, Report, ReportQuery, SumsView};
pub use tokens::{IssuedToken, TokenList, TokenView};
pub use usage::{Filter, RowView, Totals, UsagePage, UsageQuery};
pub use views::{
    AccountLine, AccountList, AccountView, ArchivedAccount, ArchivedList, ComponentList,
    ComponentView, CredentialList, CredentialView, Deleted, DeletedAccount, FailedComponent,
    IssuedKey, KeyList, KeyView, PolicyList, PolicyView, ProblemView, Status, UpstreamList,
    UpstreamView,
};

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use tollgate_governance::{AccountId, Counters, Directory, KeyHasher, Zone};
use tollgate_plugin::{Components, Generation};
use tollgate_store::{JournalWriter, Store, UsageWriter};
use tollgate_vault::{Credential, Vault};

use crate::config::Config;
use crate::kills::Kills;
use crate::makers::Makers;
use crate::snapshot::{Problem, Snapshot};
use crate::turns::Turns;
use data_dir::DataDir;

/// Owner of everything that can change while the gateway runs.
pub struct Control {
    config: Config,
    data: DataDir,
    started_ms: u64,
    store: Arc<dyn Store>,
    vault: Vault,
    hasher: KeyHasher,
    gate: token::Gate,
    components: Arc<Components>,
    counters: Arc<Counters>,
    /// Of the days that the store rolls usage up by: that of the start.
    rollup_zone: Zone,
    kills: Kills,
    denials: denials::Denials,
    /// A change is made that the disk has not confirmed, as far as is known.
    unconfirmed: AtomicBool,
    turns: Turns,
    makers: Arc<Makers>,
    writer: Mutex<Option<UsageWriter>>,
    tending: Mutex<Option<tend::Tending>>,
    state: Mutex<State>,
    snapshot: ArcSwap<Snapshot>,
}

/// What the lock protects.
struct State {
    directory: Directory,
    /// Accounts that are being deleted, in an order in which they can be archived.
    closing: Vec<AccountId>,
    /// Opened credentials by name.
    credentials: HashMap<String, Arc<Credential>>,
    /// Credentials that the vault cannot open.
    sealed: Vec<Problem>,
    /// The components that the published snapshot was built with.
    generation: Arc<Generation>,
    /// Where the audit log stands.
    log: audit::Log,
}

impl Control {
    /// The configuration this process was started with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> &DataDir {
        &self.data
    }

    /// What the data plane reads; load it once a request.
    #[must_use]
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// The same, to be kept for longer than a request's few steps.
    #[must_use]
    pub fn snapshot_full(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Limits and what counts against them.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Answers that clients may name later.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Who signed or encrypted what.
    pub(crate) fn makers(&self) -> &Arc<Makers> {
        &self.makers
    }

    /// Keys whose answers under way are to end.
    pub(crate) fn kills(&self) -> &Kills {
        &self.kills
    }

    /// Where policies' refusals are gathered for the audit log.
    pub(crate) fn denials(&self) -> &denials::Denials {
        &self.denials
    }

    /// Hashes bearer tokens for the look-up in the snapshot.
    #[must_use]
    pub fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// A worker's way to write usage rows down, in a file and with a queue of its own. `None` after
    /// [`Control::close`], before which it must be dropped.
    #[must_use]
    pub fn journal_writer(&self) -> Option<JournalWriter> {
        self.writer
            .lock()
            .as_ref()
            .and_then(UsageWriter::journal_writer)
    }

    /// The zone of the tree's days, as the root account has it now.
    fn zone(&self, state: &State) -> Zone {
        // A name that is no zone was never taken.
        open::zone(&self.config, &state.directory).unwrap_or_else(|_| self.rollup_zone.clone())
    }

    /// Waits a moment for rows that are on their way to the store, so that whoever asks finds what has ended.
    fn catch_up(&self) {
        if !self.sync_usage(Duration::from_millis(500)) {
            tracing::debug!("the usage store is behind");
        }
    }

    /// Waits until the store has every row that was handed over so far; false if it does not within `patience`. Public
    /// for tests, which must not go on before.
    #[doc(hidden)]
    #[must_use]
    pub fn sync_usage(&self, patience: Duration) -> bool {
        let writer = self.writer.lock();
        writer.as_ref().is_none_or(|writer| writer.sync(patience))
    }

    /// Whether this is the operator's management token. Compares in constant time.
    #[must_use]
    pub fn is_management_token(&self, token: &str) -> bool {
        self.gate.admits(token)
    }

    /// Writes down where this process listens, for the command line on this machine.
    ///
    /// # Errors
    /// The data directory cannot be written.
    pub fn publish_addresses(
        &self,
        server: SocketAddr,
        management: SocketAddr,
    ) -> Result<(), StartError> {
        let text = serde_json::json!({
            "server": server.to_string(), "management": management.to_string(), "pid": std::process::id(),
        });
        data_dir::write_secret(&self.data.addresses(), &text.to_string())
    }

    /// Writes what is still on its way to the store and takes the addresses back. The last call before the process ends.
    pub fn close(&self) {
        // Best effort: a file that names a port nobody listens on only costs the command line a refused connection.
        let _ = std::fs::remove_file(self.data.addresses());
        drop(self.tending.lock().take());
        self.note_tokens_used();
        self.note_keys_used();
        self.note_denials();
        self.turns.close();
        let writer = self.writer.lock().take();
        if let Some(Err(error)) = writer.map(UsageWriter::shutdown) {
            tracing::error!(%error, "usage rows were lost");
        }
        if let Err(error) = self.store.flush() {
            tracing::error!(%error, "the store could not be flushed");
        }
    }
}

/// Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
