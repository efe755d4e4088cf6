//! The audit log of management: what each act leaves in it, how that gets there, and how it is read.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tollgate_governance::{
    AuditChain, AuditCheckpoint, AuditDraft, AuditEntry, AuditSigner, AuditSubject, Change,
    Directory, OsRandom, TokenId, change_subject, change_summary,
};
use tollgate_store::{Store, StoreError, Table, Visit, Write, audit, records};
use tollgate_vault::Vault;

use super::audit_seen::SeenEntry;
use super::change::Made;
use super::error::ControlError;
use super::{Control, State, now_ms};

/// Where the store keeps the sealed key that checkpoints are signed with; also its name in the vault.
const SIGNING_KEY: &str = "audit-signing-key";
/// Where the store keeps which components the log has told of.
const COMPONENTS: &[u8] = b"audit-components";
/// Entries of a page at most.
pub(super) const MOST: usize = 1_000;
/// What an actor begins with that is a token of an account.
pub(super) const TOKEN: &str = "token:";

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    /// A bearer of the operator's management token: the API, and the command line through it.
    ManagementToken,
    /// The bearer of this token of an account.
    Token(TokenId),
    /// Whoever runs `tollgate` where the data directory is.
    CommandLine,
    /// The gateway itself, as the consequence of an earlier act or at its first start.
    Gateway,
    /// Whoever can write the folder of components.
    ComponentsFolder,
}

impl Actor {
    fn name(self) -> String {
        let name = match self {
            Self::ManagementToken => "management-token",
            Self::Token(id) => return format!("{TOKEN}{id}"),
            Self::CommandLine => "command-line",
            Self::Gateway => "gateway",
            Self::ComponentsFolder => "components-folder",
        };
        name.to_owned()
    }
}

/// An act, as far as it is not told by the changes of records that it makes.
#[derive(Debug)]
pub(super) struct Act {
    actor: Actor,
    act: &'static str,
    subject: Option<AuditSubject>,
    more: Map<String, Value>,
}

impl Act {
    /// One of a bearer of the operator's management token. What it is about the first change says.
    pub(super) fn new(act: &'static str) -> Self {
        Self {
            actor: Actor::ManagementToken,
            act,
            subject: None,
            more: Map::new(),
        }
    }

    pub(super) fn by(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    pub(super) fn about(self, id: impl Into<String>, path: impl Into<String>) -> Self {
        let subject = AuditSubject {
            id: id.into(),
            path: path.into(),
        };
        Self {
            subject: Some(subject),
            ..self
        }
    }

    /// Tells something more. Never a secret.
    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        // Whatever cannot be said in JSON is left out rather than the act refused.
        let value = serde_json::to_value(value).unwrap_or_default();
        self.more.insert(name.to_owned(), value);
        self
    }

    /// What the log gets, before the changes are applied.
    pub(super) fn draft(self, directory: &Directory, changes: &[Change]) -> AuditDraft {
        let subject = self.subject.unwrap_or_else(|| {
            let first = changes.first();
            first.map_or_else(AuditSubject::default, |first| {
                change_subject(directory, first)
            })
        });
        let mut told = change_summary(directory, changes, &subject.id);
        told.extend(self.more);
        AuditDraft {
            at_ms: now_ms(),
            actor: self.actor.name(),
            act: self.act.to_owned(),
            subject,
            changes: Value::Object(told),
        }
    }
}

/// The entry of an act before there is a control plane: at a first start, or from the command line.
pub(super) fn alone(
    store: &dyn Store,
    act: Act,
    directory: &Directory,
    changes: &[Change],
) -> Result<AuditEntry, StoreError> {
    Ok(audit::head(store)?.link(act.draft(directory, changes)))
}

/// The entry of an act that makes these changes, which are not applied yet.
pub(super) fn linked(state: &State, act: Act, changes: &[Change]) -> AuditEntry {
    state.log.chain.link(act.draft(&state.directory, changes))
}

/// Where the log of this process stands.
#[derive(Debug, Default)]
pub(super) struct Log {
    chain: AuditChain,
    /// Digests of the components that the log has told of, by kind and id.
    components: BTreeMap<String, String>,
}

impl Log {
    /// Finds where the stored log stands.
    pub(super) fn open(store: &dyn Store) -> Result<Self, StoreError> {
        let told = store.get(Table::Meta, COMPONENTS)?;
        Ok(Self {
            chain: audit::head(store)?,
            // If it cannot be read everything that is loaded is told once more.
            components: told
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .unwrap_or_default(),
        })
    }
}

/// A page of the log.
#[derive(Debug, Clone, Serialize)]
pub struct AuditPage {
    /// In the order in which they are stored.
    pub entries: Vec<AuditItem>,
    /// Number of the last entry of the whole log, or of the last that the reader sees; 0: there is none.
    pub last: u64,
    /// What to ask for `after` to go on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// The key that checkpoints are signed with, 64 hexadecimal digits; absent before the first checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

/// What is stored under a number of the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AuditItem {
    /// An entry. Whether it is the right one a verifier tells.
    Entry(AuditEntry),
    /// What a reader sees of one who does not see the whole log. It cannot be verified.
    Seen(SeenEntry),
    /// What cannot be read.
    Damaged {
        /// The number under which it is stored.
        sequence: u64,
        /// Why it cannot be read.
        damaged: String,
    },
}

impl Control {
    /// Makes changes of records and the entry that tells of them: one commit of the store, then the directory.
    pub(super) fn record(
        &self,
        state: &mut State,
        act: Act,
        changes: &[Change],
    ) -> Result<Made, ControlError> {
        let entry = linked(state, act, changes);
        let stored = records::commit(&*self.store, &mut state.directory, changes, Some(&entry));
        self.written(state, &entry, stored)
    }

    /// Writes an entry of an act that changes no record.
    pub(super) fn note(&self, act: Act) -> Result<Made, ControlError> {
        let state = &mut *self.state.lock();
        self.record(state, act, &[])
    }

    /// Moves on to the entry that was stored, or finds out where the log stands if nobody can tell.
    pub(super) fn written(
        &self,
        state: &mut State,
        entry: &AuditEntry,
        stored: Result<(), StoreError>,
    ) -> Result<Made, ControlError> {
        self.follow_log(state, entry, stored.as_ref().err());
        self.made(stored)
    }

    /// The same, where the caller goes on by itself.
    pub(super) fn follow_log(
        &self,
        state: &mut State,
        entry: &AuditEntry,
        failed: Option<&StoreError>,
    ) {
        match failed {
            None => state.log.chain = AuditChain::after(entry),
            Some(error) if error.is_made() => state.log.chain = AuditChain::after(entry),
            Some(error) if error.is_refusal() => {}
            Some(_) => match audit::head(&*self.store) {
                Ok(head) => state.log.chain = head,
                Err(error) => tracing::error!(%error, "the audit log cannot be read"),
            },
        }
    }

    /// Tells of components that came, went or were replaced since the log last told of them: nobody asks the gateway
    /// before a file is dropped in, so the entry follows the deed.
    pub(super) fn note_components(&self, state: &mut State) {
        let generation = &state.generation;
        let all = generation
            .providers
            .values()
            .chain(generation.policies.values());
        let now: BTreeMap<String, String> = all
            .map(|component| {
                let kind = match component.kind() {
                    tollgate_plugin::Kind::Provider => "provider",
                    tollgate_plugin::Kind::Policy => "policy",
                };
                let digest = component.digest().to_owned();
                (format!("{kind}/{}", component.id()), digest)
            })
            .collect();
        if now == state.log.components {
            return;
        }
        let (entries, end) = told_of(&state.log, &now);
        let mut writes: Vec<_> = entries.iter().map(audit::write).collect();
        writes.push(Write {
            table: Table::Meta,
            key: COMPONENTS.to_vec(),
            value: Some(json!(now).to_string().into_bytes()),
        });
        match self.store.apply(&writes) {
            Ok(()) => (state.log.chain, state.log.components) = (end, now),
            Err(error) if error.is_made() => {
                tracing::warn!(%error, "what the audit log tells of components is not on the disk yet");
                (state.log.chain, state.log.components) = (end, now);
            }
            Err(error) => {
                // Told with the next change of the folder, or at the next start.
                tracing::warn!(%error, "the audit log does not tell yet which components are loaded");
                if let Some(first) = entries.first() {
                    self.follow_log(state, first, Some(&error));
                }
            }
        }
    }

    /// Entries after the number `after`, at most `limit` and a thousand: the log as it is, which can be verified.
    pub(super) fn whole_audit_page(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<AuditPage, ControlError> {
        let limit = limit.min(MOST);
        let signer = signer(&*self.store, &self.vault)?;
        let mut page = AuditPage {
            entries: Vec::new(),
            last: self.state.lock().log.chain.sequence,
            next: None,
            public_key: signer.map(|signer| signer.public_key()),
        };
        let mut seen = after;
        audit::scan(&*self.store, after, &mut |number, entry| {
            if page.entries.len() == limit {
                page.next = Some(seen);
                return Visit::Stop;
            }
            seen = number;
            page.entries.push(match entry {
                Ok(entry) => AuditItem::Entry(entry),
                Err(error) => AuditItem::Damaged {
                    sequence: number,
                    damaged: error.to_string(),
                },
            });
            Visit::Continue
        })?;
        Ok(page)
    }

    /// Signs how far the log has got. The first time a key is made for it, which the log tells of.
    ///
    /// # Errors
    /// The store or the vault fails.
    pub fn audit_checkpoint(&self) -> Result<AuditCheckpoint, ControlError> {
        let state = &mut *self.state.lock();
        let signer = match signer(&*self.store, &self.vault)? {
            Some(signer) => signer,
            None => self.make_signer(state)?,
        };
        Ok(signer.sign(state.log.chain, now_ms()))
    }

    fn make_signer(&self, state: &mut State) -> Result<AuditSigner, ControlError> {
        let seed = AuditSigner::new_seed(&mut OsRandom::new());
        let signer = AuditSigner::from_seed(&*seed)
            .ok_or_else(|| ControlError::internal("no key for checkpoints could be made"))?;
        let sealed = self
            .vault
            .seal_signing_key(SIGNING_KEY, &seed)
            .map_err(ControlError::internal)?;
        let act = Act::new("audit-key.create").about(SIGNING_KEY, "");
        let act = act.with("public_key", signer.public_key());
        let entry = linked(state, act, &[]);
        let key = Write {
            table: Table::Meta,
            key: SIGNING_KEY.as_bytes().to_vec(),
            value: Some(sealed),
        };
        let stored = self.store.apply(&[key, audit::write(&entry)]);
        self.written(state, &entry, stored)?.confirmed()?;
        Ok(signer)
    }
}

/// Entries that tell what became of components, and the end of the log after them.
fn told_of(log: &Log, now: &BTreeMap<String, String>) -> (Vec<AuditEntry>, AuditChain) {
    let mut chain = log.chain;
    let before = &log.components;
    let names: std::collections::BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let changed = names
        .into_iter()
        .filter(|name| before.get(*name) != now.get(*name));
    let entries = changed.map(|name| {
        let (from, to) = (before.get(name), now.get(name));
        let act = match (from, to) {
            (None, _) => "component.load",
            (Some(_), Some(_)) => "component.change",
            (Some(_), None) => "component.unload",
        };
        let mut digest = Map::new();
        for (which, value) in [("from", from), ("to", to)] {
            if let Some(value) = value {
                digest.insert(which.to_owned(), json!(value));
            }
        }
        let act = Act::new(act).by(Actor::ComponentsFolder).about(name, "");
        let entry = chain.link(act.with("digest", digest).draft(&Directory::default(), &[]));
        chain = AuditChain::after(&entry);
        entry
    });
    let entries = entries.collect();
    (entries, chain)
}

/// What checkpoints are signed with, if there is a key yet.
fn signer(store: &dyn Store, vault: &Vault) -> Result<Option<AuditSigner>, ControlError> {
    let Some(sealed) = store.get(Table::Meta, SIGNING_KEY.as_bytes())? else {
        return Ok(None);
    };
    let seed = vault
        .open_signing_key(SIGNING_KEY, &sealed)
        .map_err(ControlError::internal)?;
    AuditSigner::from_seed(&seed)
        .map(Some)
        .ok_or_else(|| ControlError::internal("the stored key for checkpoints is damaged"))
}
