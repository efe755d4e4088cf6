//! What operations on the directory refuse, change and keep.

mod accounts;
mod delete;
mod effect;
mod keys;
mod property;
mod reach;
mod records;
mod settings;
mod tokens;

use super::*;
use crate::account::AccountPatch;
use crate::attachment::AttachmentDraft;
use crate::caller::Caller;
use crate::key::KeyDraft;
use crate::random::Seeded;
use crate::record::Record;
use crate::token::KeyHasher;

/// A directory with a hand to work it.
pub(crate) struct Bench {
    pub(crate) directory: Directory,
    pub(crate) random: Seeded,
    pub(crate) hasher: KeyHasher,
    pub(crate) now: u64,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let mut bench = Self {
            directory: Directory::default(),
            random: Seeded::new(1),
            hasher: KeyHasher::new(&[9; 32]),
            now: 1_000,
        };
        let made = bench.directory.create_root(bench.now, &mut bench.random);
        bench.directory.apply(&made.unwrap().1);
        bench
    }

    /// Makes an account without boundaries.
    pub(crate) fn account(
        &mut self,
        parent: &str,
        name: &str,
    ) -> Result<AccountId, DirectoryError> {
        self.account_with(parent, name, "{}")
    }

    /// Makes an account with the boundaries that `text` says.
    pub(crate) fn account_with(
        &mut self,
        parent: &str,
        name: &str,
        text: &str,
    ) -> Result<AccountId, DirectoryError> {
        self.now += 1;
        let new = AccountPatch {
            name: Some(name.to_owned()),
            parent: Some(parent.to_owned()),
            ..serde_json::from_str(text).unwrap()
        };
        let made = self
            .directory
            .create_account(&new, self.now, &mut self.random);
        let (account, changes) = made?;
        self.directory.apply(&changes);
        Ok(account.id)
    }

    pub(crate) fn patch(&mut self, target: &str, patch: &str) -> Result<(), DirectoryError> {
        self.now += 1;
        let patch: AccountPatch = serde_json::from_str(patch).unwrap();
        let (_, changes) = self.directory.update_account(target, &patch, self.now)?;
        self.directory.apply(&changes);
        Ok(())
    }

    /// Makes a key and returns its id and text.
    pub(crate) fn key(&mut self, account: &str) -> (KeyId, String) {
        self.key_with(account, "{}").unwrap()
    }

    /// Makes a key with what `text` says about it.
    pub(crate) fn key_with(
        &mut self,
        account: &str,
        text: &str,
    ) -> Result<(KeyId, String), DirectoryError> {
        self.now += 1;
        let mut draft: serde_json::Value = serde_json::from_str(text).unwrap();
        draft["account"] = account.into();
        let draft: KeyDraft = serde_json::from_value(draft).unwrap();
        let made = self
            .directory
            .create_key(draft, &self.hasher, self.now, &mut self.random);
        let (new, changes) = made?;
        self.directory.apply(&changes);
        Ok((new.key.id, new.token.expose().to_owned()))
    }

    pub(crate) fn rotate(
        &mut self,
        key: KeyId,
        grace_ms: u64,
        now_ms: u64,
    ) -> Result<(KeyId, String), DirectoryError> {
        let id = key.to_string();
        let made = self
            .directory
            .rotate_key(&id, grace_ms, &self.hasher, now_ms, &mut self.random);
        let (new, changes) = made?;
        self.directory.apply(&changes);
        Ok((new.key.id, new.token.expose().to_owned()))
    }

    pub(crate) fn revoke(&mut self, key: KeyId) {
        let changes = self.directory.revoke_key(&key.to_string(), self.now);
        self.directory.apply(&changes.unwrap());
    }

    /// Makes a management token with what `text` says about it.
    pub(crate) fn token(
        &mut self,
        account: &str,
        text: &str,
    ) -> Result<(TokenId, String), DirectoryError> {
        self.now += 1;
        let mut draft: serde_json::Value = serde_json::from_str(text).unwrap();
        draft["account"] = account.into();
        let draft = serde_json::from_value(draft).unwrap();
        let made = self
            .directory
            .create_token(draft, &self.hasher, self.now, &mut self.random);
        let (new, changes) = made?;
        self.directory.apply(&changes);
        Ok((new.record.id, new.token.expose().to_owned()))
    }

    pub(crate) fn find(&self, token: &str) -> Option<Caller> {
        self.directory.snapshot().find(&self.hasher.mac(token))
    }

    pub(crate) fn path(&self, target: &str) -> Arc<Path> {
        let id = self.directory.account(target).unwrap().id;
        Arc::new(self.directory.path(id).unwrap())
    }

    pub(crate) fn attach(&mut self, id: &str, account: &str, order: i64) {
        let draft = AttachmentDraft {
            component: "redact".to_owned(),
            account: Some(account.to_owned()),
            order,
            ..AttachmentDraft::default()
        };
        let (_, changes) = self.directory.put_attachment(id, draft, self.now).unwrap();
        self.directory.apply(&changes);
    }

    /// Begins to delete an account on which no credit and no request hangs.
    pub(crate) fn close(&mut self, target: &str, mode: DeleteMode) -> Result<(), DirectoryError> {
        self.now += 1;
        let nothing = |_| Attached::default();
        let changes = self
            .directory
            .close_account(target, mode, nothing, self.now)?;
        self.directory.apply(&changes);
        Ok(())
    }

    pub(crate) fn archive(&mut self, id: AccountId) -> Result<(), DirectoryError> {
        self.now += 1;
        let changes = self.directory.archive(id, self.now)?;
        self.directory.apply(&changes);
        Ok(())
    }

    /// Everything through its stored bytes and back.
    pub(crate) fn reloaded(&self) -> Directory {
        let directory = &self.directory;
        let accounts = directory.accounts().chain(directory.archived()).cloned();
        let mut records: Vec<Record> = accounts.map(Record::Account).collect();
        records.extend(directory.keys().into_iter().cloned().map(Record::Key));
        records.extend(directory.upstreams().cloned().map(Record::Upstream));
        records.extend(directory.attachments().cloned().map(Record::Attachment));
        records.extend(directory.credentials().cloned().map(Record::Credential));
        records.extend(directory.tokens().into_iter().cloned().map(Record::Token));
        // The store gives them back in whatever order.
        records.reverse();
        Directory::load(records.into_iter().map(|record| {
            let change = Change::from(record);
            Record::decode(change.kind(), &change.bytes().unwrap()).unwrap()
        }))
        .unwrap()
    }
}

fn field(error: DirectoryError) -> &'static str {
    error.field().unwrap()
}
