//! One inference request as it travels down the pipeline.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use tollgate_dialect::{ApiError, Document, Facts, Operation};
use tollgate_governance::Caller;
use tollgate_plugin::Interface;
use uuid::Uuid;

use crate::snapshot::{Policy, Snapshot};
use crate::turns::Thread;
use crate::views::RequestFacts;

/// A parsed request of a known caller.
pub(crate) struct Request {
    pub(crate) id: Uuid,
    pub(crate) operation: Operation,
    pub(crate) headers: Arc<HeaderMap>,
    pub(crate) caller: Arc<Caller>,
    /// The body, policies' edits applied.
    pub(crate) document: Arc<Document>,
    /// What the gateway reads of it, amendments applied.
    pub(crate) facts: Facts,
    /// The model the client asked for.
    pub(crate) requested: Box<str>,
    /// The model that is served, by its own name: what lists, limits and usage rows are about.
    pub(crate) served: Box<str>,
    /// The output cap that was held for, if it is sent to the vendor: the answer then cannot outgrow its hold.
    pub(crate) capped: Option<u64>,
    /// What it goes on with (Responses).
    pub(crate) thread: Option<Box<Thread>>,
    pub(crate) body_size: u64,
    /// Tags that policies put on it.
    pub(crate) tags: Vec<(String, String)>,
    /// Policies that changed something.
    pub(crate) acts: Vec<Act>,
    /// The policies on the caller's path, in the order in which they run.
    pub(crate) policies: Policies,
    /// What policies see, made when the first one asks; forgotten by [`Request::changed`].
    pub(crate) view: OnceCell<Arc<RequestFacts>>,
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
            headers,
            caller,
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
            requested: Box::default(),
            served: Box::default(),
            capped: None,
            thread: None,
            body_size: 0,
            tags: Vec::new(),
            acts: Vec::new(),
            policies,
            view: OnceCell::new(),
        })
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

/// A policy that changed or refused something: component and digest, for the usage row.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    pub(crate) component: String,
    pub(crate) digest: [u8; 32],
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
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let reason = error_word(&error);
        Self {
            error,
            reason,
            limited_by: String::new(),
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
