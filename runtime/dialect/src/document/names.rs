//! Finds a top-level name that is there twice.

use std::collections::HashSet;

use crate::json::scan::Member;
use crate::json::text::unescape;

/// The second member with a name that came before, if any. A name is the same whether or not it is escaped.
pub(super) fn twice(raw: &[u8], members: &[Member]) -> Option<usize> {
    if members.len() > 64 || members.iter().any(|member| !member.plain) {
        let mut seen = HashSet::with_capacity(members.len());
        return members
            .iter()
            .position(|member| !seen.insert(unescape(member.key.of(raw))));
    }
    // The usual body: a bit for each name says that most of them cannot have come before.
    let mut seen = 0u64;
    members.iter().enumerate().find_map(|(position, member)| {
        let name = member.key.of(raw);
        let first = usize::from(*name.first().unwrap_or(&0));
        let last = usize::from(*name.last().unwrap_or(&0));
        let bit = 1u64 << ((name.len() + first * 7 + last * 5) & 63);
        let maybe = seen & bit != 0;
        seen |= bit;
        (maybe
            && members[..position]
                .iter()
                .any(|earlier| earlier.key.of(raw) == name))
        .then_some(position)
    })
}
