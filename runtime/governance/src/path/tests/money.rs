//! Output caps, price factors, who pays, and how money is kept.

use super::*;

#[test]
fn the_smallest_output_cap_of_the_path_counts() {
    let cap = |texts: &[&str]| path(texts).output_cap();
    assert_eq!(cap(&["{}", "{}"]), None);
    let (small, large) = (r#"{"output_cap":100}"#, r#"{"output_cap":900}"#);
    assert_eq!(cap(&[small, large]), Some(100));
    assert_eq!(cap(&[large, "{}", small]), Some(100));
    assert_eq!(cap(&["{}", large]), Some(900));
}

#[test]
fn the_nearest_price_factor_counts_but_never_less_than_an_ancestors() {
    let factor = |texts: &[&str]| path(texts).price_factor().millionths();
    let of = |factor: u64| format!(r#"{{"price_factor":{factor}}}"#);
    assert_eq!(factor(&["{}", "{}"]), 1_000_000);
    // The nearest, not the product.
    assert_eq!(factor(&[&of(1_200_000), &of(1_500_000), "{}"]), 1_500_000);
    // Stored as asked, enforced not below the parent's.
    assert_eq!(factor(&[&of(1_200_000), &of(1_000_000)]), 1_200_000);
    assert_eq!(factor(&[&of(1_200_000), "{}", &of(0)]), 1_200_000);
    assert_eq!(factor(&["{}", &of(500_000)]), 500_000);
    assert_eq!(factor(&[&of(0), "{}"]), 0);
}

#[test]
fn who_pays_is_said_by_the_nearest_account_that_says_it() {
    let wallet_at = |texts: &[&str]| {
        let path = path(texts);
        let wallet = path.wallet()?;
        path.ids().iter().position(|id| *id == wallet)
    };
    let (prepaid, postpaid) = (r#"{"billing":"prepaid"}"#, r#"{"billing":"postpaid"}"#);
    assert_eq!(wallet_at(&["{}", "{}"]), None);
    assert_eq!(wallet_at(&[prepaid, "{}", "{}"]), Some(0));
    assert_eq!(wallet_at(&[prepaid, prepaid, "{}"]), Some(1));
    assert_eq!(wallet_at(&["{}", "{}", prepaid]), Some(2));
    assert_eq!(wallet_at(&[prepaid, postpaid, "{}"]), None);
    assert_eq!(wallet_at(&[postpaid, prepaid]), Some(1));
}

#[test]
fn how_money_is_kept_and_what_happens_when_it_is_short_is_said_by_the_nearest() {
    let path_of = |texts: &[&str]| path(texts);
    let plain = path_of(&["{}", "{}"]);
    assert_eq!(plain.on_exhaust(), OnExhaust::Finish);
    assert_eq!(plain.budget_mode(), BudgetMode::Strict);
    assert_eq!(plain.default_output(), DEFAULT_OUTPUT);
    let dept = r#"{"on_exhaust":"cut","budget_mode":"soft","default_output":500}"#;
    let below = path_of(&["{}", dept, "{}"]);
    assert_eq!(below.on_exhaust(), OnExhaust::Cut);
    assert_eq!(below.budget_mode(), BudgetMode::Soft);
    assert_eq!(below.default_output(), 500);
    let own = r#"{"on_exhaust":"finish","budget_mode":"strict","default_output":900}"#;
    let own = path_of(&["{}", dept, own]);
    assert_eq!(own.on_exhaust(), OnExhaust::Finish);
    assert_eq!(own.budget_mode(), BudgetMode::Strict);
    assert_eq!(own.default_output(), 900);
}

#[test]
fn a_request_can_run_into_money_where_a_limit_of_the_path_or_of_its_model_or_a_wallet_says_so() {
    let limits = |texts: &[&str], model: &str| path(texts).limits_money(model);
    let rates = r#"{"limits":{"rpm":1,"tpd":1,"concurrency":1}}"#;
    assert!(!limits(&[rates, "{}"], "m"));
    assert!(limits(&[r#"{"limits":{"daily_limit":1}}"#, "{}"], "m"));
    assert!(limits(&["{}", r#"{"limits":{"monthly_limit":1}}"#], "m"));
    assert!(limits(&["{}", r#"{"billing":"prepaid"}"#], "m"));
    let some = r#"{"model_limits":{"gpt-*":{"daily_limit":1},"*":{"rpm":1}}}"#;
    assert!(limits(&[some, "{}"], "gpt-5"));
    assert!(!limits(&[some, "{}"], "o3"));
}
