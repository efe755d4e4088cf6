//! Guests written in WebAssembly text, so that the host is tested without any guest compiler, and views to call
//! them with.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    reason = "shared by several tests, each of which uses a part; tests fail loudly"
)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tollgate_plugin::{
    AnswerHeadView, CallView, CandidatesView, Components, ComponentsConfig, Isolation, OutcomeView,
    RequestView,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A component of the contract's version 0.1.0 whose world has these members, from a core module in text.
pub fn component(world: &str, wat: &str) -> Vec<u8> {
    component_beside(&[], world, wat)
}

/// As `component`, where the world names other packages, given as WIT text.
pub fn component_beside(packages: &[&str], world: &str, wat: &str) -> Vec<u8> {
    let mut resolve = Resolve::new();
    for package in packages {
        resolve
            .push_str("beside.wit", package)
            .expect("the package parses");
    }
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1.0");
    resolve.push_dir(wit).expect("the contract parses");
    let source = format!("package test:guest;\nworld guest {{\n{world}\n}}\n");
    let package = resolve
        .push_str("guest.wit", &source)
        .expect("the world parses");
    let world = resolve.select_world(&[package], None).expect("one world");
    let mut module = wat::parse_str(wat).expect("the text parses");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .expect("metadata");
    ComponentEncoder::default()
        .module(&module)
        .expect("a module")
        .validate(true)
        .encode()
        .expect("a component")
}

/// The same component as if it were built for another version of the contract (of the same length).
pub fn with_version(component: &[u8], version: &str) -> Vec<u8> {
    assert_eq!(version.len(), 5);
    let mut bytes = component.to_vec();
    let from = b"@0.1.0";
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at + 1..at + 6].copy_from_slice(version.as_bytes());
        }
    }
    bytes
}

/// Allocation for arguments and answers: bumps from 64 KiB up and starts again before it would leave the second page.
pub const ALLOCATOR: &str = r#"
  (global $next (mut i32) (i32.const 65536))
  (func $alloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (if (i32.gt_u (i32.add (local.get $at) (local.get 3)) (i32.const 131072))
      (then (local.set $at (i32.const 65536))))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
"#;

/// A provider. By the call's `attempt`:
/// 1 answers the path `/v1/chat`, or the header `x-path` where the client sent one;
/// 2 traps; 3 loops; 4 allocates without end; 5 answers a path that is none; 6 answers an unknown edit;
/// 7 answers `/` and how often it was asked so on this instance; 8 grows its memory by 40 pages and answers;
/// 9 refuses as rate-limited for 1500 ms; 10 writes to the log and answers.
pub fn provider(id: &str) -> Vec<u8> {
    provider_with(&manifest(id), "unreachable")
}

/// The manifest of `provider`.
pub fn manifest(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","name":"Test","endpoints":[{{"name":"main","base_url":"https://vendor.example","operations":["chat-completions"]}}],"credential":{{"fields":[{{"name":"api-key"}}]}},"models":[{{"id":"m1"}}]}}"#
    )
}

/// A provider with this manifest and this body of `classify`.
pub fn provider_with(manifest: &str, classify: &str) -> Vec<u8> {
    let world = "import tollgate:extension/log@0.1.0; import tollgate:extension/call@0.1.0;
        export tollgate:extension/manifest@0.1.0; export tollgate:extension/exchange@0.1.0;";
    let escaped = manifest.replace('\\', "\\5c").replace('"', "\\22");
    let length = manifest.len();
    component(
        world,
        &format!(
            r#"(module
  (import "tollgate:extension/call@0.1.0" "[method]call.attempt" (func $attempt (param i32) (result i32)))
  (import "tollgate:extension/call@0.1.0" "[method]call.header" (func $header (param i32 i32 i32 i32)))
  (import "tollgate:extension/call@0.1.0" "[resource-drop]call" (func $drop-call (param i32)))
  (import "tollgate:extension/call@0.1.0" "[resource-drop]failed-answer" (func $drop-failed (param i32)))
  (import "tollgate:extension/log@0.1.0" "write" (func $log (param i32 i32 i32 i32)))
  (memory (export "memory") 2)
  {ALLOCATOR}
  (data (i32.const 16) "/v1/chat")
  (data (i32.const 32) "x-path")
  (data (i32.const 48) "status")
  (data (i32.const 64) "no path")
  (data (i32.const 80) "telepathy")
  (data (i32.const 96) "/0")
  (data (i32.const 112) "rate-limited")
  (data (i32.const 128) "info")
  (data (i32.const 1024) "{escaped}")
  (func (export "tollgate:extension/manifest@0.1.0#describe") (result i32)
    (i32.store (i32.const 200) (i32.const 1024))
    (i32.store (i32.const 204) (i32.const {length}))
    (i32.const 200))
  ;; The answer lies at 256: `ok` and a plan at 264, or `err` and a failure there.
  (func $plan (param $path i32) (param $len i32)
    (memory.fill (i32.const 256) (i32.const 0) (i32.const 64))
    (i32.store (i32.const 264) (local.get $path))
    (i32.store (i32.const 268) (local.get $len))
    (i32.store (i32.const 288) (i32.const 48))
    (i32.store (i32.const 292) (i32.const 6))
    (i32.store (i32.const 296) (i32.const 48))
    (i32.store (i32.const 300) (i32.const 6)))
  (func (export "tollgate:extension/exchange@0.1.0#prepare") (param $call i32) (result i32)
    (local $attempt i32)
    (local.set $attempt (call $attempt (local.get $call)))
    (call $header (local.get $call) (i32.const 32) (i32.const 6) (i32.const 400))
    (call $drop-call (local.get $call))
    (call $plan (i32.const 16) (i32.const 8))
    (if (i32.load8_u (i32.const 400))
      (then (call $plan (i32.load (i32.const 404)) (i32.load (i32.const 408)))))
    (if (i32.eq (local.get $attempt) (i32.const 2)) (then (unreachable)))
    (if (i32.eq (local.get $attempt) (i32.const 3)) (then (loop $forever (br $forever))))
    (if (i32.eq (local.get $attempt) (i32.const 4))
      (then (loop $more
        (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))
        (unreachable))))
    (if (i32.eq (local.get $attempt) (i32.const 5)) (then (call $plan (i32.const 64) (i32.const 7))))
    (if (i32.eq (local.get $attempt) (i32.const 6))
      (then
        ;; One edit at 512: the case `other` (5) with a name and a value.
        (i32.store (i32.const 280) (i32.const 512))
        (i32.store (i32.const 284) (i32.const 1))
        (i32.store8 (i32.const 512) (i32.const 5))
        (i32.store (i32.const 516) (i32.const 80))
        (i32.store (i32.const 520) (i32.const 9))
        (i32.store (i32.const 524) (i32.const 80))
        (i32.store (i32.const 528) (i32.const 0))))
    (if (i32.eq (local.get $attempt) (i32.const 7))
      (then
        (call $plan (i32.const 96) (i32.const 2))
        (i32.store8 (i32.const 97) (i32.add (i32.load8_u (i32.const 97)) (i32.const 1)))))
    (if (i32.eq (local.get $attempt) (i32.const 8))
      (then (if (i32.eq (memory.grow (i32.const 40)) (i32.const -1)) (then (unreachable)))))
    (if (i32.eq (local.get $attempt) (i32.const 9))
      (then
        (memory.fill (i32.const 256) (i32.const 0) (i32.const 64))
        (i32.store8 (i32.const 256) (i32.const 1))
        (i32.store (i32.const 264) (i32.const 112))
        (i32.store (i32.const 268) (i32.const 12))
        (i32.store8 (i32.const 272) (i32.const 1))
        (i64.store (i32.const 280) (i64.const 1500))))
    (if (i32.eq (local.get $attempt) (i32.const 10))
      (then (call $log (i32.const 128) (i32.const 4) (i32.const 16) (i32.const 8))))
    (i32.const 256))
  (func (export "tollgate:extension/exchange@0.1.0#classify") (param $answer i32) (result i32)
    (call $drop-failed (local.get $answer))
    {classify})
)"#
        ),
    )
}

/// A provider whose `prepare` answers the path in the header `name`, `/nothing` if it sees none, and whose `classify`
/// answers the kind `auth` if it sees that header.
pub fn spy(name: &str) -> Vec<u8> {
    let manifest = manifest("spy");
    let escaped = manifest.replace('"', "\\22");
    let (length, name_length) = (manifest.len(), name.len());
    component(
        "import tollgate:extension/call@0.1.0;
        export tollgate:extension/manifest@0.1.0; export tollgate:extension/exchange@0.1.0;",
        &format!(
            r#"(module
  (import "tollgate:extension/call@0.1.0" "[method]call.header" (func $header (param i32 i32 i32 i32)))
  (import "tollgate:extension/call@0.1.0" "[method]failed-answer.header" (func $told (param i32 i32 i32 i32)))
  (import "tollgate:extension/call@0.1.0" "[resource-drop]call" (func $drop-call (param i32)))
  (import "tollgate:extension/call@0.1.0" "[resource-drop]failed-answer" (func $drop-failed (param i32)))
  (memory (export "memory") 2)
  {ALLOCATOR}
  (data (i32.const 16) "/nothing")
  (data (i32.const 32) "transient")
  (data (i32.const 48) "auth")
  (data (i32.const 64) "{name}")
  (data (i32.const 1024) "{escaped}")
  (func (export "tollgate:extension/manifest@0.1.0#describe") (result i32)
    (i32.store (i32.const 200) (i32.const 1024))
    (i32.store (i32.const 204) (i32.const {length}))
    (i32.const 200))
  (func (export "tollgate:extension/exchange@0.1.0#prepare") (param $call i32) (result i32)
    (call $header (local.get $call) (i32.const 64) (i32.const {name_length}) (i32.const 400))
    (call $drop-call (local.get $call))
    (i32.store (i32.const 264) (i32.const 16))
    (i32.store (i32.const 268) (i32.const 8))
    (if (i32.load8_u (i32.const 400))
      (then
        (i32.store (i32.const 264) (i32.load (i32.const 404)))
        (i32.store (i32.const 268) (i32.load (i32.const 408)))))
    (i32.const 256))
  (func (export "tollgate:extension/exchange@0.1.0#classify") (param $answer i32) (result i32)
    (call $told (local.get $answer) (i32.const 64) (i32.const {name_length}) (i32.const 400))
    (call $drop-failed (local.get $answer))
    (i32.store (i32.const 512) (i32.const 32))
    (i32.store (i32.const 516) (i32.const 9))
    (if (i32.load8_u (i32.const 400))
      (then (i32.store (i32.const 512) (i32.const 48)) (i32.store (i32.const 516) (i32.const 4))))
    (i32.const 512))
)"#
        ),
    )
}

/// A policy that allows everything, and takes a configuration of at most so many bytes.
pub fn configurable(longest: u32) -> Vec<u8> {
    component(
        "export tollgate:extension/configuration@0.1.0; export tollgate:extension/admission@0.1.0;",
        &format!(
            r#"(module
  (import "tollgate:extension/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
  (memory (export "memory") 2)
  {ALLOCATOR}
  (data (i32.const 16) "too long")
  (func (export "tollgate:extension/configuration@0.1.0#configure") (param i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 256) (i32.gt_u (local.get $length) (i32.const {longest})))
    (i32.store (i32.const 260) (i32.const 16))
    (i32.store (i32.const 264) (i32.const 8))
    (i32.const 256))
  (func (export "tollgate:extension/admission@0.1.0#admit") (param $request i32) (result i32)
    (call $drop (local.get $request))
    (i32.const 512))
)"#
        ),
    )
}

/// A policy that admits, filters answers and ranks. It denies the model `forbidden`; its filter sends text through
/// and denies once it has been asked to push `!`; its order is always the one position 7.
pub fn policy() -> Vec<u8> {
    let world =
        "import tollgate:extension/request@0.1.0; import tollgate:extension/candidates@0.1.0;
        export tollgate:extension/admission@0.1.0; export tollgate:extension/answer-content@0.1.0;
        export tollgate:extension/routing@0.1.0;";
    component(
        world,
        &format!(
            r#"(module
  (import "tollgate:extension/request@0.1.0" "[method]request.model" (func $model (param i32 i32)))
  (import "tollgate:extension/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
  (import "tollgate:extension/candidates@0.1.0" "[resource-drop]candidates" (func $drop-candidates (param i32)))
  (import "[export]tollgate:extension/answer-content@0.1.0" "[resource-new]answer-filter"
    (func $new (param i32) (result i32)))
  (memory (export "memory") 2)
  {ALLOCATOR}
  (data (i32.const 16) "forbidden-model")
  (data (i32.const 32) "Not this one.")
  (func $deny (param $at i32)
    (i32.store (local.get $at) (i32.const 16))
    (i32.store offset=4 (local.get $at) (i32.const 15))
    (i32.store offset=8 (local.get $at) (i32.const 32))
    (i32.store offset=12 (local.get $at) (i32.const 13)))
  (func (export "tollgate:extension/admission@0.1.0#admit") (param $request i32) (result i32)
    (call $model (local.get $request) (i32.const 400))
    (call $drop (local.get $request))
    (i32.store8 (i32.const 256) (i32.const 0))
    ;; `forbidden` has nine letters.
    (if (i32.eq (i32.load (i32.const 404)) (i32.const 9))
      (then
        (i32.store8 (i32.const 256) (i32.const 1))
        (call $deny (i32.const 260))))
    (i32.const 256))
  (func (export "tollgate:extension/routing@0.1.0#rank") (param $request i32) (param $candidates i32) (result i32)
    (call $drop (local.get $request))
    (call $drop-candidates (local.get $candidates))
    (i32.store (i32.const 512) (i32.const 7))
    (i32.store (i32.const 256) (i32.const 512))
    (i32.store (i32.const 260) (i32.const 1))
    (i32.const 256))
  (func (export "tollgate:extension/answer-content@0.1.0#[constructor]answer-filter")
    (param $request i32) (param i32 i32) (result i32)
    (call $drop (local.get $request))
    (call $new (i32.const 1)))
  (func (export "tollgate:extension/answer-content@0.1.0#[method]answer-filter.push")
    (param $self i32) (param $text i32) (param $len i32) (result i32)
    (memory.fill (i32.const 256) (i32.const 0) (i32.const 32))
    (i32.store (i32.const 260) (local.get $text))
    (i32.store (i32.const 264) (local.get $len))
    (if (i32.eq (local.get $len) (i32.const 1))
      (then (if (i32.eq (i32.load8_u (local.get $text)) (i32.const 33))
        (then
          (i32.store8 (i32.const 256) (i32.const 1))
          (call $deny (i32.const 260))))))
    (if (i32.eqz (local.get $len)) (then (unreachable)))
    (i32.const 256))
  (func (export "tollgate:extension/answer-content@0.1.0#[method]answer-filter.finish")
    (param $self i32) (result i32)
    (memory.fill (i32.const 256) (i32.const 0) (i32.const 32))
    (i32.const 256))
)"#
        ),
    )
}

/// A call as the gateway would offer it.
pub struct Call {
    pub model: String,
    pub attempt: u32,
    pub headers: HashMap<String, String>,
}

impl CallView for Call {
    fn operation(&self) -> &str {
        "chat-completions"
    }
    fn dialect(&self) -> &str {
        "openai-chat"
    }
    fn model(&self) -> &str {
        &self.model
    }
    fn streaming(&self) -> bool {
        true
    }
    fn endpoint(&self) -> &str {
        "main"
    }
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
    fn session(&self) -> Option<&str> {
        None
    }
    fn attempt(&self) -> u32 {
        self.attempt
    }
}

/// A call with this attempt and, perhaps, the header `x-path`.
pub fn call(attempt: u32, path: Option<&str>) -> Arc<dyn CallView + Send + Sync> {
    Arc::new(Call {
        model: "m1".into(),
        attempt,
        headers: path
            .into_iter()
            .map(|path| ("x-path".into(), path.into()))
            .collect(),
    })
}

/// A request for this model.
pub struct Request(pub String);

impl RequestView for Request {
    fn id(&self) -> &str {
        "r1"
    }
    fn operation(&self) -> &str {
        "chat-completions"
    }
    fn dialect(&self) -> &str {
        "openai-chat"
    }
    fn model(&self) -> &str {
        &self.0
    }
    fn streaming(&self) -> bool {
        false
    }
    fn output_cap(&self) -> Option<u64> {
        None
    }
    fn parameter(&self, _name: &str) -> Option<String> {
        None
    }
    fn header(&self, _name: &str) -> Option<String> {
        None
    }
    fn account_path(&self) -> Vec<String> {
        vec!["root".into()]
    }
    fn key_label(&self) -> &str {
        "test"
    }
    fn body_size(&self) -> u64 {
        0
    }
}

/// A folder of components in a directory of its own.
pub struct House {
    pub home: tempfile::TempDir,
    pub components: Arc<Components>,
}

impl House {
    /// Opens a folder that holds these files.
    pub fn open(files: &[(&str, Vec<u8>)]) -> Self {
        Self::open_with(files, |_| {})
    }

    /// As `open`, with other settings.
    pub fn open_with(
        files: &[(&str, Vec<u8>)],
        change: impl FnOnce(&mut ComponentsConfig),
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut config = config(home.path());
        change(&mut config);
        std::fs::create_dir_all(&config.dir).unwrap();
        for (name, bytes) in files {
            std::fs::write(config.dir.join(name), bytes).unwrap();
        }
        let components = Components::open(config).unwrap();
        Self { home, components }
    }

    /// Puts a file into the folder, and looks.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.home.path().join("components").join(name), bytes).unwrap();
        self.components.rescan();
    }

    /// Takes a file out of the folder, and looks.
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.home.path().join("components").join(name)).unwrap();
        self.components.rescan();
    }

    /// Why a file was not loaded.
    pub fn why(&self, name: &str) -> String {
        let generation = self.components.generation();
        generation.failed.get(name).cloned().unwrap_or_default()
    }
}

/// The settings of the tests.
pub fn config(home: &Path) -> ComponentsConfig {
    ComponentsConfig {
        dir: home.join("components"),
        cache_dir: home.join("cache"),
        trusted_keys: Vec::new(),
        isolation: Some(Isolation::Pooled),
        isolation_of: HashMap::new(),
        memoise: true,
        max_component_bytes: 1 << 20,
        max_memory_bytes: 16 << 20,
        call_timeout: Duration::from_millis(50),
    }
}

/// A request whose view hides nothing: it has any header and any parameter that one asks for.
pub struct Loud {
    model: String,
    headers: HashMap<String, String>,
}

impl Loud {
    /// A request for a model, with these headers for the guest to act on.
    pub fn new(model: &str, headers: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            model: model.to_owned(),
            headers: headers.iter().map(owned).collect(),
        }
    }
}

impl RequestView for Loud {
    fn id(&self) -> &str {
        "r1"
    }
    fn operation(&self) -> &str {
        "chat-completions"
    }
    fn dialect(&self) -> &str {
        "openai-chat"
    }
    fn model(&self) -> &str {
        &self.model
    }
    fn streaming(&self) -> bool {
        false
    }
    fn output_cap(&self) -> Option<u64> {
        None
    }
    fn parameter(&self, name: &str) -> Option<String> {
        Some(match name {
            "temperature" => "0.5".to_owned(),
            "object" => "{}".to_owned(),
            "long" => format!("\"{}\"", "x".repeat(300)),
            _ => "\"a secret\"".to_owned(),
        })
    }
    fn header(&self, name: &str) -> Option<String> {
        match name.starts_with("x-ask-") || name == "x-nobody" {
            true => self.headers.get(name).cloned(),
            false => Some("a secret".to_owned()),
        }
    }
    fn account_path(&self) -> Vec<String> {
        vec!["root".into()]
    }
    fn key_label(&self) -> &str {
        "test"
    }
    fn body_size(&self) -> u64 {
        0
    }
}

/// When every head arrived.
pub const ARRIVED: u64 = 1_700_000_000_000;

/// The head of an answer.
pub struct Head(u16, HashMap<String, String>);

impl Head {
    /// A head with these headers.
    pub fn new(status: u16, headers: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(status, headers.iter().map(owned).collect())
    }
}

impl AnswerHeadView for Head {
    fn status(&self) -> u16 {
        self.0
    }
    fn header(&self, name: &str) -> Option<&str> {
        self.1.get(name).map(String::as_str)
    }
    fn arrived_at(&self) -> u64 {
        ARRIVED
    }
}

/// Candidates by their tiers.
pub struct Upstreams(pub Vec<&'static str>);

impl CandidatesView for Upstreams {
    fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap()
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
    fn tier(&self, position: u32) -> &str {
        self.0.get(position as usize).copied().unwrap_or_default()
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

/// How one request ended.
pub struct Outcome;

impl OutcomeView for Outcome {
    fn request_id(&self) -> &str {
        "r1"
    }
    fn status(&self) -> u16 {
        200
    }
    fn model(&self) -> &str {
        "m"
    }
    fn upstream(&self) -> &str {
        "up"
    }
    fn input_tokens(&self) -> u64 {
        3
    }
    fn output_tokens(&self) -> u64 {
        4
    }
    fn charged(&self) -> u64 {
        5
    }
    fn duration_ms(&self) -> u64 {
        6
    }
    fn account_path(&self) -> Vec<String> {
        vec!["root".into(), "a".into()]
    }
}

/// Keeps the log's lines.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    /// With no lines yet.
    pub fn start() -> Self {
        Self::default()
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl tracing::Subscriber for Seen {
    fn enabled(&self, _metadata: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _span: &tracing::span::Id, _values: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _span: &tracing::span::Id, _follows: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Text<'a>(&'a mut String);
        impl tracing::field::Visit for Text<'_> {
            fn record_debug(
                &mut self,
                _field: &tracing::field::Field,
                value: &dyn std::fmt::Debug,
            ) {
                self.0.push_str(&format!("{value:?} "));
            }
        }
        let mut line = String::new();
        event.record(&mut Text(&mut line));
        self.0.lock().unwrap().push(line);
    }
    fn enter(&self, _span: &tracing::span::Id) {}
    fn exit(&self, _span: &tracing::span::Id) {}
}
