//! Accounts: the tree, its changes, and how accounts leave it.

use std::sync::Arc;

use tollgate_governance::{Account, AccountPatch, Attached, DeleteMode, OsRandom, Status};

use super::audit::Act;
use super::error::ControlError;
use super::known::{self, Lists};
use super::views::{
    AccountLine, AccountList, AccountView, ArchivedAccount, ArchivedList, DeletedAccount,
};
use super::{Control, State, now_ms};

/// A deletion that takes no more accounts with it is carried out before it is answered; a larger one afterwards.
const AT_ONCE: usize = 100;

impl Control {
    /// Adds an account.
    ///
    /// # Errors
    /// A value is wrong, the parent is unknown or the name taken.
    pub fn create_account(&self, new: &AccountPatch) -> Result<AccountView, ControlError> {
        let mut state = self.state.lock();
        self.check_names(&state, new, None)?;
        let (account, changes) =
            state
                .directory
                .create_account(new, now_ms(), &mut OsRandom::new())?;
        self.commit(&mut state, Act::new("account.create"), &changes)?;
        self.account_view(&state, &account)
    }

    /// An account and all below it, or the whole tree; each account after the one above it.
    ///
    /// # Errors
    /// There is no such account.
    pub fn accounts(&self, top: Option<&str>) -> Result<AccountList, ControlError> {
        let state = self.state.lock();
        let top = top
            .map(|target| state.directory.account(target))
            .transpose()?
            .map(|account| account.id);
        let now = now_ms();
        let lines = state
            .directory
            .accounts()
            .filter(|account| top.is_none_or(|top| state.directory.is_within(account.id, top)))
            .filter_map(|account| {
                let path = state.directory.path(account.id)?;
                Some(AccountLine {
                    account: Account::clone(account),
                    path: path.names(),
                    enabled: path.is_enabled(),
                    used: self.used(&path, now),
                })
            });
        Ok(AccountList {
            accounts: lines.collect(),
        })
    }

    /// One account, by id or path.
    ///
    /// # Errors
    /// There is none.
    pub fn account(&self, target: &str) -> Result<AccountView, ControlError> {
        let state = self.state.lock();
        let account = state.directory.account(target)?;
        self.account_view(&state, account)
    }

    /// Changes an account; with a new parent its whole subtree moves.
    ///
    /// # Errors
    /// There is none, a value is wrong, or the new place in the tree cannot be.
    pub fn update_account(
        &self,
        target: &str,
        patch: &AccountPatch,
    ) -> Result<AccountView, ControlError> {
        let mut state = self.state.lock();
        let account = self.patch_account(&mut state, target, patch, "account.change")?;
        self.account_view(&state, &account)
    }

    pub(super) fn patch_account(
        &self,
        state: &mut State,
        target: &str,
        patch: &AccountPatch,
        act: &'static str,
    ) -> Result<Arc<Account>, ControlError> {
        self.check_names(state, patch, state.directory.account(target).ok())?;
        let (account, changes) = state.directory.update_account(target, patch, now_ms())?;
        self.commit(state, Act::new(act), &changes)?;
        if account.parent.is_none() {
            let zone = super::open::zone(&self.config, &state.directory)
                .map_err(|error| ControlError::invalid("time_zone", error.to_string()))?;
            self.counters.set_zone(&zone, now_ms());
        }
        Ok(account)
    }

    /// Deletes an account: it refuses new requests at once, and is archived when the last request under way has ended.
    /// Its credit then goes to the account above.
    ///
    /// # Errors
    /// There is none, it is the root, or the mode refuses.
    pub fn delete_account(
        &self,
        target: &str,
        mode: DeleteMode,
    ) -> Result<DeletedAccount, ControlError> {
        let mut state = self.state.lock();
        let now = now_ms();
        let id = state.directory.account(target)?.id;
        let path = state.directory.names(id).unwrap_or_default();
        let attached = |id| {
            let balance = self.counters.ledger(|ledger| ledger.balance(id, now));
            Attached {
                credit: balance.available > 0 || balance.held > 0,
                running: state.directory.running(id, &self.counters) > 0,
            }
        };
        let changes = state.directory.close_account(target, mode, attached, now)?;
        let act = Act::new("account.delete").about(id.to_string(), path.as_str());
        let act = act.with("mode", mode);
        self.commit(&mut state, act, &changes)?;
        let before = state.closing.len();
        state.closing = state.directory.closing();
        let accounts = state.closing.len().saturating_sub(before);
        drop(state);
        if accounts <= AT_ONCE {
            self.archive_drained();
        }
        let state = self.state.lock();
        Ok(DeletedAccount {
            deleted: id,
            path,
            accounts,
            state: match state.directory.get(id) {
                Some(_) => Status::Closing,
                None => Status::Archived,
            },
        })
    }

    /// Accounts that are gone from the tree, oldest first: history names them.
    #[must_use]
    pub fn archived_accounts(&self) -> ArchivedList {
        let state = self.state.lock();
        let archived = state.directory.archived();
        let accounts = archived.into_iter().map(|account| ArchivedAccount {
            id: account.id,
            parent: account.parent,
            name: account.name.clone(),
            alias: account.alias.clone(),
            tags: account.tags.clone(),
            created_ms: account.created_ms,
            deleted_ms: account.updated_ms,
        });
        ArchivedList {
            accounts: accounts.collect(),
        }
    }

    pub(super) fn account_view(
        &self,
        state: &State,
        account: &Account,
    ) -> Result<AccountView, ControlError> {
        let path = state.directory.path(account.id).ok_or_else(|| {
            ControlError::internal("the account hangs on nothing; see `tollgate doctor`")
        })?;
        Ok(AccountView {
            account: account.clone(),
            path: path.names(),
            effective: self.effective(state, &path),
        })
    }

    /// Refuses names of operations, providers and models that mean nothing.
    fn check_names(
        &self,
        state: &State,
        patch: &AccountPatch,
        present: Option<&Arc<Account>>,
    ) -> Result<(), ControlError> {
        known::endpoints(&Lists {
            field: "endpoints",
            given: patch.endpoints.as_ref().and_then(Option::as_deref),
            present: present.and_then(|account| account.endpoints.as_deref()),
        })?;
        known::providers(
            state,
            &Lists {
                field: "providers",
                given: patch.providers.as_ref().and_then(Option::as_deref),
                present: present.and_then(|account| account.providers.as_deref()),
            },
        )?;
        let above = match present {
            Some(account) => state.directory.path(account.id),
            None => {
                let parent = patch.parent.as_deref().unwrap_or("root");
                let parent = state.directory.account(parent).ok();
                parent.and_then(|parent| state.directory.path(parent.id))
            }
        };
        let mapped = |name: &str| {
            let own = patch.model_map.iter().flatten().flatten();
            let own = own.into_iter().find(|(asked, _)| *asked == name);
            match own {
                _ if name.contains('*') => None,
                Some((_, served)) => Some(served.clone()),
                None => above.as_ref()?.mapped(name).map(str::to_owned),
            }
        };
        let present = present.map(Arc::as_ref);
        known::limited_models(&self.snapshot(), patch, present, mapped)
    }
}
