//! Walks the whole log and tells what is wrong with it. The gateway only hands the entries out: hashes are computed here.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tollgate_governance::{
    AuditChain, AuditCheckpoint, AuditEntry, AuditFinding, AuditHash, AuditVerifier,
};

use super::{items, pages};
use crate::api::Api;
use crate::report;

/// Entries that are asked for at a time.
const PAGE: u64 = 1_000;

pub(super) fn run(api: &Api, as_json: bool, checkpoint: Option<&Path>) -> anyhow::Result<ExitCode> {
    let checkpoint = checkpoint.map(read).transpose()?;
    let mut walk = Walk::new(checkpoint);
    pages(api, 0, PAGE, &mut |page| walk.see(page).map(|()| true))?;
    let (seen, findings) = walk.finish();
    if as_json {
        report::json(
            &json!({ "entries": seen, "whole": findings.is_empty(), "findings": findings }),
        )?;
    } else {
        report::print(&show(seen, &findings))?;
    }
    Ok(match findings.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn show(seen: u64, findings: &[AuditFinding]) -> String {
    let mut out = String::new();
    for finding in findings {
        out.push_str(&format!("{finding}\n"));
    }
    out.push_str(&match findings.len() {
        0 => format!("{seen} entries: the log is whole.\n"),
        1 => format!("{seen} entries: one thing is wrong.\n"),
        many => format!("{seen} entries: {many} things are wrong.\n"),
    });
    out
}

/// Reads a checkpoint from a file. Whether it is this gateway's shows with the first page.
fn read(file: &Path) -> anyhow::Result<AuditCheckpoint> {
    let what = || format!("the checkpoint in {}", file.display());
    let text = std::fs::read_to_string(file).with_context(what)?;
    let checkpoint: AuditCheckpoint = serde_json::from_str(&text)
        .map_err(|_| anyhow::anyhow!("it is not a checkpoint of the audit log"))
        .with_context(what)?;
    checkpoint.check(None).with_context(what)?;
    Ok(checkpoint)
}

/// The log page by page.
struct Walk {
    verifier: AuditVerifier,
    checkpoint: Option<AuditCheckpoint>,
    /// Where the log ended when the first page was given.
    known: Option<u64>,
}

impl Walk {
    fn new(checkpoint: Option<AuditCheckpoint>) -> Self {
        Self {
            verifier: match &checkpoint {
                Some(checkpoint) => AuditVerifier::with_checkpoint(checkpoint.clone()),
                None => AuditVerifier::new(),
            },
            checkpoint,
            known: None,
        }
    }

    fn see(&mut self, page: &Value) -> anyhow::Result<()> {
        if self.known.is_none() {
            self.known = page["last"].as_u64();
            self.check_signer(page)?;
        }
        for item in items(page) {
            match serde_json::from_value::<AuditEntry>(item.clone()) {
                Ok(entry) => self.verifier.see(&entry),
                Err(_) if item["act"].is_string() && item["hash"].is_null() => {
                    bail!(
                        "this token sees a part of the log, and no hashes; the operator's verifies the whole"
                    )
                }
                Err(_) => {
                    let reason = item["damaged"].as_str();
                    let reason = reason.unwrap_or("it has not the members of an entry");
                    let sequence = item["sequence"].as_u64().unwrap_or(0);
                    self.verifier.see_damaged(sequence, reason);
                }
            }
        }
        Ok(())
    }

    /// A checkpoint that another key signed proves nothing about this log.
    fn check_signer(&self, page: &Value) -> anyhow::Result<()> {
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(());
        };
        match page["public_key"].as_str() {
            Some(key) => Ok(checkpoint.check(Some(key)).context("the checkpoint")?),
            None => bail!(
                "the checkpoint was signed with a key, and this gateway has none: it is another gateway's, or this log was begun anew"
            ),
        }
    }

    fn finish(self) -> (u64, Vec<AuditFinding>) {
        let known = self.known.map(|sequence| AuditChain {
            sequence,
            hash: AuditHash::default(),
        });
        (self.verifier.seen(), self.verifier.finish(known))
    }
}

#[cfg(test)]
mod tests {
    use tollgate_governance::{AuditDraft, AuditSigner, OsRandom};

    use super::*;

    fn signer() -> AuditSigner {
        AuditSigner::from_seed(&*AuditSigner::new_seed(&mut OsRandom::new())).unwrap()
    }

    fn log(entries: u64) -> Vec<AuditEntry> {
        let mut chain = AuditChain::default();
        let entry = |_| {
            let entry = chain.link(AuditDraft::default());
            chain = AuditChain::after(&entry);
            entry
        };
        (0..entries).map(entry).collect()
    }

    fn found(
        pages: &[Value],
        checkpoint: Option<AuditCheckpoint>,
    ) -> anyhow::Result<Vec<AuditFinding>> {
        let mut walk = Walk::new(checkpoint);
        pages.iter().try_for_each(|page| walk.see(page))?;
        Ok(walk.finish().1)
    }

    #[test]
    fn entries_are_judged_page_by_page_and_damaged_ones_in_their_place() {
        let log = log(4);
        let whole = |middle: Value| {
            [
                json!({ "entries": [log[0], middle], "last": 4, "next": 2 }),
                json!({ "entries": [log[2], log[3]], "last": 4 }),
            ]
        };
        assert_eq!(found(&whole(json!(log[1])), None).unwrap(), []);
        let unread = json!({ "sequence": 2, "damaged": "it is not JSON" });
        let reason = "it is not JSON".to_owned();
        assert_eq!(
            found(&whole(unread), None).unwrap(),
            [AuditFinding::Damaged {
                sequence: 2,
                reason
            }]
        );
        let mut altered = json!(log[1]);
        altered["actor"] = json!("somebody else");
        assert_eq!(
            found(&whole(altered), None).unwrap(),
            [AuditFinding::Altered { sequence: 2 }]
        );
        // Less than the gateway says there is.
        assert_eq!(
            found(&whole(json!(log[1]))[..1], None).unwrap(),
            [AuditFinding::Truncated {
                last: 2,
                expected: 4
            }]
        );
    }

    #[test]
    fn a_checkpoint_counts_only_if_this_gateway_signed_it() {
        let log = log(3);
        let ours = signer();
        let checkpoint = ours.sign(AuditChain::after(&log[2]), 1);
        let page = |entries: &[AuditEntry], key: Option<String>| {
            [json!({ "entries": entries, "last": entries.len(), "public_key": key })]
        };
        let key = || Some(ours.public_key());
        let some = || Some(checkpoint.clone());
        assert_eq!(found(&page(&log, key()), some()).unwrap(), []);
        assert_eq!(
            found(&page(&log[..2], key()), some()).unwrap(),
            [AuditFinding::Truncated {
                last: 2,
                expected: 3
            }]
        );
        for other in [None, Some(signer().public_key())] {
            assert!(found(&page(&log, other), some()).is_err());
        }
    }
}
