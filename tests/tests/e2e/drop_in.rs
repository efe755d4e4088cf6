//! A vendor is added by dropping a file in while traffic flows; a bad file leaves the old one serving.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tollgate_tests::clients::run;
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::{Gateway, Setup};
use tollgate_tests::guests;
use tollgate_tests::places;
use tollgate_tests::simulator::{Answer, Simulator, Tokens};
use tollgate_tests::wire::PATIENCE;
use tollgate_tests::world::World;

use crate::byte_identity::request_id;

/// Requests one after the other, on several connections, until told to stop; counts those that failed.
struct Traffic {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    tasks: tokio::task::JoinSet<Vec<String>>,
}

impl Traffic {
    fn start(world: &World) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for endpoint in &ENDPOINTS {
            let (stop, sent, address) = (
                Arc::clone(&stop),
                Arc::clone(&sent),
                world.gateway.address(),
            );
            let request = world.request(endpoint.path, endpoint.body(endpoint.streams));
            tasks.spawn(async move {
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let reply = tollgate_tests::wire::send(address, &request).await;
                    sent.fetch_add(1, Ordering::Relaxed);
                    if reply.status() != 200 || !reply.complete {
                        failures.push(format!(
                            "{}: {} {}",
                            endpoint.path,
                            reply.status(),
                            reply.text()
                        ));
                    }
                }
                failures
            });
        }
        Self { stop, sent, tasks }
    }

    /// Waits until some requests more have been sent than now.
    async fn flows(&self) {
        let wanted = self.sent.load(Ordering::Relaxed) + 20;
        let began = std::time::Instant::now();
        while self.sent.load(Ordering::Relaxed) < wanted {
            assert!(began.elapsed() < PATIENCE, "no requests flow");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    async fn assert_none_failed(self) {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self.tasks.join_all().await.concat();
        assert!(
            failures.is_empty(),
            "{} requests failed, first: {}",
            failures.len(),
            failures[0]
        );
    }
}

fn loaded(components: &Value, id: &str) -> bool {
    components["loaded"]
        .as_array()
        .unwrap()
        .iter()
        .any(|component| component["id"] == id)
}

fn failure<'a>(components: &'a Value, file: &str) -> Option<&'a str> {
    let failed = components["failed"].as_array().unwrap();
    let entry = failed.iter().find(|entry| {
        entry["file"]
            .as_str()
            .is_some_and(|name| name.contains(file))
    })?;
    entry["reason"].as_str()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_comes_survives_a_corrupt_replacement_and_goes_while_traffic_flows() {
    let world = World::new().await;
    let traffic = Traffic::start(&world);
    let kimi = std::fs::read(places::component("kimi")).unwrap();
    let ask = || {
        world.post(
            "/v1/chat/completions",
            ENDPOINTS[0].body_for("kimi-k3", false),
        )
    };
    assert_eq!(ask().await.status(), 404);

    traffic.flows().await;
    world.gateway.drop_in("kimi", &kimi);
    world
        .management()
        .wait_for_components("kimi", |components| loaded(components, "kimi"))
        .await;
    world
        .management()
        .credential("kimi", "sk-upstream-secret-kimi-1122")
        .await;
    world.gateway.keep_secret("sk-upstream-secret-kimi-1122");
    let record =
        json!({ "provider": "kimi", "base_url": world.simulator.base_url(), "credential": "kimi" });
    world.management().upstream("kimi", record).await;
    let reply = ask().await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    usage_in_the_vendors_own_place_counts(&world).await;
    traffic.flows().await;

    world.gateway.drop_in("kimi", b"\0asm this is no component");
    let components = world
        .management()
        .wait_for_components("the failure", |components| {
            failure(components, "kimi").is_some()
        })
        .await;
    assert!(
        loaded(&components, "kimi"),
        "the old one is gone: {components:#}"
    );
    let reason = failure(&components, "kimi").unwrap();
    assert!(reason.contains("is damaged or cut short"), "{reason}");
    assert_eq!(ask().await.status(), 200, "the old one does not serve");
    traffic.flows().await;

    world.gateway.drop_in("kimi", &kimi);
    world
        .management()
        .wait_for_components("the mended file", |components| {
            failure(components, "kimi").is_none()
        })
        .await;
    assert_eq!(ask().await.status(), 200);

    std::fs::remove_file(world.gateway.components().join("kimi.wasm")).unwrap();
    world
        .management()
        .wait_for_components("no kimi", |components| !loaded(components, "kimi"))
        .await;
    assert_eq!(ask().await.status(), 404, "the model is still there");
    traffic.flows().await;
    traffic.assert_none_failed().await;
}

/// This vendor tells a stream's usage inside the last choice, and cached tokens beside the other counts.
async fn usage_in_the_vendors_own_place_counts(world: &World) {
    let stream = concat!(
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"kimi-k3\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n",
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"kimi-k3\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":29,\"completion_tokens\":13,\"total_tokens\":42,\"cached_tokens\":8}}]}\n\n",
        "data: [DONE]\n\n",
    );
    let endpoint = Endpoint::of("chat-completions");
    // A vendor of its own: traffic goes on meanwhile and must not take the answer.
    let kimi = Simulator::start().await;
    let record = json!({ "provider": "kimi", "base_url": kimi.base_url(), "credential": "kimi" });
    world.management().upstream("kimi", record).await;
    kimi.script(Answer::events(stream));
    let reply = world
        .post(endpoint.path, endpoint.body_for("kimi-k3", true))
        .await;
    assert_eq!(reply.text(), stream);
    assert_eq!(
        kimi.last().header("authorization"),
        Some("Bearer sk-upstream-secret-kimi-1122")
    );
    let row = world.management().row_of(&request_id(&reply)).await;
    let wanted = Tokens {
        input: 21,
        cache_read: 8,
        output: 13,
        ..Tokens::default()
    };
    assert_eq!(row.tokens(), wanted, "{}", row.0);
    assert!(!row.estimated());
    // It speaks two dialects, each at an address of its own.
    let endpoint = Endpoint::of("messages");
    let reply = world
        .post(endpoint.path, endpoint.body_for("kimi-k3", false))
        .await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(kimi.last().path(), "/anthropic/v1/messages");
    assert_eq!(
        kimi.last().header("authorization"),
        Some("Bearer sk-upstream-secret-kimi-1122")
    );
    let row = world.management().row_of(&request_id(&reply)).await;
    assert_eq!(row.tokens(), endpoint.tokens, "{}", row.0);
    let record =
        json!({ "provider": "kimi", "base_url": world.simulator.base_url(), "credential": "kimi" });
    world.management().upstream("kimi", record).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_a_component_under_load_fails_no_request() {
    let world = World::new().await;
    let traffic = Traffic::start(&world);
    let openai = std::fs::read(places::component("openai")).unwrap();
    let digest = |components: &Value| {
        let all = components["loaded"].as_array().unwrap().clone();
        all.into_iter()
            .find(|component| component["id"] == "openai")
            .unwrap()["digest"]
            .clone()
    };
    let mut last = digest(&world.management().get("/api/components").await);
    for round in 0..4u8 {
        traffic.flows().await;
        // The same component with a custom section of another content: other bytes, same behaviour.
        let mut other = openai.clone();
        other.extend([0, 3, 1, b'x', round]);
        world.gateway.drop_in("openai", &other);
        let before = last.clone();
        let components = world
            .management()
            .wait_for_components("the new digest", |components| digest(components) != before)
            .await;
        last = digest(&components);
    }
    traffic.flows().await;
    traffic.assert_none_failed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_no_good_component_are_listed_with_the_reason_and_harm_nobody() {
    let setup =
        Setup::new(&["openai", "anthropic"]).set("components", "max_component_bytes", "2000000");
    let world = World::with(setup).await;
    let mut cut = std::fs::read(places::component("kimi")).unwrap();
    cut.truncate(cut.len() / 2);
    // What an operator reads must say what to do about it: each file has words of its own.
    let files: [(&str, Vec<u8>, &[&str]); 7] = [
        (
            "corrupt",
            b"\0asm\x0d\0\x01\0rubbish".to_vec(),
            &["is damaged or cut short"],
        ),
        ("cut", cut, &["is damaged or cut short"]),
        ("empty", Vec::new(), &["is empty"]),
        ("text", b"hello".to_vec(), &["is no WebAssembly file"]),
        (
            "oversized",
            vec![0; 2_000_001],
            &["2000001 bytes", "max_component_bytes", "2000000"],
        ),
        ("foreign", guests::foreign(), &["acme:rockets/launch"]),
        (
            "module",
            guests::bare_module(),
            &["core WebAssembly module, not a component", "wasm-tools"],
        ),
    ];
    let traffic = Traffic::start(&world);
    for (name, bytes, _) in &files {
        world.gateway.drop_in(name, bytes);
    }
    let components = world
        .management()
        .wait_for_components("all failures", |components| {
            files
                .iter()
                .all(|(name, ..)| failure(components, name).is_some())
        })
        .await;
    for (name, _, words) in &files {
        let reason = failure(&components, &format!("{name}.wasm")).unwrap();
        assert!(
            words.iter().all(|word| reason.contains(word)),
            "{name}: {reason}"
        );
    }
    traffic.flows().await;
    traffic.assert_none_failed().await;
    let log = world.gateway.log();
    for (name, ..) in &files {
        assert!(
            log.contains(&format!("{name}.wasm")),
            "the log does not name {name}.wasm"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_written_slowly_in_place_is_loaded_once_it_is_whole() {
    let world = World::new().await;
    let kimi = std::fs::read(places::component("kimi")).unwrap();
    let path = world.gateway.components().join("kimi.wasm");
    let mut file = std::fs::File::create(&path).unwrap();
    for part in kimi.chunks(kimi.len() / 6 + 1) {
        std::io::Write::write_all(&mut file, part).unwrap();
        file.sync_all().unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    }
    drop(file);
    let done =
        |components: &Value| loaded(components, "kimi") && failure(components, "kimi").is_none();
    world.management().wait_for_components("kimi", done).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_keys_are_trusted_only_what_one_of_them_signed_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let [own, stranger] = ["own", "stranger"].map(|name| folder.path().join(name));
    let public_key = |file: &Path| tollgate(&["signing-key", file.to_str().unwrap()]);
    let trusted = format!("[{:?}]", public_key(&own).trim());
    public_key(&stranger);
    let setup = Setup::new(&["echo"]).set("components", "trusted_keys", &trusted);
    let gateway = Gateway::start(&setup).await;
    let (management, file) = (gateway.management(), gateway.components().join("echo.wasm"));
    let sign = |key: &Path| {
        let [file, key] = [&file, key].map(|path| path.to_str().unwrap());
        tollgate(&["sign", file, "--key", key]);
    };
    let refused = |word: &'static str| {
        move |components: &Value| failure(components, "echo").is_some_and(|why| why.contains(word))
    };

    let components = management
        .wait_for_components("the refusal", refused("is not signed"))
        .await;
    assert!(!loaded(&components, "echo"), "{components:#}");
    sign(&stranger);
    management
        .wait_for_components(
            "the refusal",
            refused("which is not in `components.trusted_keys`"),
        )
        .await;
    sign(&own);
    let served =
        |components: &Value| loaded(components, "echo") && failure(components, "echo").is_none();
    management.wait_for_components("echo", served).await;

    // Changed after it was signed: the one that serves goes on.
    let mut changed = std::fs::read(&file).unwrap();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    gateway.drop_in("echo", &changed);
    let components = management
        .wait_for_components(
            "the refusal",
            refused("has been changed since it was signed"),
        )
        .await;
    assert!(loaded(&components, "echo"), "{components:#}");
}

/// Runs `tollgate component …` and returns what it prints.
fn tollgate(arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(places::binary());
    let home = tempfile::tempdir().unwrap();
    let ended = run(command.arg("component").args(arguments), home.path()).unwrap();
    assert!(ended.success, "{}", ended.errors);
    ended.output
}
