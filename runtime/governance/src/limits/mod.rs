//! Admission: every node of a path is asked, all of them count or none does; money is held, then settled once.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::calendar::{Calendar, Day, Zone};
use crate::ids::AccountId;
use crate::policy::{Path, PathNode};
use crate::window::{Room, SlidingLog};

/// Which limit refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitKind {
    /// Requests a minute.
    Rpm,
    /// Money a calendar day.
    DailyLimit,
}

impl LimitKind {
    /// Its name in the management API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rpm => "rpm",
            Self::DailyLimit => "daily_limit",
        }
    }
}

/// A request was refused by a limit. Its text shows no figure of any account, only how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// The limit that refuses longest.
    pub limit: LimitKind,
    /// The account that set it: for usage rows and operators, not for the caller unless `own`.
    pub account: AccountId,
    /// Whether it is the caller's own limit rather than one further up.
    pub own: bool,
    /// Exact wait; none if waiting will never help because the request is larger than the limit itself.
    pub retry_after_ms: Option<u64>,
    /// Unix milliseconds at which `retry_after_ms` is over.
    pub resets_at_ms: Option<u64>,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.limit {
            LimitKind::Rpm => "request rate limit",
            LimitKind::DailyLimit => "daily budget",
        };
        match self.retry_after_ms {
            Some(wait) => write!(
                f,
                "the {what} is reached; try again in {} s",
                wait.div_ceil(1000)
            ),
            None => write!(f, "the request is larger than the whole {what}"),
        }
    }
}

impl std::error::Error for Exceeded {}

/// The caller's own rate limit, for `x-ratelimit-*` headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headroom {
    /// Requests a minute.
    pub limit_requests: u64,
    /// How many more fit now.
    pub remaining_requests: u64,
    /// Milliseconds until all of them fit again.
    pub reset_requests_ms: u64,
}

/// What an account's subtree has spent in the current day. Micro-units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Charged for finished requests.
    pub settled: u64,
    /// Held for running ones.
    pub held: u64,
}

/// The counters of the whole tree. One short critical section; shared by all workers.
#[derive(Debug)]
pub struct Counters {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    calendar: Calendar,
    /// By slot. Every account has one, limited or not: a limit set at noon knows what the morning spent.
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// Start of the day to which the money belongs.
    day: u64,
    settled: u64,
    /// Wide, so that no sum of holds can overflow and be released wrongly.
    held: u128,
    /// Only for nodes that have had a rate limit.
    log: Option<Box<SlidingLog>>,
}

impl Node {
    fn roll(&mut self, day: Day) {
        if self.day != day.start_ms {
            (self.day, self.settled, self.held) = (day.start_ms, 0, 0);
        }
    }

    /// Whether `more` money fits under `limit`.
    fn fits(&self, more: u64, limit: u64) -> bool {
        self.held + u128::from(self.settled) + u128::from(more) <= u128::from(limit)
    }
}

impl State {
    /// The node's counters; a new account's begin at zero.
    fn node(&mut self, slot: u32) -> &mut Node {
        let slot = slot as usize;
        if slot >= self.nodes.len() {
            self.nodes
                .resize_with((slot + 1).next_power_of_two(), Node::default);
        }
        &mut self.nodes[slot]
    }

    /// The refusal of `node` that waits longest, if it refuses.
    fn refusal(
        &mut self,
        node: &PathNode,
        day: Day,
        now_ms: u64,
        hold: u64,
    ) -> Option<(LimitKind, Option<u64>)> {
        let counters = self.node(node.slot);
        counters.roll(day);
        let rate = node.limits.rpm.and_then(|limit| {
            match counters.log.get_or_insert_default().room(now_ms, limit) {
                Room::Yes => None,
                Room::After(wait) => Some((LimitKind::Rpm, Some(wait))),
                Room::Never => Some((LimitKind::Rpm, None)),
            }
        });
        let money = node.limits.daily_limit.and_then(|limit| {
            let until_tomorrow = || (hold <= limit).then(|| day.end_ms.saturating_sub(now_ms));
            (!counters.fits(hold, limit)).then(|| (LimitKind::DailyLimit, until_tomorrow()))
        });
        match (rate, money) {
            (Some(rate), Some(money)) => Some(if longer(rate.1, money.1) { rate } else { money }),
            (rate, money) => rate.or(money),
        }
    }
}

/// Whether waiting `a` is longer than waiting `b`; none is for ever.
fn longer(a: Option<u64>, b: Option<u64>) -> bool {
    a.unwrap_or(u64::MAX) > b.unwrap_or(u64::MAX)
}

impl Counters {
    /// Counters that begin at zero, with calendar days of `zone`.
    #[must_use]
    pub fn new(zone: Zone) -> Self {
        Self {
            state: Mutex::new(State {
                calendar: Calendar::new(zone),
                nodes: Vec::new(),
            }),
        }
    }

    /// Changes the zone of the calendar days, from the end of the current day on.
    pub fn set_zone(&self, zone: Zone) {
        self.state.lock().calendar.set_zone(zone);
    }

    /// The calendar day that counts at `now_ms`.
    pub fn day(&self, now_ms: u64) -> Day {
        self.state.lock().calendar.at(now_ms)
    }

    /// Admits one request on every node of `path`, or on none, and holds `hold_micro` of money on each.
    ///
    /// `hold_micro` is the most the request may cost (see [`hold`](crate::hold)); 0 says that it is free.
    ///
    /// # Errors
    /// [`Exceeded`] names the limit that refuses longest. A refused request counts nowhere.
    pub fn admit(
        self: &Arc<Self>,
        path: &Arc<Path>,
        now_ms: u64,
        hold_micro: u64,
    ) -> Result<Admission, Exceeded> {
        let mut state = self.state.lock();
        let day = state.calendar.at(now_ms);
        let mut worst: Option<Exceeded> = None;
        for node in &path.nodes {
            if let Some((limit, wait)) = state.refusal(node, day, now_ms, hold_micro)
                && worst.is_none_or(|worst| longer(wait, worst.retry_after_ms))
            {
                worst = Some(Exceeded {
                    limit,
                    account: node.account,
                    own: node.account == path.account,
                    retry_after_ms: wait,
                    resets_at_ms: wait.map(|wait| now_ms.saturating_add(wait)),
                });
            }
        }
        if let Some(exceeded) = worst {
            return Err(exceeded);
        }
        let mut headroom = None;
        for node in &path.nodes {
            let counters = state.node(node.slot);
            counters.held += u128::from(hold_micro);
            if let Some(limit) = node.limits.rpm {
                let log = counters.log.get_or_insert_default();
                log.push(now_ms);
                // The last node is the caller's own: only its figures are for the caller's eyes.
                headroom = (node.account == path.account).then(|| Headroom {
                    limit_requests: limit,
                    remaining_requests: limit.saturating_sub(log.count(now_ms)),
                    reset_requests_ms: log.empty_after(now_ms),
                });
            }
        }
        drop(state);
        Ok(Admission {
            counters: Arc::clone(self),
            path: Arc::clone(path),
            admitted_ms: now_ms,
            day: day.start_ms,
            hold: hold_micro,
            headroom,
            open: true,
        })
    }

    /// The caller's own rate limit now; none if the account itself sets none.
    pub fn headroom(&self, path: &Path, now_ms: u64) -> Option<Headroom> {
        let node = path.nodes.last()?;
        let limit_requests = node.limits.rpm?;
        let mut state = self.state.lock();
        let log = state.node(node.slot).log.get_or_insert_default();
        Some(Headroom {
            limit_requests,
            remaining_requests: limit_requests.saturating_sub(log.count(now_ms)),
            reset_requests_ms: log.empty_after(now_ms),
        })
    }

    /// What the subtree of the last node of `path` has spent in the current day.
    pub fn spent(&self, path: &Path, now_ms: u64) -> Spent {
        let Some(node) = path.nodes.last() else {
            return Spent::default();
        };
        let mut state = self.state.lock();
        let day = state.calendar.at(now_ms);
        let counters = state.node(node.slot);
        counters.roll(day);
        Spent {
            settled: counters.settled,
            held: u64::try_from(counters.held).unwrap_or(u64::MAX),
        }
    }

    /// Counts again a request of before a restart, on the nodes of these slots. Rows must come in order of admission.
    pub(crate) fn seed(
        &self,
        slots: impl Iterator<Item = (u32, bool)>,
        admitted_ms: u64,
        charged: u64,
        now_ms: u64,
    ) {
        let mut state = self.state.lock();
        let day = state.calendar.at(now_ms);
        for (slot, rate_limited) in slots {
            let counters = state.node(slot);
            counters.roll(day);
            if admitted_ms >= day.start_ms {
                counters.settled = counters.settled.saturating_add(charged);
            }
            if rate_limited && admitted_ms.saturating_add(crate::window::WINDOW_MS) > now_ms {
                counters
                    .log
                    .get_or_insert_default()
                    .push(admitted_ms.min(now_ms));
            }
        }
    }
}

/// An admitted request: it counts on every node of its path, and its money is held until it is settled.
///
/// Settle it once, with what it really cost. Dropped without that (a panic, a lost task), the hold is released and
/// nothing is charged, but the request still counts.
#[derive(Debug)]
#[must_use = "an admission that is dropped charges nothing"]
pub struct Admission {
    counters: Arc<Counters>,
    path: Arc<Path>,
    admitted_ms: u64,
    day: u64,
    hold: u64,
    headroom: Option<Headroom>,
    open: bool,
}

impl Admission {
    /// Charges `charged_micro` on every node instead of the hold. More than the hold is charged all the same.
    pub fn settle(mut self, charged_micro: u64) {
        self.close(charged_micro);
    }

    /// Holds `more_micro` in addition, on every node or none: before a dearer candidate is tried.
    ///
    /// # Errors
    /// [`Exceeded`] when a budget of the path has no room; the hold stays what it was.
    pub fn extend(&mut self, more_micro: u64, now_ms: u64) -> Result<(), Exceeded> {
        let mut state = self.counters.state.lock();
        let day = state.calendar.at(now_ms);
        for node in &self.path.nodes {
            let Some(limit) = node.limits.daily_limit else {
                continue;
            };
            let counters = state.node(node.slot);
            // After midnight the day of the admission is closed: there is nothing left to compare with.
            if counters.day == self.day && !counters.fits(more_micro, limit) {
                let fits_at_all = self.hold.saturating_add(more_micro) <= limit;
                let wait = fits_at_all.then(|| day.end_ms.saturating_sub(now_ms));
                return Err(Exceeded {
                    limit: LimitKind::DailyLimit,
                    account: node.account,
                    own: node.account == self.path.account,
                    retry_after_ms: wait,
                    resets_at_ms: wait.map(|wait| now_ms.saturating_add(wait)),
                });
            }
        }
        let Some(hold) = self.hold.checked_add(more_micro) else {
            // More than 64 bits of money: no account can have that.
            return Err(Exceeded {
                limit: LimitKind::DailyLimit,
                account: self.path.account,
                own: true,
                retry_after_ms: None,
                resets_at_ms: None,
            });
        };
        for node in &self.path.nodes {
            let counters = state.node(node.slot);
            if counters.day == self.day {
                counters.held += u128::from(more_micro);
            }
        }
        self.hold = hold;
        Ok(())
    }

    /// What is held on each node. Micro-units.
    #[must_use]
    pub fn hold(&self) -> u64 {
        self.hold
    }

    /// When it was admitted, Unix milliseconds: the day and row it belongs to.
    #[must_use]
    pub fn admitted_ms(&self) -> u64 {
        self.admitted_ms
    }

    /// The caller's own rate limit right after this admission; none if the account itself sets none.
    #[must_use]
    pub fn headroom(&self) -> Option<Headroom> {
        self.headroom
    }

    fn close(&mut self, charged: u64) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let mut state = self.counters.state.lock();
        for node in &self.path.nodes {
            let counters = state.node(node.slot);
            // A request belongs to the day of its admission. If that day is over, its counters are gone.
            if counters.day == self.day {
                counters.held = counters.held.saturating_sub(u128::from(self.hold));
                counters.settled = counters.settled.saturating_add(charged);
            }
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.close(0);
    }
}

#[cfg(test)]
mod tests;
