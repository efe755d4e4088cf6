//! Prepaid credit: granted, taken back, looked at.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tollgate_governance::{
    Account, AccountId, IdempotencyKey, Operation, Source, Status as AccountStatus, Totals,
};
use tollgate_store::ledger;

use super::audit::Act;
use super::error::ControlError;
use super::management::{Management, blamed};
use super::money::Told;
use super::{Control, State, now_ms};

/// Where credit comes from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counterpart {
    /// The wallet of the account above.
    Parent,
    /// Where all credit comes from and ends.
    Treasury,
}

/// What a caller says to give credit. Unknown members are refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRequest {
    /// Id or path of the account whose wallet gets it.
    pub account: String,
    /// Micro-units, more than zero.
    pub amount: i64,
    /// Chosen by the caller, 1 to 200 bytes: repeated with the same content the request changes nothing. Whoever sees the tree from
    /// another account has other keys.
    pub idempotency_key: String,
    /// The account above if absent; the treasury for the root.
    #[serde(default)]
    pub from: Option<Counterpart>,
    /// Of no use from that moment on, Unix milliseconds. For new credit only: what comes from a wallet keeps its expiry.
    #[serde(default)]
    pub expires_ms: Option<u64>,
}

/// What a caller says to take credit back. Unknown members are refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReclaimRequest {
    /// Id or path of the account whose wallet it is taken from.
    pub account: String,
    /// Micro-units, more than zero, at most what is available.
    pub amount: i64,
    /// As of a grant; the keys of both are one set.
    pub idempotency_key: String,
    /// The account above if absent; the treasury for the root.
    #[serde(default)]
    pub to: Option<Counterpart>,
}

/// Credit that was moved.
#[derive(Debug, Clone, Serialize)]
pub struct Moved {
    /// Micro-units.
    pub amount: i64,
    /// The request's.
    pub idempotency_key: String,
    /// It had been done before; this time nothing was.
    pub repeated: bool,
    /// The account's wallet as it is now.
    pub wallet: WalletView,
}

/// An account's wallet. Micro-units.
#[derive(Debug, Clone, Serialize)]
pub struct WalletView {
    /// Whose.
    pub account: AccountId,
    /// Its path.
    pub path: String,
    /// Whether requests of the account are paid from this wallet. If not its credit only waits to be granted further.
    pub pays: bool,
    /// Can be spent, granted or taken back.
    pub available: i64,
    /// Set aside for running requests.
    pub held: i64,
    /// Expired and not yet moved away.
    pub expired: i64,
    /// Credit in the order in which it will be spent.
    pub lots: Vec<LotView>,
    /// The base currency.
    pub currency: String,
}

/// Credit that was issued together.
#[derive(Debug, Clone, Serialize)]
pub struct LotView {
    /// Its number.
    pub id: u64,
    /// What is left of it in this wallet, micro-units.
    pub left: i64,
    /// Of use before that moment, Unix milliseconds; absent: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

/// The whole ledger. Micro-units.
#[derive(Debug, Clone, Serialize)]
pub struct LedgerView {
    /// What all books sum to: always 0. Anything else is a bug or damage.
    pub imbalance: i64,
    /// The sum of each kind of book.
    pub totals: TotalsView,
    /// Requests under way that hold credit.
    pub open_holds: usize,
    /// Records since the last checkpoint: what the next start replays.
    pub records_since_checkpoint: u64,
    /// The base currency.
    pub currency: String,
}

/// The sum of each kind of book.
#[derive(Debug, Clone, Serialize)]
pub struct TotalsView {
    /// Minus all credit that was ever issued and not given back.
    pub treasury: i64,
    /// In wallets.
    pub wallets: i64,
    /// Held for requests under way.
    pub held: i64,
    /// On its way between two books.
    pub moving: i64,
    /// Charged for requests, without fees.
    pub consumed: i64,
    /// Nobody used it in time.
    pub expired: i64,
    /// The operator's share of what was charged for requests.
    pub fees: i64,
    /// The part of what was charged that no wallet covered.
    pub uncovered: i64,
}

impl Management<'_> {
    /// Gives an account credit.
    ///
    /// # Errors
    /// A value is wrong, the credit is not there, or the key was used for something else.
    pub fn grant(&self, request: &GrantRequest) -> Result<Moved, ControlError> {
        // Under the lock of the tree: the account cannot go away, or elsewhere, meanwhile.
        let mut state = self.control.state.lock();
        let account = &self.payable(&state, &request.account)?;
        let counterpart = self.counterpart(account, request.from, "from")?;
        let from = match counterpart {
            None => Source::Treasury {
                expires_ms: request.expires_ms,
            },
            Some(_) if request.expires_ms.is_some() => {
                let message = "credit from the account above keeps its expiry; only new credit (`from` the treasury) can be given one";
                return Err(ControlError::invalid("expires_ms", message));
            }
            Some(parent) => Source::Wallet(parent),
        };
        let operation = Operation::Grant {
            key: self.idempotency_key(&state, &request.idempotency_key),
            from,
            to: account.id,
            amount: request.amount,
        };
        let act = self.moves(
            "grant.add",
            &state,
            account,
            request.amount,
            "from",
            counterpart,
        );
        let act = act.with("idempotency_key", &request.idempotency_key);
        let act = match request.expires_ms {
            Some(expires_ms) => act.with("expires_ms", expires_ms),
            None => act,
        };
        let told = told(&mut state, act);
        let posted = self.control.post(operation, Some(told))?;
        Ok(Moved {
            amount: posted.receipt.amount,
            idempotency_key: request.idempotency_key.clone(),
            repeated: posted.before,
            wallet: self.wallet_view(&state, account),
        })
    }

    /// Takes credit back.
    ///
    /// # Errors
    /// A value is wrong, less is available, or the key was used for something else.
    pub fn reclaim(&self, request: &ReclaimRequest) -> Result<Moved, ControlError> {
        let mut state = self.control.state.lock();
        let account = &self.payable(&state, &request.account)?;
        let to = self.counterpart(account, request.to, "to")?;
        let operation = Operation::Reclaim {
            key: self.idempotency_key(&state, &request.idempotency_key),
            from: account.id,
            to,
            amount: request.amount,
        };
        let act = self.moves("grant.reclaim", &state, account, request.amount, "to", to);
        let act = act.with("idempotency_key", &request.idempotency_key);
        let told = told(&mut state, act);
        let posted = self.control.post(operation, Some(told))?;
        Ok(Moved {
            amount: posted.receipt.amount,
            idempotency_key: request.idempotency_key.clone(),
            repeated: posted.before,
            wallet: self.wallet_view(&state, account),
        })
    }

    /// An account's wallet, by id or path; one that never had credit is empty.
    ///
    /// # Errors
    /// There is no such account.
    pub fn wallet(&self, target: &str) -> Result<WalletView, ControlError> {
        let state = self.control.state.lock();
        let account = self.find(&state, target)?;
        Ok(self.wallet_view(&state, account))
    }

    /// Departments may choose the same key: each account that the tree is seen from has keys of its own, those of the operator
    /// are the root's.
    fn idempotency_key(&self, state: &State, text: &str) -> IdempotencyKey {
        let root = || state.directory.root().map(|root| root.id);
        IdempotencyKey {
            scope: self.top().or_else(root),
            text: text.to_owned(),
        }
    }

    fn wallet_view(&self, state: &State, account: &Account) -> WalletView {
        let now = now_ms();
        let (balance, lots) = self.control.counters.ledger(|ledger| {
            let lots: Vec<_> = ledger.lots(account.id).collect();
            (ledger.balance(account.id, now), lots)
        });
        let path = state.directory.path(account.id);
        WalletView {
            account: account.id,
            path: self.named(state, account.id),
            pays: path.is_some_and(|path| path.wallet() == Some(account.id)),
            available: balance.available,
            held: balance.held,
            expired: balance.expired,
            lots: lots
                .into_iter()
                .map(|(lot, left)| LotView {
                    id: lot.id,
                    left,
                    expires_ms: (lot.expires_ms != u64::MAX).then_some(lot.expires_ms),
                })
                .collect(),
            currency: self.control.config.governance.currency.clone(),
        }
    }

    /// An act that moves credit of an account, to or from another or the treasury.
    fn moves(
        &self,
        act: &'static str,
        state: &State,
        account: &Account,
        amount: i64,
        direction: &str,
        counterpart: Option<AccountId>,
    ) -> Act {
        let path = state.directory.names(account.id).unwrap_or_default();
        let other = counterpart.map_or_else(|| "treasury".to_owned(), |id| id.to_string());
        self.act(act)
            .about(account.id.to_string(), path)
            .with("amount", amount)
            .with(direction, other)
    }

    /// The account of a request that moves credit.
    fn payable(&self, state: &State, target: &str) -> Result<Arc<Account>, ControlError> {
        let found = self.find_below(state, target);
        let account = found.map_err(|error| blamed("account", error))?;
        if account.status == AccountStatus::Closing {
            return Err(ControlError {
                field: Some("account".to_owned()),
                ..ControlError::conflict("the account is being deleted")
            });
        }
        Ok(Arc::clone(account))
    }

    /// The account above, or none for the treasury.
    fn counterpart(
        &self,
        account: &Account,
        asked: Option<Counterpart>,
        field: &'static str,
    ) -> Result<Option<AccountId>, ControlError> {
        if self.top().is_some() && asked == Some(Counterpart::Treasury) {
            let message = "the treasury is the operator's; this token moves credit between accounts below its own and those above them";
            return Err(ControlError::forbidden(message));
        }
        match (asked, account.parent) {
            (Some(Counterpart::Treasury), _) | (None, None) => Ok(None),
            (_, Some(parent)) => Ok(Some(parent)),
            (Some(Counterpart::Parent), None) => Err(ControlError::invalid(
                field,
                "the root account has none above it; its credit comes from the treasury",
            )),
        }
    }
}

impl Control {
    /// How the ledger is.
    ///
    /// # Errors
    /// The store fails.
    pub fn ledger_status(&self) -> Result<LedgerView, ControlError> {
        let (imbalance, totals, open_holds) = self.counters.ledger(|ledger| {
            let holds = ledger.open_holds().len();
            (ledger.imbalance(), *ledger.totals(), holds)
        });
        let Totals {
            treasury,
            wallets,
            held,
            moving,
            consumed,
            expired,
            fees,
            uncovered,
        } = totals;
        Ok(LedgerView {
            imbalance: narrow(imbalance),
            totals: TotalsView {
                treasury: narrow(treasury),
                wallets: narrow(wallets),
                held: narrow(held),
                moving: narrow(moving),
                consumed: narrow(consumed),
                expired: narrow(expired),
                fees: narrow(fees),
                uncovered: narrow(uncovered),
            },
            open_holds,
            records_since_checkpoint: ledger::since_checkpoint(&*self.store)?,
            currency: self.config.governance.currency.clone(),
        })
    }
}

/// The entry of the audit log of an operation that changes no record.
fn told(state: &mut State, act: Act) -> Told<'_> {
    Told {
        state,
        act,
        changes: &[],
    }
}

/// A sum as it is shown. What does not fit is more money than there is.
fn narrow(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}
