//! Files that come, change, go and are wrong, and what serves meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use common::{House, call, component, manifest, policy, provider, provider_with, with_version};
use tollgate_plugin::{Components, Generation};

fn serves(generation: &Generation, id: &str) -> bool {
    generation.providers[id]
        .configured("{}")
        .unwrap()
        .prepare(&call(1, None))
        .is_ok()
}

#[test]
fn bad_files_are_named_with_the_reason_and_good_ones_serve() {
    let good = provider("vendor");
    let core = wat::parse_str("(module)").unwrap();
    let foreign = wat::parse_str("(component)").unwrap();
    let describes_only = component(
        "export tollgate:extension/configuration@0.1.0;",
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "tollgate:extension/configuration@0.1.0#configure") (param i32 i32) (result i32) (i32.const 0)))"#,
    );
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "random.wasm",
            b"GIF89a and so on".to_vec(),
            "no WebAssembly file",
        ),
        ("empty.wasm", Vec::new(), "is empty"),
        ("core.wasm", core, "core WebAssembly module"),
        ("cut.wasm", good[..good.len() / 2].to_vec(), "cut short"),
        ("foreign.wasm", foreign, "foreign component"),
        ("big.wasm", vec![0; (1 << 20) + 1], "max_component_bytes"),
        (
            "future.wasm",
            with_version(&good, "9.9.9"),
            "was built for tollgate:extension@9.9.9; this host speaks 0.1.0",
        ),
        (
            "half.wasm",
            describes_only,
            "neither a provider nor a policy",
        ),
        (
            "no-json.wasm",
            provider_with("not JSON", "unreachable"),
            "manifest",
        ),
        (
            "no-url.wasm",
            provider_with(&manifest("x").replace("https://", "ftp://"), "unreachable"),
            "base_url",
        ),
        (
            "twin-models.wasm",
            provider_with(
                &manifest("x").replace(r#"{"id":"m1"}"#, r#"{"id":"m1"},{"id":"m1"}"#),
                "unreachable",
            ),
            "`m1` is there twice",
        ),
    ];
    let mut files: Vec<_> = cases
        .iter()
        .map(|(name, bytes, _)| (*name, bytes.clone()))
        .collect();
    files.push(("vendor.wasm", good));
    files.push(("rule.wasm", policy()));
    let house = House::open(&files);
    for (name, _, why) in &cases {
        assert!(house.why(name).contains(why), "{name}: {}", house.why(name));
    }
    let generation = house.components.generation();
    assert_eq!(generation.failed.len(), cases.len());
    assert_eq!(generation.providers.keys().collect::<Vec<_>>(), ["vendor"]);
    assert_eq!(generation.policies.keys().collect::<Vec<_>>(), ["rule"]);
    assert!(serves(&generation, "vendor"));
}

/// A pipe that nobody ever writes to: whoever opened it would wait for ever.
fn pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Looks at the folder, and fails where that takes as long as nothing ever does.
fn looks(house: &House) {
    let components = Arc::clone(&house.components);
    let (done, looked) = mpsc::channel();
    std::thread::spawn(move || {
        components.rescan();
        done.send(()).unwrap();
    });
    looked
        .recv_timeout(Duration::from_secs(20))
        .expect("the look at the folder ends");
}

#[test]
fn what_is_no_file_is_named_and_keeps_nothing_waiting() {
    let house = House::open(&[("vendor.wasm", provider("vendor"))]);
    let folder = house.home.path().join("components");
    fs::create_dir(folder.join("unpacked.wasm")).unwrap();
    pipe(&folder.join("pipe.wasm"));
    looks(&house);
    for name in ["unpacked.wasm", "pipe.wasm"] {
        assert_eq!(house.why(name), "is no file");
    }
    assert!(serves(&house.components.generation(), "vendor"));
    fs::remove_dir(folder.join("unpacked.wasm")).unwrap();
    house.remove("pipe.wasm");
    assert!(house.components.generation().failed.is_empty());
}

#[test]
fn what_takes_the_place_of_a_file_leaves_its_component_serving() {
    let house = House::open(&[("vendor.wasm", provider("vendor"))]);
    let folder = house.home.path().join("components");
    // Made aside and moved: between the two the file was not gone.
    pipe(&folder.join(".pipe"));
    fs::rename(folder.join(".pipe"), folder.join("vendor.wasm")).unwrap();
    looks(&house);
    assert_eq!(house.why("vendor.wasm"), "is no file");
    assert!(serves(&house.components.generation(), "vendor"));
}

#[test]
fn a_damaged_byte_anywhere_never_takes_the_host_down() {
    let good = provider("vendor");
    let house = House::open(&[]);
    let step = good.len() / 40;
    for at in (8..good.len()).step_by(step) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x55;
        house.put("vendor.wasm", &bytes);
    }
    house.put("vendor.wasm", &good);
    assert!(serves(&house.components.generation(), "vendor"));
}

#[test]
fn the_last_good_version_serves_until_a_better_one_comes() {
    let house = House::open(&[("vendor.wasm", provider("vendor"))]);
    let first = house.components.generation();
    house.put("vendor.wasm", b"\0asm garbage");
    let second = house.components.generation();
    assert!(!house.why("vendor.wasm").is_empty());
    assert_eq!(
        second.providers["vendor"].digest(),
        first.providers["vendor"].digest()
    );
    assert!(serves(&second, "vendor"));

    let renamed = provider_with(&manifest("vendor").replace("Test", "Better"), "unreachable");
    house.put("vendor.wasm", &renamed);
    let third = house.components.generation();
    assert_eq!(third.providers["vendor"].manifest().unwrap().name, "Better");
    assert!(third.failed.is_empty());
    assert!(
        serves(&first, "vendor"),
        "whoever holds the old one may go on"
    );
}

#[test]
fn removing_a_file_unloads_it() {
    let house = House::open(&[
        ("vendor.wasm", provider("vendor")),
        ("bad.wasm", b"x".to_vec()),
    ]);
    house.remove("vendor.wasm");
    house.remove("bad.wasm");
    let generation = house.components.generation();
    assert!(generation.providers.is_empty() && generation.failed.is_empty());
}

#[test]
fn of_two_providers_with_one_id_the_later_waits_its_turn() {
    let house = House::open(&[("b.wasm", provider("vendor"))]);
    house.put(
        "a.wasm",
        &provider_with(
            &manifest("vendor").replace("Test", "Usurper"),
            "unreachable",
        ),
    );
    assert_eq!(
        house.why("a.wasm"),
        "has the provider id `vendor`, which b.wasm serves already"
    );
    let name = |house: &House| {
        house.components.generation().providers["vendor"]
            .manifest()
            .unwrap()
            .name
            .clone()
    };
    assert_eq!(name(&house), "Test");
    house.remove("b.wasm");
    assert_eq!(name(&house), "Usurper");
    assert!(house.components.generation().failed.is_empty());
}

#[test]
fn a_provider_that_fails_its_self_test_is_not_loaded() {
    // Its manifest names no credential, but its plan is fine; a plan with an unknown field is not.
    let manifest =
        manifest("vendor").replace("\"credential\":{\"fields\":[{\"name\":\"api-key\"}]},", "");
    let house = House::open(&[("vendor.wasm", provider_with(&manifest, "unreachable"))]);
    assert!(house.components.generation().failed.is_empty());
    let trapping = component(
        "export tollgate:extension/manifest@0.1.0; export tollgate:extension/exchange@0.1.0;",
        &format!(
            r#"(module
            (import "tollgate:extension/call@0.1.0" "[resource-drop]call" (func (param i32)))
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
            (data (i32.const 1024) "{}")
            (func (export "tollgate:extension/manifest@0.1.0#describe") (result i32)
              (i32.store (i32.const 8) (i32.const 1024)) (i32.store (i32.const 12) (i32.const {})) (i32.const 8))
            (func (export "tollgate:extension/exchange@0.1.0#prepare") (param i32) (result i32) unreachable)
            (func (export "tollgate:extension/exchange@0.1.0#classify") (param i32) (result i32) unreachable))"#,
            self::manifest("trapper").replace('"', "\\22"),
            self::manifest("trapper").len()
        ),
    );
    house.put("trapper.wasm", &trapping);
    let why = house.why("trapper.wasm");
    assert!(
        why.contains("self-test")
            && why.contains("chat-completions")
            && why.contains("unreachable"),
        "{why}"
    );
}

#[test]
fn a_tampered_cache_is_never_loaded() {
    let house = House::open(&[("vendor.wasm", provider("vendor"))]);
    let cache = house.home.path().join("cache");
    let config = common::config(house.home.path());
    drop(house.components);
    let compiled: Vec<_> = fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "cwasm")
        })
        .collect();
    assert_eq!(compiled.len(), 1);
    let honest = fs::read(&compiled[0]).unwrap();
    let mut evil = honest.clone();
    for byte in evil.iter_mut().skip(honest.len() / 3).take(64) {
        *byte ^= 0xff;
    }
    fs::write(&compiled[0], &evil).unwrap();
    let components = Components::open(config).unwrap();
    assert!(serves(&components.generation(), "vendor"));
    assert_eq!(
        fs::read(&compiled[0]).unwrap(),
        honest,
        "compiled anew and stored"
    );
}

#[test]
fn a_dropped_in_file_is_found_without_being_told() {
    let house = House::open(&[]);
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    house.components.subscribe(Box::new(move |generation| {
        counter.store(generation.providers.len(), Ordering::SeqCst);
    }));
    let path = house.home.path().join("components").join("vendor.wasm");
    let bytes = provider("vendor");
    // Written in two halves, as a slow copy would.
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    fs::write(&path, &bytes).unwrap();
    let started = Instant::now();
    while seen.load(Ordering::SeqCst) == 0 {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{:?}",
            house.components.generation().failed
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(serves(&house.components.generation(), "vendor"));
    fs::remove_file(&path).unwrap();
    while seen.load(Ordering::SeqCst) == 1 {
        assert!(started.elapsed() < Duration::from_secs(40));
        std::thread::sleep(Duration::from_millis(10));
    }
}
