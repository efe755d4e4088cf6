//! Shows the text of an answer to the policies that want to see it, channel by channel.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tollgate_dialect::{
    ApiError, Channel, Denied, Document, ErrorKind, Kind, Operation, TextFilter,
};
use tollgate_plugin::{AnswerFilter, AnswerFilters, FilterError, Interface};

use crate::request::{Refusal, Request};
use crate::snapshot::Policy;

/// The policies that see this answer, root first: what one lets through, the next one sees.
pub(crate) struct Filters {
    policies: Vec<Arc<Policy>>,
    /// Of each policy, in their order; `None` for one that cannot be asked.
    guests: Vec<Option<AnswerFilters>>,
    channels: HashMap<Channel, Vec<AnswerFilter>>,
}

impl Filters {
    /// The filters for a request; `None` if no policy wants to see its answer.
    pub(crate) fn new(request: &Request) -> Option<Self> {
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
        })
    }

    fn open(&self, kind: Kind) -> Result<Vec<AnswerFilter>, Denied> {
        let open = |(policy, guest): (&Arc<Policy>, &Option<AnswerFilters>)| {
            let guest = guest.as_ref().ok_or_else(|| broken(policy))?;
            guest.open(kind.as_str()).map_err(|error| {
                tracing::warn!(policy = policy.id, %error, "a policy failed");
                broken(policy)
            })
        };
        self.policies.iter().zip(&self.guests).map(open).collect()
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
            let mut text = self
                .push(channel, segment.kind, &segment.text)
                .map_err(denied)?;
            text.push_str(&self.finish(channel).map_err(denied)?);
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

impl TextFilter for Filters {
    fn push(&mut self, channel: Channel, kind: Kind, text: &str) -> Result<String, Denied> {
        if !self.channels.contains_key(&channel) {
            let opened = self.open(kind)?;
            self.channels.insert(channel, opened);
        }
        let mut text = text.to_owned();
        for (filter, policy) in self
            .channels
            .get_mut(&channel)
            .into_iter()
            .flatten()
            .zip(&self.policies)
        {
            text = filter.push(&text).map_err(|error| refusal(policy, error))?;
        }
        Ok(text)
    }

    fn finish(&mut self, channel: Channel) -> Result<String, Denied> {
        let mut held = String::new();
        let filters = self.channels.remove(&channel).unwrap_or_default();
        for (mut filter, policy) in filters.into_iter().zip(&self.policies) {
            // What earlier filters held back is new text to this one.
            let mut text = match held.is_empty() {
                true => String::new(),
                false => filter.push(&held).map_err(|error| refusal(policy, error))?,
            };
            text.push_str(&filter.finish().map_err(|error| refusal(policy, error))?);
            held = text;
        }
        Ok(held)
    }
}

fn refusal(policy: &Policy, error: FilterError) -> Denied {
    match error {
        FilterError::Denied(denial) => Denied {
            reason: denial.reason,
            message: denial.message,
        },
        FilterError::Plugin(error) => {
            tracing::warn!(policy = policy.id, %error, "a policy failed");
            broken(policy)
        }
    }
}

fn broken(policy: &Policy) -> Denied {
    Denied {
        reason: "policy-failed".to_owned(),
        message: format!("the policy `{}` failed; the answer ends here", policy.id),
    }
}

fn unreadable() -> Refusal {
    Refusal::from(ApiError::new(
        ErrorKind::UpstreamFailed,
        "the vendor's answer cannot be read, so that no policy could see it",
    ))
}

/// A denial as the client hears it.
pub(crate) fn denied(denied: Denied) -> Refusal {
    Refusal {
        reason: denied.reason,
        ..Refusal::from(ApiError::new(ErrorKind::DeniedByPolicy, denied.message))
    }
}
