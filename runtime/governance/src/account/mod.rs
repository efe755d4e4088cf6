//! The account record: one node of the tree, with the boundaries set on it.

mod limits;
mod patch;
mod validate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::AccountId;
use crate::price::Factor;

pub use limits::{LimitKind, Limits, LimitsPatch, present};
pub use patch::AccountPatch;
pub(crate) use validate::{validate_cidrs, validate_models, validate_text, validate_words};

/// Whether a node (and with it everything under it) may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In use.
    #[default]
    Active,
    /// Switched off, with everything under it.
    Suspended,
    /// Deleted, but requests of it are still under way: new ones are refused, its balance waits for them.
    Closing,
    /// Gone from the tree: balance swept, keys revoked, name released. Kept because history names it.
    Archived,
}

/// What happens to an answer that outgrows its hold while no limit of the path leaves room for more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExhaust {
    /// It may finish: the budget can be exceeded by what running answers still cost.
    #[default]
    Finish,
    /// It is ended with an error event in the client's dialect.
    Cut,
}

/// How money limits and wallets are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetMode {
    /// What is held is the most that the answer may cost: the output cap that was held for is sent to the vendor, lowered
    /// to what the budget still affords where that is less than what was asked for.
    #[default]
    Strict,
    /// A slice is held and extended while the answer grows; no cap is sent. Never cuts what a client asked for, may exceed
    /// the budget by what running answers cost.
    Soft,
}

/// Who pays for a subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Billing {
    /// The account's own wallet, topped up by grants: without credit nothing is sent.
    Prepaid,
    /// Nobody in advance: usage rows are the bill.
    Postpaid,
}

/// When a tree got another time zone, and which one it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneChange {
    /// See [`Account::time_zone`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Unix milliseconds.
    pub at_ms: u64,
    /// Changes before that which may still count, oldest first: the month of then, and where the one after it begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<ZoneChange>,
}

impl ZoneChange {
    /// Two months are not longer, wherever they begin, milliseconds.
    const TWO_MONTHS_MS: u64 = 65 * 24 * 3_600_000;
    /// Changes that are remembered. Whoever makes more of them in a month is playing.
    const MOST: usize = 32;

    /// A change now, from the zone `before`, after `last`.
    pub(crate) fn after(last: Option<&Self>, before: Option<String>, at_ms: u64) -> Self {
        let mut earlier: Vec<_> = last.into_iter().flat_map(Self::all).collect();
        earlier.retain(|change| change.at_ms.saturating_add(Self::TWO_MONTHS_MS) > at_ms);
        let surplus = earlier.len().saturating_sub(Self::MOST);
        earlier.drain(..surplus);
        Self {
            before,
            at_ms,
            earlier,
        }
    }

    /// Names the zone that was meant by none.
    pub(crate) fn name_default(&mut self, zone: &str) {
        self.before.get_or_insert_with(|| zone.to_owned());
        for change in &mut self.earlier {
            change.name_default(zone);
        }
    }

    /// The changes, oldest first, each on its own.
    pub fn all(&self) -> impl Iterator<Item = Self> {
        let one = |change: &Self| Self {
            earlier: Vec::new(),
            ..change.clone()
        };
        self.earlier.iter().chain([self]).map(one)
    }
}

/// A department, project, role, employee or system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Time-ordered id, never reused.
    pub id: AccountId,
    /// The node above; none for the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<AccountId>,
    /// Unique among siblings; no `/`.
    pub name: String,
    /// A friendlier name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Whom to write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Cost centres and the like, which cut across the tree.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Whether it may be used.
    #[serde(default)]
    pub status: Status,
    /// Models it may ask for: names or globs (`gpt-*`). None: no restriction; empty: none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Models it may not ask for, whatever `models` says. Names or globs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_models: Vec<String>,
    /// Provider components that may serve it. None: no restriction; empty: none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<String>>,
    /// Operations it may call, e.g. `messages`. None: no restriction; empty: none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<String>>,
    /// Networks its clients may come from, e.g. `10.0.0.0/8`. None: no restriction; empty: none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidrs: Option<Vec<String>>,
    /// What is served for a model asked for: names or globs onto names. The nearest account's first match counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub model_map: BTreeMap<String, String>,
    /// The most output tokens that an answer may have; the smallest of the path counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_cap: Option<u64>,
    /// Output tokens that are held for where the client sets no cap; the nearest account's counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_output: Option<u64>,
    /// Limits for its subtree.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// Further limits, each for the models that match a name or glob, in addition to `limits`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub model_limits: BTreeMap<String, Limits>,
    /// What its prices are multiplied by, in millionths; the nearest account's counts, and never less than its parent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_factor: Option<Factor>,
    /// The nearest account's counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exhaust: Option<OnExhaust>,
    /// The nearest account's counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_mode: Option<BudgetMode>,
    /// The nearest account's counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing: Option<Billing>,
    /// Whether the gateway may keep answers and their prompts for clients that name them later: `false` anywhere on the
    /// path wins. None: as above; of the root `true`, which is what a version without this member did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_answers: Option<bool>,
    /// IANA zone of its calendar days and months; on the root only. None: the configured default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The last change of that: it counts from the next midnight and the next month, after a restart, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_change: Option<ZoneChange>,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Unix milliseconds.
    pub updated_ms: u64,
}

impl Account {
    /// An account with nothing set on it.
    pub(crate) fn new(id: AccountId, parent: Option<AccountId>, name: String, now_ms: u64) -> Self {
        Self {
            id,
            parent,
            name,
            alias: None,
            email: None,
            tags: BTreeMap::new(),
            status: Status::Active,
            models: None,
            denied_models: Vec::new(),
            providers: None,
            endpoints: None,
            cidrs: None,
            model_map: BTreeMap::new(),
            output_cap: None,
            default_output: None,
            limits: Limits::default(),
            model_limits: BTreeMap::new(),
            price_factor: None,
            on_exhaust: None,
            budget_mode: None,
            billing: None,
            keep_answers: None,
            time_zone: None,
            zone_change: None,
            created_ms: now_ms,
            updated_ms: now_ms,
        }
    }
}
