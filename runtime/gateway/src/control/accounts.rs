//! Accounts: the tree, its changes, and how accounts leave it.

use std::borrow::Cow;
use std::sync::Arc;

use tollgate_governance::{
    Account, AccountId, AccountPatch, Attached, DeleteMode, OsRandom, Status, tightens,
};

use super::error::ControlError;
use super::known::{self, Lists};
use super::listing::Listing;
use super::management::{Management, blamed};
use super::views::{
    AccountLine, AccountList, AccountView, ArchivedAccount, ArchivedList, DeletedAccount,
};
use super::{State, now_ms};

/// A deletion that takes no more accounts with it is carried out before it is answered; a larger one afterwards.
const AT_ONCE: usize = 100;

impl Management<'_> {
    /// Adds an account.
    ///
    /// # Errors
    /// A value is wrong, the parent is unknown or the name taken.
    pub fn create_account(&self, new: &AccountPatch) -> Result<AccountView, ControlError> {
        let mut state = self.control.state.lock();
        let new = &self.told(&state, new, self.top())?;
        self.check_names(&state, new, None)?;
        let (account, changes) =
            state
                .directory
                .create_account(new, now_ms(), &mut OsRandom::new())?;
        self.control
            .commit(&mut state, self.act("account.create"), &changes)?
            .confirmed()?;
        self.account_view(&state, &account)
    }

    /// An account and all below it, or the whole tree; each account after the one above it.
    ///
    /// # Errors
    /// There is no such account, or none to go on after.
    pub fn accounts(&self, listing: &Listing) -> Result<AccountList, ControlError> {
        let state = self.control.state.lock();
        let asked = listing.account.as_deref();
        let asked = asked.map(|target| self.find(&state, target)).transpose()?;
        let top = asked.map(|account| account.id).or(self.top());
        let now = now_ms();
        let all = state.directory.accounts();
        let all =
            all.filter(|account| top.is_none_or(|top| state.directory.is_within(account.id, top)));
        let (listed, next) = listing.part_of(all, |account| account.id.0)?;
        let lines = listed.into_iter().filter_map(|account| {
            let path = state.directory.path(account.id)?;
            Some(AccountLine {
                account: self.record(account),
                path: self.named(&state, account.id),
                enabled: path.is_enabled(),
                used: self.control.used(&path, now),
            })
        });
        Ok(AccountList {
            accounts: lines.collect(),
            next: next.map(AccountId),
        })
    }

    /// One account, by id or path.
    ///
    /// # Errors
    /// There is none.
    pub fn account(&self, target: &str) -> Result<AccountView, ControlError> {
        let state = self.control.state.lock();
        let account = self.find(&state, target)?;
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
        let mut state = self.control.state.lock();
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
        let target = &*self.seen_below(state, target)?;
        let patch = &self.told(state, patch, None)?;
        self.check_names(state, patch, state.directory.account(target).ok())?;
        let (account, changes) = state.directory.update_account(target, patch, now_ms())?;
        let control = self.control;
        let made = control.commit(state, self.act(act), &changes)?;
        if account.parent.is_none() {
            let zone = super::open::zone(&control.config, &state.directory)
                .map_err(|error| ControlError::invalid("time_zone", error.to_string()))?;
            control.counters.set_zone(&zone, now_ms());
        }
        made.confirmed()?;
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
        let control = self.control;
        let mut state = control.state.lock();
        let now = now_ms();
        let target = &*self.seen_below(&state, target)?;
        let id = state.directory.account(target)?.id;
        let path = self.named(&state, id);
        let whole = state.directory.names(id).unwrap_or_default();
        let counters = &control.counters;
        let attached = |id| {
            let balance = counters.ledger(|ledger| ledger.balance(id, now));
            Attached {
                credit: balance.available > 0 || balance.held > 0,
                running: state.directory.running(id, counters) > 0,
            }
        };
        let changes = state.directory.close_account(target, mode, attached, now)?;
        let act = self.act("account.delete").about(id.to_string(), whole);
        let act = act.with("mode", mode);
        let made = control.commit(&mut state, act, &changes)?;
        let before = state.closing.len();
        state.closing = state.directory.closing();
        let accounts = state.closing.len().saturating_sub(before);
        drop(state);
        if accounts <= AT_ONCE {
            control.archive_drained();
        }
        made.confirmed()?;
        let state = control.state.lock();
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
        let state = self.control.state.lock();
        let archived = state.directory.archived().into_iter();
        let archived = archived.filter(|account| {
            self.top()
                .is_none_or(|top| state.directory.was_within(account.id, top))
        });
        let accounts = archived.map(|account| ArchivedAccount {
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
            notes: state.idle_of(&self.control.snapshot(), account, &path),
            account: self.record(account),
            path: self.named(state, account.id),
            effective: self.effective(state, &path),
        })
    }

    /// What the directory is to be told of a patch: a parent that he sees, else `parent`. Refuses what is not his to set.
    fn told(
        &self,
        state: &State,
        patch: &AccountPatch,
        parent: Option<AccountId>,
    ) -> Result<AccountPatch, ControlError> {
        if self.top().is_none() {
            return Ok(patch.clone());
        }
        tightens(patch)?;
        let seen = patch.parent.as_deref();
        let seen = seen.map(|target| self.seen(state, target)).transpose();
        let seen = seen.map_err(|error| blamed("parent", error))?;
        Ok(AccountPatch {
            parent: seen
                .map(Cow::into_owned)
                .or(parent.map(|id| id.to_string())),
            ..patch.clone()
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
        let snapshot = self.control.snapshot();
        for (field, given, present) in [
            (
                "models",
                patch.models.as_ref().and_then(Option::as_deref),
                present.and_then(|account| account.models.as_deref()),
            ),
            (
                "denied_models",
                patch.denied_models.as_ref().and_then(Option::as_deref),
                present.map(|account| account.denied_models.as_slice()),
            ),
        ] {
            let lists = Lists {
                field,
                given,
                present,
            };
            known::listed_models(&snapshot, &lists, |name| {
                mapped(name).is_some() || state.asks_for(name)
            })?;
        }
        known::limited_models(&snapshot, patch, present, mapped)
    }
}
