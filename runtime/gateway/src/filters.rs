//! Shows the text of an answer to the policies that want to see it, channel by channel, without our credential.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tollgate_dialect::{
    ApiError, Channel, Denied, Document, ErrorKind, Kind, Operation, TextFilter,
};
use tollgate_plugin::{AnswerFilter, AnswerFilters, FilterError, Interface, PluginError};

use crate::admit;
use crate::exchange::blotted_text;
use crate::request::{Refusal, Request};
use crate::snapshot::{Policy, Upstream};

/// The policies that see this answer, root first: what one lets through, the next one sees.
pub(crate) struct Filters {
    policies: Vec<Arc<Policy>>,
    /// Of each policy, in their order; `None` for one that cannot be asked.
    guests: Vec<Option<AnswerFilters>>,
    channels: HashMap<Channel, Open>,
    /// Who answers, and may repeat its credential.
    upstream: Arc<Upstream>,
    /// Who has denied the answer.
    denied_by: Option<Arc<Policy>>,
}

/// A channel under way.
struct Open {
    /// Of each policy, in their order.
    filters: Vec<AnswerFilter>,
    /// The end of what was said, while it may be the beginning of our credential.
    waits: String,
}

impl Filters {
    /// The filters for a request that this upstream answers; `None` if no policy wants to see its answer.
    pub(crate) fn new(request: &Request, upstream: &Arc<Upstream>) -> Option<Self> {
        let policies: Vec<_> = request
            .policies
            .with(Interface::AnswerContent)
            .cloned()
            .collect();
        if policies.is_empty() {
            return None;
        }
        let guest = |policy: &Arc<Policy>| {
            let guest = policy.guest.as_ref()?;
            guest.answer_filters(request.view()).ok()
        };
        Some(Self {
            guests: policies.iter().map(guest).collect(),
            policies,
            channels: HashMap::new(),
            upstream: Arc::clone(upstream),
            denied_by: None,
        })
    }

    /// What the client hears of a denial, and who denied.
    pub(crate) fn refusal(&self, denied: Denied) -> Refusal {
        Refusal {
            reason: denied.reason,
            denied_by: self.denied_by.clone(),
            ..Refusal::from(ApiError::new(ErrorKind::DeniedByPolicy, denied.message))
        }
    }

    /// Rewrites a whole answer.
    pub(crate) fn whole(&mut self, operation: Operation, body: Bytes) -> Result<Bytes, Refusal> {
        let mut document = Document::parse(body).map_err(|_| unreadable())?;
        let mut changed = Vec::new();
        let segments =
            tollgate_dialect::answer_segments(&document, operation).map_err(|_| unreadable())?;
        for (index, segment) in segments.iter().enumerate() {
            let channel = Channel {
                group: u32::try_from(index).unwrap_or(u32::MAX),
                part: 0,
                field: 0,
            };
            let passed = self.push(channel, segment.kind, &segment.text);
            let mut text = passed.map_err(|denied| self.refusal(denied))?;
            let rest = self.finish(channel);
            text.push_str(&rest.map_err(|denied| self.refusal(denied))?);
            if text != segment.text {
                changed.push((index, text));
            }
        }
        drop(segments);
        if !changed.is_empty() {
            tollgate_dialect::replace_answer(&mut document, operation, &changed)
                .map_err(|_| unreadable())?;
        }
        Ok(document.to_bytes())
    }
}

impl Filters {
    fn open(&self, kind: Kind) -> Result<Vec<AnswerFilter>, Blamed> {
        let open = |(policy, guest): (&Arc<Policy>, &Option<AnswerFilters>)| {
            let guest = guest.as_ref().ok_or_else(|| broken(policy, "failed"))?;
            let opened = guest.open(kind.as_str());
            opened.map_err(|error| failed(policy, &error))
        };
        self.policies.iter().zip(&self.guests).map(open).collect()
    }

    fn pushed(&mut self, channel: Channel, kind: Kind, text: &str) -> Result<String, Blamed> {
        if !self.channels.contains_key(&channel) {
            let opened = Open {
                filters: self.open(kind)?,
                waits: String::new(),
            };
            self.channels.insert(channel, opened);
        }
        let Some(open) = self.channels.get_mut(&channel) else {
            return Ok(String::new());
        };
        let mut said = std::mem::take(&mut open.waits);
        said.push_str(text);
        let (mut text, waits) = blotted_text(&self.upstream, said);
        open.waits = waits;
        if text.is_empty() && !open.waits.is_empty() {
            return Ok(text);
        }
        for (filter, policy) in open.filters.iter_mut().zip(&self.policies) {
            text = filter.push(&text).map_err(|error| blamed(policy, error))?;
        }
        Ok(text)
    }

    fn finished(&mut self, channel: Channel) -> Result<String, Blamed> {
        let Some(open) = self.channels.remove(&channel) else {
            return Ok(String::new());
        };
        let mut held = open.waits;
        for (mut filter, policy) in open.filters.into_iter().zip(&self.policies) {
            // What was held back before this filter is new text to it.
            let mut text = match held.is_empty() {
                true => String::new(),
                false => filter.push(&held).map_err(|error| blamed(policy, error))?,
            };
            text.push_str(&filter.finish().map_err(|error| blamed(policy, error))?);
            held = text;
        }
        Ok(held)
    }

    /// Keeps who it was.
    fn blame(&mut self, blamed: Blamed) -> Denied {
        self.denied_by = Some(blamed.policy);
        blamed.denied
    }
}

impl TextFilter for Filters {
    fn push(&mut self, channel: Channel, kind: Kind, text: &str) -> Result<String, Denied> {
        let pushed = self.pushed(channel, kind, text);
        pushed.map_err(|blamed| self.blame(blamed))
    }

    fn finish(&mut self, channel: Channel) -> Result<String, Denied> {
        let finished = self.finished(channel);
        finished.map_err(|blamed| self.blame(blamed))
    }
}

/// A denial and who denied.
struct Blamed {
    policy: Arc<Policy>,
    denied: Denied,
}

fn blamed(policy: &Arc<Policy>, error: FilterError) -> Blamed {
    match error {
        FilterError::Denied(denial) => Blamed {
            policy: Arc::clone(policy),
            denied: Denied {
                reason: denial.reason,
                message: denial.message,
            },
        },
        FilterError::Plugin(error) => failed(policy, &error),
    }
}

fn failed(policy: &Arc<Policy>, error: &PluginError) -> Blamed {
    tracing::warn!(policy = policy.id, %error, "a policy failed");
    broken(policy, admit::what_failed(error))
}

fn broken(policy: &Arc<Policy>, what: &str) -> Blamed {
    Blamed {
        policy: Arc::clone(policy),
        denied: Denied {
            reason: "policy-failed".to_owned(),
            message: format!("the policy `{}` {what}; the answer ends here", policy.id),
        },
    }
}

fn unreadable() -> Refusal {
    Refusal::from(ApiError::new(
        ErrorKind::UpstreamFailed,
        "the vendor's answer cannot be read, so that no policy could see it",
    ))
}
