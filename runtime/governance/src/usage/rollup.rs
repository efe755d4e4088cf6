//! Usage rows added up by hour and day: what reports read instead of rows.
//!
//! A roll-up is a pure fold: the same rows give the same groups in whatever order and however they were split and
//! merged. So a group can be stored by its [key](RollupKey::encode), and rebuilt from the rows at any time.

use std::collections::BTreeMap;

use super::UsageRow;
use crate::calendar::{Day, Zone};
use crate::ids::{AccountId, KeyId};
use crate::price::Tokens;

const HOUR_MS: u64 = 3_600_000;

/// How long the time is that a group covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// An hour of universal time.
    Hour,
    /// A calendar day of the tree's zone.
    Day,
}

/// What the rows of a group have in common. Groups sort by span, then time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RollupKey {
    /// Hour or day.
    pub span: Span,
    /// The hour's or day's first moment, Unix milliseconds. A row belongs where it was *admitted*.
    pub start_ms: u64,
    /// Ids of the path at that time, root first: an account that is moved keeps its past where it was.
    pub path: Vec<AccountId>,
    /// The key that was shown.
    pub key: KeyId,
    /// Provider component; empty if none was reached.
    pub provider: String,
    /// See [`UsageRow::model`].
    pub model: String,
    /// Tags, sorted.
    pub tags: Vec<(String, String)>,
}

/// What the rows of a group, or of many, add up to. Sums saturate: a hostile figure cannot wrap one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Rows.
    pub requests: u64,
    /// Rows that were [refused](UsageRow::is_refused).
    pub refused: u64,
    /// Rows that failed otherwise.
    pub failed: u64,
    /// Rows with tokens by our estimate.
    pub estimated: u64,
    /// Rows settled after a crash.
    pub recovered: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// What was used.
    pub tokens: Tokens,
    /// Micro-units, by the price alone.
    pub base_cost: u64,
    /// Micro-units.
    pub charged: u64,
    /// Milliseconds, to be divided by `requests`.
    pub total_ms: u64,
    /// Milliseconds, to be divided by `answered`.
    pub ttfb_ms: u64,
    /// Rows with a first byte.
    pub answered: u64,
    /// The latest row's admission, Unix milliseconds.
    pub last_ms: u64,
    /// The latest row's names of the path: they outlive the account.
    pub names: String,
    /// The latest row's key label.
    pub key_label: String,
}

/// Groups of rows.
#[derive(Clone, Debug)]
pub struct Rollup {
    zone: Zone,
    /// Of the last row: most rows are of the same day, and calendars are slow.
    day: Option<Day>,
    groups: BTreeMap<RollupKey, Sums>,
}

/// Which groups to add up. What is not set does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollupFilter {
    /// Groups that begin at this time or later, Unix milliseconds.
    pub from_ms: Option<u64>,
    /// Groups that begin before this time, Unix milliseconds.
    pub until_ms: Option<u64>,
    /// An account and everything that was under it at that time.
    pub within: Option<AccountId>,
    /// The account that the reader sees the tree from: of paths only what begins with it is looked at, so that an
    /// account above it is within nothing.
    pub seen_from: Option<AccountId>,
    /// One account alone.
    pub account: Option<AccountId>,
    /// See [`RollupKey::key`].
    pub key: Option<KeyId>,
    /// See [`RollupKey::provider`].
    pub provider: Option<String>,
    /// See [`RollupKey::model`].
    pub model: Option<String>,
    /// A tag and its value.
    pub tag: Option<(String, String)>,
}

impl Rollup {
    /// `zone`: of the days.
    #[must_use]
    pub fn new(zone: Zone) -> Self {
        Self {
            zone,
            day: None,
            groups: BTreeMap::new(),
        }
    }

    /// Adds a row to its hour and to its day.
    pub fn add(&mut self, row: &UsageRow<'_>) {
        let mut tags: Vec<(String, String)> = row
            .tags
            .iter()
            .map(|(name, value)| (name.as_ref().to_owned(), value.as_ref().to_owned()))
            .collect();
        tags.sort();
        tags.dedup();
        let hour = RollupKey {
            span: Span::Hour,
            start_ms: row.admitted_ms - row.admitted_ms % HOUR_MS,
            path: row.path.to_vec(),
            key: row.key,
            provider: row.provider.as_ref().to_owned(),
            model: row.model().to_owned(),
            tags,
        };
        let day = RollupKey {
            span: Span::Day,
            start_ms: self.day_of(row.admitted_ms).start_ms,
            ..hour.clone()
        };
        for key in [hour, day] {
            self.groups.entry(key).or_default().add(row);
        }
    }

    /// Adds a group, for example one that was stored.
    pub fn merge_group(&mut self, key: RollupKey, sums: &Sums) {
        self.groups.entry(key).or_default().merge(sums);
    }

    /// Adds all groups of another roll-up of *other* rows.
    pub fn merge(&mut self, other: &Rollup) {
        for (key, sums) in &other.groups {
            self.merge_group(key.clone(), sums);
        }
    }

    /// All groups, by span and time.
    pub fn groups(&self) -> impl Iterator<Item = (&RollupKey, &Sums)> {
        self.groups.iter()
    }

    /// The groups of one span that pass the filter.
    pub fn select<'a>(
        &'a self,
        span: Span,
        filter: &'a RollupFilter,
    ) -> impl Iterator<Item = (&'a RollupKey, &'a Sums)> {
        self.groups
            .iter()
            .filter(move |(key, _)| key.span == span && filter.admits(key))
    }

    /// Their sum.
    #[must_use]
    pub fn sum(&self, span: Span, filter: &RollupFilter) -> Sums {
        let mut sums = Sums::default();
        for (_, group) in self.select(span, filter) {
            sums.merge(group);
        }
        sums
    }

    fn day_of(&mut self, at_ms: u64) -> Day {
        match self.day {
            Some(day) if (day.start_ms..day.end_ms).contains(&at_ms) => day,
            _ => *self.day.insert(self.zone.day_of(at_ms)),
        }
    }
}

impl RollupKey {
    /// The account that made the requests.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.path.last().copied()
    }
}

impl RollupFilter {
    /// Whether the group passes.
    #[must_use]
    pub fn admits(&self, key: &RollupKey) -> bool {
        self.from_ms.is_none_or(|from| key.start_ms >= from)
            && self.until_ms.is_none_or(|until| key.start_ms < until)
            && self.admits_at_any_time(key)
    }

    /// Whether the group would pass if it began at another time.
    #[must_use]
    pub fn admits_at_any_time(&self, key: &RollupKey) -> bool {
        let tagged = |name: &str, value: &str| {
            let mut tags = key.tags.iter();
            tags.any(|tag| tag.0 == name && tag.1 == value)
        };
        self.admits_what(&key.path, key.key, &key.provider, &key.model, tagged)
    }

    /// Whether the row would be of a group that passes if it began at another time.
    #[must_use]
    pub fn admits_row_at_any_time(&self, row: &UsageRow<'_>) -> bool {
        let tagged = |name: &str, value: &str| {
            let mut tags = row.tags.iter();
            tags.any(|tag| tag.0 == name && tag.1 == value)
        };
        self.admits_what(&row.path, row.key, &row.provider, row.model(), tagged)
    }

    fn admits_what(
        &self,
        path: &[AccountId],
        key: KeyId,
        provider: &str,
        model: &str,
        tagged: impl Fn(&str, &str) -> bool,
    ) -> bool {
        let account = path.last().copied();
        self.admits_path(path)
            && self.account.is_none_or(|wanted| account == Some(wanted))
            && self.key.is_none_or(|wanted| key == wanted)
            && (self.provider.as_deref()).is_none_or(|wanted| provider == wanted)
            && self.model.as_deref().is_none_or(|wanted| model == wanted)
            && (self.tag.as_ref()).is_none_or(|(name, value)| tagged(name, value))
    }

    /// Whether a path passes: it, or what is seen of it, has the account in it that is asked for.
    #[must_use]
    pub fn admits_path(&self, path: &[AccountId]) -> bool {
        let seen = match self.seen_from {
            None => path,
            Some(top) => match path.iter().position(|id| *id == top) {
                Some(place) => &path[place..],
                None => return false,
            },
        };
        self.within.is_none_or(|top| seen.contains(&top))
    }
}

impl Sums {
    /// Adds a row. Allocates only where it is the latest and its names are new.
    pub fn add(&mut self, row: &UsageRow<'_>) {
        let refused = row.is_refused();
        let failed = !refused && (!row.error.is_empty() || row.status >= 400);
        let label = (row.admitted_ms, &*row.names, &*row.key_label);
        // The names decide between rows of one millisecond, so that the order of merging never shows.
        if label > self.label() {
            self.last_ms = row.admitted_ms;
            replace(&mut self.names, &row.names);
            replace(&mut self.key_label, &row.key_label);
        }
        let row = Sums {
            requests: 1,
            refused: u64::from(refused),
            failed: u64::from(failed),
            estimated: u64::from(row.estimated),
            recovered: u64::from(row.recovered),
            retries: u64::from(row.retries),
            tokens: row.tokens,
            base_cost: row.base_cost,
            charged: row.charged,
            total_ms: row.total_ms,
            ttfb_ms: row.ttfb_ms.unwrap_or(0),
            answered: u64::from(row.ttfb_ms.is_some()),
            ..Sums::default()
        };
        self.add_figures(&row);
    }

    /// Adds the sums of other rows.
    pub fn merge(&mut self, other: &Sums) {
        if other.label() > self.label() {
            self.last_ms = other.last_ms;
            self.names.clone_from(&other.names);
            self.key_label.clone_from(&other.key_label);
        }
        self.add_figures(other);
    }

    fn add_figures(&mut self, other: &Sums) {
        for (sum, more) in self.figures_mut().into_iter().zip(other.figures()) {
            *sum = sum.saturating_add(more);
        }
    }

    fn label(&self) -> (u64, &str, &str) {
        (self.last_ms, &self.names, &self.key_label)
    }

    /// In the order of the byte code, as below. Changing it needs a new version.
    pub(super) fn figures(&self) -> [u64; FIGURES] {
        [
            self.requests,
            self.refused,
            self.failed,
            self.estimated,
            self.recovered,
            self.retries,
            self.tokens.input,
            self.tokens.cache_read,
            self.tokens.cache_write_5m,
            self.tokens.cache_write_1h,
            self.tokens.output,
            self.tokens.reasoning,
            self.base_cost,
            self.charged,
            self.total_ms,
            self.ttfb_ms,
            self.answered,
        ]
    }

    pub(super) fn figures_mut(&mut self) -> [&mut u64; FIGURES] {
        let Tokens {
            input,
            cache_read,
            cache_write_5m,
            cache_write_1h,
            output,
            reasoning,
        } = &mut self.tokens;
        [
            &mut self.requests,
            &mut self.refused,
            &mut self.failed,
            &mut self.estimated,
            &mut self.recovered,
            &mut self.retries,
            input,
            cache_read,
            cache_write_5m,
            cache_write_1h,
            output,
            reasoning,
            &mut self.base_cost,
            &mut self.charged,
            &mut self.total_ms,
            &mut self.ttfb_ms,
            &mut self.answered,
        ]
    }
}

fn replace(text: &mut String, by: &str) {
    if *text != by {
        text.clear();
        text.push_str(by);
    }
}

pub(super) const FIGURES: usize = 17;
