//! What was done under which key: requests that were settled, and keys of management operations.

use std::collections::{HashMap, HashSet};

use ring::digest;
use uuid::Uuid;

use super::error::LedgerError;
use super::generation::{Generation, time_of};
use super::operation::{IdempotencyKey, Receipt};
use crate::ids::AccountId;

pub(super) const LONGEST_KEY: usize = 200;

/// How a request ended. One is kept for every call of the last while, so it is small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Done {
    pub(super) wallet: AccountId,
    /// Amount, fee and what of them was uncovered. None: released; that is known in memory only.
    pub(super) charged: Option<Charged>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Charged {
    pub(super) amount: i64,
    pub(super) fee: i64,
    pub(super) uncovered: i64,
}

impl Charged {
    pub(super) fn receipt(&self) -> Receipt {
        Receipt {
            // Their sum was checked when it was charged.
            amount: self.amount.saturating_add(self.fee),
            uncovered: self.uncovered,
        }
    }
}

/// Settled requests in two generations: the older is dropped whole, so forgetting never looks at each one.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    pub(super) new: Generation,
    pub(super) old: Generation,
    /// Requests with ids of up to this time may have been forgotten, Unix milliseconds.
    pub(super) forgotten_ms: u64,
}

impl PartialEq for Settled {
    /// Generations are a matter of when they were dropped: what counts is what is known.
    fn eq(&self, other: &Self) -> bool {
        let same = |one: &Self, other: &Self| {
            one.new
                .iter()
                .chain(one.old.iter())
                .all(|(request, done)| other.get(request) == Some(done))
        };
        self.forgotten_ms == other.forgotten_ms && same(self, other) && same(other, self)
    }
}

impl Settled {
    pub(super) fn get(&self, request: &Uuid) -> Option<&Done> {
        self.new.get(request).or_else(|| self.old.get(request))
    }

    pub(super) fn insert(&mut self, request: Uuid, done: Done) {
        self.new.insert(request, done, &self.old);
    }

    /// Returns what is forgotten.
    pub(super) fn rotate(&mut self) -> Generation {
        let forgotten = std::mem::replace(&mut self.old, std::mem::take(&mut self.new));
        self.forgotten_ms = self.forgotten_ms.max(forgotten.latest_ms());
        forgotten
    }

    /// Refuses a request that is not known but may have been.
    pub(super) fn not_forgotten(&self, request: &Uuid) -> Result<(), LedgerError> {
        if self.forgotten_ms > 0 && time_of(request) <= self.forgotten_ms {
            return Err(LedgerError::TooOld(*request));
        }
        Ok(())
    }
}

/// A digest of a key or of an operation's content: short and of one length, whatever callers send.
pub(super) type Mark = [u8; 16];

pub(super) fn mark(bytes: &[u8]) -> Mark {
    let digest = digest::digest(&digest::SHA256, bytes);
    let mut mark = Mark::default();
    for (to, from) in mark.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    mark
}

/// No text has this byte, so no key of the one set has the mark of one that has a scope.
const SCOPED: u8 = 0xFF;

impl IdempotencyKey {
    pub(super) fn mark(&self) -> Mark {
        let text = self.text.as_bytes();
        match &self.scope {
            None => mark(text),
            Some(scope) => mark(&[&[SCOPED], &scope.as_bytes()[..], text].concat()),
        }
    }

    /// What the versions that knew no scope remember the same words by.
    fn mark_without_scope(&self) -> Mark {
        mark(self.text.as_bytes())
    }
}

/// Keys of grants and reclaims, with a mark of their content. Kept for ever, some 100 bytes each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Keys {
    pub(super) done: HashMap<Mark, (Mark, Receipt)>,
    /// Of operations that are being stored.
    pub(super) under_way: HashSet<Mark>,
}

impl Keys {
    /// What was done under the key, if it was: with content that any of these marks is of.
    pub(super) fn check(
        &self,
        key: &IdempotencyKey,
        contents: [Mark; 2],
    ) -> Result<Option<Receipt>, LedgerError> {
        if key.text.is_empty() || key.text.len() > LONGEST_KEY {
            return Err(LedgerError::Key);
        }
        let by_key = key.mark();
        match self.done.get(&by_key) {
            None if self.under_way.contains(&by_key) => {
                Err(LedgerError::UnderWay(format!("idempotency key `{key}`")))
            }
            None => Ok(self.before_scopes(key, contents)),
            Some((before, receipt)) if contents.contains(before) => Ok(Some(*receipt)),
            Some((_, _)) => Err(LedgerError::Conflict {
                key: key.text.clone(),
                was: "another grant or reclaim",
            }),
        }
    }

    /// What was done under the same words before keys had a scope. Nobody can tell any more who asked for it: if it was the
    /// same it is not done again, and if it was something else it may have been anybody's and is not told.
    fn before_scopes(&self, key: &IdempotencyKey, contents: [Mark; 2]) -> Option<Receipt> {
        let (content, receipt) = self.done.get(&key.mark_without_scope())?;
        contents.contains(content).then_some(*receipt)
    }
}
