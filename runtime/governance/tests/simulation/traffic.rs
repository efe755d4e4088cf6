//! Requests: found by key, admitted on their whole path or not at all, extended, settled, lost.

use tollgate_governance::{Ask, Bound, Exceeded, LimitKind, LimitUse, Path};

use crate::world::{Row, Running, World};

const MODELS: [&str; 4] = ["gpt-5", "gpt-5-mini", "o3", "claude"];
const MINUTE: u64 = 60_000;
const HOUR: u64 = 3_600_000;

impl World {
    pub(crate) fn request(&mut self) {
        // A few keys make most of the traffic, and others at other times.
        let hot = self.rows.len() / 3_000 * 20;
        let place = match self.rng.one_in(4) {
            true => self.rng.below(self.keys.len() as u64) as usize,
            false => (hot + self.rng.below(20) as usize) % self.keys.len(),
        };
        let now = self.clock.now();
        let Some(caller) = self.snapshot.find(&self.keys[place]) else {
            self.counts.refused_otherwise += 1;
            return;
        };
        let account = caller.path.account();
        let model = MODELS[self.rng.below(4) as usize];
        assert_eq!(caller.path.is_enabled(), self.is_enabled(account));
        assert!(caller.is_valid_at(now));
        if !caller.path.is_enabled() || caller.resolve(model).is_none() {
            self.counts.refused_otherwise += 1;
            return;
        }
        let input = self.rng.between(10, 2_000);
        let price = (input * 3, self.rng.between(0, 15));
        let output = self.rng.between(1, 4_000);
        let request = self.ids.next(now);
        let ask = Ask {
            request,
            model,
            input,
            expected: 400,
            output,
            least_output: output.min(50),
            price: &|output| price.0 + price.1 * output,
        };
        let counters = std::sync::Arc::clone(&self.counters);
        match counters.admit(&caller.path, &ask, now) {
            Ok(admission) => {
                self.counts.admitted += 1;
                self.counts.lowered += u64::from(admission.output() < output);
                assert!(admission.output() >= ask.least_output && admission.output() <= output);
                assert_eq!(admission.hold(), (ask.price)(admission.output()));
                self.rows.push(Row {
                    path: caller.path.ids(),
                    model,
                    admitted_ms: admission.admitted_ms(),
                    day: counters.day(now).start_ms,
                    month: counters.month(now).start_ms,
                    tokens: input + ask.expected,
                    money: admission.hold(),
                    running: true,
                    wallet: caller.path.wallet(),
                });
                self.watch_rates(&caller.path);
                self.assert_fits(&caller.path, model, input + ask.expected);
                self.running.push(Running {
                    row: self.rows.len() - 1,
                    path: caller.path,
                    admission,
                    price,
                });
            }
            Err(exceeded) => self.refused(&caller.path, &exceeded, now),
        }
    }

    fn refused(&mut self, path: &Path, exceeded: &Exceeded, now: u64) {
        assert!(path.ids().contains(&exceeded.account));
        match exceeded.bound {
            Bound::Wallet => {
                self.counts.refused_by_wallet += 1;
                assert_eq!(path.wallet(), Some(exceeded.account));
            }
            Bound::Age => self.counts.refused_otherwise += 1,
            Bound::Limit(kind) => {
                self.counts.refused_by_limit += 1;
                let longest = match kind {
                    LimitKind::Rpm | LimitKind::Tpm => MINUTE,
                    LimitKind::Rph | LimitKind::Tph => HOUR,
                    LimitKind::Concurrency => 1_000,
                    LimitKind::MonthlyLimit => self.counters.month(now).end_ms - now,
                    _ => self.counters.day(now).end_ms - now,
                };
                assert!(
                    exceeded
                        .retry_after_ms
                        .is_none_or(|wait| wait > 0 && wait <= longest)
                );
            }
        }
    }

    /// In true time, whatever the clock says: no minute and no hour sees more than its limit.
    fn watch_rates(&mut self, path: &Path) {
        let now = self.clock.true_ms;
        for id in path.ids() {
            let Some(watched) = self.watched.get_mut(&id) else {
                continue;
            };
            watched.admitted.push_back(now);
            while watched.admitted.front().is_some_and(|at| at + HOUR <= now) {
                watched.admitted.pop_front();
            }
            let recent = watched.admitted.iter().filter(|at| **at + MINUTE > now);
            assert!(recent.count() <= watched.rpm, "a minute of {id}");
            assert!(watched.admitted.len() <= watched.rph, "an hour of {id}");
        }
    }

    /// Right after an admission every limit of the path that is about it has not been overshot.
    pub(crate) fn assert_fits(&self, path: &Path, model: &str, tokens: u64) {
        let now = self.clock.now();
        let about = |used: &LimitUse| {
            let pattern = used.pattern.as_deref();
            pattern.is_none_or(|_| model.starts_with("gpt-"))
        };
        for used in self
            .counters
            .uses(path, now)
            .iter()
            .filter(|used| about(used))
        {
            match used.kind {
                // Larger answers than the whole limit are expected only where the window was empty.
                LimitKind::Tpm | LimitKind::Tph | LimitKind::Tpd => {
                    let others = used.used - tokens;
                    assert!(others + tokens.min(used.limit) <= used.limit, "{used:?}");
                }
                _ => assert!(used.used <= used.limit, "{used:?}"),
            }
        }
    }

    /// Something becomes of a request that runs.
    pub(crate) fn progress(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let place = self.rng.below(self.running.len() as u64) as usize;
        match self.rng.below(20) {
            0..3 => self.extend(place),
            3 => {
                let running = self.running.swap_remove(place);
                let row = &mut self.rows[running.row];
                (row.tokens, row.money, row.running) = (0, 0, false);
                drop(running.admission);
                self.counts.lost += 1;
            }
            _ => {
                // The cap that was held for is sent along: it costs at most the hold.
                let hold = self.running[place].admission.hold();
                let charged = self.rng.between(hold / 3, hold);
                let tokens = self.rng.between(10, 4_000);
                self.settle(place, tokens, charged);
            }
        }
    }

    fn extend(&mut self, place: usize) {
        let now = self.clock.now();
        let running = &mut self.running[place];
        let row = &mut self.rows[running.row];
        let output = running.admission.output() + 200;
        let hold = running.price.0 + running.price.1 * output;
        let before = running.admission.hold();
        let input = running.price.0 / 3;
        match running
            .admission
            .extend(&running.path, row.model, output, hold, now)
        {
            Ok(()) => {
                self.counts.extended += 1;
                row.money = hold;
                row.tokens = row.tokens.max(input + output);
            }
            Err(_) => assert_eq!(running.admission.hold(), before),
        }
    }

    pub(crate) fn settle(&mut self, place: usize, tokens: u64, charged: u64) {
        let now = self.clock.now();
        let running = self.running.swap_remove(place);
        let settled = running.admission.settle(tokens, charged, now);
        let row = &mut self.rows[running.row];
        (row.tokens, row.money, row.running) = (tokens, charged, false);
        assert_eq!(settled.entry.is_some(), row.wallet.is_some());
        self.stored.extend(settled.entry);
    }
}
