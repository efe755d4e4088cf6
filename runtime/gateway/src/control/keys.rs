//! Inference keys: made, listed, replaced, revoked.

use tollgate_governance::{DEFAULT_GRACE_MS, Key, KeyDraft, KeyId, OsRandom};

use super::audit::Act;
use super::error::ControlError;
use super::known::{self, Lists};
use super::listing::Listing;
use super::management::{Management, blamed};
use super::views::{IssuedKey, KeyList, KeyView};
use super::{State, now_ms};

impl Management<'_> {
    /// Makes a key. The answer is the only place where it exists.
    ///
    /// # Errors
    /// The account is unknown, a name in its scope means nothing, or it could never work.
    pub fn create_key(&self, new: &KeyDraft) -> Result<IssuedKey, ControlError> {
        let mut state = self.control.state.lock();
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
        known::listed_models(
            &self.control.snapshot(),
            &Lists {
                field: "scope.models",
                given: new.scope.models.as_deref(),
                present: None,
            },
            |name| state.asks_for(name),
        )?;
        let account = self.seen(&state, &new.account);
        let account = account.map_err(|error| blamed("account", error))?;
        let new = KeyDraft {
            account: account.into_owned(),
            ..new.clone()
        };
        let (new, changes) = state.directory.create_key(
            new,
            &self.control.hasher,
            now_ms(),
            &mut OsRandom::new(),
        )?;
        let made = self
            .control
            .commit(&mut state, self.act("key.create"), &changes)?;
        made.confirmed()
            .map_err(|error| unshown(error, new.key.id))?;
        Ok(IssuedKey {
            view: self.key_view(&state, &new.key),
            key: new.token,
            replaces: None,
        })
    }

    /// Keys of an account and of all below it, or of all accounts; revoked ones too.
    ///
    /// # Errors
    /// The account is unknown, or there is no key to go on after.
    pub fn keys(&self, listing: &Listing) -> Result<KeyList, ControlError> {
        let state = self.control.state.lock();
        let asked = listing.account.as_deref();
        let asked = asked.map(|target| self.find(&state, target)).transpose()?;
        let top = asked.map(|account| account.id).or(self.top());
        let all = state.directory.keys().into_iter();
        let all =
            all.filter(|key| top.is_none_or(|top| state.directory.is_within(key.account, top)));
        let (listed, next) = listing.part_of(all, |key| key.id.0)?;
        let views = listed.into_iter().map(|key| self.key_view(&state, key));
        Ok(KeyList {
            keys: views.collect(),
            next: next.map(KeyId),
        })
    }

    /// One key.
    ///
    /// # Errors
    /// There is none.
    pub fn key(&self, id: &str) -> Result<KeyView, ControlError> {
        let state = self.control.state.lock();
        Ok(self.key_view(&state, self.known_key(&state, id)?))
    }

    /// Makes a successor that may do the same; the old key goes on for `grace_ms` (a day if none is given, 0: it stops
    /// now).
    ///
    /// # Errors
    /// There is none, it does not work any more, or it has a successor.
    pub fn rotate_key(&self, id: &str, grace_ms: Option<u64>) -> Result<IssuedKey, ControlError> {
        let mut state = self.control.state.lock();
        let grace_ms = grace_ms.unwrap_or(DEFAULT_GRACE_MS);
        self.known_key(&state, id)?;
        let (new, changes) = state.directory.rotate_key(
            id,
            grace_ms,
            &self.control.hasher,
            now_ms(),
            &mut OsRandom::new(),
        )?;
        let act = self.about("key.rotate", &state, self.known_key(&state, id)?);
        let made = self
            .control
            .commit(&mut state, act.with("grace_ms", grace_ms), &changes)?;
        made.confirmed()
            .map_err(|error| unshown(error, new.key.id))?;
        Ok(IssuedKey {
            view: self.key_view(&state, &new.key),
            key: new.token,
            replaces: Some(self.key_view(&state, self.known_key(&state, id)?)),
        })
    }

    /// Revokes a key; the next request feels it. With `kill` answers that are under way end, too.
    ///
    /// # Errors
    /// There is none.
    pub fn revoke_key(&self, id: &str, kill: bool) -> Result<KeyView, ControlError> {
        let mut state = self.control.state.lock();
        self.known_key(&state, id)?;
        let changes = state.directory.revoke_key(id, now_ms())?;
        let act = self
            .about("key.revoke", &state, self.known_key(&state, id)?)
            .with("kill", kill);
        let made = if changes.is_empty() && kill {
            // It was revoked before; that its answers end now is a deed of its own.
            self.control.record(&mut state, act, &[])?
        } else {
            self.control.commit(&mut state, act, &changes)?
        };
        let key = self.known_key(&state, id)?;
        if kill {
            // After the commit: what begins now finds no key any more.
            self.control.kills().kill(key.id);
        }
        made.confirmed()?;
        Ok(self.key_view(&state, key))
    }

    fn known_key<'s>(&self, state: &'s State, id: &str) -> Result<&'s Key, ControlError> {
        let found = id
            .parse::<KeyId>()
            .ok()
            .and_then(|id| state.directory.key(id));
        found
            .filter(|key| self.sees(state, key.account))
            .map(|key| &**key)
            .ok_or_else(|| ControlError::not_found(format!("no key `{id}`")))
    }

    /// An act on a key that is there.
    fn about(&self, act: &'static str, state: &State, key: &Key) -> Act {
        let path = state.directory.names(key.account).unwrap_or_default();
        self.act(act).about(key.id.to_string(), path)
    }

    fn key_view(&self, state: &State, key: &Key) -> KeyView {
        KeyView {
            id: key.id,
            account: key.account,
            path: self.named(state, key.account),
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
}

/// The disk has not confirmed a secret, so it is not shown, and it works: nobody may look for it in vain.
pub(super) fn unshown(error: ControlError, id: impl std::fmt::Display) -> ControlError {
    ControlError {
        message: format!(
            "{}. `{id}` is made and was not shown: revoke it, and make another",
            error.message
        ),
        ..error
    }
}
