//! Where the operator says nothing, a component that sees text gets a fresh instance each time, and any other a warm one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::path::Path;

use common::{ALLOCATOR, House, component, configurable, policy, provider};
use tollgate_plugin::{Interface, Isolation};

/// A policy that exports only this: imports and functions of its module.
fn alone(interface: &str, imports: &str, functions: &str) -> Vec<u8> {
    component(
        &format!("export tollgate:extension/{interface}@0.1.0;"),
        &format!(r#"(module {imports} (memory (export "memory") 2) {ALLOCATOR} {functions})"#),
    )
}

fn content() -> Vec<u8> {
    alone(
        "content",
        r#"(import "tollgate:extension/request@0.1.0" "[resource-drop]request" (func (param i32)))
        (import "tollgate:extension/segments@0.1.0" "[resource-drop]segments" (func (param i32)))"#,
        r#"(func (export "tollgate:extension/content@0.1.0#inspect") (param i32 i32) (result i32) (unreachable))"#,
    )
}

fn routing() -> Vec<u8> {
    alone(
        "routing",
        r#"(import "tollgate:extension/request@0.1.0" "[resource-drop]request" (func (param i32)))
        (import "tollgate:extension/candidates@0.1.0" "[resource-drop]candidates" (func (param i32)))"#,
        r#"(func (export "tollgate:extension/routing@0.1.0#rank") (param i32 i32) (result i32) (unreachable))"#,
    )
}

fn observation() -> Vec<u8> {
    alone(
        "observation",
        r#"(import "tollgate:extension/outcomes@0.1.0" "[resource-drop]outcome" (func (param i32)))"#,
        r#"(func (export "tollgate:extension/observation@0.1.0#observe") (param i32) (unreachable))"#,
    )
}

fn frozen(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frozen/0.1.0");
    std::fs::read(dir.join(format!("{name}.wasm"))).unwrap()
}

/// The isolation and the interfaces of the one component, loaded with these settings for all and for it.
fn loaded(
    bytes: Vec<u8>,
    isolation: Option<Isolation>,
    of: Option<Isolation>,
) -> (Isolation, Vec<Interface>) {
    let house = House::open_with(&[("one.wasm", bytes)], |config| {
        config.isolation = isolation;
        config
            .isolation_of
            .extend(of.map(|of| ("one".to_owned(), of)));
    });
    let generation = house.components.generation();
    assert!(generation.failed.is_empty(), "{:?}", generation.failed);
    let mut all = generation
        .providers
        .values()
        .chain(generation.policies.values());
    let one = all.next().unwrap();
    (one.isolation(), one.interfaces().to_vec())
}

#[test]
fn each_interface_that_sees_text_is_enough_for_a_fresh_instance_each_time() {
    let seeing = [
        (Interface::Content, content()),
        (Interface::AnswerContent, policy()),
        (Interface::Translation, frozen("provider")),
        (Interface::Responder, frozen("responder")),
    ];
    let all: Vec<Interface> = seeing.iter().map(|(interface, _)| *interface).collect();
    for (interface, bytes) in seeing {
        let (isolation, exported) = loaded(bytes, None, None);
        assert_eq!(isolation, Isolation::PerRequest, "{interface:?}");
        // So it is this one that decides, and none of the others.
        let sees: Vec<_> = exported.iter().filter(|one| all.contains(one)).collect();
        assert_eq!(sees, [&interface]);
    }
}

#[test]
fn a_component_that_sees_no_text_has_warm_instances() {
    let blind = [
        (Interface::Admission, configurable(40)),
        (Interface::Routing, routing()),
        (Interface::Observation, observation()),
        (Interface::Exchange, provider("one")),
    ];
    for (interface, bytes) in blind {
        let (isolation, exported) = loaded(bytes, None, None);
        assert_eq!(isolation, Isolation::Pooled, "{interface:?}");
        assert!(exported.contains(&interface), "{exported:?}");
    }
}

#[test]
fn what_the_operator_says_goes_before_of_the_one_component_before_that_of_all() {
    use Isolation::{PerRequest, Pooled};
    assert_eq!(loaded(content(), Some(Pooled), None).0, Pooled);
    assert_eq!(loaded(routing(), Some(PerRequest), None).0, PerRequest);
    assert_eq!(loaded(content(), None, Some(Pooled)).0, Pooled);
    assert_eq!(
        loaded(routing(), Some(Pooled), Some(PerRequest)).0,
        PerRequest
    );
}
