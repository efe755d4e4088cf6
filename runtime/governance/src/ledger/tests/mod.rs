//! Tests of the ledger: each rule by its meaning, any interleaving against a model, months on a virtual clock.

mod model;
mod rules;
mod simulation;

use uuid::Uuid;

use super::*;

const NOW: u64 = 1_760_000_000_000;

fn account(number: u64) -> AccountId {
    AccountId(Uuid::from_u128(0xacc0_0000 + u128::from(number)))
}

/// A version 7 id of that moment.
fn request(at_ms: u64, number: u64) -> Uuid {
    Uuid::from_u128((u128::from(at_ms) << 80) | (7 << 76) | u128::from(number) | (1 << 63))
}

fn issue(key: &str, to: AccountId, amount: i64, expires_ms: Option<u64>) -> Operation {
    Operation::Grant {
        key: key.to_owned(),
        from: Source::Treasury { expires_ms },
        to,
        amount,
    }
}

fn grant(key: &str, from: AccountId, to: AccountId, amount: i64) -> Operation {
    Operation::Grant {
        key: key.to_owned(),
        from: Source::Wallet(from),
        to,
        amount,
    }
}

fn reclaim(key: &str, from: AccountId, to: Option<AccountId>, amount: i64) -> Operation {
    Operation::Reclaim {
        key: key.to_owned(),
        from,
        to,
        amount,
    }
}

fn hold(request: Uuid, wallet: AccountId, amount: i64) -> Operation {
    Operation::Hold {
        request,
        wallet,
        amount,
    }
}

fn post(request: Uuid, wallet: AccountId, amount: i64) -> Operation {
    Operation::Post {
        request,
        wallet,
        amount,
        fee: 0,
    }
}

fn bytes(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    entry.encode(&mut out);
    out
}

fn restored(ledger: &Ledger) -> Ledger {
    let mut out = Vec::new();
    ledger.checkpoint(&mut out);
    Ledger::from_checkpoint(&out).unwrap()
}
