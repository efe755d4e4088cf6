//! Schemas of accounts, what takes effect on them, and their limits.

use serde_json::{Map, Value, json};

use super::{
    Named, allowed, balance, choice, count, flag, list_of, moment, money, nullable, object,
    reference, tags, text, texts,
};

/// Each kind of limit with what it counts.
const LIMITS: [(&str, &str, bool); 9] = [
    ("rpm", "Requests in any 60 seconds.", false),
    ("rph", "Requests in any hour.", false),
    ("rpd", "Requests a calendar day.", false),
    ("tpm", "Tokens in any 60 seconds.", false),
    ("tph", "Tokens in any hour.", false),
    ("tpd", "Tokens a calendar day.", false),
    ("concurrency", "Requests at a time.", false),
    ("daily_limit", "Money a calendar day.", true),
    ("monthly_limit", "Money a calendar month.", true),
];

fn limits(of: impl Fn(Value) -> Value) -> Value {
    let member = |(name, description, is_money): (&str, &str, bool)| {
        let schema = match is_money {
            true => money(description),
            false => count(description),
        };
        (name.to_owned(), of(schema))
    };
    let members: Map<String, Value> = LIMITS.into_iter().map(member).collect();
    object(json!({}), Value::Object(members))
}

fn by_model(schema: Value) -> Value {
    json!({ "type": "object", "additionalProperties": schema,
        "description": "By name or pattern of models; in addition to `limits`." })
}

fn status() -> Value {
    choice(&["active", "suspended", "closing", "archived"])
}

fn model_map() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "string" },
        "description": "Names and patterns that are asked for, onto names that are served." })
}

/// Boundaries as an account has them.
fn boundaries() -> Value {
    json!({
        "alias": text("A friendlier name."), "email": text("Whom to write to."), "tags": tags(),
        "models": allowed("Model names and patterns with `*`."),
        "denied_models": { "type": "array", "items": { "type": "string" }, "description": "Whatever `models` says." },
        "providers": allowed("Provider components."), "endpoints": allowed("Operations, e.g. `messages`."),
        "cidrs": allowed("Networks of clients, e.g. `10.0.0.0/8`."), "model_map": model_map(),
        "output_cap": count("Output tokens that an answer may have at most."),
        "default_output": count("Output tokens that are held for where the client sets no cap."),
        "limits": reference("Limits"), "model_limits": by_model(reference("Limits")),
        "price_factor": count("What prices are multiplied by, in millionths."),
        "on_exhaust": choice(&["finish", "cut"]), "budget_mode": choice(&["strict", "soft"]),
        "billing": choice(&["prepaid", "postpaid"]),
        "keep_answers": flag("Whether the gateway may keep answers and prompts; `false` of any account above holds."),
        "time_zone": text("IANA zone of its days and months; on the root only."),
    })
}

/// The same to set or, with `null`, to unset.
fn settable() -> Map<String, Value> {
    let mut all = boundaries().as_object().cloned().unwrap_or_default();
    for (name, schema) in &mut all {
        if name != "tags" {
            *schema = nullable(schema.take());
        }
    }
    all.insert("limits".to_owned(), nullable(reference("LimitsPatch")));
    all.insert(
        "model_limits".to_owned(),
        nullable(by_model(nullable(reference("LimitsPatch")))),
    );
    all.insert("status".to_owned(), choice(&["active", "suspended"]));
    all
}

fn used() -> Value {
    json!({
        "spent_today": money("Charged in the current day."), "spent_month": money("Charged in the current month."),
        "held": money("Held for running requests."), "requests_today": count("Admitted in the current day."),
        "tokens_today": count("Of the current day."), "running": count("Requests under way."),
    })
}

fn source() -> Value {
    text("Path of the account that decides; `above`: one that the token does not see.")
}

fn decided(value: Value) -> Value {
    object(
        json!({ "value": value }),
        json!({ "source": text("Path of the account that decides; absent: nobody, it is the default.") }),
    )
}

fn lists() -> Value {
    json!({ "type": "array", "items": object(
        json!({ "source": source(), "values": { "type": "array", "items": { "type": "string" } } }), json!({})) })
}

fn effective() -> Value {
    let mut required = json!({
        "enabled": flag("Whether every account of the path is active."),
        "models": lists(), "denied_models": lists(), "providers": lists(), "endpoints": lists(), "cidrs": lists(),
        "model_map": { "type": "array", "items": object(
            json!({ "source": source(), "asked": text("Name or pattern."), "served": text("Name.") }), json!({})),
            "description": "The first that matches counts." },
        "default_output": decided(count("Tokens.")), "price_factor": decided(count("Millionths.")),
        "on_exhaust": decided(choice(&["finish", "cut"])), "budget_mode": decided(choice(&["strict", "soft"])),
        "billing": decided(choice(&["prepaid", "postpaid"])), "time_zone": decided(text("IANA zone.")),
        "keep_answers": decided(flag("Whether the gateway may keep answers and prompts.")),
        "tags": { "type": "object", "additionalProperties": decided(text("Value.")) },
        "limits": list_of("EffectiveLimit"),
    });
    if let (Some(required), Some(used)) = (required.as_object_mut(), used().as_object()) {
        required.extend(used.clone());
    }
    object(
        required,
        json!({
            "disabled_by": text("Path of the topmost account that is not active."),
            "output_cap": decided(count("Tokens.")),
            "wallet": object(
                json!({ "source": text("Path of the account whose wallet pays; `above`: one that the token does not see.") }),
                json!({ "account": text("UUID."), "available": balance("Can be spent; absent of one above."),
                    "held": balance("Set aside for running requests; absent of one above.") })),
        }),
    )
}

pub(super) fn schemas() -> Vec<Named> {
    let record = json!({
        "id": text("UUID."), "name": text("Unique among siblings."), "path": text("`root/dept/alice`."),
        "status": status(), "created_ms": moment(), "updated_ms": moment(),
    });
    let mut optional = boundaries();
    optional["parent"] = text("UUID of the account above.");
    optional["zone_change"] = object(
        json!({ "at_ms": moment() }),
        json!({
            "before": text("The zone before; absent: the configured one."),
            "earlier": {
                "type": "array",
                "description": "Changes before that which may still count, oldest first.",
                "items": object(
                    json!({ "at_ms": moment() }),
                    json!({ "before": text("The zone before; absent: the configured one.") }),
                ),
            },
        }),
    );
    let mut account = record.clone();
    account["effective"] = effective();
    let mut line = record;
    line["enabled"] = flag("Whether every account of the path is active.");
    if let (Some(line), Some(used)) = (line.as_object_mut(), used().as_object()) {
        line.extend(used.clone());
    }
    let mut new = settable();
    new.insert(
        "parent".to_owned(),
        text("Id or path; if absent the root, or the token's account."),
    );
    let mut patch = settable();
    patch.insert("name".to_owned(), text("A new name."));
    patch.insert(
        "parent".to_owned(),
        text("Id or path: moves the whole subtree."),
    );
    vec![
        ("Limits", limits(|schema| schema)),
        ("LimitsPatch", limits(nullable)),
        (
            "EffectiveLimit",
            object(
                json!({ "source": text("Path of the account that set it, whose subtree it counts; `above`: one that the token does not see."),
                    "kind": choice(&LIMITS.map(|(name, ..)| name)) }),
                json!({ "models": text("Which models, as a name or pattern; absent: all."),
                    "value": count("Requests, tokens or micro-units; absent of one above."),
                    "used": count("The same."),
                    "decides": flag("Whether it leaves least of all limits of its kind for the same models that the token sees."),
                    "idle": text("Why it counts no request now; absent: it does.") }),
            ),
        ),
        (
            "Account",
            object(account, {
                let mut optional = optional.clone();
                optional["notes"] = texts();
                optional
            }),
        ),
        ("AccountLine", object(line, optional)),
        (
            "AccountList",
            object(
                json!({ "accounts": list_of("AccountLine") }),
                json!({ "next": text("UUID to ask for `after` to go on; absent at the end.") }),
            ),
        ),
        (
            "ArchivedList",
            object(
                json!({ "accounts": { "type": "array", "items": object(
                    json!({ "id": text("UUID."), "name": text("Which others may have by now."), "tags": tags(),
                        "created_ms": moment(), "deleted_ms": moment() }),
                    json!({ "parent": text("UUID."), "alias": text("A friendlier name.") })) } }),
                json!({}),
            ),
        ),
        (
            "NewAccount",
            object(
                json!({ "name": text("Unique among siblings; no `/`, and not `.`, `..` or `above`.") }),
                Value::Object(new),
            ),
        ),
        ("AccountPatch", object(json!({}), Value::Object(patch))),
        (
            "DeletedAccount",
            object(
                json!({ "deleted": text("UUID."), "path": text("It had."),
                    "accounts": count("How many accounts go, it included."),
                    "state": choice(&["closing", "archived"]) }),
                json!({}),
            ),
        ),
        (
            "AccountLimits",
            object(
                json!({ "account": text("UUID."), "path": text("`root/dept/alice`."), "limits": reference("Limits"),
                    "model_limits": by_model(reference("Limits")), "effective": list_of("EffectiveLimit") }),
                json!({}),
            ),
        ),
        (
            "LimitsChange",
            object(
                json!({}),
                json!({ "limits": nullable(reference("LimitsPatch")),
                    "model_limits": nullable(by_model(nullable(reference("LimitsPatch")))) }),
            ),
        ),
    ]
}
