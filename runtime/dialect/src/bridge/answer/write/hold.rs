//! Parts that begin while another is open, for a dialect whose blocks come strictly one after the other.

use super::ran::Pair;
use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::event::{Call, Kind, Tool};

/// A part that waits for its turn. It is told the moment the part before it is whole.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) part: u32,
    pub(super) kind: HeldKind,
    /// Escaped.
    pub(super) text: Vec<u8>,
    /// Citations as they will be written.
    pub(super) citations: Vec<Vec<u8>>,
    pub(super) seal: Option<String>,
    pub(super) closed: bool,
}

/// What a part is, kept.
#[derive(Debug)]
pub(super) enum HeldKind {
    Text,
    Refusal,
    Reasoning,
    Call {
        id: Vec<u8>,
        name: Vec<u8>,
        namespace: Option<Vec<u8>>,
        tool: Tool,
    },
    /// A tool that the vendor ran.
    Ran(Box<Pair>),
}

impl Held {
    pub(super) fn new(part: u32, kind: HeldKind) -> Self {
        Self {
            part,
            closed: matches!(kind, HeldKind::Ran(_)),
            kind,
            text: Vec::new(),
            citations: Vec::new(),
            seal: None,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let kind = match &self.kind {
            HeldKind::Text | HeldKind::Refusal | HeldKind::Reasoning => 0,
            HeldKind::Call { id, name, .. } => id.len() + name.len(),
            HeldKind::Ran(pair) => pair.bytes(),
        };
        let citations: usize = self.citations.iter().map(Vec::len).sum();
        kind + citations
            + self.text.len()
            + self.seal.as_ref().map_or(0, String::len)
            + size_of::<Self>()
    }
}

impl HeldKind {
    pub(super) fn of(kind: Kind<'_>) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Refusal => Self::Refusal,
            Kind::Reasoning => Self::Reasoning,
            Kind::Call(call) => Self::Call {
                id: call.id.bytes().to_vec(),
                name: call.name.bytes().to_vec(),
                namespace: call.namespace.map(|set| set.bytes().to_vec()),
                tool: call.tool,
            },
        }
    }

    /// The part as it was; nothing if it is a tool that was run.
    pub(super) fn kind(&self) -> Option<Kind<'_>> {
        Some(match self {
            Self::Text => Kind::Text,
            Self::Refusal => Kind::Refusal,
            Self::Reasoning => Kind::Reasoning,
            Self::Call {
                id,
                name,
                namespace,
                tool,
            } => Kind::Call(Call {
                id: Escaped::trusted(id),
                name: Escaped::trusted(name),
                namespace: namespace.as_deref().map(Escaped::trusted),
                tool: *tool,
            }),
            Self::Ran(_) => return None,
        })
    }
}
