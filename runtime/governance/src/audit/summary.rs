//! What a change makes of a record, told member by member and without secrets.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::canonical::canonical_json;
use super::entry::AuditSubject;
use super::hash::AuditHash;
use crate::attachment::Attachment;
use crate::credential::CredentialRecord;
use crate::directory::Directory;
use crate::ids::AccountId;
use crate::key::Key;
use crate::management::ManagementToken;
use crate::record::Change;
use crate::upstream::Upstream;

/// What a change is about: the record's id or name, and the path of its account as it is before the change (of a new
/// account: as it will be).
#[must_use]
pub fn change_subject(directory: &Directory, change: &Change) -> AuditSubject {
    let path = |account: AccountId| directory.names(account).unwrap_or_default();
    let path = match change {
        Change::Account(id, new) => directory.names(*id).or_else(|| {
            let new = new.as_deref()?;
            Some(match new.parent {
                Some(parent) => format!("{}/{}", path(parent), new.name),
                None => new.name.clone(),
            })
        }),
        Change::Key(id, new) => {
            let key = directory.key(*id).or(new.as_ref());
            key.map(|key| path(key.account))
        }
        Change::Attachment(id, new) => {
            let attached = new.as_ref().or_else(|| directory.attachment(id));
            attached.map(|attached| path(attached.account))
        }
        Change::Token(id, new) => {
            let token = directory.token(*id).or(new.as_ref());
            token.map(|token| path(token.account))
        }
        Change::Upstream(..) | Change::Credential(..) => None,
    };
    AuditSubject {
        id: name_of(change),
        path: path.unwrap_or_default(),
    }
}

/// Named of each kind in an entry at most: a deletion may take a million keys with it.
const MOST_NAMED: usize = 100;

/// Whether every record stays what it is, but for the time at which it was written. Of a credential nobody can tell: its
/// fields are sealed anew each time.
#[must_use]
pub fn changes_nothing(directory: &Directory, changes: &[Change]) -> bool {
    changes.iter().all(|change| match change {
        Change::Account(id, new) => same(directory.get(*id), new.as_ref()),
        Change::Key(id, new) => same(directory.key(*id), new.as_ref()),
        Change::Token(id, new) => same(directory.token(*id), new.as_ref()),
        Change::Upstream(name, new) => same(directory.upstream(name), new.as_ref()),
        Change::Attachment(id, new) => same(directory.attachment(id), new.as_ref()),
        Change::Credential(..) => false,
    })
}

fn same<T: Serialize>(old: Option<&Arc<T>>, new: Option<&Arc<T>>) -> bool {
    let timeless = |record: &Arc<T>| {
        let mut value = serde_json::to_value(&**record).ok()?;
        value.as_object_mut()?.remove("updated_ms");
        Some(value)
    };
    match (old, new) {
        (Some(old), Some(new)) => timeless(old) == timeless(new),
        (old, new) => old.is_none() && new.is_none(),
    }
}

/// What changes make of the record of this id, as `{"limits/rpm": {"from": 5, "to": 10}}`: members of members stand beside
/// each other, what was or will not be there is left out. Of other records that change with it `others` counts how many
/// there are of each kind, and `other_ids` names them, [`MOST_NAMED`] of each at most.
///
/// Secrets are not in it: of credentials there are the names of the fields; of keys and tokens neither hash nor beginning. Nor is
/// what a component is configured with, where one may be hidden: there is its SHA-256, so that it can be compared.
#[must_use]
pub fn change_summary(directory: &Directory, changes: &[Change], id: &str) -> Map<String, Value> {
    let mut members = Map::new();
    let mut others: BTreeMap<&str, u64> = BTreeMap::new();
    let mut other_ids: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for change in changes {
        if name_of(change) == id {
            members.extend(difference(&before(directory, change), &after(change)));
            if let Change::Credential(_, Some(_)) = change {
                members.insert("secrets".to_owned(), json!("set"));
            }
        } else {
            let kind = kind_of(change);
            *others.entry(kind).or_default() += 1;
            let ids = other_ids.entry(kind).or_default();
            if ids.len() < MOST_NAMED {
                ids.push(name_of(change));
            }
        }
    }
    if !others.is_empty() {
        members.insert("others".to_owned(), json!(others));
        members.insert("other_ids".to_owned(), json!(other_ids));
    }
    members
}

fn name_of(change: &Change) -> String {
    match change {
        Change::Account(id, _) => id.to_string(),
        Change::Key(id, _) => id.to_string(),
        Change::Token(id, _) => id.to_string(),
        Change::Upstream(name, _) | Change::Attachment(name, _) | Change::Credential(name, _) => {
            name.clone()
        }
    }
}

fn kind_of(change: &Change) -> &'static str {
    match change {
        Change::Account(..) => "account",
        Change::Key(..) => "key",
        Change::Token(..) => "token",
        Change::Upstream(..) => "upstream",
        Change::Attachment(..) => "policy",
        Change::Credential(..) => "credential",
    }
}

type Told = BTreeMap<String, Value>;

fn before(directory: &Directory, change: &Change) -> Told {
    match change {
        Change::Account(id, _) => directory.get(*id).map(|account| plain(&**account)),
        Change::Key(id, _) => directory.key(*id).map(|key| of_key(key)),
        Change::Token(id, _) => directory.token(*id).map(|token| of_token(token)),
        Change::Upstream(name, _) => directory.upstream(name).map(|one| of_upstream(one)),
        Change::Attachment(id, _) => directory.attachment(id).map(|one| of_attachment(one)),
        Change::Credential(name, _) => directory.credential(name).map(|one| of_credential(one)),
    }
    .unwrap_or_default()
}

fn after(change: &Change) -> Told {
    match change {
        Change::Account(_, new) => new.as_deref().map(plain),
        Change::Key(_, new) => new.as_deref().map(of_key),
        Change::Token(_, new) => new.as_deref().map(of_token),
        Change::Upstream(_, new) => new.as_deref().map(of_upstream),
        Change::Attachment(_, new) => new.as_deref().map(of_attachment),
        Change::Credential(_, new) => new.as_deref().map(of_credential),
    }
    .unwrap_or_default()
}

/// Members that differ, with what they were and what they are.
fn difference(before: &Told, after: &Told) -> Map<String, Value> {
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut members = Map::new();
    for name in names {
        let (from, to) = (before.get(name), after.get(name));
        if from == to {
            continue;
        }
        let mut change = Map::new();
        for (which, value) in [("from", from), ("to", to)] {
            if let Some(value) = value {
                change.insert(which.to_owned(), value.clone());
            }
        }
        members.insert(name.clone(), Value::Object(change));
    }
    members
}

/// The members of a record that holds no secret, without those that change by themselves.
fn plain(record: &impl Serialize) -> Told {
    let mut told = Told::new();
    let Ok(Value::Object(members)) = serde_json::to_value(record) else {
        return told;
    };
    for (name, value) in members {
        match (name.as_str(), value) {
            ("id" | "created_ms" | "updated_ms" | "zone_change", _) => {}
            (_, Value::Object(inner)) => {
                let inner = inner.into_iter();
                told.extend(inner.map(|(member, value)| (format!("{name}/{member}"), value)));
            }
            (_, value) => {
                told.insert(name, value);
            }
        }
    }
    told
}

/// Named one by one: what a key may come to hold is not told before somebody has thought about it.
fn of_key(key: &Key) -> Told {
    let Key {
        account,
        label,
        scope,
        not_before_ms,
        expires_ms,
        successor,
        revoked_ms,
        ..
    } = key;
    let members = json!({
        "account": account, "label": label, "scope": scope, "not_before_ms": not_before_ms, "expires_ms": expires_ms,
        "successor": successor, "revoked_ms": revoked_ms,
    });
    let mut told = plain(&members);
    told.retain(|_, value| !value.is_null());
    told
}

fn of_token(token: &ManagementToken) -> Told {
    let ManagementToken {
        account,
        label,
        role,
        expires_ms,
        revoked_ms,
        ..
    } = token;
    let mut told = plain(&json!({
        "account": account, "label": label, "role": role, "expires_ms": expires_ms, "revoked_ms": revoked_ms,
    }));
    told.retain(|_, value| !value.is_null());
    told
}

fn of_credential(record: &CredentialRecord) -> Told {
    plain(&json!({ "name": record.name, "fields": record.fields }))
}

fn of_attachment(attachment: &Attachment) -> Told {
    let bare = Attachment {
        config: Value::Null,
        ..attachment.clone()
    };
    let mut told = plain(&bare);
    told.insert("config".to_owned(), fingerprint(&attachment.config));
    told
}

fn of_upstream(upstream: &Upstream) -> Told {
    let bare = Upstream {
        config: Value::Null,
        models: Vec::new(),
        ..upstream.clone()
    };
    let mut told = plain(&bare);
    told.insert("config".to_owned(), fingerprint(&upstream.config));
    for model in &upstream.models {
        told.insert(format!("models/{}", model.id), json!(model));
    }
    told
}

fn fingerprint(config: &Value) -> Value {
    match config {
        Value::Null => Value::Null,
        config => {
            let hash = AuditHash::of(&[canonical_json(config).as_bytes()]);
            json!(format!("sha256:{hash}"))
        }
    }
}
