//! Remembers plans by what the guest read, so that most requests need no call into the guest at all.
//!
//! `prepare` is a function of what it reads from its call. What was read, in order, with the values, is a path in a
//! decision tree: a node names a getter, its branches are values, a leaf is a plan. Looking up walks the tree and
//! asks the call at each node; it allocates nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::reads::{Getter, Seen};
use crate::shard::Sharded;
use crate::{CallView, Plan};

/// Nodes of one worker's tree; at this size it is forgotten and grows anew.
const MAX_NODES: usize = 4096;
/// Bytes of one value; a call with a longer one is not remembered.
const MAX_VALUE: usize = 1024;
/// Branches that are searched one by one before a map pays.
const FEW: usize = 8;

/// Remembered plans of one configured component: a tree for each worker thread.
pub(crate) struct Memo {
    trees: Sharded<Tree>,
    off: AtomicBool,
}

#[derive(Default)]
struct Tree {
    root: Node,
    nodes: usize,
}

#[derive(Default)]
enum Node {
    #[default]
    Unknown,
    Ask(Box<Question>),
    Plan(Arc<Plan>),
}

struct Question {
    getter: Getter,
    absent: Node,
    texts: Branches,
    numbers: Vec<(u32, Node)>,
}

enum Branches {
    Few(Vec<(Box<str>, Node)>),
    Many(HashMap<Box<str>, Node>),
}

impl Memo {
    pub(crate) fn new() -> Self {
        Self {
            trees: Sharded::new(Tree::default),
            off: AtomicBool::new(false),
        }
    }

    /// The plan for a call that would read the same as an earlier one. Allocates nothing.
    pub(crate) fn find(&self, call: &dyn CallView) -> Option<Arc<Plan>> {
        let tree = self.trees.mine().lock();
        let mut node = &tree.root;
        loop {
            match node {
                Node::Plan(plan) => return Some(Arc::clone(plan)),
                Node::Ask(question) => node = question.follow(question.getter.read(call))?,
                Node::Unknown => return None,
            }
        }
    }

    /// Remembers the plan for what was read of `call`. Returns false the first time that the guest is found out to
    /// read differently for the same values: then it is no function of what it reads, and nothing is remembered again.
    pub(crate) fn learn(&self, call: &dyn CallView, reads: Vec<Getter>, plan: Arc<Plan>) -> bool {
        if self.off.load(Ordering::Relaxed) {
            return true;
        }
        let long = |getter: &Getter| matches!(getter.read(call), Seen::Text(Some(text)) if text.len() > MAX_VALUE);
        if reads.iter().any(long) {
            return true;
        }
        let mut guard = self.trees.mine().lock();
        let tree = &mut *guard;
        if tree.nodes + reads.len() >= MAX_NODES {
            *tree = Tree::default();
        }
        match grow(&mut tree.root, call, reads, plan) {
            Some(made) => {
                tree.nodes += made;
                true
            }
            None => {
                self.off.store(true, Ordering::Relaxed);
                drop(guard);
                for tree in self.trees.all() {
                    *tree.lock() = Tree::default();
                }
                false
            }
        }
    }

    #[cfg(test)]
    fn nodes(&self) -> usize {
        self.trees.mine().lock().nodes
    }
}

/// Lays the path into the tree; the number of new nodes, or `None` if the tree contradicts it.
fn grow(
    root: &mut Node,
    call: &dyn CallView,
    reads: Vec<Getter>,
    plan: Arc<Plan>,
) -> Option<usize> {
    let mut made = 1;
    let mut node = root;
    for getter in reads {
        let seen = getter.read(call);
        if matches!(node, Node::Unknown) {
            made += 1;
            *node = Node::Ask(Box::new(Question::new(getter.clone())));
        }
        let Node::Ask(question) = node else {
            return None;
        };
        if question.getter != getter {
            return None;
        }
        node = question.branch(seen);
    }
    match node {
        Node::Ask(_) => None,
        Node::Plan(known) if **known != *plan => None,
        Node::Plan(_) => Some(0),
        Node::Unknown => {
            *node = Node::Plan(plan);
            Some(made)
        }
    }
}

impl Question {
    fn new(getter: Getter) -> Self {
        Self {
            getter,
            absent: Node::Unknown,
            texts: Branches::Few(Vec::new()),
            numbers: Vec::new(),
        }
    }

    fn follow(&self, seen: Seen<'_>) -> Option<&Node> {
        match seen {
            Seen::Text(None) => Some(&self.absent),
            Seen::Text(Some(text)) => match &self.texts {
                Branches::Few(few) => few
                    .iter()
                    .find(|(key, _)| **key == *text)
                    .map(|(_, node)| node),
                Branches::Many(many) => many.get(text),
            },
            Seen::Number(number) => self
                .numbers
                .iter()
                .find(|(key, _)| *key == number)
                .map(|(_, node)| node),
        }
    }

    fn branch(&mut self, seen: Seen<'_>) -> &mut Node {
        match seen {
            Seen::Text(None) => &mut self.absent,
            Seen::Text(Some(text)) => self.texts.branch(text),
            Seen::Number(number) => {
                let at = match self.numbers.iter().position(|(key, _)| *key == number) {
                    Some(at) => at,
                    None => {
                        self.numbers.push((number, Node::Unknown));
                        self.numbers.len() - 1
                    }
                };
                &mut self.numbers[at].1
            }
        }
    }
}

impl Branches {
    fn branch(&mut self, text: &str) -> &mut Node {
        if let Branches::Few(few) = self
            && few.len() >= FEW
            && few.iter().all(|(key, _)| **key != *text)
        {
            *self = Branches::Many(std::mem::take(few).into_iter().collect());
        }
        match self {
            Branches::Few(few) => {
                let at = match few.iter().position(|(key, _)| **key == *text) {
                    Some(at) => at,
                    None => {
                        few.push((text.into(), Node::Unknown));
                        few.len() - 1
                    }
                };
                &mut few[at].1
            }
            Branches::Many(many) => many.entry(text.into()).or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reads::Recorder;
    use crate::{CommitAfter, UpstreamStream};

    struct Call {
        model: String,
        header: Option<String>,
        streaming: bool,
    }

    impl CallView for Call {
        fn operation(&self) -> &str {
            "messages"
        }
        fn dialect(&self) -> &str {
            "anthropic-messages"
        }
        fn model(&self) -> &str {
            &self.model
        }
        fn streaming(&self) -> bool {
            self.streaming
        }
        fn endpoint(&self) -> &str {
            "main"
        }
        fn header(&self, name: &str) -> Option<&str> {
            (name == "x-beta")
                .then_some(self.header.as_deref())
                .flatten()
        }
        fn session(&self) -> Option<&str> {
            None
        }
        fn attempt(&self) -> u32 {
            1
        }
    }

    fn call(model: &str, header: Option<&str>, streaming: bool) -> Call {
        Call {
            model: model.into(),
            header: header.map(Into::into),
            streaming,
        }
    }

    fn plan(path: &str) -> Arc<Plan> {
        Arc::new(Plan {
            path: path.into(),
            headers: Vec::new(),
            edits: Vec::new(),
            commit_after: CommitAfter::Status,
            upstream_stream: UpstreamStream::AsAsked,
        })
    }

    #[test]
    fn only_a_call_that_reads_the_same_gets_the_plan() {
        let memo = Memo::new();
        let reads = || vec![Getter::Model, Getter::Header("x-beta".into())];
        let with = call("a", Some("1"), false);
        assert!(memo.find(&with).is_none());
        assert!(memo.learn(&with, reads(), plan("/one")));
        assert!(memo.learn(&call("a", None, false), reads(), plan("/none")));
        // Streaming was not read, so it does not matter.
        assert_eq!(memo.find(&call("a", Some("1"), true)).unwrap().path, "/one");
        assert_eq!(memo.find(&call("a", None, true)).unwrap().path, "/none");
        assert!(memo.find(&call("a", Some("2"), false)).is_none());
        assert!(memo.find(&call("a", Some(""), false)).is_none());
        assert!(memo.find(&call("b", Some("1"), false)).is_none());
    }

    #[test]
    fn what_is_read_may_depend_on_what_was_read_before() {
        let memo = Memo::new();
        memo.learn(
            &call("a", None, true),
            vec![Getter::Streaming, Getter::Model],
            plan("/stream/a"),
        );
        memo.learn(
            &call("a", None, false),
            vec![Getter::Streaming],
            plan("/whole"),
        );
        assert_eq!(memo.find(&call("zzz", None, false)).unwrap().path, "/whole");
        assert_eq!(memo.find(&call("a", None, true)).unwrap().path, "/stream/a");
        assert!(memo.find(&call("b", None, true)).is_none());
    }

    #[test]
    fn a_guest_that_contradicts_itself_is_never_remembered_again() {
        let memo = Memo::new();
        let first = call("a", None, false);
        assert!(memo.learn(&first, vec![Getter::Model], plan("/one")));
        assert!(!memo.learn(&first, vec![Getter::Model], plan("/two")));
        assert!(memo.find(&first).is_none());
        assert!(memo.learn(&first, vec![Getter::Model], plan("/one")));
        assert!(memo.find(&first).is_none());
    }

    #[test]
    fn the_tree_is_bounded_and_many_branches_are_found() {
        let memo = Memo::new();
        for number in 0..20_000 {
            memo.learn(
                &call(&format!("m{number}"), None, false),
                vec![Getter::Model],
                plan(&format!("/{number}")),
            );
            assert!(memo.nodes() <= MAX_NODES);
        }
        assert_eq!(
            memo.find(&call("m19999", None, false)).unwrap().path,
            "/19999"
        );
        assert_eq!(
            memo.find(&call("m19990", None, false)).unwrap().path,
            "/19990"
        );
        let long = call(&"x".repeat(MAX_VALUE + 1), None, false);
        memo.learn(&long, vec![Getter::Model], plan("/long"));
        assert!(memo.find(&long).is_none());
    }

    #[test]
    fn a_guest_that_reads_nothing_has_one_plan() {
        let memo = Memo::new();
        let mut recorder = Recorder::default();
        recorder.start();
        let reads = recorder.stop().unwrap();
        assert!(memo.learn(&call("a", None, false), reads, plan("/always")));
        assert_eq!(
            memo.find(&call("b", Some("x"), true)).unwrap().path,
            "/always"
        );
        assert!(recorder.stop().is_none());
    }
}
