//! What one set of limits has counted: the day, the month, what is running, and sliding windows where they are limited.

use crate::account::LimitKind;
use crate::calendar::Day;
use crate::window::{HOUR_MS, MINUTE_MS, Room, SlidingLog};

use super::Wait;

/// The counters of one account, or of one pattern of models of it. Calendar sums and running requests are kept whether
/// they are limited or not: a limit set at noon knows what the morning spent.
///
/// Aligned to the cache: an account that few use is in none, and then each line more is a wait.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Tally {
    pub(super) day: Sums<Tokens>,
    pub(super) month: Sums<()>,
    pub(super) running: u32,
    /// Sliding windows; only those that have been limited. Boxed without spare room: with it a tally would need a third
    /// line of the cache.
    rates: Box<[(LimitKind, SlidingLog)]>,
    /// The day and the month before this one, should the clock have been wrong and be set back.
    before: Option<Box<Before>>,
}

#[derive(Debug, Default)]
struct Before {
    day: Sums<Tokens>,
    month: Sums<()>,
}

const _: () = assert!(size_of::<Tally>() <= 128);

/// The counters of all slots, in pieces that are made when somebody counts there: growing one long list copied 100 MB
/// under the lock at the millionth account.
#[derive(Debug, Default)]
pub(super) struct Tallies(Vec<Option<Box<[Tally]>>>);

/// Slots in one piece.
const PIECE: usize = 256;

impl Tallies {
    /// A slot's counters; a new account's begin at zero.
    pub(super) fn at(&mut self, slot: u32) -> &mut Tally {
        let slot = slot as usize;
        let piece = slot / PIECE;
        if piece >= self.0.len() {
            self.0.resize_with(piece + 1, || None);
        }
        let fresh = || (0..PIECE).map(|_| Tally::default()).collect();
        &mut self.0[piece].get_or_insert_with(fresh)[slot % PIECE]
    }

    /// Reads a slot's counters as they are now. Makes none: where nobody counts there is nothing to keep, and a listing of
    /// all accounts would make 32 KiB for every 256 of them.
    pub(super) fn read<T>(
        &mut self,
        slot: u32,
        now: &Now,
        read: impl FnOnce(&mut Tally) -> T,
    ) -> T {
        let slot = slot as usize;
        let piece = self.0.get_mut(slot / PIECE).and_then(Option::as_deref_mut);
        let mut unused = Tally::default();
        let tally = piece.map_or(&mut unused, |piece| &mut piece[slot % PIECE]);
        tally.roll(now);
        read(tally)
    }

    /// Requests under way.
    pub(super) fn running(&self, slot: u32) -> u32 {
        let slot = slot as usize;
        let piece = self.0.get(slot / PIECE).and_then(Option::as_deref);
        piece.map_or(0, |piece| piece[slot % PIECE].running)
    }

    /// How many pieces were made.
    #[cfg(test)]
    pub(super) fn pieces(&self) -> usize {
        self.0.iter().flatten().count()
    }

    /// Whether a slot counts for now already.
    pub(super) fn is_of(&self, slot: u32, now: &Now) -> bool {
        let slot = slot as usize;
        let piece = self.0.get(slot / PIECE).and_then(Option::as_deref);
        piece.is_some_and(|piece| {
            let Tally { day, month, .. } = &piece[slot % PIECE];
            // Both, without a branch between: they lie on two lines.
            (day.start_ms == now.day.start_ms) & (month.start_ms == now.month.start_ms)
        })
    }
}

/// Sums of one calendar day or month.
#[derive(Debug, Default)]
pub(super) struct Sums<T> {
    /// Which one: its first moment.
    start_ms: u64,
    pub(super) requests: u64,
    /// Charged for finished requests, micro-units.
    pub(super) settled: u64,
    /// Held for running ones.
    held: Wide,
    /// Only days have a limit of them.
    pub(super) tokens: T,
}

/// So wide that no sum of holds can overflow and be released wrongly. Packed: aligned to 16 a tally would need a third line
/// of the cache.
#[derive(Clone, Copy, Debug, Default)]
#[repr(Rust, packed(8))]
struct Wide(u128);

/// Tokens of one calendar day.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Of finished requests.
    settled: u64,
    /// Counted of running ones.
    held: u64,
}

impl Tokens {
    /// All that counts. Saturates.
    pub(super) fn all(&self) -> u64 {
        self.settled.saturating_add(self.held)
    }

    /// The wait until so many more fit under a limit; none if they do. What running requests hold may come back.
    fn wait(&self, more: u64, limit: u64, now: &Now) -> Option<Wait> {
        if more <= limit.saturating_sub(self.all()) {
            return None;
        }
        let unspent = limit.saturating_sub(self.settled);
        let until_midnight = || now.until_reset(LimitKind::Tpd);
        Some(Wait::of(more, unspent, limit, until_midnight))
    }
}

/// The day and month that count now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) ms: u64,
    pub(super) day: Day,
    pub(super) month: Day,
}

impl Now {
    /// Milliseconds until the day or the month of a limit ends.
    pub(super) fn until_reset(&self, kind: LimitKind) -> u64 {
        let span = match kind {
            LimitKind::MonthlyLimit => self.month,
            _ => self.day,
        };
        span.end_ms.saturating_sub(self.ms)
    }
}

/// How a request counted when it was admitted, so that it can be settled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) admitted_ms: u64,
    /// First moments of its day and month.
    pub(super) day: u64,
    pub(super) month: u64,
    /// All of its parts together.
    pub(super) tokens: u64,
    pub(super) hold: u64,
}

/// Tokens of a request that were counted at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) at_ms: u64,
    pub(super) tokens: u64,
}

/// A request of before a restart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Past {
    pub(crate) admitted_ms: u64,
    pub(crate) ended_ms: u64,
    /// Tokens, cached or not.
    pub(crate) input: u64,
    /// Tokens.
    pub(crate) output: u64,
    pub(crate) charged: u64,
}

/// Money of one day or month.
#[derive(Clone, Copy, Debug)]
struct Money {
    start_ms: u64,
    settled: u64,
    /// Settled and held. Saturates.
    committed: u64,
}

impl Before {
    fn day(&self) -> Money {
        self.day.money()
    }

    fn month(&self) -> Money {
        self.month.money()
    }
}

/// Money that a limit leaves in one day or month.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) left: u64,
    /// So much if all that run were free.
    pub(super) unspent: u64,
    /// The day or month has ended; nothing of it will come back by waiting for its end.
    pub(super) is_over: bool,
}

/// How long somebody waits who asks again and again while all places are taken, or all money that is left is held: nobody
/// knows when some gets free.
pub(super) const NEXT_PLACE_MS: u64 = 1_000;

impl<T: Default> Sums<T> {
    fn starting(start_ms: u64) -> Self {
        Self {
            start_ms,
            ..Self::default()
        }
    }

    fn is_empty(&self) -> bool {
        (self.requests, self.settled, self.held.0) == (0, 0, 0)
    }

    /// Held for running requests, micro-units.
    pub(super) fn held(&self) -> u128 {
        self.held.0
    }

    fn admit(&mut self, counted: &Counted) {
        self.requests = self.requests.saturating_add(1);
        self.hold(counted.hold);
    }

    fn hold(&mut self, more: u64) {
        self.held.0 += u128::from(more);
    }

    fn charge(&mut self, charged: u64) {
        self.settled = self.settled.saturating_add(charged);
    }

    /// Counts a request of before a restart.
    fn count(&mut self, charged: u64) {
        self.requests = self.requests.saturating_add(1);
        self.charge(charged);
    }

    fn money(&self) -> Money {
        let committed = self.held.0 + u128::from(self.settled);
        Money {
            start_ms: self.start_ms,
            settled: self.settled,
            committed: u64::try_from(committed).unwrap_or(u64::MAX),
        }
    }

    fn settle(&mut self, counted: &Counted, charged: u64) {
        self.held.0 = self.held.0.saturating_sub(u128::from(counted.hold));
        self.charge(charged);
    }

    /// What there was before, should it be of `start_ms`.
    fn turn(
        &mut self,
        start_ms: u64,
        before: &mut Option<Box<Before>>,
        place: impl Fn(&mut Before) -> &mut Self,
    ) {
        if self.start_ms == start_ms {
            return;
        }
        let left = std::mem::replace(self, Self::starting(start_ms));
        if let Some(before) = before.as_deref_mut().map(&place)
            && before.start_ms == start_ms
        {
            // The clock was ahead by days and has been set back: what was spent then is spent.
            *self = std::mem::replace(before, left);
        } else if !left.is_empty() {
            *place(before.get_or_insert_default()) = left;
        }
    }

    /// Those of `start_ms` of these two, if one is.
    fn of<'a>(
        now: &'a mut Self,
        before: Option<&'a mut Self>,
        start_ms: u64,
    ) -> Option<&'a mut Self> {
        let mut both = [Some(now), before].into_iter().flatten();
        both.find(move |sums| sums.start_ms == start_ms)
    }
}

impl Tally {
    pub(super) fn roll(&mut self, now: &Now) {
        let before = &mut self.before;
        self.day
            .turn(now.day.start_ms, before, |before| &mut before.day);
        self.month
            .turn(now.month.start_ms, before, |before| &mut before.month);
    }

    /// The day and the month of a request, as far as they are kept: it belongs to those of its admission.
    fn of(&mut self, counted: &Counted) -> (Option<&mut Sums<Tokens>>, Option<&mut Sums<()>>) {
        let (day_before, month_before) = match self.before.as_deref_mut() {
            Some(Before { day, month }) => (Some(day), Some(month)),
            None => (None, None),
        };
        (
            Sums::of(&mut self.day, day_before, counted.day),
            Sums::of(&mut self.month, month_before, counted.month),
        )
    }

    /// The wait for a request of so many tokens under a limit that is not money; none if there is room.
    ///
    /// A request waits in vain only if its input alone is too large: what it may answer is an estimate, and an empty
    /// window is room enough for it. One that asks for no tokens (those are counted for it) has nothing to wait for.
    pub(super) fn wait(
        &mut self,
        kind: LimitKind,
        limit: u64,
        input: u64,
        output: u64,
        now: &Now,
    ) -> Option<Wait> {
        let asked = input.saturating_add(output);
        if asked == 0 && kind.counts_tokens() {
            return None;
        }
        // Under a limit of 0 it is one token too many, and not nothing.
        let tokens = asked.min(limit.max(input).max(1));
        let room = match kind {
            LimitKind::Rpm | LimitKind::Rph => self.log(kind).room(now.ms, 1, limit),
            LimitKind::Tpm | LimitKind::Tph => self.log(kind).room(now.ms, tokens, limit),
            LimitKind::Rpd => until_midnight(self.day.requests, 1, limit, now),
            LimitKind::Tpd => return self.day.tokens.wait(tokens, limit, now),
            LimitKind::Concurrency => match u64::from(self.running) < limit {
                true => Room::Yes,
                false if limit == 0 => Room::Never,
                false => Room::After(NEXT_PLACE_MS),
            },
            LimitKind::DailyLimit | LimitKind::MonthlyLimit => Room::Yes,
        };
        match room {
            Room::Yes => None,
            Room::After(wait) => Some(Wait::After(wait)),
            Room::Never => Some(Wait::Never),
        }
    }

    /// Money that a limit still leaves.
    pub(super) fn left(&self, kind: LimitKind, limit: u64) -> u64 {
        limit.saturating_sub(self.money(kind).committed)
    }

    /// Money that a limit would leave if all that run were free.
    pub(super) fn unspent(&self, kind: LimitKind, limit: u64) -> u64 {
        limit.saturating_sub(self.money(kind).settled)
    }

    /// What a limit leaves to a request that was admitted before, in the day or month of its admission.
    pub(super) fn left_to(&self, counted: &Counted, kind: LimitKind, limit: u64) -> Left {
        let (start_ms, before) = match kind {
            LimitKind::MonthlyLimit => (counted.month, self.before.as_deref().map(Before::month)),
            _ => (counted.day, self.before.as_deref().map(Before::day)),
        };
        let now = self.money(kind);
        let mut both = std::iter::once(now).chain(before);
        let (committed, settled) = match both.find(|sums| sums.start_ms == start_ms) {
            Some(sums) => (sums.committed, sums.settled),
            // Two windows ago: of that one the request knows its own hold, and nothing else is known.
            None => (counted.hold, 0),
        };
        Left {
            left: limit.saturating_sub(committed),
            unspent: limit.saturating_sub(settled),
            is_over: now.start_ms != start_ms,
        }
    }

    fn money(&self, kind: LimitKind) -> Money {
        match kind {
            LimitKind::MonthlyLimit => self.month.money(),
            _ => self.day.money(),
        }
    }

    /// Counts an admitted request.
    pub(super) fn admit(&mut self, counted: &Counted) {
        self.running = self.running.saturating_add(1);
        self.day.admit(counted);
        self.month.admit(counted);
        let tokens = &mut self.day.tokens;
        tokens.held = tokens.held.saturating_add(counted.tokens);
        self.push(counted.admitted_ms, counted.tokens);
    }

    /// Holds more for a running request. Its tokens come now, however long ago it was admitted.
    pub(super) fn extend(&mut self, counted: &Counted, hold: u64, tokens: u64, now_ms: u64) {
        let (day, month) = self.of(counted);
        if let Some(day) = day {
            day.hold(hold);
            day.tokens.held = day.tokens.held.saturating_add(tokens);
        }
        if let Some(month) = month {
            month.hold(hold);
        }
        self.push_tokens(now_ms, tokens);
    }

    /// Replaces what was counted of a request by what it was. More than that counts now; less is taken away where it was
    /// counted first, so that what came of late still counts: taken there, an answer that was longer than a window would
    /// leave the window empty.
    pub(super) fn settle(&mut self, counted: &Counted, parts: &[Part], real: Part, charged: u64) {
        let (day, month) = self.of(counted);
        if let Some(day) = day {
            day.settle(counted, charged);
            day.tokens.held = day.tokens.held.saturating_sub(counted.tokens);
            day.tokens.settled = day.tokens.settled.saturating_add(real.tokens);
        }
        if let Some(month) = month {
            month.settle(counted, charged);
        }
        self.push_tokens(real.at_ms, real.tokens.saturating_sub(counted.tokens));
        let mut surplus = counted.tokens.saturating_sub(real.tokens);
        for part in parts {
            if surplus == 0 {
                break;
            }
            let taken = part.tokens.min(surplus);
            surplus -= taken;
            for log in self.token_windows() {
                log.take(part.at_ms, taken);
            }
        }
    }

    /// A request does not run any more.
    pub(super) fn leave(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// Counts a request of before a restart. When its answer came is not known but for its end: there all of it counts, so
    /// that it leaves no window too early.
    pub(super) fn seed(&mut self, past: &Past, now: &Now) {
        self.roll(now);
        let Past {
            admitted_ms,
            ended_ms,
            input,
            output,
            charged,
        } = *past;
        if admitted_ms >= now.day.start_ms {
            self.day.count(charged);
            let tokens = &mut self.day.tokens;
            tokens.settled = tokens.settled.saturating_add(input).saturating_add(output);
        }
        if admitted_ms >= now.month.start_ms {
            self.month.count(charged);
        }
        let admitted_ms = admitted_ms.min(now.ms);
        let ended_ms = ended_ms.clamp(admitted_ms, now.ms);
        for (kind, log) in &mut self.rates {
            match kind.counts_tokens() {
                true => {
                    log.insert(admitted_ms, input, now.ms);
                    log.insert(ended_ms, output, now.ms);
                }
                false => log.insert(admitted_ms, 1, now.ms),
            }
        }
    }

    /// What counts against a limit now.
    pub(super) fn used(&mut self, kind: LimitKind, now_ms: u64) -> u64 {
        match kind {
            LimitKind::Rpm | LimitKind::Rph | LimitKind::Tpm | LimitKind::Tph => {
                self.log(kind).total(now_ms)
            }
            LimitKind::Rpd => self.day.requests,
            LimitKind::Tpd => self.day.tokens.all(),
            LimitKind::Concurrency => u64::from(self.running),
            LimitKind::DailyLimit => self.day.money().committed,
            LimitKind::MonthlyLimit => self.month.money().committed,
        }
    }

    /// Milliseconds until nothing counts against a limit any more, if nothing more comes.
    pub(super) fn empty_after(&mut self, kind: LimitKind, now: &Now) -> u64 {
        match kind {
            LimitKind::Rpm | LimitKind::Rph | LimitKind::Tpm | LimitKind::Tph => {
                self.log(kind).empty_after(now.ms)
            }
            LimitKind::Concurrency => 0,
            kind => now.until_reset(kind),
        }
    }

    /// Sees to it that the window of a limit that slides is kept from now on.
    pub(super) fn keep(&mut self, kind: LimitKind) {
        self.log(kind);
    }

    /// The window of a rate, kept from the first time that somebody asks.
    fn log(&mut self, kind: LimitKind) -> &mut SlidingLog {
        let found = self.rates.iter().position(|(of, _)| *of == kind);
        let place = found.unwrap_or_else(|| {
            let length = match kind {
                LimitKind::Rpm | LimitKind::Tpm => MINUTE_MS,
                _ => HOUR_MS,
            };
            let mut rates = std::mem::take(&mut self.rates).into_vec();
            rates.reserve_exact(1);
            rates.push((kind, SlidingLog::new(length)));
            self.rates = rates.into_boxed_slice();
            self.rates.len() - 1
        });
        &mut self.rates[place].1
    }

    /// The most entries in a window.
    #[cfg(test)]
    pub(super) fn longest_window(&self) -> usize {
        let windows = self.rates.iter().map(|(_, log)| log.entries());
        windows.max().unwrap_or(0)
    }

    fn push(&mut self, at_ms: u64, tokens: u64) {
        for (kind, log) in &mut self.rates {
            log.push(at_ms, if kind.counts_tokens() { tokens } else { 1 });
        }
    }

    /// Tokens that come after the admission.
    fn push_tokens(&mut self, now_ms: u64, tokens: u64) {
        if tokens > 0 {
            self.token_windows()
                .for_each(|log| log.push(now_ms, tokens));
        }
    }

    fn token_windows(&mut self) -> impl Iterator<Item = &mut SlidingLog> {
        let windows = self.rates.iter_mut();
        windows.filter_map(|(kind, log)| kind.counts_tokens().then_some(log))
    }
}

fn until_midnight(used: u64, amount: u64, limit: u64, now: &Now) -> Room {
    if amount > limit {
        Room::Never
    } else if used <= limit - amount {
        Room::Yes
    } else {
        Room::After(now.day.end_ms.saturating_sub(now.ms))
    }
}
