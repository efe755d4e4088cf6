//! Which part of a long list is asked for: a tree may have a million accounts, and nothing else is managed while they are told.

use uuid::Uuid;

use super::error::ControlError;

/// Which accounts or keys to list.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// This account and all below it, by id or path; none: all that the token sees.
    pub account: Option<String>,
    /// Those after the one of this id; none: from the first on.
    pub after: Option<Uuid>,
    /// So many at most; none: all.
    pub limit: Option<usize>,
}

impl Listing {
    /// What is asked for of all there are, and after which one to go on; none at the end.
    pub(super) fn part_of<T>(
        &self,
        mut all: impl Iterator<Item = T>,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<(Vec<T>, Option<Uuid>), ControlError> {
        if let Some(after) = self.after
            && !all.any(|one| id(&one) == after)
        {
            let message = "is not in the list (any more): begin anew";
            return Err(ControlError::invalid("after", message));
        }
        let limit = self.limit.unwrap_or(usize::MAX);
        let part: Vec<T> = all.by_ref().take(limit).collect();
        let next = all.next().and_then(|_| part.last().map(id));
        Ok((part, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(
        after: Option<u128>,
        limit: Option<usize>,
    ) -> Result<(Vec<u128>, Option<u128>), String> {
        let listing = Listing {
            account: None,
            after: after.map(Uuid::from_u128),
            limit,
        };
        let part = listing.part_of([3, 1, 2].into_iter(), |number| Uuid::from_u128(*number));
        let (part, next) = part.map_err(|error| error.to_string())?;
        Ok((part, next.as_ref().map(Uuid::as_u128)))
    }

    #[test]
    fn pages_are_the_whole_list_each_once_in_its_order() {
        assert_eq!(part(None, None).unwrap(), (vec![3, 1, 2], None));
        assert_eq!(part(None, Some(2)).unwrap(), (vec![3, 1], Some(1)));
        assert_eq!(part(Some(1), Some(2)).unwrap(), (vec![2], None));
        assert_eq!(part(Some(3), Some(1)).unwrap(), (vec![1], Some(1)));
        assert_eq!(part(Some(2), Some(2)).unwrap(), (vec![], None));
        assert_eq!(part(None, Some(3)).unwrap(), (vec![3, 1, 2], None));
    }

    /// It was deleted between two pages: to begin with the first again would list accounts twice.
    #[test]
    fn a_page_after_what_is_not_there_is_refused() {
        assert!(part(Some(9), None).unwrap_err().contains("begin anew"));
    }
}
