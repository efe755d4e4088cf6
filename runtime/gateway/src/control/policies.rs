//! Policy attachments: components at work on accounts.

use std::sync::Arc;

use tollgate_governance::{Attachment, AttachmentDraft};

use super::audit::Act;
use super::change::Proposal;
use super::error::ControlError;
use super::views::{Deleted, PolicyList, PolicyView};
use super::{Control, State, now_ms};
use crate::snapshot::Problem;

impl Control {
    /// Attaches a policy to an account and all below it. If the component does not accept the configuration the old
    /// attachment stays.
    ///
    /// # Errors
    /// A value is wrong, the account or component is not there, or the component refuses the configuration.
    pub fn attach_policy(
        &self,
        id: &str,
        draft: AttachmentDraft,
    ) -> Result<PolicyView, ControlError> {
        self.look_again_for(|loaded| loaded.policies.contains_key(&draft.component));
        let mut state = self.state.lock();
        if !state.generation.policies.contains_key(&draft.component) {
            let known: Vec<_> = state
                .generation
                .policies
                .keys()
                .map(String::as_str)
                .collect();
            return Err(ControlError::invalid(
                "component",
                format!(
                    "no policy component `{}` is loaded; there are: {}",
                    draft.component,
                    known.join(", ")
                ),
            ));
        }
        let (attachment, changes) = state.directory.put_attachment(id, draft, now_ms())?;
        let proposal = Proposal {
            attachment: Some(Arc::clone(&attachment)),
            ..Proposal::default()
        };
        self.try_out(
            &state,
            &proposal,
            |problem| concerns(problem, id),
            |_| "config",
        )?;
        let act = match state.directory.attachment(id) {
            Some(_) => "policy.change",
            None => "policy.attach",
        };
        self.commit(&mut state, Act::new(act), &changes)?
            .confirmed()?;
        Ok(self.policy_view(&state, &attachment))
    }

    /// Attached policies, by account path and in the order in which they run there.
    ///
    /// # Errors
    /// None so far.
    pub fn policies(&self) -> Result<PolicyList, ControlError> {
        let state = self.state.lock();
        let mut policies: Vec<_> = state
            .directory
            .attachments()
            .map(|attachment| self.policy_view(&state, attachment))
            .collect();
        policies.sort_by(|a, b| (&a.path, a.attachment.order).cmp(&(&b.path, b.attachment.order)));
        Ok(PolicyList { policies })
    }

    /// One attached policy.
    ///
    /// # Errors
    /// There is none.
    pub fn policy(&self, id: &str) -> Result<PolicyView, ControlError> {
        let state = self.state.lock();
        let found = state.directory.attachment(id);
        found
            .map(|attachment| self.policy_view(&state, attachment))
            .ok_or_else(|| ControlError::not_found(format!("no policy `{id}`")))
    }

    /// Detaches a policy.
    ///
    /// # Errors
    /// There is none.
    pub fn detach_policy(&self, id: &str) -> Result<Deleted, ControlError> {
        let mut state = self.state.lock();
        let changes = state.directory.delete_attachment(id)?;
        self.commit(&mut state, Act::new("policy.detach"), &changes)?
            .confirmed()?;
        Ok(Deleted {
            deleted: id.to_owned(),
        })
    }

    fn policy_view(&self, state: &State, attachment: &Attachment) -> PolicyView {
        let snapshot = self.snapshot.load();
        let problem = snapshot
            .problems
            .iter()
            .find(|problem| concerns(problem, &attachment.id));
        PolicyView {
            attachment: attachment.clone(),
            path: state
                .directory
                .names(attachment.account)
                .unwrap_or_default(),
            problem: problem.map(|problem| problem.why.clone()),
        }
    }
}

fn concerns(problem: &Problem, id: &str) -> bool {
    problem.what == format!("policy `{id}`")
}
