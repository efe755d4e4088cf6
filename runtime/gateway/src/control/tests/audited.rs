//! Every act of management leaves one entry, with the change it tells of or not at all, and no secret in it.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tollgate_governance::{AttachmentDraft, AuditEntry, AuditFinding, AuditVerifier, DeleteMode};

use super::credit::on_filling_disk;
use super::*;

/// The whole log, page by page.
pub(super) fn log(control: &Control) -> Vec<AuditEntry> {
    let (mut entries, mut after) = (Vec::new(), Some(0));
    while let Some(number) = after {
        let page = control.operator().audit_page(number, 3).unwrap();
        entries.extend(page.entries.into_iter().map(readable));
        after = page.next;
    }
    entries
}

fn readable(item: AuditItem) -> AuditEntry {
    match item {
        AuditItem::Entry(entry) => entry,
        damaged => panic!("{damaged:?}"),
    }
}

pub(super) fn findings(control: &Control) -> Vec<AuditFinding> {
    let mut verifier = AuditVerifier::new();
    log(control).iter().for_each(|entry| verifier.see(entry));
    verifier.finish(None)
}

/// The entries that came by something, as act, actor and path.
fn by(control: &Control, act: impl FnOnce()) -> Vec<AuditEntry> {
    let before = log(control).len();
    act();
    log(control).split_off(before)
}

#[track_caller]
fn one(control: &Control, act: impl FnOnce()) -> AuditEntry {
    let mut entries = by(control, act);
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

#[test]
fn a_first_start_tells_of_the_token_and_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let entries = log(&control);
    let acts: Vec<_> = entries
        .iter()
        .map(|entry| (&*entry.act, &*entry.actor, &*entry.subject.path))
        .collect();
    assert_eq!(
        acts,
        [
            ("management-token.create", "gateway", ""),
            ("account.create", "gateway", "root"),
        ]
    );
    assert_eq!(findings(&control), []);
}

#[test]
fn each_act_leaves_one_entry_that_says_who_did_what_to_what() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let secrets = std::cell::RefCell::new(vec!["sk-hush-hush".to_owned()]);
    let told = |entry: &AuditEntry| {
        assert_eq!(entry.actor, "management-token");
        (entry.act.clone(), entry.subject.path.clone())
    };
    let expect = |act: &str, path: &str| (act.to_owned(), path.to_owned());

    let entry = one(&control, || account(&control, "root", "team"));
    assert_eq!(told(&entry), expect("account.create", "root/team"));
    let entry = one(&control, || {
        patch(&control, "root/team", r#"{"alias":"T"}"#).unwrap();
    });
    assert_eq!(told(&entry), expect("account.change", "root/team"));
    assert_eq!(entry.changes, json!({ "alias": { "to": "T" } }));
    let entry = one(&control, || {
        let change = serde_json::from_value(json!({ "limits": { "rpm": 7 } })).unwrap();
        control
            .operator()
            .change_limits("root/team", &change)
            .unwrap();
    });
    assert_eq!(told(&entry), expect("limits.change", "root/team"));
    assert_eq!(entry.changes, json!({ "limits/rpm": { "to": 7 } }));

    let id = std::cell::RefCell::new(String::new());
    let entry = one(&control, || {
        let made = key(&control, "root/team");
        secrets.borrow_mut().push(made.key.expose().to_owned());
        *id.borrow_mut() = made.view.id.to_string();
    });
    let id = id.into_inner();
    assert_eq!(told(&entry), expect("key.create", "root/team"));
    assert_eq!(entry.subject.id, id);
    let entry = one(&control, || {
        let made = control.operator().rotate_key(&id, Some(5_000)).unwrap();
        secrets.borrow_mut().push(made.key.expose().to_owned());
    });
    assert_eq!(told(&entry), expect("key.rotate", "root/team"));
    assert_eq!(entry.subject.id, id);
    assert_eq!(entry.changes["grace_ms"], 5_000);
    assert_eq!(entry.changes["others"], json!({ "key": 1 }));
    assert!(entry.changes["successor"]["to"].is_string());
    let entry = one(&control, || {
        drop(control.operator().revoke_key(&id, false).unwrap())
    });
    assert_eq!(told(&entry), expect("key.revoke", "root/team"));
    // Nothing changes: nothing to tell. That answers are ended is something.
    assert_eq!(
        by(&control, || drop(
            control.operator().revoke_key(&id, false).unwrap()
        )),
        []
    );
    let entry = one(&control, || {
        drop(control.operator().revoke_key(&id, true).unwrap())
    });
    assert_eq!(entry.changes, json!({ "kill": true }));

    let secret = CredentialRequest {
        fields: [("api-key".to_owned(), "sk-hush-hush".to_owned())].into(),
    };
    for act in ["credential.create", "credential.change"] {
        let entry = one(&control, || {
            control.set_credential("main", &secret).unwrap();
        });
        assert_eq!(told(&entry), expect(act, ""));
        assert_eq!(entry.changes["secrets"], "set");
    }
    let entry = one(&control, || {
        control.delete_credential("main").unwrap();
    });
    assert_eq!(told(&entry), expect("credential.delete", ""));
    assert_eq!(entry.subject.id, "main");

    let grant = |amount: i64| GrantRequest {
        account: "root/team".into(),
        amount,
        idempotency_key: "once".into(),
        from: Some(Counterpart::Treasury),
        expires_ms: None,
    };
    let entry = one(&control, || {
        drop(control.operator().grant(&grant(50)).unwrap())
    });
    assert_eq!(told(&entry), expect("grant.add", "root/team"));
    assert_eq!(
        entry.changes,
        json!({ "amount": 50, "from": "treasury", "idempotency_key": "once" })
    );
    // Done before, and refused: nothing was done.
    assert_eq!(
        by(&control, || {
            assert!(control.operator().grant(&grant(50)).unwrap().repeated);
            assert!(control.operator().grant(&grant(49)).is_err());
            assert!(patch(&control, "root/team", r#"{"name":"a/b"}"#).is_err());
            assert!(control.delete_credential("main").is_err());
        }),
        []
    );
    let entry = one(&control, || {
        let request = ReclaimRequest {
            account: "root/team".into(),
            amount: 20,
            idempotency_key: "back".into(),
            to: Some(Counterpart::Treasury),
        };
        control.operator().reclaim(&request).unwrap();
    });
    assert_eq!(told(&entry), expect("grant.reclaim", "root/team"));

    let copy = folder.path().join("copy");
    let entry = one(&control, || {
        let request = BackupRequest {
            folder: copy.display().to_string(),
        };
        control.back_up(&request).unwrap();
    });
    assert_eq!(told(&entry), expect("backup.create", ""));
    assert_eq!(entry.subject.id, copy.display().to_string());

    let entries = by(&control, || {
        control
            .operator()
            .delete_account("root/team", DeleteMode::Cascade)
            .unwrap();
    });
    assert_eq!(told(&entries[0]), expect("account.delete", "root/team"));
    assert_eq!(entries[0].changes["mode"], "cascade");
    assert_eq!(entries[0].changes["others"], json!({ "key": 1 }));
    assert_eq!(
        (&*entries[1].act, &*entries[1].actor, entries.len()),
        ("account.archive", "gateway", 2)
    );
    assert_eq!(entries[1].changes["credit"], 30);

    assert_eq!(findings(&control), []);
    let text = serde_json::to_string(&log(&control)).unwrap();
    secrets.borrow_mut().push(
        std::fs::read_to_string(control.data().management_token())
            .unwrap()
            .trim()
            .to_owned(),
    );
    for secret in secrets.borrow().iter() {
        // Not even its beginning.
        assert!(!text.contains(&secret[..9]), "{text}");
    }
}

#[test]
fn what_is_refused_leaves_no_entry_and_after_a_failure_that_nobody_can_tell_the_log_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (control, disk) = on_filling_disk(folder.path());
    let credit = |key: &str| GrantRequest {
        account: "root".into(),
        amount: 5,
        idempotency_key: key.into(),
        from: None,
        expires_ms: None,
    };
    account(&control, "root", "a");
    let before = log(&control);
    disk.full.store(true, Ordering::Relaxed);
    assert!(patch(&control, "root/a", r#"{"alias":"x"}"#).is_err());
    assert!(control.operator().grant(&credit("k")).is_err());
    assert_eq!(log(&control), before);
    disk.full.store(false, Ordering::Relaxed);
    // The engine has the entry and then the disk fails: the next entry follows it all the same.
    for (round, fail) in [false, true, false, true, true, false]
        .into_iter()
        .enumerate()
    {
        disk.broken.store(fail, Ordering::Relaxed);
        let alias = format!(r#"{{"alias":"{round}"}}"#);
        assert_eq!(patch(&control, "root/a", &alias).is_err(), fail);
        let key = format!("{}", log(&control).len());
        assert_eq!(control.operator().grant(&credit(&key)).is_err(), fail);
    }
    assert_eq!(log(&control).len(), before.len() + 12);
    assert_eq!(findings(&control), []);
    drop(disk);
    end(control);
    assert_eq!(findings(&open(folder.path())), []);
}

#[test]
fn the_log_goes_on_after_a_restart_and_its_checkpoints_are_signed_with_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    assert_eq!(
        control.operator().audit_page(0, 1).unwrap().public_key,
        None
    );
    let first = control.audit_checkpoint().unwrap();
    first.check(None).unwrap();
    // The key was made for it, which the log tells of, and the checkpoint is of the log with that entry.
    let last = log(&control).pop().unwrap();
    assert_eq!(
        (&*last.act, last.sequence, last.hash),
        ("audit-key.create", first.sequence, first.hash)
    );
    assert_eq!(last.changes, json!({ "public_key": first.public_key }));
    account(&control, "root", "a");
    end(control);
    let control = open(folder.path());
    account(&control, "root", "b");
    assert_eq!(findings(&control), []);
    let second = control.audit_checkpoint().unwrap();
    assert_eq!(second.public_key, first.public_key);
    assert_eq!(second.sequence, first.sequence + 2);
    let page = control.operator().audit_page(0, 1).unwrap();
    assert_eq!(
        (page.public_key, page.last),
        (Some(first.public_key.clone()), second.sequence)
    );
    let mut verifier = AuditVerifier::with_checkpoint(first);
    log(&control).iter().for_each(|entry| verifier.see(entry));
    assert_eq!(verifier.finish(None), []);
}

#[test]
fn a_new_token_and_a_restore_are_told_as_done_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "a");
    let copy = folder.path().join("copy");
    control
        .back_up(&BackupRequest {
            folder: copy.display().to_string(),
        })
        .unwrap();
    let checkpoint = control.audit_checkpoint().unwrap();
    end(control);
    initialise(&config(folder.path()), true).unwrap();
    let control = open(folder.path());
    let last = log(&control).pop().unwrap();
    assert_eq!(
        (&*last.act, &*last.actor),
        ("management-token.rotate", "command-line")
    );
    assert_eq!(findings(&control), []);
    end(control);
    // A restored log is the older one: a checkpoint made since then shows that.
    std::fs::rename(
        folder.path().join("data/store"),
        folder.path().join("aside"),
    )
    .unwrap();
    restore(&config(folder.path()), &copy).unwrap();
    let control = open(folder.path());
    let entries = log(&control);
    let last = entries.last().unwrap();
    assert_eq!(
        (&*last.act, &*last.actor),
        ("backup.restore", "command-line")
    );
    assert_eq!(findings(&control), []);
    let mut verifier = AuditVerifier::with_checkpoint(checkpoint);
    entries.iter().for_each(|entry| verifier.see(entry));
    assert_ne!(verifier.finish(None), []);
}

#[test]
fn quickstart_is_told_as_done_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let entry = one(&control, || drop(control.quickstart().unwrap()));
    assert_eq!(
        (&*entry.act, &*entry.actor, &*entry.subject.path),
        ("key.create", "command-line", "root")
    );
    assert_eq!(by(&control, || drop(control.quickstart().unwrap())), []);
}

#[test]
fn a_page_has_so_many_entries_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    for name in ["a", "b", "c"] {
        account(&control, "root", name);
    }
    let page = control.operator().audit_page(1, 2).unwrap();
    let entries = page.entries.into_iter().map(readable);
    let numbers: Vec<_> = entries.map(|entry| entry.sequence).collect();
    assert_eq!((numbers, page.next, page.last), (vec![2, 3], Some(3), 5));
    let page = control.operator().audit_page(3, 2).unwrap();
    assert_eq!((page.entries.len(), page.next), (2, None));
    let page = control.operator().audit_page(9, 2).unwrap();
    assert_eq!((page.entries.len(), page.next, page.last), (0, None, 5));
    let value: Value = serde_json::to_value(control.operator().audit_page(0, 0).unwrap()).unwrap();
    assert_eq!((&value["entries"], &value["last"]), (&json!([]), &json!(5)));
}

#[test]
fn a_policy_that_is_not_there_leaves_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let draft = AttachmentDraft {
        component: "none".into(),
        ..AttachmentDraft::default()
    };
    assert_eq!(
        by(&control, || assert!(
            control.attach_policy("p", draft).is_err()
        )),
        []
    );
}

/// A bearer of an account's token could write the log, of which nothing is ever taken out, as long as he likes.
#[test]
fn an_act_that_changes_nothing_leaves_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "team");
    let change = |body: &str| {
        patch(&control, "root/team", body).unwrap();
    };
    for body in [
        r#"{"email":"a@b.c"}"#,
        r#"{"limits":{"rpm":3}}"#,
        r#"{"models":["m"]}"#,
        r#"{"status":"suspended"}"#,
    ] {
        assert_eq!(by(&control, || change(body)).len(), 1, "{body}");
        assert_eq!(by(&control, || change(body)), [], "{body}");
    }
    assert_eq!(by(&control, || change(r#"{"billing":null}"#)), []);
    assert_eq!(by(&control, || change(r#"{"parent":"root"}"#)), []);
}
