//! Creating, changing and moving accounts.

use std::sync::Arc;

use super::{Directory, ROOT};
use crate::account::{Account, AccountPatch, Status, ZoneChange};
use crate::error::DirectoryError;
use crate::ids::AccountId;
use crate::random::Random;
use crate::record::Change;

impl Directory {
    /// Makes the root account of an empty directory. It says itself that answers may be kept, so that whoever looks at
    /// it sees it.
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
        let id = AccountId::new(now_ms, random);
        let mut root = Account::new(id, None, ROOT.to_owned(), now_ms);
        root.keep_answers = Some(true);
        Ok(changed(root))
    }

    /// Makes an account.
    ///
    /// # Errors
    /// Names the field that is wrong, unknown (`parent`) or taken (`name`).
    pub fn create_account(
        &self,
        new: &AccountPatch,
        now_ms: u64,
        random: &mut dyn Random,
    ) -> Result<(Arc<Account>, Vec<Change>), DirectoryError> {
        if new.name.is_none() {
            return Err(DirectoryError::invalid("name", "an account needs a name"));
        }
        let parent = self.parent(new.parent.as_deref().unwrap_or(ROOT))?;
        let id = AccountId::new(now_ms, random);
        let account = Account::new(id, Some(parent), String::new(), now_ms).patched(new, now_ms);
        account.validate()?;
        self.check_name_free(parent, &account)?;
        Ok(changed(account))
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
        if current.status == Status::Closing {
            let message = "the account is being deleted";
            return Err(DirectoryError::conflict("account", message));
        }
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
        if account.time_zone != current.time_zone {
            let last = current.zone_change.as_ref();
            let change = ZoneChange::after(last, current.time_zone.clone(), now_ms);
            account.zone_change = Some(change);
        }
        if let Some(parent) = account.parent {
            self.check_name_free(parent, &account)?;
        }
        Ok(changed(account))
    }

    /// The zone of a root account that names none was `before` until now: its changes so far were from and to that one.
    #[must_use]
    pub fn default_zone_changed(&self, before: &str, now_ms: u64) -> Vec<Change> {
        let Some(root) = self.root() else {
            return Vec::new();
        };
        let mut account = Account::clone(root);
        if let Some(last) = &mut account.zone_change {
            last.name_default(before);
        }
        if account.time_zone.is_none() {
            let last = account.zone_change.as_ref();
            account.zone_change = Some(ZoneChange::after(last, Some(before.to_owned()), now_ms));
        }
        match account == **root {
            true => Vec::new(),
            false => changed(account).1,
        }
    }

    fn parent(&self, target: &str) -> Result<AccountId, DirectoryError> {
        let found = self.account(target);
        let parent = found.map_err(|error| DirectoryError::invalid("parent", error.to_string()))?;
        // Whatever is hung under an account that is going away would go with it.
        match parent.status {
            Status::Active | Status::Suspended => Ok(parent.id),
            Status::Closing | Status::Archived => {
                let message = format!("`{target}` is being deleted");
                Err(DirectoryError::conflict("parent", message))
            }
        }
    }

    pub(super) fn check_name_free(
        &self,
        parent: AccountId,
        account: &Account,
    ) -> Result<(), DirectoryError> {
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

/// The account as it will be, and the change that makes it so.
pub(super) fn changed(account: Account) -> (Arc<Account>, Vec<Change>) {
    let account = Arc::new(account);
    let changes = vec![Change::Account(account.id, Some(Arc::clone(&account)))];
    (account, changes)
}
