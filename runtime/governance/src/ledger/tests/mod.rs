//! Tests of the ledger: each rule by its meaning, any interleaving against a model, any order of storing, months on a
//! virtual clock.

mod bytes;
mod due;
mod forgetting;
mod model;
mod order;
mod replay;
mod rules;
mod simulation;
mod storing;

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

/// Whatever can be asked of a ledger.
#[derive(Clone, Debug, PartialEq)]
enum Act {
    Hold(Uuid, AccountId, i64),
    Extend(Uuid, i64),
    Release(Uuid),
    Post(Post),
    Manage(Operation),
}

#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    receipt: Receipt,
    /// To be stored.
    entry: Option<Entry>,
}

impl Outcome {
    fn moved(amount: i64) -> Self {
        let receipt = Receipt {
            amount,
            uncovered: 0,
        };
        Self {
            receipt,
            entry: None,
        }
    }
}

/// Does it at once, as if the store answered within the moment.
fn execute(ledger: &mut Ledger, act: Act, now_ms: u64) -> Result<Outcome, LedgerError> {
    match act {
        Act::Hold(request, wallet, amount) => ledger
            .hold(request, wallet, amount, now_ms)
            .map(|()| Outcome::moved(amount)),
        Act::Extend(request, to_amount) => {
            let before = ledger.totals.held;
            ledger.extend(request, to_amount, now_ms)?;
            Ok(Outcome::moved((ledger.totals.held - before) as i64))
        }
        Act::Release(request) => ledger.release(request).map(|()| Outcome::moved(0)),
        Act::Post(post) => ledger
            .post(post, now_ms)
            .map(|(receipt, entry)| Outcome { receipt, entry }),
        Act::Manage(operation) => Ok(match ledger.begin(operation, now_ms)? {
            Begun::Done(receipt) => Outcome {
                receipt,
                entry: None,
            },
            Begun::Pending(pending) => {
                let entry = Some(pending.entry().clone());
                let receipt = ledger.commit(pending);
                Outcome { receipt, entry }
            }
        }),
    }
}

fn issue(key: &str, to: AccountId, amount: i64, expires_ms: Option<u64>) -> Act {
    Act::Manage(Operation::Grant {
        key: key.into(),
        from: Source::Treasury { expires_ms },
        to,
        amount,
    })
}

fn grant(key: &str, from: AccountId, to: AccountId, amount: i64) -> Act {
    Act::Manage(Operation::Grant {
        key: key.into(),
        from: Source::Wallet(from),
        to,
        amount,
    })
}

fn reclaim(key: &str, from: AccountId, to: Option<AccountId>, amount: i64) -> Act {
    Act::Manage(Operation::Reclaim {
        key: key.into(),
        from,
        to,
        amount,
    })
}

fn expire(wallet: AccountId) -> Act {
    Act::Manage(Operation::Expire { wallet })
}

fn sweep(wallet: AccountId, to: Option<AccountId>) -> Act {
    Act::Manage(Operation::Sweep { wallet, to })
}

fn hold(request: Uuid, wallet: AccountId, amount: i64) -> Act {
    Act::Hold(request, wallet, amount)
}

fn post(request: Uuid, wallet: AccountId, amount: i64) -> Act {
    Act::Post(bill(request, wallet, amount, 0))
}

fn bill(request: Uuid, wallet: AccountId, amount: i64, fee: i64) -> Post {
    Post {
        request,
        wallet,
        amount,
        fee,
    }
}

fn pending(begun: Result<Begun, LedgerError>) -> Pending {
    match begun.unwrap() {
        Begun::Pending(pending) => pending,
        Begun::Done(receipt) => unreachable!("{receipt:?}"),
    }
}

fn operation(act: Act) -> Operation {
    match act {
        Act::Manage(operation) => operation,
        other => unreachable!("{other:?}"),
    }
}

fn bytes(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    entry.encode(&mut out);
    out
}

fn restored(ledger: &Ledger) -> Ledger {
    let mut out = Vec::new();
    ledger.checkpoint(7, &mut out).unwrap();
    let (ledger, last) = Ledger::from_checkpoint(&out).unwrap();
    assert_eq!(last, 7);
    ledger
}

/// What a store can know of a ledger: its holds released, and what was released or is empty forgotten.
fn as_stored(ledger: &Ledger) -> Ledger {
    let mut stored = ledger.clone();
    let open: Vec<_> = stored.open_holds().map(|hold| hold.request).collect();
    for request in open {
        stored.release(request).unwrap();
    }
    let settled = &mut stored.settled;
    let mut charged = Settled::default();
    for (request, done) in settled.new.iter().chain(settled.old.iter()) {
        if done.charged.is_some() {
            charged.insert(*request, *done);
        }
    }
    *settled = charged;
    stored.wallets.drop_empty();
    // Numbers of operations that were given up.
    stored.last_lot = 0;
    stored
}

/// A ledger in which account 1 has 1,000 for ever.
fn funded() -> Ledger {
    let mut ledger = Ledger::default();
    run(&mut ledger, issue("first", account(1), 1_000, None));
    ledger
}

/// Does it now, and checks that the books still add up.
fn run(ledger: &mut Ledger, act: Act) -> Receipt {
    let outcome = execute(ledger, act, NOW).unwrap();
    ledger.verify().unwrap();
    outcome.receipt
}

fn refused(ledger: &mut Ledger, act: Act) -> LedgerError {
    let before = ledger.clone();
    let error = execute(ledger, act, NOW).unwrap_err();
    assert_eq!(*ledger, before, "a refusal changes nothing");
    error
}

fn available(ledger: &Ledger, number: u64) -> i64 {
    ledger.balance(account(number), NOW).available
}
