//! Accounts: the tree and what takes effect on each node of it.

use tollgate_governance::{Account, AccountPatch, Attached, DeleteMode, OsRandom, Path};

use super::error::ControlError;
use super::views::{AccountList, AccountView, Deleted, Effective, LimitOf, ModelsOf};
use super::{Control, State, now_ms};

impl Control {
    /// Adds an account.
    ///
    /// # Errors
    /// A value is wrong, the parent is unknown or the name taken.
    pub fn create_account(&self, new: &AccountPatch) -> Result<AccountView, ControlError> {
        let mut state = self.state.lock();
        let (account, changes) =
            state
                .directory
                .create_account(new, now_ms(), &mut OsRandom::new())?;
        self.commit(&mut state, &changes)?;
        self.account_view(&state, &account)
    }

    /// The whole tree, each account after the one above it.
    ///
    /// # Errors
    /// The tree is damaged.
    pub fn accounts(&self) -> Result<AccountList, ControlError> {
        let state = self.state.lock();
        let accounts = state
            .directory
            .accounts()
            .map(|account| self.account_view(&state, account));
        Ok(AccountList {
            accounts: accounts.collect::<Result<_, _>>()?,
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

    /// Changes an account.
    ///
    /// # Errors
    /// There is none, a value is wrong, or the new place in the tree cannot be.
    pub fn update_account(
        &self,
        target: &str,
        patch: &AccountPatch,
    ) -> Result<AccountView, ControlError> {
        let mut state = self.state.lock();
        let (account, changes) = state.directory.update_account(target, patch, now_ms())?;
        self.commit(&mut state, &changes)?;
        if account.parent.is_none() {
            let zone = super::open::zone(&self.config, &state.directory)
                .map_err(|error| ControlError::invalid("time_zone", error.to_string()))?;
            self.counters.set_zone(&zone);
        }
        self.account_view(&state, &account)
    }

    /// Deletes an account: it refuses new requests at once, and is archived when the last request under way has ended.
    ///
    /// # Errors
    /// There is none, it is the root, or the mode refuses.
    pub fn delete_account(&self, target: &str, mode: DeleteMode) -> Result<Deleted, ControlError> {
        let mut state = self.state.lock();
        let now = now_ms();
        let id = state.directory.account(target)?.id;
        let attached = |id| {
            let balance = self.counters.ledger(|ledger| ledger.balance(id, now));
            Attached {
                credit: balance.available > 0 || balance.held > 0,
                running: state.directory.running(id, &self.counters) > 0,
            }
        };
        let changes = state.directory.close_account(target, mode, attached, now)?;
        self.commit(&mut state, &changes)?;
        drop(state);
        self.archive_drained();
        Ok(Deleted {
            deleted: id.to_string(),
        })
    }

    fn account_view(&self, state: &State, account: &Account) -> Result<AccountView, ControlError> {
        let path = state.directory.path(account.id).ok_or_else(|| {
            ControlError::internal("the account hangs on nothing; see `tollgate doctor`")
        })?;
        let spent = self.counters.spent(&path, now_ms());
        Ok(AccountView {
            account: account.clone(),
            path: path.names(),
            effective: Effective {
                enabled: path.is_enabled(),
                models: models(state, &path),
                limits: limits(state, &path),
                spent_today: spent.settled,
                held: spent.held,
            },
        })
    }
}

fn models(state: &State, path: &Path) -> Vec<ModelsOf> {
    let of = |account: &Account| {
        let models = account.models.clone()?;
        Some(ModelsOf {
            source: state.directory.names(account.id)?,
            models,
        })
    };
    path.nodes()
        .iter()
        .filter_map(|node| of(&node.account))
        .collect()
}

fn limits(state: &State, path: &Path) -> Vec<LimitOf> {
    let mut all = Vec::new();
    for node in path.nodes() {
        let Some(source) = state.directory.names(node.id()) else {
            continue;
        };
        for kind in tollgate_governance::LimitKind::ALL {
            all.extend(node.account.limits.get(kind).map(|value| LimitOf {
                source: source.clone(),
                kind: kind.as_str(),
                value,
            }));
        }
    }
    all
}
