//! Schemas of the audit log.

use serde_json::json;

use super::{Named, count, moment, object, reference, text};

pub(super) fn schemas() -> Vec<Named> {
    let hash = || text("SHA-256, 64 hexadecimal digits.");
    vec![
        (
            "AuditEntry",
            object(
                json!({
                    "v": count("Version of this shape."), "sequence": count("1, 2, 3 …, without gaps."), "at_ms": moment(),
                    "actor": text("`management-token`, `token:UUID` of an account's token, `command-line`, `gateway` or `components-folder`."),
                    "act": text("`account.create` …"),
                    "subject": object(
                        json!({ "id": text("Id or name of the thing."),
                            "path": text("Of the account it is or belongs to; empty if none.") }),
                        json!({})),
                    "changes": reference("Anything"),
                    "previous": text("Hash of the entry before; zeros for the first."),
                    "hash": text("SHA-256 over the canonical JSON (RFC 8785) of the other members without `previous`, then the bytes of `previous`."),
                }),
                json!({}),
            ),
        ),
        (
            "SeenEntry",
            object(
                json!({
                    "sequence": count("Its number in the whole log."), "at_ms": moment(),
                    "actor": text("As of an entry; `above` for a token of an account above and, below the root, for the operator."), "act": text("`account.create` …"),
                    "subject": object(
                        json!({ "id": text("UUID."), "path": text("Of the account it is or belongs to, as it is now.") }),
                        json!({})),
                    "changes": reference("Anything"),
                }),
                json!({}),
            ),
        ),
        (
            "DamagedEntry",
            object(
                json!({ "sequence": count("The number it is stored under."), "damaged": text("Why it cannot be read.") }),
                json!({}),
            ),
        ),
        (
            "AuditPage",
            object(
                json!({
                    "entries": { "type": "array", "items": { "anyOf": [reference("AuditEntry"), reference("SeenEntry"), reference("DamagedEntry")] } },
                    "last": count("Number of the last entry of the whole log, or of the last that the token sees; 0: there is none."),
                }),
                json!({
                    "next": count("What to ask for `after` to go on; absent at the end."),
                    "public_key": text("What checkpoints are signed with, 64 hexadecimal digits; absent before the first."),
                }),
            ),
        ),
        (
            "AuditCheckpoint",
            object(
                json!({
                    "format": text("`tollgate-audit-checkpoint`."), "v": count("Version of this shape."),
                    "sequence": count("Number of the last entry."), "hash": hash(), "at_ms": moment(),
                    "public_key": text("Ed25519, 64 hexadecimal digits."),
                    "signature": text("Over the canonical JSON (RFC 8785) of the other members, 128 hexadecimal digits."),
                }),
                json!({}),
            ),
        ),
    ]
}
