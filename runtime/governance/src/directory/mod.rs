//! The directory: accounts, keys, management tokens, upstreams, policies and credentials in memory, and the one way to change them.
//!
//! An operation takes `&self`, validates, and returns changes. Nothing has happened yet: the caller stores them and
//! then calls [`Directory::apply`], under one lock from the first to the last. What the store refuses, never was.

mod accounts;
mod delete;
mod keys;
mod load;
mod reach;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod tokens;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::account::{Account, Status};
use crate::attachment::Attachment;
use crate::caller::KeyEntry;
use crate::credential::CredentialRecord;
use crate::error::DirectoryError;
use crate::ids::{AccountId, KeyId, TokenId};
use crate::key::Key;
use crate::limits::{Counters, Past};
use crate::node;
use crate::path::Path;
use crate::record::Change;
use crate::snapshot::Accounts;
use crate::token::KeyMac;
use crate::upstream::Upstream;
use crate::usage::UsageRow;

pub use delete::{Attached, DeleteMode};
pub use keys::DEFAULT_GRACE_MS;
pub use reach::tightens;

/// The name of the root account, which never changes.
pub(crate) const ROOT: &str = "root";

/// Everything the operator has set up.
#[derive(Debug, Default)]
pub struct Directory {
    root: Option<AccountId>,
    /// Boxed: a third of a table's places is empty (1.93 GB for 1,000,000 accounts and keys became 1.63, with the list
    /// of keys below).
    nodes: HashMap<AccountId, Box<Node>>,
    /// Accounts that are gone from the tree: history names them.
    archived: HashMap<AccountId, Arc<Account>>,
    keys: HashMap<KeyId, KnownKey>,
    tokens: HashMap<TokenId, tokens::KnownToken>,
    /// Tokens that were not revoked, by their hashes.
    bearers: HashMap<KeyMac, TokenId>,
    /// Tokens by account: few have any, so nodes have no list of them.
    tokens_of: BTreeSet<(AccountId, TokenId)>,
    upstreams: BTreeMap<String, Arc<Upstream>>,
    attachments: BTreeMap<String, Arc<Attachment>>,
    credentials: BTreeMap<String, Arc<CredentialRecord>>,
    /// Counter slots are never used twice within a process: a late settlement must not hit a stranger.
    next_slot: u32,
    /// Nor are places in the index.
    next_place: u32,
    /// Kept up to date change by change; a snapshot is a copy of its tables of pointers.
    index: Accounts,
}

/// A key, and when it was last shown: the same number in every snapshot.
#[derive(Debug)]
struct KnownKey {
    key: Arc<Key>,
    last_used: Arc<AtomicU64>,
}

/// An account with what hangs on it.
#[derive(Debug)]
struct Node {
    account: Arc<Account>,
    /// In the index.
    place: u32,
    /// Of its counters.
    slot: u32,
    /// Of the counters of its patterns of models; kept when a limit is taken away and set again.
    pattern_slots: BTreeMap<String, u32>,
    /// By name.
    children: BTreeMap<String, AccountId>,
    /// Oldest first.
    keys: Vec<KeyId>,
    /// In running order.
    attachments: Vec<Arc<Attachment>>,
}

impl Directory {
    /// The snapshot for the data plane.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Accounts> {
        Arc::new(self.index.clone())
    }

    /// The root account; none before [`Directory::create_root`].
    #[must_use]
    pub fn root(&self) -> Option<&Arc<Account>> {
        self.root.and_then(|id| self.get(id))
    }

    /// The account of this id.
    #[must_use]
    pub fn get(&self, id: AccountId) -> Option<&Arc<Account>> {
        self.nodes.get(&id).map(|node| &node.account)
    }

    /// The account of this id or path (`root/dept/alice`).
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`].
    pub fn account(&self, target: &str) -> Result<&Arc<Account>, DirectoryError> {
        let found = match target.parse::<AccountId>() {
            Ok(id) => Some(id),
            Err(_) => self.by_path(target),
        };
        found
            .and_then(|id| self.get(id))
            .ok_or_else(|| DirectoryError::not_found("account", target))
    }

    fn by_path(&self, path: &str) -> Option<AccountId> {
        let mut names = path.split('/');
        let mut id = self.root.filter(|_| names.next() == Some(ROOT))?;
        for name in names {
            id = *self.nodes.get(&id)?.children.get(name)?;
        }
        Some(id)
    }

    /// All accounts, each parent before its children, siblings by name.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        let start = self.root.into_iter().collect::<Vec<_>>();
        self.walk(start).filter_map(|id| self.get(id))
    }

    /// The children of an account, by name.
    pub fn children(&self, id: AccountId) -> impl Iterator<Item = &Arc<Account>> {
        self.nodes
            .get(&id)
            .into_iter()
            .flat_map(|node| node.children.values())
            .filter_map(|child| self.get(*child))
    }

    /// Whether `id` is `ancestor` or lies under it.
    #[must_use]
    pub fn is_within(&self, id: AccountId, ancestor: AccountId) -> bool {
        self.upward(id).any(|node| node.account.id == ancestor)
    }

    /// The names of an account's path, e.g. `root/dept/alice`.
    #[must_use]
    pub fn names(&self, id: AccountId) -> Option<String> {
        let mut names: Vec<&str> = self
            .upward(id)
            .map(|node| node.account.name.as_str())
            .collect();
        names.reverse();
        (!names.is_empty()).then(|| names.join("/"))
    }

    /// The path of an account, with which its effective policy can be asked.
    #[must_use]
    pub fn path(&self, id: AccountId) -> Option<Path> {
        self.index.path(self.nodes.get(&id)?.place)
    }

    /// Accounts that are gone from the tree, oldest first.
    #[must_use]
    pub fn archived(&self) -> Vec<&Arc<Account>> {
        let mut archived: Vec<_> = self.archived.values().collect();
        archived.sort_unstable_by_key(|account| account.id);
        archived
    }

    /// All keys, revoked ones too, oldest first.
    #[must_use]
    pub fn keys(&self) -> Vec<&Arc<Key>> {
        let mut keys: Vec<_> = self.keys.values().map(|known| &known.key).collect();
        keys.sort_unstable_by_key(|key| key.id);
        keys
    }

    /// Keys that are not revoked, in no order.
    pub fn working_keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        let keys = self.keys.values().map(|known| &known.key);
        keys.filter(|key| key.revoked_ms.is_none())
    }

    /// The key of this id.
    #[must_use]
    pub fn key(&self, id: KeyId) -> Option<&Arc<Key>> {
        self.keys.get(&id).map(|known| &known.key)
    }

    /// When a key was last shown, Unix milliseconds; none if never since the rows that the counters were filled from.
    #[must_use]
    pub fn last_used(&self, id: KeyId) -> Option<u64> {
        let last = self.keys.get(&id)?.last_used.load(Ordering::Relaxed);
        (last > 0).then_some(last)
    }

    /// All upstreams, by name.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.values()
    }

    /// The upstream of this name.
    #[must_use]
    pub fn upstream(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.upstreams.get(name)
    }

    /// All policy attachments, by id.
    pub fn attachments(&self) -> impl Iterator<Item = &Arc<Attachment>> {
        self.attachments.values()
    }

    /// The policy attachment of this id.
    #[must_use]
    pub fn attachment(&self, id: &str) -> Option<&Arc<Attachment>> {
        self.attachments.get(id)
    }

    /// All credentials, by name. Their values are sealed.
    pub fn credentials(&self) -> impl Iterator<Item = &Arc<CredentialRecord>> {
        self.credentials.values()
    }

    /// The credential of this name.
    #[must_use]
    pub fn credential(&self, name: &str) -> Option<&Arc<CredentialRecord>> {
        self.credentials.get(name)
    }

    /// Counts again a request of before a restart, in whatever order; those of other days and months are
    /// ignored, as are requests that a limit refused. Nodes that were deleted since are skipped, their ancestors not.
    pub fn seed(&self, counters: &Counters, row: &UsageRow<'_>, now_ms: u64) {
        if let Some(known) = self.keys.get(&row.key) {
            known
                .last_used
                .fetch_max(row.admitted_ms, Ordering::Relaxed);
        }
        if !row.counted {
            return;
        }
        let nodes = row.path.iter().filter_map(|id| {
            let place = self.nodes.get(id)?.place;
            self.index.node(place)
        });
        let slots = nodes.flat_map(|node| node.sets(row.limited_model()).map(|set| set.slot));
        let input = row.tokens.total_input();
        let past = Past {
            admitted_ms: row.admitted_ms,
            ended_ms: row.ended_ms,
            input,
            output: row.tokens.total().saturating_sub(input),
            charged: row.charged,
        };
        counters.seed(slots, &past, now_ms);
    }

    /// Sees to it that the counters keep every window that is limited: once before rows are counted again.
    pub fn keep_windows(&self, counters: &Counters) {
        for node in self.nodes.values() {
            let Some(compiled) = self.index.node(node.place) else {
                continue;
            };
            let sets = std::iter::once(&compiled.base).chain(&compiled.by_model);
            let limited: Vec<_> = sets.filter(|set| !set.limits.is_empty()).collect();
            if !limited.is_empty() {
                counters.keep(&limited);
            }
        }
    }

    /// Makes changes effective that an operation returned and that are now durable.
    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Account(id, Some(account)) => self.set_account(*id, account),
                Change::Account(id, None) => self.drop_account(*id),
                Change::Key(id, key) => self.set_key(*id, key.as_ref()),
                Change::Token(id, token) => self.set_token(*id, token.as_ref()),
                Change::Upstream(name, value) => set(&mut self.upstreams, name, value.as_ref()),
                Change::Attachment(id, value) => self.set_attachment(id, value.as_ref()),
                Change::Credential(name, value) => set(&mut self.credentials, name, value.as_ref()),
            }
        }
    }

    /// From a node up to the root.
    fn upward(&self, id: AccountId) -> impl Iterator<Item = &Node> {
        let node = |id| self.nodes.get(&id).map(Box::as_ref);
        std::iter::successors(node(id), move |below| node(below.account.parent?))
    }

    /// Depth first; no recursion, so that no depth is too deep.
    fn walk(&self, mut stack: Vec<AccountId>) -> impl Iterator<Item = AccountId> {
        std::iter::from_fn(move || {
            let id = stack.pop()?;
            if let Some(node) = self.nodes.get(&id) {
                stack.extend(node.children.values().rev());
            }
            Some(id)
        })
    }

    /// Compiles an account anew for the data plane. What is under it is not touched: a request walks its path.
    fn reindex(&mut self, id: AccountId) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        for pattern in node.account.model_limits.keys() {
            if !node.pattern_slots.contains_key(pattern) {
                node.pattern_slots.insert(pattern.clone(), self.next_slot);
                self.next_slot += 1;
            }
        }
        let account = Arc::clone(&node.account);
        let Some(node) = self.nodes.get(&id) else {
            return;
        };
        let parent = account
            .parent
            .and_then(|parent| self.nodes.get(&parent))
            .map(|parent| parent.place);
        let compiled = node::Node::new(account, parent, &node.attachments, node.slot, |pattern| {
            node.pattern_slots
                .get(pattern)
                .copied()
                .unwrap_or(node.slot)
        });
        self.index.set_node(node.place, Some(Arc::new(compiled)));
    }

    fn set_account(&mut self, id: AccountId, account: &Arc<Account>) {
        if account.status == Status::Archived {
            self.drop_account(id);
            self.archived.insert(id, Arc::clone(account));
            return;
        }
        if let Some(node) = self.nodes.get_mut(&id) {
            let old = std::mem::replace(&mut node.account, Arc::clone(account));
            if let Some(parent) = old.parent.and_then(|parent| self.nodes.get_mut(&parent)) {
                parent.children.remove(&old.name);
            }
        } else {
            let node = Node {
                account: Arc::clone(account),
                place: self.next_place,
                slot: self.next_slot,
                pattern_slots: BTreeMap::new(),
                children: BTreeMap::new(),
                keys: Vec::new(),
                attachments: Vec::new(),
            };
            self.next_place += 1;
            self.next_slot += 1;
            self.nodes.insert(id, Box::new(node));
        }
        match account.parent {
            None => self.root = Some(id),
            Some(parent) => {
                if let Some(parent) = self.nodes.get_mut(&parent) {
                    parent.children.insert(account.name.clone(), id);
                }
            }
        }
        self.reindex(id);
    }

    fn drop_account(&mut self, id: AccountId) {
        self.archived.remove(&id);
        let Some(node) = self.nodes.remove(&id) else {
            return;
        };
        self.index.set_node(node.place, None);
        if let Some(parent) = node
            .account
            .parent
            .and_then(|parent| self.nodes.get_mut(&parent))
        {
            parent.children.remove(&node.account.name);
        }
    }

    fn set_key(&mut self, id: KeyId, key: Option<&Arc<Key>>) {
        let old = self.keys.remove(&id);
        if let Some(old) = &old {
            self.index.remove_key(&old.key.mac);
            if let Some(node) = self.nodes.get_mut(&old.key.account) {
                node.keys.retain(|key| *key != id);
            }
        }
        let Some(key) = key else { return };
        let last_used = old.map_or_else(Arc::default, |old| old.last_used);
        if let Some(node) = self.nodes.get_mut(&key.account) {
            let place = node.keys.partition_point(|key| *key < id);
            node.keys.insert(place, id);
            if key.revoked_ms.is_none() {
                let entry = KeyEntry::new(Arc::clone(key), node.place, Arc::clone(&last_used));
                self.index.insert_key(key.mac, Arc::new(entry));
            }
        }
        let known = KnownKey {
            key: Arc::clone(key),
            last_used,
        };
        self.keys.insert(id, known);
    }

    fn set_attachment(&mut self, id: &str, attachment: Option<&Arc<Attachment>>) {
        let old = match attachment {
            Some(new) => self.attachments.insert(id.to_owned(), Arc::clone(new)),
            None => self.attachments.remove(id),
        };
        if let Some(old) = old
            && let Some(node) = self.nodes.get_mut(&old.account)
        {
            node.attachments.retain(|attached| attached.id != id);
            self.reindex(old.account);
        }
        if let Some(new) = attachment
            && let Some(node) = self.nodes.get_mut(&new.account)
        {
            node.attachments.push(Arc::clone(new));
            node.attachments
                .sort_by(|a, b| (a.order, &a.id).cmp(&(b.order, &b.id)));
            self.reindex(new.account);
        }
    }
}

fn set<T>(table: &mut BTreeMap<String, Arc<T>>, name: &str, value: Option<&Arc<T>>) {
    match value {
        Some(value) => table.insert(name.to_owned(), Arc::clone(value)),
        None => table.remove(name),
    };
}
