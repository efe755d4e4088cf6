//! From the format of an older Tollgate to this one's, step by step.
//!
//! A step and the new number are one commit: a start that is interrupted goes on with the step where it was. Formats:
//! 1 records and usage rows; 2 in addition ledger, roll-ups and the journal beside the engine (an older Tollgate
//! would not look into it, so it must not open the store).

use crate::engine::Table;
use crate::error::StoreError;
use crate::mark::Mark;
use crate::memory::prefixed;

/// The format this crate writes.
pub(crate) const FORMAT: u64 = 2;
/// From this format on there is a note of how far the store has got wherever there is a mark.
pub(crate) const NOTED_SINCE: u64 = 2;
/// Names which store this is and its format, in the table `Meta`.
pub(crate) const IDENTITY: &[u8] = b"store/identity";

/// What has to change from one format to the next.
type Step = fn(&sled::Db, &mut sled::Batch) -> Result<(), StoreError>;

/// The first leads from format 1 to 2.
const STEPS: [Step; FORMAT as usize - 1] = [tables_and_journal];

/// Roll-ups are made from the rows as soon as a fold is given; the ledger and the journal begin empty.
fn tables_and_journal(_: &sled::Db, _: &mut sled::Batch) -> Result<(), StoreError> {
    Ok(())
}

/// Brings the store of this identity to [`FORMAT`]. Returns its identity then.
pub(crate) fn migrate(tree: &sled::Db, identity: Mark) -> Result<Mark, StoreError> {
    run(tree, identity, &STEPS)
}

fn run(tree: &sled::Db, mut identity: Mark, steps: &[Step]) -> Result<Mark, StoreError> {
    let failed = |error: sled::Error| StoreError::Engine(error.to_string());
    let first = identity.format.saturating_sub(1);
    for step in steps
        .iter()
        .skip(usize::try_from(first).unwrap_or(usize::MAX))
    {
        let mut batch = sled::Batch::default();
        step(tree, &mut batch)?;
        let next = Mark {
            format: identity.format + 1,
            id: identity.id.clone(),
        };
        let bytes = serde_json::to_vec(&next).map_err(std::io::Error::from)?;
        batch.insert(prefixed(Table::Meta, IDENTITY), bytes);
        tree.apply_batch(batch).map_err(failed)?;
        tree.flush().map_err(failed)?;
        tracing::info!(
            from = identity.format,
            to = next.format,
            "the store was migrated"
        );
        identity = next;
    }
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(tree: &sled::Db) -> Mark {
        let bytes = tree.get(prefixed(Table::Meta, IDENTITY)).unwrap().unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn an_interrupted_migration_goes_on_with_the_step_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let tree = sled::open(folder.path()).unwrap();
        let double: Step = |tree, batch| {
            let value = tree.get(b"n").unwrap().map_or(1, |value| value[0]);
            batch.insert(b"n", &[value * 2]);
            Ok(())
        };
        let broken: Step = |_, batch| {
            batch.insert(b"n", &[99]);
            Err(StoreError::Engine("killed".into()))
        };
        let old = Mark {
            format: 1,
            id: "x".into(),
        };
        assert!(run(&tree, old.clone(), &[double, broken, double]).is_err());
        assert_eq!(tree.get(b"n").unwrap().unwrap(), [2]);
        assert_eq!(identity(&tree).format, 2);
        let now = run(&tree, identity(&tree), &[double, double, double]).unwrap();
        assert_eq!((now.format, &*now.id), (4, "x"));
        assert_eq!(identity(&tree), now);
        assert_eq!(tree.get(b"n").unwrap().unwrap(), [8]);
        // Again: nothing to do.
        run(&tree, now, &[double, double, double]).unwrap();
        assert_eq!(tree.get(b"n").unwrap().unwrap(), [8]);
    }
}
