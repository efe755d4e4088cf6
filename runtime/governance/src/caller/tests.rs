//! A key narrows what its account may, and never widens it.

use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::directory::tests::Bench;

/// A caller of an account with these boundaries, by a key of this scope.
fn caller(account: &str, scope: &str) -> Caller {
    let mut bench = Bench::new();
    bench.account_with("root", "a", account).unwrap();
    let made = bench.key_with("root/a", &format!(r#"{{"scope":{scope}}}"#));
    bench.find(&made.unwrap().1).unwrap()
}

#[test]
fn a_key_without_a_scope_may_what_its_account_may() {
    let plain = caller(r#"{"models":["gpt-*"],"providers":["a"]}"#, "{}");
    assert_eq!(plain.resolve("gpt-5").unwrap(), "gpt-5");
    assert_eq!(plain.resolve("o3"), None);
    assert!(plain.allows_provider("a") && !plain.allows_provider("b"));
    assert!(plain.allows_endpoint("messages") && plain.allows_address(None));
    assert_eq!(plain.label(), "");
}

#[test]
fn unset_and_empty_are_distinct_for_a_key_too() {
    let nothing = caller(
        "{}",
        r#"{"models":[],"providers":[],"endpoints":[],"cidrs":[]}"#,
    );
    assert_eq!(nothing.resolve("m"), None);
    assert!(!nothing.allows_model("m") && !nothing.allows_provider("p"));
    assert!(!nothing.allows_endpoint("e"));
    assert!(!nothing.allows_address(Some("127.0.0.1".parse().unwrap())));
}

#[test]
fn a_scope_beyond_the_account_gives_nothing() {
    let account =
        r#"{"models":["cheap"],"providers":["a"],"endpoints":["messages"],"cidrs":["10.0.0.0/8"]}"#;
    let all = r#"{"models":["*"],"providers":["a","b"],"endpoints":["messages","responses"],"cidrs":["0.0.0.0/0","::/0"]}"#;
    let wide = caller(account, all);
    assert_eq!(wide.resolve("dear"), None);
    assert!(wide.resolve("cheap").is_some() && !wide.allows_model("dear"));
    assert!(!wide.allows_provider("b") && !wide.allows_endpoint("responses"));
    assert!(!wide.allows_address(Some("192.168.0.1".parse().unwrap())));
    assert!(wide.allows_address(Some("::ffff:10.0.0.1".parse().unwrap())));
    assert!(!wide.allows_address(None));
}

#[test]
fn a_scope_is_about_the_name_asked_for_and_the_map_stays_the_accounts() {
    let account = r#"{"model_map":{"fast":"gpt-5"}}"#;
    let fast = caller(account, r#"{"models":["fast"]}"#);
    assert_eq!(fast.resolve("fast").unwrap(), "gpt-5");
    assert_eq!(fast.resolve("gpt-5"), None);
    let other = caller(account, r#"{"models":["gpt-5"]}"#);
    assert_eq!(other.resolve("fast"), None);
    assert_eq!(other.resolve("gpt-5").unwrap(), "gpt-5");
}

#[test]
fn networks_of_a_key_and_of_its_account_intersect() {
    let both = caller(
        r#"{"cidrs":["10.0.0.0/8"]}"#,
        r#"{"cidrs":["10.1.0.0/16","11.0.0.0/8"]}"#,
    );
    let allows = |text: &str| both.allows_address(Some(text.parse().unwrap()));
    assert!(allows("10.1.0.9") && allows("::ffff:10.1.0.9"));
    assert!(!allows("10.2.0.9") && !allows("11.0.0.1"));
    assert!(!both.allows_address(None));
}

fn list() -> impl Strategy<Value = Option<Vec<&'static str>>> {
    let word = prop::sample::select(vec!["a", "b", "c", "*", "a*"]);
    prop::option::of(prop::collection::vec(word, 0..3))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_key_never_may_what_its_account_may_not(
        account in (list(), list()),
        scope in (list(), list()),
        wide in any::<bool>(),
    ) {
        let plain = |list: Option<Vec<&'static str>>| {
            // Providers and endpoints are names, not patterns.
            list.map(|list| list.into_iter().filter(|word| !word.contains('*')).collect::<Vec<_>>())
        };
        let words = |(models, names): (Option<Vec<&'static str>>, Option<Vec<&'static str>>)| {
            let names = plain(names);
            json!({"models": models, "providers": names, "endpoints": names, "cidrs": wide.then_some(["10.0.0.0/8"])})
        };
        let (account, scope) = (words(account).to_string(), words(scope).to_string());
        let caller = caller(&account, &scope);
        let path = &caller.path;
        for name in ["a", "b", "c", "ab"] {
            let served = caller.resolve(name);
            prop_assert!(served.is_none() || served == path.resolve(name));
            prop_assert!(path.allows_model(name) || !caller.allows_model(name));
            prop_assert!(path.allows_provider(name) || !caller.allows_provider(name));
            prop_assert!(path.allows_endpoint(name) || !caller.allows_endpoint(name));
        }
        for address in [Some("10.0.0.1".parse::<IpAddr>().unwrap()), Some("::1".parse().unwrap()), None] {
            prop_assert!(path.allows_address(address) || !caller.allows_address(address));
        }
    }
}
