//! One inference request as it travels down the pipeline.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use tollgate_dialect::{ApiError, Document, Facts, Invalid, Operation};
use tollgate_governance::Caller;
use tollgate_plugin::Interface;
use uuid::Uuid;

use crate::snapshot::{Policy, Snapshot};
use crate::turns::Thread;
use crate::views::RequestFacts;
use crate::websocket::Vendors;

/// A parsed request of a known caller.
pub(crate) struct Request {
    pub(crate) id: Uuid,
    pub(crate) operation: Operation,
    /// Of a request that is no operation but about what one left behind: what its usage row calls it. It is free.
    pub(crate) beside: Option<&'static str>,
    pub(crate) headers: Arc<HeaderMap>,
    pub(crate) caller: Arc<Caller>,
    /// How many keys had been killed before this one was looked up.
    pub(crate) kills_seen: u64,
    /// The body, policies' edits applied.
    pub(crate) document: Arc<Document>,
    /// What the gateway reads of it, amendments applied.
    pub(crate) facts: Facts,
    /// The model the client asked for.
    pub(crate) requested: Arc<str>,
    /// The model that is served, by its own name: what lists, limits and usage rows are about.
    pub(crate) served: Arc<str>,
    /// The output cap that was held for, if it is sent to the vendor: the answer then cannot outgrow its hold.
    pub(crate) capped: Option<u64>,
    /// What it goes on with (Responses).
    pub(crate) thread: Option<Box<Thread>>,
    /// Connections to vendors that belong to the client's WebSocket; none of what came over HTTP.
    pub(crate) vendors: Option<Rc<Vendors>>,
    pub(crate) body_size: u64,
    /// Tags that policies put on it.
    pub(crate) tags: Vec<(String, String)>,
    /// Policies that changed something.
    pub(crate) acts: Vec<Arc<Policy>>,
    /// The policies on the caller's path, in the order in which they run.
    pub(crate) policies: Policies,
    /// What policies see, made when the first one asks; forgotten by [`Request::changed`].
    pub(crate) view: OnceCell<Arc<RequestFacts>>,
}

/// Reads the facts of a body. What a vendor holds of the conversation it counts as input again, so it is input here, too.
/// The one place where facts are read: whoever changes a body reads them again and must not forget that.
pub(crate) fn facts(
    document: &Document,
    operation: Operation,
    thread: Option<&Thread>,
) -> Result<Facts, Invalid> {
    let facts = tollgate_dialect::facts(document, operation)?;
    Ok(with_thread(facts, thread))
}

/// The facts of a body that goes on from what a vendor holds.
pub(crate) fn with_thread(mut facts: Facts, thread: Option<&Thread>) -> Facts {
    let held_there = thread.map_or(0, |thread| thread.tokens.saturating_mul(4));
    facts.input_chars_estimate = facts.input_chars_estimate.saturating_add(held_there);
    facts
}

/// Policies on a path, root first.
#[derive(Clone, Default)]
pub(crate) struct Policies(Option<Rc<[Arc<Policy>]>>);

impl Policies {
    /// Those attached along the caller's path.
    pub(crate) fn on(snapshot: &Snapshot, caller: &Caller) -> Self {
        let mut attached = caller.path.attachments().peekable();
        Self(attached.peek().is_some().then(|| {
            attached
                .filter_map(|attachment| snapshot.policy(&attachment.id).cloned())
                .collect()
        }))
    }

    /// Those that export an interface.
    pub(crate) fn with(&self, interface: Interface) -> impl Iterator<Item = &Arc<Policy>> {
        let all = self.0.iter().flat_map(|all| all.iter());
        all.filter(move |policy| policy.exports(interface))
    }
}

impl Request {
    /// A request whose body could not be read: enough for its usage row, and for those who observe.
    pub(crate) fn unparsed(
        id: Uuid,
        operation: Operation,
        headers: Arc<HeaderMap>,
        caller: Arc<Caller>,
        policies: Policies,
    ) -> Option<Self> {
        let document = Document::parse(bytes::Bytes::from_static(b"{}")).ok()?;
        Some(Self {
            id,
            operation,
            beside: None,
            headers,
            caller,
            kills_seen: 0,
            document: Arc::new(document),
            facts: Facts {
                model: String::new(),
                stream: false,
                output_cap: None,
                thinking_budget: 0,
                background: false,
                choices: 1,
                session: None,
                wants_usage: false,
                input_chars_estimate: 0,
            },
            requested: Arc::default(),
            served: Arc::default(),
            capped: None,
            thread: None,
            vendors: None,
            body_size: 0,
            tags: Vec::new(),
            acts: Vec::new(),
            policies,
            view: OnceCell::new(),
        })
    }

    /// What its usage row calls it.
    pub(crate) fn word(&self) -> &'static str {
        self.beside.unwrap_or(self.operation.as_str())
    }

    /// Whether it costs nothing, because nothing is generated.
    pub(crate) fn is_free(&self) -> bool {
        self.beside.is_some() || self.operation.counts()
    }

    /// What a policy may see of it now.
    pub(crate) fn view(&self) -> Arc<RequestFacts> {
        let made = self.view.get_or_init(|| {
            Arc::new(RequestFacts {
                id: self.id,
                id_text: OnceLock::new(),
                operation: self.operation,
                facts: self.facts.clone(),
                document: Arc::clone(&self.document),
                headers: Arc::clone(&self.headers),
                caller: Arc::clone(&self.caller),
                body_size: self.body_size,
            })
        });
        Arc::clone(made)
    }

    /// A policy has changed the document or the facts: the next one sees it.
    pub(crate) fn changed(&mut self) {
        self.view.take();
    }
}

/// A request that will not be sent.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// What the client hears.
    pub(crate) error: ApiError,
    /// What the usage row keeps: the error's kind, or a policy's own word.
    pub(crate) reason: String,
    /// The limit that refused and whose it is; empty if none did.
    pub(crate) limited_by: String,
    /// The policy that refused, if one did.
    pub(crate) denied_by: Option<Arc<Policy>>,
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let reason = error_word(&error);
        Self {
            error,
            reason,
            limited_by: String::new(),
            denied_by: None,
        }
    }
}

/// The kind of an error as usage rows have it.
pub(crate) fn error_word(error: &ApiError) -> String {
    let mut word = String::new();
    for (index, letter) in format!("{:?}", error.kind).char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            word.push('-');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}
