//! What the limits mean, written a second time: rows in a list, added up anew for every question.

use super::*;
use crate::account::Limits;
use crate::pattern::matches;

/// An admitted request.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Its nodes when it was admitted, root first: a move afterwards changes nothing of it.
    pub(super) path: Vec<usize>,
    pub(super) model: &'static str,
    pub(super) admitted_ms: u64,
    day: u64,
    month: u64,
    pub(super) ended_ms: u64,
    /// Its tokens with when they were counted, and how many they were then: an entry of a window that has just left it may
    /// still have those.
    parts: Vec<(u64, u64, u64)>,
    /// Held, or charged.
    pub(super) money: u64,
    pub(super) open: bool,
    /// Which node's wallet pays.
    pub(super) wallet: Option<usize>,
}

/// A node of the tree. The first is the root.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) parent: Option<usize>,
    pub(super) prepaid: Option<bool>,
    /// In millionths.
    pub(super) factor: Option<u64>,
    pub(super) suspended: bool,
    pub(super) available: i64,
}

/// The limits of a node, or those of a pattern of it.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) node: usize,
    pub(super) pattern: Option<&'static str>,
    pub(super) limits: Limits,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Plain {
    pub(super) places: Vec<Place>,
    pub(super) sets: Vec<Set>,
    pub(super) rows: Vec<Row>,
    pub(super) uncovered: i64,
}

/// What a request should get: how it may be refused, and what it holds if it is admitted.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Surely refused: by the wallet, or by a limit with this least wait (none: for ever).
    pub(super) refused: Option<(bool, Option<u64>)>,
    /// Whether credit that is held and a limit refuse for about as long: either may be told.
    pub(super) either: bool,
    /// Whether a merged entry that is late to leave may be what refuses.
    pub(super) doubtful: bool,
    pub(super) output: u64,
    pub(super) hold: u64,
}

/// How late an entry of a window may leave it.
pub(super) fn grain(kind: LimitKind) -> u64 {
    match kind {
        LimitKind::Rpm | LimitKind::Tpm => MINUTE / 1_200,
        LimitKind::Rph | LimitKind::Tph => HOUR / 1_200,
        _ => 0,
    }
}

fn length(kind: LimitKind) -> Option<u64> {
    match kind {
        LimitKind::Rpm | LimitKind::Tpm => Some(MINUTE),
        LimitKind::Rph | LimitKind::Tph => Some(HOUR),
        _ => None,
    }
}

impl Row {
    pub(super) fn tokens(&self) -> u64 {
        self.parts.iter().map(|(_, tokens, _)| tokens).sum()
    }

    fn count(&mut self, at_ms: u64, tokens: u64) {
        self.parts.push((at_ms, tokens, tokens));
    }

    /// When how much of it counts in a window, and how much of that at most.
    fn counts(&self, kind: LimitKind) -> Vec<(u64, u64, u64)> {
        match kind {
            LimitKind::Rpm | LimitKind::Rph => vec![(self.admitted_ms, 1, 1)],
            _ => self.parts.clone(),
        }
    }
}

impl Set {
    fn is_about(&self, model: &str) -> bool {
        self.pattern.is_none_or(|pattern| matches(pattern, model))
    }
}

impl Plain {
    /// The nodes from the root to this one.
    pub(super) fn path(&self, node: usize) -> Vec<usize> {
        let mut path: Vec<usize> =
            std::iter::successors(Some(node), |node| self.places[*node].parent).collect();
        path.reverse();
        path
    }

    pub(super) fn is_enabled(&self, node: usize) -> bool {
        self.path(node)
            .iter()
            .all(|node| !self.places[*node].suspended)
    }

    /// The nearest one's, but never less than one above; in millionths.
    pub(super) fn factor(&self, node: usize) -> u64 {
        let set = self
            .path(node)
            .into_iter()
            .filter_map(|node| self.places[node].factor);
        set.fold(None, |above, own| Some(own.max(above.unwrap_or(0))))
            .unwrap_or(1_000_000)
    }

    fn rows_of<'a>(&'a self, set: &'a Set) -> impl Iterator<Item = &'a Row> {
        let of_node = |row: &&Row| row.path.contains(&set.node);
        let rows = self.rows.iter().filter(of_node);
        rows.filter(|row| set.is_about(row.model))
    }

    /// What counts against a limit of a set, at least and at most.
    pub(super) fn used(&self, set: &Set, kind: LimitKind, now: &Now) -> (u64, u64) {
        let amount = |row: &Row| match kind {
            LimitKind::Tpd => row.tokens(),
            LimitKind::DailyLimit | LimitKind::MonthlyLimit => row.money,
            _ => 1,
        };
        let rows = self.rows_of(set);
        if let Some(length) = length(kind) {
            let (mut low, mut high) = (0, 0);
            for (at_ms, counts, most) in rows.flat_map(|row| row.counts(kind)) {
                if at_ms + length > now.ms {
                    low += counts;
                } else if at_ms + length + grain(kind) > now.ms {
                    high += most;
                }
            }
            return (low, low + high);
        }
        let counts = |row: &&Row| match kind {
            LimitKind::Concurrency => row.open,
            LimitKind::MonthlyLimit => row.month == now.month.start_ms,
            _ => row.day == now.day.start_ms,
        };
        let sum = rows.filter(counts).map(amount).sum();
        (sum, sum)
    }

    /// Tokens of today that no running request may give back.
    fn tokens_spent(&self, set: &Set, now: &Now) -> u64 {
        let rows = self.rows_of(set).filter(|row| !row.open);
        let rows = rows.filter(|row| row.day == now.day.start_ms);
        rows.map(Row::tokens).sum()
    }

    /// Money that has been charged.
    fn spent(&self, set: &Set, kind: LimitKind, now: &Now) -> u64 {
        let charged = self.rows_of(set).filter(|row| !row.open);
        let counts = |row: &&Row| match kind {
            LimitKind::MonthlyLimit => row.month == now.month.start_ms,
            _ => row.day == now.day.start_ms,
        };
        charged.filter(counts).map(|row| row.money).sum()
    }

    /// The least wait until `amount` fits; none: now.
    fn wait(&self, set: &Set, kind: LimitKind, limit: u64, amount: u64, now: &Now) -> Option<u64> {
        let (used, _) = self.used(set, kind, now);
        if used + amount <= limit {
            return None;
        }
        let Some(length) = length(kind) else {
            return Some(match kind {
                LimitKind::Concurrency => 1_000,
                LimitKind::Tpd if self.tokens_spent(set, now) + amount <= limit => 1_000,
                kind => now.until_reset(kind),
            });
        };
        let mut left = used + amount - limit;
        let mut counted: Vec<_> = self.rows_of(set).flat_map(|row| row.counts(kind)).collect();
        counted.sort();
        for (at_ms, counts, _) in counted {
            if at_ms + length <= now.ms {
                continue;
            }
            if counts >= left {
                return Some(at_ms + length - now.ms);
            }
            left -= counts;
        }
        panic!("what is used leaves");
    }

    pub(super) fn payer(&self, node: usize) -> Option<usize> {
        let path = self.path(node);
        let mut nearest = path.iter().rev();
        let (node, prepaid) =
            nearest.find_map(|node| Some((*node, self.places[*node].prepaid?)))?;
        prepaid.then_some(node)
    }

    pub(super) fn judge(&self, node: usize, call: &Call, now: &Now) -> Verdict {
        let path = self.path(node);
        let of_path = |set: &&Set| path.contains(&set.node) && set.is_about(call.model);
        let sets: Vec<&Set> = self.sets.iter().filter(of_path).collect();
        let factor = self.factor(node);
        let price = |output: u64| (call.base + call.each * output) * factor / 1_000_000;
        let mut afford = u64::MAX;
        let mut waits: Vec<Option<u64>> = Vec::new();
        let mut doubtful = false;
        for set in &sets {
            for kind in LimitKind::ALL {
                let Some(limit) = set.limits.get(kind) else {
                    continue;
                };
                let (low, high) = self.used(set, kind, now);
                if kind.is_money() {
                    afford = afford.min(limit.saturating_sub(low));
                    continue;
                }
                let (needs, least) = match kind {
                    LimitKind::Tpm | LimitKind::Tph | LimitKind::Tpd => {
                        let whole = call.input + call.expected;
                        (whole.min(limit.max(call.input)), call.input)
                    }
                    _ => (1, 1),
                };
                if kind.counts_tokens() && call.input + call.expected == 0 {
                    continue;
                }
                if least > limit {
                    waits.push(None);
                } else if let Some(wait) = self.wait(set, kind, limit, needs, now) {
                    waits.push(Some(wait));
                }
                doubtful |= high > low && high + needs > limit;
            }
        }
        let payer = self.payer(node);
        if let Some(payer) = payer {
            afford = afford.min(u64::try_from(self.places[payer].available).unwrap());
        }
        let lowest = call.least.min(call.output);
        // All that is wanted, or else what half of what is left is enough for.
        let share = match price(call.output) <= afford {
            true => afford,
            false => (afford / 2).max(price(lowest)),
        };
        let fits = (lowest..=call.output)
            .rev()
            .find(|output| price(*output) <= share.min(afford));
        let output = fits.unwrap_or(lowest);
        let hold = price(output);
        let (mut empty, mut held) = (false, false);
        if fits.is_none() {
            if let Some(payer) = payer {
                let open = self.rows.iter().filter(|row| row.open);
                let open = open.filter(|row| row.wallet == Some(payer));
                let under_way: u64 = open.map(|row| row.money).sum();
                let free = u64::try_from(self.places[payer].available).unwrap();
                empty = hold > free + under_way;
                held = hold > free && !empty;
            }
            for set in &sets {
                for kind in [LimitKind::DailyLimit, LimitKind::MonthlyLimit] {
                    let Some(limit) = set.limits.get(kind) else {
                        continue;
                    };
                    let (used, _) = self.used(set, kind, now);
                    if hold > limit.saturating_sub(used) {
                        let spent = self.spent(set, kind, now);
                        waits.push(match () {
                            () if hold <= limit.saturating_sub(spent) => Some(1_000),
                            () if hold <= limit => Some(now.until_reset(kind)),
                            () => None,
                        });
                    }
                }
            }
        }
        let longest = waits.iter().max_by_key(|wait| wait.unwrap_or(u64::MAX));
        let refused = match (empty, longest) {
            (true, _) => Some((true, None)),
            (false, Some(wait)) if !held || wait.is_none_or(|wait| wait > 1_000) => {
                Some((false, *wait))
            }
            _ if held => Some((true, Some(1_000))),
            _ => None,
        };
        let short = |wait: &Option<u64>| wait.is_some_and(|wait| wait <= 1_000);
        let either = held && (doubtful || longest.is_some_and(short));
        Verdict {
            refused,
            either,
            doubtful,
            output,
            hold,
        }
    }

    pub(super) fn admit(&mut self, node: usize, call: &Call, hold: u64, now: &Now) {
        let wallet = self.payer(node);
        if let Some(wallet) = wallet {
            self.places[wallet].available -= i64::try_from(hold).unwrap();
        }
        let tokens = call.input + call.expected;
        self.rows.push(Row {
            path: self.path(node),
            model: call.model,
            admitted_ms: now.ms,
            day: now.day.start_ms,
            month: now.month.start_ms,
            ended_ms: 0,
            parts: vec![(now.ms, tokens, tokens)],
            money: hold,
            open: true,
            wallet,
        });
    }

    /// Money of the window that a request was admitted in. What counted before the last window with requests in it is
    /// not kept: then the request knows of itself alone.
    fn used_beside(&self, set: &Set, kind: LimitKind, row: &Row, now: &Now) -> u64 {
        let window = |row: &Row| match kind {
            LimitKind::MonthlyLimit => row.month,
            _ => row.day,
        };
        let current = match kind {
            LimitKind::MonthlyLimit => now.month.start_ms,
            _ => now.day.start_ms,
        };
        let own = window(row);
        let between = |other: &Row| (own + 1..current).contains(&window(other));
        if self.rows_of(set).any(between) {
            return row.money;
        }
        let same = self.rows_of(set).filter(|other| window(other) == own);
        same.map(|row| row.money).sum()
    }

    /// Whether a running request may hold `hold` in all.
    pub(super) fn may_extend(&self, row: usize, hold: u64, now: &Now) -> bool {
        let row = &self.rows[row];
        let more = hold.saturating_sub(row.money);
        let of_path = |set: &&Set| row.path.contains(&set.node) && set.is_about(row.model);
        let limits = self.sets.iter().filter(of_path).all(|set| {
            [LimitKind::DailyLimit, LimitKind::MonthlyLimit]
                .into_iter()
                .all(|kind| {
                    let limit = set.limits.get(kind).unwrap_or(u64::MAX);
                    more <= limit.saturating_sub(self.used_beside(set, kind, row, now))
                })
        });
        let wallet = row
            .wallet
            .is_none_or(|wallet| i64::try_from(more).unwrap() <= self.places[wallet].available);
        limits && wallet
    }

    pub(super) fn extend(&mut self, row: usize, hold: u64, tokens: u64, now_ms: u64) {
        let row = &mut self.rows[row];
        let more = hold.saturating_sub(row.money);
        row.money += more;
        row.count(now_ms, tokens.saturating_sub(row.tokens()));
        if let Some(wallet) = row.wallet {
            self.places[wallet].available -= i64::try_from(more).unwrap();
        }
    }

    pub(super) fn settle(&mut self, row: usize, tokens: u64, charged: u64, now_ms: u64) {
        let row = &mut self.rows[row];
        let (hold, cost) = (
            i64::try_from(row.money).unwrap(),
            i64::try_from(charged).unwrap(),
        );
        if let Some(wallet) = row.wallet {
            let after = self.places[wallet].available + hold - cost;
            self.uncovered += (-after).max(0);
            self.places[wallet].available = after.max(0);
        }
        let counted = row.tokens();
        row.count(now_ms, tokens.saturating_sub(counted));
        // What was too much goes where it was counted first.
        let mut surplus = counted.saturating_sub(tokens);
        for (_, counts, _) in &mut row.parts {
            let taken = surplus.min(*counts);
            *counts -= taken;
            surplus -= taken;
        }
        (row.ended_ms, row.money, row.open) = (now_ms, charged, false);
    }

    /// After a restart all of an answer counts when it had ended.
    pub(super) fn restart(&mut self) {
        for row in &mut self.rows {
            let tokens = row.tokens();
            row.parts = vec![(row.ended_ms, tokens, tokens)];
        }
    }
}
