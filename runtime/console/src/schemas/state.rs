//! Schemas of what the gateway says about itself, and of backups.

use serde_json::json;

use super::{Named, count, moment, object, reference, text, texts};

pub(super) fn schemas() -> Vec<Named> {
    vec![
        (
            "ComponentList",
            object(
                json!({
                    "loaded": { "type": "array", "items": object(
                        json!({ "id": text("Provider id or file stem."),
                            "kind": { "type": "string", "enum": ["provider", "policy"] },
                            "file": text("In the components folder."), "digest": text("SHA-256, hex."), "exports": texts() }),
                        json!({ "manifest": reference("Anything") })) },
                    "failed": { "type": "array", "items": object(
                        json!({ "file": text("In the components folder."), "reason": text("Why.") }), json!({})) },
                }),
                json!({}),
            ),
        ),
        (
            "BackupRequest",
            object(
                json!({ "folder": text("Absolute path where the gateway runs; new or empty.") }),
                json!({}),
            ),
        ),
        (
            "Backup",
            object(
                json!({ "backup_format": count("Of the backup."), "store_format": count("Of what is in it."),
                    "created_ms": moment(), "records": count("Accounts, keys and whatever else is a record."),
                    "usage_blocks": count("Blocks of usage rows."), "ledger_records": count("Records of the ledger."),
                    "audit_entries": count("Entries of the audit log."),
                    "bytes": count("Size."), "sha256": text("Of the data, hex.") }),
                json!({}),
            ),
        ),
        (
            "Status",
            object(
                json!({
                    "version": text("Of the gateway."), "started_ms": moment(), "now_ms": moment(),
                    "counts": { "type": "object", "additionalProperties": { "type": "integer" } },
                    "problems": { "type": "array", "items": object(
                        json!({ "what": text("What cannot be used."), "why": text("One sentence.") }), json!({})) },
                    "notes": { "type": "array", "items": object(
                        json!({ "what": text("What means nothing now, for example a limit."), "why": text("One sentence.") }), json!({})) },
                }),
                json!({}),
            ),
        ),
    ]
}
