//! What policies refuse is told in the audit log, together rather than one by one, and not lost on a full disk.

use std::sync::atomic::Ordering;

use serde_json::json;
use tollgate_governance::{AuditEntry, Caller};

use super::audited::{findings, log};
use super::credit::on_filling_disk;
use super::*;
use crate::snapshot::Policy;

fn caller(control: &Control, account: &str) -> Caller {
    let issued = key(control, account);
    let mac = control.hasher().mac(issued.key.expose());
    control.snapshot().accounts.find(&mac).unwrap()
}

fn denied(control: &Control, policy: &str, caller: &Caller, reason: &str, at: u64) {
    let policy = Policy::unloaded(policy, "office-hours");
    control.denials().note(&policy, caller, reason, at);
}

fn told(control: &Control) -> Vec<AuditEntry> {
    let mut entries = log(control);
    entries.retain(|entry| entry.act == "request.deny");
    entries
}

#[test]
fn refusals_of_a_key_by_one_policy_for_one_reason_are_one_entry() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    account(&control, "root", "team");
    let (root, team) = (caller(&control, "root"), caller(&control, "root/team"));
    for at in [7, 5, 9] {
        denied(&control, "hours", &team, "closed", at);
    }
    denied(&control, "hours", &team, "holiday", 6);
    denied(&control, "hours", &root, "closed", 8);
    denied(&control, "tiers", &root, "closed", 8);
    assert_eq!(told(&control), [], "not while a request waits");
    control.tend_at(60);
    let entries = told(&control);
    let requests: Vec<_> = entries
        .iter()
        .map(|entry| entry.changes["requests"].as_u64().unwrap())
        .collect();
    assert_eq!(requests.iter().sum::<u64>(), 6);
    let first = entries
        .iter()
        .find(|entry| entry.changes["requests"] == 3)
        .unwrap();
    assert_eq!(
        (first.actor.as_str(), first.subject.path.as_str()),
        ("gateway", "root/team")
    );
    assert_eq!(first.subject.id, team.path.account().to_string());
    let expected = json!({
        "policy": "hours", "component": "office-hours", "digest": "0".repeat(64), "key": team.id(),
        "reason": "closed", "requests": 3, "from_ms": 5, "until_ms": 9,
    });
    assert_eq!(first.changes, expected);
    assert_eq!(entries.len(), 4);
    assert_eq!(findings(&control), []);
    control.tend_at(120);
    assert_eq!(told(&control).len(), 4, "each is told once");
}

/// A component chooses its reasons: one that gives each refusal its own must not write the log full.
#[test]
fn reasons_without_end_are_counted_together() {
    let folder = tempfile::tempdir().unwrap();
    let control = open(folder.path());
    let root = caller(&control, "root");
    for number in 0..1_000 {
        denied(&control, "hours", &root, &number.to_string(), 5);
    }
    control.tend_at(60);
    let entries = told(&control);
    assert!(entries.len() < 300, "{}", entries.len());
    let requests = entries.iter().map(|entry| &entry.changes["requests"]);
    let requests: u64 = requests.map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(requests, 1_000);
}

#[test]
fn what_cannot_be_told_yet_is_told_later_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (control, disk) = on_filling_disk(folder.path());
    let root = caller(&control, "root");
    denied(&control, "hours", &root, "closed", 5);
    denied(&control, "tiers", &root, "none", 6);
    disk.full.store(true, Ordering::Relaxed);
    control.tend_at(60);
    assert_eq!(told(&control), []);
    denied(&control, "hours", &root, "closed", 7);
    disk.full.store(false, Ordering::Relaxed);
    control.close();
    let requests: Vec<_> = told(&control)
        .iter()
        .map(|entry| entry.changes["requests"].clone())
        .collect();
    assert_eq!(requests, [json!(2), json!(1)]);
}
