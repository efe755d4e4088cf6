//! What takes effect and who decides it, and names that would silently mean nothing.

use super::*;

fn effective(control: &Control, target: &str) -> serde_json::Value {
    serde_json::to_value(control.operator().account(target).unwrap().effective).unwrap()
}

#[test]
fn every_boundary_tells_its_effective_value_and_who_decides_it() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "a");
    account(&control, "root/a", "b");
    let fresh = effective(&control, "root/a/b");
    assert_eq!(fresh["billing"], serde_json::json!({ "value": "postpaid" }));
    assert!(fresh.get("output_cap").is_none() && fresh.get("wallet").is_none());
    patch(
        &control,
        "root",
        r#"{"output_cap":100,"price_factor":1500000,"billing":"prepaid","time_zone":"Europe/Berlin",
            "endpoints":["messages"],"denied_models":["x*"],"tags":{"cc":"1","site":"n"},"on_exhaust":"cut"}"#,
    )
    .unwrap();
    patch(
        &control,
        "root/a",
        r#"{"output_cap":200,"price_factor":1200000,"models":["m*"],"model_map":{"old*":"m1","a":"m2"},
            "tags":{"cc":"2"},"budget_mode":"soft","status":"suspended"}"#,
    )
    .unwrap();
    patch(
        &control,
        "root/a/b",
        r#"{"model_map":{"a":"m3","*":"m4","ab*":"m5"},"default_output":7,"cidrs":["10.0.0.0/8"]}"#,
    )
    .unwrap();
    let seen = effective(&control, "root/a/b");
    for (member, value, source) in [
        ("output_cap", serde_json::json!(100), "root"),
        // Never less than its parent's.
        ("price_factor", serde_json::json!(1_500_000), "root"),
        ("billing", serde_json::json!("prepaid"), "root"),
        ("time_zone", serde_json::json!("Europe/Berlin"), "root"),
        ("on_exhaust", serde_json::json!("cut"), "root"),
        ("budget_mode", serde_json::json!("soft"), "root/a"),
        ("default_output", serde_json::json!(7), "root/a/b"),
    ] {
        let expected = serde_json::json!({ "value": value, "source": source });
        assert_eq!(seen[member], expected, "{member}");
    }
    assert_eq!(seen["enabled"], false);
    assert_eq!(seen["disabled_by"], "root/a");
    assert_eq!(
        seen["tags"]["cc"],
        serde_json::json!({ "value": "2", "source": "root/a" })
    );
    assert_eq!(seen["tags"]["site"]["source"], "root");
    assert_eq!(
        seen["models"],
        serde_json::json!([{ "source": "root/a", "values": ["m*"] }])
    );
    assert_eq!(seen["denied_models"][0]["source"], "root");
    assert_eq!(seen["endpoints"][0]["values"][0], "messages");
    assert_eq!(seen["cidrs"][0]["source"], "root/a/b");
    // In the order in which they are looked up.
    let map: Vec<_> = seen["model_map"].as_array().unwrap().iter().collect();
    let map: Vec<_> = map
        .iter()
        .map(|entry| {
            (
                entry["asked"].as_str().unwrap(),
                entry["served"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        map,
        [("a", "m3"), ("ab*", "m5"), ("*", "m4"), ("old*", "m1")]
    );
}

#[test]
fn answers_are_kept_because_the_root_says_so_and_not_kept_because_of_the_topmost_account_that_does()
{
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "a");
    account(&control, "root/a", "b");
    let says = |target: &str, body: &str| {
        patch(&control, target, body).unwrap();
    };
    let keeps = |target: &str| effective(&control, target)["keep_answers"].clone();
    let by = |value: bool, source: &str| serde_json::json!({ "value": value, "source": source });
    // Of a first start.
    assert_eq!(keeps("root/a/b"), by(true, "root"));
    says("root/a", r#"{"keep_answers":false}"#);
    // Looser than what is above: kept as it was set.
    says("root/a/b", r#"{"keep_answers":true}"#);
    assert_eq!(keeps("root/a/b"), by(false, "root/a"));
    assert_eq!(keeps("root"), by(true, "root"));
    says("root/a/b", r#"{"keep_answers":false}"#);
    assert_eq!(keeps("root/a/b"), by(false, "root/a"));
    says("root/a", r#"{"keep_answers":null}"#);
    assert_eq!(keeps("root/a/b"), by(false, "root/a/b"));
    // As a store of an older version has it.
    says("root", r#"{"keep_answers":null}"#);
    says("root/a/b", r#"{"keep_answers":true}"#);
    assert_eq!(keeps("root/a/b"), serde_json::json!({ "value": true }));
    says("root", r#"{"keep_answers":false}"#);
    assert_eq!(keeps("root/a/b"), by(false, "root"));
}

#[test]
fn of_all_limits_of_a_kind_the_one_with_least_left_decides() {
    let folder = tempfile::tempdir().unwrap();
    let control = open_by_day(folder.path());
    account(&control, "root", "a");
    let change = |target: &str, body: &str| {
        control
            .operator()
            .change_limits(target, &serde_json::from_str(body).unwrap())
            .unwrap()
    };
    change(
        "root",
        r#"{"limits":{"daily_limit":100,"rpm":9},"model_limits":{"m*":{"tpm":5}}}"#,
    );
    used(&control, "root", now_ms(), 60);
    end(control);
    let control = open_by_day(folder.path());
    let view = control
        .operator()
        .change_limits(
            "root/a",
            &serde_json::from_str(r#"{"limits":{"daily_limit":50}}"#).unwrap(),
        )
        .unwrap();
    let seen: Vec<_> = view
        .effective
        .iter()
        .map(|limit| {
            let models = limit.models.as_deref().unwrap_or("*");
            (
                limit.source.as_str(),
                limit.kind,
                models,
                limit.value.unwrap(),
                limit.used.unwrap(),
                limit.decides.unwrap(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("root", "rpm", "*", 9, 1, true),
            // 40 left, where the account's own still has 50.
            ("root", "daily_limit", "*", 100, 60, true),
            ("root", "tpm", "m*", 5, 0, true),
            ("root/a", "daily_limit", "*", 50, 0, false),
        ]
    );
    let view = control
        .operator()
        .change_limits(
            "root",
            &serde_json::from_str(r#"{"limits":{"rpm":null},"model_limits":{"m*":null}}"#).unwrap(),
        )
        .unwrap();
    assert!(view.limits.rpm.is_none() && view.model_limits.is_empty());
    assert_eq!(view.limits.daily_limit, Some(100));
}

#[test]
fn names_of_operations_and_providers_that_mean_nothing_are_refused_but_not_those_already_there() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    for (body, field) in [
        (r#"{"endpoints":["mesages"]}"#, "endpoints"),
        (r#"{"endpoints":["messages","*"]}"#, "endpoints"),
        (r#"{"providers":["none"]}"#, "providers"),
        (r#"{"model_limits":{"gpt-[45]":{"rpm":1}}}"#, "model_limits"),
    ] {
        let error = patch(&control, "root", body).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{body}");
    }
    let error = patch(&control, "root", r#"{"endpoints":["mesages"]}"#).unwrap_err();
    assert!(error.message.contains("count-tokens"), "{error}");
    let draft = |scope: &str| {
        let text = format!(r#"{{"account":"root","scope":{scope}}}"#);
        serde_json::from_str::<tollgate_governance::KeyDraft>(&text).unwrap()
    };
    for (scope, field) in [
        (r#"{"endpoints":["mesages"]}"#, "scope.endpoints"),
        (r#"{"providers":["none"]}"#, "scope.providers"),
    ] {
        let error = control.operator().create_key(&draft(scope)).err().unwrap();
        assert_eq!(error.field.as_deref(), Some(field), "{scope}");
    }
    patch(&control, "root", r#"{"endpoints":[],"providers":[]}"#).unwrap();
    // A provider whose file is gone for now stays in the lists that name it.
    {
        let mut state = control.state.lock();
        let named = serde_json::from_str(r#"{"providers":["gone"]}"#).unwrap();
        let (_, changes) = state.directory.update_account("root", &named, 1).unwrap();
        let act = audit::Act::new("account.change");
        control
            .commit(&mut state, act, &changes)
            .unwrap()
            .confirmed()
            .unwrap();
    }
    patch(&control, "root", r#"{"providers":["gone"],"alias":"x"}"#).unwrap();
}

#[test]
fn an_account_cannot_move_under_itself_and_a_move_takes_everything_along() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "a");
    account(&control, "root/a", "b");
    account(&control, "root", "c");
    for target in ["root/a", "root/a/b"] {
        let body = format!(r#"{{"parent":"{target}"}}"#);
        let error = patch(&control, "root/a", &body).unwrap_err();
        assert_eq!(
            (error.kind, error.field.as_deref()),
            (Kind::Conflict, Some("parent"))
        );
    }
    patch(&control, "root/a", r#"{"parent":"root/c"}"#).unwrap();
    assert_eq!(
        control.operator().account("root/c/a/b").unwrap().path,
        "root/c/a/b"
    );
}
