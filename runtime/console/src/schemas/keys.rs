//! Schemas of inference keys.

use serde_json::json;

use super::{Named, allowed, choice, count, list_of, moment, nullable, object, reference, text};

pub(super) fn schemas() -> Vec<Named> {
    let key = json!({
        "id": text("UUID."), "account": text("UUID of the account."), "path": text("Path of the account."),
        "label": text("What people call it."), "prefix": text("Beginning of the key, to recognise it."),
        "state": choice(&["active", "not-yet", "expired", "revoked"]), "scope": reference("Scope"),
        "created_ms": moment(),
    });
    let times = json!({
        "not_before_ms": moment(), "expires_ms": moment(), "last_used_ms": moment(), "revoked_ms": moment(),
        "successor": text("UUID of the key that replaces it."),
    });
    let mut issued = key.clone();
    issued["key"] = text("The key. Shown in this answer only.");
    let mut issued_times = times.clone();
    issued_times["replaces"] = reference("Key");
    vec![
        (
            "Scope",
            object(
                json!({}),
                json!({ "models": allowed("Model names and patterns with `*`."), "providers": allowed("Provider components."),
                    "endpoints": allowed("Operations."), "cidrs": allowed("Networks of clients.") }),
            ),
        ),
        (
            "NewKey",
            object(
                json!({ "account": text("Id or path.") }),
                json!({ "label": text("What people call it."), "scope": reference("Scope"),
                    "not_before_ms": nullable(moment()), "expires_ms": nullable(moment()) }),
            ),
        ),
        (
            "Rotation",
            object(
                json!({}),
                json!({ "grace_ms": nullable(count("How long the old key goes on, milliseconds; a day if absent, 0: it stops now.")) }),
            ),
        ),
        ("Key", object(key, times)),
        ("IssuedKey", object(issued, issued_times)),
        (
            "KeyList",
            object(
                json!({ "keys": list_of("Key") }),
                json!({ "next": text("UUID to ask for `after` to go on; absent at the end.") }),
            ),
        ),
    ]
}
