//! Upstreams, policies and credentials.

use super::*;
use crate::upstream::UpstreamDraft;

#[test]
fn a_credential_in_use_stays_and_an_unknown_one_is_refused() {
    let mut bench = Bench::new();
    let draft = |credential: &str| UpstreamDraft {
        provider: "echo".to_owned(),
        credential: Some(credential.to_owned()),
        ..UpstreamDraft::default()
    };
    let unknown = bench.directory.put_upstream("up", draft("c"), 1);
    assert_eq!(field(unknown.unwrap_err()), "credential");
    let made = bench
        .directory
        .put_credential("c", vec!["k".into()], vec![1], 1);
    bench.directory.apply(&made.unwrap().1);
    let (_, changes) = bench.directory.put_upstream("up", draft("c"), 1).unwrap();
    bench.directory.apply(&changes);
    assert!(matches!(
        bench.directory.delete_credential("c"),
        Err(DirectoryError::Conflict { .. })
    ));
    let changes = bench.directory.delete_upstream("up").unwrap();
    bench.directory.apply(&changes);
    assert!(bench.directory.delete_credential("c").is_ok());
    let put = |name: &str, fields: Vec<String>| {
        let refused = bench.directory.put_credential(name, fields, vec![], 1);
        field(refused.unwrap_err())
    };
    assert_eq!(put("a/b", vec!["k".into()]), "name");
    assert_eq!(put("c", vec![]), "fields");
}

#[test]
fn a_policy_for_an_unknown_account_is_refused_and_without_one_it_governs_everything() {
    let mut bench = Bench::new();
    bench.account("root", "a").unwrap();
    let draft = |account: Option<&str>| AttachmentDraft {
        component: "redact".to_owned(),
        account: account.map(str::to_owned),
        ..AttachmentDraft::default()
    };
    let unknown = bench
        .directory
        .put_attachment("p", draft(Some("root/x")), 1);
    assert_eq!(field(unknown.unwrap_err()), "account");
    let (_, changes) = bench.directory.put_attachment("p", draft(None), 1).unwrap();
    bench.directory.apply(&changes);
    assert_eq!(bench.path("root/a").attachments().count(), 1);
    assert!(bench.directory.delete_attachment("q").is_err());
    assert!(bench.directory.delete_upstream("q").is_err());
}
