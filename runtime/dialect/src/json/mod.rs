//! JSON as bytes: checking, walking, splicing; never a tree.

pub(crate) mod pointer;
pub(crate) mod scan;
pub(crate) mod splice;
pub(crate) mod text;
pub(crate) mod walk;

/// Containers may be nested this deep and no deeper.
pub(crate) const MAX_DEPTH: u32 = 128;

/// A body without the mark that some vendors begin one with.
pub(crate) fn unmarked(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(crate::sse::BOM).unwrap_or(bytes)
}
