//! What happens when a guest answers, misbehaves or is asked too much; nothing else may be affected.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{House, Request, call, policy, provider};
use tollgate_plugin::{
    CandidatesView, Configured, ErrorKind, FailureKind, FilterError, Interface, Isolation, Plan,
    PluginError, PrepareError, RequestView, Verdict,
};

fn vendor(house: &House) -> Arc<Configured> {
    let generation = house.components.generation();
    assert!(generation.failed.is_empty(), "{:?}", generation.failed);
    generation.providers["vendor"].configured("{}").unwrap()
}

fn prepare(
    vendor: &Configured,
    attempt: u32,
    path: Option<&str>,
) -> Result<Arc<Plan>, PrepareError> {
    vendor.prepare(&call(attempt, path))
}

fn fails(vendor: &Configured, attempt: u32) -> PluginError {
    match prepare(vendor, attempt, None) {
        Err(PrepareError::Plugin(error)) => error,
        other => panic!("attempt {attempt} must fail: {other:?}"),
    }
}

#[test]
fn a_provider_is_described_and_asked() {
    let house = House::open(&[("any-name.wasm", provider("vendor"))]);
    let generation = house.components.generation();
    let component = &generation.providers["vendor"];
    assert_eq!(component.id(), "vendor");
    assert_eq!(component.file(), "any-name.wasm");
    assert_eq!(component.digest().len(), 64);
    assert_eq!(
        component.manifest().unwrap().endpoints[0].base_url,
        "https://vendor.example"
    );
    assert_eq!(
        component.interfaces(),
        [Interface::Manifest, Interface::Exchange]
    );
    let vendor = vendor(&house);
    assert_eq!(prepare(&vendor, 1, None).unwrap().path, "/v1/chat");
    match prepare(&vendor, 9, None) {
        Err(PrepareError::Refused(failure)) => {
            assert_eq!(failure.kind, FailureKind::RateLimited);
            assert_eq!(failure.retry_after_ms, Some(1500));
            assert_eq!(failure.message, None);
        }
        other => panic!("{other:?}"),
    }
    let unsupported = vendor.catalogue_read(b"").unwrap_err();
    assert_eq!(unsupported.kind, ErrorKind::Unsupported);
}

#[test]
fn a_guest_that_traps_is_replaced_and_named() {
    let house = House::open(&[("vendor.wasm", provider("vendor"))]);
    let vendor = vendor(&house);
    let made = vendor.instances_made();
    let error = fails(&vendor, 2);
    assert_eq!(error.kind, ErrorKind::Trap);
    assert!(
        error.to_string().contains("vendor") && error.message.contains("unreachable"),
        "{error}"
    );
    assert_eq!(
        vendor.instances_idle(),
        0,
        "the trapped instance must not be kept"
    );
    assert_eq!(prepare(&vendor, 1, None).unwrap().path, "/v1/chat");
    assert_eq!(vendor.instances_made(), made + 1);
    assert_eq!(vendor.instances_idle(), 1);
}

#[test]
fn a_guest_that_loops_is_stopped_in_time_and_the_next_call_works() {
    let house = House::open(&[("vendor.wasm", provider("vendor"))]);
    let vendor = vendor(&house);
    let started = Instant::now();
    let error = fails(&vendor, 3);
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(
        started.elapsed() >= Duration::from_millis(45),
        "{:?}",
        started.elapsed()
    );
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(prepare(&vendor, 1, None).unwrap().path, "/v1/chat");
}

#[test]
fn a_guest_that_allocates_without_end_is_stopped_at_its_limit() {
    let house = House::open(&[("vendor.wasm", provider("vendor"))]);
    let vendor = vendor(&house);
    let error = fails(&vendor, 4);
    assert_eq!(error.kind, ErrorKind::Memory);
    assert!(error.message.contains(&(16 << 20).to_string()), "{error}");
    assert_eq!(prepare(&vendor, 1, None).unwrap().path, "/v1/chat");
}

#[test]
fn nonsense_answers_are_refused_with_the_reason() {
    let house = House::open(&[("vendor.wasm", provider("vendor"))]);
    let vendor = vendor(&house);
    let path = fails(&vendor, 5);
    assert_eq!(path.kind, ErrorKind::BadAnswer);
    assert!(path.message.contains("`no path`"), "{path}");
    let edit = fails(&vendor, 6);
    assert_eq!(edit.kind, ErrorKind::BadAnswer);
    assert!(edit.message.contains("`telepathy`"), "{edit}");
    assert_eq!(prepare(&vendor, 1, None).unwrap().path, "/v1/chat");
}

#[test]
fn a_remembered_plan_is_only_for_what_was_read_the_same() {
    let house = House::open(&[("vendor.wasm", provider("vendor"))]);
    let vendor = vendor(&house);
    assert!(vendor.remembered(&*call(1, None)).is_none());
    assert_eq!(prepare(&vendor, 1, None).unwrap().path, "/v1/chat");
    assert_eq!(prepare(&vendor, 1, Some("/one")).unwrap().path, "/one");
    assert_eq!(prepare(&vendor, 1, Some("/two")).unwrap().path, "/two");
    assert_eq!(vendor.remembered(&*call(1, None)).unwrap().path, "/v1/chat");
    assert_eq!(
        vendor.remembered(&*call(1, Some("/one"))).unwrap().path,
        "/one"
    );
    assert_eq!(
        vendor.remembered(&*call(1, Some("/two"))).unwrap().path,
        "/two"
    );
    assert!(vendor.remembered(&*call(1, Some("/three"))).is_none());
    // A failure, a refusal and a call with log lines are never remembered.
    for attempt in [2, 9, 10] {
        let _ = prepare(&vendor, attempt, None);
        assert!(
            vendor.remembered(&*call(attempt, None)).is_none(),
            "attempt {attempt}"
        );
    }
}

#[test]
fn nothing_is_remembered_where_the_operator_says_so() {
    let house = House::open_with(&[("vendor.wasm", provider("vendor"))], |config| {
        config.memoise = false
    });
    let vendor = vendor(&house);
    prepare(&vendor, 1, None).unwrap();
    assert!(vendor.remembered(&*call(1, None)).is_none());
}

#[test]
fn a_remembered_plan_is_given_without_asking_the_guest() {
    let house = House::open(&[("vendor.wasm", provider("vendor"))]);
    let vendor = vendor(&house);
    // Attempt 7 counts how often it was asked.
    assert_eq!(prepare(&vendor, 7, None).unwrap().path, "/1");
    assert_eq!(prepare(&vendor, 7, None).unwrap().path, "/1");
}

#[test]
fn a_pooled_instance_keeps_its_memory_and_a_per_request_one_leaks_nothing() {
    let paths = |isolation| {
        let house = House::open_with(&[("vendor.wasm", provider("vendor"))], |config| {
            config.memoise = false;
            config.isolation_of.insert("vendor".into(), isolation);
        });
        let vendor = vendor(&house);
        let paths: Vec<_> = (0..3)
            .map(|_| prepare(&vendor, 7, None).unwrap().path.clone())
            .collect();
        (paths, vendor.instances_idle())
    };
    assert_eq!(
        paths(Isolation::Pooled),
        (vec!["/1".into(), "/2".into(), "/3".into()], 1)
    );
    assert_eq!(
        paths(Isolation::PerRequest),
        (vec!["/1".into(), "/1".into(), "/1".into()], 0)
    );
}

#[test]
fn an_instance_that_has_grown_much_is_replaced_after_its_call() {
    let house = House::open_with(&[("vendor.wasm", provider("vendor"))], |config| {
        config.memoise = false
    });
    let vendor = vendor(&house);
    prepare(&vendor, 8, None).unwrap();
    assert_eq!(vendor.instances_idle(), 1, "40 pages of 256 may be kept");
    prepare(&vendor, 8, None).unwrap();
    assert_eq!(
        vendor.instances_idle(),
        0,
        "80 pages are more than a quarter of the limit"
    );
    prepare(&vendor, 1, None).unwrap();
}

#[test]
fn an_instance_is_replaced_after_many_calls() {
    let house = House::open_with(&[("vendor.wasm", provider("vendor"))], |config| {
        config.memoise = false
    });
    let vendor = vendor(&house);
    let view = call(1, None);
    for _ in 0..10_000 {
        vendor.prepare(&view).unwrap();
    }
    assert_eq!(vendor.instances_made(), 1);
    for _ in 0..10_000 {
        vendor.prepare(&view).unwrap();
    }
    assert_eq!(vendor.instances_made(), 2);
}

#[test]
fn many_threads_call_one_component_at_once() {
    let house = House::open(&[("vendor.wasm", provider("vendor"))]);
    let vendor = vendor(&house);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let vendor = &vendor;
            scope.spawn(move || {
                for round in 0..200 {
                    let path = format!("/{thread}/{}", round % 7);
                    assert_eq!(prepare(vendor, 1, Some(&path)).unwrap().path, path);
                    if round % 50 == 0 {
                        assert_eq!(fails(vendor, 2).kind, ErrorKind::Trap);
                    }
                }
            });
        }
    });
}

struct Two;

impl CandidatesView for Two {
    fn count(&self) -> u32 {
        2
    }
    fn upstream(&self, _position: u32) -> &str {
        "u"
    }
    fn provider(&self, _position: u32) -> &str {
        "p"
    }
    fn model(&self, _position: u32) -> &str {
        "m"
    }
    fn tier(&self, _position: u32) -> &str {
        ""
    }
    fn input_price(&self, _position: u32) -> Option<u64> {
        None
    }
    fn output_price(&self, _position: u32) -> Option<u64> {
        None
    }
    fn load(&self, _position: u32) -> u32 {
        0
    }
    fn latency_ms(&self, _position: u32) -> u32 {
        0
    }
    fn healthy(&self, _position: u32) -> bool {
        true
    }
}

fn request(model: &str) -> Arc<dyn RequestView> {
    Arc::new(Request(model.into()))
}

fn rule(house: &House) -> Arc<Configured> {
    let generation = house.components.generation();
    assert!(generation.failed.is_empty(), "{:?}", generation.failed);
    generation.policies["rule"].configured("{}").unwrap()
}

#[test]
fn a_policy_admits_denies_and_may_not_rank_who_is_not_there() {
    let house = House::open(&[("rule.wasm", policy())]);
    let rule = rule(&house);
    assert_eq!(rule.admit(request("fine")).unwrap(), Verdict::Allow);
    match rule.admit(request("forbidden")).unwrap() {
        Verdict::Deny(denial) => assert_eq!(
            (denial.reason.as_str(), denial.message.as_str()),
            ("forbidden-model", "Not this one.")
        ),
        other => panic!("{other:?}"),
    }
    let error = rule.rank(request("fine"), Arc::new(Two)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAnswer);
    assert!(error.message.contains("candidate 7"), "{error}");
    let error = rule.component().configured(r#"{"a":1}"#).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (
            ErrorKind::Refused,
            "takes no configuration, but one was given"
        )
    );
    assert!(
        rule.component()
            .configured("{")
            .unwrap_err()
            .message
            .contains("no JSON")
    );
    assert!(
        Arc::ptr_eq(&rule, &rule.component().configured("{}").unwrap()),
        "one configuration, one pool"
    );
}

#[test]
fn an_answers_filters_have_an_instance_of_its_own_until_it_is_dropped() {
    let house = House::open(&[("rule.wasm", policy())]);
    let rule = rule(&house);
    assert_eq!(rule.instances_idle(), 1);
    let open = || rule.answer_filters(request("m")).unwrap().open("text");
    let (mut one, mut other) = (open().unwrap(), open().unwrap());
    assert_eq!((rule.instances_idle(), rule.instances_made()), (0, 2));
    assert_eq!(one.push("hello").unwrap(), "hello");
    assert_eq!(other.push("öther").unwrap(), "öther");
    match one.push("!") {
        Err(FilterError::Denied(denial)) => assert_eq!(denial.reason, "forbidden-model"),
        result => panic!("{result:?}"),
    }
    assert_eq!(one.finish().unwrap(), "");
    assert_eq!(rule.instances_idle(), 1);
    // It traps on empty text; the stream is over and its instance gone.
    assert!(
        matches!(other.push(""), Err(FilterError::Plugin(error)) if error.kind == ErrorKind::Trap)
    );
    assert!(matches!(other.push("more"), Err(FilterError::Plugin(_))));
    drop(other);
    assert_eq!(rule.instances_idle(), 1);
    assert_eq!(rule.admit(request("fine")).unwrap(), Verdict::Allow);
}

#[test]
fn an_open_stream_survives_the_removal_of_its_component() {
    let house = House::open(&[("rule.wasm", policy())]);
    let filters = rule(&house).answer_filters(request("m")).unwrap();
    let mut filter = filters.open("text").unwrap();
    house.remove("rule.wasm");
    assert!(house.components.generation().policies.is_empty());
    assert_eq!(filter.push("still here").unwrap(), "still here");
    assert_eq!(filter.finish().unwrap(), "");
}
