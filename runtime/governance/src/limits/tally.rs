//! What one set of limits has counted: the day, the month, what is running, and sliding windows where they are limited.

use crate::account::LimitKind;
use crate::calendar::Day;
use crate::window::{HOUR_MS, MINUTE_MS, Room, SlidingLog};

/// The counters of one account, or of one pattern of models of it. Calendar sums and running requests are kept whether
/// they are limited or not: a limit set at noon knows what the morning spent.
///
/// Aligned to the cache: an account that few use is in none, and then each line more is a wait.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Tally {
    pub(super) day: Sums,
    pub(super) month: Sums,
    pub(super) running: u32,
    /// Sliding windows; only those that have been limited. Boxed without spare room: with it a tally would need a third
    /// line of the cache.
    rates: Box<[(LimitKind, SlidingLog)]>,
    /// The day and the month before this one, should the clock have been wrong and be set back.
    before: Option<Box<[Sums; 2]>>,
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
pub(super) struct Sums {
    /// Which one: its first moment.
    start_ms: u64,
    pub(super) requests: u64,
    /// Estimates for running requests included.
    pub(super) tokens: u64,
    /// Charged for finished requests, micro-units.
    pub(super) settled: u64,
    /// Held for running ones. Wide, so that no sum of holds can overflow and be released wrongly.
    pub(super) held: u128,
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
    pub(super) tokens: u64,
    pub(super) hold: u64,
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

impl Sums {
    fn is_empty(&self) -> bool {
        (self.requests, self.settled, self.held) == (0, 0, 0)
    }

    /// Money spent and held. Saturates.
    pub(super) fn committed(&self) -> u64 {
        let sum = self.held + u128::from(self.settled);
        u64::try_from(sum).unwrap_or(u64::MAX)
    }

    fn settle(&mut self, counted: &Counted, tokens: u64, charged: u64) {
        self.held = self.held.saturating_sub(u128::from(counted.hold));
        self.settled = self.settled.saturating_add(charged);
        self.tokens = self
            .tokens
            .saturating_sub(counted.tokens)
            .saturating_add(tokens);
    }
}

impl Tally {
    pub(super) fn roll(&mut self, now: &Now) {
        let Self {
            day, month, before, ..
        } = self;
        for (place, (sums, span)) in [(day, now.day), (month, now.month)].into_iter().enumerate() {
            if sums.start_ms == span.start_ms {
                continue;
            }
            let left = std::mem::replace(
                sums,
                Sums {
                    start_ms: span.start_ms,
                    ..Sums::default()
                },
            );
            if let Some(before) = before
                && before[place].start_ms == span.start_ms
            {
                // The clock was ahead by days and has been set back: what was spent then is spent.
                *sums = std::mem::replace(&mut before[place], left);
            } else if !left.is_empty() {
                before.get_or_insert_default()[place] = left;
            }
        }
    }

    /// The day and the month of a request, as far as they are kept: it belongs to those of its admission.
    fn of<'a>(&'a mut self, counted: &Counted) -> impl Iterator<Item = &'a mut Sums> {
        let [day_before, month_before] = match self.before.as_deref_mut() {
            Some([day, month]) => [Some(day), Some(month)],
            None => [None, None],
        };
        let of = |now: &'a mut Sums, before: Option<&'a mut Sums>, start_ms| {
            let mut both = [Some(now), before].into_iter().flatten();
            both.find(move |sums| sums.start_ms == start_ms)
        };
        let day = of(&mut self.day, day_before, counted.day);
        let month = of(&mut self.month, month_before, counted.month);
        day.into_iter().chain(month)
    }

    /// The wait for a request of so many tokens under a limit that is not money; none if there is room, `Some(None)` if
    /// there never will be.
    ///
    /// A request waits in vain only if its input alone is too large: what it may answer is an estimate, and an empty
    /// window is room enough for it.
    pub(super) fn wait(
        &mut self,
        kind: LimitKind,
        limit: u64,
        input: u64,
        output: u64,
        now: &Now,
    ) -> Option<Option<u64>> {
        let tokens = input.saturating_add(output).min(limit.max(input));
        let room = match kind {
            LimitKind::Rpm | LimitKind::Rph => self.log(kind).room(now.ms, 1, limit),
            LimitKind::Tpm | LimitKind::Tph => self.log(kind).room(now.ms, tokens, limit),
            LimitKind::Rpd => until_midnight(self.day.requests, 1, limit, now),
            LimitKind::Tpd => until_midnight(self.day.tokens, tokens, limit, now),
            LimitKind::Concurrency => match u64::from(self.running) < limit {
                true => Room::Yes,
                false if limit == 0 => Room::Never,
                false => Room::After(NEXT_PLACE_MS),
            },
            LimitKind::DailyLimit | LimitKind::MonthlyLimit => Room::Yes,
        };
        match room {
            Room::Yes => None,
            Room::After(wait) => Some(Some(wait)),
            Room::Never => Some(None),
        }
    }

    /// Money that a limit still leaves.
    pub(super) fn left(&self, kind: LimitKind, limit: u64) -> u64 {
        limit.saturating_sub(self.sums(kind).committed())
    }

    /// Money that a limit would leave if all that run were free.
    pub(super) fn unspent(&self, kind: LimitKind, limit: u64) -> u64 {
        limit.saturating_sub(self.sums(kind).settled)
    }

    /// What a limit leaves to a request that was admitted before, in the day or month of its admission.
    pub(super) fn left_to(&self, counted: &Counted, kind: LimitKind, limit: u64) -> Left {
        let (start_ms, place) = match kind {
            LimitKind::MonthlyLimit => (counted.month, 1),
            _ => (counted.day, 0),
        };
        let now = self.sums(kind);
        let before = self.before.as_deref().and_then(|both| both.get(place));
        let mut both = std::iter::once(now).chain(before);
        let (committed, settled) = match both.find(|sums| sums.start_ms == start_ms) {
            Some(sums) => (sums.committed(), sums.settled),
            // Two windows ago: of that one the request knows its own hold, and nothing else is known.
            None => (counted.hold, 0),
        };
        Left {
            left: limit.saturating_sub(committed),
            unspent: limit.saturating_sub(settled),
            is_over: now.start_ms != start_ms,
        }
    }

    fn sums(&self, kind: LimitKind) -> &Sums {
        match kind {
            LimitKind::MonthlyLimit => &self.month,
            _ => &self.day,
        }
    }

    /// Counts an admitted request.
    pub(super) fn admit(&mut self, counted: &Counted) {
        self.running = self.running.saturating_add(1);
        for sums in [&mut self.day, &mut self.month] {
            sums.requests = sums.requests.saturating_add(1);
            sums.tokens = sums.tokens.saturating_add(counted.tokens);
            sums.held += u128::from(counted.hold);
        }
        self.push(counted.admitted_ms, counted.tokens);
    }

    /// Holds more for a running request.
    pub(super) fn extend(&mut self, counted: &Counted, hold: u64, tokens: u64) {
        for sums in self.of(counted) {
            sums.held += u128::from(hold);
            sums.tokens = sums.tokens.saturating_add(tokens);
        }
        let after = counted.tokens.saturating_add(tokens);
        self.correct(counted.admitted_ms, counted.tokens, after);
    }

    /// Replaces what was counted at admission by what it was.
    pub(super) fn settle(&mut self, counted: &Counted, tokens: u64, charged: u64) {
        for sums in self.of(counted) {
            sums.settle(counted, tokens, charged);
        }
        self.correct(counted.admitted_ms, counted.tokens, tokens);
    }

    /// A request does not run any more.
    pub(super) fn leave(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// Counts a request of before a restart.
    pub(super) fn seed(&mut self, admitted_ms: u64, tokens: u64, charged: u64, now: &Now) {
        self.roll(now);
        for (sums, span) in [(&mut self.day, now.day), (&mut self.month, now.month)] {
            if admitted_ms >= span.start_ms {
                sums.requests = sums.requests.saturating_add(1);
                sums.tokens = sums.tokens.saturating_add(tokens);
                sums.settled = sums.settled.saturating_add(charged);
            }
        }
        self.push(admitted_ms.min(now.ms), tokens);
    }

    /// What counts against a limit now.
    pub(super) fn used(&mut self, kind: LimitKind, now_ms: u64) -> u64 {
        match kind {
            LimitKind::Rpm | LimitKind::Rph | LimitKind::Tpm | LimitKind::Tph => {
                self.log(kind).total(now_ms)
            }
            LimitKind::Rpd => self.day.requests,
            LimitKind::Tpd => self.day.tokens,
            LimitKind::Concurrency => u64::from(self.running),
            LimitKind::DailyLimit => self.day.committed(),
            LimitKind::MonthlyLimit => self.month.committed(),
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
            let counts_tokens = matches!(kind, LimitKind::Tpm | LimitKind::Tph);
            log.push(at_ms, if counts_tokens { tokens } else { 1 });
        }
    }

    fn correct(&mut self, admitted_ms: u64, counted: u64, real: u64) {
        if counted == real {
            return;
        }
        for (kind, log) in &mut self.rates {
            if matches!(kind, LimitKind::Tpm | LimitKind::Tph) {
                log.correct(admitted_ms, counted, real);
            }
        }
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
