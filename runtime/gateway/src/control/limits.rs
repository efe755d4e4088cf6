//! Limits of an account as a thing of their own: what it sets, what takes effect, what is used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tollgate_governance::{Account, AccountId, AccountPatch, Limits, LimitsPatch, present};

use super::State;
use super::effective::LimitOf;
use super::error::ControlError;
use super::management::Management;

/// Limits to change. Absent = leave, `null` = unset, value = set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsChange {
    /// Each limit on its own; `null` takes all of them away.
    #[serde(deserialize_with = "present")]
    pub limits: Option<Option<LimitsPatch>>,
    /// The same by name or pattern of models; `null` takes all limits of a pattern away, or those of all patterns.
    #[serde(deserialize_with = "present")]
    pub model_limits: Option<Option<BTreeMap<String, Option<LimitsPatch>>>>,
}

/// Limits of an account.
#[derive(Debug, Clone, Serialize)]
pub struct LimitsView {
    /// Whose.
    pub account: AccountId,
    /// Its path.
    pub path: String,
    /// What it sets for all models.
    pub limits: Limits,
    /// What it sets for some models, in addition.
    pub model_limits: BTreeMap<String, Limits>,
    /// Every limit that a request of it must fit, its own and those further up.
    pub effective: Vec<LimitOf>,
}

impl Management<'_> {
    /// Limits of an account, by id or path.
    ///
    /// # Errors
    /// There is none.
    pub fn limits(&self, target: &str) -> Result<LimitsView, ControlError> {
        let state = self.control.state.lock();
        let account = self.find(&state, target)?;
        self.limits_view(&state, account)
    }

    /// Changes limits of an account; felt by the next request.
    ///
    /// # Errors
    /// There is none, or a value is wrong.
    pub fn change_limits(
        &self,
        target: &str,
        change: &LimitsChange,
    ) -> Result<LimitsView, ControlError> {
        let patch = AccountPatch {
            limits: change.limits.clone(),
            model_limits: change.model_limits.clone(),
            ..AccountPatch::default()
        };
        let mut state = self.control.state.lock();
        let account = self.patch_account(&mut state, target, &patch, "limits.change")?;
        self.limits_view(&state, &account)
    }

    fn limits_view(&self, state: &State, account: &Account) -> Result<LimitsView, ControlError> {
        let view = self.account_view(state, account)?;
        Ok(LimitsView {
            account: account.id,
            path: view.path,
            limits: account.limits.clone(),
            model_limits: account.model_limits.clone(),
            effective: view.effective.limits,
        })
    }
}
