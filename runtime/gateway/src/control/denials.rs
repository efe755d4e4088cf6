//! What policies refuse, gathered for the audit log: one entry a minute for all that one key ran into at one policy for one
//! reason, so that a client that hammers at a policy fills no log, and no request waits for the log's disk.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tollgate_governance::{AccountId, Caller, KeyId};

use super::Control;
use super::audit::{Act, Actor};
use super::usage::hex;
use crate::snapshot::Policy;

/// Told apart at most at a time. A component chooses its reasons; what is beyond is counted for the policy alone.
const MOST: usize = 256;

/// Refusals that are not in the log yet.
#[derive(Default)]
pub(crate) struct Denials(Mutex<BTreeMap<Denied, Count>>);

/// What one entry is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Denied {
    policy: String,
    component: String,
    digest: [u8; 32],
    /// None: all that is not told apart.
    who: Option<Who>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    account: AccountId,
    path: String,
    key: KeyId,
    reason: String,
}

#[derive(Clone, Copy)]
struct Count {
    requests: u64,
    from_ms: u64,
    until_ms: u64,
}

impl Denials {
    /// A policy has refused a request or ended an answer.
    pub(crate) fn note(&self, policy: &Policy, caller: &Caller, reason: &str, now_ms: u64) {
        let who = Who {
            account: caller.path.account(),
            path: caller.path.names(),
            key: caller.id(),
            reason: reason.to_owned(),
        };
        let denied = Denied {
            policy: policy.id.clone(),
            component: policy.component.clone(),
            digest: policy.digest(),
            who: Some(who),
        };
        let count = Count {
            requests: 1,
            from_ms: now_ms,
            until_ms: now_ms,
        };
        add(&mut self.0.lock(), denied, count);
    }
}

fn add(gathered: &mut BTreeMap<Denied, Count>, mut denied: Denied, more: Count) {
    if gathered.len() >= MOST && !gathered.contains_key(&denied) {
        denied.who = None;
    }
    let count = gathered.entry(denied).or_insert(Count {
        requests: 0,
        ..more
    });
    count.requests = count.requests.saturating_add(more.requests);
    count.from_ms = count.from_ms.min(more.from_ms);
    count.until_ms = count.until_ms.max(more.until_ms);
}

impl Control {
    /// Writes down what has been gathered. What cannot be written stays gathered.
    pub(super) fn note_denials(&self) {
        let mut gathered = std::mem::take(&mut *self.denials.0.lock()).into_iter();
        while let Some((denied, count)) = gathered.next() {
            if let Err(error) = self.note(act(&denied, count)) {
                tracing::warn!(%error, "what policies refused is not in the audit log yet");
                let mut again = self.denials.0.lock();
                for (denied, count) in std::iter::once((denied, count)).chain(gathered) {
                    add(&mut again, denied, count);
                }
                return;
            }
        }
    }
}

fn act(denied: &Denied, count: Count) -> Act {
    let act = Act::new("request.deny")
        .by(Actor::Gateway)
        .with("policy", &denied.policy)
        .with("component", &denied.component)
        .with("digest", hex(&denied.digest))
        .with("requests", count.requests)
        .with("from_ms", count.from_ms)
        .with("until_ms", count.until_ms);
    match &denied.who {
        Some(who) => act
            .about(who.account.to_string(), &who.path)
            .with("key", who.key)
            .with("reason", &who.reason),
        None => act.about("", ""),
    }
}
