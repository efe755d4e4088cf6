//! Inference keys: made, listed, replaced, revoked.

use tollgate_governance::{DEFAULT_GRACE_MS, Key, KeyDraft, KeyId, OsRandom};

use super::audit::Act;
use super::error::ControlError;
use super::known::{self, Lists};
use super::views::{IssuedKey, KeyList, KeyView};
use super::{Control, State, now_ms};

impl Control {
    /// Makes a key. The answer is the only place where it exists.
    ///
    /// # Errors
    /// The account is unknown, a name in its scope means nothing, or it could never work.
    pub fn create_key(&self, new: &KeyDraft) -> Result<IssuedKey, ControlError> {
        let mut state = self.state.lock();
        known::endpoints(&Lists {
            field: "scope.endpoints",
            given: new.scope.endpoints.as_deref(),
            present: None,
        })?;
        known::providers(
            &state,
            &Lists {
                field: "scope.providers",
                given: new.scope.providers.as_deref(),
                present: None,
            },
        )?;
        let (new, changes) = state.directory.create_key(
            new.clone(),
            &self.hasher,
            now_ms(),
            &mut OsRandom::new(),
        )?;
        self.commit(&mut state, Act::new("key.create"), &changes)?;
        Ok(IssuedKey {
            view: view(&state, &new.key),
            key: new.token,
            replaces: None,
        })
    }

    /// Keys of an account and of all below it, or of all accounts; revoked ones too.
    ///
    /// # Errors
    /// The account is unknown.
    pub fn keys(&self, account: Option<&str>) -> Result<KeyList, ControlError> {
        let state = self.state.lock();
        let top = account
            .map(|target| state.directory.account(target))
            .transpose()?
            .map(|account| account.id);
        let keys = state
            .directory
            .keys()
            .into_iter()
            .filter(|key| top.is_none_or(|top| state.directory.is_within(key.account, top)))
            .map(|key| view(&state, key))
            .collect();
        Ok(KeyList { keys })
    }

    /// One key.
    ///
    /// # Errors
    /// There is none.
    pub fn key(&self, id: &str) -> Result<KeyView, ControlError> {
        let state = self.state.lock();
        Ok(view(&state, known_key(&state, id)?))
    }

    /// Makes a successor that may do the same; the old key goes on for `grace_ms` (a day if none is given, 0: it stops
    /// now).
    ///
    /// # Errors
    /// There is none, it does not work any more, or it has a successor.
    pub fn rotate_key(&self, id: &str, grace_ms: Option<u64>) -> Result<IssuedKey, ControlError> {
        let mut state = self.state.lock();
        let grace_ms = grace_ms.unwrap_or(DEFAULT_GRACE_MS);
        let (new, changes) = state.directory.rotate_key(
            id,
            grace_ms,
            &self.hasher,
            now_ms(),
            &mut OsRandom::new(),
        )?;
        let act = about("key.rotate", &state, known_key(&state, id)?);
        self.commit(&mut state, act.with("grace_ms", grace_ms), &changes)?;
        Ok(IssuedKey {
            view: view(&state, &new.key),
            key: new.token,
            replaces: Some(view(&state, known_key(&state, id)?)),
        })
    }

    /// Revokes a key; the next request feels it. With `kill` answers that are under way end, too.
    ///
    /// # Errors
    /// There is none.
    pub fn revoke_key(&self, id: &str, kill: bool) -> Result<KeyView, ControlError> {
        let mut state = self.state.lock();
        let changes = state.directory.revoke_key(id, now_ms())?;
        let act = about("key.revoke", &state, known_key(&state, id)?).with("kill", kill);
        if changes.is_empty() && kill {
            // It was revoked before; that its answers end now is a deed of its own.
            self.record(&mut state, act, &[])?;
        } else {
            self.commit(&mut state, act, &changes)?;
        }
        let key = known_key(&state, id)?;
        if kill {
            // After the commit: what begins now finds no key any more.
            self.kills().kill(key.id);
        }
        Ok(view(&state, key))
    }
}

fn known_key<'a>(state: &'a State, id: &str) -> Result<&'a Key, ControlError> {
    let found = id
        .parse::<KeyId>()
        .ok()
        .and_then(|id| state.directory.key(id));
    found
        .map(|key| &**key)
        .ok_or_else(|| ControlError::not_found(format!("no key `{id}`")))
}

/// An act on a key that is there.
fn about(act: &'static str, state: &State, key: &Key) -> Act {
    let path = state.directory.names(key.account).unwrap_or_default();
    Act::new(act).about(key.id.to_string(), path)
}

fn view(state: &State, key: &Key) -> KeyView {
    KeyView {
        id: key.id,
        account: key.account,
        path: state.directory.names(key.account).unwrap_or_default(),
        label: key.label.clone(),
        prefix: key.prefix.clone(),
        state: key.state_at(now_ms()),
        scope: key.scope.clone(),
        not_before_ms: key.not_before_ms,
        expires_ms: key.expires_ms,
        last_used_ms: state.directory.last_used(key.id),
        successor: key.successor,
        created_ms: key.created_ms,
        revoked_ms: key.revoked_ms,
    }
}
