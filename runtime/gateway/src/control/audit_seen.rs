//! The audit log as whoever manages an account sees it: what was done to it and below it, and nothing of the rest.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use tollgate_governance::{ABOVE, AccountId, AuditEntry, AuditSubject};
use tollgate_store::{Visit, audit};

use super::audit::{AuditItem, AuditPage, MOST, TOKEN};
use super::error::ControlError;
use super::management::Management;
use super::{Control, State};

/// Acts that are about accounts; those about anything else are the operator's.
const ACTS: [&str; 6] = [
    "account.", "limits.", "key.", "token.", "grant.", "request.",
];
/// Actors that are the operator; for who sees a part of the tree he is somebody above, like any token there.
const OPERATOR: [&str; 2] = ["management-token", "command-line"];
/// Members of changes that name accounts.
const ACCOUNTS: [&str; 4] = ["account", "parent", "from", "to"];

/// An entry without what lies above its reader. It has no hash: that is over the whole entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeenEntry {
    /// Its number in the log.
    pub sequence: u64,
    /// Unix milliseconds.
    pub at_ms: u64,
    /// Who did it; `above` for a token of an account above and, to who does not see the root, for the operator.
    pub actor: String,
    /// What was done.
    pub act: String,
    /// To what; the path is the one of now.
    pub subject: AuditSubject,
    /// What changed by it.
    pub changes: Value,
}

impl Management<'_> {
    /// Entries after the number `after`, at most `limit` and a thousand; of a part of the tree those about accounts of it, as
    /// far as these are known. Reads the store: not for an async thread.
    ///
    /// # Errors
    /// The store fails.
    pub fn audit_page(&self, after: u64, limit: usize) -> Result<AuditPage, ControlError> {
        match self.top() {
            None => self.control.whole_audit_page(after, limit),
            Some(top) => self.control.audit_page_from(top, after, limit),
        }
    }
}

impl Control {
    fn audit_page_from(
        &self,
        top: AccountId,
        after: u64,
        limit: usize,
    ) -> Result<AuditPage, ControlError> {
        let limit = limit.min(MOST);
        // Not under the lock while the log is read.
        let view = View::new(&self.state.lock(), top);
        let mut page = AuditPage {
            entries: Vec::new(),
            last: 0,
            next: None,
            public_key: None,
        };
        let mut given = after;
        audit::scan(&*self.store, 0, &mut |number, entry| {
            // Whose a damaged entry is nobody can tell.
            let Some(seen) = entry.ok().and_then(|entry| view.of(entry)) else {
                return Visit::Continue;
            };
            page.last = number;
            if number > after && page.entries.len() < limit {
                given = number;
                page.entries.push(AuditItem::Seen(seen));
            } else if number > after {
                page.next = Some(given);
            }
            Visit::Continue
        })?;
        Ok(page)
    }
}

/// What a reader sees.
struct View {
    /// Ids of all that he sees, with the path of the account.
    ids: HashMap<String, String>,
    /// The root is above him.
    is_part: bool,
}

impl View {
    fn new(state: &State, top: AccountId) -> Self {
        let directory = &state.directory;
        let within = |id: AccountId| {
            let within = directory.was_within(id, top);
            within.then(|| directory.names_from(top, id))?
        };
        let gone = directory.archived();
        let accounts = directory.accounts().chain(gone);
        let accounts = accounts.map(|account| (account.id.to_string(), account.id));
        let keys = directory.keys().into_iter();
        let keys = keys.map(|key| (key.id.to_string(), key.account));
        let tokens = directory.tokens().into_iter();
        let tokens = tokens.map(|token| (token.id.to_string(), token.account));
        let all = accounts.chain(keys).chain(tokens);
        Self {
            ids: all
                .filter_map(|(id, account)| Some((id, within(account)?)))
                .collect(),
            is_part: directory.root().is_none_or(|root| root.id != top),
        }
    }

    fn of(&self, entry: AuditEntry) -> Option<SeenEntry> {
        if !ACTS.iter().any(|acts| entry.act.starts_with(acts)) {
            return None;
        }
        let path = self.ids.get(&entry.subject.id)?.clone();
        let is_above = match entry.actor.strip_prefix(TOKEN) {
            Some(token) => !self.ids.contains_key(token),
            None => self.is_part && OPERATOR.contains(&entry.actor.as_str()),
        };
        let mut changes = entry.changes;
        if let Value::Object(members) = &mut changes {
            for (name, value) in members {
                if ACCOUNTS.contains(&name.as_str()) {
                    self.hide(value);
                }
            }
        }
        Some(SeenEntry {
            sequence: entry.sequence,
            at_ms: entry.at_ms,
            actor: match is_above {
                true => ABOVE.to_owned(),
                false => entry.actor,
            },
            act: entry.act,
            subject: AuditSubject {
                id: entry.subject.id,
                path,
            },
            changes,
        })
    }

    /// An id of what is not seen, alone or as `from` or `to`.
    fn hide(&self, value: &mut Value) {
        match value {
            Value::String(id) if id.parse::<AccountId>().is_ok() && !self.ids.contains_key(id) => {
                ABOVE.clone_into(id);
            }
            Value::Object(members) => members.values_mut().for_each(|value| self.hide(value)),
            _ => {}
        }
    }
}
