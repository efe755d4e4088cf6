//! Prints what a call into a component costs on this machine: `cargo run --release -p tollgate-plugin --example measure`.
//!
//! The guests are the tests' own, in WebAssembly text: the figures are the host's share, without a guest's own work.
//! With the path of a folder of components as argument, its providers and policies are measured as well.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a tool for developers; it fails loudly"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Call, House, Request, call, config, policy, provider};
use tollgate_plugin::{CallView, Components, Interface, Isolation, RequestView, Segment};

/// The best of several rounds, in nanoseconds a turn: noise of the machine only ever adds.
fn measure(name: &str, turns: u32, mut turn: impl FnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..9 {
        let started = Instant::now();
        for _ in 0..turns {
            turn();
        }
        best = best.min(started.elapsed());
    }
    println!(
        "{name:<52} {:>10.0} ns",
        best.as_nanos() as f64 / f64::from(turns)
    );
}

fn main() {
    let request: Arc<dyn RequestView> = Arc::new(Request("fine".into()));
    for (name, isolation) in [
        ("pooled", Isolation::Pooled),
        ("per-request", Isolation::PerRequest),
    ] {
        let house = House::open_with(
            &[("vendor.wasm", provider("vendor")), ("rule.wasm", policy())],
            |config| {
                config.memoise = false;
                config.isolation = Some(isolation);
            },
        );
        let generation = house.components.generation();
        let vendor = generation.providers["vendor"].configured("{}").unwrap();
        let rule = generation.policies["rule"].configured("{}").unwrap();
        let view = call(1, None);
        measure(&format!("{name}: prepare (2 getters)"), 2_000, || {
            black_box(vendor.prepare(&view).unwrap());
        });
        measure(&format!("{name}: admit (1 getter)"), 2_000, || {
            black_box(rule.admit(Arc::clone(&request)).unwrap());
        });
        measure(
            &format!("{name}: answer filter, new, push, drop"),
            2_000,
            || {
                let filters = rule.answer_filters(Arc::clone(&request)).unwrap();
                let mut filter = filters.open("text").unwrap();
                black_box(filter.push("hello").unwrap());
            },
        );
        let filters = rule.answer_filters(Arc::clone(&request)).unwrap();
        let mut filter = filters.open("text").unwrap();
        measure(
            &format!("{name}: answer filter, one push of 16 bytes"),
            2_000,
            || {
                black_box(filter.push("0123456789abcdef").unwrap());
            },
        );
    }
    let house = House::open(&[("vendor.wasm", provider("vendor"))]);
    let vendor = house.components.generation().providers["vendor"]
        .configured("{}")
        .unwrap();
    let view = call(1, Some("/some/path"));
    vendor.prepare(&view).unwrap();
    measure("remembered plan (2 getters)", 100_000, || {
        black_box(vendor.remembered(black_box(&*view)).unwrap());
    });
    frozen(&request);
    if let Some(dir) = std::env::args().nth(1) {
        real(Path::new(&dir), &request);
    }
}

/// What a content policy in Rust costs for a conversation of a hundred short texts.
fn frozen(request: &Arc<dyn RequestView>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frozen/0.1.0/policy.wasm");
    let house = House::open(&[("policy.wasm", std::fs::read(file).unwrap())]);
    let policy = house.components.generation().policies["policy"]
        .configured("{}")
        .unwrap();
    let segment = |number: usize| Segment {
        role: if number.is_multiple_of(2) {
            "user"
        } else {
            "assistant"
        },
        kind: "text",
        text: "some words that are of no interest ".repeat(4),
    };
    let segments: Vec<_> = (0..100).map(segment).collect();
    measure("inspect 100 segments (250 getters)", 200, || {
        black_box(
            policy
                .inspect(Arc::clone(request), segments.clone())
                .unwrap(),
        );
    });
}

/// Components as they are shipped.
fn real(dir: &Path, request: &Arc<dyn RequestView>) {
    let home = tempfile::tempdir().unwrap();
    for memoise in [false, true] {
        let mut config = config(home.path());
        config.dir = dir.to_owned();
        config.memoise = memoise;
        config.max_component_bytes = 32 << 20;
        let started = Instant::now();
        let components = Components::open(config).unwrap();
        let generation = components.generation();
        println!(
            "{} components loaded in {:?}, {} failed {:?}",
            generation.providers.len() + generation.policies.len(),
            started.elapsed(),
            generation.failed.len(),
            generation.failed
        );
        for (id, component) in &generation.providers {
            let manifest = component.manifest().unwrap();
            let view: Arc<dyn CallView + Send + Sync> = Arc::new(Call {
                model: manifest
                    .models
                    .first()
                    .map_or("m", |model| &model.id)
                    .to_owned(),
                attempt: 1,
                headers: Default::default(),
            });
            let provider = component.configured("{}").unwrap();
            if let Err(error) = provider.prepare(&view) {
                println!("{id}: {error}");
                continue;
            }
            measure(
                &format!("{id}: prepare, memoise = {memoise}"),
                2_000,
                || {
                    black_box(provider.prepare(&view).unwrap());
                },
            );
        }
        if memoise {
            continue;
        }
        for (id, component) in &generation.policies {
            let Ok(policy) = component.configured("{}") else {
                println!("{id}: needs a configuration");
                continue;
            };
            if component.exports(Interface::Admission) {
                measure(&format!("{id}: admit"), 2_000, || {
                    black_box(policy.admit(Arc::clone(request)).unwrap());
                });
            }
        }
    }
}
