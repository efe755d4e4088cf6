//! Schemas of prepaid credit: grants, wallets, the ledger.

use serde_json::{Value, json};

use super::{
    Named, balance, choice, count, flag, moment, money, nullable, object, reference, text,
};

fn request(account: &str, optional: Value) -> Value {
    object(
        json!({ "account": text(account),
            "amount": money("More than zero."),
            "idempotency_key": text("Chosen by the caller, 1 to 200 bytes, unique over the grants and reclaims of those who manage from the same account. Repeated with the same content the request changes nothing; with other content it is refused.") }),
        optional,
    )
}

pub(super) fn schemas() -> Vec<Named> {
    let counterpart = || nullable(choice(&["parent", "treasury"]));
    vec![
        (
            "Grant",
            request(
                "Id or path of the account whose wallet gets it.",
                json!({ "from": counterpart(), "expires_ms": nullable(moment()) }),
            ),
        ),
        (
            "Reclaim",
            request(
                "Id or path of the account whose wallet it is taken from.",
                json!({ "to": counterpart() }),
            ),
        ),
        (
            "Moved",
            object(
                json!({ "amount": money("Moved."), "idempotency_key": text("The request's."),
                    "repeated": flag("It had been done before; this time nothing was."), "wallet": reference("Wallet") }),
                json!({}),
            ),
        ),
        (
            "Wallet",
            object(
                json!({ "account": text("UUID."), "path": text("`root/dept/alice`."),
                    "pays": flag("Whether requests of the account are paid from this wallet; if not its credit only waits to be granted further."),
                    "available": money("Can be spent, granted or taken back."), "held": money("Set aside for running requests."),
                    "expired": money("Expired, not yet moved away."),
                    "lots": { "type": "array", "items": object(
                        json!({ "id": count("Its number."), "left": money("Left of it in this wallet.") }),
                        json!({ "expires_ms": moment() })) },
                    "currency": text("The base currency.") }),
                json!({}),
            ),
        ),
        (
            "Ledger",
            object(
                json!({ "imbalance": balance("What all books sum to: always 0."),
                    "totals": object(
                        json!({ "treasury": balance("Minus all credit that was issued and not given back."),
                            "wallets": balance("In wallets."), "held": balance("Held for requests under way."),
                            "moving": balance("On its way between two books."), "consumed": balance("Charged for requests, without fees."),
                            "expired": balance("Nobody used it in time."), "fees": balance("The operator's share of what was charged for requests."),
                            "uncovered": balance("The part of what was charged that no wallet covered.") }),
                        json!({})),
                    "open_holds": count("Requests under way that hold credit."),
                    "records_since_checkpoint": count("What the next start replays."),
                    "currency": text("The base currency.") }),
                json!({}),
            ),
        ),
    ]
}
