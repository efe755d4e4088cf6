//! The table says what the code does: every member of a body that it refuses is refused, every one that it drops is gone.

use serde_json::{Value, json};
use tollgate_dialect::bridge::loss::{Fate, others, request_rows, vendor_rows};
use tollgate_dialect::{Dialect, ErrorKind};

use super::support::*;

fn smallest(from: Dialect) -> Value {
    match from {
        Dialect::OpenaiResponses => json!({"model": "asked", "input": "Go"}),
        _ => {
            json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}]})
        }
    }
}

/// Values of every kind: one of them is of the member's own.
fn values() -> [Value; 6] {
    [
        json!(2),
        json!(0.5),
        json!(true),
        json!("x"),
        json!(["x"]),
        json!({"type": "x"}),
    ]
}

#[test]
fn every_member_that_the_table_refuses_is_refused_and_every_one_that_it_drops_is_gone() {
    let (mut refused, mut dropped) = (0, 0);
    for from in DIALECTS {
        let rows = request_rows(from).iter().chain(vendor_rows());
        let own = |field: &str| request_rows(from).iter().any(|row| row.field == field);
        for (row, member) in rows.flat_map(|row| row.members().map(move |member| (row, member))) {
            // The dialect's own word goes before a vendor's of the same name.
            if own(member) && row.field != member {
                continue;
            }
            for (to, fate) in others(from).into_iter().zip(row.fates) {
                let outcomes = values().map(|value| {
                    let mut body = smallest(from);
                    body[member] = value;
                    bridged(from, &body.to_string(), &able(to))
                });
                match fate {
                    Fate::Refused(_) => {
                        refused += 1;
                        assert!(
                            outcomes.iter().any(|outcome| matches!(outcome, Err(error)
                                if error.kind == ErrorKind::Unsupported
                                    && error.param.as_deref() == Some(member))),
                            "{} from {from:?} to {to:?} is not refused",
                            member
                        );
                        assert!(
                            outcomes.iter().all(Result::is_err),
                            "{} from {from:?} to {to:?} gets through",
                            member
                        );
                    }
                    Fate::Dropped(_) => {
                        dropped += 1;
                        let through = outcomes.iter().flatten().next().unwrap_or_else(|| {
                            panic!("{member} from {from:?} to {to:?} is refused")
                        });
                        let made: Value = serde_json::from_slice(&through.body).unwrap();
                        assert!(
                            made[member].is_null() || member == "store",
                            "{} from {from:?} to {to:?} is not gone",
                            member
                        );
                    }
                    Fate::Kept | Fate::Converted(_) => {}
                }
            }
        }
    }
    assert!(
        refused > 140 && dropped > 160,
        "{refused} refused, {dropped} dropped"
    );
}
