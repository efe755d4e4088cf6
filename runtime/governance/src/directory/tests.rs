//! What operations on the directory refuse, change and keep.

use super::*;
use crate::account::{AccountPatch, Limits, NewAccount, Status};
use crate::attachment::AttachmentDraft;
use crate::random::Seeded;
use crate::record::{Record, RecordKind};
use crate::token::KeyHasher;
use crate::upstream::UpstreamDraft;

/// A directory with a hand to work it.
pub(crate) struct Bench {
    pub(crate) directory: Directory,
    pub(crate) random: Seeded,
    pub(crate) hasher: KeyHasher,
    pub(crate) now: u64,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let (directory, random) = (Directory::default(), Seeded::new(1));
        let hasher = KeyHasher::new(&[9; 32]);
        let mut bench = Self {
            directory,
            random,
            hasher,
            now: 1_000,
        };
        let (_, changes) = bench
            .directory
            .create_root(bench.now, &mut bench.random)
            .unwrap();
        bench.directory.apply(&changes);
        bench
    }

    pub(crate) fn account(
        &mut self,
        parent: &str,
        name: &str,
    ) -> Result<AccountId, DirectoryError> {
        self.account_with(parent, name, None, Limits::default())
    }

    pub(crate) fn account_with(
        &mut self,
        parent: &str,
        name: &str,
        models: Option<&[&str]>,
        limits: Limits,
    ) -> Result<AccountId, DirectoryError> {
        self.now += 1;
        let new = NewAccount {
            name: name.to_owned(),
            parent: Some(parent.to_owned()),
            models: models.map(|list| list.iter().map(|m| (*m).to_owned()).collect()),
            limits,
            ..NewAccount::default()
        };
        let (account, changes) = self
            .directory
            .create_account(new, self.now, &mut self.random)?;
        self.directory.apply(&changes);
        Ok(account.id)
    }

    pub(crate) fn patch(&mut self, target: &str, patch: &str) -> Result<(), DirectoryError> {
        self.now += 1;
        let patch: AccountPatch = serde_json::from_str(patch).unwrap();
        let (_, changes) = self.directory.update_account(target, &patch, self.now)?;
        self.directory.apply(&changes);
        Ok(())
    }

    /// Makes a key and returns its id and text.
    pub(crate) fn key(&mut self, account: &str) -> (KeyId, String) {
        let made =
            self.directory
                .create_key(account, "k", &self.hasher, self.now, &mut self.random);
        let (new, changes) = made.unwrap();
        self.directory.apply(&changes);
        (new.key.id, new.token.expose().to_owned())
    }

    fn find(&self, token: &str) -> Option<Arc<Caller>> {
        self.directory
            .snapshot()
            .find(&self.hasher.mac(token))
            .cloned()
    }

    fn attach(&mut self, id: &str, account: &str, order: i64) {
        let draft = AttachmentDraft {
            component: "redact".to_owned(),
            account: Some(account.to_owned()),
            order,
            ..AttachmentDraft::default()
        };
        let (_, changes) = self.directory.put_attachment(id, draft, self.now).unwrap();
        self.directory.apply(&changes);
    }

    /// Everything through its stored bytes and back.
    fn reloaded(&self) -> Directory {
        let mut records: Vec<Record> = Vec::new();
        records.extend(
            self.directory
                .accounts()
                .map(|a| Record::Account(Arc::clone(a))),
        );
        records.extend(
            self.directory
                .keys()
                .into_iter()
                .map(|k| Record::Key(Arc::clone(k))),
        );
        records.extend(
            self.directory
                .upstreams()
                .map(|u| Record::Upstream(Arc::clone(u))),
        );
        records.extend(
            self.directory
                .attachments()
                .map(|a| Record::Attachment(Arc::clone(a))),
        );
        records.extend(
            self.directory
                .credentials()
                .map(|c| Record::Credential(Arc::clone(c))),
        );
        // The store gives them back in whatever order.
        records.reverse();
        Directory::load(records.into_iter().map(|record| {
            let change = Change::from(record);
            Record::decode(change.kind(), &change.bytes().unwrap()).unwrap()
        }))
        .unwrap()
    }
}

fn field(error: DirectoryError) -> &'static str {
    error.field().unwrap()
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
    assert_eq!(bench.find(&token).unwrap().path.nodes.len(), 2_001);
}

#[test]
fn names_are_unique_among_siblings_only() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench.account("root", "b").unwrap();
    bench.account("root/a", "x").unwrap();
    bench.account("root/b", "x").unwrap();
    assert_eq!(field(bench.account("root", "a").unwrap_err()), "name");
    assert_eq!(
        field(bench.patch("root/b", r#"{"name":"a"}"#).unwrap_err()),
        "name"
    );
    assert_eq!(
        field(
            bench
                .patch("root/b/x", r#"{"parent":"root/a"}"#)
                .unwrap_err()
        ),
        "name"
    );
    // Its own name is no clash; a freed name can be taken.
    bench.patch("root/b", r#"{"name":"b"}"#).unwrap();
    bench.patch("root/a", r#"{"name":"c"}"#).unwrap();
    bench.account("root", "a").unwrap();
    assert!(bench.directory.account("root/c/x").is_ok());
}

#[test]
fn a_move_under_oneself_is_refused() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench.account("root/a", "b").unwrap();
    bench.account("root/a/b", "c").unwrap();
    for target in ["root/a", "root/a/b", "root/a/b/c"] {
        let patch = format!(r#"{{"parent":"{target}"}}"#);
        assert_eq!(
            field(bench.patch("root/a", &patch).unwrap_err()),
            "parent",
            "{target}"
        );
    }
    bench.patch("root/a/b/c", r#"{"parent":"root"}"#).unwrap();
    bench.patch("root/a", r#"{"parent":"root/c"}"#).unwrap();
    assert!(bench.directory.account("root/c/a/b").is_ok());
    assert_eq!(bench.directory.accounts().count(), 4);
}

#[test]
fn the_root_stays_what_it_is() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    assert!(bench.directory.create_root(1, &mut Seeded::new(1)).is_err());
    assert_eq!(
        field(bench.patch("root", r#"{"name":"x"}"#).unwrap_err()),
        "name"
    );
    assert_eq!(
        field(bench.patch("root", r#"{"parent":"root/a"}"#).unwrap_err()),
        "parent"
    );
    assert!(bench.directory.delete_account("root").is_err());
    bench
        .patch("root", r#"{"time_zone":"Europe/Berlin"}"#)
        .unwrap();
    assert_eq!(
        field(
            bench
                .patch("root", r#"{"time_zone":"Nowhere"}"#)
                .unwrap_err()
        ),
        "time_zone"
    );
    assert_eq!(
        field(bench.patch("root/a", r#"{"time_zone":"UTC"}"#).unwrap_err()),
        "time_zone"
    );
}

#[test]
fn deleting_refuses_while_children_or_active_keys_exist() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench.account("root/a", "b").unwrap();
    assert!(matches!(
        bench.directory.delete_account("root/a"),
        Err(DirectoryError::Conflict { .. })
    ));
    let (key, _) = bench.key("root/a/b");
    assert!(matches!(
        bench.directory.delete_account("root/a/b"),
        Err(DirectoryError::Conflict { .. })
    ));
    bench.attach("p", "root/a/b", 0);
    let changes = bench.directory.revoke_key(&key.to_string(), 5).unwrap();
    bench.directory.apply(&changes);
    let changes = bench.directory.delete_account("root/a/b").unwrap();
    bench.directory.apply(&changes);
    assert!(bench.directory.account("root/a/b").is_err());
    assert!(bench.directory.key(key).is_none() && bench.directory.attachment("p").is_none());
    // What is left loads again: nothing dangles.
    assert_eq!(bench.reloaded().accounts().count(), 2);
}

#[test]
fn a_revoked_key_is_unknown_to_the_next_snapshot_and_stays_so() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    let (id, token) = bench.key("root/a");
    let before = bench.directory.snapshot();
    let changes = bench.directory.revoke_key(&id.to_string(), 7).unwrap();
    bench.directory.apply(&changes);
    assert!(bench.find(&token).is_none());
    // Changes of the account, which recompute its keys, do not resurrect it; nor does a restart.
    bench.patch("root/a", r#"{"limits":{"rpm":5}}"#).unwrap();
    bench.attach("p", "root/a", 0);
    assert!(bench.find(&token).is_none());
    assert!(
        bench
            .reloaded()
            .snapshot()
            .find(&bench.hasher.mac(&token))
            .is_none()
    );
    assert_eq!(bench.directory.revoke_key(&id.to_string(), 9).unwrap(), []);
    // A request that is under way keeps the picture it began with.
    assert!(before.find(&bench.hasher.mac(&token)).is_some());
    assert!(bench.directory.revoke_key("nonsense", 9).is_err());
}

#[test]
fn disabling_a_department_stops_everything_under_it_at_once() {
    let mut bench = Bench::new();
    bench.account("root", "dept").unwrap();
    bench.account("root/dept", "team").unwrap();
    bench.account("root", "other").unwrap();
    let (_, inside) = bench.key("root/dept/team");
    let (_, outside) = bench.key("root/other");
    bench
        .patch("root/dept", r#"{"status":"suspended"}"#)
        .unwrap();
    assert!(!bench.find(&inside).unwrap().path.enabled);
    assert!(bench.find(&outside).unwrap().path.enabled);
    bench.patch("root/dept", r#"{"status":"active"}"#).unwrap();
    assert!(bench.find(&inside).unwrap().path.enabled);
}

#[test]
fn every_change_above_a_key_reaches_the_key() {
    let mut bench = Bench::new();
    bench.account("root", "dept").unwrap();
    bench.account("root/dept", "team").unwrap();
    let (_, token) = bench.key("root/dept/team");
    let path = |bench: &Bench| Arc::clone(&bench.find(&token).unwrap().path);

    bench.patch("root", r#"{"models":["gpt-*"]}"#).unwrap();
    assert!(path(&bench).models.allows("gpt-5") && !path(&bench).models.allows("o3"));
    bench.patch("root", r#"{"models":null}"#).unwrap();
    assert!(path(&bench).models.allows("o3"));

    bench
        .patch(
            "root/dept",
            r#"{"limits":{"rpm":3,"daily_limit":9},"tags":{"cc":"1","x":"y"}}"#,
        )
        .unwrap();
    bench
        .patch("root/dept/team", r#"{"tags":{"cc":"2"}}"#)
        .unwrap();
    let seen = path(&bench);
    assert_eq!(
        seen.nodes[1].limits,
        Limits {
            rpm: Some(3),
            daily_limit: Some(9)
        }
    );
    assert_eq!(seen.tags["cc"], "2");
    assert_eq!(seen.tags["x"], "y");
    bench
        .patch("root/dept", r#"{"limits":{"rpm":null}}"#)
        .unwrap();
    assert_eq!(
        path(&bench).nodes[1].limits,
        Limits {
            rpm: None,
            daily_limit: Some(9)
        }
    );

    bench.attach("team-late", "root/dept/team", 5);
    bench.attach("team-early", "root/dept/team", -5);
    bench.attach("dept", "root/dept", 100);
    let order = |bench: &Bench| -> Vec<String> {
        path(bench)
            .attachments
            .iter()
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

    bench.account("root", "new").unwrap();
    bench
        .patch("root/dept/team", r#"{"parent":"root/new"}"#)
        .unwrap();
    assert_eq!(&*path(&bench).names, "root/new/team");
    bench.patch("root/new", r#"{"name":"newer"}"#).unwrap();
    assert_eq!(&*path(&bench).names, "root/newer/team");
}

#[test]
fn what_is_stored_loads_to_the_same_directory() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench
        .account_with(
            "root/a",
            "b",
            Some(&["m"]),
            Limits {
                rpm: Some(1),
                daily_limit: Some(2),
            },
        )
        .unwrap();
    // A parent that is younger than its child.
    bench.account("root", "young").unwrap();
    bench
        .patch(
            "root/a",
            r#"{"parent":"root/young","email":"a@b","alias":"A"}"#,
        )
        .unwrap();
    let (_, token) = bench.key("root/young/a/b");
    bench.attach("p", "root/young", 0);
    let (_, changes) = bench
        .directory
        .put_credential("c", vec!["key".into()], vec![0, 255], 1)
        .unwrap();
    bench.directory.apply(&changes);
    let draft: UpstreamDraft =
        serde_json::from_str(r#"{"provider":"echo","credential":"c","config":{"a":1}}"#).unwrap();
    let (_, changes) = bench.directory.put_upstream("up", draft, 1).unwrap();
    bench.directory.apply(&changes);

    let again = bench.reloaded();
    assert!(again.accounts().eq(bench.directory.accounts()));
    assert_eq!(again.keys(), bench.directory.keys());
    assert!(again.upstreams().eq(bench.directory.upstreams()));
    assert!(again.credentials().eq(bench.directory.credentials()));
    let path = Arc::clone(
        &again
            .snapshot()
            .find(&bench.hasher.mac(&token))
            .unwrap()
            .path,
    );
    assert_eq!(&*path.names, "root/young/a/b");
    assert_eq!(path.attachments.len(), 1);
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
    // A limit that only a newer version knows must stop an older one, not be skipped.
    let bench = Bench::new();
    let root = Change::from(Record::Account(Arc::clone(bench.directory.root().unwrap())));
    let text = String::from_utf8(root.bytes().unwrap()).unwrap();
    let with_more = text.replace(r#""limits":{"#, r#""limits":{"rph":7"#);
    assert_ne!(text, with_more);
    assert!(Record::decode(RecordKind::Account, with_more.as_bytes()).is_err());
}

#[test]
fn a_credential_in_use_stays_and_an_unknown_one_is_refused() {
    let mut bench = Bench::new();
    let draft = |credential: &str| UpstreamDraft {
        provider: "echo".to_owned(),
        credential: Some(credential.to_owned()),
        ..UpstreamDraft::default()
    };
    assert_eq!(
        field(
            bench
                .directory
                .put_upstream("up", draft("c"), 1)
                .unwrap_err()
        ),
        "credential"
    );
    let (_, changes) = bench
        .directory
        .put_credential("c", vec!["k".into()], vec![1], 1)
        .unwrap();
    bench.directory.apply(&changes);
    let (_, changes) = bench.directory.put_upstream("up", draft("c"), 1).unwrap();
    bench.directory.apply(&changes);
    assert!(matches!(
        bench.directory.delete_credential("c"),
        Err(DirectoryError::Conflict { .. })
    ));
    let changes = bench.directory.delete_upstream("up").unwrap();
    bench.directory.apply(&changes);
    assert!(bench.directory.delete_credential("c").is_ok());
    assert_eq!(
        field(
            bench
                .directory
                .put_credential("a/b", vec!["k".into()], vec![], 1)
                .unwrap_err()
        ),
        "name"
    );
    assert_eq!(
        field(
            bench
                .directory
                .put_credential("c", vec![], vec![], 1)
                .unwrap_err()
        ),
        "fields"
    );
}

#[test]
fn an_operation_alone_changes_nothing_until_it_is_applied() {
    let bench = Bench::new();
    let new = NewAccount {
        name: "a".into(),
        ..NewAccount::default()
    };
    bench
        .directory
        .create_account(new, 1, &mut Seeded::new(5))
        .unwrap();
    assert!(bench.directory.account("root/a").is_err());
}

#[test]
fn the_status_is_part_of_the_record() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    bench.patch("root/a", r#"{"status":"suspended"}"#).unwrap();
    let again = bench.reloaded();
    assert_eq!(again.account("root/a").unwrap().status, Status::Suspended);
}
