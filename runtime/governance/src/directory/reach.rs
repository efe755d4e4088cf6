//! What can be reached from an account: itself and what is below it, under names that begin with its own. Whoever manages
//! it sees the tree from there, and nothing above or beside.

use std::sync::Arc;

use super::Directory;
use crate::account::{Account, AccountPatch, Billing, BudgetMode, OnExhaust};
use crate::error::DirectoryError;
use crate::ids::AccountId;
use crate::price::Factor;

impl Directory {
    /// The account of this id, or of this path as it is seen from `top` (`dept/alice` from `root/dept`). What is not
    /// below `top` is not there, whatever is known of it.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], the same for what is elsewhere and what is nowhere.
    pub fn account_from(
        &self,
        top: AccountId,
        target: &str,
    ) -> Result<&Arc<Account>, DirectoryError> {
        let found = match target.parse::<AccountId>() {
            Ok(id) => Some(id).filter(|id| self.is_within(*id, top)),
            Err(_) => self.by_path_from(top, target),
        };
        found
            .and_then(|id| self.get(id))
            .ok_or_else(|| DirectoryError::not_found("account", target))
    }

    /// The same, of accounts that whoever manages `top` may change: those below it. Its own was given to him as it is, with
    /// its limits, credit and place.
    ///
    /// # Errors
    /// As [`Directory::account_from`]; [`DirectoryError::Forbidden`] for `top` itself.
    pub fn account_below(
        &self,
        top: AccountId,
        target: &str,
    ) -> Result<&Arc<Account>, DirectoryError> {
        let account = self.account_from(top, target)?;
        if account.id == top {
            let message = "this token manages what is below its account; the account itself is managed from above";
            return Err(DirectoryError::forbidden(message));
        }
        Ok(account)
    }

    /// The path of an account as it is seen from `top`, which it is within or was until it was archived.
    #[must_use]
    pub fn names_from(&self, top: AccountId, id: AccountId) -> Option<String> {
        let mut names = Vec::new();
        let mut place = id;
        loop {
            let account = self.known(place)?;
            names.push(account.name.as_str());
            if place == top {
                break;
            }
            place = account.parent?;
        }
        names.reverse();
        Some(names.join("/"))
    }

    /// Whether an account is `top` or below it, or was until it was archived.
    #[must_use]
    pub fn was_within(&self, id: AccountId, top: AccountId) -> bool {
        let known = |id| self.known(id);
        std::iter::successors(known(id), |below| known(below.parent?))
            .any(|account| account.id == top)
    }

    fn known(&self, id: AccountId) -> Option<&Arc<Account>> {
        self.get(id).or_else(|| self.archived.get(&id))
    }

    fn by_path_from(&self, top: AccountId, path: &str) -> Option<AccountId> {
        let mut names = path.split('/');
        let first = &self.get(top)?.name;
        let mut id = Some(top).filter(|_| names.next() == Some(first))?;
        for name in names {
            id = *self.nodes.get(&id)?.children.get(name)?;
        }
        Some(id)
    }
}

/// Refuses what would loosen a rule from above. Lists, limits and caps cannot: the tighter one holds. But where the nearest
/// account decides, an account below would decide for those above it: such settings can be tightened or left to them. Nor
/// can prices be lowered: what costs nothing passes every limit of money and every wallet above.
///
/// # Errors
/// [`DirectoryError::Forbidden`].
pub fn tightens(patch: &AccountPatch) -> Result<(), DirectoryError> {
    let looser = [
        (
            patch.billing == Some(Some(Billing::Postpaid)),
            "billing",
            "postpaid",
            "prepaid",
        ),
        (
            patch.budget_mode == Some(Some(BudgetMode::Soft)),
            "budget_mode",
            "soft",
            "strict",
        ),
        (
            patch.on_exhaust == Some(Some(OnExhaust::Finish)),
            "on_exhaust",
            "finish",
            "cut",
        ),
    ];
    if let Some(Some(factor)) = patch.price_factor
        && factor < Factor::ONE
    {
        return Err(DirectoryError::forbidden(
            "a `price_factor` below 1 would make what is used cheaper than above; this token can set 1 or more, or nothing",
        ));
    }
    match looser.iter().find(|(is_set, ..)| *is_set) {
        None => Ok(()),
        Some((_, member, value, tight)) => Err(DirectoryError::forbidden(format!(
            "`{member}` = `{value}` would loosen what may be set above; this token can set `{tight}`, or nothing"
        ))),
    }
}
