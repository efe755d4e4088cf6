//! Inference keys: made, listed, revoked.

use tollgate_governance::{KeyDraft, KeyId, OsRandom};

use super::error::ControlError;
use super::views::{IssuedKey, KeyList, KeyView};
use super::{Control, State, now_ms};

impl Control {
    /// Makes a key. The answer is the only place where it exists.
    ///
    /// # Errors
    /// The account is unknown or the label is wrong.
    pub fn create_key(&self, new: &KeyDraft) -> Result<IssuedKey, ControlError> {
        let mut state = self.state.lock();
        let (new, changes) = state.directory.create_key(
            new.clone(),
            &self.hasher,
            now_ms(),
            &mut OsRandom::new(),
        )?;
        self.commit(&mut state, &changes)?;
        let path = state.directory.names(new.key.account).unwrap_or_default();
        Ok(IssuedKey {
            view: KeyView::new(&new.key, path),
            key: new.token,
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
            .map(|key| KeyView::new(key, state.directory.names(key.account).unwrap_or_default()))
            .collect();
        Ok(KeyList { keys })
    }

    /// Revokes a key; the next request feels it.
    ///
    /// # Errors
    /// There is none.
    pub fn revoke_key(&self, id: &str) -> Result<KeyView, ControlError> {
        let mut state = self.state.lock();
        let changes = state.directory.revoke_key(id, now_ms())?;
        self.commit(&mut state, &changes)?;
        view(&state, id)
    }
}

fn view(state: &State, id: &str) -> Result<KeyView, ControlError> {
    let found = id
        .parse::<KeyId>()
        .ok()
        .and_then(|id| state.directory.key(id));
    let key = found.ok_or_else(|| ControlError::not_found(format!("no key `{id}`")))?;
    Ok(KeyView::new(
        key,
        state.directory.names(key.account).unwrap_or_default(),
    ))
}
