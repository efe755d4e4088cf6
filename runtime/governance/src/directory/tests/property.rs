//! Under any sequence of operations the directory, its snapshot and what it stores agree with a plain list of accounts.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::account::Status;

#[derive(Clone, Debug)]
enum Step {
    Create { parent: usize, name: usize },
    Move { which: usize, parent: usize },
    Rename { which: usize, name: usize },
    Suspend { which: usize, suspended: bool },
    Limit { which: usize, pattern: usize },
    Attach { which: usize, id: usize },
    Key { which: usize },
    Rotate { which: usize, grace: u64 },
    Revoke { which: usize },
    Close { which: usize, mode: DeleteMode },
    Archive,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let (which, name) = (0..40usize, 0..5usize);
    let mode = prop::sample::select(vec![
        DeleteMode::Refuse,
        DeleteMode::Cascade,
        DeleteMode::Reparent,
    ]);
    prop_oneof![
        8 => (which.clone(), name.clone()).prop_map(|(parent, name)| Step::Create { parent, name }),
        4 => (which.clone(), which.clone()).prop_map(|(which, parent)| Step::Move { which, parent }),
        1 => (which.clone(), name).prop_map(|(which, name)| Step::Rename { which, name }),
        2 => (which.clone(), any::<bool>()).prop_map(|(which, suspended)| Step::Suspend { which, suspended }),
        1 => (which.clone(), 0..3usize).prop_map(|(which, pattern)| Step::Limit { which, pattern }),
        1 => (which.clone(), 0..3usize).prop_map(|(which, id)| Step::Attach { which, id }),
        4 => which.clone().prop_map(|which| Step::Key { which }),
        1 => (which.clone(), 0..3u64).prop_map(|(which, grace)| Step::Rotate { which, grace }),
        1 => which.clone().prop_map(|which| Step::Revoke { which }),
        2 => (which, mode).prop_map(|(which, mode)| Step::Close { which, mode }),
        1 => Just(Step::Archive),
        1 => Just(Step::Restart),
    ]
}

/// An account as the plain list knows it.
#[derive(Clone, Debug)]
struct Plain {
    parent: Option<AccountId>,
    name: String,
    status: Status,
}

#[derive(Default)]
struct Model {
    accounts: BTreeMap<AccountId, Plain>,
    archived: usize,
    /// Account, token, revoked.
    keys: BTreeMap<KeyId, (AccountId, String, bool)>,
}

impl Model {
    fn upward(&self, id: AccountId) -> Vec<AccountId> {
        let parent = |id: &AccountId| self.accounts[id].parent;
        std::iter::successors(Some(id), parent).collect()
    }

    fn names(&self, id: AccountId) -> String {
        let mut upward = self.upward(id);
        upward.reverse();
        let names: Vec<_> = upward.iter().map(|id| &*self.accounts[id].name).collect();
        names.join("/")
    }

    fn child(&self, parent: AccountId, name: &str) -> Option<AccountId> {
        let mut all = self.accounts.iter();
        all.find(|(_, plain)| plain.parent == Some(parent) && plain.name == name)
            .map(|(id, _)| *id)
    }

    fn children(&self, parent: AccountId) -> Vec<AccountId> {
        let all = self.accounts.iter();
        all.filter(|(_, plain)| plain.parent == Some(parent))
            .map(|(id, _)| *id)
            .collect()
    }

    fn below(&self, top: AccountId) -> Vec<AccountId> {
        let all = self.accounts.keys().copied();
        all.filter(|id| self.upward(*id).contains(&top)).collect()
    }

    fn is_closing(&self, id: AccountId) -> bool {
        self.accounts[&id].status == Status::Closing
    }

    fn close(&mut self, ids: &[AccountId]) {
        for id in ids {
            self.accounts.get_mut(id).unwrap().status = Status::Closing;
        }
        for (account, _, revoked) in self.keys.values_mut() {
            *revoked |= ids.contains(account);
        }
    }
}

struct Run {
    bench: Bench,
    model: Model,
}

impl Run {
    fn new() -> Self {
        let bench = Bench::new();
        let root = bench.directory.root().unwrap().id;
        let mut model = Model::default();
        let plain = Plain {
            parent: None,
            name: "root".to_owned(),
            status: Status::Active,
        };
        model.accounts.insert(root, plain);
        Self { bench, model }
    }

    fn pick(&self, which: usize) -> AccountId {
        let ids: Vec<_> = self.model.accounts.keys().collect();
        *ids[which % ids.len()]
    }

    fn pick_key(&self, which: usize) -> Option<KeyId> {
        let ids: Vec<_> = self.model.keys.keys().collect();
        (!ids.is_empty()).then(|| *ids[which % ids.len()])
    }

    /// What was expected, and what came; refused operations changed nothing, which `check` sees.
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Create { parent, name } => self.create(self.pick(parent), &format!("n{name}")),
            Step::Move { which, parent } => self.relocate(self.pick(which), self.pick(parent)),
            Step::Rename { which, name } => self.rename(self.pick(which), &format!("n{name}")),
            Step::Suspend { which, suspended } => {
                let id = self.pick(which);
                let status = if suspended { "suspended" } else { "active" };
                let patch = format!(r#"{{"status":"{status}"}}"#);
                let outcome = self.bench.patch(&id.to_string(), &patch);
                assert_eq!(outcome.is_ok(), !self.model.is_closing(id));
                if outcome.is_ok() {
                    let plain = self.model.accounts.get_mut(&id).unwrap();
                    plain.status = if suspended {
                        Status::Suspended
                    } else {
                        Status::Active
                    };
                }
            }
            Step::Limit { which, pattern } => {
                let id = self.pick(which);
                let limits = ["null", r#"{"rpm":1}"#, r#"{"rpm":null,"tpd":5}"#][pattern];
                let patch = format!(r#"{{"model_limits":{{"m{pattern}*":{limits}}}}}"#);
                let outcome = self.bench.patch(&id.to_string(), &patch);
                assert_eq!(outcome.is_ok(), !self.model.is_closing(id));
            }
            Step::Attach { which, id } => {
                let account = self.pick(which).to_string();
                self.bench.attach(&format!("p{id}"), &account, 0);
            }
            Step::Key { which } => {
                let id = self.pick(which);
                let made = self.bench.key_with(&id.to_string(), "{}");
                assert_eq!(made.is_ok(), !self.model.is_closing(id));
                if let Ok((key, token)) = made {
                    self.model.keys.insert(key, (id, token, false));
                }
            }
            Step::Rotate { which, grace } => {
                let Some(key) = self.pick_key(which) else {
                    return;
                };
                let made = self.bench.rotate(key, grace, self.bench.now);
                let (account, _, revoked) = self.model.keys.get_mut(&key).unwrap();
                assert!(!*revoked || made.is_err());
                let account = *account;
                if let Ok((new, token)) = made {
                    *revoked |= grace == 0;
                    self.model.keys.insert(new, (account, token, false));
                }
            }
            Step::Revoke { which } => {
                let Some(key) = self.pick_key(which) else {
                    return;
                };
                self.bench.revoke(key);
                self.model.keys.get_mut(&key).unwrap().2 = true;
            }
            Step::Close { which, mode } => self.close(self.pick(which), mode),
            Step::Archive => self.archive(),
            Step::Restart => self.bench.directory = self.bench.reloaded(),
        }
    }

    fn create(&mut self, parent: AccountId, name: &str) {
        let made = self.bench.account(&parent.to_string(), name);
        let free = self.model.child(parent, name).is_none();
        assert_eq!(made.is_ok(), free && !self.model.is_closing(parent));
        if let Ok(id) = made {
            let plain = Plain {
                parent: Some(parent),
                name: name.to_owned(),
                status: Status::Active,
            };
            self.model.accounts.insert(id, plain);
        }
    }

    fn relocate(&mut self, id: AccountId, parent: AccountId) {
        let patch = format!(r#"{{"parent":"{parent}"}}"#);
        let outcome = self.bench.patch(&id.to_string(), &patch);
        let model = &self.model;
        let plain = &model.accounts[&id];
        let taken = model.child(parent, &plain.name);
        let allowed = plain.parent.is_some()
            && !model.is_closing(id)
            && !model.is_closing(parent)
            && !model.upward(parent).contains(&id)
            && taken.is_none_or(|other| other == id);
        assert_eq!(outcome.is_ok(), allowed);
        if allowed {
            self.model.accounts.get_mut(&id).unwrap().parent = Some(parent);
        }
    }

    fn rename(&mut self, id: AccountId, name: &str) {
        let patch = format!(r#"{{"name":"{name}"}}"#);
        let outcome = self.bench.patch(&id.to_string(), &patch);
        let parent = self.model.accounts[&id].parent;
        let taken = parent.and_then(|parent| self.model.child(parent, name));
        let allowed =
            parent.is_some() && !self.model.is_closing(id) && taken.is_none_or(|other| other == id);
        assert_eq!(outcome.is_ok(), allowed);
        if allowed {
            self.model.accounts.get_mut(&id).unwrap().name = name.to_owned();
        }
    }

    fn close(&mut self, id: AccountId, mode: DeleteMode) {
        let outcome = self.bench.close(&id.to_string(), mode);
        let children = self.model.children(id);
        let Some(parent) = self.model.accounts[&id].parent else {
            assert!(outcome.is_err(), "the root");
            return;
        };
        let mut keys = self.model.keys.values();
        let allowed = match mode {
            DeleteMode::Cascade => true,
            DeleteMode::Refuse => {
                children.is_empty() && !keys.any(|(of, _, revoked)| *of == id && !revoked)
            }
            DeleteMode::Reparent => children.iter().all(|child| {
                let name = &self.model.accounts[child].name;
                self.model.child(parent, name).is_none()
            }),
        };
        assert_eq!(outcome.is_ok(), allowed, "{mode:?}");
        if !allowed {
            return;
        }
        if mode == DeleteMode::Reparent {
            for child in children {
                self.model.accounts.get_mut(&child).unwrap().parent = Some(parent);
            }
        }
        let closed = match mode {
            DeleteMode::Cascade => self.model.below(id),
            _ => vec![id],
        };
        self.model.close(&closed);
    }

    /// All that can be: an account that hangs on a closing one stays as long as it is there.
    fn archive(&mut self) {
        for id in self.bench.directory.closing() {
            let leaf = self.model.children(id).is_empty();
            assert_eq!(self.bench.archive(id).is_ok(), leaf);
            if leaf {
                self.model.accounts.remove(&id);
                self.model.keys.retain(|_, (account, ..)| *account != id);
                self.model.archived += 1;
            }
        }
    }

    fn check(&self) {
        let (directory, model) = (&self.bench.directory, &self.model);
        assert_eq!(directory.accounts().count(), model.accounts.len());
        assert_eq!(directory.archived().len(), model.archived);
        let mut slots = Vec::new();
        for (id, plain) in &model.accounts {
            let names = model.names(*id);
            assert_eq!(directory.names(*id).as_ref(), Some(&names));
            assert_eq!(directory.account(&names).unwrap().id, *id);
            let path = directory.path(*id).unwrap();
            assert_eq!(path.names(), names);
            for node in path.nodes() {
                assert_eq!(Some(&node.account), directory.get(node.id()));
            }
            let mut upward = model.upward(*id).into_iter();
            let enabled = upward.all(|id| model.accounts[&id].status == Status::Active);
            assert_eq!(path.is_enabled(), enabled);
            assert_eq!(directory.get(*id).unwrap().status, plain.status);
            let leaf = path.nodes().last().unwrap();
            slots.push(leaf.base.slot);
            slots.extend(leaf.by_model.iter().map(|set| set.slot));
        }
        // No two sets of limits share counters.
        let count = slots.len();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), count);

        let snapshot = directory.snapshot();
        let active = model.keys.values().filter(|(.., revoked)| !revoked).count();
        assert_eq!(snapshot.len(), active);
        assert_eq!(snapshot.nodes(), model.accounts.len());
        for (id, (account, token, revoked)) in &model.keys {
            let found = snapshot.find(&self.bench.hasher.mac(token));
            assert_eq!(found.is_some(), !revoked);
            if let Some(caller) = found {
                assert_eq!((caller.id(), caller.path.account()), (*id, *account));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_sequence_of_operations_leaves_one_tree_without_rings_twins_or_strays(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step);
            run.check();
        }
        let again = run.bench.reloaded();
        prop_assert!(again.accounts().eq(run.bench.directory.accounts()));
        prop_assert_eq!(again.keys(), run.bench.directory.keys());
        run.bench.directory = again;
        run.check();
    }
}
