//! Making, replacing and revoking keys.

use super::*;
use crate::calendar::Zone;
use crate::key::KeyState;
use crate::ledger::Ledger;

#[test]
fn a_revoked_key_is_unknown_to_the_next_snapshot_and_stays_so() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    let (id, token) = bench.key("root/a");
    let before = bench.directory.snapshot();
    bench.revoke(id);
    assert!(bench.find(&token).is_none());
    // Changes of the account, its use and a restart do not resurrect it.
    let caller = before.find(&bench.hasher.mac(&token)).unwrap();
    caller.used_at(9_000_000);
    bench.patch("root/a", r#"{"limits":{"rpm":5}}"#).unwrap();
    bench.attach("p", "root/a", 0);
    assert!(bench.find(&token).is_none());
    let again = bench.reloaded().snapshot();
    assert!(again.find(&bench.hasher.mac(&token)).is_none());
    let twice = bench.directory.revoke_key(&id.to_string(), 9);
    assert_eq!(twice.unwrap(), []);
    // A request that is under way keeps the picture it began with.
    assert!(before.find(&bench.hasher.mac(&token)).is_some());
    assert!(bench.directory.revoke_key("nonsense", 9).is_err());
}

/// Requests under way keep the caller they began with, and note its use when the key is long gone; so does a row that a
/// start reads again. A write-back of the whole key would bring it back to life, for this process or for the next.
#[test]
fn a_use_that_is_written_back_after_the_revocation_does_not_bring_the_key_back() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    let (id, token) = bench.key("root/a");
    let late = bench.find(&token).unwrap();
    bench.revoke(id);
    let revoked = Arc::clone(bench.directory.key(id).unwrap());
    late.used_at(9_000_000);
    assert_eq!(bench.directory.last_used(id), Some(9_000_000), "it is told");
    let row = UsageRow {
        key: id,
        admitted_ms: 9_500_000,
        ..UsageRow::default()
    };
    let counters = Counters::new(Zone::utc(), Ledger::default());
    bench.directory.seed(&counters, &row, 9_600_000);
    assert_eq!(bench.directory.last_used(id), Some(9_500_000));
    assert!(bench.find(&token).is_none());
    assert_eq!(bench.directory.key(id), Some(&revoked));
    let again = bench.reloaded().snapshot();
    assert!(again.find(&bench.hasher.mac(&token)).is_none());
}

#[test]
fn an_account_may_have_several_keys_and_revoking_one_leaves_the_others() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    let (first, one) = bench.key("root/a");
    let (second, two) = bench.key("root/a");
    assert_ne!((first, &one), (second, &two));
    bench.revoke(first);
    assert!(bench.find(&one).is_none());
    assert_eq!(bench.find(&two).unwrap().id(), second);
}

#[test]
fn a_key_works_from_its_beginning_until_its_expiry_and_not_a_millisecond_longer() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    let (id, token) = bench
        .key_with("root/a", r#"{"not_before_ms":5000,"expires_ms":9000}"#)
        .unwrap();
    let caller = bench.find(&token).unwrap();
    for (now, state) in [
        (4_999, KeyState::NotYet),
        (5_000, KeyState::Active),
        (8_999, KeyState::Active),
        (9_000, KeyState::Expired),
    ] {
        let valid = state == KeyState::Active;
        assert_eq!(caller.is_valid_at(now), valid, "{now}");
        assert_eq!(bench.directory.key(id).unwrap().state_at(now), state);
    }
    bench.revoke(id);
    let revoked = bench.directory.key(id).unwrap();
    assert_eq!(revoked.state_at(5_000), KeyState::Revoked);
}

#[test]
fn a_key_that_could_never_work_is_refused_when_it_is_made() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench.now = 5_000;
    for times in [
        r#"{"expires_ms":5000}"#,
        r#"{"expires_ms":1}"#,
        r#"{"not_before_ms":9000,"expires_ms":9000}"#,
    ] {
        let refused = bench.key_with("root/a", times).unwrap_err();
        assert_eq!(field(refused), "expires_ms", "{times}");
    }
    for (draft, wrong) in [
        (r#"{"scope":{"models":[""]}}"#, "scope.models"),
        (r#"{"scope":{"providers":["a/b"]}}"#, "scope.providers"),
        (r#"{"scope":{"endpoints":[""]}}"#, "scope.endpoints"),
        (r#"{"scope":{"cidrs":["everywhere"]}}"#, "cidrs"),
        (r#"{"label":"a\nb"}"#, "label"),
    ] {
        let refused = bench.key_with("root/a", draft).unwrap_err();
        assert_eq!(field(refused), wrong, "{draft}");
    }
    assert_eq!(
        field(bench.key_with("root/x", "{}").unwrap_err()),
        "account"
    );
    assert!(bench.directory.keys().is_empty());
}

#[test]
fn a_replaced_key_works_on_for_its_grace_and_its_successor_may_do_the_same() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    let draft = r#"{"label":"laptop","scope":{"models":["gpt-*"]},"expires_ms":900000000}"#;
    let (old, old_token) = bench.key_with("root/a", draft).unwrap();
    let (new, new_token) = bench.rotate(old, DEFAULT_GRACE_MS, 10_000).unwrap();

    let (before, after) = (
        bench.find(&old_token).unwrap(),
        bench.find(&new_token).unwrap(),
    );
    let end = 10_000 + DEFAULT_GRACE_MS;
    assert!(before.is_valid_at(end - 1) && !before.is_valid_at(end));
    assert!(after.is_valid_at(end));
    assert_eq!((before.id(), after.id()), (old, new));
    let key = |id| bench.directory.key(id).unwrap();
    assert_eq!(key(old).successor, Some(new));
    assert_eq!(key(new).scope, key(old).scope);
    assert_eq!(
        (&*key(new).label, key(new).account),
        ("laptop", key(old).account)
    );
    assert_eq!(key(new).expires_ms, Some(900_000_000));
}

#[test]
fn grace_never_lets_a_key_outlive_its_own_expiry_and_without_grace_it_stops_now() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    let (short, _) = bench.key_with("root/a", r#"{"expires_ms":20000}"#).unwrap();
    bench.rotate(short, DEFAULT_GRACE_MS, 10_000).unwrap();
    assert_eq!(bench.directory.key(short).unwrap().expires_ms, Some(20_000));
    let (forever, _) = bench.key("root/a");
    bench.rotate(forever, u64::MAX, 10_000).unwrap();
    let key = bench.directory.key(forever).unwrap();
    assert_eq!(key.state_at(u64::MAX - 1), KeyState::Active);

    let (now, token) = bench.key("root/a");
    let (_, successor) = bench.rotate(now, 0, 10_000).unwrap();
    assert!(bench.find(&token).is_none());
    assert!(bench.find(&successor).unwrap().is_valid_at(10_000));
}

#[test]
fn a_key_is_replaced_once_and_only_while_it_works() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    let (key, _) = bench.key("root/a");
    bench.rotate(key, 5_000, 10_000).unwrap();
    let twice = bench.rotate(key, 5_000, 10_001).unwrap_err();
    assert!(twice.to_string().contains("successor"), "{twice}");
    assert!(bench.rotate(key, 5_000, 15_000).is_err(), "expired");

    let (revoked, _) = bench.key("root/a");
    bench.revoke(revoked);
    assert!(bench.rotate(revoked, 5_000, 10_000).is_err());
    assert!(matches!(
        bench.rotate(KeyId::default(), 0, 1),
        Err(DirectoryError::NotFound { what: "key", .. })
    ));
    // A key whose time has not come can be lost, too; its successor begins when it would have.
    let (future, _) = bench
        .key_with("root/a", r#"{"not_before_ms":99000}"#)
        .unwrap();
    let (next, _) = bench.rotate(future, 5_000, 10_000).unwrap();
    assert_eq!(
        bench.directory.key(next).unwrap().not_before_ms,
        Some(99_000)
    );
    assert_eq!(bench.directory.keys().len(), 5);
}

#[test]
fn the_last_use_of_a_key_is_known_across_snapshots_and_changes_of_its_account() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    let (id, token) = bench.key("root/a");
    assert_eq!(bench.directory.last_used(id), None);
    let caller = bench.find(&token).unwrap();
    caller.used_at(50_000);
    bench.patch("root/a", r#"{"alias":"A"}"#).unwrap();
    bench.find(&token).unwrap().used_at(60_000);
    // A request that began long ago and a clock that was set back do not turn it back.
    caller.used_at(40_000);
    assert_eq!(bench.directory.last_used(id), Some(60_000));
    let (_, _) = bench.rotate(id, 5_000, 70_000).unwrap();
    assert_eq!(bench.directory.last_used(id), Some(60_000));
}
