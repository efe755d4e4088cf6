//! What takes effect on an account: every boundary of its path with the account that decides it, and what counts against
//! its limits.

use std::collections::BTreeMap;

use serde::Serialize;
use tollgate_governance::{
    ABOVE, Account, AccountId, Billing, BudgetMode, Factor, LimitUse, OnExhaust, Path, Status,
};

use super::idle::Idle;
use super::management::{Along, Management};
use super::{Control, State, now_ms, open};

/// What takes effect on an account. A `source` is the path of the account that decides, or `above` where the reader does not
/// see that one: rules from there are told, figures are not.
#[derive(Debug, Clone, Serialize)]
pub struct Effective {
    /// Whether every account of the path is active.
    pub enabled: bool,
    /// The topmost account that is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_by: Option<String>,
    /// A model must pass all of these lists; none means no restriction.
    pub models: Vec<ListOf>,
    /// A model must pass none of these lists.
    pub denied_models: Vec<ListOf>,
    /// A provider must be in all of these lists.
    pub providers: Vec<ListOf>,
    /// An operation must be in all of these lists.
    pub endpoints: Vec<ListOf>,
    /// A client must be in a network of each of these lists.
    pub cidrs: Vec<ListOf>,
    /// What is served for what is asked for: the account's own entries first; the first of the nearest account counts.
    pub model_map: Vec<MapOf>,
    /// Output tokens that an answer may have at most; absent: as many as the model has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_cap: Option<Decided<u64>>,
    /// Output tokens that are held for where the client sets no cap.
    pub default_output: Decided<u64>,
    /// What prices are multiplied by, in millionths.
    pub price_factor: Decided<Factor>,
    /// What happens to an answer that outgrows its hold.
    pub on_exhaust: Decided<OnExhaust>,
    /// How money is kept.
    pub budget_mode: Decided<BudgetMode>,
    /// Who pays.
    pub billing: Decided<Billing>,
    /// Whether the gateway may keep answers and prompts for clients that name them later.
    pub keep_answers: Decided<bool>,
    /// Of calendar days and months.
    pub time_zone: Decided<String>,
    /// Tags of its requests.
    pub tags: BTreeMap<String, Decided<String>>,
    /// A request must fit all of these limits.
    pub limits: Vec<LimitOf>,
    /// What its subtree has used.
    #[serde(flatten)]
    pub used: Used,
    /// The wallet that pays; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wallet: Option<PayingWallet>,
}

/// What a subtree has used. Money in micro-units.
#[derive(Debug, Clone, Serialize)]
pub struct Used {
    /// Charged in the current day.
    pub spent_today: u64,
    /// Charged in the current month.
    pub spent_month: u64,
    /// Held for running requests.
    pub held: u64,
    /// Requests admitted in the current day.
    pub requests_today: u64,
    /// Tokens of the current day.
    pub tokens_today: u64,
    /// Requests under way.
    pub running: u32,
}

/// A value and whose it is.
#[derive(Debug, Clone, Serialize)]
pub struct Decided<T> {
    /// What takes effect.
    pub value: T,
    /// Absent: nobody set it, this is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A list and whose it is.
#[derive(Debug, Clone, Serialize)]
pub struct ListOf {
    /// Whose.
    pub source: String,
    /// Names, patterns or networks.
    pub values: Vec<String>,
}

/// An entry of a model map and whose it is.
#[derive(Debug, Clone, Serialize)]
pub struct MapOf {
    /// Whose.
    pub source: String,
    /// Name or pattern.
    pub asked: String,
    /// Name.
    pub served: String,
}

/// A limit, whose it is, and what counts against it.
#[derive(Debug, Clone, Serialize)]
pub struct LimitOf {
    /// The account that set it, and whose subtree it counts.
    pub source: String,
    /// For example `rpm` or `daily_limit`.
    pub kind: &'static str,
    /// Which models, as a name or pattern; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<String>,
    /// Requests, tokens or micro-units; absent of one from above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// The same, used so far, running requests included; absent of one from above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// Whether it leaves least of all limits of its kind for the same models that the reader sees; absent of one from above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decides: Option<bool>,
    /// Why it counts no request now; absent: it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
}

/// The wallet that pays for an account.
#[derive(Debug, Clone, Serialize)]
pub struct PayingWallet {
    /// Whose; absent of one from above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Its path.
    pub source: String,
    /// Micro-units that can be spent; absent of one from above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<i64>,
    /// Micro-units set aside for running requests, of all whom it pays for; absent of one from above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<i64>,
}

/// Accounts of a path, root first, each with its own path.
type Named<'a> = [(String, &'a Account)];

impl Management<'_> {
    /// What takes effect at the end of a path.
    pub(super) fn effective(&self, state: &State, path: &Path) -> Effective {
        let now = now_ms();
        let control = self.control;
        let along = self.along(path);
        let named = &along.accounts;
        let disabled = named
            .iter()
            .find(|(_, account)| account.status != Status::Active);
        let zone = open::zone_name(&control.config, &state.directory);
        let root_zone = named.first().filter(|(_, root)| root.time_zone.is_some());
        let caps = named
            .iter()
            .filter_map(|(name, account)| Some((name, account.output_cap?)));
        let factors = named
            .iter()
            .filter_map(|(name, account)| Some((name, account.price_factor?)));
        Effective {
            enabled: path.is_enabled(),
            disabled_by: disabled.map(|(name, _)| name.clone()),
            models: lists(named, |account| account.models.as_ref()),
            denied_models: lists(named, |account| {
                Some(&account.denied_models).filter(|list| !list.is_empty())
            }),
            providers: lists(named, |account| account.providers.as_ref()),
            endpoints: lists(named, |account| account.endpoints.as_ref()),
            cidrs: lists(named, |account| account.cidrs.as_ref()),
            model_map: model_map(named),
            output_cap: caps
                .min_by_key(|(_, cap)| *cap)
                .map(|(name, value)| decided(value, Some(name))),
            default_output: nearest(named, path.default_output(), |account| {
                account.default_output.is_some()
            }),
            price_factor: decided(
                path.price_factor(),
                factors
                    .max_by_key(|(_, factor)| *factor)
                    .map(|(name, _)| name),
            ),
            on_exhaust: nearest(named, path.on_exhaust(), |account| {
                account.on_exhaust.is_some()
            }),
            budget_mode: nearest(named, path.budget_mode(), |account| {
                account.budget_mode.is_some()
            }),
            billing: nearest(
                named,
                match path.wallet() {
                    Some(_) => Billing::Prepaid,
                    None => Billing::Postpaid,
                },
                |account| account.billing.is_some(),
            ),
            keep_answers: keep_answers(named, path.keeps_answers()),
            time_zone: decided(zone.to_owned(), root_zone.map(|(name, _)| name)),
            tags: tags(named),
            limits: self.limits_of(state, &along, path, now),
            used: control.used(path, now),
            wallet: path.wallet().map(|account| {
                let balance = control
                    .counters
                    .ledger(|ledger| ledger.balance(account, now));
                let seen = self.sees(state, account);
                PayingWallet {
                    account: seen.then_some(account),
                    source: match seen {
                        true => self.named(state, account),
                        false => ABOVE.to_owned(),
                    },
                    available: seen.then_some(balance.available),
                    held: seen.then_some(balance.held),
                }
            }),
        }
    }

    fn limits_of(&self, state: &State, along: &Along<'_>, path: &Path, now: u64) -> Vec<LimitOf> {
        let snapshot = self.control.snapshot();
        let idle = Idle {
            snapshot: &snapshot,
            is_asked_for: &|name| state.asks_for(name),
            is_served_for_another: &|model| state.serves_for_another(model),
        };
        let idle = |one: &LimitUse| {
            let setter = state.directory.path(one.account)?;
            idle.limit(&setter, one.pattern.as_deref()?)
        };
        let uses = self.control.counters.uses(path, now);
        let place = |one: &LimitUse| {
            let mut accounts = along.accounts.iter();
            accounts.position(|(_, account)| account.id == one.account)
        };
        // Of what others use above him nobody is told; nor whether it leaves less than his own, which would tell, too.
        let seen = |one: &LimitUse| place(one).is_some_and(|place| place >= along.above);
        let left = |one: &LimitUse| (one.limit.saturating_sub(one.used), one.limit);
        let decides = |one: &LimitUse| {
            let mut rivals = uses.iter().filter(|other| {
                seen(other) && (other.kind, &other.pattern) == (one.kind, &one.pattern)
            });
            rivals.all(|other| left(other) >= left(one))
        };
        uses.iter()
            .filter_map(|one| {
                let (source, _) = along.accounts.get(place(one)?)?;
                let seen = seen(one);
                Some(LimitOf {
                    source: source.clone(),
                    kind: one.kind.as_str(),
                    models: one.pattern.clone(),
                    value: seen.then_some(one.limit),
                    used: seen.then_some(one.used),
                    decides: seen.then(|| decides(one)),
                    idle: idle(one),
                })
            })
            .collect()
    }
}

impl Control {
    /// What the subtree of the last account of a path has used.
    pub(super) fn used(&self, path: &Path, now: u64) -> Used {
        let spent = self.counters.spent(path, now);
        Used {
            spent_today: spent.settled,
            spent_month: spent.settled_month,
            held: spent.held,
            requests_today: spent.requests,
            tokens_today: spent.tokens,
            running: spent.running,
        }
    }
}

fn decided<T>(value: T, source: Option<&String>) -> Decided<T> {
    Decided {
        value,
        source: source.cloned(),
    }
}

/// What the nearest account decides that says anything.
fn nearest<T>(named: &Named<'_>, value: T, says: impl Fn(&Account) -> bool) -> Decided<T> {
    let source = named.iter().rev().find(|(_, account)| says(account));
    decided(value, source.map(|(name, _)| name))
}

/// Whether answers are kept, and who says so: the topmost account that forbids it. Where none does, it is the root that
/// has opted in; what is said below it decides nothing then.
fn keep_answers(named: &Named<'_>, value: bool) -> Decided<bool> {
    let mut all = named.iter();
    let source = match value {
        true => all
            .next()
            .filter(|(_, root)| root.keep_answers == Some(true)),
        false => all.find(|(_, account)| account.keep_answers == Some(false)),
    };
    decided(value, source.map(|(name, _)| name))
}

fn lists<'a>(
    named: &'a Named<'a>,
    list: impl Fn(&'a Account) -> Option<&'a Vec<String>>,
) -> Vec<ListOf> {
    let of = |(source, account): &'a (String, &'a Account)| {
        Some(ListOf {
            source: source.clone(),
            values: list(account)?.clone(),
        })
    };
    named.iter().filter_map(of).collect()
}

/// Entries in the order in which they are looked up; what a nearer account has for the same name is left out.
fn model_map(named: &Named<'_>) -> Vec<MapOf> {
    let mut all: Vec<MapOf> = Vec::new();
    for (source, account) in named.iter().rev() {
        let mut own: Vec<_> = account.model_map.iter().collect();
        own.sort_by_key(|(asked, _)| (asked.contains('*'), std::cmp::Reverse(asked.len())));
        for (asked, served) in own {
            if all.iter().all(|nearer| nearer.asked != *asked) {
                all.push(MapOf {
                    source: source.clone(),
                    asked: asked.clone(),
                    served: served.clone(),
                });
            }
        }
    }
    all
}

fn tags(named: &Named<'_>) -> BTreeMap<String, Decided<String>> {
    let of = |(source, account): &(String, &Account)| {
        let source = source.clone();
        let tags = account.tags.clone();
        tags.into_iter()
            .map(move |(name, value)| (name, decided(value, Some(&source))))
    };
    // Root first, so that the nearest account's value is the last to be put in.
    named.iter().flat_map(of).collect()
}
