//! Policy component: model-tiers. Orders the upstreams that could serve a request by the operator's tiers.
//!
//! Configuration, every member optional:
//!
//! ```json
//! { "tiers": [["premium"], ["standard", "batch"]], "by": "price", "strict": false }
//! ```
//!
//! `tiers` are groups of tier labels, best first; what has another label or none comes last, or is removed where
//! `strict` is true. Within a group healthy ones come first, and then `by` decides: `price` (cheapest first, the
//! default), `load` (idlest first), `latency` (fastest first) or `listed` (the host's order).
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

use tollgate_guest::json::Json;
use tollgate_guest::{Candidates, Configuration, Request, Routing};

/// The policy, configured.
pub struct ModelTiers {
    tiers: Vec<Vec<String>>,
    by: By,
    strict: bool,
}

tollgate_guest::export!(ModelTiers: configuration, routing);

/// What decides within a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Price,
    Load,
    Latency,
    Listed,
}

const MEMBERS: [&str; 3] = ["tiers", "by", "strict"];

impl Configuration for ModelTiers {
    fn configure(config: &str) -> Result<Self, String> {
        let config =
            Json::parse(config).map_err(|why| format!("the configuration is not JSON: {why}"))?;
        let members = config
            .as_object()
            .ok_or("the configuration must be a JSON object")?;
        if let Some((name, _)) = members
            .iter()
            .find(|(name, _)| !MEMBERS.contains(&name.as_str()))
        {
            return Err(format!(
                "`{name}` is not a setting; there are {}",
                MEMBERS.join(", ")
            ));
        }
        let tiers = tiers(&config)?;
        let by = match config.get("by").map(Json::as_str) {
            None | Some(Some("price")) => By::Price,
            Some(Some("load")) => By::Load,
            Some(Some("latency")) => By::Latency,
            Some(Some("listed")) => By::Listed,
            Some(_) => return Err("`by` must be `price`, `load`, `latency` or `listed`".to_owned()),
        };
        let strict = match config.get("strict") {
            None => false,
            Some(strict) => strict.as_bool().ok_or("`strict` must be true or false")?,
        };
        if strict && tiers.is_empty() {
            return Err("`strict` without `tiers` would leave no upstream at all".to_owned());
        }
        Ok(Self { tiers, by, strict })
    }
}

/// The groups of labels; a label in two groups is a mistake.
fn tiers(config: &Json) -> Result<Vec<Vec<String>>, String> {
    const WANTED: &str =
        "`tiers` must be a list of lists of tier names, such as [[\"premium\"],[\"standard\"]]";
    let Some(listed) = config.get("tiers") else {
        return Ok(Vec::new());
    };
    let mut tiers: Vec<Vec<String>> = Vec::new();
    for group in listed.as_array().ok_or(WANTED)? {
        let mut names = Vec::new();
        for name in group
            .as_array()
            .filter(|group| !group.is_empty())
            .ok_or(WANTED)?
        {
            let name = name
                .as_str()
                .filter(|name| !name.is_empty())
                .ok_or(WANTED)?;
            if tiers
                .iter()
                .flatten()
                .chain(&names)
                .any(|known| known == name)
            {
                return Err(format!("`tiers` names `{name}` twice"));
            }
            names.push(name.to_owned());
        }
        tiers.push(names);
    }
    Ok(tiers)
}

impl Routing for ModelTiers {
    fn rank(&self, _request: &Request, candidates: &Candidates) -> Vec<u32> {
        let count = candidates.count();
        if count == 1 && !self.strict {
            // Nothing to order, and each look at a candidate is a call to the host.
            return vec![0];
        }
        let ranked = (0..count).filter_map(|position| {
            let tier = self.tier_of(&candidates.tier(position));
            if self.strict && tier == self.tiers.len() {
                return None;
            }
            let unhealthy = !candidates.healthy(position);
            Some((tier, unhealthy, self.weight(candidates, position), position))
        });
        let mut ranked: Vec<_> = ranked.collect();
        // The position is part of the key: what is equal otherwise stays in the host's order.
        ranked.sort_unstable();
        ranked
            .into_iter()
            .map(|(_, _, _, position)| position)
            .collect()
    }
}

impl ModelTiers {
    /// Which group a label belongs to; the one after the last for a label in none.
    fn tier_of(&self, label: &str) -> usize {
        let found = self
            .tiers
            .iter()
            .position(|group| group.iter().any(|name| name == label));
        found.unwrap_or(self.tiers.len())
    }

    /// What decides within a group: less comes first.
    fn weight(&self, candidates: &Candidates, position: u32) -> u64 {
        match self.by {
            // An unknown price may be any price: it comes after every known one.
            By::Price => match (
                candidates.input_price(position),
                candidates.output_price(position),
            ) {
                (Some(input), Some(output)) => input.saturating_add(output).min(u64::MAX - 1),
                _ => u64::MAX,
            },
            By::Load => u64::from(candidates.load(position)),
            // Zero is an upstream not tried yet: it comes first, or it would never be measured.
            By::Latency => u64::from(candidates.latency_ms(position)),
            By::Listed => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_guest::testing::{self, Candidate};

    fn ranked(config: &str, candidates: Vec<Candidate>) -> Vec<String> {
        let policy = ModelTiers::configure(config).expect(config);
        let candidates = testing::Candidates::of(candidates);
        let request = testing::Request::new("chat-completions", "m");
        let order = policy.rank(&request.view(), &candidates.view());
        order
            .into_iter()
            .map(|position| candidates.view().upstream(position))
            .collect()
    }

    fn candidate(upstream: &str, tier: &str, price: Option<u64>, healthy: bool) -> Candidate {
        Candidate {
            tier: tier.to_owned(),
            input_price: price,
            output_price: price,
            healthy,
            ..Candidate::new(upstream)
        }
    }

    fn mixed() -> Vec<Candidate> {
        vec![
            candidate("standard-dear", "standard", Some(9), true),
            candidate("unlabelled", "", Some(1), true),
            candidate("premium-sick", "premium", Some(1), false),
            candidate("standard-unknown", "standard", None, true),
            candidate("premium-dear", "premium", Some(8), true),
            candidate("premium-cheap", "premium", Some(7), true),
            candidate("standard-cheap", "standard", Some(2), true),
        ]
    }

    #[test]
    fn tier_comes_first_then_health_then_price() {
        let config = r#"{"tiers":[["premium"],["standard"]]}"#;
        let expected = [
            "premium-cheap",
            "premium-dear",
            "premium-sick",
            "standard-cheap",
            "standard-dear",
            "standard-unknown",
            "unlabelled",
        ];
        assert_eq!(ranked(config, mixed()), expected);
    }

    #[test]
    fn strict_removes_what_is_in_no_tier_and_nothing_else() {
        let strict = ranked(
            r#"{"tiers":[["standard"]],"strict":true,"by":"listed"}"#,
            mixed(),
        );
        assert_eq!(
            strict,
            ["standard-dear", "standard-unknown", "standard-cheap"]
        );
        let lenient = ranked(r#"{"tiers":[["standard"]]}"#, mixed());
        assert_eq!(lenient.len(), mixed().len());
    }

    #[test]
    fn one_group_may_hold_several_tiers() {
        let config = r#"{"tiers":[["standard","premium"]]}"#;
        assert_eq!(ranked(config, mixed())[0], "standard-cheap");
    }

    #[test]
    fn load_and_latency_can_decide_instead() {
        let with = |upstream: &str, load: u32, latency_ms: u32| Candidate {
            load,
            latency_ms,
            ..Candidate::new(upstream)
        };
        let candidates = || vec![with("a", 3, 20), with("b", 1, 90), with("c", 2, 0)];
        assert_eq!(ranked(r#"{"by":"load"}"#, candidates()), ["b", "c", "a"]);
        assert_eq!(ranked(r#"{"by":"latency"}"#, candidates()), ["c", "a", "b"]);
        assert_eq!(ranked(r#"{"by":"listed"}"#, candidates()), ["a", "b", "c"]);
    }

    #[test]
    fn equals_stay_in_the_hosts_order() {
        let candidates = vec![
            Candidate::new("z"),
            Candidate::new("a"),
            Candidate::new("m"),
        ];
        assert_eq!(ranked("{}", candidates), ["z", "a", "m"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_members_name() {
        let wanted =
            "`tiers` must be a list of lists of tier names, such as [[\"premium\"],[\"standard\"]]";
        let cases = [
            (
                "{",
                "the configuration is not JSON: a member's name was expected at byte 1",
            ),
            ("3", "the configuration must be a JSON object"),
            (
                r#"{"tier":[]}"#,
                "`tier` is not a setting; there are tiers, by, strict",
            ),
            (r#"{"tiers":["premium"]}"#, wanted),
            (r#"{"tiers":[[]]}"#, wanted),
            (r#"{"tiers":[["a"],["b","a"]]}"#, "`tiers` names `a` twice"),
            (
                r#"{"by":"speed"}"#,
                "`by` must be `price`, `load`, `latency` or `listed`",
            ),
            (r#"{"strict":"yes"}"#, "`strict` must be true or false"),
            (
                r#"{"strict":true}"#,
                "`strict` without `tiers` would leave no upstream at all",
            ),
        ];
        for (config, expected) in cases {
            assert_eq!(
                ModelTiers::configure(config).err().as_deref(),
                Some(expected),
                "{config}"
            );
        }
    }
}
