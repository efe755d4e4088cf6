//! Schemas of usage rows and reports.

use serde_json::{Value, json};

use super::{Named, count, list_of, moment, money, object, tags, text};

fn tokens() -> Value {
    json!({
        "input": count("Neither read from nor written to a cache."), "cache_read": count("Tokens."),
        "cache_write_5m": count("Tokens."), "cache_write_1h": count("Tokens."),
        "output": count("Reasoning included."), "reasoning": count("Part of `output`."),
    })
}

/// What requests add up to: required members, then optional ones.
fn sums() -> (Value, Value) {
    (
        json!({ "requests": count("All."), "refused": count("By a limit, a list or a policy or for what they were: no provider was asked."),
            "failed": count("Otherwise: at a provider or here, or given up by their clients."),
            "estimated": count("With tokens by our estimate."), "recovered": count("Settled after a crash."),
            "retries": count("Attempts after the first."), "usage": object(tokens(), json!({})),
            "base_cost": money("What prices alone say."), "charged": money("Charged.") }),
        json!({ "mean_ms": count("Mean time to the last byte."), "mean_ttfb_ms": count("Mean time to the first byte.") }),
    )
}

pub(super) fn schemas() -> Vec<Named> {
    let mut usage = tokens();
    usage["estimated"] =
        json!({ "type": "boolean", "description": "Whether the vendor did not tell." });
    let (summed, means) = sums();
    let mut about = json!({
        "start_ms": moment(), "account_id": text("UUID."),
        "account": text("Its path now, or when it was last used if it is gone."), "key": text("UUID."),
        "key_label": text("When it was last used."), "provider": text("Component; empty if none was reached."),
        "model": text("As the account knows it; empty if no provider was reached, or was asked about a kept answer."), "tags": tags(),
    });
    if let (Some(about), Some(means)) = (about.as_object_mut(), means.as_object()) {
        about.extend(means.clone());
    }
    vec![
        (
            "UsageRow",
            object(
                json!({
                    "request_id": text("UUID."), "admitted_ms": moment(), "ended_ms": moment(),
                    "account": text("Path of the account at that time."), "account_id": text("UUID."), "tags": tags(),
                    "key": text("UUID."), "key_label": text("At that time."), "operation": text("`messages` …"),
                    "dialect": text("The client's."), "dialect_out": text("The upstream's; empty if none was called."),
                    "requested_model": text("By the client."),
                    "mapped_model": text("By the account's model map; empty if none applied."),
                    "upstream_model": text("Of the vendor."), "provider": text("Component."), "upstream": text("Name."),
                    "credential": text("Name."), "stream": { "type": "boolean" }, "status": count("HTTP status."),
                    "error": text("Failure class; empty if none."), "limited_by": text("`rpm@root/dept`; empty if none."),
                    "counted": { "type": "boolean", "description": "Whether it counts against limits." },
                    "usage": object(usage, json!({})), "charged": money("Charged."), "hold": money("Held before dispatch."),
                    "base_cost": money("What the price alone says."), "factor": count("What the price was multiplied by, in millionths."),
                    "price_version": text("Names the price it was charged at."),
                    "recovered": { "type": "boolean", "description": "Settled after a crash, from what had been held or streamed." },
                    "total_ms": count("To the last byte."), "retries": count("Attempts after the first."),
                    "session": text("The client's; empty if none."),
                    "policies": { "type": "array", "items": object(
                        json!({ "component": text("File stem."), "digest": text("SHA-256, hex.") }), json!({})) },
                }),
                json!({ "ttfb_ms": count("To the first byte.") }),
            ),
        ),
        (
            "UsagePage",
            object(
                json!({
                    "rows": list_of("UsageRow"),
                    "totals": object(
                        json!({ "requests": count("Rows that fit."), "usage": object(tokens(), json!({})),
                            "charged": money("Charged.") }),
                        json!({})),
                    "currency": text("The base currency."),
                }),
                json!({}),
            ),
        ),
        ("UsageLine", object(summed.clone(), about)),
        (
            "UsageReport",
            object(
                json!({
                    "span": { "type": "string", "enum": ["hour", "day"], "description": "What the sums were made of." },
                    "lines": list_of("UsageLine"), "totals": object(summed, means),
                    "currency": text("The base currency."),
                }),
                json!({ "since_ms": moment(), "until_ms": moment() }),
            ),
        ),
    ]
}
