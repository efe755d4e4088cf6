//! What a run under test consists of: limits, wallets, requests and what becomes of them.

use proptest::prelude::*;

use super::Call;
use super::model::NODES;
use crate::account::Limits;

const MODELS: [&str; 3] = ["m1", "m2", "x"];

#[derive(Clone, Debug)]
pub(super) enum Step {
    Admit {
        leaf: usize,
        call: Call,
    },
    Settle {
        which: usize,
        tokens: u64,
        share: u64,
    },
    Drop {
        which: usize,
    },
    Extend {
        which: usize,
        output: u64,
        more: u64,
    },
    Wait {
        ms: u64,
    },
    Grant {
        node: usize,
        amount: i64,
    },
    Restart,
}

fn limits() -> impl Strategy<Value = Limits> {
    let few = || prop::option::weighted(0.25, 1..8u64);
    let tokens = || prop::option::weighted(0.25, 20..200u64);
    let money = || prop::option::weighted(0.3, 0..400u64);
    let kinds = (
        few(),
        few(),
        few(),
        tokens(),
        tokens(),
        tokens(),
        few(),
        money(),
        money(),
    );
    kinds.prop_map(
        |(rpm, rph, rpd, tpm, tph, tpd, concurrency, daily_limit, monthly_limit)| Limits {
            rpm,
            rph: rph.map(|limit| limit * 2),
            rpd: rpd.map(|limit| limit * 3),
            tpm,
            tph: tph.map(|limit| limit * 2),
            tpd: tpd.map(|limit| limit * 3),
            concurrency,
            daily_limit,
            monthly_limit,
        },
    )
}

fn call() -> impl Strategy<Value = Call> {
    let model = prop::sample::select(MODELS.to_vec());
    let tokens = (0..40u64, 0..40u64, 0..12u64, 0..12u64);
    (model, tokens, 0..30u64, 0..5u64).prop_map(
        |(model, (input, expected, output, least), base, each)| Call {
            model,
            input,
            expected,
            output,
            least,
            base,
            each,
        },
    )
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let which = 0..50usize;
    prop_oneof![
        8 => (0..4usize, call()).prop_map(|(leaf, call)| Step::Admit { leaf, call }),
        5 => (which.clone(), 0..90u64, 0..=100u64).prop_map(|(which, tokens, share)| Step::Settle { which, tokens, share }),
        1 => which.clone().prop_map(|which| Step::Drop { which }),
        2 => (which, 0..80u64, 0..40u64).prop_map(|(which, output, more)| Step::Extend { which, output, more }),
        3 => prop_oneof![0..100u64, 0..2_000u64, 0..70_000u64, 0..4_000_000u64, 0..50_000_000u64, 0..2_000_000_000u64]
            .prop_map(|ms| Step::Wait { ms }),
        1 => (0..NODES, 1..200i64).prop_map(|(node, amount)| Step::Grant { node, amount }),
        1 => Just(Step::Restart),
    ]
}

pub(super) fn sets() -> impl Strategy<Value = Vec<(Limits, Option<Limits>)>> {
    let set = (limits(), prop::option::weighted(0.3, limits()));
    prop::collection::vec(set, NODES)
}

pub(super) fn prepaid() -> impl Strategy<Value = [Option<bool>; NODES]> {
    prop::array::uniform7(prop::option::weighted(0.25, prop::bool::weighted(0.8)))
}
