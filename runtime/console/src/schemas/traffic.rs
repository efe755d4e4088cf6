//! Schemas of credentials, upstreams and policies.

use serde_json::{Value, json};

use super::{Named, count, list_of, moment, nullable, object, reference, text, texts};

pub(super) fn schemas() -> Vec<Named> {
    let draft = |tier: Value| {
        json!({ "endpoint": nullable(text("The provider's endpoint; its first if absent.")),
            "base_url": nullable(text("Instead of the endpoint's.")), "credential": nullable(text("Name of a credential.")),
            "models": list_of("UpstreamModel"), "tier": tier,
            "priority": { "type": "integer", "description": "Higher is tried first." },
            "config": reference("Anything") })
    };
    let tier = || nullable(text("The operator's label, which routing policies read."));
    let mut upstream = draft(tier());
    upstream["problem"] = text("Why it cannot be used now.");
    upstream["effective_endpoint"] = text(
        "The endpoint that it goes to: the one set, or the provider's first; absent while it cannot be used.",
    );
    upstream["unpriced_models"] = texts();
    upstream["unpriced_models"]["description"] = json!(
        "Models that it does not serve because they have no price that can be charged; absent if there are none."
    );
    vec![
        (
            "NewCredential",
            object(
                json!({ "fields": { "type": "object", "additionalProperties": { "type": "string", "writeOnly": true },
                    "description": "Secrets by field name." } }),
                json!({}),
            ),
        ),
        (
            "Credential",
            object(
                json!({ "name": text("Chosen by the operator."), "fields": texts(), "used_by": texts(),
                    "created_ms": moment(), "updated_ms": moment() }),
                json!({}),
            ),
        ),
        (
            "CredentialList",
            object(json!({ "credentials": list_of("Credential") }), json!({})),
        ),
        (
            "UpstreamModel",
            object(
                json!({ "id": text("The name clients ask for.") }),
                json!({ "upstream_id": text("The name the vendor knows."), "operations": texts(),
                    "price": reference("Price"), "context_window": count("Tokens."),
                    "max_output_tokens": count("Tokens."), "abilities": texts() }),
            ),
        ),
        (
            "UpstreamDraft",
            object(
                json!({ "provider": text("Provider component.") }),
                draft(tier()),
            ),
        ),
        (
            "Upstream",
            object(
                json!({ "name": text("Chosen by the operator."), "provider": text("Provider component."),
                    "created_ms": moment(), "updated_ms": moment() }),
                upstream,
            ),
        ),
        (
            "UpstreamList",
            object(json!({ "upstreams": list_of("Upstream") }), json!({})),
        ),
        (
            "PolicyDraft",
            object(
                json!({ "component": text("File stem of the component.") }),
                json!({ "account": nullable(text("Id or path; the root if absent.")), "config": reference("Anything"),
                    "order": { "type": "integer", "description": "Among those of one account, lower runs first." } }),
            ),
        ),
        (
            "Policy",
            object(
                json!({ "id": text("Chosen by the operator."), "component": text("File stem of the component."),
                    "account": text("UUID of the account."), "path": text("Path of the account."),
                    "config": reference("Anything"), "order": { "type": "integer" },
                    "created_ms": moment(), "updated_ms": moment() }),
                json!({ "problem": text("Why it cannot be asked now; until then it denies everything.") }),
            ),
        ),
        (
            "PolicyList",
            object(json!({ "policies": list_of("Policy") }), json!({})),
        ),
    ]
}
