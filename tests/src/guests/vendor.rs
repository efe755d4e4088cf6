//! What a provider may export beside what it must: signing and translation, as text.

use super::Memory;

/// An optional interface of a provider.
pub(super) struct Optional {
    /// Imports of the module.
    pub(super) imports: String,
    /// Its functions.
    pub(super) functions: String,
    /// The interface by its short name.
    pub(super) name: &'static str,
}

/// Gives back what `sign` was lent.
pub(super) const SIGN_DROPS: &str = "(call $drop (local.get 0)) (call $drop-head (local.get 1))";

/// A signer whose body is `sign`.
pub(super) fn signing(sign: &str) -> Optional {
    Optional {
        imports: r#"(import "tollgate:extension/outgoing@0.1.0" "[resource-drop]head" (func $drop-head (param i32)))"#
            .to_owned(),
        functions: format!(
            r#"(func (export "tollgate:extension/signing@0.1.0#sign") (param i32 i32) (result i32) {sign})"#
        ),
        name: "signing",
    }
}

/// Where a translator does something else than to give back what it is given.
#[derive(Default)]
pub(super) struct Translation {
    pub(super) request: Option<String>,
    pub(super) response: Option<String>,
    /// From the second piece of a stream on.
    pub(super) push: Option<String>,
}

/// A translator for a vendor that speaks the client's dialect anyway.
pub(super) fn translation(instead: Translation, memory: &mut Memory) -> Optional {
    // `result<list<u8>, failure>`: room for a failure, which is the longer one.
    let (empty, given) = (memory.words(&[0; 14]), memory.words(&[0; 14]));
    let same = format!(
        "(i32.store (i32.const {}) (local.get 1)) (i32.store (i32.const {}) (local.get 2)) (i32.const {given})",
        given + 8,
        given + 12,
    );
    let request = instead.request.unwrap_or_else(|| same.clone());
    let response = instead.response.unwrap_or_else(|| same.clone());
    let push = instead.push.map_or_else(|| same.clone(), |push| {
        format!(
            "(if (result i32) (global.get $pushed) (then {push}) (else (global.set $pushed (i32.const 1)) {same}))"
        )
    });
    let method = |name: &str, parameters: &str, body: &str| {
        format!(
            r#"(func (export "tollgate:extension/translation@0.1.0#[method]exchange-translator.{name}")
                (param {parameters}) (result i32) {body})"#
        )
    };
    let functions = [
        "(global $pushed (mut i32) (i32.const 0))".to_owned(),
        r#"(func (export "tollgate:extension/translation@0.1.0#[constructor]exchange-translator")
            (param i32) (result i32) (call $drop (local.get 0)) (call $new (i32.const 1)))"#
            .to_owned(),
        method("request", "i32 i32 i32", &request),
        method(
            "answered",
            "i32 i32",
            &format!("(call $drop-answer-head (local.get 1)) (i32.const {empty})"),
        ),
        method("response", "i32 i32 i32", &response),
        method("push", "i32 i32 i32", &push),
        method("finish", "i32", &format!("(i32.const {empty})")),
    ];
    Optional {
        imports: r#"(import "[export]tollgate:extension/translation@0.1.0" "[resource-new]exchange-translator"
                (func $new (param i32) (result i32)))
            (import "tollgate:extension/call@0.1.0" "[resource-drop]answer-head" (func $drop-answer-head (param i32)))"#
            .to_owned(),
        functions: functions.join("\n"),
        name: "translation",
    }
}
