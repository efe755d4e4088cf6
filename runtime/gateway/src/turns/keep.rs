//! On the way out: an answer that its client may name later is kept when it is whole.

use std::sync::Arc;

use serde::Deserialize;
use tollgate_dialect::{Ended, LastResponse, Operation, StreamSummary};
use tollgate_governance::{AccountId, Path};

use super::resume::items;
use super::{Kept, Record, underway};
use crate::control::Control;
use crate::request::Request;
use crate::route::Candidate;
use crate::worker::Worker;

/// Keeps one answer.
pub(crate) struct Keeper {
    control: Arc<Control>,
    account: AccountId,
    conversation: Option<String>,
    /// The answer's place in it, given back when it is added.
    inside: Option<Arc<underway::Place>>,
    now_ms: u64,
    place: Place,
    /// Whether the gateway keeps anything of this account.
    keeps: bool,
    done: bool,
}

enum Place {
    /// The vendor of this upstream keeps it.
    There(String),
    /// The gateway does: the input, unless it is too long or not to be kept, and the answer as it comes by.
    Here(Option<String>, LastResponse),
}

/// Where a conversation stands after an answer that is not kept: no vendor names one so.
const UNKEPT: &str = "unkept";

/// Of other answers a vendor may keep nothing: no conversation moves to one.
const ENDED_WELL: [&str; 2] = ["completed", "incomplete"];

/// What is read of a response object.
#[derive(Deserialize)]
struct Head {
    id: Option<String>,
    status: Option<String>,
    usage: Option<Counted>,
}

#[derive(Deserialize)]
struct Counted {
    total_tokens: Option<u64>,
}

/// Whether the client may name the answer later. It may unless it said otherwise.
fn may_be_named(request: &Request) -> bool {
    request.operation == Operation::Responses && request.document.get("store") != Some(b"false")
}

/// Whether the gateway itself is to keep an answer that its vendor does not.
pub(crate) fn is_wanted(control: &Control, request: &Request) -> bool {
    may_be_named(request) && keeps(control, &request.caller.path)
}

/// Whether the gateway itself keeps anything of an account: the operator may say no for all, and every account of its
/// path for itself and all below it.
pub(crate) fn keeps(control: &Control, path: &Path) -> bool {
    control.config().responses.keep_days > 0 && path.keeps_answers()
}

impl Keeper {
    /// What keeps the answer of this request, if anything has to.
    pub(crate) fn new(worker: &Worker, request: &Request, route: &Candidate) -> Option<Self> {
        if !may_be_named(request) {
            return None;
        }
        let control = &worker.control;
        let limit = control.config().responses.max_kept_bytes;
        let thread = request.thread.as_ref();
        let conversation = thread.and_then(|thread| thread.conversation.clone());
        let keeps = keeps(control, &request.caller.path);
        let place = if route.keeps_answers() {
            Place::There(route.upstream.name.clone())
        } else {
            let input = request.document.get("input");
            let is_kept = keeps && input.is_none_or(|input| input.len() <= limit);
            // A conversation from a time when answers were kept hears of one that is not: it ends there.
            if !is_kept && conversation.is_none() {
                return None;
            }
            let input = is_kept.then(|| items(input));
            Place::Here(input, LastResponse::new(limit))
        };
        Some(Self {
            inside: thread.and_then(|thread| thread.place.clone()),
            control: Arc::clone(control),
            account: request.caller.path.account(),
            conversation,
            now_ms: worker.now_ms(),
            place,
            keeps,
            done: false,
        })
    }

    /// Takes a whole answer.
    pub(crate) fn whole(&mut self, body: &[u8]) {
        let Ok(head) = serde_json::from_slice::<Head>(body) else {
            return;
        };
        let tokens = head.usage.and_then(|usage| usage.total_tokens);
        // Without a name nobody can go on from it, and the conversation stays where it was.
        let Some(id) = head.id.filter(|id| !id.is_empty()) else {
            return;
        };
        let ended_well = |status: &str| ENDED_WELL.contains(&status);
        if head.status.is_some_and(|status| !ended_well(&status)) {
            self.conversation = None;
        }
        let response = || String::from_utf8_lossy(body).into_owned();
        self.keep(&id, tokens.unwrap_or(0), response);
    }

    /// Takes bytes of a stream before the client gets them: who has seen the end of an answer can go on with it.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if let Place::Here(_, last) = &mut self.place {
            last.push(bytes);
            if let Some(response) = last.take() {
                self.whole(response.as_bytes());
            }
        }
    }

    /// The stream has ended; this is what the gateway read of it on the side. Whose an answer is that its vendor keeps is
    /// noted however it ended. No conversation moves to one that did not end well: a vendor may keep none of it, and every
    /// further turn would be refused.
    pub(crate) fn ended(&mut self, id: Option<&str>, stream: &StreamSummary) {
        let usage = stream.usage.as_ref();
        let tokens = usage.map_or(0, |usage| crate::settle::tokens(usage).total());
        match (&self.place, id) {
            (Place::There(_), Some(id)) => {
                if stream.ended != Ended::Complete {
                    self.conversation = None;
                }
                self.keep(id, tokens, String::new);
            }
            (Place::Here(_, last), _) if last.is_too_long() && stream.ended == Ended::Complete => {
                self.lose(tokens);
            }
            _ => {}
        }
    }

    fn keep(&mut self, id: &str, tokens: u64, response: impl FnOnce() -> String) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let kept = match &mut self.place {
            Place::There(upstream) => Kept::There {
                upstream: std::mem::take(upstream),
            },
            Place::Here(Some(input), _) => Kept::Here {
                input: std::mem::take(input),
                response: response(),
            },
            Place::Here(None, _) => return self.go_on(UNKEPT, tokens),
        };
        let record = Record {
            account: self.account,
            expires_ms: self.expires_ms(),
            tokens,
            kept,
        };
        if record.size() > self.control.config().responses.max_kept_bytes {
            tracing::debug!("a conversation is too long to be kept");
            return self.go_on(UNKEPT, tokens);
        }
        self.control.turns().keep(id, record);
        self.go_on(id, tokens);
    }

    /// The answer is too long to be kept.
    fn lose(&mut self, tokens: u64) {
        if !std::mem::replace(&mut self.done, true) {
            self.go_on(UNKEPT, tokens);
        }
    }

    /// The conversation stands at this answer, and the next may come: it may before the client has the last byte. At one that is not kept it ends, rather than to go on from an older one as if
    /// the last had not been.
    fn go_on(&mut self, id: &str, tokens: u64) {
        self.advance(id, tokens);
        if let Some(place) = self.inside.take() {
            place.leave();
        }
    }

    fn advance(&self, id: &str, tokens: u64) {
        let turns = self.control.turns();
        if let Some(conversation) = &self.conversation
            && let Some(before) = turns.find(conversation, self.account, self.now_ms)
            && let Kept::Conversation {
                created, metadata, ..
            } = &before.kept
        {
            let kept = Kept::Conversation {
                created: *created,
                metadata: metadata.clone(),
                head: Some(id.to_owned()),
            };
            // What is left of a time when more was kept does not stay longer for being used.
            let expires_ms = match self.keeps {
                true => self.expires_ms(),
                false => before.expires_ms,
            };
            let record = Record {
                account: self.account,
                expires_ms,
                tokens,
                kept,
            };
            turns.keep(conversation, record);
        }
    }

    fn expires_ms(&self) -> u64 {
        let settings = &self.control.config().responses;
        match self.place {
            Place::There(_) => settings.known_until_ms(self.now_ms),
            Place::Here(..) => settings.expires_ms(self.now_ms),
        }
    }
}
