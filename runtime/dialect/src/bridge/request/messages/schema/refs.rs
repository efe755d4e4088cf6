//! Whether the references of a schema lead somewhere and never back: a vendor that enforces schemas writes each one out.

use std::collections::HashMap;

use super::{DEEPEST, Shape};
use crate::json::walk::Raw;

/// The longest chain of definitions that is followed.
const LONGEST: usize = 64;

/// Where a definition is in the walk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    No,
    UnderWay,
    Done,
}

struct Graph {
    /// What each definition refers to, by number.
    edges: Vec<Vec<usize>>,
    seen: Vec<Seen>,
}

/// Whether every reference names a definition of the schema itself, and none comes back to where it stands.
pub(super) fn can_be_followed(root: Raw<'_>) -> bool {
    if memchr::memmem::find(root.bytes, b"\"$ref\"").is_none() {
        return true;
    }
    graph(root).is_some_and(|mut graph| (0..graph.edges.len()).all(|one| graph.ends(one, LONGEST)))
}

fn graph(root: Raw<'_>) -> Option<Graph> {
    let mut numbers = HashMap::new();
    let mut bodies = Vec::new();
    for section in ["$defs", "definitions"] {
        for (key, body) in root.get(section).into_iter().flat_map(Raw::members) {
            numbers.insert(format!("#/{section}/{}", key.text()), bodies.len());
            bodies.push(body);
        }
    }
    let edges = |from: Raw<'_>| {
        let mut found = Vec::new();
        references(from, DEEPEST, &mut found)?;
        found
            .iter()
            .map(|name| numbers.get(name).copied())
            .collect::<Option<Vec<_>>>()
    };
    // The whole is no definition, but what it refers to must be there.
    edges(root)?;
    let edges = bodies
        .iter()
        .map(|body| edges(*body))
        .collect::<Option<Vec<_>>>()?;
    Some(Graph {
        seen: vec![Seen::No; edges.len()],
        edges,
    })
}

/// What is referred to in here; nothing where that cannot be said.
fn references(value: Raw<'_>, depth: usize, found: &mut Vec<String>) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    for (key, inner) in value.members() {
        if key.is("$ref") && inner.shape() == Shape::String {
            found.push(inner.text()?.into_owned());
        }
        references(inner, depth, found)?;
    }
    value
        .items()
        .try_for_each(|inner| references(inner, depth, found))
}

impl Graph {
    /// Whether all ways from here come to an end.
    fn ends(&mut self, one: usize, left: usize) -> bool {
        match (self.seen[one], left.checked_sub(1)) {
            (Seen::Done, _) => true,
            (Seen::UnderWay, _) | (_, None) => false,
            (Seen::No, Some(left)) => {
                self.seen[one] = Seen::UnderWay;
                let next = self.edges[one].clone();
                let ends = next.into_iter().all(|next| self.ends(next, left));
                self.seen[one] = Seen::Done;
                ends
            }
        }
    }
}
