//! The path of an account, root first, and what it says together. Nothing is copied down the tree: every question is
//! answered by walking the path when a request asks it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::account::{Billing, BudgetMode, OnExhaust};
use crate::attachment::Attachment;
use crate::ids::AccountId;
use crate::node::Node;
use crate::price::Factor;

/// What is held for an answer whose client set no cap and whose account says nothing, tokens: enough for the longest
/// turns of coding agents, far from a whole team's headroom.
const DEFAULT_OUTPUT: u64 = 32_768;

/// From the root to an account.
#[derive(Clone, Debug)]
pub struct Path {
    nodes: SmallVec<[Arc<Node>; 8]>,
    enabled: bool,
}

impl Path {
    /// A path of these nodes, root first. None if there are none.
    pub(crate) fn of(nodes: &[&Arc<Node>]) -> Option<Self> {
        // Looked at before they are counted: looks at memory overlap, counting one node waits for the one before.
        let active = nodes.iter().filter(|node| node.is_active()).count();
        (!nodes.is_empty()).then(|| Self {
            nodes: nodes.iter().map(|node| Arc::clone(node)).collect(),
            enabled: active == nodes.len(),
        })
    }

    /// The nodes, root first.
    #[must_use]
    pub fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// The account itself.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.nodes.last().map(|node| node.id()).unwrap_or_default()
    }

    /// Ids, root first.
    #[must_use]
    pub fn ids(&self) -> Vec<AccountId> {
        self.nodes.iter().map(|node| node.id()).collect()
    }

    /// Names, root first, e.g. `root/dept/alice`.
    #[must_use]
    pub fn names(&self) -> String {
        let length = self.nodes.iter().map(|node| node.account.name.len() + 1);
        let mut names = String::with_capacity(length.sum());
        for node in &self.nodes {
            if !names.is_empty() {
                names.push('/');
            }
            names.push_str(&node.account.name);
        }
        names
    }

    /// Tags of the path; the nearest node wins.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<&str, &str> {
        self.nodes
            .iter()
            .flat_map(|node| &node.account.tags)
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    /// Policies, in the order in which they run: root first.
    pub fn attachments(&self) -> impl Iterator<Item = &Arc<Attachment>> {
        self.nodes.iter().flat_map(|node| node.attachments.iter())
    }

    /// Whether every node is active.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether a model may be served as it is named: it must pass every node.
    #[must_use]
    pub fn allows_model(&self, model: &str) -> bool {
        self.nodes.iter().all(|node| node.allows_model(model))
    }

    /// The model that is served for the one asked for; none if it may not be asked for, or what it is mapped to may not
    /// be served.
    ///
    /// The nearest node whose map has the name decides, once: nothing is mapped twice. A map is no way out: the name
    /// asked for must pass the nodes from the account up to the one that maps it, the name served those from there up.
    #[must_use]
    pub fn resolve<'a>(&'a self, asked: &'a str) -> Option<Cow<'a, str>> {
        let owner = self
            .nodes
            .iter()
            .enumerate()
            .rev()
            .find_map(|(depth, node)| Some((depth, node.mapped(asked)?)));
        let Some((depth, served)) = owner else {
            return self.allows_model(asked).then_some(Cow::Borrowed(asked));
        };
        let below = self.nodes[depth..].iter();
        let above = self.nodes[..=depth].iter();
        let passes = below.clone().all(|node| node.allows_model(asked))
            && above.clone().all(|node| node.allows_model(served));
        passes.then_some(Cow::Borrowed(served))
    }

    /// What a model map on the path makes of a name; none if no map knows it.
    #[must_use]
    pub fn mapped(&self, asked: &str) -> Option<&str> {
        self.nodes.iter().rev().find_map(|node| node.mapped(asked))
    }

    /// Names, not globs, that some node maps.
    pub fn mapped_names(&self) -> impl Iterator<Item = &str> {
        self.nodes
            .iter()
            .flat_map(|node| node.account.model_map.keys())
            .map(String::as_str)
            .filter(|name| !name.contains('*'))
    }

    /// Whether some node restricts which models may be asked for.
    #[must_use]
    pub fn restricts_models(&self) -> bool {
        self.nodes.iter().any(|node| node.restricts_models())
    }

    /// Whether a provider component may serve it.
    #[must_use]
    pub fn allows_provider(&self, provider: &str) -> bool {
        self.nodes.iter().all(|node| node.allows_provider(provider))
    }

    /// Whether an operation may be called.
    #[must_use]
    pub fn allows_endpoint(&self, endpoint: &str) -> bool {
        self.nodes.iter().all(|node| node.allows_endpoint(endpoint))
    }

    /// Whether a client may come from there. An unknown address passes only where no node asks.
    #[must_use]
    pub fn allows_address(&self, address: Option<IpAddr>) -> bool {
        self.nodes.iter().all(|node| node.allows_address(address))
    }

    /// The most output tokens that an answer may have.
    #[must_use]
    pub fn output_cap(&self) -> Option<u64> {
        self.nodes
            .iter()
            .filter_map(|node| node.account.output_cap)
            .min()
    }

    /// Output tokens to hold for where the client sets no cap.
    #[must_use]
    pub fn default_output(&self) -> u64 {
        self.nearest(|node| node.account.default_output)
            .unwrap_or(DEFAULT_OUTPUT)
    }

    /// What prices are multiplied by: the nearest node's, never less than an ancestor's.
    #[must_use]
    pub fn price_factor(&self) -> Factor {
        self.nodes
            .iter()
            .filter_map(|node| node.account.price_factor)
            .reduce(Factor::max)
            .unwrap_or(Factor::ONE)
    }

    /// What happens to an answer that outgrows its hold.
    #[must_use]
    pub fn on_exhaust(&self) -> OnExhaust {
        self.nearest(|node| node.account.on_exhaust)
            .unwrap_or_default()
    }

    /// How money is kept; only of meaning where [`Path::limits_money`].
    #[must_use]
    pub fn budget_mode(&self) -> BudgetMode {
        self.nearest(|node| node.account.budget_mode)
            .unwrap_or_default()
    }

    /// Whether the gateway may keep answers and their prompts. The root has opted in where it says nothing, and nobody
    /// below can undo a `false` of an account above.
    #[must_use]
    pub fn keeps_answers(&self) -> bool {
        self.nodes
            .iter()
            .all(|node| node.account.keep_answers != Some(false))
    }

    /// Whose wallet pays; none: nobody's, the rows are the bill.
    #[must_use]
    pub fn wallet(&self) -> Option<AccountId> {
        let payer = |node: &Node| node.billing().map(|billing| (node.id(), billing));
        match self.nearest(payer) {
            Some((account, Billing::Prepaid)) => Some(account),
            Some((_, Billing::Postpaid)) | None => None,
        }
    }

    /// Whether a request for `model` can run into a limit of money.
    #[must_use]
    pub fn limits_money(&self, model: &str) -> bool {
        self.wallet().is_some() || self.nodes.iter().any(|node| node.limits_money(model))
    }

    fn nearest<T>(&self, of: impl Fn(&Node) -> Option<T>) -> Option<T> {
        self.nodes.iter().rev().find_map(|node| of(node))
    }
}

#[cfg(test)]
mod tests;
