//! What a run under test consists of: a tree with limits, wallets and factors, requests and what becomes of them.

use proptest::prelude::*;

use super::Call;
use crate::account::Limits;

const MODELS: [&str; 3] = ["m1", "m2", "x"];

#[derive(Clone, Debug)]
pub(super) enum Step {
    Admit {
        node: usize,
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
    /// Under itself or what is under it: refused.
    Move {
        node: usize,
        to: usize,
    },
    Suspend {
        node: usize,
        suspended: bool,
    },
    Restart,
}

/// A node of a tree: its parent is one of those before it, the root has none.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    parent: prop::sample::Index,
    /// Under the one before it, whatever `parent` says: so that there are deep trees, too.
    deeper: bool,
    pub(super) limits: Limits,
    pub(super) of_models: Option<Limits>,
    pub(super) prepaid: Option<bool>,
    /// In millionths.
    pub(super) factor: Option<u64>,
}

impl Branch {
    /// The parent of the node at `place`.
    pub(super) fn parent(&self, place: usize) -> Option<usize> {
        match place {
            0 => None,
            _ if self.deeper => Some(place - 1),
            _ => Some(self.parent.index(place)),
        }
    }
}

/// As many nodes as a tree has at most; a step names one of them by its number, and begins anew where there are fewer.
const NODES: usize = 12;

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
        10 => (0..NODES, call()).prop_map(|(node, call)| Step::Admit { node, call }),
        5 => (which.clone(), 0..90u64, 0..=100u64).prop_map(|(which, tokens, share)| Step::Settle { which, tokens, share }),
        1 => which.clone().prop_map(|which| Step::Drop { which }),
        2 => (which, 0..80u64, 0..40u64).prop_map(|(which, output, more)| Step::Extend { which, output, more }),
        3 => prop_oneof![0..100u64, 0..2_000u64, 0..70_000u64, 0..4_000_000u64, 0..50_000_000u64, 0..2_000_000_000u64]
            .prop_map(|ms| Step::Wait { ms }),
        1 => (0..NODES, 1..200i64).prop_map(|(node, amount)| Step::Grant { node, amount }),
        1 => (0..NODES, 0..NODES).prop_map(|(node, to)| Step::Move { node, to }),
        1 => (0..NODES, prop::bool::weighted(0.3))
            .prop_map(|(node, suspended)| Step::Suspend { node, suspended }),
        1 => Just(Step::Restart),
    ]
}

/// A tree of any shape, from the root alone to a chain of all its nodes.
pub(super) fn tree() -> impl Strategy<Value = Vec<Branch>> {
    let own = prop_oneof![Just(Limits::default()), limits()];
    let of_models = prop::option::weighted(0.2, limits());
    let prepaid = prop::option::weighted(0.25, prop::bool::weighted(0.8));
    let factor = prop::sample::select(vec![0, 500_000, 1_000_000, 1_500_000, 3_000_000]);
    let factor = prop::option::weighted(0.25, factor);
    let branch = (
        any::<prop::sample::Index>(),
        any::<bool>(),
        own,
        of_models,
        prepaid,
        factor,
    );
    let branch = branch.prop_map(
        |(parent, deeper, limits, of_models, prepaid, factor)| Branch {
            parent,
            deeper,
            limits,
            of_models,
            prepaid,
            factor,
        },
    );
    prop::collection::vec(branch, 1..=NODES)
}
