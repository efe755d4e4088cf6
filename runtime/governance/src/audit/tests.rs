//! Whatever is done to a log is found: a flipped byte, a dropped, moved or rewritten entry, a missing end.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::credential::CredentialRecord;
use crate::random::Seeded;
use crate::record::Change;
use crate::{
    Account, AccountPatch, AttachmentDraft, Directory, KeyDraft, KeyHasher, UpstreamDraft,
};

fn draft(number: u64) -> AuditDraft {
    AuditDraft {
        at_ms: 1_800_000_000_000 + number,
        actor: "management-token".into(),
        act: "account.change".into(),
        subject: AuditSubject {
            id: number.to_string(),
            path: "root/é \u{1}\"".into(),
        },
        changes: json!({ "limits/rpm": { "from": number, "to": null }, "a": [true, -1] }),
    }
}

/// A log of so many entries, as its bytes.
fn log(entries: u64) -> Vec<Vec<u8>> {
    let mut chain = AuditChain::default();
    (1..=entries)
        .map(|number| {
            let entry = chain.link(draft(number));
            chain = AuditChain::after(&entry);
            entry.encode()
        })
        .collect()
}

fn end_of(log: &[Vec<u8>]) -> AuditChain {
    log.last().map_or_else(AuditChain::default, |bytes| {
        AuditChain::after(&AuditEntry::decode(bytes).unwrap())
    })
}

/// What is found when it is read back; `verifier` is shown the bytes under the numbers 1, 2, 3 …
fn walk(mut verifier: AuditVerifier, log: &[Vec<u8>]) -> Vec<AuditFinding> {
    for (number, bytes) in (1..).zip(log) {
        match AuditEntry::decode(bytes) {
            Ok(entry) => verifier.see(&entry),
            Err(error) => verifier.see_damaged(number, &error.to_string()),
        }
    }
    verifier.finish(None)
}

fn found(log: &[Vec<u8>]) -> Vec<AuditFinding> {
    walk(AuditVerifier::new(), log)
}

fn signer(seed: u64) -> AuditSigner {
    AuditSigner::from_seed(&*AuditSigner::new_seed(&mut Seeded::new(seed))).unwrap()
}

/// Links entries anew from the one at `from` on, as somebody would who hides a change.
fn rewrite(log: &mut [Vec<u8>], from: usize) {
    let mut chain = end_of(&log[..from]);
    for bytes in &mut log[from..] {
        let old = AuditEntry::decode(bytes).unwrap();
        let entry = chain.link(AuditDraft {
            at_ms: old.at_ms,
            actor: "nobody".into(),
            act: old.act,
            subject: old.subject,
            changes: old.changes,
        });
        chain = AuditChain::after(&entry);
        *bytes = entry.encode();
    }
}

#[test]
fn an_untouched_log_has_no_findings_and_reads_back() {
    assert_eq!(found(&[]), []);
    let log = log(20);
    assert_eq!(found(&log), []);
    let first = AuditEntry::decode(&log[0]).unwrap();
    assert_eq!((first.sequence, first.previous), (1, AuditHash::default()));
    assert_eq!(first.changes, draft(1).changes);
}

/// Anybody can compute it: the hash is that of the canonical JSON and of the hash before.
#[test]
fn the_hash_is_what_the_documentation_says() {
    let entry = AuditChain::default().link(AuditDraft {
        at_ms: 1,
        actor: "gateway".into(),
        act: "account.create".into(),
        subject: AuditSubject {
            id: "x".into(),
            path: "root".into(),
        },
        changes: json!({}),
    });
    let body = r#"{"act":"account.create","actor":"gateway","at_ms":1,"changes":{},"sequence":1,"subject":{"id":"x","path":"root"},"v":1}"#;
    assert_eq!(
        entry.hash,
        AuditHash::of(&[body.as_bytes(), [0; 32].as_slice()])
    );
    let stored = String::from_utf8(entry.encode()).unwrap();
    assert!(stored.contains(&format!("\"hash\":\"{}\"", entry.hash)));
}

#[test]
fn every_flipped_bit_of_every_entry_is_found_and_the_entry_is_named() {
    let log = log(2);
    for (place, entry) in log.iter().enumerate() {
        for bit in 0..entry.len() * 8 {
            let mut altered = log.clone();
            altered[place][bit / 8] ^= 1 << (bit % 8);
            let findings = found(&altered);
            assert!(!findings.is_empty(), "entry {place}, bit {bit}");
            let named = serde_json::to_string(&findings).unwrap();
            let number = place as u64 + 1;
            let sequence = |n: u64| named.contains(&format!("\"sequence\":{n}"));
            // A flipped number makes it another entry, whose absence is told; a flipped hash shows in the next one.
            assert!(
                sequence(number)
                    || sequence(number + 1)
                    || named.contains("missing")
                    || named.contains("misplaced"),
                "entry {number}, bit {bit}: {named}"
            );
        }
    }
}

#[test]
fn what_means_the_same_but_is_written_otherwise_is_damage() {
    let entry = log(1).remove(0);
    let text = String::from_utf8(entry).unwrap();
    for altered in [
        text.replace("\":", "\": "),
        text.replace("\\u0001", "\\u0001 "),
        text.replace("\\\"", "\\u0022"),
        format!("{text} "),
    ] {
        assert_ne!(altered, text);
        assert_ne!(found(&[altered.into_bytes()]), []);
    }
}

#[test]
fn a_newer_version_is_not_taken_for_damage() {
    let text = String::from_utf8(log(1).remove(0)).unwrap();
    let newer = text.replace("\"v\":1", "\"v\":2");
    assert_eq!(
        AuditEntry::decode(newer.as_bytes()),
        Err(AuditDecodeError::Newer(2))
    );
}

#[test]
fn a_log_whose_last_entry_is_damaged_goes_on_and_the_damage_stays_found() {
    let mut log = log(3);
    log[2][5] ^= 1;
    let next = AuditChain::after_damage(3, &log[2]).link(draft(4));
    log.push(next.encode());
    let findings = found(&log);
    assert!(
        matches!(findings[..], [AuditFinding::Damaged { sequence: 3, .. }]),
        "{findings:?}"
    );
}

proptest! {
    #[test]
    fn dropped_entries_are_found_and_named(entries in 2..30u64, drop in 0..29usize) {
        let mut log = log(entries);
        // The last one is the checkpoint's to find.
        let drop = drop % (log.len() - 1);
        log.remove(drop);
        let sequence = drop as u64 + 1;
        prop_assert_eq!(found(&log), [AuditFinding::Missing { first: sequence, last: sequence }]);
    }

    #[test]
    fn two_swapped_entries_are_found(entries in 2..30u64, a in 0..30usize, b in 0..30usize) {
        let mut log = log(entries);
        let (a, b) = (a % log.len(), b % log.len());
        prop_assume!(a != b);
        log.swap(a, b);
        let findings = found(&log);
        prop_assert!(findings.iter().any(|finding| matches!(finding, AuditFinding::Misplaced { .. })), "{:?}", findings);
    }

    #[test]
    fn a_doubled_entry_is_found(entries in 1..20u64, which in 0..20usize, place in 0..20usize) {
        let mut log = log(entries);
        let copy = log[which % log.len()].clone();
        let place = place % (log.len() + 1);
        log.insert(place, copy);
        prop_assert_ne!(found(&log), []);
    }

    #[test]
    fn an_entry_written_anew_is_found_by_the_one_after_it(entries in 2..20u64, which in 0..20usize) {
        let mut log = log(entries);
        let which = which % (log.len() - 1);
        let chain = end_of(&log[..which]);
        log[which] = chain.link(AuditDraft::default()).encode();
        let sequence = which as u64 + 2;
        prop_assert_eq!(found(&log), [AuditFinding::Unlinked { sequence }]);
    }

    #[test]
    fn a_log_without_its_end_is_found_by_a_checkpoint_and_only_by_it(entries in 1..20u64, left in 0..20usize) {
        let whole = log(entries);
        let left = left % whole.len();
        let checkpoint = signer(1).sign(end_of(&whole), 5);
        let cut = &whole[..left];
        prop_assert_eq!(found(cut), []);
        let findings = walk(AuditVerifier::with_checkpoint(checkpoint), cut);
        prop_assert_eq!(findings, [AuditFinding::Truncated { last: left as u64, expected: entries }]);
    }

    #[test]
    fn a_log_written_anew_is_found_by_a_checkpoint_and_only_by_it(entries in 1..20u64, from in 0..20usize, more in 0..3u64) {
        let mut log = log(entries + more);
        let checkpoint = signer(1).sign(end_of(&log[..entries as usize]), 5);
        let verifier = || AuditVerifier::with_checkpoint(checkpoint.clone());
        prop_assert_eq!(walk(verifier(), &log), []);
        rewrite(&mut log, from % entries as usize);
        prop_assert_eq!(found(&log), []);
        prop_assert_eq!(walk(verifier(), &log), [AuditFinding::Rewritten { sequence: entries }]);
    }
}

#[test]
fn what_its_owner_knows_of_the_end_finds_a_missing_end_too() {
    let log = log(5);
    let mut verifier = AuditVerifier::new();
    for bytes in &log[..3] {
        verifier.see(&AuditEntry::decode(bytes).unwrap());
    }
    let findings = verifier.finish(Some(end_of(&log)));
    assert_eq!(
        findings,
        [AuditFinding::Truncated {
            last: 3,
            expected: 5
        }]
    );
    assert_eq!(
        findings[0].to_string(),
        "the log ends with entry 3, but there was an entry 5"
    );
}

#[test]
fn a_checkpoint_is_signed_and_every_altered_member_is_found() {
    let checkpoint = signer(1).sign(end_of(&log(3)), 5);
    assert_eq!(checkpoint.check(None), Ok(()));
    assert_eq!(checkpoint.check(Some(&checkpoint.public_key)), Ok(()));
    assert_eq!(
        checkpoint.check(Some(&signer(2).public_key())),
        Err(CheckpointError::AnotherKey)
    );
    let text = serde_json::to_string(&checkpoint).unwrap();
    for place in 0..text.len() {
        for bit in 0..7 {
            let mut altered = text.clone().into_bytes();
            altered[place] ^= 1 << bit;
            if let Ok(altered) = serde_json::from_slice::<AuditCheckpoint>(&altered) {
                assert!(altered.check(None).is_err(), "byte {place}, bit {bit}");
            }
        }
    }
    // Another's signature over the same words is not this gateway's.
    let forged = signer(2).sign(end_of(&log(3)), 5);
    assert_eq!(forged.check(None), Ok(()));
    assert_eq!(
        forged.check(Some(&checkpoint.public_key)),
        Err(CheckpointError::AnotherKey)
    );
}

#[test]
fn numbers_with_a_fraction_are_kept_as_text() {
    let entry = AuditChain::default().link(AuditDraft {
        changes: json!({ "a": [0.1, { "b": 1e300 }], "c": 7 }),
        ..AuditDraft::default()
    });
    assert_eq!(
        entry.changes,
        json!({ "a": ["0.1", { "b": "1e+300" }], "c": 7 })
    );
    assert_eq!(AuditEntry::decode(&entry.encode()), Ok(entry));
}

/// A tree with one of each thing.
struct Furnished {
    directory: Directory,
    token: String,
    /// What was told of each change before it was made.
    told: Vec<(AuditSubject, Value)>,
}

fn furnish() -> Furnished {
    let mut directory = Directory::default();
    let mut random = Seeded::new(7);
    let mut all = Vec::new();
    let mut make = |directory: &mut Directory, changes: Vec<Change>| {
        all.push(told(directory, &changes));
        directory.apply(&changes);
    };
    let (_, made) = directory.create_root(1, &mut random).unwrap();
    make(&mut directory, made);
    let patch: AccountPatch =
        serde_json::from_value(json!({ "name": "a", "limits": { "rpm": 5 } })).unwrap();
    let (_, made) = directory.create_account(&patch, 2, &mut random).unwrap();
    make(&mut directory, made);
    let draft = KeyDraft {
        account: "root/a".into(),
        label: "ci".into(),
        ..KeyDraft::default()
    };
    let hasher = KeyHasher::new(&[7; 32]);
    let (new, made) = directory
        .create_key(draft, &hasher, 3, &mut random)
        .unwrap();
    make(&mut directory, made);
    let sealed = b"sealed sealed".to_vec();
    let (_, made) = directory
        .put_credential("main", vec!["api-key".into()], sealed, 4)
        .unwrap();
    make(&mut directory, made);
    let upstream = directory.put_upstream("up", upstream(2), 5).unwrap().1;
    make(&mut directory, upstream);
    let attachment: AttachmentDraft = serde_json::from_value(
        json!({ "component": "c", "account": "root/a", "config": { "hidden": "hush" } }),
    )
    .unwrap();
    let attached = directory.put_attachment("p", attachment, 6).unwrap().1;
    make(&mut directory, attached);
    Furnished {
        directory,
        token: new.token.expose().to_owned(),
        told: all,
    }
}

/// One whose output costs so much.
fn upstream(output: u64) -> UpstreamDraft {
    serde_json::from_value(json!({
        "provider": "p", "credential": "main", "config": { "hidden": "hush" },
        "models": [{ "id": "m", "price": { "currency": "USD", "input": 1, "output": output } }],
    }))
    .unwrap()
}

fn told(directory: &Directory, changes: &[Change]) -> (AuditSubject, Value) {
    let subject = change_subject(directory, &changes[0]);
    let summary = change_summary(directory, changes, &subject.id);
    (subject, Value::Object(summary))
}

#[test]
fn no_summary_holds_a_secret() {
    let made = furnish();
    let (token, text) = (&made.token, format!("{:?}", made.told));
    // "c2VhbGVk" is `sealed` in base64; a key is shown by its first characters.
    for secret in [
        "hush",
        "c2VhbGVk",
        "mac",
        "prefix",
        &token[..8],
        &token[token.len() - 8..],
    ] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let digest = AuditHash::of(&[br#"{"hidden":"hush"}"#]).to_string();
    assert!(text.contains(&digest) && text.contains("api-key"), "{text}");
}

#[test]
fn a_summary_tells_what_was_and_what_is_of_what_changed_alone() {
    let directory = furnish().directory;
    let patch: AccountPatch = serde_json::from_value(
        json!({ "limits": { "rpm": null, "tpm": 9 }, "tags": { "cc": "7" }, "status": "suspended" }),
    )
    .unwrap();
    let (_, changed) = directory.update_account("root/a", &patch, 9).unwrap();
    let (subject, summary) = told(&directory, &changed);
    assert_eq!(subject.path, "root/a");
    let account: &Arc<Account> = directory.account("root/a").unwrap();
    assert_eq!(subject.id, account.id.to_string());
    assert_eq!(
        summary,
        json!({ "limits/rpm": { "from": 5 }, "limits/tpm": { "to": 9 }, "tags/cc": { "to": "7" },
            "status": { "from": "active", "to": "suspended" } })
    );
    // A price.
    let (_, changed) = directory.put_upstream("up", upstream(3), 9).unwrap();
    let price = |output: u64| json!({ "id": "m", "price": { "currency": "USD", "input": 1, "output": output } });
    assert_eq!(
        told(&directory, &changed).1,
        json!({ "models/m": { "from": price(2), "to": price(3) } })
    );
    // Other values under the same names.
    let again = CredentialRecord {
        sealed: vec![1],
        ..(**directory.credential("main").unwrap()).clone()
    };
    let changed = [Change::Credential("main".into(), Some(Arc::new(again)))];
    assert_eq!(told(&directory, &changed).1, json!({ "secrets": "set" }));
}

#[test]
fn what_goes_with_it_is_counted_and_named() {
    let directory = furnish().directory;
    let id = directory.account("root/a").unwrap().id.to_string();
    let closed = directory
        .close_account(&id, crate::DeleteMode::Cascade, |_| Default::default(), 9)
        .unwrap();
    let keys = directory.keys();
    let key = keys.iter().find(|key| key.account.to_string() == id);
    let key = key.unwrap().id;
    let summary = Value::Object(change_summary(&directory, &closed, &id));
    assert_eq!(
        summary,
        json!({ "status": { "from": "active", "to": "closing" }, "others": { "key": 1 }, "other_ids": { "key": [key] } })
    );
}
