//! Small components of our own for these tests, assembled from text: one that answers by itself, one vendor that needs
//! a key, and one policy. Each accepts the configuration `{}` and refuses every other with a sentence.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The sentence.
pub(super) const REFUSAL: &str = "this guest takes no configuration";

/// A provider called `id`. With `key` it needs the credential field `api-key`, without it answers by itself.
pub(super) fn provider(id: &str, key: bool) -> Vec<u8> {
    let fields = if key {
        serde_json::json!([{ "name": "api-key" }])
    } else {
        serde_json::json!([])
    };
    let manifest = serde_json::json!({
        "id": id, "name": id, "credential": { "fields": fields },
        "endpoints": [
            { "name": "main", "base_url": "https://vendor.invalid", "operations": ["chat-completions"] },
            { "name": "other", "base_url": "https://other.invalid", "operations": ["chat-completions"] },
        ],
        "models": [{ "id": format!("{id}-model"), "price": { "currency": "USD", "input": 1, "output": 1 } }],
    });
    let mut memory = Memory::default();
    let described = memory.text(&manifest.to_string());
    let described = memory.words(&described);
    let (path, commit, stream) = (
        memory.text("/v1/x"),
        memory.text("status"),
        memory.text("as-asked"),
    );
    // result<plan, failure>: case 0, then path, headers, edits, commit-after, upstream-stream, extensions.
    let plan = [
        &[0, 0],
        &path[..],
        &[0, 0, 0, 0],
        &commit[..],
        &stream[..],
        &[0, 0],
    ]
    .concat();
    let plan = memory.words(&plan);
    let kind = memory.text("transient");
    let failure = memory.words(&[kind[0], kind[1], 0, 0, 0, 0, 0, 0, 0, 0]);
    let (json, body) = (memory.text("application/json"), memory.text("{}"));
    let answer = memory.words(&[200, json[0], json[1], body[0], body[1]]);
    let responder = format!(
        r#"(func (export "tollgate:extension/responder@0.1.0#respond") (param i32 i32 i32) (result i32)
            (call $drop (local.get 0)) (i32.const {answer}))"#
    );
    let module = format!(
        r#"(module
            (import "tollgate:extension/call@0.1.0" "[resource-drop]call" (func $drop (param i32)))
            (import "tollgate:extension/call@0.1.0" "[resource-drop]failed-answer" (func $drop-answer (param i32)))
            (func (export "tollgate:extension/manifest@0.1.0#describe") (result i32) (i32.const {described}))
            (func (export "tollgate:extension/exchange@0.1.0#prepare") (param i32) (result i32)
                (call $drop (local.get 0)) (i32.const {plan}))
            (func (export "tollgate:extension/exchange@0.1.0#classify") (param i32) (result i32)
                (call $drop-answer (local.get 0)) (i32.const {failure}))
            {} {configure} {memory})"#,
        if key { "" } else { &responder },
        configure = configure(&mut memory),
        memory = memory.definitions(),
    );
    let mut exports = vec!["manifest", "exchange", "configuration"];
    if !key {
        exports.push("responder");
    }
    component(&module, &exports)
}

/// A policy that allows everything.
pub(super) fn policy() -> Vec<u8> {
    let mut memory = Memory::default();
    let allow = memory.words(&[0, 0, 0, 0, 0]);
    let module = format!(
        r#"(module
            (import "tollgate:extension/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
            (func (export "tollgate:extension/admission@0.1.0#admit") (param i32) (result i32)
                (call $drop (local.get 0)) (i32.const {allow}))
            {configure} {memory})"#,
        configure = configure(&mut memory),
        memory = memory.definitions(),
    );
    component(&module, &["admission", "configuration"])
}

/// Accepts what is two bytes long: `{}`.
fn configure(memory: &mut Memory) -> String {
    let sentence = memory.text(REFUSAL);
    let (fine, refused) = (
        memory.words(&[0, 0, 0]),
        memory.words(&[1, sentence[0], sentence[1]]),
    );
    format!(
        r#"(func (export "tollgate:extension/configuration@0.1.0#configure") (param i32 i32) (result i32)
            (select (i32.const {fine}) (i32.const {refused}) (i32.eq (local.get 1) (i32.const 2))))"#
    )
}

/// The guest's memory before it runs.
struct Memory(Vec<u8>);

impl Default for Memory {
    fn default() -> Self {
        // Nothing lies at address 0.
        Self(vec![0; 16])
    }
}

impl Memory {
    fn block(&mut self, bytes: &[u8]) -> u32 {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let address = u32::try_from(self.0.len()).unwrap();
        self.0.extend_from_slice(bytes);
        address
    }

    fn text(&mut self, text: &str) -> [u32; 2] {
        [
            self.block(text.as_bytes()),
            u32::try_from(text.len()).unwrap(),
        ]
    }

    fn words(&mut self, words: &[u32]) -> u32 {
        self.block(
            &words
                .iter()
                .flat_map(|word| word.to_le_bytes())
                .collect::<Vec<_>>(),
        )
    }

    fn definitions(&self) -> String {
        let data: String = self.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
        format!(
            r#"(memory (export "memory") 2)
            (global $next (mut i32) (i32.const 65536))
            (data (i32.const 0) "{data}")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (local.get $at))"#
        )
    }
}

fn component(module: &str, exports: &[&str]) -> Vec<u8> {
    let exports: String = exports
        .iter()
        .map(|name| format!("export tollgate:extension/{name}@0.1.0;"))
        .collect();
    let mut resolve = Resolve::default();
    resolve
        .push_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1.0"))
        .unwrap();
    let world = format!("package test:guest; world guest {{ {exports} }}");
    let package = resolve.push_str(Path::new("guest.wit"), &world).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}
