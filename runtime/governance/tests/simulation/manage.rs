//! What operators do all day: accounts come, move and go; limits change; credit is granted, taken back and expires.

use std::sync::Arc;

use tollgate_governance::{
    Account, AccountId, AccountPatch, Attached, Begun, DeleteMode, DirectoryError, KeyDraft,
    LedgerError, Operation, Source, Status,
};

use crate::world::World;

const HOUR: u64 = 3_600_000;
/// Accounts near the root that stay without limits.
const FIRST: usize = 40;

impl World {
    /// One act of management.
    pub(crate) fn manage(&mut self) {
        self.counts.operations += 1;
        let account = self.pick();
        match self.rng.below(12) {
            0 => self.create(),
            1 => self.make_key(),
            2 | 3 => self.relocate(account),
            4 => {
                let suspended = self.rng.one_in(5) && !self.is_top(account);
                let status = if suspended { "suspended" } else { "active" };
                let _ = self.patch(account, &format!(r#"{{"status":"{status}"}}"#));
            }
            5 if !self.watched.contains_key(&account)
                && !self.accounts[..FIRST].contains(&account) =>
            {
                let text = self.boundaries();
                let _ = self.patch(account, &text);
            }
            7 => self.close(account),
            8 => self.reclaim(account),
            _ => {
                for _ in 0..5 {
                    let account = self.pick();
                    self.grant(account);
                }
            }
        }
    }

    /// What runs in the background: deletions end, credit expires, settled requests are forgotten.
    pub(crate) fn clean(&mut self) {
        let now = self.clock.now();
        let mut due: Vec<_> = self.counters.ledger(|ledger| ledger.due(now).collect());
        // In whatever order the ledger has them: the same seed must give the same weeks.
        due.sort_unstable();
        for wallet in due {
            self.counts.expired += u64::from(self.operate(Operation::Expire { wallet }).is_ok());
        }
        self.counters.ledger(|ledger| ledger.forget_settled());
        for id in self.directory.closing() {
            let parent = self.directory.get(id).unwrap().parent;
            let has_children = self.directory.children(id).next().is_some();
            if has_children || self.directory.running(id, &self.counters) > 0 {
                assert!(!has_children || self.directory.archive(id, now).is_err());
                continue;
            }
            let sweep = Operation::Sweep {
                wallet: id,
                to: parent,
            };
            self.operate(sweep).unwrap();
            let changes = self.directory.archive(id, now).unwrap();
            self.apply(&changes);
            self.accounts.retain(|other| *other != id);
            self.watched.remove(&id);
            self.counts.archived += 1;
        }
    }

    pub(crate) fn create(&mut self) {
        let parent = self.pick();
        let text = self.boundaries();
        let new = AccountPatch {
            name: Some(format!("n{}", self.rng.below(500))),
            parent: Some(parent.to_string()),
            ..serde_json::from_str(&text).unwrap()
        };
        let made = self
            .directory
            .create_account(&new, self.clock.now(), &mut self.rng);
        // Its name may be taken, its parent be closing.
        if let Ok((account, changes)) = made {
            self.apply(&changes);
            self.accounts.push(account.id);
        }
    }

    pub(crate) fn make_key(&mut self) {
        let draft = KeyDraft {
            account: self.pick().to_string(),
            ..KeyDraft::default()
        };
        let made = self
            .directory
            .create_key(draft, &self.hasher, self.clock.now(), &mut self.rng);
        if let Ok((new, changes)) = made {
            self.apply(&changes);
            self.keys.push(new.key.mac);
        }
    }

    pub(crate) fn patch(&mut self, account: AccountId, text: &str) -> Result<(), DirectoryError> {
        let patch: AccountPatch = serde_json::from_str(text).unwrap();
        let (_, changes) =
            self.directory
                .update_account(&account.to_string(), &patch, self.clock.now())?;
        self.apply(&changes);
        Ok(())
    }

    fn relocate(&mut self, account: AccountId) {
        let parent = self.pick();
        let patch = format!(r#"{{"parent":"{parent}"}}"#);
        let rings = self.directory.is_within(parent, account);
        let moved = self.patch(account, &patch);
        assert!(!rings || moved.is_err(), "a ring");
    }

    fn close(&mut self, account: AccountId) {
        let small = self.directory.children(account).count() < 4;
        let mode = match self.rng.below(3) {
            0 => DeleteMode::Refuse,
            1 if small && !self.is_top(account) => DeleteMode::Cascade,
            _ => DeleteMode::Reparent,
        };
        let now = self.clock.now();
        let attached = |id: AccountId| {
            let balance = self.counters.ledger(|ledger| ledger.balance(id, now));
            Attached {
                credit: balance.available + balance.held + balance.expired > 0,
                running: self.directory.running(id, &self.counters) > 0,
            }
        };
        let id = account.to_string();
        let closed = self.directory.close_account(&id, mode, attached, now);
        if let Ok(changes) = closed {
            self.apply(&changes);
        }
    }

    /// The root, or right under it: too much hangs on those.
    fn is_top(&self, account: AccountId) -> bool {
        let parent = |account: &Arc<Account>| account.parent;
        let up = self.directory.get(account).and_then(parent);
        up.is_none_or(|up| self.directory.get(up).and_then(parent).is_none())
    }

    pub(crate) fn grant(&mut self, to: AccountId) {
        let prepaid = |account: &Arc<Account>| account.billing.is_some();
        if !self.directory.get(to).is_some_and(prepaid) {
            return;
        }
        let now = self.clock.now();
        let parent = self.directory.get(to).and_then(|account| account.parent);
        let from = match (parent, self.rng.below(3)) {
            (Some(parent), 0) => Source::Wallet(parent),
            (_, 1) => Source::Treasury {
                expires_ms: Some(now + self.rng.between(1, 200 * HOUR)),
            },
            _ => Source::Treasury { expires_ms: None },
        };
        let operation = Operation::Grant {
            key: format!("k{}", self.rng.next()).into(),
            from,
            to,
            amount: self.rng.between(1, 4_000_000) as i64,
        };
        self.counts.granted += u64::from(self.operate(operation).is_ok());
    }

    fn reclaim(&mut self, from: AccountId) {
        let parent = self.directory.get(from).and_then(|account| account.parent);
        let operation = Operation::Reclaim {
            key: format!("k{}", self.rng.next()).into(),
            from,
            to: parent.filter(|_| self.rng.one_in(2)),
            amount: self.rng.between(1, 200_000) as i64,
        };
        let _ = self.operate(operation);
    }

    /// Plans, stores and commits; or finds that the store is full.
    fn operate(&mut self, operation: Operation) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let begun = self
            .counters
            .ledger(|ledger| ledger.begin(operation, now))?;
        let Begun::Pending(pending) = begun else {
            return Ok(());
        };
        let is_sweep = matches!(
            pending.entry().cause,
            tollgate_governance::Cause::Operation(Operation::Sweep { .. })
        );
        if self.rng.one_in(20) && !is_sweep {
            self.counters.ledger(|ledger| ledger.abort(pending));
            return Err(LedgerError::Damaged);
        }
        self.stored.push(pending.entry().clone());
        self.counters.ledger(|ledger| ledger.commit(pending));
        Ok(())
    }

    /// Some limits, some money, now and then a list.
    fn boundaries(&mut self) -> String {
        let mut limits = Vec::new();
        let mut limit = |world: &mut Self, one_in, name: &str, least, most| {
            if world.rng.one_in(one_in) {
                limits.push(format!(r#""{name}":{}"#, world.rng.between(least, most)));
            }
        };
        limit(self, 25, "rpm", 2, 12);
        limit(self, 25, "rph", 10, 60);
        limit(self, 25, "rpd", 10, 200);
        limit(self, 25, "tpm", 3_000, 30_000);
        limit(self, 25, "tph", 10_000, 100_000);
        limit(self, 25, "tpd", 20_000, 200_000);
        limit(self, 25, "concurrency", 1, 6);
        limit(self, 15, "daily_limit", 40_000, 900_000);
        limit(self, 15, "monthly_limit", 400_000, 9_000_000);
        // What is set where hundreds of accounts hang would be all that ever refuses.
        let few = self.accounts.len() > FIRST;
        let limits = if few { limits.join(",") } else { String::new() };
        let mut text = format!(r#"{{"limits":{{{limits}}}"#);
        if self.rng.one_in(20) {
            let (rpm, daily) = (self.rng.between(2, 9), self.rng.between(10_000, 200_000));
            text +=
                &format!(r#","model_limits":{{"gpt-*":{{"rpm":{rpm},"daily_limit":{daily}}}}}"#);
        }
        if self.rng.one_in(12) {
            let billing = ["prepaid", "prepaid", "postpaid"][self.rng.below(3) as usize];
            text += &format!(r#","billing":"{billing}""#);
        }
        if self.rng.one_in(30) {
            text += r#","denied_models":["o3"]"#;
        }
        text + "}"
    }

    /// Whether an account and all above it take requests.
    pub(crate) fn is_enabled(&self, mut account: AccountId) -> bool {
        loop {
            let Some(record) = self.directory.get(account) else {
                return false;
            };
            match (record.status, record.parent) {
                (Status::Active, None) => return true,
                (Status::Active, Some(parent)) => account = parent,
                _ => return false,
            }
        }
    }
}
