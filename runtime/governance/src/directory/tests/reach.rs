//! What is there for whoever manages an account: it and what is below it, and not even a name of the rest.

use super::*;
use crate::account::AccountPatch;

fn tree() -> Bench {
    let mut bench = Bench::new();
    for (parent, name) in [
        ("root", "dept"),
        ("root/dept", "alice"),
        ("root/dept/alice", "dept"),
        ("root", "other"),
        ("root/other", "bob"),
    ] {
        bench.account(parent, name).unwrap();
    }
    bench
}

#[test]
fn an_account_elsewhere_is_told_from_none_by_nothing() {
    let bench = tree();
    let directory = &bench.directory;
    let id = |path: &str| directory.account(path).unwrap().id;
    let dept = id("root/dept");
    for (target, path) in [
        ("dept", "root/dept"),
        ("dept/alice", "root/dept/alice"),
        ("dept/alice/dept", "root/dept/alice/dept"),
    ] {
        assert_eq!(directory.account_from(dept, target).unwrap().id, id(path));
        let by_id = directory.account_from(dept, &id(path).to_string());
        assert_eq!(by_id.unwrap().id, id(path));
        assert_eq!(directory.names_from(dept, id(path)).unwrap(), target);
    }
    let nowhere = AccountId(uuid::Uuid::from_u128(5)).to_string();
    let refused = |target: &str| directory.account_from(dept, target).unwrap_err();
    for target in [
        "root",
        "root/dept",
        "root/dept/alice",
        "other",
        "root/other/bob",
        "alice",
        "",
        "dept/",
        "dept/none",
        &nowhere,
        &id("root").to_string(),
        &id("root/other").to_string(),
        &id("root/other/bob").to_string(),
    ] {
        let error = refused(target);
        assert!(matches!(error, DirectoryError::NotFound { .. }), "{target}");
        assert_eq!(error.to_string(), format!("no account `{target}`"));
    }
    assert_eq!(directory.names_from(dept, id("root/other/bob")), None);
    assert_eq!(directory.names_from(dept, id("root")), None);
}

#[test]
fn its_own_account_is_seen_and_not_changed() {
    let bench = tree();
    let directory = &bench.directory;
    let dept = directory.account("root/dept").unwrap().id;
    for target in ["dept", &dept.to_string()] {
        assert!(directory.account_from(dept, target).is_ok());
        let error = directory.account_below(dept, target).unwrap_err();
        assert!(matches!(error, DirectoryError::Forbidden { .. }), "{error}");
    }
    assert!(directory.account_below(dept, "dept/alice").is_ok());
    let elsewhere = directory.account_below(dept, "root/other").unwrap_err();
    assert!(matches!(elsewhere, DirectoryError::NotFound { .. }));
}

#[test]
fn what_is_gone_is_within_what_it_was_within() {
    let mut bench = tree();
    let id = |bench: &Bench, path: &str| bench.directory.account(path).unwrap().id;
    let (dept, other) = (id(&bench, "root/dept"), id(&bench, "root/other"));
    let (alice, deep) = (
        id(&bench, "root/dept/alice"),
        id(&bench, "root/dept/alice/dept"),
    );
    bench.close("root/dept/alice", DeleteMode::Cascade).unwrap();
    bench.archive(deep).unwrap();
    bench.archive(alice).unwrap();
    assert!(bench.directory.account_from(dept, "dept/alice").is_err());
    for gone in [alice, deep] {
        assert!(bench.directory.was_within(gone, dept));
        assert!(!bench.directory.was_within(gone, other));
    }
    let names = bench.directory.names_from(dept, deep);
    assert_eq!(names.as_deref(), Some("dept/alice/dept"));
}

#[test]
fn settings_that_the_nearest_account_decides_can_be_tightened_only() {
    let tightens = |text: &str| {
        let patch: AccountPatch = serde_json::from_str(text).unwrap();
        crate::tightens(&patch).is_ok()
    };
    for loose in [
        r#"{"billing":"postpaid"}"#,
        r#"{"budget_mode":"soft"}"#,
        r#"{"on_exhaust":"finish"}"#,
        r#"{"price_factor":0}"#,
        r#"{"price_factor":999999}"#,
    ] {
        assert!(!tightens(loose), "{loose}");
    }
    for tight in [
        r#"{"billing":"prepaid","budget_mode":"strict","on_exhaust":"cut"}"#,
        r#"{"billing":null,"budget_mode":null,"on_exhaust":null}"#,
        r#"{"limits":{"rpm":1000000},"models":null,"alias":"A"}"#,
        // A `false` above holds whatever is said below it.
        r#"{"keep_answers":true}"#,
        r#"{"keep_answers":null}"#,
        r#"{"price_factor":1000000}"#,
        r#"{"price_factor":null}"#,
    ] {
        assert!(tightens(tight), "{tight}");
    }
}
