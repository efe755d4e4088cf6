//! Admission: every node of a path is asked, all of them count or none does; money is held, then settled once.

mod admission;
mod exceeded;
mod tally;

use std::sync::Arc;

use parking_lot::Mutex;
use smallvec::SmallVec;
use uuid::Uuid;

use crate::account::LimitKind;
use crate::calendar::{Calendar, Day, Zone};
use crate::ids::AccountId;
use crate::ledger::{Balance, Ledger, LedgerError, micro_units};
use crate::node::LimitSet;
use crate::path::Path;
use tally::{Counted, NEXT_PLACE_MS, Now, Part, Tallies, Tally};

pub use admission::{Admission, Running, Settled};
pub use exceeded::{Bound, Exceeded};
pub(crate) use tally::Past;

/// A request that wants to be admitted.
pub struct Ask<'a> {
    /// Our id of it, version 7: under which its credit is held.
    pub request: Uuid,
    /// The model that is to be served: which limits of models apply.
    pub model: &'a str,
    /// Estimated input, tokens.
    pub input: u64,
    /// Expected output, tokens: what counts against limits of tokens until the settlement tells. Not the cap that the
    /// client set: agents ask for 32,000 and more and mostly need a few hundred.
    pub expected: u64,
    /// Output to hold money for, tokens.
    pub output: u64,
    /// As little output as is still of use: where money is short the output is lowered, but not below. The same as
    /// `output` where it cannot be lowered.
    pub least_output: u64,
    /// What the request costs at most with so much output, micro-units. Never falls with more output.
    pub price: &'a dyn Fn(u64) -> u64,
}

/// One of the caller's own rate limits, for `x-ratelimit-*` headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests, or tokens.
    pub limit: u64,
    /// How many more fit now.
    pub remaining: u64,
    /// Milliseconds until all of them fit again.
    pub reset_ms: u64,
}

/// The caller's own rate limits: those of its account, never an ancestor's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headroom {
    /// Requests: the shortest window that is limited.
    pub requests: Option<Rate>,
    /// Tokens: the shortest window that is limited.
    pub tokens: Option<Rate>,
}

/// What an account's subtree has used. Money in micro-units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Charged today for finished requests.
    pub settled: u64,
    /// Held for running ones of today.
    pub held: u64,
    /// Charged this month.
    pub settled_month: u64,
    /// Requests admitted today.
    pub requests: u64,
    /// Tokens of today, estimates for running requests included.
    pub tokens: u64,
    /// Requests under way.
    pub running: u32,
}

/// A limit of a node with what counts against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitUse {
    /// The node that set it.
    pub account: AccountId,
    /// Which models; none: all.
    pub pattern: Option<String>,
    /// Which limit.
    pub kind: LimitKind,
    /// Requests, tokens or micro-units.
    pub limit: u64,
    /// The same.
    pub used: u64,
}

/// The counters of the whole tree and its ledger. One short critical section, shared by all workers: a request counts on
/// all nodes and holds its credit in one step, so that nobody is refused for the sake of one that is refused elsewhere.
#[derive(Debug)]
pub struct Counters {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The latest time that anybody said.
    latest_ms: u64,
    calendar: Calendar,
    tallies: Tallies,
    ledger: Ledger,
    /// The operator's share of each charge, in millionths.
    fee_ppm: u32,
}

/// A whole, in millionths.
const MILLION: u32 = 1_000_000;

/// A caller that is behind by less read its clock a moment ago; by more, the clock was set back.
const LATE_MS: u64 = 5_000;

/// The slots that a request counts on. Most paths are shorter.
type Slots = SmallVec<[u32; 12]>;

impl State {
    fn tally(&mut self, slot: u32) -> &mut Tally {
        self.tallies.at(slot)
    }

    /// Sees to it that these count for now. Mostly they do, and a plain look at all of them waits for memory once; changed
    /// one by one, each would wait for itself.
    fn roll(&mut self, slots: &Slots, now: &Now) {
        let old = slots.iter().filter(|slot| !self.tallies.is_of(**slot, now));
        if old.count() > 0 {
            for slot in slots {
                self.tallies.at(*slot).roll(now);
            }
        }
    }

    /// The time to reckon with. One place decides whether a clock was set back, for all windows: a caller that is a little
    /// behind must not turn one back, or what came in between would leave it too early.
    fn now(&mut self, said_ms: u64) -> Now {
        let now_ms = match self.latest_ms.saturating_sub(said_ms) {
            0..=LATE_MS => self.latest_ms.max(said_ms),
            _ => said_ms,
        };
        self.latest_ms = now_ms;
        Now {
            ms: now_ms,
            day: self.calendar.day(now_ms),
            month: self.calendar.month(now_ms),
        }
    }
}

/// The refusal that waits longest so far.
struct Worst(Option<Exceeded>);

/// When there is room again.
#[derive(Clone, Copy)]
enum Wait {
    After(u64),
    /// Some of it when requests under way end.
    Held,
    Never,
}

impl Wait {
    /// `hold` is too much for what is left. So much would be left if nothing were held, and so much at most.
    fn of(hold: u64, unspent: u64, most: u64, until_reset: impl FnOnce() -> u64) -> Self {
        match () {
            () if hold <= unspent => Self::Held,
            () if hold <= most => Self::After(until_reset()),
            () => Self::Never,
        }
    }
}

impl Worst {
    fn note(
        &mut self,
        path: &Path,
        account: AccountId,
        set: Option<&LimitSet>,
        bound: Bound,
        wait: Wait,
        now_ms: u64,
    ) {
        let retry_after_ms = match wait {
            Wait::After(wait) => Some(wait),
            Wait::Held => Some(NEXT_PLACE_MS),
            Wait::Never => None,
        };
        let is_zero = |set: &LimitSet| {
            let mut limits = set.limits.iter();
            limits.any(|(kind, limit)| Bound::Limit(*kind) == bound && *limit == 0)
        };
        let exceeded = Exceeded {
            bound,
            account,
            pattern: set.and_then(|set| set.pattern.clone()),
            own: account == path.account(),
            is_held: matches!(wait, Wait::Held),
            is_zero: matches!(wait, Wait::Never) && set.is_some_and(is_zero),
            retry_after_ms,
            resets_at_ms: retry_after_ms.map(|wait| now_ms.saturating_add(wait)),
        };
        // For ever is longer than any wait; an empty wallet needs somebody to act, so it is told before all others, and a limit
        // of 0 before one that a smaller request would fit.
        let rank = |exceeded: &Exceeded| match exceeded.retry_after_ms {
            None => (exceeded.bound == Bound::Wallet, exceeded.is_zero, u64::MAX),
            Some(wait) => (false, false, wait),
        };
        if let Some(worst) = &self.0
            && rank(worst) >= rank(&exceeded)
        {
            return;
        }
        self.0 = Some(exceeded);
    }
}

impl Counters {
    /// Counters that begin at zero, with calendar days of `zone`.
    #[must_use]
    pub fn new(zone: Zone, ledger: Ledger) -> Self {
        Self {
            state: Mutex::new(State {
                latest_ms: 0,
                calendar: Calendar::new(zone),
                tallies: Tallies::default(),
                ledger,
                fee_ppm: 0,
            }),
        }
    }

    /// Books so many millionths of each charge that a wallet pays as the operator's fee, from now on; at most a million.
    /// The charge itself, and so holds and limits, stays what it is.
    pub fn set_fee(&self, fee_ppm: u32) {
        self.state.lock().fee_ppm = fee_ppm.min(MILLION);
    }

    /// Changes the zone of the calendar days and months, from the end of those of `now_ms` on.
    pub fn set_zone(&self, zone: &Zone, now_ms: u64) {
        let mut state = self.state.lock();
        // Sees to it that there are current ones.
        state.now(now_ms);
        state.calendar.set_zone(zone);
    }

    /// Says which zones there were until when (Unix milliseconds), oldest first: the day and month that ran then end as they
    /// would have. Before anything is counted.
    pub fn zones_changed(&self, before: &[(Zone, u64)]) {
        self.state.lock().calendar.changed(before);
    }

    /// The calendar day that counts at `now_ms`.
    pub fn day(&self, now_ms: u64) -> Day {
        self.state.lock().calendar.day(now_ms)
    }

    /// The calendar month that counts at `now_ms`.
    pub fn month(&self, now_ms: u64) -> Day {
        self.state.lock().calendar.month(now_ms)
    }

    /// Works on the ledger, under the lock that requests hold credit under: keep it short.
    pub fn ledger<T>(&self, work: impl FnOnce(&mut Ledger) -> T) -> T {
        work(&mut self.state.lock().ledger)
    }

    /// Admits one request on every node of `path`, or on none, and holds its money on each and in the wallet that pays.
    ///
    /// # Errors
    /// [`Exceeded`] names what refuses longest. A refused request counts nowhere.
    pub fn admit(
        self: &Arc<Self>,
        path: &Path,
        ask: &Ask<'_>,
        now_ms: u64,
    ) -> Result<Admission, Exceeded> {
        let wallet = path.wallet();
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let now = state.now(now_ms);
        let now_ms = now.ms;
        let mut worst = Worst(None);
        let nodes = path.nodes().iter();
        let slots: Slots = nodes
            .flat_map(|node| node.sets(ask.model))
            .map(|set| set.slot)
            .collect();
        state.roll(&slots, &now);
        let mut afford = u64::MAX;
        let mut in_places = false;
        for node in path.nodes() {
            for set in node.sets(ask.model) {
                let tally = state.tally(set.slot);
                for (kind, limit) in &set.limits {
                    in_places |= *kind == LimitKind::Concurrency;
                    if kind.is_money() {
                        afford = afford.min(tally.left(*kind, *limit));
                    } else if let Some(wait) =
                        tally.wait(*kind, *limit, ask.input, ask.expected, &now)
                    {
                        worst.note(
                            path,
                            node.id(),
                            Some(set),
                            Bound::Limit(*kind),
                            wait,
                            now_ms,
                        );
                    }
                }
            }
        }
        if let Some(wallet) = wallet {
            let available = state.ledger.balance(wallet, now_ms).available;
            afford = afford.min(u64::try_from(available).unwrap_or(0));
        }
        let (output, hold) = affordable(ask, afford);
        if hold > afford {
            state.note_money(path, ask, hold, wallet, &now, &mut worst);
        }
        if let Some(exceeded) = worst.0 {
            return Err(exceeded);
        }
        if let Some(wallet) = wallet {
            let ledger = &mut state.ledger;
            let held = ledger.hold(ask.request, wallet, micro_units(hold), now_ms);
            held.map_err(|error| not_held(&error, path, wallet, now_ms))?;
        }
        let counted = Counted {
            admitted_ms: now_ms,
            day: now.day.start_ms,
            month: now.month.start_ms,
            tokens: ask.input.saturating_add(ask.expected),
            hold,
        };
        for slot in &slots {
            state.tally(*slot).admit(&counted);
        }
        let headroom = state.headroom(path, &now);
        drop(guard);
        Ok(Admission {
            counters: Arc::clone(self),
            slots,
            request: ask.request,
            wallet,
            input: ask.input,
            parts: SmallVec::from_slice(&[Part {
                at_ms: now_ms,
                tokens: counted.tokens,
            }]),
            counted,
            output,
            headroom,
            open: true,
            in_places,
        })
    }

    /// The caller's own rate limits now.
    pub fn headroom(&self, path: &Path, now_ms: u64) -> Headroom {
        let mut state = self.state.lock();
        let now = state.now(now_ms);
        state.headroom(path, &now)
    }

    /// What the subtree of the last node of `path` has used.
    pub fn spent(&self, path: &Path, now_ms: u64) -> Spent {
        let Some(leaf) = path.nodes().last() else {
            return Spent::default();
        };
        let mut state = self.state.lock();
        let now = state.now(now_ms);
        state.tallies.read(leaf.base.slot, &now, |tally| Spent {
            settled: tally.day.settled,
            held: u64::try_from(tally.day.held()).unwrap_or(u64::MAX),
            settled_month: tally.month.settled,
            requests: tally.day.requests,
            tokens: tally.day.tokens.all(),
            running: tally.running,
        })
    }

    /// Every limit of the path with what counts against it, root first.
    pub fn uses(&self, path: &Path, now_ms: u64) -> Vec<LimitUse> {
        let mut state = self.state.lock();
        let now = state.now(now_ms);
        let now_ms = now.ms;
        let mut uses = Vec::new();
        for node in path.nodes() {
            for set in std::iter::once(&node.base).chain(&node.by_model) {
                state.tallies.read(set.slot, &now, |tally| {
                    uses.extend(set.limits.iter().map(|(kind, limit)| LimitUse {
                        account: node.id(),
                        pattern: set.pattern.as_deref().map(str::to_owned),
                        kind: *kind,
                        limit: *limit,
                        used: tally.used(*kind, now_ms),
                    }));
                });
            }
        }
        uses
    }

    /// Requests under way of the account that counts at this slot.
    pub(crate) fn running(&self, slot: u32) -> u32 {
        self.state.lock().tallies.running(slot)
    }

    /// Sees to it that the windows of these limits are kept from now on.
    pub(crate) fn keep(&self, sets: &[&LimitSet]) {
        let mut state = self.state.lock();
        for set in sets {
            for (kind, _) in set.limits.iter().filter(|(kind, _)| kind.slides()) {
                state.tally(set.slot).keep(*kind);
            }
        }
    }

    /// Counts again a request of before a restart, on these slots.
    pub(crate) fn seed(&self, slots: impl Iterator<Item = u32>, past: &Past, now_ms: u64) {
        let mut state = self.state.lock();
        let now = state.now(now_ms);
        for slot in slots {
            state.tally(slot).seed(past, &now);
        }
    }
}

impl State {
    /// Notes every limit of money, and the wallet, that cannot afford `hold`.
    fn note_money(
        &mut self,
        path: &Path,
        ask: &Ask<'_>,
        hold: u64,
        wallet: Option<AccountId>,
        now: &Now,
        worst: &mut Worst,
    ) {
        for node in path.nodes() {
            for set in node.sets(ask.model) {
                for (kind, limit) in set.limits.iter().filter(|(kind, _)| kind.is_money()) {
                    let tally = self.tally(set.slot);
                    if hold > tally.left(*kind, *limit) {
                        let unspent = tally.unspent(*kind, *limit);
                        let wait = Wait::of(hold, unspent, *limit, || now.until_reset(*kind));
                        let bound = Bound::Limit(*kind);
                        worst.note(path, node.id(), Some(set), bound, wait, now.ms);
                    }
                }
            }
        }
        if let Some(wallet) = wallet {
            let Balance {
                available, held, ..
            } = self.ledger.balance(wallet, now.ms);
            let credit = |amount: i64| u64::try_from(amount).unwrap_or(0);
            if hold > credit(available) {
                let unspent = credit(available).saturating_add(credit(held));
                let wait = Wait::of(hold, unspent, 0, || 0);
                worst.note(path, wallet, None, Bound::Wallet, wait, now.ms);
            }
        }
    }

    fn headroom(&mut self, path: &Path, now: &Now) -> Headroom {
        // The last node is the caller's own: only its figures are for the caller's eyes.
        let Some(own) = path.nodes().last().map(|leaf| &leaf.base) else {
            return Headroom::default();
        };
        if own.limits.is_empty() {
            return Headroom::default();
        }
        self.tallies.read(own.slot, now, |tally| {
            let mut shortest = |kinds: [LimitKind; 3]| {
                let (kind, limit) = own.limits.iter().find(|(kind, _)| kinds.contains(kind))?;
                Some(Rate {
                    limit: *limit,
                    remaining: limit.saturating_sub(tally.used(*kind, now.ms)),
                    reset_ms: tally.empty_after(*kind, now),
                })
            };
            Headroom {
                requests: shortest([LimitKind::Rpm, LimitKind::Rph, LimitKind::Rpd]),
                tokens: shortest([LimitKind::Tpm, LimitKind::Tph, LimitKind::Tpd]),
            }
        })
    }
}

/// Why the ledger holds nothing for a request that its wallet could pay.
fn not_held(error: &LedgerError, path: &Path, wallet: AccountId, now_ms: u64) -> Exceeded {
    let (bound, wait) = match error {
        // A body that took minutes to come. The same request sent again has an id of its time.
        LedgerError::TooOld(_) => (Bound::Age, Some(NEXT_PLACE_MS)),
        // Closed a moment ago, or a request that was settled already: nothing that a wait would change.
        _ => (Bound::Wallet, None),
    };
    Exceeded {
        bound,
        account: wallet,
        pattern: None,
        own: wallet == path.account(),
        is_held: false,
        is_zero: false,
        retry_after_ms: wait,
        resets_at_ms: wait.map(|wait| now_ms.saturating_add(wait)),
    }
}

/// How much output is held for where `afford` is left, and its hold: the wanted output, or less where that may be, or the
/// least, whose hold may be more than can be afforded.
fn affordable(ask: &Ask<'_>, afford: u64) -> (u64, u64) {
    let wanted = (ask.price)(ask.output);
    if wanted <= afford || ask.least_output >= ask.output {
        return (ask.output, wanted);
    }
    let least = (ask.price)(ask.least_output);
    if least > afford {
        return (ask.least_output, least);
    }
    // Half of what is left: one request that holds all of it would refuse everybody else's until it ends.
    let share = (afford / 2).max(least);
    // `low` is within the share, `high` is not.
    let (mut low, mut high) = (ask.least_output, ask.output);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match (ask.price)(middle) <= share {
            true => low = middle,
            false => high = middle,
        }
    }
    (low, (ask.price)(low))
}

#[cfg(test)]
mod tests;
