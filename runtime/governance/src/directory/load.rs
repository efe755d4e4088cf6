//! Rebuilding the directory from stored records, in whatever order they come, refusing what does not fit together.

use std::collections::HashMap;

use super::{Directory, ROOT};
use crate::account::Status;
use crate::ids::AccountId;
use crate::record::{Change, Record, RecordError};

impl Directory {
    /// Rebuilds the directory. No records make an empty one, without a root.
    ///
    /// # Errors
    /// [`RecordError::Inconsistent`] when a parent, account or root is missing, names clash or parents form a ring:
    /// better not to start than to serve with half a tree.
    pub fn load(records: impl IntoIterator<Item = Record>) -> Result<Self, RecordError> {
        let mut directory = Self::default();
        let (mut accounts, mut rest) = (HashMap::new(), Vec::new());
        for record in records {
            match record {
                Record::Account(account) if account.status == Status::Archived => {
                    directory.apply(&[Change::Account(account.id, Some(account))]);
                }
                Record::Account(account) => {
                    accounts.insert(account.id, account);
                }
                other => rest.push(other),
            }
        }
        let inconsistent = |message: String| Err(RecordError::Inconsistent(message));
        let mut children: HashMap<AccountId, Vec<AccountId>> = HashMap::new();
        let mut roots = Vec::new();
        for account in accounts.values() {
            match account.parent {
                None if account.name == ROOT => roots.push(account.id),
                None => return inconsistent(format!("account {} has no parent", account.id)),
                Some(parent) => children.entry(parent).or_default().push(account.id),
            }
        }
        match (roots.len(), accounts.is_empty() && rest.is_empty()) {
            (1, _) | (0, true) => {}
            (count, _) => return inconsistent(format!("{count} root accounts instead of one")),
        }
        // Parents before children; what the walk does not reach hangs on nothing, or on itself.
        let (total, mut order) = (accounts.len(), roots);
        let mut next = 0;
        while let Some(id) = order.get(next).copied() {
            next += 1;
            order.extend(children.remove(&id).unwrap_or_default());
            if let Some(account) = accounts.remove(&id) {
                let siblings = account
                    .parent
                    .and_then(|parent| directory.nodes.get(&parent));
                if siblings.is_some_and(|node| node.children.contains_key(&account.name)) {
                    return inconsistent(format!("account {id} has the name of a sibling"));
                }
                directory.apply(&[Change::Account(id, Some(account))]);
            }
        }
        if order.len() != total {
            let lost = accounts
                .keys()
                .next()
                .map(ToString::to_string)
                .unwrap_or_default();
            return inconsistent(format!("account {lost} does not hang on the root"));
        }
        // Keys last: each is indexed once, with its policies in place.
        rest.sort_by_key(|record| matches!(record, Record::Key(_)));
        for record in rest {
            let owner = match &record {
                Record::Key(key) => Some(key.account),
                Record::Attachment(attachment) => Some(attachment.account),
                Record::Token(token) => Some(token.account),
                _ => None,
            };
            if let Some(owner) = owner.filter(|owner| !directory.nodes.contains_key(owner)) {
                return inconsistent(format!("account {owner} is missing"));
            }
            directory.apply(&[record.into()]);
        }
        Ok(directory)
    }
}
