//! Management tokens of accounts: whom they let in, until when, and what becomes of them with their account.

use super::*;
use crate::management::Role;

const READ: &str = r#"{"role":"read","label":"auditor"}"#;
const MANAGE: &str = r#"{"role":"manage"}"#;

fn tree() -> Bench {
    let mut bench = Bench::new();
    bench.account("root", "dept").unwrap();
    bench.account("root/dept", "alice").unwrap();
    bench
}

fn lets_in(bench: &Bench, token: &str, now: u64) -> Option<TokenId> {
    let mac = bench.hasher.mac(token);
    bench.directory.bearer(&mac, now).map(|token| token.id)
}

#[test]
fn a_token_lets_in_until_it_is_revoked_or_over_and_is_no_key() {
    let mut bench = tree();
    let (id, token) = bench
        .token("root/dept", r#"{"role":"manage","expires_ms":9000}"#)
        .unwrap();
    assert_eq!(lets_in(&bench, &token, 8_999), Some(id));
    assert_eq!(lets_in(&bench, &token, 9_000), None);
    assert!(bench.find(&token).is_none(), "it calls no model");
    let (_, key) = bench.key("root/dept");
    assert_eq!(lets_in(&bench, &key, 1_000), None);
    let (other, second) = bench.token("root/dept", READ).unwrap();
    let changes = bench.directory.revoke_token(id, 2_000).unwrap();
    bench.directory.apply(&changes);
    assert_eq!(lets_in(&bench, &token, 2_000), None);
    assert_eq!(lets_in(&bench, &second, 2_000), Some(other));
    assert!(bench.directory.revoke_token(id, 3_000).unwrap().is_empty());
    assert!(bench.directory.revoke_token(TokenId::default(), 1).is_err());
    assert_eq!(bench.directory.tokens().len(), 2);
}

#[test]
fn a_token_that_could_never_work_and_one_without_a_role_are_refused() {
    let mut bench = tree();
    bench.now = 5_000;
    let over = r#"{"role":"read","expires_ms":5001}"#;
    assert_eq!(
        field(bench.token("root/dept", over).unwrap_err()),
        "expires_ms"
    );
    assert_eq!(
        field(bench.token("root/none", READ).unwrap_err()),
        "account"
    );
    assert!(serde_json::from_str::<crate::TokenDraft>(r#"{"account":"root"}"#).is_err());
}

#[test]
fn a_token_is_refused_while_its_account_or_one_above_it_is_not_active() {
    let mut bench = tree();
    let (id, token) = bench.token("root/dept/alice", MANAGE).unwrap();
    for account in ["root/dept/alice", "root/dept", "root"] {
        bench.patch(account, r#"{"status":"suspended"}"#).unwrap();
        assert_eq!(lets_in(&bench, &token, bench.now), None, "{account}");
        bench.patch(account, r#"{"status":"active"}"#).unwrap();
        assert_eq!(lets_in(&bench, &token, bench.now), Some(id), "{account}");
    }
}

#[test]
fn tokens_move_with_their_account_and_go_with_it() {
    let mut bench = tree();
    let (id, token) = bench.token("root/dept/alice", MANAGE).unwrap();
    let (_, above) = bench.token("root", READ).unwrap();
    bench
        .patch("root/dept/alice", r#"{"parent":"root"}"#)
        .unwrap();
    assert_eq!(lets_in(&bench, &token, bench.now), Some(id));
    let refused = bench.close("root/alice", DeleteMode::Refuse).unwrap_err();
    assert!(
        refused.to_string().contains("management tokens"),
        "{refused}"
    );
    let alice = bench.directory.account("root/alice").unwrap().id;
    bench.close("root/alice", DeleteMode::Cascade).unwrap();
    assert_eq!(lets_in(&bench, &token, bench.now), None);
    assert!(bench.directory.token(id).unwrap().revoked_ms.is_some());
    assert!(
        bench.token("root/alice", READ).is_err(),
        "none is made for it"
    );
    bench.archive(alice).unwrap();
    assert_eq!(bench.directory.token(id), None);
    assert!(lets_in(&bench, &above, bench.now).is_some());
}

#[test]
fn tokens_survive_a_restart_with_when_they_were_last_shown() {
    let mut bench = tree();
    let (id, token) = bench.token("root/dept", READ).unwrap();
    let (gone, revoked) = bench.token("root/dept", MANAGE).unwrap();
    let changes = bench.directory.revoke_token(gone, 2_000).unwrap();
    bench.directory.apply(&changes);
    assert_eq!(bench.directory.token_last_used(id), None);
    assert!(bench.directory.tokens_used().is_empty());
    lets_in(&bench, &token, 7_000);
    lets_in(&bench, &token, 6_000);
    let used = bench.directory.tokens_used();
    assert_eq!(used.len(), 1);
    bench.directory.apply(&used);
    assert!(bench.directory.tokens_used().is_empty(), "once");
    bench.directory = bench.reloaded();
    assert_eq!(bench.directory.token_last_used(id), Some(7_000));
    assert_eq!(bench.directory.token(id).unwrap().role, Role::Read);
    assert_eq!(lets_in(&bench, &token, 8_000), Some(id));
    assert_eq!(lets_in(&bench, &revoked, 8_000), None);
}

/// The last use of a token is written down in its record, which also says that it is revoked.
#[test]
fn a_use_that_is_written_back_after_the_revocation_does_not_bring_the_token_back() {
    let mut bench = tree();
    let (id, token) = bench.token("root/dept", MANAGE).unwrap();
    lets_in(&bench, &token, 7_000);
    let changes = bench.directory.revoke_token(id, 8_000).unwrap();
    bench.directory.apply(&changes);
    let used = bench.directory.tokens_used();
    assert_eq!(used.len(), 1, "its use is written down all the same");
    bench.directory.apply(&used);
    for _ in 0..2 {
        assert_eq!(lets_in(&bench, &token, 9_000), None);
        let record = bench.directory.token(id).unwrap();
        assert_eq!(record.revoked_ms, Some(8_000));
        assert_eq!(record.last_used_ms, Some(7_000));
        bench.directory = bench.reloaded();
    }
}

#[test]
fn a_token_of_an_account_that_is_not_there_does_not_load() {
    let mut bench = tree();
    bench.token("root/dept", READ).unwrap();
    let root = Record::Account(Arc::clone(bench.directory.root().unwrap()));
    let token = Record::Token(Arc::clone(bench.directory.tokens()[0]));
    assert!(Directory::load([root, token]).is_err());
}
