//! The effective policy of an account: what its whole path, root first, says together.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::account::{Account, Limits, Status};
use crate::attachment::Attachment;
use crate::ids::AccountId;

/// One node of a [`Path`] as admission sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathNode {
    /// Which account.
    pub account: AccountId,
    /// Its place in [`Counters`](crate::Counters).
    pub(crate) slot: u32,
    /// The limits set on it.
    pub limits: Limits,
}

/// Everything about an account that a request needs, computed once when the tree changes.
#[derive(Clone, Debug)]
pub struct Path {
    /// The account itself: the last node.
    pub account: AccountId,
    /// Ids, root first.
    pub ids: Arc<[AccountId]>,
    /// Names, root first, e.g. `root/dept/alice`.
    pub names: Arc<str>,
    /// Whether every node is active.
    pub enabled: bool,
    /// Which models may be asked for.
    pub models: ModelRule,
    /// Policies, in the order in which they run: root first.
    pub attachments: Arc<[Arc<Attachment>]>,
    /// Tags of the path; the nearest node wins.
    pub tags: Arc<BTreeMap<String, String>>,
    /// Nodes, root first.
    pub nodes: Box<[PathNode]>,
}

impl Path {
    /// Computes the policy of `nodes` (root first, with their counter slots and attachments in running order).
    pub(crate) fn new(nodes: &[(&Account, u32, &[Arc<Attachment>])]) -> Option<Self> {
        let (leaf, _, _) = nodes.last()?;
        let mut tags = BTreeMap::new();
        for (account, ..) in nodes {
            tags.extend(
                account
                    .tags
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
        }
        let names = nodes
            .iter()
            .map(|(account, ..)| account.name.as_str())
            .collect::<Vec<_>>();
        Some(Self {
            account: leaf.id,
            ids: nodes.iter().map(|(account, ..)| account.id).collect(),
            names: names.join("/").into(),
            enabled: nodes
                .iter()
                .all(|(account, ..)| account.status == Status::Active),
            models: ModelRule::new(
                nodes
                    .iter()
                    .filter_map(|(account, ..)| account.models.as_deref()),
            ),
            attachments: nodes
                .iter()
                .flat_map(|(.., attached)| attached.iter().cloned())
                .collect(),
            tags: Arc::new(tags),
            nodes: nodes
                .iter()
                .map(|(account, slot, _)| PathNode {
                    account: account.id,
                    slot: *slot,
                    limits: account.limits.clone(),
                })
                .collect(),
        })
    }
}

/// The intersection of the allow-lists of a path. A node without a list does not restrict; an empty list denies all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelRule {
    lists: Box<[AllowList]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct AllowList {
    /// Sorted.
    exact: Box<[Box<str>]>,
    globs: Box<[Box<str>]>,
}

impl ModelRule {
    /// The rule of these lists together.
    pub fn new<'a>(lists: impl IntoIterator<Item = &'a [String]>) -> Self {
        let list = |patterns: &[String]| {
            let (globs, mut exact): (Vec<_>, Vec<_>) = patterns
                .iter()
                .map(|pattern| Box::<str>::from(pattern.as_str()))
                .partition(|pattern| pattern.contains('*'));
            exact.sort_unstable();
            AllowList {
                exact: exact.into(),
                globs: globs.into(),
            }
        };
        Self {
            lists: lists.into_iter().map(list).collect(),
        }
    }

    /// Whether `model` passes every list of the path. Allocates nothing.
    #[must_use]
    pub fn allows(&self, model: &str) -> bool {
        self.lists.iter().all(|list| {
            list.exact
                .binary_search_by(|exact| (**exact).cmp(model))
                .is_ok()
                || list.globs.iter().any(|glob| matches(glob, model))
        })
    }

    /// Whether no node restricts the models.
    #[must_use]
    pub fn is_unrestricted(&self) -> bool {
        self.lists.is_empty()
    }
}

/// Whether `text` matches `glob`, in which `*` stands for any run of characters. Linear but for the last `*` seen.
fn matches(glob: &str, text: &str) -> bool {
    let (glob, text) = (glob.as_bytes(), text.as_bytes());
    let (mut g, mut t) = (0, 0);
    // Where the last `*` was, and how much of the text it has swallowed so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if glob.get(g) == Some(&b'*') {
            star = Some((g, t));
            g += 1;
        } else if glob.get(g) == Some(&text[t]) {
            g += 1;
            t += 1;
        } else if let Some((place, swallowed)) = star {
            star = Some((place, swallowed + 1));
            g = place + 1;
            t = swallowed + 1;
        } else {
            return false;
        }
    }
    glob[g..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(lists: &[&[&str]]) -> ModelRule {
        let owned: Vec<Vec<String>> = lists
            .iter()
            .map(|list| list.iter().map(|p| (*p).to_owned()).collect())
            .collect();
        ModelRule::new(owned.iter().map(Vec::as_slice))
    }

    #[test]
    fn globs_match_whole_names() {
        for (glob, text, expected) in [
            ("gpt-*", "gpt-5", true),
            ("gpt-*", "gpt-", true),
            ("gpt-*", "xgpt-5", false),
            ("*", "", true),
            ("*-mini", "gpt-mini", true),
            ("*-mini", "gpt-mini-x", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("**", "x", true),
            ("gpt-5", "gpt-5", true),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn a_glob_built_to_backtrack_stays_cheap() {
        let text = "a".repeat(2000);
        assert!(!matches(&format!("{}b", "*a".repeat(200)), &text));
    }

    #[test]
    fn unset_does_not_restrict_but_an_empty_list_denies_everything() {
        assert!(rule(&[]).allows("anything"));
        assert!(rule(&[]).is_unrestricted());
        assert!(!rule(&[&[]]).allows("anything"));
        assert!(!rule(&[&["*"], &[]]).allows("anything"));
    }

    #[test]
    fn a_model_must_pass_every_list_of_the_path() {
        let rule = rule(&[&["gpt-*", "claude-4"], &["gpt-5", "claude-4", "other"]]);
        assert!(rule.allows("gpt-5"));
        assert!(rule.allows("claude-4"));
        assert!(!rule.allows("gpt-4"));
        assert!(!rule.allows("other"));
    }

    /// Names and patterns from a small alphabet, so that they meet.
    fn pattern() -> impl Strategy<Value = String> {
        "[ab*]{0,4}"
    }

    proptest! {
        #[test]
        fn what_a_child_may_its_parent_may(
            lists in prop::collection::vec(prop::option::of(prop::collection::vec(pattern(), 0..4)), 1..6),
            models in prop::collection::vec("[ab]{0,4}", 20),
        ) {
            // The effective rule of every prefix of the path contains that of the whole path.
            for depth in 1..lists.len() {
                let parent = ModelRule::new(lists[..depth].iter().flatten().map(Vec::as_slice));
                let child = ModelRule::new(lists[..=depth].iter().flatten().map(Vec::as_slice));
                for model in &models {
                    prop_assert!(!child.allows(model) || parent.allows(model));
                }
            }
        }

        #[test]
        fn globs_agree_with_a_plain_definition(glob in "[ab*]{0,6}", text in "[ab]{0,8}") {
            fn plain(glob: &[u8], text: &[u8]) -> bool {
                match glob.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|skip| plain(rest, &text[skip..])),
                    Some((byte, rest)) => text.first() == Some(byte) && plain(rest, &text[1..]),
                }
            }
            prop_assert_eq!(matches(&glob, &text), plain(glob.as_bytes(), text.as_bytes()));
        }
    }
}
