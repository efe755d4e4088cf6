//! Reports: usage added up by hour or day, account, model, provider, key and tag, from the roll-ups.

use std::collections::BTreeMap;

use serde::Serialize;
use tollgate_governance::{AccountId, KeyId, RollupFilter, Span, Sums, Tokens, Zone};
use tollgate_store::usage::{GroupBy, Line, report, report_days};

use super::State;
use super::error::ControlError;
use super::management::Management;
use super::usage::Filter;

const HOUR_MS: u64 = 3_600_000;

/// Which usage, and what its lines are told apart by.
#[derive(Debug, Clone, Default)]
pub struct ReportQuery {
    /// Which. Its times are taken to whole hours or days.
    pub filter: Filter,
    /// `hour` or `day`: one line for each. None: the whole time together.
    pub span: Option<String>,
    /// Any of `account`, `key`, `provider`, `model`, `tag:NAME`.
    pub by: Vec<String>,
}

/// Usage added up.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `hour` or `day`: what the sums were made of.
    pub span: &'static str,
    /// Counted from this moment on, Unix milliseconds; absent: from the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// Hours or days that began before this moment, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// By time, then by the names of the rest: account, key, provider, model, tags.
    pub lines: Vec<LineView>,
    /// Of all lines.
    pub totals: SumsView,
    /// The base currency.
    pub currency: String,
}

/// A line of a report. Of what it is about those members are there that were asked for.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LineView {
    /// The hour's or day's first moment, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_ms: Option<u64>,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// Its path now, or when it was last used if it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// Its label when it was last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_label: Option<String>,
    /// Provider component; empty: none was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model as the account knows it; empty: no provider was reached, or it was asked about a kept answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Values of tags; those that are not tagged so are left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What its requests add up to.
    #[serde(flatten)]
    pub sums: SumsView,
}

/// What requests add up to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SumsView {
    /// All.
    pub requests: u64,
    /// Refused here, by a limit, a list or a policy or for what they were: no provider was asked.
    pub refused: u64,
    /// Failed otherwise, at a provider or here, or given up by their clients.
    pub failed: u64,
    /// With tokens by our estimate.
    pub estimated: u64,
    /// Settled after a crash.
    pub recovered: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Tokens.
    pub usage: Tokens,
    /// Micro-units, by the price alone.
    pub base_cost: u64,
    /// Micro-units.
    pub charged: u64,
    /// Mean time to the last byte, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_ms: Option<u64>,
    /// Mean time to the first byte, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_ttfb_ms: Option<u64>,
}

impl Management<'_> {
    /// Adds usage up. Reads the store: not for an async thread.
    ///
    /// # Errors
    /// The account is unknown, a value is wrong or the store fails.
    pub fn usage_report(&self, query: &ReportQuery) -> Result<Report, ControlError> {
        let mut by = group_by(&query.by)?;
        by.time = query.span.is_some();
        let mut wanted = self.wanted(&query.filter)?;
        let zone = self.control.zone(&self.control.state.lock());
        let span = match query.span.as_deref() {
            Some("hour") => Span::Hour,
            Some("day") => Span::Day,
            Some(other) => {
                let message = format!("is `hour` or `day`, not `{other}`");
                return Err(ControlError::invalid("span", message));
            }
            // Days where they say what was asked for: those of the tree begin in the middle of an hour of UTC in some zones.
            None if is_of_days(&zone, &wanted) => Span::Day,
            None => Span::Hour,
        };
        widen(&zone, span, &mut wanted);
        // Of everything together any days are as good: theirs need not be made of hours and rows.
        let zone_matters = by.time || wanted.from_ms.is_some() || wanted.until_ms.is_some();
        self.control.catch_up();
        let store = &*self.control.store;
        let lines = match span {
            // The days that the store keeps are those of the zone of its start.
            Span::Day if zone_matters && zone != self.control.rollup_zone => {
                report_days(store, &zone, &wanted, &by)?
            }
            _ => report(store, span, &wanted, &by)?,
        };
        let mut totals = Sums::default();
        for line in &lines {
            totals.merge(&line.sums);
        }
        let state = self.control.state.lock();
        let lines = lines
            .into_iter()
            .map(|line| self.line_view(&state, &by, line));
        let lines = in_order(lines.collect());
        Ok(Report {
            span: match span {
                Span::Hour => "hour",
                Span::Day => "day",
            },
            since_ms: wanted.from_ms,
            until_ms: wanted.until_ms,
            lines,
            totals: sums_view(&totals),
            currency: self.control.config.governance.currency.clone(),
        })
    }

    fn line_view(&self, state: &State, by: &GroupBy, line: Line) -> LineView {
        let Line { key, sums } = line;
        let path = |id| match self.named(state, id) {
            // It is gone, or elsewhere by now. What it was called is known, not how much of that is above its reader.
            empty if empty.is_empty() && self.top().is_some() => {
                let name = sums.names.rsplit('/').next();
                name.unwrap_or_default().to_owned()
            }
            empty if empty.is_empty() => sums.names.clone(),
            names => names,
        };
        let tags = by.tags.iter().cloned().zip(key.tags);
        LineView {
            start_ms: key.start_ms,
            account: key.account.map(path),
            account_id: key.account,
            key_label: key.key.map(|_| sums.key_label.clone()),
            key: key.key,
            tags: tags
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
            provider: key.provider,
            model: key.model,
            sums: sums_view(&sums),
        }
    }
}

fn is_of_days(zone: &Zone, wanted: &RollupFilter) -> bool {
    let mut bounds = wanted.from_ms.iter().chain(&wanted.until_ms);
    bounds.all(|at| zone.day_of(*at).start_ms == *at)
}

/// Takes both ends to those of their hours or days, which are summed as a whole: the answer says which they are.
fn widen(zone: &Zone, span: Span, wanted: &mut RollupFilter) {
    let of = |at: u64| match span {
        Span::Hour => (
            at - at % HOUR_MS,
            (at - at % HOUR_MS).saturating_add(HOUR_MS),
        ),
        Span::Day => {
            let day = zone.day_of(at);
            (day.start_ms, day.end_ms)
        }
    };
    if let Some(from) = &mut wanted.from_ms {
        *from = of(*from).0;
    }
    if let Some(until) = &mut wanted.until_ms {
        let (start, end) = of(*until);
        *until = if start == *until { start } else { end };
    }
}

/// The store's order is that of ids, which tell a reader nothing: those made in one millisecond are in no order.
fn in_order(mut lines: Vec<LineView>) -> Vec<LineView> {
    lines.sort_by(|one, other| {
        let time = one.start_ms.cmp(&other.start_ms);
        time.then_with(|| one.account.cmp(&other.account))
            .then_with(|| one.key_label.cmp(&other.key_label))
            .then_with(|| one.provider.cmp(&other.provider))
            .then_with(|| one.model.cmp(&other.model))
            .then_with(|| one.tags.cmp(&other.tags))
    });
    lines
}

fn group_by(names: &[String]) -> Result<GroupBy, ControlError> {
    let mut by = GroupBy::default();
    for name in names {
        match (name.as_str(), name.strip_prefix("tag:")) {
            ("account", _) => by.account = true,
            ("key", _) => by.key = true,
            ("provider", _) => by.provider = true,
            ("model", _) => by.model = true,
            (_, Some(tag)) if !tag.is_empty() => by.tags.push(tag.to_owned()),
            _ => {
                let message =
                    format!("is any of account, key, provider, model, tag:NAME, not `{name}`");
                return Err(ControlError::invalid("by", message));
            }
        }
    }
    by.tags.dedup();
    Ok(by)
}

fn sums_view(sums: &Sums) -> SumsView {
    SumsView {
        requests: sums.requests,
        refused: sums.refused,
        failed: sums.failed,
        estimated: sums.estimated,
        recovered: sums.recovered,
        retries: sums.retries,
        usage: sums.tokens,
        base_cost: sums.base_cost,
        charged: sums.charged,
        mean_ms: sums.total_ms.checked_div(sums.requests),
        mean_ttfb_ms: sums.ttfb_ms.checked_div(sums.answered),
    }
}
