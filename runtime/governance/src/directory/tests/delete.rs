//! Deleting accounts: what each mode refuses, what closes, what is archived and what is left.

use super::*;
use crate::account::Status;

/// root - dept - (alice, bob - deep), each with a key; a policy on bob.
fn tree() -> (Bench, Vec<String>) {
    let mut bench = Bench::new();
    bench.account("root", "dept").unwrap();
    bench.account("root/dept", "alice").unwrap();
    bench.account("root/dept", "bob").unwrap();
    bench.account("root/dept/bob", "deep").unwrap();
    bench.attach("p", "root/dept/bob", 0);
    let accounts = [
        "root/dept",
        "root/dept/alice",
        "root/dept/bob",
        "root/dept/bob/deep",
    ];
    let tokens = accounts.iter().map(|path| bench.key(path).1).collect();
    (bench, tokens)
}

fn id(bench: &Bench, path: &str) -> AccountId {
    bench.directory.account(path).unwrap().id
}

#[test]
fn refuse_names_what_hangs_on_the_account_until_nothing_does() {
    let (mut bench, _) = tree();
    let refused = |bench: &mut Bench, attached: Attached| {
        let path = "root/dept/bob/deep";
        let mode = DeleteMode::Refuse;
        let outcome = bench
            .directory
            .close_account(path, mode, |_| attached, bench.now);
        outcome.err().map(|error| error.to_string())
    };
    let children = bench
        .close("root/dept/bob", DeleteMode::Refuse)
        .unwrap_err();
    assert!(children.to_string().contains("accounts under it"));
    let keys = refused(&mut bench, Attached::default()).unwrap();
    assert!(keys.contains("active keys"), "{keys}");
    let key = bench.directory.keys()[3].id;
    bench.revoke(key);
    // A key that has expired keeps nobody.
    let soon = format!(r#"{{"expires_ms":{}}}"#, bench.now + 10);
    bench.key_with("root/dept/bob/deep", &soon).unwrap();
    assert!(
        refused(&mut bench, Attached::default())
            .unwrap()
            .contains("active keys")
    );
    bench.now += 10;
    let credit = Attached {
        credit: true,
        running: false,
    };
    assert!(refused(&mut bench, credit).unwrap().contains("credit"));
    let running = Attached {
        credit: false,
        running: true,
    };
    assert!(refused(&mut bench, running).unwrap().contains("under way"));
    assert_eq!(refused(&mut bench, Attached::default()), None);
    // All this asking changed nothing.
    assert_eq!(bench.directory.accounts().count(), 5);
    assert!(bench.directory.closing().is_empty());
}

#[test]
fn cascade_closes_the_subtree_and_nothing_else() {
    let (mut bench, tokens) = tree();
    let all: Vec<_> = tokens
        .iter()
        .map(|token| bench.find(token).unwrap())
        .collect();
    bench.close("root/dept/bob", DeleteMode::Cascade).unwrap();
    let found: Vec<_> = tokens
        .iter()
        .map(|token| bench.find(token).is_some())
        .collect();
    assert_eq!(found, [true, true, false, false]);
    assert!(bench.path("root/dept").is_enabled() && bench.path("root/dept/alice").is_enabled());
    // Whoever holds an older picture is under way already; the next look-up refuses.
    assert!(all[3].path.is_enabled());
    assert!(!bench.path("root/dept/bob/deep").is_enabled());
    let status = |path: &str| bench.directory.account(path).unwrap().status;
    assert_eq!(status("root/dept/bob"), Status::Closing);
    assert_eq!(status("root/dept/bob/deep"), Status::Closing);
    assert!(
        bench
            .directory
            .keys()
            .iter()
            .skip(2)
            .all(|key| key.revoked_ms.is_some())
    );
}

#[test]
fn reparent_hangs_the_children_under_the_grandparent_with_their_keys() {
    let (mut bench, tokens) = tree();
    bench.close("root/dept", DeleteMode::Reparent).unwrap();
    let dept = id(&bench, "root/dept");
    bench.archive(dept).unwrap();
    let names = |token: &String| bench.find(token).map(|caller| caller.path.names());
    let expected = [
        None,
        Some("root/alice"),
        Some("root/bob"),
        Some("root/bob/deep"),
    ];
    let found: Vec<_> = tokens.iter().map(names).collect();
    assert_eq!(found, expected.map(|name| name.map(str::to_owned)));
    assert!(bench.path("root/bob/deep").is_enabled());
    assert!(bench.directory.attachment("p").is_some());
}

#[test]
fn reparent_refuses_a_child_whose_name_its_new_siblings_have_and_moves_none() {
    let (mut bench, _) = tree();
    bench.account("root", "bob").unwrap();
    let clash = bench.close("root/dept", DeleteMode::Reparent).unwrap_err();
    assert!(clash.to_string().contains("`bob`"), "{clash}");
    assert_eq!(
        bench.directory.account("root/dept").unwrap().status,
        Status::Active
    );
    assert!(bench.directory.account("root/dept/alice").is_ok());
    // A child named like the account that goes: its name is not free before the account is archived.
    bench.account("root", "x").unwrap();
    bench.account("root/x", "x").unwrap();
    assert_eq!(
        field(bench.close("root/x", DeleteMode::Reparent).unwrap_err()),
        "name"
    );
    assert!(bench.directory.account("root/x/x").is_ok());
}

#[test]
fn an_account_that_is_being_deleted_takes_no_children_keys_or_changes() {
    let (mut bench, _) = tree();
    let (key, _) = bench.key("root/dept/bob/deep");
    bench.close("root/dept/bob", DeleteMode::Cascade).unwrap();
    for target in ["root/dept/bob", "root/dept/bob/deep"] {
        assert_eq!(field(bench.account(target, "new").unwrap_err()), "parent");
        let moved = bench.patch("root/dept/alice", &format!(r#"{{"parent":"{target}"}}"#));
        assert_eq!(field(moved.unwrap_err()), "parent");
        assert_eq!(field(bench.key_with(target, "{}").unwrap_err()), "account");
        for patch in [r#"{"status":"active"}"#, r#"{"parent":"root"}"#, "{}"] {
            let refused = bench.patch(target, patch).unwrap_err();
            assert_eq!(field(refused), "account", "{target} {patch}");
        }
    }
    assert!(bench.rotate(key, 1_000, bench.now).is_err());
    // Its name is taken as long as its requests drain.
    assert_eq!(
        field(bench.account("root/dept", "bob").unwrap_err()),
        "name"
    );
}

#[test]
fn accounts_are_archived_from_the_leaves_up_and_only_when_they_are_closing() {
    let (mut bench, _) = tree();
    let (dept, bob, deep) = (
        id(&bench, "root/dept"),
        id(&bench, "root/dept/bob"),
        id(&bench, "root/dept/bob/deep"),
    );
    assert!(bench.archive(deep).is_err(), "in use");
    bench.close("root/dept/bob", DeleteMode::Cascade).unwrap();
    assert!(bench.archive(bob).is_err(), "it has children");
    assert!(bench.archive(dept).is_err());
    assert_eq!(bench.directory.closing(), [deep, bob]);
    for id in bench.directory.closing() {
        bench.archive(id).unwrap();
    }
    assert!(bench.directory.closing().is_empty());
    assert!(bench.archive(bob).is_err(), "archived already");
}

#[test]
fn an_archived_account_releases_its_name_and_history_still_knows_it() {
    let (mut bench, tokens) = tree();
    let bob = id(&bench, "root/dept/bob");
    bench.close("root/dept/bob", DeleteMode::Cascade).unwrap();
    for id in bench.directory.closing() {
        bench.archive(id).unwrap();
    }
    assert!(bench.directory.account("root/dept/bob").is_err());
    assert!(bench.directory.account(&bob.to_string()).is_err());
    assert!(bench.directory.path(bob).is_none() && bench.find(&tokens[2]).is_none());
    assert_eq!(bench.directory.keys().len(), 2);
    assert!(bench.directory.attachment("p").is_none());
    let names: Vec<_> = bench
        .directory
        .archived()
        .iter()
        .map(|a| a.name.clone())
        .collect();
    assert_eq!(names, ["bob", "deep"]);
    let new = bench.account("root/dept", "bob").unwrap();
    assert_ne!(new, bob);
    // So it is after a restart, too: nothing dangles, nothing comes back.
    let again = bench.reloaded();
    assert_eq!(again.archived().len(), 2);
    assert_eq!(again.account("root/dept/bob").unwrap().id, new);
    assert!(again.accounts().eq(bench.directory.accounts()));
}

#[test]
fn an_account_that_was_closing_at_a_restart_is_closing_after_it() {
    let (mut bench, tokens) = tree();
    bench.close("root/dept/bob", DeleteMode::Cascade).unwrap();
    bench.directory = bench.reloaded();
    assert_eq!(bench.directory.closing().len(), 2);
    assert!(bench.find(&tokens[3]).is_none());
    assert_eq!(
        field(bench.key_with("root/dept/bob", "{}").unwrap_err()),
        "account"
    );
}

#[test]
fn closing_again_changes_nothing_that_matters() {
    let (mut bench, _) = tree();
    bench.close("root/dept/bob", DeleteMode::Cascade).unwrap();
    let keys: Vec<_> = bench.directory.keys().into_iter().cloned().collect();
    bench.close("root/dept/bob", DeleteMode::Cascade).unwrap();
    assert!(bench.directory.keys().into_iter().eq(keys.iter()));
    assert_eq!(bench.directory.closing().len(), 2);
}
