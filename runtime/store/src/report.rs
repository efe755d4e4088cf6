//! Reports: roll-ups read from the store, filtered, and added up by whatever the reader asks for.

use std::collections::BTreeMap;
use std::ops::Range;

use tollgate_governance::{
    AccountId, KeyId, RollupFilter, RollupKey, Span, Sums, UsageDecodeError,
};

use crate::engine::{Store, Visit};
use crate::error::StoreError;

/// What the lines of a report are told apart by. None set: one line for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupBy {
    /// The hour or day.
    pub time: bool,
    /// The account that made the requests.
    pub account: bool,
    /// The key that was shown.
    pub key: bool,
    /// Provider component.
    pub provider: bool,
    /// The model, as the account knows it.
    pub model: bool,
    /// Names of tags: each value is told apart.
    pub tags: Vec<String>,
}

/// What a line is about: set where [`GroupBy`] asks for it. Lines sort by time, then account, key, provider, model, tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineKey {
    /// First moment of the hour or day, Unix milliseconds.
    pub start_ms: Option<u64>,
    /// See [`GroupBy::account`]. None of a row without an account, too.
    pub account: Option<AccountId>,
    /// See [`GroupBy::key`].
    pub key: Option<KeyId>,
    /// See [`GroupBy::provider`]. Empty: none was reached.
    pub provider: Option<String>,
    /// See [`GroupBy::model`]. Empty: no provider was reached.
    pub model: Option<String>,
    /// Values of the tags asked for, in their order. None: not tagged so. Several of one name are joined by commas, so
    /// that a request counts in one line.
    pub tags: Vec<Option<String>>,
}

/// A line of a report. The names in its sums are those of its latest row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub key: LineKey,
    /// What its rows add up to.
    pub sums: Sums,
}

/// Adds up the groups of one span that pass the filter: those of every row that was committed before, folded or not.
/// Groups are read one after the other: memory is for the lines alone. About 1 µs a group.
///
/// # Errors
/// When the store fails, keeps no roll-ups, or a group is damaged.
pub fn report(
    store: &dyn Store,
    span: Span,
    filter: &RollupFilter,
    by: &GroupBy,
) -> Result<Vec<Line>, StoreError> {
    let times = filter.from_ms.unwrap_or(0)..filter.until_ms.unwrap_or(u64::MAX);
    let lines = add_up(store, span, times, filter, by, &mut |_| true)?;
    Ok(in_order(lines))
}

/// Adds up those groups of one span that begin in `times`, that `place` keeps, and that pass the filter where it has put
/// them.
pub(crate) fn add_up(
    store: &dyn Store,
    span: Span,
    times: Range<u64>,
    filter: &RollupFilter,
    by: &GroupBy,
    place: &mut dyn FnMut(&mut RollupKey) -> bool,
) -> Result<BTreeMap<LineKey, Sums>, StoreError> {
    let mut lines: BTreeMap<LineKey, Sums> = BTreeMap::new();
    let from = RollupKey::prefix(span, times.start);
    let to = RollupKey::prefix(span, times.end);
    store.scan_rollups(&from, &to, &mut |key, value| {
        let mut key = RollupKey::decode(key).map_err(damaged)?;
        if place(&mut key) && filter.admits(&key) {
            let sums = Sums::decode(value).map_err(damaged)?;
            lines.entry(by.line(key)).or_default().merge(&sums);
        }
        Ok(Visit::Continue)
    })?;
    Ok(lines)
}

pub(crate) fn in_order(lines: BTreeMap<LineKey, Sums>) -> Vec<Line> {
    let line = |(key, sums)| Line { key, sums };
    lines.into_iter().map(line).collect()
}

/// Newer ones cannot be here: the store has made all of its roll-ups itself.
fn damaged(error: UsageDecodeError) -> StoreError {
    StoreError::Rollups(error.to_string())
}

impl GroupBy {
    pub(crate) fn line(&self, key: RollupKey) -> LineKey {
        LineKey {
            start_ms: self.time.then_some(key.start_ms),
            account: key.account().filter(|_| self.account),
            key: self.key.then_some(key.key),
            tags: self
                .tags
                .iter()
                .map(|name| value(&key.tags, name))
                .collect(),
            provider: self.provider.then_some(key.provider),
            model: self.model.then_some(key.model),
        }
    }
}

fn value(tags: &[(String, String)], wanted: &str) -> Option<String> {
    let mut values = tags
        .iter()
        .filter(|(name, _)| name == wanted)
        .map(|(_, value)| value.as_str());
    let first = values.next()?;
    Some(values.fold(first.to_owned(), |all, next| all + "," + next))
}
