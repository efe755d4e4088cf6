//! Components that misbehave, assembled from text: each does one wrong thing and nothing else.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use self::vendor::{Optional, Translation};
use crate::places;

mod vendor;

/// What a guest does when it is called.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Loops for ever.
    Loops,
    /// Takes memory without end.
    Allocates,
    /// Traps.
    Traps,
    /// Answers with a value that the interface does not have.
    Garbles,
    /// A provider: answers with this path and these edits, as (`set`, `set-default`, `remove`, `rename`, `retain`,
    /// `other`: 0 to 5, first text, second text).
    Plans(&'static str, &'static [(u8, &'static str, &'static str)]),
    /// A provider: asks for a stream at this path, whatever its client wants.
    Collects(&'static str),
    /// A policy: answers with these amendments, as (`set-model`, `cap-output`, `set-parameter`, `tag`, `other`: 0 to
    /// 4, first text, second text).
    Amends(&'static [(u8, &'static str, &'static str)]),
}

/// Where a provider does its deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In `manifest.describe`.
    Describe,
    /// In `configuration.configure`.
    Configure,
    /// In `exchange.prepare`, whatever it is asked.
    Prepare,
    /// In `exchange.prepare` when a stream is asked for: it passes the self-test at load, which asks for none.
    PrepareStream,
    /// In `exchange.classify`.
    Classify,
    /// In `responder.respond`.
    Respond,
    /// In `signing.sign`.
    Sign,
    /// In `translation`, of the request.
    TranslateRequest,
    /// In `translation`, of a whole answer.
    TranslateResponse,
    /// In `translation`, in the middle of a stream: from its second piece on.
    TranslateStream,
}

/// Where a policy does its deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// In `admission.admit`.
    Admission,
    /// In `content.inspect`.
    Content,
    /// In `answer-content`, when text is pushed.
    AnswerContent,
    /// In `routing.rank`.
    Routing,
    /// In `observation.observe`.
    Observation,
}

/// A provider that does the deed in `prepare` when a stream is asked for, and so passes the self-test at load, which
/// asks for none. Serves the model `<id>-model` by manifest.
pub fn provider(id: &str, deed: &Deed) -> Vec<u8> {
    provider_at(id, Place::PrepareStream, deed)
}

/// The same, doing its deed whatever it is asked.
pub fn provider_always(id: &str, deed: &Deed) -> Vec<u8> {
    provider_at(id, Place::Prepare, deed)
}

/// A provider that does the deed in one place and is as it should be in every other.
pub fn provider_at(id: &str, place: Place, deed: &Deed) -> Vec<u8> {
    let manifest = serde_json::json!({
        "id": id,
        "name": id,
        "endpoints": [{
            "name": "default", "base_url": "https://vendor.invalid", "operations": ["chat-completions", "messages"],
        }],
        "credential": { "fields": [{ "name": "api-key", "label": "Key", "secret": true, "required": true }] },
        "models": [{
            "id": format!("{id}-model"), "context_window": 1000, "max_output_tokens": 100,
            "price": { "currency": "USD", "input": 1, "output": 1 },
        }],
    });
    let mut memory = Memory::default();
    let manifest = memory.text(&manifest.to_string());
    let described = memory.words(&manifest);
    let failure = failure(&mut memory);
    let good = plan(&mut memory, "/v1/chat/completions", &[], "as-asked");
    let good = format!("(call $drop (local.get 0)) (i32.const {good})");
    let mut done = |drops: &str| match deed {
        Deed::Plans(path, edits) => {
            let plan = plan(&mut memory, path, edits, "as-asked");
            format!("{drops} (i32.const {plan})")
        }
        Deed::Collects(path) => {
            let plan = plan(&mut memory, path, &[], "always");
            format!("{drops} (i32.const {plan})")
        }
        deed => act(deed, drops, &mut memory),
    };
    let here = |at: Place| place == at;
    let drop = "(call $drop (local.get 0))";
    let prepare = match place {
        Place::Prepare => done(drop),
        Place::PrepareStream => format!(
            "(if (result i32) (call $streaming (local.get 0)) (then {}) (else {good}))",
            done(drop)
        ),
        _ => good,
    };
    let classify = match here(Place::Classify) {
        true => done("(call $drop-answer (local.get 0))"),
        false => format!("(call $drop-answer (local.get 0)) (i32.const {failure})"),
    };
    let describe = match here(Place::Describe) {
        true => done(""),
        false => format!("(i32.const {described})"),
    };
    let optional = match place {
        Place::Configure => Some(Optional {
            imports: String::new(),
            functions: format!(
                r#"(func (export "tollgate:extension/configuration@0.1.0#configure") (param i32 i32) (result i32) {})"#,
                done("")
            ),
            name: "configuration",
        }),
        Place::Respond => Some(Optional {
            imports: String::new(),
            functions: format!(
                r#"(func (export "tollgate:extension/responder@0.1.0#respond") (param i32 i32 i32) (result i32) {})"#,
                done(drop)
            ),
            name: "responder",
        }),
        Place::Sign => Some(vendor::signing(&done(vendor::SIGN_DROPS))),
        Place::TranslateRequest | Place::TranslateResponse | Place::TranslateStream => {
            let body = done("");
            let mut instead = Translation::default();
            *match place {
                Place::TranslateRequest => &mut instead.request,
                Place::TranslateResponse => &mut instead.response,
                _ => &mut instead.push,
            } = Some(body);
            Some(vendor::translation(instead, &mut memory))
        }
        _ => None,
    };
    let (imports, optional, exports) = match optional {
        Some(optional) => (
            optional.imports,
            optional.functions,
            format!("export tollgate:extension/{}@0.1.0;", optional.name),
        ),
        None => <_>::default(),
    };
    let text = format!(
        r#"(module
            (import "tollgate:extension/call@0.1.0" "[method]call.streaming" (func $streaming (param i32) (result i32)))
            (import "tollgate:extension/call@0.1.0" "[resource-drop]call" (func $drop (param i32)))
            (import "tollgate:extension/call@0.1.0" "[resource-drop]failed-answer" (func $drop-answer (param i32)))
            {imports}
            {}
            (func (export "tollgate:extension/manifest@0.1.0#describe") (result i32) {describe})
            (func (export "tollgate:extension/exchange@0.1.0#prepare") (param i32) (result i32) {prepare})
            (func (export "tollgate:extension/exchange@0.1.0#classify") (param i32) (result i32) {classify})
            {optional})"#,
        memory.definitions(),
    );
    component(
        &text,
        &format!(
            "package test:guest; world guest {{
                export tollgate:extension/manifest@0.1.0;
                export tollgate:extension/exchange@0.1.0;
                {exports}
            }}"
        ),
    )
}

/// A policy that does the deed in `admit`.
pub fn policy(deed: &Deed) -> Vec<u8> {
    policy_at(Rule::Admission, deed)
}

/// A policy of one interface that does the deed there.
pub fn policy_at(rule: Rule, deed: &Deed) -> Vec<u8> {
    let mut memory = Memory::default();
    let drops = match rule {
        Rule::Admission => "(call $drop (local.get 0))",
        Rule::Content => "(call $drop (local.get 0)) (call $drop-segments (local.get 1))",
        Rule::AnswerContent => "",
        Rule::Routing => "(call $drop (local.get 0)) (call $drop-candidates (local.get 1))",
        Rule::Observation => "(call $drop-outcome (local.get 0))",
    };
    let body = match deed {
        Deed::Amends(amendments) => {
            let verdict = verdict(&mut memory, amendments);
            format!("{drops} (i32.const {verdict})")
        }
        deed => act(deed, drops, &mut memory),
    };
    let (interface, imports, functions) = match rule {
        Rule::Admission => (
            "admission",
            REQUEST.to_owned(),
            format!(r#"(func (export "tollgate:extension/admission@0.1.0#admit") (param i32) (result i32) {body})"#),
        ),
        Rule::Content => (
            "content",
            format!(
                r#"{REQUEST} (import "tollgate:extension/segments@0.1.0" "[resource-drop]segments" (func $drop-segments (param i32)))"#
            ),
            format!(r#"(func (export "tollgate:extension/content@0.1.0#inspect") (param i32 i32) (result i32) {body})"#),
        ),
        Rule::AnswerContent => (
            "answer-content",
            format!(
                r#"{REQUEST} (import "[export]tollgate:extension/answer-content@0.1.0" "[resource-new]answer-filter"
                    (func $new (param i32) (result i32)))"#
            ),
            format!(
                r#"(func (export "tollgate:extension/answer-content@0.1.0#[constructor]answer-filter")
                    (param i32 i32 i32) (result i32) (call $drop (local.get 0)) (call $new (i32.const 1)))
                (func (export "tollgate:extension/answer-content@0.1.0#[method]answer-filter.push")
                    (param i32 i32 i32) (result i32) {body})
                (func (export "tollgate:extension/answer-content@0.1.0#[method]answer-filter.finish")
                    (param i32) (result i32) (i32.const {}))"#,
                memory.words(&[0; 8]),
            ),
        ),
        Rule::Routing => (
            "routing",
            format!(
                r#"{REQUEST} (import "tollgate:extension/candidates@0.1.0" "[resource-drop]candidates" (func $drop-candidates (param i32)))"#
            ),
            format!(r#"(func (export "tollgate:extension/routing@0.1.0#rank") (param i32 i32) (result i32) {body})"#),
        ),
        Rule::Observation => (
            "observation",
            r#"(import "tollgate:extension/outcomes@0.1.0" "[resource-drop]outcome" (func $drop-outcome (param i32)))"#
                .to_owned(),
            // It answers nothing, so there is nothing to garble.
            format!(r#"(func (export "tollgate:extension/observation@0.1.0#observe") (param i32) (drop (block (result i32) {body})))"#),
        ),
    };
    let text = format!("(module {imports} {} {functions})", memory.definitions());
    component(
        &text,
        &format!(
            "package test:guest; world guest {{ export tollgate:extension/{interface}@0.1.0; }}"
        ),
    )
}

/// A policy that allows everything, and takes a configuration of at most so many bytes.
pub fn configurable(longest: u32) -> Vec<u8> {
    let mut memory = Memory::default();
    let why = memory.text("too long");
    let (taken, allow) = (memory.words(&[0; 8]), memory.words(&[0; 8]));
    let refused = memory.words(&[1, why[0], why[1]]);
    let text = format!(
        r#"(module {REQUEST} {}
            (func (export "tollgate:extension/configuration@0.1.0#configure") (param i32 i32) (result i32)
                (select (i32.const {refused}) (i32.const {taken}) (i32.gt_u (local.get 1) (i32.const {longest}))))
            (func (export "tollgate:extension/admission@0.1.0#admit") (param i32) (result i32)
                (call $drop (local.get 0)) (i32.const {allow})))"#,
        memory.definitions(),
    );
    component(
        &text,
        "package test:guest; world guest {
            export tollgate:extension/configuration@0.1.0;
            export tollgate:extension/admission@0.1.0;
        }",
    )
}

const REQUEST: &str = r#"(import "tollgate:extension/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))"#;

/// A component of another house: it needs something that no gateway offers.
pub fn foreign() -> Vec<u8> {
    wat::parse_str(
        r#"(component (import "acme:rockets/launch@1.0.0" (instance (export "fire" (func)))))"#,
    )
    .unwrap()
}

/// A WebAssembly module that is no component.
pub fn bare_module() -> Vec<u8> {
    wat::parse_str("(module)").unwrap()
}

/// Instructions that end with an `i32`, or never.
fn act(deed: &Deed, drops: &str, memory: &mut Memory) -> String {
    match deed {
        Deed::Loops => "(loop (br 0)) (unreachable)".into(),
        Deed::Allocates => {
            "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)"
                .into()
        }
        Deed::Traps => "(unreachable)".into(),
        // No variant has a case with this number.
        Deed::Garbles => format!("{drops} (i32.const {})", memory.block(&[0xee; 64])),
        Deed::Plans(..) | Deed::Collects(_) | Deed::Amends(_) => {
            unreachable!("handled where the kind of guest is known")
        }
    }
}

/// `result<plan, failure>`, laid out as the canonical ABI says.
fn plan(memory: &mut Memory, path: &str, edits: &[(u8, &str, &str)], stream: &str) -> u32 {
    let path = memory.text(path);
    let header = [memory.text("content-type"), memory.text("application/json")].concat();
    let headers = memory.words(&header);
    let mut list = Vec::new();
    for (case, first, second) in edits {
        list.push(u32::from(*case));
        list.extend(memory.text(first));
        list.extend(memory.text(second));
    }
    let listed = memory.words(&list);
    let commit = memory.text("status");
    let stream = memory.text(stream);
    let mut words = vec![0, 0];
    words.extend(path);
    words.extend([headers, 1, listed, u32::try_from(edits.len()).unwrap()]);
    words.extend(commit);
    words.extend(stream);
    words.extend([0, 0]);
    memory.words(&words)
}

/// `failure` of the kind `transient`.
fn failure(memory: &mut Memory) -> u32 {
    let kind = memory.text("transient");
    memory.words(&[kind[0], kind[1], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

/// `verdict` of the case `amend`.
fn verdict(memory: &mut Memory, amendments: &[(u8, &str, &str)]) -> u32 {
    let mut list = Vec::new();
    for (case, first, second) in amendments {
        list.extend([u32::from(*case), 0]);
        list.extend(memory.text(first));
        list.extend(memory.text(second));
    }
    let listed = memory.words(&list);
    memory.words(&[2, listed, u32::try_from(amendments.len()).unwrap()])
}

/// The guest's memory as it is laid out before it runs.
struct Memory {
    bytes: Vec<u8>,
}

impl Default for Memory {
    fn default() -> Self {
        // Nothing lies at address 0.
        Self { bytes: vec![0; 16] }
    }
}

impl Memory {
    /// Puts bytes down, aligned to 8, and returns where.
    fn block(&mut self, bytes: &[u8]) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let address = u32::try_from(self.bytes.len()).unwrap();
        self.bytes.extend_from_slice(bytes);
        address
    }

    /// Puts a text down and returns its address and length.
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
        let mut data = String::new();
        for byte in &self.bytes {
            data.push_str(&format!("\\{byte:02x}"));
        }
        // Fresh pages for what the host lowers; nothing is ever given back.
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

/// Wraps a module as a component of the world given.
fn component(module: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve
        .push_path(places::workspace().join("wit/0.1.0"))
        .unwrap();
    let package = resolve.push_str(Path::new("guest.wit"), world).unwrap();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guest_is_a_valid_component() {
        let deeds = [
            Deed::Loops,
            Deed::Allocates,
            Deed::Traps,
            Deed::Garbles,
            Deed::Plans("/v1/x", &[(0, "/a", "1"), (4, "", "")]),
        ];
        for deed in deeds {
            assert!(provider("p", &deed).len() > 100);
        }
        for deed in [Deed::Loops, Deed::Allocates, Deed::Traps, Deed::Garbles] {
            for place in [
                Place::Describe,
                Place::Configure,
                Place::Prepare,
                Place::Classify,
                Place::Respond,
                Place::Sign,
                Place::TranslateRequest,
                Place::TranslateResponse,
                Place::TranslateStream,
            ] {
                assert!(provider_at("p", place, &deed).len() > 100);
            }
            for rule in [
                Rule::Content,
                Rule::AnswerContent,
                Rule::Routing,
                Rule::Observation,
            ] {
                assert!(policy_at(rule, &deed).len() > 100);
            }
        }
        for deed in [
            Deed::Loops,
            Deed::Allocates,
            Deed::Traps,
            Deed::Garbles,
            Deed::Amends(&[(4, "fly", "{}")]),
        ] {
            assert!(policy(&deed).len() > 100);
        }
        assert!(!foreign().is_empty() && !bare_module().is_empty());
    }
}
