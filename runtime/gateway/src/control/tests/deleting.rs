//! How accounts leave the tree: nothing under way is lost, credit goes up, names become free.

use tollgate_governance::{Admission, Ask, DeleteMode};

use super::*;

/// Admits a request of a key, held open until it is settled or dropped.
fn admit(control: &Control, key: &IssuedKey) -> Admission {
    let mac = control.hasher().mac(key.key.expose());
    let caller = control.snapshot().accounts.find(&mac).unwrap();
    let ask = Ask {
        request: uuid::Uuid::now_v7(),
        model: "m",
        input: 1,
        expected: 1,
        output: 1,
        least_output: 1,
        price: &|_| 1,
    };
    control
        .counters()
        .admit(&caller.path, &ask, now_ms())
        .unwrap()
}

fn fund(control: &Control, account: &str, amount: i64) {
    let request = GrantRequest {
        account: account.to_owned(),
        amount,
        idempotency_key: format!("to {account}"),
        from: Some(Counterpart::Treasury),
        expires_ms: None,
    };
    control.operator().grant(&request).unwrap();
}

fn paths(control: &Control) -> Vec<String> {
    let accounts = control
        .operator()
        .accounts(&Listing::default())
        .unwrap()
        .accounts;
    accounts.into_iter().map(|account| account.path).collect()
}

#[test]
fn an_account_with_something_hanging_on_it_is_kept_unless_a_mode_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "a");
    account(&control, "root/a", "b");
    let refused = |target: &str, word: &str| {
        let error = control
            .operator()
            .delete_account(target, DeleteMode::Refuse)
            .unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
        assert!(error.message.contains(word), "{error}");
    };
    refused("root", "root");
    refused("root/a", "accounts under it");
    let key = key(&control, "root/a/b");
    refused("root/a/b", "active keys");
    let running = admit(&control, &key);
    control
        .operator()
        .revoke_key(&key.view.id.to_string(), false)
        .unwrap();
    refused("root/a/b", "under way");
    drop(running);
    fund(&control, "root/a/b", 5);
    refused("root/a/b", "credit");
    let gone = control
        .operator()
        .delete_account("root/a", DeleteMode::Cascade)
        .unwrap();
    assert_eq!(
        (gone.accounts, gone.state),
        (2, tollgate_governance::Status::Archived)
    );
    assert_eq!(paths(&control), ["root"]);
    assert_eq!(control.operator().wallet("root").unwrap().available, 5);
    assert_eq!(control.operator().archived_accounts().accounts.len(), 2);
    account(&control, "root", "a");
}

#[test]
fn a_deleted_account_waits_for_its_requests_then_its_credit_goes_up_across_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "a");
    patch(&control, "root/a", r#"{"billing":"prepaid"}"#).unwrap();
    fund(&control, "root/a", 10);
    let key = key(&control, "root/a");
    let running = admit(&control, &key);
    let gone = control
        .operator()
        .delete_account("root/a", DeleteMode::Cascade)
        .unwrap();
    assert_eq!(gone.state, tollgate_governance::Status::Closing);
    assert!(!known(&control, key.key.expose()), "no new request");
    assert!(control.archive_drained().is_none());
    let closing = control.operator().account("root/a").unwrap();
    assert_eq!(
        (closing.account.status, closing.effective.used.running),
        (tollgate_governance::Status::Closing, 1)
    );
    assert_eq!(control.operator().wallet("root/a").unwrap().held, 1);
    let error = patch(&control, "root/a", r#"{"status":"active"}"#).unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    drop(running);
    // The process ends before the account is archived; the next one goes on with it.
    end(control);
    let control = open(folder.path());
    assert_eq!(paths(&control), ["root", "root/a"]);
    assert!(control.archive_drained().is_none());
    assert_eq!(paths(&control), ["root"]);
    assert_eq!(control.operator().wallet("root").unwrap().available, 10);
    assert_eq!(control.ledger_status().unwrap().imbalance, 0);
}

#[test]
fn what_is_below_a_deleted_account_moves_up_when_asked_and_keeps_working() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "a");
    account(&control, "root/a", "b");
    let kept = key(&control, "root/a/b");
    let lost = key(&control, "root/a");
    control
        .operator()
        .delete_account("root/a", DeleteMode::Reparent)
        .unwrap();
    assert_eq!(paths(&control), ["root", "root/b"]);
    assert!(known(&control, kept.key.expose()) && !known(&control, lost.key.expose()));
}

#[test]
fn the_thread_archives_what_has_drained_and_ends_with_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "a");
    let key = key(&control, "root/a");
    let running = admit(&control, &key);
    control.tend().unwrap();
    control
        .operator()
        .delete_account("root/a", DeleteMode::Cascade)
        .unwrap();
    drop(running);
    while control.operator().account("root/a").is_ok() {
        std::thread::sleep(Duration::from_millis(10));
    }
    end(control);
}

#[test]
fn a_quiet_ledger_gets_no_checkpoint_and_a_day_of_tending_changes_no_balance() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    fund(&control, "root", 10);
    for second in [1, 60, 3_600, 7_200] {
        control.tend_at(second);
    }
    let ledger = control.ledger_status().unwrap();
    assert_eq!(
        (ledger.records_since_checkpoint, ledger.totals.wallets),
        (1, 10)
    );
}
