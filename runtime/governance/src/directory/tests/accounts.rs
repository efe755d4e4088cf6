//! Making, naming, moving accounts; what the root keeps.

use super::*;

#[test]
fn a_default_zone_that_changes_is_named_where_none_was_and_is_a_change_where_none_is() {
    let mut bench = Bench::new();
    let now = bench.now;
    let changes = |bench: &Bench| {
        let root = bench.directory.root().unwrap();
        let changes = root.zone_change.iter().flat_map(crate::ZoneChange::all);
        changes
            .map(|change| (change.before, change.at_ms))
            .collect::<Vec<_>>()
    };
    let named = |name: &str| Some(name.to_owned());
    let changed = bench.directory.default_zone_changed("UTC", now);
    bench.directory.apply(&changed);
    assert_eq!(changes(&bench), [(named("UTC"), now)]);
    // The root account gets a zone of its own: the default was the one before it, and means nothing more.
    bench
        .patch("root", r#"{"time_zone":"Asia/Tokyo"}"#)
        .unwrap();
    let told = changes(&bench);
    assert_eq!((told.len(), &told[1].0), (2, &None));
    let changed = bench.directory.default_zone_changed("Asia/Shanghai", now);
    bench.directory.apply(&changed);
    let told = changes(&bench);
    assert_eq!((told.len(), &told[1].0), (2, &named("Asia/Shanghai")));
    assert!(bench.directory.default_zone_changed("UTC", now).is_empty());
}

#[test]
fn accounts_are_found_by_id_and_by_path_at_any_depth() {
    let mut bench = Bench::new();
    let mut path = "root".to_owned();
    let mut id = None;
    for depth in 0..2_000 {
        id = Some(bench.account(&path, &format!("n{depth}")).unwrap());
        path = format!("{path}/n{depth}");
    }
    let id = id.unwrap();
    assert_eq!(bench.directory.account(&path).unwrap().id, id);
    assert_eq!(bench.directory.account(&id.to_string()).unwrap().id, id);
    assert_eq!(bench.directory.names(id).unwrap(), path);
    assert_eq!(bench.directory.accounts().count(), 2_001);
    for unknown in [
        "",
        "/",
        "n0",
        "root/",
        "root/x",
        "toor",
        "018f0000-0000-7000-8000-000000000000",
    ] {
        assert!(bench.directory.account(unknown).is_err(), "{unknown:?}");
    }
    let (_, token) = bench.key(&path);
    assert_eq!(bench.find(&token).unwrap().path.nodes().len(), 2_001);
}

#[test]
fn names_are_unique_among_siblings_only() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench.account("root", "b").unwrap();
    bench.account("root/a", "x").unwrap();
    bench.account("root/b", "x").unwrap();
    assert_eq!(field(bench.account("root", "a").unwrap_err()), "name");
    let clash = bench.patch("root/b", r#"{"name":"a"}"#);
    assert_eq!(field(clash.unwrap_err()), "name");
    let clash = bench.patch("root/b/x", r#"{"parent":"root/a"}"#);
    assert_eq!(field(clash.unwrap_err()), "name");
    // Its own name is no clash; a freed name can be taken.
    bench.patch("root/b", r#"{"name":"b"}"#).unwrap();
    bench.patch("root/a", r#"{"name":"c"}"#).unwrap();
    bench.account("root", "a").unwrap();
    assert!(bench.directory.account("root/c/x").is_ok());
}

#[test]
fn an_account_without_a_name_or_with_an_unknown_parent_is_refused() {
    let mut bench = Bench::new();
    let nameless = AccountPatch::default();
    let refused = bench
        .directory
        .create_account(&nameless, 1, &mut bench.random);
    assert_eq!(field(refused.unwrap_err()), "name");
    assert_eq!(field(bench.account("root/x", "a").unwrap_err()), "parent");
    bench.account("root", "a").unwrap();
    let lost = bench.patch("root/a", r#"{"parent":"root/x"}"#);
    assert_eq!(field(lost.unwrap_err()), "parent");
}

#[test]
fn a_move_under_oneself_is_refused() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench.account("root/a", "b").unwrap();
    bench.account("root/a/b", "c").unwrap();
    for target in ["root/a", "root/a/b", "root/a/b/c"] {
        let patch = format!(r#"{{"parent":"{target}"}}"#);
        let refused = bench.patch("root/a", &patch).unwrap_err();
        assert_eq!(field(refused), "parent", "{target}");
    }
    bench.patch("root/a/b/c", r#"{"parent":"root"}"#).unwrap();
    bench.patch("root/a", r#"{"parent":"root/c"}"#).unwrap();
    assert!(bench.directory.account("root/c/a/b").is_ok());
    assert_eq!(bench.directory.accounts().count(), 4);
}

#[test]
fn the_root_stays_what_it_is() {
    let mut bench = Bench::new();
    assert_eq!(bench.directory.root().unwrap().keep_answers, Some(true));
    bench.account("root", "a").unwrap();
    assert!(bench.directory.create_root(1, &mut Seeded::new(1)).is_err());
    let renamed = bench.patch("root", r#"{"name":"x"}"#);
    assert_eq!(field(renamed.unwrap_err()), "name");
    let moved = bench.patch("root", r#"{"parent":"root/a"}"#);
    assert_eq!(field(moved.unwrap_err()), "parent");
    for mode in [
        DeleteMode::Refuse,
        DeleteMode::Cascade,
        DeleteMode::Reparent,
    ] {
        assert!(bench.close("root", mode).is_err(), "{mode:?}");
    }
    let zone = |bench: &mut Bench, target: &str, zone: &str| {
        bench.patch(target, &format!(r#"{{"time_zone":"{zone}"}}"#))
    };
    zone(&mut bench, "root", "Europe/Berlin").unwrap();
    let unknown = zone(&mut bench, "root", "Nowhere").unwrap_err();
    assert_eq!(field(unknown), "time_zone");
    let below = zone(&mut bench, "root/a", "UTC").unwrap_err();
    assert_eq!(field(below), "time_zone");
}

#[test]
fn an_operation_alone_changes_nothing_until_it_is_applied() {
    let mut bench = Bench::new();
    let new = AccountPatch {
        name: Some("a".into()),
        ..AccountPatch::default()
    };
    let made = bench.directory.create_account(&new, 1, &mut bench.random);
    assert_eq!(made.unwrap().0.name, "a");
    assert!(bench.directory.account("root/a").is_err());
}

#[test]
fn within_is_the_subtree_and_nothing_beside_or_above_it() {
    let mut bench = Bench::new();
    let a = bench.account("root", "a").unwrap();
    let deep = bench.account("root/a", "deep").unwrap();
    let b = bench.account("root", "b").unwrap();
    let root = bench.directory.root().unwrap().id;
    let within = |id, top| bench.directory.is_within(id, top);
    assert!(within(a, a) && within(deep, a) && within(deep, root));
    assert!(!within(b, a) && !within(root, a) && !within(a, deep));
    assert!(!within(AccountId::default(), root));
    let names: Vec<_> = bench.directory.children(root).map(|a| &a.name).collect();
    assert_eq!(names, ["a", "b"]);
}
