//! Creating, changing, moving and deleting accounts.

use std::sync::Arc;

use super::{Directory, ROOT};
use crate::account::{Account, AccountPatch, NewAccount, Status};
use crate::error::DirectoryError;
use crate::ids::AccountId;
use crate::random::Random;
use crate::record::Change;

impl Directory {
    /// Makes the root account of an empty directory.
    ///
    /// # Errors
    /// [`DirectoryError::Conflict`] when there is one.
    pub fn create_root(
        &self,
        now_ms: u64,
        random: &mut dyn Random,
    ) -> Result<(Arc<Account>, Vec<Change>), DirectoryError> {
        if self.root.is_some() {
            return Err(DirectoryError::conflict("name", "the root account exists"));
        }
        let new = NewAccount {
            name: ROOT.to_owned(),
            ..NewAccount::default()
        };
        Ok(created(account(new, None, now_ms, random)))
    }

    /// Makes an account.
    ///
    /// # Errors
    /// Names the field that is wrong, unknown (`parent`) or taken (`name`).
    pub fn create_account(
        &self,
        new: NewAccount,
        now_ms: u64,
        random: &mut dyn Random,
    ) -> Result<(Arc<Account>, Vec<Change>), DirectoryError> {
        let parent = self.parent(new.parent.as_deref().unwrap_or(ROOT))?;
        let account = account(new, Some(parent), now_ms, random);
        account.validate()?;
        self.check_name_free(parent, &account)?;
        Ok(created(account))
    }

    /// Changes an account, named by id or path. With a new parent its whole subtree moves.
    ///
    /// # Errors
    /// Names the field that is wrong, unknown (`parent`) or taken (`name`); refuses a move under oneself.
    pub fn update_account(
        &self,
        target: &str,
        patch: &AccountPatch,
        now_ms: u64,
    ) -> Result<(Arc<Account>, Vec<Change>), DirectoryError> {
        let current = self.account(target)?;
        let mut account = current.patched(patch, now_ms);
        if current.parent.is_none() {
            if account.name != ROOT {
                return Err(DirectoryError::invalid(
                    "name",
                    "the root account keeps its name",
                ));
            }
            if patch.parent.is_some() {
                return Err(DirectoryError::invalid(
                    "parent",
                    "the root account has none",
                ));
            }
        } else if let Some(parent) = &patch.parent {
            let parent = self.parent(parent)?;
            if self.is_within(parent, account.id) {
                let message = "an account cannot move under itself";
                return Err(DirectoryError::conflict("parent", message));
            }
            account.parent = Some(parent);
        }
        account.validate()?;
        if let Some(parent) = account.parent {
            self.check_name_free(parent, &account)?;
        }
        Ok(created(account))
    }

    /// Deletes an account, named by id or path, with its revoked keys and its policy attachments.
    ///
    /// # Errors
    /// Refuses the root, and an account with children or active keys.
    pub fn delete_account(&self, target: &str) -> Result<Vec<Change>, DirectoryError> {
        let id = self.account(target)?.id;
        let refuse = |message: &str| Err(DirectoryError::conflict("account", message));
        let Some(node) = self.nodes.get(&id) else {
            return Err(DirectoryError::not_found("account", target));
        };
        if node.account.parent.is_none() {
            return refuse("the root account cannot be deleted");
        }
        if !node.children.is_empty() {
            return refuse("it has accounts under it; delete or move them first");
        }
        let keys = node.keys.iter().filter_map(|key| self.keys.get(key));
        if keys.clone().any(|key| key.revoked_ms.is_none()) {
            return refuse("it has active keys; revoke them first");
        }
        let mut changes: Vec<Change> = keys.map(|key| Change::Key(key.id, None)).collect();
        let attached = node.attachments.iter();
        changes.extend(attached.map(|attached| Change::Attachment(attached.id.clone(), None)));
        changes.push(Change::Account(id, None));
        Ok(changes)
    }

    fn parent(&self, target: &str) -> Result<AccountId, DirectoryError> {
        let found = self.account(target);
        found
            .map(|account| account.id)
            .map_err(|error| DirectoryError::invalid("parent", error.to_string()))
    }

    fn check_name_free(&self, parent: AccountId, account: &Account) -> Result<(), DirectoryError> {
        let taken = self
            .nodes
            .get(&parent)
            .and_then(|node| node.children.get(&account.name));
        match taken {
            Some(other) if *other != account.id => {
                let message = format!("`{}` is taken by a sibling", account.name);
                Err(DirectoryError::conflict("name", message))
            }
            _ => Ok(()),
        }
    }
}

fn account(
    new: NewAccount,
    parent: Option<AccountId>,
    now_ms: u64,
    random: &mut dyn Random,
) -> Account {
    Account {
        id: AccountId::new(now_ms, random),
        parent,
        name: new.name,
        alias: new.alias,
        email: new.email,
        tags: new.tags,
        status: Status::Active,
        models: new.models,
        limits: new.limits,
        time_zone: None,
        created_ms: now_ms,
        updated_ms: now_ms,
    }
}

fn created(account: Account) -> (Arc<Account>, Vec<Change>) {
    let account = Arc::new(account);
    let changes = vec![Change::Account(account.id, Some(Arc::clone(&account)))];
    (account, changes)
}
