//! What a guest may take of the host beside memory and time: bytes of an answer, handles, table elements, lines of the log.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{ALLOCATOR, House, Request, Seen, component};
use tollgate_plugin::{Configured, ErrorKind, Isolation, PluginError, Verdict};

/// A policy that does this in `admit`, and allows unless it writes another verdict to 512. `$new` makes a handle of its own
/// resource, `$log` writes to the log, `$table` is its table; `$at` and `$text` are its to use.
fn guest(admit: &str) -> Vec<u8> {
    component(
        "import tollgate:extension/log@0.1.0;
        export tollgate:extension/admission@0.1.0; export tollgate:extension/answer-content@0.1.0;",
        &format!(
            r#"(module
  (import "tollgate:extension/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
  (import "tollgate:extension/log@0.1.0" "write" (func $log (param i32 i32 i32 i32)))
  (import "[export]tollgate:extension/answer-content@0.1.0" "[resource-new]answer-filter"
    (func $new (param i32) (result i32)))
  (memory (export "memory") 2)
  (table $table 1 funcref)
  {ALLOCATOR}
  (data (i32.const 16) "info")
  (data (i32.const 32) "one of many")
  (func (export "tollgate:extension/admission@0.1.0#admit") (param $request i32) (result i32)
    (local $at i32) (local $text i32)
    (call $drop (local.get $request))
    {admit}
    (i32.const 512))
  (func (export "tollgate:extension/answer-content@0.1.0#[constructor]answer-filter") (param i32 i32 i32) (result i32)
    (unreachable))
  (func (export "tollgate:extension/answer-content@0.1.0#[method]answer-filter.push") (param i32 i32 i32) (result i32)
    (unreachable))
  (func (export "tollgate:extension/answer-content@0.1.0#[method]answer-filter.finish") (param i32) (result i32)
    (unreachable))
)"#
        ),
    )
}

/// Code that does this so many times.
fn times(count: u32, what: &str) -> String {
    format!(
        "(local.set $at (i32.const 0))
        (loop $more
          {what}
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $at) (i32.const {count}))))"
    )
}

/// The policy, loaded; its house goes with it.
fn rule(admit: &str, isolation: Isolation) -> (House, Arc<Configured>) {
    let house = House::open_with(&[("rule.wasm", guest(admit))], |config| {
        config.isolation = Some(isolation);
        // None of this is about time.
        config.call_timeout = Duration::from_secs(5);
    });
    let generation = house.components.generation();
    assert!(generation.failed.is_empty(), "{:?}", generation.failed);
    let rule = generation.policies["rule"].configured("{}").unwrap();
    (house, rule)
}

fn admit(rule: &Configured) -> Result<Verdict, PluginError> {
    rule.admit(Arc::new(Request("m".into())))
}

/// What a fresh instance answers.
fn answered(code: &str) -> Result<Verdict, PluginError> {
    let (_house, rule) = rule(code, Isolation::PerRequest);
    admit(&rule)
}

#[test]
fn one_mebibyte_that_an_answer_names_again_and_again_is_not_copied_without_end() {
    // Amendments of 24 bytes from 8192 on, each of which asks for the same long model.
    let amending = |count: u32| {
        let each =
            "(i32.store offset=8200 (i32.mul (local.get $at) (i32.const 24)) (local.get $text))
          (i32.store offset=8204 (i32.mul (local.get $at) (i32.const 24)) (i32.const 1048576))";
        format!(
            "(local.set $text (i32.mul (memory.grow (i32.const 16)) (i32.const 65536)))
            {}
            (i32.store (i32.const 512) (i32.const 2))
            (i32.store (i32.const 516) (i32.const 8192))
            (i32.store (i32.const 520) (i32.const {count}))",
            times(count, each)
        )
    };
    // The memory that an instance may have is 16 MiB here, and one more is for answers.
    match answered(&amending(15)).unwrap() {
        Verdict::Amend(amendments) => assert_eq!(amendments.len(), 15),
        other => panic!("{other:?}"),
    }
    let error = answered(&amending(18)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Trap, "{error}");
    assert!(error.message.contains("too much data"), "{error}");
}

#[test]
fn a_guest_has_no_more_than_ten_thousand_handles() {
    let making = |count| times(count, "(drop (call $new (i32.const 1)))");
    assert_eq!(answered(&making(9_900)).unwrap(), Verdict::Allow);
    let error = answered(&making(10_100)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Trap, "{error}");
}

#[test]
fn a_guests_table_has_a_limit_as_its_memory_has() {
    let growing = |by: u32| {
        format!(
            "(if (i32.eq (table.grow $table (ref.null func) (i32.const {by})) (i32.const -1))
              (then (unreachable)))"
        )
    };
    assert_eq!(answered(&growing(15_000)).unwrap(), Verdict::Allow);
    let error = answered(&growing(50_000)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Memory, "{error}");
}

#[test]
fn a_call_writes_sixty_four_lines_to_the_log_and_the_next_one_as_many() {
    let line = "(call $log (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 11))";
    let (_house, rule) = rule(&times(100, line), Isolation::Pooled);
    let written = || {
        let seen = Seen::start();
        tracing::subscriber::with_default(Seen::clone(&seen), || {
            assert_eq!(admit(&rule).unwrap(), Verdict::Allow);
        });
        let lines = seen.lines();
        lines.iter().filter(|of| of.contains("one of many")).count()
    };
    assert_eq!((written(), written()), (64, 64));
    assert_eq!(rule.instances_made(), 1, "it was one instance");
}
