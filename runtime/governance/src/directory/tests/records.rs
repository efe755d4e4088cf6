//! What is stored loads again, and what does not fit together does not.

use super::*;
use crate::account::{Account, Status};
use crate::record::RecordKind;
use crate::upstream::UpstreamDraft;

/// Every boundary there is.
const BOUNDARIES: &str = r#"{"alias":"B","email":"b@x","tags":{"cc":"1"},"status":"suspended",
    "models":["m"],"denied_models":["n*"],"providers":["echo"],"endpoints":[],"cidrs":["10.0.0.0/8"],
    "model_map":{"fast":"m"},"output_cap":9,"default_output":8,
    "limits":{"rpm":1,"rph":2,"rpd":3,"tpm":4,"tph":5,"tpd":6,"concurrency":7,"daily_limit":8,"monthly_limit":9},
    "model_limits":{"m*":{"tpd":1}},"price_factor":1100000,"on_exhaust":"cut","budget_mode":"soft",
    "billing":"prepaid","keep_answers":false}"#;

#[test]
fn what_is_stored_loads_to_the_same_directory() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench.account_with("root/a", "b", BOUNDARIES).unwrap();
    // A parent that is younger than its child.
    bench.account("root", "young").unwrap();
    bench
        .patch("root/a", r#"{"parent":"root/young","alias":"A"}"#)
        .unwrap();
    let scope =
        r#"{"scope":{"models":[],"cidrs":["::1/128"]},"not_before_ms":5,"expires_ms":9999}"#;
    let (old, _) = bench.key_with("root/young/a/b", scope).unwrap();
    let (_, token) = bench.rotate(old, 100, 2_000).unwrap();
    bench.attach("p", "root/young", 0);
    let sealed = (vec!["key".into()], vec![0, 255]);
    let made = bench.directory.put_credential("c", sealed.0, sealed.1, 1);
    bench.directory.apply(&made.unwrap().1);
    let draft: UpstreamDraft =
        serde_json::from_str(r#"{"provider":"echo","credential":"c","config":{"a":1}}"#).unwrap();
    let (_, changes) = bench.directory.put_upstream("up", draft, 1).unwrap();
    bench.directory.apply(&changes);

    let again = bench.reloaded();
    assert!(again.accounts().eq(bench.directory.accounts()));
    assert_eq!(again.keys(), bench.directory.keys());
    assert!(again.upstreams().eq(bench.directory.upstreams()));
    assert!(again.credentials().eq(bench.directory.credentials()));
    let caller = again.snapshot().find(&bench.hasher.mac(&token)).unwrap();
    assert_eq!(caller.path.names(), "root/young/a/b");
    assert_eq!(caller.path.attachments().count(), 1);
    assert!(!caller.path.is_enabled() && caller.resolve("m").is_none());
}

#[test]
fn the_status_is_part_of_the_record() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench.patch("root/a", r#"{"status":"suspended"}"#).unwrap();
    let again = bench.reloaded();
    assert_eq!(again.account("root/a").unwrap().status, Status::Suspended);
}

#[test]
fn unset_and_empty_stay_distinct_in_the_stored_record() {
    let mut bench = Bench::new();
    bench.account("root", "unset").unwrap();
    bench
        .account_with("root", "empty", r#"{"models":[],"providers":[]}"#)
        .unwrap();
    let again = bench.reloaded();
    let models = |name: &str| again.account(name).unwrap().models.clone();
    assert_eq!(models("root/unset"), None);
    assert_eq!(models("root/empty"), Some(vec![]));
    let path = |name: &str| again.path(again.account(name).unwrap().id).unwrap();
    assert!(path("root/unset").allows_model("m") && path("root/unset").allows_provider("p"));
    assert!(!path("root/empty").allows_model("m") && !path("root/empty").allows_provider("p"));
}

/// A version before `keep_answers` kept answers for everybody, and goes on to.
#[test]
fn a_root_of_a_version_that_did_not_ask_whether_answers_are_kept_has_opted_in() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench
        .account_with("root", "off", r#"{"keep_answers":false}"#)
        .unwrap();
    let root = Change::from(Record::Account(Arc::clone(bench.directory.root().unwrap())));
    let text = String::from_utf8(root.bytes().unwrap()).unwrap();
    let old = text.replace(r#","keep_answers":true"#, "");
    assert_ne!(text, old, "a new root says it");
    let old = Record::decode(RecordKind::Account, old.as_bytes()).unwrap();
    let others = bench
        .directory
        .accounts()
        .filter(|account| account.parent.is_some())
        .map(|account| Record::Account(Arc::clone(account)));
    let again = Directory::load(others.chain([old])).unwrap();
    assert_eq!(again.root().unwrap().keep_answers, None);
    let keeps = |name: &str| {
        let account = again.account(name).unwrap().id;
        again.path(account).unwrap().keeps_answers()
    };
    assert!(keeps("root") && keeps("root/a"));
    assert!(!keeps("root/off"));
}

#[test]
fn records_that_do_not_fit_together_are_refused() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench.account("root/a", "b").unwrap();
    bench.key("root/a/b");
    let account = |path: &str| Arc::clone(bench.directory.account(path).unwrap());
    let (root, a, b) = (account("root"), account("root/a"), account("root/a/b"));
    let key = Arc::clone(bench.directory.keys()[0]);
    let load = |records: Vec<Record>| Directory::load(records);
    let of = |account: &Arc<Account>| Record::Account(Arc::clone(account));
    let altered = |account: &Arc<Account>, alter: &dyn Fn(&mut Account)| {
        let mut copy = Account::clone(account);
        alter(&mut copy);
        Record::Account(Arc::new(copy))
    };

    assert!(load(vec![]).unwrap().root().is_none());
    assert!(load(vec![of(&b), of(&a), of(&root)]).is_ok());
    assert!(load(vec![of(&a), of(&b)]).is_err(), "no root");
    assert!(
        load(vec![Record::Key(Arc::clone(&key))]).is_err(),
        "a key and no root"
    );
    assert!(load(vec![of(&root), of(&b)]).is_err(), "a missing parent");
    assert!(
        load(vec![of(&root), of(&a), Record::Key(key)]).is_err(),
        "a key without its account"
    );
    assert!(
        load(vec![of(&root), of(&a), altered(&b, &|b| b.parent = None)]).is_err(),
        "two roots"
    );
    let ring = vec![of(&root), altered(&a, &|a| a.parent = Some(b.id)), of(&b)];
    assert!(load(ring).is_err(), "a ring");
    let twins = vec![
        of(&root),
        of(&a),
        altered(&b, &|twin| {
            (twin.parent, twin.name) = (Some(root.id), "a".into())
        }),
    ];
    assert!(load(twins).is_err(), "twins");
}

#[test]
fn damaged_and_newer_records_are_told_apart_and_not_quoted() {
    let damaged =
        Record::decode(RecordKind::Credential, br#"{"v":1,"name":"topsecret"}"#).unwrap_err();
    assert!(damaged.to_string().contains("damaged") && !damaged.to_string().contains("topsecret"));
    let newer = Record::decode(RecordKind::Account, br#"{"v":2,"whatever":true}"#).unwrap_err();
    assert!(newer.to_string().contains("version 2"));
    assert!(Record::decode(RecordKind::Account, b"").is_err());
}

#[test]
fn a_limit_that_only_a_newer_version_knows_stops_an_older_one() {
    let mut bench = Bench::new();
    bench.patch("root", r#"{"limits":{"rpm":1}}"#).unwrap();
    let root = Change::from(Record::Account(Arc::clone(bench.directory.root().unwrap())));
    let text = String::from_utf8(root.bytes().unwrap()).unwrap();
    let with_more = text.replace(r#""limits":{"#, r#""limits":{"rpw":7,"#);
    assert_ne!(text, with_more);
    assert!(Record::decode(RecordKind::Account, text.as_bytes()).is_ok());
    assert!(Record::decode(RecordKind::Account, with_more.as_bytes()).is_err());
}
