//! The start: data directory, store, vault, directory, roll-ups, journal, ledger, counters, components, first snapshot; in
//! this order.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tollgate_governance::{Counters, Directory, KeyHasher, OsRandom, Zone, ZoneChange};
use tollgate_plugin::{Components, ComponentsConfig, Isolation};
use tollgate_store::{
    DiskStore, Durability, Journal, JournalOptions, Store, StoreError, Table, UsageRollups,
    UsageWriter, WriterOptions, ledger, records, usage,
};
use tollgate_vault::{
    Credential, MASTER_KEY_VARIABLE, MasterKeySource, PASSPHRASE_VARIABLE, Vault,
};

use super::change::{Proposal, assemble};
use super::data_dir::{DataDir, SECRET_MODE, check_mode};
use super::denials::Denials;
use super::error::StartError;
use super::token::{self, Gate};
use super::{Control, State, keys_used, now_ms};
use crate::config::{self, Config};
use crate::kills::Kills;
use crate::snapshot::Problem;
use crate::turns::Turns;

/// Where the store keeps the zone that the configuration named last.
const DEFAULT_ZONE: &[u8] = b"default zone";

/// Where the store keeps the sealed pepper of key hashes.
const PEPPER: &[u8] = b"pepper";

/// A start folds the ledger's records into a checkpoint when there are so many: replaying them takes some 70 ms.
pub(super) const CHECKPOINT_RECORDS: u64 = 100_000;

/// What a start finds or makes before anything runs.
pub(super) struct Foundation {
    pub(super) store: Arc<dyn Store>,
    vault: Vault,
    gate: Gate,
    made_token: bool,
    directory: Directory,
}

/// What `tollgate init` found or made.
#[derive(Debug, Clone)]
pub struct Initialised {
    /// The data directory.
    pub data: PathBuf,
    /// Where the master key is.
    pub master_key: String,
    /// Where the management token is.
    pub token_file: PathBuf,
    /// Whether the token was made just now.
    pub new_token: bool,
}

/// Makes what a first start would make, without starting. Nothing that is there is touched, except that `new_token`
/// replaces the management token.
///
/// # Errors
/// As [`Control::open`]; so too while a gateway runs on the data directory.
pub fn initialise(config: &Config, new_token: bool) -> Result<Initialised, StartError> {
    let data = DataDir::at(&config.data.dir);
    let foundation = Foundation::lay(config, &data, new_token)?;
    Ok(Initialised {
        data: data.root().to_owned(),
        master_key: master_key_source(&data)?.unwrap_or_default(),
        token_file: data.management_token(),
        new_token: foundation.made_token,
    })
}

/// Where the master key comes from, in words; `None` where there is none yet.
///
/// # Errors
/// Its file is open to others.
pub fn master_key_source(data: &DataDir) -> Result<Option<String>, StartError> {
    if std::env::var_os(MASTER_KEY_VARIABLE).is_some() {
        return Ok(Some(format!("environment variable {MASTER_KEY_VARIABLE}")));
    }
    let file = master_key_file(data);
    if !file.exists() {
        return Ok(None);
    }
    check_mode(&file, SECRET_MODE)?;
    Ok(Some(match std::env::var_os(PASSPHRASE_VARIABLE) {
        Some(_) => format!(
            "environment variable {PASSPHRASE_VARIABLE}, with the salt in {}",
            file.display()
        ),
        None => file.display().to_string(),
    }))
}

/// What must be there beside the store: the master key, or what its passphrase is mixed with.
pub(super) fn master_key_file(data: &DataDir) -> PathBuf {
    match std::env::var_os(PASSPHRASE_VARIABLE) {
        Some(_) => data.passphrase_parameters(),
        None => data.master_key(),
    }
}

impl Foundation {
    pub(super) fn lay(
        config: &Config,
        data: &DataDir,
        new_token: bool,
    ) -> Result<Self, StartError> {
        data.prepare()?;
        nothing_was_there(data)?;
        let store = DiskStore::open(&data.store(), durability(config))
            .map_err(|error| store_failed(data, error))?
            .with_reserve(config.data.keep_free_bytes);
        let vault = open_vault(&store, data)?;
        let (gate, made_token) = token::open(&store, data, &mut OsRandom::new(), new_token)?;
        let mut directory = load_directory(&store, data)?;
        // Days of roll-ups are those of the tree, which the root account names: so the directory comes first. Rows come
        // after: the journal's are rolled up like all others.
        zone(config, &directory)?;
        note_default_zone(&store, &mut directory, &config.governance.time_zone)
            .map_err(|error| store_failed(data, error))?;
        let store = UsageRollups::new(zone_name(config, &directory))
            .and_then(|rollups| store.with_fold(Arc::new(rollups)))
            .map_err(|error| store_failed(data, error))?;
        Ok(Self {
            store: Arc::new(store),
            vault,
            gate,
            made_token,
            directory,
        })
    }
}

/// Refuses to begin anew where the store of a gateway that has served is gone: nobody would notice that all accounts,
/// credit and usage went with it.
fn nothing_was_there(data: &DataDir) -> Result<(), StartError> {
    let journal = std::fs::read_dir(data.journal()).is_ok_and(|mut files| files.next().is_some());
    if DiskStore::is_there(&data.store()) || !(journal || data.management_token().exists()) {
        return Ok(());
    }
    Err(StartError::Store {
        path: data.store(),
        reason: format!(
            "it is gone, though a gateway has served from {}. To restore: `tollgate restore BACKUP-FOLDER`; or begin anew in another data directory",
            data.root().display()
        ),
    })
}

/// A zone of the configuration that is another one now is like one that the root account was given: it counts from the next
/// boundary. Until its first start with it a store has none noted.
fn note_default_zone(
    store: &dyn Store,
    directory: &mut Directory,
    zone: &str,
) -> Result<(), StoreError> {
    let before = store.get(Table::Meta, DEFAULT_ZONE)?;
    if before.as_deref() == Some(zone.as_bytes()) {
        return Ok(());
    }
    if let Some(before) = before.and_then(|before| String::from_utf8(before).ok()) {
        let changes = directory.default_zone_changed(&before, now_ms());
        records::commit(store, directory, &changes, None)?;
    }
    store.put(Table::Meta, DEFAULT_ZONE, zone.as_bytes())
}

/// Opens the vault; the stored pepper proves that this is the master key the store was made under.
fn open_vault(store: &dyn Store, data: &DataDir) -> Result<Vault, StartError> {
    let sealed = store
        .get(Table::Meta, PEPPER)
        .map_err(|error| store_failed(data, error))?;
    if sealed.is_some() && master_key_source(data)?.is_none() {
        // The vault would make a new key, which opens nothing and hides that the old one is gone.
        return Err(StartError::Vault(format!(
            "the master key {} is gone; restore it, or set {MASTER_KEY_VARIABLE}. Without it the stored credentials cannot be opened",
            master_key_file(data).display()
        )));
    }
    let failed = |error: tollgate_vault::VaultError| StartError::Vault(error.to_string());
    let source =
        MasterKeySource::environment_or_file(&data.master_key(), &data.passphrase_parameters());
    let vault = Vault::open(&source).map_err(failed)?;
    match sealed {
        Some(sealed) => vault.with_pepper(&sealed).map_err(|error| match error {
            tollgate_vault::VaultError::WrongMasterKey(_) => StartError::Vault(
                "this master key is not the one under which the store was made".to_owned(),
            ),
            error => failed(error),
        }),
        None => {
            let sealed = vault.seal_pepper().map_err(failed)?;
            store
                .put(Table::Meta, PEPPER, &sealed)
                .map_err(|error| store_failed(data, error))?;
            Ok(vault)
        }
    }
}

/// Reads the directory; the root account of an empty one is made.
fn load_directory(store: &dyn Store, data: &DataDir) -> Result<Directory, StartError> {
    let mut directory = records::load(store).map_err(|error| match error {
        StoreError::Record(error) => StartError::State(format!("{error}. {}", restoring(data))),
        error => store_failed(data, error),
    })?;
    if directory.root().is_none() {
        let (_, changes) = directory
            .create_root(now_ms(), &mut OsRandom::new())
            .map_err(|error| StartError::State(error.to_string()))?;
        let act = super::audit::Act::new("account.create").by(super::audit::Actor::Gateway);
        super::audit::alone(store, act, &directory, &changes)
            .and_then(|entry| records::commit(store, &mut directory, &changes, Some(&entry)))
            .map_err(|error| store_failed(data, error))?;
    }
    Ok(directory)
}

fn store_failed(data: &DataDir, error: StoreError) -> StartError {
    let damaged = matches!(
        error,
        StoreError::Damaged { .. }
            | StoreError::Ledger { .. }
            | StoreError::JournaledEntry { .. }
            | StoreError::Record(_)
            | StoreError::Usage(_)
    );
    StartError::Store {
        path: data.store(),
        reason: match damaged {
            true => match error {
                // The path is told already, and so is the way back.
                StoreError::Damaged { reason, .. } => {
                    format!("it is damaged: {reason}. {RESTORING}")
                }
                error => format!("{error}. {RESTORING}"),
            },
            false => match error {
                StoreError::InUse { .. } => "it is in use by another process".to_owned(),
                error => error.to_string(),
            },
        },
    }
}

/// Where the store's folder is named already.
const RESTORING: &str =
    "To restore: move that folder away and keep it, then `tollgate restore BACKUP-FOLDER`";

fn restoring(data: &DataDir) -> String {
    format!(
        "To restore: move {} away, then `tollgate restore BACKUP-FOLDER`",
        data.store().display()
    )
}

impl Control {
    /// Opens everything and makes what a first start needs: keys, token, root account.
    ///
    /// # Errors
    /// [`StartError`] says what to look at.
    pub fn open(config: Config) -> Result<Arc<Self>, StartError> {
        let data = DataDir::at(&config.data.dir);
        // Some damage the engine meets only as it reads, and then it panics.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let foundation = Foundation::lay(&config, &data, false)?;
            Self::raise(config, data.clone(), foundation)
        }));
        opened.unwrap_or_else(|_| {
            let damaged = StoreError::Damaged {
                path: data.store(),
                reason: "what it holds cannot be read (why is told above)".to_owned(),
            };
            Err(store_failed(&data, damaged))
        })
    }

    pub(super) fn raise(
        config: Config,
        data: DataDir,
        foundation: Foundation,
    ) -> Result<Arc<Self>, StartError> {
        let Foundation {
            store,
            vault,
            gate,
            directory,
            ..
        } = foundation;
        let started_ms = now_ms();
        // Before anything is read: what a killed process had accepted but not stored counts like everything else.
        let journal = open_journal(&*store, &config, &data)?;
        let ledger = open_ledger(&*store).map_err(|error| store_failed(&data, error))?;
        let rollup_zone = zone(&config, &directory)?;
        let counters = Arc::new(Counters::new(rollup_zone.clone(), ledger));
        counters.set_fee(fee(&config)?);
        let changes = directory.root().and_then(|root| root.zone_change.as_ref());
        let before = changes.into_iter().flat_map(ZoneChange::all);
        let before = before.filter_map(|change| {
            let name = change.before.as_ref();
            let zone = Zone::named(name.unwrap_or(&config.governance.time_zone));
            Some((zone.ok()?, change.at_ms))
        });
        counters.zones_changed(&before.collect::<Vec<_>>());
        directory.keep_windows(&counters);
        let seeded = usage::seed(&*store, &directory, &counters, started_ms)
            .map_err(|error| store_failed(&data, error))?;
        // Before there is a request: what rows have told since is not older.
        keys_used::recall(&*store, &directory, &counters)
            .map_err(|error| store_failed(&data, error))?;
        let (credentials, sealed) = open_credentials(&vault, &directory);
        let components = open_components(&config, &data)?;
        let state = State {
            closing: directory.closing(),
            directory,
            credentials,
            sealed,
            generation: components.generation(),
            log: super::audit::Log::open(&*store).map_err(|error| store_failed(&data, error))?,
        };
        let snapshot = assemble(&state, &config, &Proposal::default(), None);
        for problem in &snapshot.problems {
            tracing::warn!(what = %problem.what, why = %problem.why, "cannot be used");
        }
        let writer =
            UsageWriter::start_journaled(Arc::clone(&store), WriterOptions::default(), journal)
                .map_err(|error| store_failed(&data, error.into()))?;
        let turns = vault
            .derived_key("kept turns")
            .map_err(|error| StartError::Vault(error.to_string()))
            .and_then(|key| {
                Turns::open(Arc::clone(&store), &key)
                    .map_err(|error| StartError::State(format!("kept turns: {error}")))
            })?;
        let control = Arc::new(Self {
            turns,
            makers: Arc::default(),
            hasher: KeyHasher::new(vault.pepper()),
            config,
            data,
            started_ms,
            store,
            vault,
            gate,
            components: Arc::clone(&components),
            counters,
            rollup_zone,
            kills: Kills::default(),
            denials: Denials::default(),
            unconfirmed: AtomicBool::new(false),
            writer: Mutex::new(Some(writer)),
            tending: Mutex::new(None),
            state: Mutex::new(state),
            snapshot: ArcSwap::from_pointee(snapshot),
        });
        tracing::debug!(rows = seeded, "counted the usage of today");
        control.follow_components();
        Ok(control)
    }

    /// Publishes a new snapshot whenever components change. Holds no reference to itself, so that it can end.
    fn follow_components(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        self.components.subscribe(Box::new(move |_| {
            if let Some(control) = weak.upgrade() {
                control.follow();
            }
        }));
        // What changed while the first snapshot was built was told to nobody.
        self.follow();
    }
}

fn durability(config: &Config) -> Durability {
    match config.data.durable {
        config::Durable::Process => Durability::Process,
        config::Durable::PowerLoss => Durability::PowerLoss,
    }
}

fn open_journal(store: &dyn Store, config: &Config, data: &DataDir) -> Result<Journal, StartError> {
    let options = JournalOptions {
        durability: durability(config),
        reserve_bytes: config.data.keep_free_bytes,
        ..JournalOptions::default()
    };
    let (journal, recovery) = Journal::open(&data.journal(), store, options)
        .map_err(|error| store_failed(data, error))?;
    if recovery.rows_added + recovery.holds_resolved > 0 {
        tracing::warn!(%recovery, "the last process did not end in order; its journal was read");
    }
    Ok(journal)
}

/// The ledger as the store has it, once what the journal had is in it.
fn open_ledger(store: &dyn Store) -> Result<tollgate_governance::Ledger, StoreError> {
    if ledger::since_checkpoint(store)? >= CHECKPOINT_RECORDS {
        match ledger::checkpoint(store) {
            // The records are there all the same; only the next start takes as long as this one.
            Err(error) if error.is_refusal() => {
                tracing::warn!(%error, "no checkpoint of the ledger was written");
            }
            folded => {
                folded?;
            }
        }
    }
    ledger::load(store)
}

/// The name of the zone of calendar days: the root account's, else the configured one.
pub(super) fn zone_name<'a>(config: &'a Config, directory: &'a Directory) -> &'a str {
    let root = directory.root().and_then(|root| root.time_zone.as_deref());
    root.unwrap_or(&config.governance.time_zone)
}

/// That zone.
pub(super) fn zone(config: &Config, directory: &Directory) -> Result<Zone, StartError> {
    Zone::named(zone_name(config, directory)).map_err(|error| StartError::Config {
        key: "governance.time_zone",
        reason: error.to_string(),
    })
}

/// The operator's share of charges.
fn fee(config: &Config) -> Result<u32, StartError> {
    match config.governance.fee_ppm {
        share @ 0..=1_000_000 => Ok(share),
        more => Err(StartError::Config {
            key: "governance.fee_ppm",
            reason: format!("{more} millionths are more than the whole charge"),
        }),
    }
}

/// Opens what the vault can open; the rest is a problem of those credentials, not of the start.
fn open_credentials(
    vault: &Vault,
    directory: &Directory,
) -> (HashMap<String, Arc<Credential>>, Vec<Problem>) {
    let (mut open, mut sealed) = (HashMap::new(), Vec::new());
    for record in directory.credentials() {
        match vault.open_credential(&record.name, &record.sealed) {
            Ok(credential) => {
                open.insert(record.name.clone(), Arc::new(credential));
            }
            Err(error) => {
                sealed.push(Problem {
                    what: format!("credential `{}`", record.name),
                    why: error.to_string(),
                });
            }
        }
    }
    (open, sealed)
}

fn open_components(config: &Config, data: &DataDir) -> Result<Arc<Components>, StartError> {
    let settings = &config.components;
    let folder = config.components_dir();
    std::fs::create_dir_all(&folder).map_err(|source| StartError::File {
        path: folder.clone(),
        source,
    })?;
    let isolation = |isolation: config::Isolation| match isolation {
        config::Isolation::Auto => None,
        config::Isolation::Pooled => Some(Isolation::Pooled),
        config::Isolation::PerRequest => Some(Isolation::PerRequest),
    };
    Components::open(ComponentsConfig {
        dir: folder,
        cache_dir: data.component_cache(),
        trusted_keys: settings.trusted_keys.clone(),
        isolation: isolation(settings.isolation),
        isolation_of: settings
            .isolation_of
            .iter()
            .filter_map(|(name, level)| Some((name.clone(), isolation(*level)?)))
            .collect(),
        memoise: settings.memoise,
        max_component_bytes: settings.max_component_bytes,
        max_memory_bytes: settings.max_memory_bytes,
        call_timeout: Duration::from_millis(settings.call_timeout_ms),
    })
    .map_err(|error| StartError::Components(error.to_string()))
}
