//! A new version that does not take a stored configuration: the version before it serves on, there and only there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::sync::Arc;

use common::{House, Request, configurable};
use tollgate_plugin::{Component, ErrorKind, Verdict};

fn rule(house: &House) -> Arc<Component> {
    let generation = house.components.generation();
    assert!(generation.failed.is_empty(), "{:?}", generation.failed);
    Arc::clone(&generation.policies["rule"])
}

#[test]
fn the_last_good_version_keeps_what_the_new_one_refuses() {
    // Takes a configuration of up to so many bytes.
    let house = House::open(&[("rule.wasm", configurable(20))]);
    let (short, long) = (r#"{"a":1}"#, r#"{"a":12345678}"#);
    let first = rule(&house);
    let (at_short, at_long) = (
        first.configured(short).unwrap(),
        first.configured(long).unwrap(),
    );

    house.put("rule.wasm", &configurable(10));
    let second = rule(&house);
    assert_ne!(second.digest(), first.digest());
    let new = second.configured(short).unwrap();
    assert!(Arc::ptr_eq(new.component(), &second));
    assert_eq!(second.refusal(short), None);
    let kept = second.configured(long).unwrap();
    assert!(Arc::ptr_eq(&kept, &at_long), "with its warm instances");
    assert!(second.refusal(long).unwrap().contains("too long"));
    assert_eq!(
        kept.admit(Arc::new(Request("m".into()))).unwrap(),
        Verdict::Allow
    );
    // What nothing serves yet is refused.
    let error = second.configured(r#"{"b":12345678}"#).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);

    // A third version that refuses too: still the first, though the second is between them.
    drop((at_short, at_long, new, first, second));
    house.put("rule.wasm", &configurable(9));
    let third = rule(&house);
    assert!(Arc::ptr_eq(&third.configured(long).unwrap(), &kept));
    // One that takes it takes over.
    house.put("rule.wasm", &configurable(30));
    let fourth = rule(&house);
    let taken = fourth.configured(long).unwrap();
    assert!(Arc::ptr_eq(taken.component(), &fourth));
    assert_eq!(fourth.refusal(long), None);
}

#[test]
fn nothing_is_kept_for_a_configuration_that_nothing_uses() {
    let house = House::open(&[("rule.wasm", configurable(20))]);
    let long = r#"{"a":12345678}"#;
    drop(rule(&house).configured(long).unwrap());
    house.put("rule.wasm", &configurable(10));
    assert!(rule(&house).configured(long).is_err());
}
