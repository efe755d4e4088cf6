//! What is known while a request in Messages is read, and told when all of it has been.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::bridge::request::model::{Came, Conversation, Item, Tool};
use crate::bridge::request::text::Str;

/// What is known so far.
#[derive(Default)]
pub(super) struct Reading<'a> {
    /// What came of tools that their vendor ran, by the ids of their calls, in its order.
    results: HashMap<Str<'a>, VecDeque<Came<'a>>>,
    /// Types of the client's own tools that were read.
    types: HashSet<Str<'a>>,
    /// Whether a tool has joined those of the request.
    pub(super) joined: bool,
}

impl<'a> Reading<'a> {
    /// Takes what came of the call of this id.
    pub(super) fn came(&mut self, id: Str<'a>, came: Came<'a>) {
        self.results.entry(id).or_default().push_back(came);
    }

    /// Whether a tool of this type is the first of it: it describes itself, so a second says nothing.
    pub(super) fn is_first(&mut self, kind: &Str<'a>) -> bool {
        self.types.insert(kind.clone())
    }

    /// Tells each call what came of it, and leaves what was announced twice there once.
    pub(super) fn tell(mut self, said: &mut Conversation<'a>) {
        for item in &mut said.items {
            if let Item::Ran(ran) = item {
                ran.came = self.results.get_mut(&ran.id).and_then(VecDeque::pop_front);
            }
        }
        if self.joined {
            let mut seen = HashSet::new();
            let repeated: Vec<bool> = said
                .tools
                .iter()
                .map(|tool| Tool::name(tool).is_some_and(|name| !seen.insert(name)))
                .collect();
            let mut repeated = repeated.into_iter();
            said.tools.retain(|_| !repeated.next().unwrap_or(false));
        }
    }
}
