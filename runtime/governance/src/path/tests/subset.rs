//! Whatever is set wherever: what an account may, its parent may.

use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NAMES: [&str; 5] = ["a", "ab", "b", "ba", "c"];
const GLOBS: [&str; 4] = ["*", "a*", "*b", "b*"];
const NETWORKS: [&str; 5] = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
];
const ADDRESSES: [&str; 4] = ["10.1.2.3", "::ffff:10.2.0.1", "2001:db8::1", "::1"];

fn words() -> impl Strategy<Value = Value> {
    let word = prop::sample::select([&NAMES[..], &GLOBS[..]].concat());
    prop::collection::vec(word, 0..4).prop_map(|list| json!(list))
}

fn boundaries() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(NAMES.to_vec());
    let map = prop::collection::btree_map(
        prop::sample::select([&NAMES[..], &GLOBS[..]].concat()),
        names.clone(),
        0..3,
    );
    let list = |values: &[&'static str]| {
        let value = prop::sample::select(values.to_vec());
        prop::collection::vec(value, 0..3).prop_map(|list| json!(list))
    };
    let lists = (
        prop::option::of(words()),
        prop::option::weighted(0.3, words()),
        prop::option::weighted(0.3, list(&NAMES)),
        prop::option::weighted(0.3, list(&NAMES)),
        prop::option::weighted(0.3, list(&NETWORKS)),
        prop::option::of(map.prop_map(|map| json!(map))),
    );
    let figures = (
        prop::option::of(1..100u64),
        prop::option::of(0..3_000_000u64),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.3, prop::bool::ANY),
    );
    (lists, figures).prop_map(|(lists, (cap, factor, suspended, keeps))| {
        let (models, denied, providers, endpoints, cidrs, map) = lists;
        json!({
            "models": models, "denied_models": denied, "providers": providers, "endpoints": endpoints,
            "cidrs": cidrs, "model_map": map, "output_cap": cap, "price_factor": factor,
            "status": if suspended { "suspended" } else { "active" }, "keep_answers": keeps,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn what_a_child_may_its_parent_may_too_for_every_boundary(
        levels in prop::collection::vec(boundaries(), 2..6),
    ) {
        let texts: Vec<String> = levels.iter().map(Value::to_string).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let child = path(&texts);
        let parent = path(&texts[..texts.len() - 1]);
        prop_assert!(parent.is_enabled() || !child.is_enabled());
        prop_assert!(parent.keeps_answers() || !child.keeps_answers());
        for name in NAMES {
            prop_assert!(parent.allows_model(name) || !child.allows_model(name));
            prop_assert!(parent.allows_provider(name) || !child.allows_provider(name));
            prop_assert!(parent.allows_endpoint(name) || !child.allows_endpoint(name));
            if let Some(served) = child.resolve(name) {
                // By the parent's map for the same name, or because its own lists have the name that is served.
                let same = parent.resolve(name).as_ref() == Some(&served);
                prop_assert!(same || parent.allows_model(&served), "{name} -> {served}");
                // Whoever maps it: the owner and all above allow what is served.
                let root = child.nodes().first().unwrap();
                prop_assert!(root.allows_model(&served));
            }
        }
        let addresses = ADDRESSES.map(|text| Some(text.parse::<IpAddr>().unwrap()));
        for address in addresses.into_iter().chain([None]) {
            prop_assert!(parent.allows_address(address) || !child.allows_address(address));
        }
        let cap = |path: &Path| path.output_cap().unwrap_or(u64::MAX);
        prop_assert!(cap(&child) <= cap(&parent));
        let sets_factor = levels.iter().rev().skip(1).any(|level| !level["price_factor"].is_null());
        prop_assert!(child.price_factor() >= parent.price_factor() || !sets_factor);
    }

    /// Written again from the words of the design, with none of the compiled lists.
    #[test]
    fn what_is_served_agrees_with_a_plain_reading_of_the_rules(
        levels in prop::collection::vec(boundaries(), 1..5),
        asked in prop::sample::select(NAMES.to_vec()),
    ) {
        let texts: Vec<String> = levels.iter().map(Value::to_string).collect();
        let path = path(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let served = path.resolve(asked);
        prop_assert_eq!(served.as_deref(), plain_resolve(&levels, asked));
    }
}

fn matches_plainly(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => {
            name.len() >= before.len() + after.len()
                && name.starts_with(before)
                && name.ends_with(after)
        }
    }
}

fn plain_resolve<'a>(levels: &'a [Value], asked: &'a str) -> Option<&'a str> {
    let any = |list: &Value, name: &str| {
        let mut list = list.as_array().unwrap().iter();
        list.any(|pattern| matches_plainly(pattern.as_str().unwrap(), name))
    };
    let allows = |level: &Value, name: &str| {
        (level["models"].is_null() || any(&level["models"], name))
            && (level["denied_models"].is_null() || !any(&level["denied_models"], name))
    };
    for owner in (0..levels.len()).rev() {
        let Some(map) = levels[owner]["model_map"].as_object() else {
            continue;
        };
        let mut entries: Vec<_> = map
            .iter()
            .filter(|(pattern, _)| matches_plainly(pattern, asked))
            .collect();
        entries.sort_by_key(|(pattern, _)| {
            let glob = pattern.contains('*');
            (glob, std::cmp::Reverse(pattern.len()), (*pattern).clone())
        });
        if let Some((_, served)) = entries.first() {
            let served = served.as_str().unwrap();
            let passes = levels[owner..].iter().all(|level| allows(level, asked))
                && levels[..=owner].iter().all(|level| allows(level, served));
            return passes.then_some(served);
        }
    }
    levels
        .iter()
        .all(|level| allows(level, asked))
        .then_some(asked)
}
