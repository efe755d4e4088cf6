//! What a change somewhere above means for a key.

use super::*;
use crate::account::LimitKind;

#[test]
fn disabling_a_department_stops_everything_under_it_at_once() {
    let mut bench = Bench::new();
    bench.account("root", "dept").unwrap();
    bench.account("root/dept", "team").unwrap();
    bench.account("root", "other").unwrap();
    let (_, inside) = bench.key("root/dept/team");
    let (_, outside) = bench.key("root/other");
    let enabled = |bench: &Bench, token: &str| bench.find(token).unwrap().path.is_enabled();
    bench
        .patch("root/dept", r#"{"status":"suspended"}"#)
        .unwrap();
    assert!(!enabled(&bench, &inside));
    assert!(enabled(&bench, &outside));
    bench.patch("root/dept", r#"{"status":"active"}"#).unwrap();
    assert!(enabled(&bench, &inside));
    bench.patch("root", r#"{"status":"suspended"}"#).unwrap();
    assert!(!enabled(&bench, &inside) && !enabled(&bench, &outside));
}

#[test]
fn every_change_above_a_key_reaches_the_key() {
    let mut bench = Bench::new();
    bench.account("root", "dept").unwrap();
    bench.account("root/dept", "team").unwrap();
    let (_, token) = bench.key("root/dept/team");
    let path = |bench: &Bench| bench.find(&token).unwrap().path;

    bench.patch("root", r#"{"models":["gpt-*"]}"#).unwrap();
    assert!(path(&bench).allows_model("gpt-5") && !path(&bench).allows_model("o3"));
    bench.patch("root", r#"{"models":null}"#).unwrap();
    assert!(path(&bench).allows_model("o3"));

    let limits = r#"{"limits":{"rpm":3,"daily_limit":9},"tags":{"cc":"1","x":"y"}}"#;
    bench.patch("root/dept", limits).unwrap();
    bench
        .patch("root/dept/team", r#"{"tags":{"cc":"2"}}"#)
        .unwrap();
    let of_dept = |bench: &Bench| path(bench).nodes()[1].base.limits.to_vec();
    let both = [(LimitKind::Rpm, 3), (LimitKind::DailyLimit, 9)];
    assert_eq!(of_dept(&bench), both);
    assert_eq!(path(&bench).tags()["cc"], "2");
    assert_eq!(path(&bench).tags()["x"], "y");
    bench
        .patch("root/dept", r#"{"limits":{"rpm":null}}"#)
        .unwrap();
    assert_eq!(of_dept(&bench), [(LimitKind::DailyLimit, 9)]);

    bench.attach("team-late", "root/dept/team", 5);
    bench.attach("team-early", "root/dept/team", -5);
    bench.attach("dept", "root/dept", 100);
    let order = |bench: &Bench| -> Vec<String> {
        let path = path(bench);
        path.attachments()
            .map(|attached| attached.id.clone())
            .collect()
    };
    assert_eq!(order(&bench), ["dept", "team-early", "team-late"]);
    // Moved to another account, and taken away again.
    bench.attach("team-early", "root", 0);
    assert_eq!(order(&bench), ["team-early", "dept", "team-late"]);
    let changes = bench.directory.delete_attachment("dept").unwrap();
    bench.directory.apply(&changes);
    assert_eq!(order(&bench), ["team-early", "team-late"]);
}

#[test]
fn a_moved_subtree_is_bound_by_where_it_is_and_no_longer_by_where_it_was() {
    let mut bench = Bench::new();
    let old = r#"{"models":["old-*"],"output_cap":5,"billing":"prepaid","limits":{"rpm":1}}"#;
    let new = r#"{"models":["new-*"],"status":"suspended","price_factor":2000000}"#;
    bench.account_with("root", "old", old).unwrap();
    let new_id = bench.account_with("root", "new", new).unwrap();
    bench.account("root/old", "team").unwrap();
    bench.account("root/old/team", "alice").unwrap();
    let (_, token) = bench.key("root/old/team/alice");
    let before = bench.find(&token).unwrap().path;
    assert!(before.is_enabled() && before.allows_model("old-1") && before.wallet().is_some());

    bench
        .patch("root/old/team", r#"{"parent":"root/new"}"#)
        .unwrap();
    let after = bench.find(&token).unwrap().path;
    assert_eq!(after.names(), "root/new/team/alice");
    assert_eq!(after.ids()[1], new_id);
    assert!(!after.is_enabled());
    assert!(!after.allows_model("old-1") && after.allows_model("new-1"));
    assert_eq!((after.output_cap(), after.wallet()), (None, None));
    assert_eq!(after.price_factor().millionths(), 2_000_000);
    // Whoever looked before the move still has the picture of then.
    assert_eq!(before.names(), "root/old/team/alice");
    bench.patch("root/new", r#"{"name":"newer"}"#).unwrap();
    assert_eq!(
        bench.find(&token).unwrap().path.names(),
        "root/newer/team/alice"
    );
}

#[test]
fn a_moved_account_takes_its_own_counters_along() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench.account("root", "b").unwrap();
    let limits = r#"{"model_limits":{"m*":{"rpm":1}},"limits":{"rpm":1}}"#;
    bench.account_with("root/a", "x", limits).unwrap();
    let slots = |path: &Path| -> Vec<u32> {
        let leaf = path.nodes().last().unwrap();
        leaf.sets("model").map(|set| set.slot).collect()
    };
    let before = slots(&bench.path("root/a/x"));
    bench.patch("root/a/x", r#"{"parent":"root/b"}"#).unwrap();
    bench
        .patch("root/b/x", r#"{"model_limits":{"m*":null}}"#)
        .unwrap();
    bench.patch("root/b/x", limits).unwrap();
    assert_eq!(slots(&bench.path("root/b/x")), before);
    assert_eq!(before.len(), 2);
}
