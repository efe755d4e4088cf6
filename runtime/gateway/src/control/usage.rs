//! Usage rows for people: filtered by subtree and time, with totals.

use std::collections::BTreeMap;

use serde::Serialize;
use tollgate_governance::{AccountId, Factor, RollupFilter, Tokens, UsageRow};
use tollgate_store::{Order, Visit, usage};

use super::error::ControlError;
use super::management::{Management, blamed};

/// Which usage, as a caller writes it. What is not set does not restrict.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this account and all below it: id or path. An id may be of an account that is gone.
    pub account: Option<String>,
    /// Admitted at this moment or later. Unix milliseconds.
    pub since_ms: Option<u64>,
    /// Admitted before this moment. Unix milliseconds.
    pub until_ms: Option<u64>,
    /// The model as the account knows it: mapped, else requested.
    pub model: Option<String>,
    /// Provider component.
    pub provider: Option<String>,
    /// Id of the key.
    pub key: Option<String>,
    /// A tag, as `NAME=VALUE`.
    pub tag: Option<String>,
}

/// Which rows, and how many.
#[derive(Debug, Clone, Default)]
pub struct UsageQuery {
    /// Which.
    pub filter: Filter,
    /// Rows to answer; totals count all that fit.
    pub limit: usize,
}

/// Rows and totals.
#[derive(Debug, Clone, Serialize)]
pub struct UsagePage {
    /// Newest first.
    pub rows: Vec<RowView>,
    /// Of all rows that fit the filter.
    pub totals: Totals,
    /// The base currency.
    pub currency: String,
}

/// Sums. They saturate; a sum of 64 bits of micro-units is more money than there is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Totals {
    /// Rows.
    pub requests: u64,
    /// Tokens.
    pub usage: Tokens,
    /// Micro-units.
    pub charged: u64,
}

/// A row as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub struct RowView {
    request_id: String,
    admitted_ms: u64,
    ended_ms: u64,
    account: String,
    account_id: String,
    tags: BTreeMap<String, String>,
    key: String,
    key_label: String,
    operation: String,
    dialect: String,
    dialect_out: String,
    requested_model: String,
    mapped_model: String,
    upstream_model: String,
    provider: String,
    upstream: String,
    credential: String,
    stream: bool,
    status: u16,
    error: String,
    limited_by: String,
    counted: bool,
    usage: UsageView,
    base_cost: u64,
    factor: Factor,
    price_version: String,
    charged: u64,
    hold: u64,
    recovered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttfb_ms: Option<u64>,
    total_ms: u64,
    retries: u32,
    session: String,
    policies: Vec<ActView>,
}

#[derive(Debug, Clone, Serialize)]
struct UsageView {
    #[serde(flatten)]
    tokens: Tokens,
    estimated: bool,
}

#[derive(Debug, Clone, Serialize)]
struct ActView {
    component: String,
    digest: String,
}

impl Management<'_> {
    /// Rows that fit a filter, newest first. Reads the store: not for an async thread.
    ///
    /// # Errors
    /// The account is unknown, a value is wrong or the store fails.
    pub fn usage_page(&self, query: &UsageQuery) -> Result<UsagePage, ControlError> {
        let wanted = self.wanted(&query.filter)?;
        self.control.catch_up();
        let range = wanted.from_ms.unwrap_or(0)..wanted.until_ms.unwrap_or(u64::MAX);
        let mut page = UsagePage {
            rows: Vec::new(),
            totals: Totals::default(),
            currency: self.control.config.governance.currency.clone(),
        };
        usage::scan(
            &*self.control.store,
            range,
            Order::NewestFirst,
            &mut |row| {
                if admits(&wanted, &row)
                    && let Some(row) = self.row(row)
                {
                    page.totals.add(&row);
                    if page.rows.len() < query.limit {
                        page.rows.push(RowView::new(&row));
                    }
                }
                Visit::Continue
            },
        )?;
        Ok(page)
    }

    /// Reads a caller's filter.
    pub(super) fn wanted(&self, filter: &Filter) -> Result<RollupFilter, ControlError> {
        let within = filter.account.as_deref();
        let key = filter.key.as_deref().map(|id| {
            id.parse()
                .map_err(|_| ControlError::invalid("key", format!("`{id}` is no id of a key")))
        });
        let tag = filter.tag.as_deref().map(|tag| {
            let pair = tag.split_once('=').filter(|(name, _)| !name.is_empty());
            let (name, value) =
                pair.ok_or_else(|| ControlError::invalid("tag", "must be NAME=VALUE"))?;
            Ok::<_, ControlError>((name.to_owned(), value.to_owned()))
        });
        Ok(RollupFilter {
            from_ms: filter.since_ms,
            until_ms: filter.until_ms,
            within: within.map(|target| self.account_id(target)).transpose()?,
            seen_from: self.top(),
            account: None,
            key: key.transpose()?,
            provider: filter.provider.clone(),
            model: filter.model.clone(),
            tag: tag.transpose()?,
        })
    }

    /// History outlives accounts: an id need not exist any more, a path must.
    fn account_id(&self, target: &str) -> Result<AccountId, ControlError> {
        if let Ok(id) = target.parse() {
            return Ok(id);
        }
        let state = self.control.state.lock();
        let found = self.find(&state, target).map(|account| account.id);
        found.map_err(|error| blamed("account", error))
    }

    /// A row as he sees it, if he does.
    pub(super) fn row<'r>(&self, row: UsageRow<'r>) -> Option<UsageRow<'r>> {
        match self.top() {
            None => Some(row),
            Some(top) => row.seen_from(top),
        }
    }
}

/// Whether a row fits. Its time does: the range says so.
pub(super) fn admits(wanted: &RollupFilter, row: &UsageRow<'_>) -> bool {
    wanted.admits_path(&row.path)
        && wanted.key.is_none_or(|key| row.key == key)
        && (wanted.provider.as_ref()).is_none_or(|provider| row.provider == *provider)
        && (wanted.model.as_ref()).is_none_or(|model| row.limited_model() == model)
        && (wanted.tag.as_ref()).is_none_or(|(name, value)| {
            row.tags
                .iter()
                .any(|tag| (&*tag.0, &*tag.1) == (name.as_str(), value.as_str()))
        })
}

impl Totals {
    fn add(&mut self, row: &UsageRow<'_>) {
        let Tokens {
            input,
            cache_read,
            cache_write_5m,
            cache_write_1h,
            output,
            reasoning,
        } = row.tokens;
        let sum = &mut self.usage;
        for (total, more) in [
            (&mut sum.input, input),
            (&mut sum.cache_read, cache_read),
            (&mut sum.cache_write_5m, cache_write_5m),
            (&mut sum.cache_write_1h, cache_write_1h),
            (&mut sum.output, output),
            (&mut sum.reasoning, reasoning),
            (&mut self.requests, 1),
            (&mut self.charged, row.charged),
        ] {
            *total = total.saturating_add(more);
        }
    }
}

impl RowView {
    pub(super) fn new(row: &UsageRow<'_>) -> Self {
        Self {
            request_id: row.request.to_string(),
            admitted_ms: row.admitted_ms,
            ended_ms: row.ended_ms,
            account: row.names.to_string(),
            account_id: row.account().map(|id| id.to_string()).unwrap_or_default(),
            tags: row
                .tags
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            key: row.key.to_string(),
            key_label: row.key_label.to_string(),
            operation: row.operation.to_string(),
            dialect: row.dialect.to_string(),
            dialect_out: row.dialect_out.to_string(),
            requested_model: row.requested_model.to_string(),
            mapped_model: row.mapped_model.to_string(),
            upstream_model: row.upstream_model.to_string(),
            provider: row.provider.to_string(),
            upstream: row.upstream.to_string(),
            credential: row.credential.to_string(),
            stream: row.stream,
            status: row.status,
            error: row.error.to_string(),
            limited_by: row.limited_by.to_string(),
            counted: row.counted,
            usage: UsageView {
                tokens: row.tokens,
                estimated: row.estimated,
            },
            charged: row.charged,
            base_cost: row.base_cost,
            factor: row.factor,
            price_version: row.price_version.to_string(),
            hold: row.hold,
            recovered: row.recovered,
            ttfb_ms: row.ttfb_ms,
            total_ms: row.total_ms,
            retries: row.retries,
            session: row.session.to_string(),
            policies: row
                .policies
                .iter()
                .map(|act| ActView {
                    component: act.component.to_string(),
                    digest: hex(&act.digest),
                })
                .collect(),
        }
    }
}

/// A component's digest as people write it.
pub(super) fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
