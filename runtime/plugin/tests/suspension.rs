//! A component that times out again and again is left alone, so that those who share its worker are served.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{ALLOCATOR, House, Request, call, component, provider};
use tollgate_plugin::{Configured, ErrorKind, PrepareError, Segment};

fn kind(vendor: &Configured, attempt: u32) -> Option<ErrorKind> {
    match vendor.prepare(&call(attempt, None)) {
        Ok(_) | Err(PrepareError::Refused(_)) => None,
        Err(PrepareError::Plugin(error)) => Some(error.kind),
    }
}

/// A component that loops at attempt 3 and traps at attempt 2.
fn vendor() -> (House, Arc<Configured>) {
    let house = House::open_with(&[("vendor.wasm", provider("vendor"))], |config| {
        config.memoise = false;
    });
    let vendor = house.components.generation().providers["vendor"]
        .configured("{}")
        .unwrap();
    (house, vendor)
}

#[test]
fn after_three_timeouts_nothing_waits_for_it_any_more() {
    let (_house, vendor) = vendor();
    let started = Instant::now();
    let kinds: Vec<_> = (0..200).map(|_| kind(&vendor, 3)).collect();
    assert_eq!(kinds[..3], [Some(ErrorKind::Timeout); 3]);
    // At 50 ms a call, 200 calls would have held the thread for 10 s.
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
    let timeouts = kinds
        .iter()
        .filter(|kind| **kind == Some(ErrorKind::Timeout));
    assert!(timeouts.count() <= 5, "{kinds:?}");
    // What would be answered is not asked either.
    assert_eq!(kind(&vendor, 1), Some(ErrorKind::Suspended));
}

#[test]
fn it_is_tried_again_and_serves_when_it_answers() {
    let (_house, vendor) = vendor();
    for _ in 0..3 {
        assert_eq!(kind(&vendor, 3), Some(ErrorKind::Timeout));
    }
    assert_eq!(kind(&vendor, 1), Some(ErrorKind::Suspended));
    std::thread::sleep(Duration::from_millis(1_050));
    assert_eq!(kind(&vendor, 1), None, "the suspension is over");
    assert_eq!(
        kind(&vendor, 3),
        Some(ErrorKind::Timeout),
        "and the row begins anew"
    );
    assert_eq!(kind(&vendor, 1), None);
}

#[test]
fn traps_and_lone_timeouts_suspend_nothing() {
    let (_house, vendor) = vendor();
    for _ in 0..4 {
        assert_eq!(kind(&vendor, 3), Some(ErrorKind::Timeout));
        assert_eq!(kind(&vendor, 3), Some(ErrorKind::Timeout));
        assert_eq!(kind(&vendor, 2), Some(ErrorKind::Trap));
    }
    assert_eq!(kind(&vendor, 1), None);
}

/// A policy that loops at whatever text it is shown.
fn rule() -> (House, Arc<Configured>) {
    let module = format!(
        r#"(module
        (import "tollgate:extension/request@0.1.0" "[resource-drop]request" (func (param i32)))
        (import "tollgate:extension/segments@0.1.0" "[resource-drop]segments" (func (param i32)))
        (memory (export "memory") 2) {ALLOCATOR}
        (func (export "tollgate:extension/content@0.1.0#inspect") (param i32 i32) (result i32)
          (loop $forever (br $forever)) (unreachable)))"#
    );
    let rule = component("export tollgate:extension/content@0.1.0;", &module);
    let house = House::open(&[("rule.wasm", rule)]);
    let generation = house.components.generation();
    assert!(generation.failed.is_empty(), "{:?}", generation.failed);
    let rule = generation.policies["rule"].configured("{}").unwrap();
    drop(generation);
    (house, rule)
}

/// One account's long texts suspended the policy that looked at them, and all others were refused.
#[test]
fn what_takes_long_because_it_is_long_fails_alone_and_suspends_nothing() {
    let (_house, rule) = rule();
    let shown = |pieces: usize, bytes: usize| {
        let segment = Segment {
            role: "user",
            kind: "text",
            text: "x".repeat(bytes),
        };
        let request = Arc::new(Request("m".into()));
        let judged = rule.inspect(request, vec![segment; pieces]);
        judged.unwrap_err().kind
    };
    for (pieces, bytes) in [(1, 512 << 10), (2, 300 << 10), (9_000, 1)] {
        for _ in 0..3 {
            assert_eq!(shown(pieces, bytes), ErrorKind::TooLarge);
        }
    }
    // What is short has no such excuse.
    for _ in 0..3 {
        assert_eq!(shown(1, 500 << 10), ErrorKind::Timeout);
    }
    assert_eq!(shown(1, 1), ErrorKind::Suspended);
    assert_eq!(shown(1, 512 << 10), ErrorKind::Suspended);
}
