//! A usage row as whoever manages an account of its path sees it: nothing of the accounts above.

use std::borrow::Cow;

use super::UsageRow;
use crate::ids::AccountId;

/// Stands where an account above would be named.
pub const ABOVE: &str = "above";

impl UsageRow<'_> {
    /// The row as it is seen from `top`: its path begins there, a limit of an account above is said to be one, and the
    /// credential, which is the operator's, is not named. None of a row that was not made below `top`.
    #[must_use]
    pub fn seen_from(self, top: AccountId) -> Option<Self> {
        let above = self.path.iter().position(|id| *id == top)?;
        let names = below(&self.names, above).to_owned();
        Some(Self {
            limited_by: Cow::Owned(limited_by(&self.limited_by, &self.names, above)),
            path: self.path[above..].to_vec().into(),
            names: Cow::Owned(names),
            credential: Cow::Borrowed(""),
            ..self
        })
    }
}

/// Names without the first `above`. Names and ids are written down together; where they do not fit, one name is left.
fn below(names: &str, above: usize) -> &str {
    let rest = names.splitn(above + 1, '/').nth(above);
    rest.unwrap_or_else(|| names.rsplit('/').next().unwrap_or_default())
}

/// `KIND@PATH`, where the path is that of the row or the beginning of it.
fn limited_by(limit: &str, names: &str, above: usize) -> String {
    if limit.is_empty() {
        return String::new();
    }
    let ends = names.match_indices('/').map(|(end, _)| end);
    let ends: Vec<_> = ends.chain([names.len()]).collect();
    // The longest first: the name of a model's pattern may look like the end of a path.
    let found = ends.iter().enumerate().rev().find_map(|(place, end)| {
        let kind = limit.strip_suffix(&names[..*end])?.strip_suffix('@')?;
        Some((kind, place, &names[..*end]))
    });
    match found {
        Some((kind, place, path)) if place >= above => format!("{kind}@{}", below(path, above)),
        Some((kind, ..)) => format!("{kind}@{ABOVE}"),
        None => ABOVE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_row_names_nothing_above_whoever_looks() {
        let id = |n| AccountId(Uuid::from_u128(n));
        let row = |limit: &'static str| UsageRow {
            limited_by: limit.into(),
            ..sample()
        };
        let seen = row("rpm@root/research").seen_from(id(2)).unwrap();
        assert_eq!(
            (&*seen.names, &*seen.limited_by),
            ("research/alice", "rpm@research")
        );
        assert_eq!(seen.path.to_vec(), [id(2), id(3)]);
        assert_eq!(&*seen.credential, "");
        for (limit, told) in [
            ("", ""),
            ("rpm@root", "rpm@above"),
            ("rpm@root/research", "rpm@above"),
            ("tpd[a@root]@root/research/alice", "tpd[a@root]@alice"),
            ("wallet@root/elsewhere", "above"),
        ] {
            let seen = row(limit).seen_from(id(3)).unwrap();
            assert_eq!((&*seen.names, &*seen.limited_by), ("alice", told));
        }
        // From the root everything is seen but the credential.
        let seen = row("rpm@root").seen_from(id(1)).unwrap();
        assert_eq!(&*seen.names, "root/research/alice");
        assert_eq!(&*seen.limited_by, "rpm@root");
        assert!(row("").seen_from(id(4)).is_none());
    }
}
