//! A new version that does not take a stored configuration: the version before it can serve on.
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
fn what_an_earlier_version_was_configured_with_serves_as_long_as_it_is_held() {
    // Takes a configuration of up to so many bytes.
    let house = House::open(&[("rule.wasm", configurable(20))]);
    let (short, long) = (r#"{"a":1}"#, r#"{"a":12345678}"#);
    let kept = rule(&house).configured(long).unwrap();

    house.put("rule.wasm", &configurable(10));
    let second = rule(&house);
    let taken = second.configured(short).unwrap();
    assert!(Arc::ptr_eq(taken.component(), &second));
    let error = second.configured(long).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Refused, "too long")
    );
    // The file it came from is long gone.
    assert_ne!(kept.component().digest(), second.digest());
    assert_eq!(
        kept.admit(Arc::new(Request("m".into()))).unwrap(),
        Verdict::Allow
    );
    house.remove("rule.wasm");
    assert_eq!(
        kept.admit(Arc::new(Request("m".into()))).unwrap(),
        Verdict::Allow
    );
}
