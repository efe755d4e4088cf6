//! What the store has and the disk has not confirmed: in force at once, told as such, and what the next start finds.

use std::sync::atomic::Ordering;

use tollgate_governance::{DeleteMode, Operation, Role, TokenDraft};

use super::audited::{findings, log};
use super::credit::{Filling, grant, on_filling_disk};
use super::*;

fn silent(disk: &Filling, silent: bool) {
    disk.silent.store(silent, Ordering::Relaxed);
}

/// It says that the change is made, and what is to be done.
#[track_caller]
fn told<T>(refused: Result<T, ControlError>) -> String {
    let error = refused.err().expect("the disk has not confirmed it");
    assert_eq!(error.kind, Kind::Unavailable, "{error}");
    for word in ["in force", "no descriptor is left", "next commit", "safe"] {
        assert!(error.message.contains(word), "{word}: {error}");
    }
    error.message
}

fn secret(value: &str) -> CredentialRequest {
    CredentialRequest {
        fields: [("api-key".to_owned(), value.to_owned())].into(),
    }
}

/// An account that was answered as failed was stored: made again, no start took the two of one name.
#[test]
fn an_account_that_the_disk_has_not_confirmed_is_there_and_is_not_made_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (control, disk) = on_filling_disk(folder.path());
    let new = tollgate_governance::AccountPatch {
        name: Some("a".to_owned()),
        ..Default::default()
    };
    let create = || control.operator().create_account(&new);
    silent(&disk, true);
    told(create());
    assert_eq!(control.operator().account("root/a").unwrap().path, "root/a");
    assert_eq!(create().unwrap_err().kind, Kind::Conflict);
    silent(&disk, false);
    assert_eq!(create().unwrap_err().kind, Kind::Conflict);
    assert_eq!(findings(&control), []);
    drop(disk);
    end(control);
    let control = open(folder.path());
    assert_eq!(control.operator().account("root/a").unwrap().path, "root/a");
    assert_eq!(findings(&control), []);
}

#[test]
fn each_change_that_the_disk_has_not_confirmed_is_in_force_and_told_in_the_log_once() {
    let folder = tempfile::tempdir().unwrap();
    let (control, disk) = on_filling_disk(folder.path());
    account(&control, "root", "a");
    account(&control, "root", "b");
    let issued = key(&control, "root/a");
    let id = issued.view.id.to_string();
    control.set_credential("old", &secret("sk-old")).unwrap();
    let before = log(&control).len();
    let kills = control.kills().count();
    silent(&disk, true);

    told(control.operator().revoke_key(&id, true));
    assert!(!known(&control, issued.key.expose()), "it is revoked");
    assert_eq!(control.kills().count(), kills + 1, "and its answers end");
    told(patch(&control, "root", r#"{"time_zone":"Asia/Shanghai"}"#));
    let zone = control
        .operator()
        .account("root")
        .unwrap()
        .account
        .time_zone;
    assert_eq!(zone.as_deref(), Some("Asia/Shanghai"));
    told(control.set_credential("new", &secret("sk-new")));
    told(control.delete_credential("old"));
    let credentials = control.credentials().unwrap().credentials;
    let names: Vec<_> = credentials.iter().map(|view| &*view.name).collect();
    assert_eq!(names, ["new"]);
    assert!(control.state.lock().credentials.contains_key("new"));
    told(
        control
            .operator()
            .delete_account("root/b", DeleteMode::Cascade),
    );
    assert!(control.operator().account("root/b").is_err());
    // A secret that is not shown must not go on working unknown.
    let made = told(
        control
            .operator()
            .create_key(&tollgate_governance::KeyDraft {
                account: "root/a".to_owned(),
                ..Default::default()
            }),
    );
    let keys = control.operator().keys(&Listing::default()).unwrap().keys;
    let unshown = keys.iter().find(|key| key.id != issued.view.id).unwrap();
    assert!(made.contains(&unshown.id.to_string()), "{made}");
    let token = TokenDraft {
        account: "root/a".to_owned(),
        label: String::new(),
        role: Role::Read,
        expires_ms: None,
    };
    let made = told(control.operator().create_token(&token));
    let tokens = control.operator().tokens(None).unwrap().tokens;
    assert!(made.contains(&tokens[0].id.to_string()), "{made}");
    told(control.audit_checkpoint());

    // Of the deletion there are two.
    assert_eq!(log(&control).len(), before + 9);
    assert_eq!(findings(&control), []);
    silent(&disk, false);
    account(&control, "root", "c");
    assert_eq!(findings(&control), []);
    drop(disk);
    end(control);
    let control = open(folder.path());
    assert!(!known(&control, issued.key.expose()));
    assert_eq!(findings(&control), []);
}

#[test]
fn to_ask_again_says_whether_the_disk_has_it_by_now() {
    let folder = tempfile::tempdir().unwrap();
    let (control, disk) = on_filling_disk(folder.path());
    account(&control, "root", "a");
    let suspend = || patch(&control, "root/a", r#"{"status":"suspended"}"#);
    silent(&disk, true);
    told(suspend());
    let entries = log(&control).len();
    told(suspend());
    silent(&disk, false);
    suspend().unwrap();
    assert_eq!(log(&control).len(), entries, "nothing was done again");
}

/// Left under way they were nobody's until the next start, and whoever asked again was told to do so in a moment.
#[test]
fn credit_that_moves_while_the_disk_confirms_nothing_has_moved_and_asked_for_again_is_found_done() {
    let folder = tempfile::tempdir().unwrap();
    let (control, disk) = on_filling_disk(folder.path());
    account(&control, "root", "a");
    control
        .operator()
        .grant(&grant("root", 100, "first"))
        .unwrap();
    let down = grant("root/a", 40, "down");
    let back = ReclaimRequest {
        account: "root/a".to_owned(),
        amount: 10,
        idempotency_key: "back".to_owned(),
        to: None,
    };
    let available = |control: &Control| {
        let totals = control.ledger_status().unwrap();
        assert_eq!((totals.totals.moving, totals.imbalance), (0, 0));
        ["root", "root/a"].map(|path| control.operator().wallet(path).unwrap().available)
    };
    silent(&disk, true);
    for _ in 0..2 {
        told(control.operator().grant(&down));
        assert_eq!(available(&control), [60, 40]);
    }
    told(control.operator().reclaim(&back));
    assert_eq!(available(&control), [70, 30]);
    silent(&disk, false);
    assert!(control.operator().grant(&down).unwrap().repeated);
    assert!(control.operator().reclaim(&back).unwrap().repeated);
    assert_eq!(available(&control), [70, 30]);
    assert_eq!(findings(&control), []);
    drop(disk);
    end(control);
    assert_eq!(available(&open(folder.path())), [70, 30]);
}

fn archived(control: &Control) -> serde_json::Value {
    let mut entries = log(control).into_iter();
    let entry = entries.find(|entry| entry.act == "account.archive");
    entry.unwrap().changes["credit"].clone()
}

#[test]
fn an_account_is_archived_in_the_commit_that_sweeps_its_credit() {
    let folder = tempfile::tempdir().unwrap();
    let (control, disk) = on_filling_disk(folder.path());
    account(&control, "root", "a");
    let new = GrantRequest {
        from: Some(Counterpart::Treasury),
        ..grant("root/a", 5, "k")
    };
    control.operator().grant(&new).unwrap();
    let before = disk.commits.load(Ordering::Relaxed);
    let mode = DeleteMode::Cascade;
    control.operator().delete_account("root/a", mode).unwrap();
    let commits = disk.commits.load(Ordering::Relaxed) - before;
    assert_eq!(commits, 2, "one that closes it, one for all the rest");
    assert_eq!(archived(&control), 5);
    assert_eq!(control.operator().wallet("root").unwrap().available, 5);
    assert_eq!(findings(&control), []);
}

/// As a version left it that was killed between the two.
#[test]
fn credit_that_was_swept_before_its_account_is_archived_is_told_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "a");
    let new = GrantRequest {
        from: Some(Counterpart::Treasury),
        ..grant("root/a", 7, "k")
    };
    control.operator().grant(&new).unwrap();
    let account = control.operator().account("root/a").unwrap().account;
    let sweep = Operation::Sweep {
        wallet: account.id,
        to: account.parent,
    };
    control.post(sweep, None).unwrap();
    end(control);
    let control = open(folder.path());
    let mode = DeleteMode::Cascade;
    control.operator().delete_account("root/a", mode).unwrap();
    assert_eq!(archived(&control), 7);
}
