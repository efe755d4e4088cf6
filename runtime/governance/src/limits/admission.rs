//! An admitted request: it counts on every node of its path, and its money is held until it is settled.

use std::sync::Arc;

use smallvec::SmallVec;
use uuid::Uuid;

use super::tally::{Counted, Part};
use super::{Bound, Counters, Exceeded, Headroom, Slots, Wait, Worst};
use crate::ids::AccountId;
use crate::ledger::{Entry, Post, micro_units};
use crate::path::Path;

/// An admitted request.
///
/// Settle it once, with what it really was. Dropped without that (a panic, a lost task), the hold is released and nothing
/// is charged, but the request still counts.
#[derive(Debug)]
#[must_use = "an admission that is dropped charges nothing"]
pub struct Admission {
    pub(super) counters: Arc<Counters>,
    pub(super) slots: Slots,
    pub(super) request: Uuid,
    pub(super) wallet: Option<AccountId>,
    /// Estimated input, tokens.
    pub(super) input: u64,
    pub(super) counted: Counted,
    /// When its tokens were counted: at its admission, and what its answer grew by when it came.
    pub(super) parts: SmallVec<[Part; 2]>,
    pub(super) output: u64,
    pub(super) headroom: Headroom,
    pub(super) open: bool,
    /// A limit of concurrency stands somewhere on the path.
    pub(super) in_places: bool,
}

/// A settled request that still occupies a place under limits of concurrency, until this is dropped: its answer is
/// charged before its last byte leaves, and runs until then.
#[derive(Debug)]
#[must_use = "dropped, it frees its place"]
pub struct Running {
    counters: Arc<Counters>,
    slots: Slots,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.counters.state.lock();
        for slot in &self.slots {
            state.tally(*slot).leave();
        }
    }
}

/// What a settlement leaves to be stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    /// What the ledger gets with the usage row; none where no wallet pays.
    pub entry: Option<Entry>,
}

impl Admission {
    /// Charges `charged_micro` on every node and to the wallet instead of the hold, and counts `tokens` instead of the
    /// estimate. More than the hold is charged all the same.
    pub fn settle(self, tokens: u64, charged_micro: u64, now_ms: u64) -> Settled {
        self.settle_running(tokens, charged_micro, now_ms).0
    }

    /// The same for a request whose answer is still on its way: where a limit of concurrency stands on the path, its place
    /// is occupied until the second is dropped. Where none does there is no second, and nothing more to lock.
    pub fn settle_running(
        mut self,
        tokens: u64,
        charged_micro: u64,
        now_ms: u64,
    ) -> (Settled, Option<Running>) {
        let settled = self.close(tokens, charged_micro, now_ms, self.in_places);
        let running = self.in_places.then(|| Running {
            counters: Arc::clone(&self.counters),
            slots: std::mem::take(&mut self.slots),
        });
        (settled, running)
    }

    /// What [`Admission::settle`] would give to store for this charge: for the journal, should the process be killed.
    #[must_use]
    pub fn preview(&self, charged_micro: u64, now_ms: u64) -> Settled {
        let state = self.counters.state.lock();
        let post = self.post(charged_micro, state.fee_ppm);
        Settled {
            entry: post.and_then(|post| state.ledger.preview(post, now_ms).ok()),
        }
    }

    /// Holds for `output` tokens in all, which cost at most `hold_micro`, on every node and in the wallet, or on none.
    /// Where as much is held already nothing happens. Limits of money are those of the day and month of its admission.
    ///
    /// # Errors
    /// [`Exceeded`] when a limit of money or the wallet has no room; the hold stays what it was.
    pub fn extend(
        &mut self,
        path: &Path,
        model: &str,
        output: u64,
        hold_micro: u64,
        now_ms: u64,
    ) -> Result<(), Exceeded> {
        let more = hold_micro.saturating_sub(self.counted.hold);
        let tokens = self.beyond(output);
        let mut guard = self.counters.state.lock();
        let state = &mut *guard;
        let now = state.now(now_ms);
        let mut worst = Worst(None);
        for node in path.nodes() {
            for set in node.sets(model) {
                let tally = state.tally(set.slot);
                tally.roll(&now);
                for (kind, limit) in set.limits.iter().filter(|(kind, _)| kind.is_money()) {
                    // After midnight, too, the request belongs to the day of its admission: it fills what is left of that,
                    // and asks nothing of the new one.
                    let of_its_day = tally.left_to(&self.counted, *kind, *limit);
                    if more > of_its_day.left {
                        let until_reset = || match of_its_day.is_over {
                            true => 0,
                            false => now.until_reset(*kind),
                        };
                        let wait = Wait::of(hold_micro, of_its_day.unspent, *limit, until_reset);
                        let bound = Bound::Limit(*kind);
                        worst.note(path, node.id(), Some(set), bound, wait, now_ms);
                    }
                }
            }
        }
        if worst.0.is_none()
            && let Some(wallet) = self.wallet
            && state
                .ledger
                .extend(self.request, micro_units(hold_micro), now_ms)
                .is_err()
        {
            worst.note(path, wallet, None, Bound::Wallet, Wait::Never, now_ms);
        }
        if let Some(exceeded) = worst.0 {
            return Err(exceeded);
        }
        for slot in &self.slots {
            let tally = state.tally(*slot);
            tally.extend(&self.counted, more, tokens, now.ms);
        }
        drop(guard);
        self.counted.hold = self.counted.hold.saturating_add(more);
        self.grown(tokens, now.ms);
        self.output = self.output.max(output);
        Ok(())
    }

    /// Output that counts against limits of tokens, tokens: what was expected, or what the answer has grown to since.
    #[must_use]
    pub fn counted_output(&self) -> u64 {
        self.counted.tokens.saturating_sub(self.input)
    }

    /// Counts so much output against limits of tokens where it is more than counts already, so that whoever asks next waits for
    /// an answer that has grown beyond what was expected. It counts at the time of now: an answer that takes longer than a
    /// window is in it with what came of late. Refuses nothing, and holds no money.
    pub fn grow(&mut self, output: u64, now_ms: u64) {
        let tokens = self.beyond(output);
        if tokens == 0 {
            return;
        }
        let mut state = self.counters.state.lock();
        let now = state.now(now_ms);
        for slot in &self.slots {
            let tally = state.tally(*slot);
            tally.extend(&self.counted, 0, tokens, now.ms);
        }
        drop(state);
        self.grown(tokens, now.ms);
    }

    fn grown(&mut self, tokens: u64, at_ms: u64) {
        self.counted.tokens = self.counted.tokens.saturating_add(tokens);
        if tokens > 0 {
            self.parts.push(Part { at_ms, tokens });
        }
    }

    /// Tokens of so much output that do not count yet.
    fn beyond(&self, output: u64) -> u64 {
        let whole = self.input.saturating_add(output);
        whole.saturating_sub(self.counted.tokens)
    }

    /// What is held on each node. Micro-units.
    #[must_use]
    pub fn hold(&self) -> u64 {
        self.counted.hold
    }

    /// Output that is held for, tokens: what was asked for, or less where money was short.
    #[must_use]
    pub fn output(&self) -> u64 {
        self.output
    }

    /// When it was admitted, Unix milliseconds: the day and row it belongs to. Never before that day: a clock that was set
    /// back over midnight stays in the new day, and after a restart only the row can say so.
    #[must_use]
    pub fn admitted_ms(&self) -> u64 {
        let Counted { day, month, .. } = self.counted;
        self.counted.admitted_ms.max(day).max(month)
    }

    /// The caller's own rate limits right after this admission.
    #[must_use]
    pub fn headroom(&self) -> Headroom {
        self.headroom
    }

    fn close(&mut self, tokens: u64, charged: u64, now_ms: u64, goes_on: bool) -> Settled {
        if !std::mem::replace(&mut self.open, false) {
            return Settled::default();
        }
        let mut guard = self.counters.state.lock();
        let state = &mut *guard;
        // A lost request knows no time but its admission's, and counts nothing new: its clock is not looked at.
        let at_ms = match tokens > self.counted.tokens {
            true => state.now(now_ms).ms,
            false => now_ms,
        };
        let real = Part { at_ms, tokens };
        for slot in &self.slots {
            let tally = state.tally(*slot);
            tally.settle(&self.counted, &self.parts, real, charged);
            if !goes_on {
                tally.leave();
            }
        }
        let entry = self.post(charged, state.fee_ppm).and_then(|post| {
            // Refused only if this request was settled before, which `open` rules out.
            let posted = state.ledger.post(post, now_ms);
            posted.ok().and_then(|(_, entry)| entry)
        });
        Settled { entry }
    }

    /// The charge to the wallet, if one pays.
    fn post(&self, charged: u64, fee_ppm: u32) -> Option<Post> {
        let (amount, fee) = shares(micro_units(charged), fee_ppm);
        Some(Post {
            request: self.request,
            wallet: self.wallet?,
            amount,
            fee,
        })
    }
}

/// A charge as what was consumed and the operator's fee, which is rounded down. Together they are the charge.
fn shares(charged: i64, fee_ppm: u32) -> (i64, i64) {
    let fee = i128::from(charged) * i128::from(fee_ppm) / i128::from(super::MILLION);
    // A share of it is no larger than the whole.
    let fee = i64::try_from(fee).unwrap_or(0);
    (charged - fee, fee)
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.open {
            let at = self.counted.admitted_ms;
            self.close(0, 0, at, false);
        }
    }
}
