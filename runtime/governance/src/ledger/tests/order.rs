//! Any order in which a store may get entries, and a crash at any moment in it.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::model::{amount, call, operation};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Begin(Operation),
    /// The next thing happens to an operation that is under way: first it is stored, then committed.
    Advance(Index),
    GiveUp(Index),
    Call(Act),
    /// The hold of a call is journaled as it stands.
    Journal(Uuid, i64),
    /// Some settlement reaches the store.
    Arrive(Index),
    Wait(u64),
    SetClockBack(u64),
    /// The process is killed. Of the settlements that are not stored these were written to the journal.
    Kill(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let id = (0..10u64).prop_map(|n| request(NOW - n, n));
    prop_oneof![
        8 => operation().prop_map(Step::Begin),
        12 => any::<Index>().prop_map(Step::Advance),
        1 => any::<Index>().prop_map(Step::GiveUp),
        20 => call().prop_map(Step::Call),
        6 => (id, amount()).prop_map(|(id, amount)| Step::Journal(id, amount)),
        6 => any::<Index>().prop_map(Step::Arrive),
        3 => (0..400u64).prop_map(Step::Wait),
        1 => (0..400u64).prop_map(Step::SetClockBack),
        1 => any::<u64>().prop_map(Step::Kill),
    ]
}

#[derive(Default)]
struct World {
    memory: Ledger,
    /// What a replay of the store's entries gives, entry by entry: so every prefix is replayed.
    store: Ledger,
    /// Operations under way, and whether they are stored.
    moving: Vec<(Pending, bool)>,
    /// Settlements that are not stored yet.
    late: Vec<Entry>,
    journal: HashMap<Uuid, Entry>,
    /// What calls were charged, whose settlement is stored.
    charged: i128,
    now_ms: u64,
}

fn needed(entry: &Entry) -> i128 {
    match &entry.cause {
        Cause::Post(post) => i128::from(post.amount) + i128::from(post.fee),
        Cause::Operation(_) => 0,
    }
}

impl World {
    fn arrives(&mut self, entry: &Entry) {
        let entry = Entry::decode(&bytes(entry)).unwrap();
        self.store.replay(&entry).unwrap();
        self.store.verify().unwrap();
        self.charged += needed(&entry);
    }

    fn advance(&mut self, index: Index) {
        if self.moving.is_empty() {
            return;
        }
        let place = index.index(self.moving.len());
        if self.moving[place].1 {
            let (pending, _) = self.moving.remove(place);
            self.memory.commit(pending);
        } else {
            self.moving[place].1 = true;
            let entry = self.moving[place].0.entry().clone();
            self.arrives(&entry);
        }
    }

    fn give_up(&mut self, index: Index) {
        if self.moving.is_empty() {
            return;
        }
        let place = index.index(self.moving.len());
        if !self.moving[place].1 {
            let (pending, _) = self.moving.remove(place);
            self.memory.abort(pending);
        }
    }

    fn call(&mut self, act: Act) {
        let settled = match &act {
            Act::Post(post) => Some(post.request),
            Act::Release(request) => Some(*request),
            _ => None,
        };
        if let Ok(outcome) = execute(&mut self.memory, act, self.now_ms) {
            self.late.extend(outcome.entry);
            // A call that ended for nothing has a row without an entry; written or not is `kill`'s choice for others.
            if let Some(request) = settled
                && !self.late.iter().any(|entry| is_of(entry, request))
            {
                self.journal.remove(&request);
            }
        }
    }

    /// What a start makes of store and journal.
    fn kill(&mut self, written: u64) {
        let is_written = |place: usize| written >> (place % 64) & 1 == 1;
        let late = std::mem::take(&mut self.late);
        for (place, entry) in late.iter().enumerate().rev() {
            if is_written(place) {
                let Cause::Post(post) = &entry.cause else {
                    unreachable!()
                };
                self.journal.remove(&post.request);
                // It fits just as it is, without help.
                assert_eq!(self.store.clone().recover(entry), Ok(Some(entry.clone())));
                self.arrives(entry);
            }
        }
        let journal = std::mem::take(&mut self.journal);
        for entry in journal.values() {
            if let Some(stored) = self.store.recover(entry).unwrap() {
                assert_eq!(stored.cause, entry.cause);
                self.charged += needed(&stored);
            }
            assert_eq!(self.store.recover(entry), Ok(None), "charged once");
        }
        self.store.verify().unwrap();
        self.moving.clear();
        self.memory = self.store.clone();
    }
}

fn is_of(entry: &Entry, request: Uuid) -> bool {
    matches!(&entry.cause, Cause::Post(post) if post.request == request)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn in_whatever_order_settlements_are_stored_no_replay_sees_a_negative_wallet_and_all_of_them_give_memorys_books(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let mut world = World { now_ms: NOW, ..World::default() };
        for step in steps {
            match step {
                Step::Begin(operation) => {
                    let now = world.now_ms;
                    if let Ok(Begun::Pending(pending)) = world.memory.begin(operation, now) {
                        world.moving.push((pending, false));
                    }
                }
                Step::Advance(index) => world.advance(index),
                Step::GiveUp(index) => world.give_up(index),
                Step::Call(act) => world.call(act),
                Step::Journal(id, amount) => {
                    let wallet = world.memory.open_holds().find(|hold| hold.request == id).map(|hold| hold.wallet);
                    if let Some(wallet) = wallet
                        && let Ok(entry) = world.memory.preview(bill(id, wallet, amount, 0), world.now_ms)
                    {
                        world.journal.insert(id, entry);
                    }
                }
                Step::Arrive(index) => if !world.late.is_empty() {
                    let entry = world.late.swap_remove(index.index(world.late.len()));
                    if let Cause::Post(post) = &entry.cause { world.journal.remove(&post.request); }
                    world.arrives(&entry);
                },
                Step::Wait(ms) => world.now_ms += ms,
                Step::SetClockBack(ms) => world.now_ms -= ms,
                Step::Kill(written) => world.kill(written),
            }
            prop_assert_eq!(world.memory.verify(), Ok(()));
            let totals = world.store.totals();
            prop_assert_eq!(totals.consumed + totals.fees, world.charged);
            prop_assert_eq!(totals.treasury + totals.wallets + totals.consumed + totals.fees + totals.expired, 0);
        }
        for (pending, stored) in std::mem::take(&mut world.moving) {
            match stored {
                true => { world.memory.commit(pending); }
                false => world.memory.abort(pending),
            }
        }
        for entry in std::mem::take(&mut world.late).iter().rev() { world.arrives(entry); }
        prop_assert_eq!(as_stored(&world.store), as_stored(&world.memory));
    }
}

#[test]
fn numbers_of_lots_go_on_after_a_replay_and_after_a_checkpoint() {
    let mut ledger = Ledger::default();
    let mut entries = Vec::new();
    let (first, second) = (
        issue("a", account(1), 5, None),
        issue("b", account(1), 5, None),
    );
    let first = pending(ledger.begin(super::operation(first), NOW));
    let second = pending(ledger.begin(super::operation(second), NOW));
    // Stored the other way round.
    entries.extend([second.entry().clone(), first.entry().clone()]);
    let mut again = Ledger::default();
    for entry in &entries {
        again.replay(entry).unwrap();
    }
    execute(&mut again, issue("c", account(1), 5, None), NOW).unwrap();
    let mut restored = restored(&again);
    execute(&mut restored, issue("d", account(1), 5, None), NOW).unwrap();
    let ids: Vec<_> = restored.lots(account(1)).map(|(lot, _)| lot.id).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    drop((first, second));
}
