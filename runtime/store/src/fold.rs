//! Roll-ups: sums of usage rows by key, changed in the same commit as the rows, so that they never disagree.
//!
//! What the keys and sums are is not known here: a [`Fold`] says it.

use std::ops::Range;

use tollgate_governance::UsageRow;

use crate::error::StoreError;

/// What rows add up to. Pure: the same rows in any grouping give the same roll-ups.
pub trait Fold: Send + Sync {
    /// The version of keys and values. When it differs from the stored one, all roll-ups are made anew from the rows.
    fn version(&self) -> u64;

    /// Tells `add` the key of each roll-up that `row` counts in, e.g. its hour and its day.
    fn keys(&self, row: &UsageRow<'_>, add: &mut dyn FnMut(&[u8]));

    /// The value of `key` after `rows`, none of which is in `old` yet.
    ///
    /// # Errors
    /// Says why `old` cannot be read. The commit fails then: nothing is written over it.
    fn merge(
        &self,
        key: &[u8],
        old: Option<&[u8]>,
        rows: &mut dyn Iterator<Item = &UsageRow<'_>>,
    ) -> Result<Vec<u8>, String>;
}

/// Key and value.
type Pair = (Vec<u8>, Vec<u8>);

/// The new values of the roll-ups that `rows` count in. `old` gives the present value of a key.
pub(crate) fn fold<'a>(
    fold: &dyn Fold,
    rows: impl Iterator<Item = &'a [u8]>,
    mut old: impl FnMut(&[u8]) -> Result<Option<Vec<u8>>, StoreError>,
) -> Result<Vec<Pair>, StoreError> {
    let mut decoded = Vec::new();
    for row in rows {
        match UsageRow::decode(row) {
            Ok(row) => decoded.push(row),
            // Kept, but in no sum: one bad row must not keep back all others for ever.
            Err(error) => tracing::error!(%error, "a usage row is in no roll-up"),
        }
    }
    // All keys one after the other in one buffer, and a mention of each: sorted, those of a group lie together.
    let mut keys = Vec::new();
    let mut mentions: Vec<(Range<usize>, usize)> = Vec::with_capacity(decoded.len() * 2);
    for (place, row) in decoded.iter().enumerate() {
        fold.keys(row, &mut |key| {
            let start = keys.len();
            keys.extend_from_slice(key);
            mentions.push((start..keys.len(), place));
        });
    }
    let key = |mention: &(Range<usize>, usize)| keys.get(mention.0.clone()).unwrap_or_default();
    mentions.sort_unstable_by(|one, other| (key(one), one.1).cmp(&(key(other), other.1)));
    let mut values = Vec::new();
    for group in mentions.chunk_by(|one, other| key(one) == key(other)) {
        let Some(first) = group.first() else { continue };
        let before = old(key(first))?;
        let mut rows = group.iter().map(|(_, place)| &decoded[*place]);
        let after = fold
            .merge(key(first), before.as_deref(), &mut rows)
            .map_err(|reason| StoreError::Engine(format!("a damaged roll-up: {reason}")))?;
        values.push((key(first).to_vec(), after));
    }
    Ok(values)
}
