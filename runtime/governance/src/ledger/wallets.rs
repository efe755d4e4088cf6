//! The wallets of all accounts, and the order in which credit in them expires.

use std::collections::{BTreeSet, HashMap};

use super::Wallet;
use crate::ids::AccountId;

/// Changed through [`Wallets::change`] and [`Wallets::of`] alone, which keep the order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wallets {
    by_account: HashMap<AccountId, Wallet>,
    /// Every wallet with credit that expires, by the moment at which the first of it does. Asked each minute which are
    /// due, under the lock that requests wait for, nobody looks at a million wallets.
    by_expiry: BTreeSet<(u64, AccountId)>,
}

impl Wallets {
    pub(super) fn with_capacity(wallets: usize) -> Self {
        Self {
            by_account: HashMap::with_capacity(wallets),
            by_expiry: BTreeSet::new(),
        }
    }

    pub(super) fn get(&self, account: &AccountId) -> Option<&Wallet> {
        self.by_account.get(account)
    }

    pub(super) fn len(&self) -> usize {
        self.by_account.len()
    }

    /// In no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&AccountId, &Wallet)> {
        self.by_account.iter()
    }

    /// Those with credit that has expired, longest ago first.
    pub(super) fn due(&self, now_ms: u64) -> impl Iterator<Item = AccountId> {
        let due = self
            .by_expiry
            .iter()
            .take_while(move |(at, _)| *at <= now_ms);
        due.map(|(_, account)| *account)
    }

    /// Changes a wallet, if it is there.
    pub(super) fn change<T>(
        &mut self,
        account: AccountId,
        change: impl FnOnce(&mut Wallet) -> T,
    ) -> Option<T> {
        let wallet = self.by_account.get_mut(&account)?;
        Some(ordered(&mut self.by_expiry, account, wallet, change))
    }

    /// Changes a wallet, which is made if it is not there.
    pub(super) fn of<T>(&mut self, account: AccountId, change: impl FnOnce(&mut Wallet) -> T) -> T {
        let wallet = self.by_account.entry(account).or_default();
        ordered(&mut self.by_expiry, account, wallet, change)
    }

    /// Whether the order is that of the wallets. Looks at each.
    pub(super) fn are_in_order(&self) -> bool {
        let mut expiring = 0;
        for (account, wallet) in &self.by_account {
            if let Some(at) = wallet.lots.next_expiry() {
                if !self.by_expiry.contains(&(at, *account)) {
                    return false;
                }
                expiring += 1;
            }
        }
        expiring == self.by_expiry.len()
    }

    /// Lets go of wallets that say nothing.
    #[cfg(test)]
    pub(super) fn drop_empty(&mut self) {
        self.by_account
            .retain(|_, wallet| *wallet != Wallet::default());
    }
}

/// Changes a wallet, and its place in the order where the first of its credit is another one then: mostly it is not.
fn ordered<T>(
    by_expiry: &mut BTreeSet<(u64, AccountId)>,
    account: AccountId,
    wallet: &mut Wallet,
    change: impl FnOnce(&mut Wallet) -> T,
) -> T {
    let before = wallet.lots.next_expiry();
    let outcome = change(wallet);
    let after = wallet.lots.next_expiry();
    if before != after {
        if let Some(at) = before {
            by_expiry.remove(&(at, account));
        }
        if let Some(at) = after {
            by_expiry.insert((at, account));
        }
    }
    outcome
}
