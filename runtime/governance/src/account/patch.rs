//! What a caller says to make or change an account.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::limits::present;
use super::{Account, Billing, BudgetMode, Limits, LimitsPatch, OnExhaust, Status};
use crate::price::Factor;

/// An account to be made, or to be changed: absent = leave as it is, `null` = unset, value = set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountPatch {
    /// Unique among siblings; needed to make an account.
    pub name: Option<String>,
    /// Id or path of the parent: the root if absent when an account is made. Moves the whole subtree when it is changed.
    pub parent: Option<String>,
    /// See [`Account::alias`].
    #[serde(deserialize_with = "present")]
    pub alias: Option<Option<String>>,
    /// See [`Account::email`].
    #[serde(deserialize_with = "present")]
    pub email: Option<Option<String>>,
    /// Replaces all tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// See [`Account::status`]; `active` or `suspended`.
    pub status: Option<Status>,
    /// See [`Account::models`].
    #[serde(deserialize_with = "present")]
    pub models: Option<Option<Vec<String>>>,
    /// Replaces the list; see [`Account::denied_models`].
    #[serde(deserialize_with = "present")]
    pub denied_models: Option<Option<Vec<String>>>,
    /// See [`Account::providers`].
    #[serde(deserialize_with = "present")]
    pub providers: Option<Option<Vec<String>>>,
    /// See [`Account::endpoints`].
    #[serde(deserialize_with = "present")]
    pub endpoints: Option<Option<Vec<String>>>,
    /// See [`Account::cidrs`].
    #[serde(deserialize_with = "present")]
    pub cidrs: Option<Option<Vec<String>>>,
    /// Replaces the map; see [`Account::model_map`].
    #[serde(deserialize_with = "present")]
    pub model_map: Option<Option<BTreeMap<String, String>>>,
    /// See [`Account::output_cap`].
    #[serde(deserialize_with = "present")]
    pub output_cap: Option<Option<u64>>,
    /// See [`Account::default_output`].
    #[serde(deserialize_with = "present")]
    pub default_output: Option<Option<u64>>,
    /// Each limit on its own; `null` takes all of them away.
    #[serde(deserialize_with = "present")]
    pub limits: Option<Option<LimitsPatch>>,
    /// Each pattern and each limit on its own; `null` takes all limits of a pattern away, or those of all patterns.
    #[serde(deserialize_with = "present")]
    pub model_limits: Option<Option<BTreeMap<String, Option<LimitsPatch>>>>,
    /// See [`Account::price_factor`].
    #[serde(deserialize_with = "present")]
    pub price_factor: Option<Option<Factor>>,
    /// See [`Account::on_exhaust`].
    #[serde(deserialize_with = "present")]
    pub on_exhaust: Option<Option<OnExhaust>>,
    /// See [`Account::budget_mode`].
    #[serde(deserialize_with = "present")]
    pub budget_mode: Option<Option<BudgetMode>>,
    /// See [`Account::billing`].
    #[serde(deserialize_with = "present")]
    pub billing: Option<Option<Billing>>,
    /// See [`Account::keep_answers`].
    #[serde(deserialize_with = "present")]
    pub keep_answers: Option<Option<bool>>,
    /// See [`Account::time_zone`].
    #[serde(deserialize_with = "present")]
    pub time_zone: Option<Option<String>>,
}

/// Takes over what was said.
fn take<T: Clone>(place: &mut T, said: &Option<T>) {
    if let Some(value) = said {
        place.clone_from(value);
    }
}

/// Takes over what was said, where `null` is the same as empty.
fn take_or_empty<T: Clone + Default>(place: &mut T, said: &Option<Option<T>>) {
    if let Some(value) = said {
        *place = value.clone().unwrap_or_default();
    }
}

impl Account {
    /// Applies what a patch says, except the parent (which needs the tree).
    pub(crate) fn patched(&self, patch: &AccountPatch, now_ms: u64) -> Self {
        let mut account = self.clone();
        take(&mut account.name, &patch.name);
        take(&mut account.alias, &patch.alias);
        take(&mut account.email, &patch.email);
        take(&mut account.tags, &patch.tags);
        take(&mut account.status, &patch.status);
        take(&mut account.models, &patch.models);
        take_or_empty(&mut account.denied_models, &patch.denied_models);
        take(&mut account.providers, &patch.providers);
        take(&mut account.endpoints, &patch.endpoints);
        take(&mut account.cidrs, &patch.cidrs);
        take_or_empty(&mut account.model_map, &patch.model_map);
        take(&mut account.output_cap, &patch.output_cap);
        take(&mut account.default_output, &patch.default_output);
        match &patch.limits {
            Some(Some(limits)) => account.limits.patch(limits),
            Some(None) => account.limits = Limits::default(),
            None => {}
        }
        if let Some(None) = &patch.model_limits {
            account.model_limits.clear();
        }
        for (pattern, limits) in patch.model_limits.iter().flatten().flatten() {
            match limits {
                Some(limits) => account
                    .model_limits
                    .entry(pattern.clone())
                    .or_default()
                    .patch(limits),
                None => {
                    account.model_limits.remove(pattern);
                }
            }
        }
        account.model_limits.retain(|_, limits| !limits.is_empty());
        take(&mut account.price_factor, &patch.price_factor);
        take(&mut account.on_exhaust, &patch.on_exhaust);
        take(&mut account.budget_mode, &patch.budget_mode);
        take(&mut account.billing, &patch.billing);
        take(&mut account.keep_answers, &patch.keep_answers);
        take(&mut account.time_zone, &patch.time_zone);
        account.updated_ms = now_ms.max(self.updated_ms);
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_tells_null_from_absent() {
        let patch: AccountPatch =
            serde_json::from_str(r#"{"models":null,"limits":{"rpm":null}}"#).unwrap();
        assert_eq!(patch.models, Some(None));
        assert_eq!(patch.alias, None);
        let limits = patch.limits.unwrap().unwrap();
        assert_eq!((limits.rpm, limits.daily_limit), (Some(None), None));
    }

    #[test]
    fn an_unknown_limit_is_refused_not_ignored() {
        for body in [
            r#"{"name":"a","limits":{"rpn":5}}"#,
            r#"{"name":"a","model_limits":{"x":{"rpn":5}}}"#,
            r#"{"name":"a","limit":{}}"#,
            r#"{"name":"a","limits":{"rpm":-1}}"#,
            r#"{"name":"a","limits":{"daily_limit":1.5}}"#,
            r#"{"name":"a","limits":{"daily_limit":18446744073709551616}}"#,
            r#"{"name":"a","price_factor":1000000001}"#,
            r#"{"name":"a","billing":"free"}"#,
            r#"{"name":"a","keep_answers":"no"}"#,
        ] {
            assert!(
                serde_json::from_str::<AccountPatch>(body).is_err(),
                "{body}"
            );
        }
    }

    #[test]
    fn all_limits_of_an_account_are_taken_away_by_null_and_none_by_absence() {
        let account = Account::new(crate::AccountId::default(), None, "root".into(), 1);
        let patched = |account: &Account, text: &str| {
            account.patched(&serde_json::from_str(text).unwrap(), 2)
        };
        let all =
            r#"{"limits":{"rpm":1,"daily_limit":2},"model_limits":{"a*":{"rpm":1},"b":{"rpd":3}}}"#;
        let account = patched(&account, all);
        let own = patched(&account, r#"{"limits":null}"#);
        assert!(own.limits.is_empty());
        assert_eq!(own.model_limits, account.model_limits);
        let of_models = patched(&account, r#"{"model_limits":null}"#);
        assert!(of_models.model_limits.is_empty());
        assert_eq!(of_models.limits, account.limits);
        for nothing in ["{}", r#"{"limits":{},"model_limits":{}}"#] {
            let same = patched(&account, nothing);
            assert_eq!(same.limits, account.limits);
            assert_eq!(same.model_limits, account.model_limits);
        }
    }

    #[test]
    fn limits_of_models_are_changed_one_by_one() {
        let account = Account::new(crate::AccountId::default(), None, "root".into(), 1);
        let patched = |account: &Account, text: &str| {
            account.patched(&serde_json::from_str(text).unwrap(), 2)
        };
        let account = patched(
            &account,
            r#"{"model_limits":{"a*":{"rpm":1,"tpm":2},"b":{"rpd":3}}}"#,
        );
        let account = patched(&account, r#"{"model_limits":{"a*":{"rpm":null},"b":null}}"#);
        assert_eq!(account.model_limits.len(), 1);
        assert_eq!(account.model_limits["a*"].rpm, None);
        assert_eq!(account.model_limits["a*"].tpm, Some(2));
        assert!(
            patched(&account, r#"{"model_limits":{"a*":{"tpm":null}}}"#)
                .model_limits
                .is_empty()
        );
    }
}
