//! Deleting accounts: closed at once, archived when nothing of them is under way any more.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Directory;
use crate::account::{Account, Status};
use crate::error::DirectoryError;
use crate::ids::AccountId;
use crate::key::{Key, KeyState};
use crate::record::Change;

/// What happens to what is under an account that is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeleteMode {
    /// Refused while there are accounts under it, active keys or management tokens, credit, or requests under way.
    #[default]
    Refuse,
    /// Deleted with it.
    Cascade,
    /// Hung under its parent.
    Reparent,
}

/// What an account still has that a deletion would take from somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// Credit in its wallet, or held.
    pub credit: bool,
    /// Requests under way.
    pub running: bool,
}

impl Directory {
    /// Begins to delete an account, named by id or path: it and what goes with it refuse new requests, their keys and
    /// management tokens are revoked. [`Directory::archive`] ends it.
    ///
    /// # Errors
    /// Refuses the root, and what the mode refuses; a child whose name its new siblings have is named.
    pub fn close_account(
        &self,
        target: &str,
        mode: DeleteMode,
        attached: impl Fn(AccountId) -> Attached,
        now_ms: u64,
    ) -> Result<Vec<Change>, DirectoryError> {
        let id = self.account(target)?.id;
        let Some(node) = self.nodes.get(&id) else {
            return Err(DirectoryError::not_found("account", target));
        };
        let Some(parent) = node.account.parent else {
            return Err(refused("the root account cannot be deleted"));
        };
        let mut changes = Vec::new();
        match mode {
            DeleteMode::Refuse => self.nothing_hangs_on(id, attached(id), now_ms)?,
            DeleteMode::Cascade => {}
            DeleteMode::Reparent => {
                for child in self.children(id) {
                    self.check_name_free(parent, child)?;
                    let moved = Account {
                        parent: Some(parent),
                        updated_ms: now_ms.max(child.updated_ms),
                        ..Account::clone(child)
                    };
                    changes.push(Change::Account(moved.id, Some(Arc::new(moved))));
                }
            }
        }
        let closing = match mode {
            DeleteMode::Cascade => self.walk(vec![id]).collect(),
            DeleteMode::Refuse | DeleteMode::Reparent => vec![id],
        };
        for id in closing {
            changes.extend(self.closed(id, now_ms));
        }
        Ok(changes)
    }

    /// Accounts that are being deleted, what hangs on others first: the order in which they can be archived.
    #[must_use]
    pub fn closing(&self) -> Vec<AccountId> {
        let all: Vec<_> = self.accounts().collect();
        let closing = all.iter().rev();
        closing
            .filter(|account| account.status == Status::Closing)
            .map(|account| account.id)
            .collect()
    }

    /// Takes a closing account out of the tree, with its keys, management tokens and policies; its name is free then. Only when nothing of
    /// it is under way and its credit has been swept.
    ///
    /// # Errors
    /// It is not closing, or accounts still hang on it.
    pub fn archive(&self, id: AccountId, now_ms: u64) -> Result<Vec<Change>, DirectoryError> {
        let node = self.nodes.get(&id);
        let node = node.filter(|node| node.account.status == Status::Closing);
        let node = node.ok_or_else(|| refused("the account is not being deleted"))?;
        if !node.children.is_empty() {
            return Err(refused("accounts still hang on it"));
        }
        let mut changes: Vec<Change> = node
            .keys
            .iter()
            .map(|key| Change::Key(*key, None))
            .collect();
        let tokens = self.tokens_of(id);
        changes.extend(tokens.map(|token| Change::Token(token, None)));
        let attached = node.attachments.iter();
        changes.extend(attached.map(|attached| Change::Attachment(attached.id.clone(), None)));
        let archived = Account {
            status: Status::Archived,
            updated_ms: now_ms.max(node.account.updated_ms),
            ..Account::clone(&node.account)
        };
        changes.push(Change::Account(id, Some(Arc::new(archived))));
        Ok(changes)
    }

    /// How many requests of an account and of what is under it are under way.
    #[must_use]
    pub fn running(&self, id: AccountId, counters: &crate::Counters) -> u32 {
        self.nodes
            .get(&id)
            .map_or(0, |node| counters.running(node.slot))
    }

    fn nothing_hangs_on(
        &self,
        id: AccountId,
        attached: Attached,
        now_ms: u64,
    ) -> Result<(), DirectoryError> {
        let Some(node) = self.nodes.get(&id) else {
            return Ok(());
        };
        if !node.children.is_empty() {
            let message = "it has accounts under it; delete or move them first, or use the mode `cascade` or `reparent`";
            return Err(refused(message));
        }
        let mut keys = node.keys.iter().filter_map(|key| self.key(*key));
        let may_work = |key: &Arc<Key>| {
            key.revoked_ms.is_none() && key.expires_ms.is_none_or(|end| now_ms < end)
        };
        if keys.any(may_work) {
            return Err(refused(
                "it has active keys; revoke them first, or use the mode `cascade`",
            ));
        }
        let mut tokens = self.tokens_of(id).filter_map(|token| self.token(token));
        if tokens.any(|token| token.state_at(now_ms) == KeyState::Active) {
            return Err(refused(
                "it has active management tokens; revoke them first, or use the mode `cascade`",
            ));
        }
        if attached.credit {
            return Err(refused(
                "it has credit; reclaim it first, or use the mode `cascade`",
            ));
        }
        if attached.running {
            return Err(refused(
                "it has requests under way; wait for them, or use the mode `cascade`",
            ));
        }
        Ok(())
    }

    fn closed(&self, id: AccountId, now_ms: u64) -> Vec<Change> {
        let Some(node) = self.nodes.get(&id) else {
            return Vec::new();
        };
        let closing = Account {
            status: Status::Closing,
            updated_ms: now_ms.max(node.account.updated_ms),
            ..Account::clone(&node.account)
        };
        let keys = node.keys.iter().filter_map(|key| self.key(*key));
        let active = keys.filter(|key| key.revoked_ms.is_none());
        let revoked = active.map(|key| {
            let revoked = Key {
                revoked_ms: Some(now_ms),
                ..Key::clone(key)
            };
            Change::Key(key.id, Some(Arc::new(revoked)))
        });
        revoked
            .chain(self.tokens_revoked(id, now_ms))
            .chain([Change::Account(id, Some(Arc::new(closing)))])
            .collect()
    }
}

fn refused(message: &str) -> DirectoryError {
    DirectoryError::conflict("account", message)
}
