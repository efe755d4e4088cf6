//! Roll-ups: sums of usage rows by key, changed in the same commit as the rows, so that they never disagree.
//!
//! What the keys and sums are is not known here: a [`Fold`] says it.

use std::collections::BTreeMap;

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
    let mut groups: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
    for (place, row) in decoded.iter().enumerate() {
        fold.keys(row, &mut |key| match groups.get_mut(key) {
            Some(places) => places.push(place),
            None => {
                groups.insert(key.to_vec(), vec![place]);
            }
        });
    }
    let mut values = Vec::with_capacity(groups.len());
    for (key, places) in groups {
        let before = old(&key)?;
        let mut rows = places.iter().map(|place| &decoded[*place]);
        let after = fold
            .merge(&key, before.as_deref(), &mut rows)
            .map_err(|reason| StoreError::Engine(format!("a damaged roll-up: {reason}")))?;
        values.push((key, after));
    }
    Ok(values)
}
