//! Schemas of management tokens that are bound to accounts.

use serde_json::json;

use super::{Named, choice, list_of, moment, nullable, object, text};

pub(super) fn schemas() -> Vec<Named> {
    let role = || choice(&["manage", "read"]);
    let token = json!({
        "id": text("UUID."), "account": text("UUID of the account that its bearer sees, with all below it."),
        "path": text("Path of the account."), "label": text("What people call it."),
        "prefix": text("Beginning of the token, to recognise it."), "role": role(),
        "state": choice(&["active", "expired", "revoked"]), "created_ms": moment(),
    });
    let times = json!({ "expires_ms": moment(), "last_used_ms": moment(), "revoked_ms": moment() });
    let mut issued = token.clone();
    issued["token"] = text("The token. Shown in this answer only.");
    vec![
        (
            "NewToken",
            object(
                json!({ "account": text("Id or path."), "role": role() }),
                json!({ "label": text("What people call it."), "expires_ms": nullable(moment()) }),
            ),
        ),
        ("Token", object(token, times.clone())),
        ("IssuedToken", object(issued, times)),
        (
            "TokenList",
            object(json!({ "tokens": list_of("Token") }), json!({})),
        ),
    ]
}
