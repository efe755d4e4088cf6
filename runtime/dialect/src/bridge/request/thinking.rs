//! How hard to think: by effort in two dialects, by a budget of tokens or an effort in the third.

use super::model::{Effort, Thinking};
use crate::bridge::Target;

/// The smallest budget that Messages takes.
const SMALLEST_BUDGET: u64 = 1_024;

/// Budgets and the efforts they stand for.
const BUDGETS: [(Effort, u64); 6] = [
    (Effort::Minimal, 1_024),
    (Effort::Low, 4_096),
    (Effort::Medium, 10_240),
    (Effort::High, 32_000),
    (Effort::Xhigh, 48_000),
    (Effort::Max, 64_000),
];

/// What Messages is told about thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Nothing: the model does as it does by itself.
    Unsaid,
    /// Not to think.
    Disabled,
    /// To think with at most so many tokens.
    Budget(u64),
    /// To think as hard as this, or as it sees fit.
    Adaptive {
        effort: Option<Effort>,
        summarized: bool,
    },
}

/// What a vendor of Messages is told. `cap` is the output cap; `allowed` whether the request's other fields and its
/// history allow a budget for thinking.
pub(crate) fn plan(thinking: Thinking, to: &Target<'_>, cap: u64, forced: bool) -> Plan {
    if !to.abilities.reasoning {
        return Plan::Unsaid;
    }
    // Where an effort is said, a budget is the effort that it stands for: else the model would think as hard as it likes.
    let meant = thinking
        .budget
        .filter(|_| to.abilities.adaptive_thinking)
        .map(effort_for);
    let asked = thinking.effort.or(meant);
    let effort = asked.and_then(|asked| fitted(asked, to));
    match (asked, effort) {
        (Some(Effort::None), Some(Effort::None)) => return Plan::Disabled,
        // It thinks whatever it is told, and how to have it think little is not known.
        (Some(Effort::None), None) => return Plan::Unsaid,
        _ => {}
    }
    if !thinking.wanted && effort.is_none() || forced {
        return Plan::Unsaid;
    }
    if to.abilities.adaptive_thinking {
        return Plan::Adaptive {
            effort: effort.map(|effort| effort.max(Effort::Low)),
            summarized: thinking.readable == Some(true),
        };
    }
    let wanted = thinking
        .budget
        .unwrap_or_else(|| budget(effort.unwrap_or(Effort::Medium)));
    match wanted.min(cap / 4 * 3) {
        budget if budget >= SMALLEST_BUDGET => Plan::Budget(budget),
        _ => Plan::Unsaid,
    }
}

/// What a vendor of the other two dialects is told; nothing where it is to do as it does by itself.
pub(crate) fn effort(thinking: Thinking, to: &Target<'_>) -> Option<Effort> {
    if !to.abilities.reasoning {
        return None;
    }
    let asked = thinking.effort.or_else(|| thinking.budget.map(effort_for));
    fitted(asked?, to)
}

/// The effort as this model knows it. Whoever cannot be told not to think is told to think as little as it can; nothing
/// where it is not known how little that is.
fn fitted(asked: Effort, to: &Target<'_>) -> Option<Effort> {
    match asked {
        Effort::None if to.abilities.always_thinks => to.abilities.efforts.least(),
        Effort::None => Some(Effort::None),
        other => Some(to.abilities.efforts.nearest(other)),
    }
}

fn budget(effort: Effort) -> u64 {
    BUDGETS
        .into_iter()
        .find_map(|(known, tokens)| (known == effort).then_some(tokens))
        .unwrap_or(SMALLEST_BUDGET)
}

/// The effort a budget stands for. The smallest is `low`: fewer models know `minimal`.
fn effort_for(budget: u64) -> Effort {
    BUDGETS
        .into_iter()
        .find_map(|(effort, tokens)| (budget <= tokens).then_some(effort))
        .unwrap_or(Effort::Max)
        .max(Effort::Low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;
    use crate::bridge::Abilities;

    fn target(names: &[&'static str]) -> Target<'static> {
        Target {
            dialect: Dialect::AnthropicMessages,
            family: "maker",
            model: "m",
            max_output_tokens: None,
            default_output_tokens: None,
            abilities: Abilities::from_names(names.iter().copied()),
        }
    }

    fn hard(effort: Effort) -> Thinking {
        Thinking {
            effort: Some(effort),
            wanted: true,
            ..Thinking::default()
        }
    }

    #[test]
    fn a_budget_below_the_smallest_is_never_sent() {
        let to = target(&["reasoning"]);
        assert_eq!(
            plan(hard(Effort::High), &to, 64_000, false),
            Plan::Budget(32_000)
        );
        assert_eq!(
            plan(hard(Effort::High), &to, 2_000, false),
            Plan::Budget(1_500)
        );
        assert_eq!(plan(hard(Effort::High), &to, 1_024, false), Plan::Unsaid);
        for cap in 1..5_000 {
            match plan(hard(Effort::Low), &to, cap, false) {
                Plan::Budget(budget) => assert!((1_024..cap).contains(&budget), "{cap}: {budget}"),
                other => assert_eq!(other, Plan::Unsaid),
            }
        }
    }

    #[test]
    fn a_budget_is_the_effort_that_it_stands_for_where_an_effort_is_said() {
        let to = target(&["reasoning", "adaptive-thinking"]);
        let thinking = Thinking {
            budget: Some(3_000),
            wanted: true,
            ..Thinking::default()
        };
        let asked = |plan| match plan {
            Plan::Adaptive { effort, .. } => effort,
            other => panic!("{other:?}"),
        };
        assert_eq!(asked(plan(thinking, &to, 64_000, false)), Some(Effort::Low));
        let harder = Thinking {
            effort: Some(Effort::High),
            ..thinking
        };
        assert_eq!(asked(plan(harder, &to, 64_000, false)), Some(Effort::High));
    }

    #[test]
    fn a_model_that_does_not_reason_is_told_nothing_and_a_forced_tool_forbids_thinking() {
        assert_eq!(
            plan(hard(Effort::High), &target(&[]), 64_000, false),
            Plan::Unsaid
        );
        assert_eq!(
            plan(hard(Effort::High), &target(&["reasoning"]), 64_000, true),
            Plan::Unsaid
        );
        assert_eq!(effort(hard(Effort::High), &target(&[])), None);
    }

    #[test]
    fn a_model_is_told_only_efforts_that_it_knows_and_of_two_as_near_the_higher() {
        let three = ["reasoning", "effort-low", "effort-high", "effort-max"];
        for (asked, told) in [
            (Effort::Minimal, Effort::Low),
            (Effort::Low, Effort::Low),
            (Effort::Medium, Effort::High),
            (Effort::High, Effort::High),
            (Effort::Xhigh, Effort::Max),
            (Effort::Max, Effort::Max),
            (Effort::None, Effort::None),
        ] {
            assert_eq!(effort(hard(asked), &target(&three)), Some(told));
            // Where nothing is listed nothing is known, and the asked one is sent.
            assert_eq!(effort(hard(asked), &target(&["reasoning"])), Some(asked));
        }
        let four = [&three[..], &["adaptive-thinking", "effort-medium"]].concat();
        let told = |asked| plan(hard(asked), &target(&four), 64_000, false);
        for (asked, told) in [
            (Effort::Minimal, told(Effort::Low)),
            (Effort::Xhigh, told(Effort::Max)),
        ] {
            assert_eq!(plan(hard(asked), &target(&four), 64_000, false), told);
        }
        assert_ne!(told(Effort::Medium), told(Effort::High));
        let budget = Thinking {
            budget: Some(9_000),
            wanted: true,
            ..Thinking::default()
        };
        assert_eq!(effort(budget, &target(&three)), Some(Effort::High));
    }

    #[test]
    fn a_model_that_always_thinks_is_never_told_not_to() {
        let off = Thinking {
            effort: Some(Effort::None),
            ..Thinking::default()
        };
        let levels = ["reasoning", "always-thinks", "effort-high", "effort-low"];
        assert_eq!(effort(off, &target(&levels)), Some(Effort::Low));
        let adaptive = [&levels[..], &["adaptive-thinking"]].concat();
        assert_eq!(
            plan(off, &target(&adaptive), 64_000, false),
            Plan::Adaptive {
                effort: Some(Effort::Low),
                summarized: false
            }
        );
        let unknown = target(&["reasoning", "always-thinks", "adaptive-thinking"]);
        assert_eq!(effort(off, &unknown), None);
        assert_eq!(plan(off, &unknown, 64_000, false), Plan::Unsaid);
        // Whoever can do without is told so.
        let able = target(&["reasoning", "adaptive-thinking", "effort-low"]);
        assert_eq!(effort(off, &able), Some(Effort::None));
        assert_eq!(plan(off, &able, 64_000, false), Plan::Disabled);
    }

    #[test]
    fn an_effort_that_went_through_a_budget_comes_back() {
        let to = target(&["reasoning"]);
        for known in [
            Effort::Low,
            Effort::Medium,
            Effort::High,
            Effort::Xhigh,
            Effort::Max,
        ] {
            let Plan::Budget(budget) = plan(hard(known), &to, 128_000, false) else {
                panic!("no budget for {known:?}");
            };
            let thinking = Thinking {
                budget: Some(budget),
                wanted: true,
                ..Thinking::default()
            };
            assert_eq!(effort(thinking, &to), Some(known));
        }
    }
}
