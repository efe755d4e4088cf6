//! Walks a log and tells what is wrong with it.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use super::checkpoint::AuditCheckpoint;
use super::entry::{AuditChain, AuditEntry};
use super::hash::AuditHash;

/// One thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub enum AuditFinding {
    /// Entries are not there: dropped from the middle.
    Missing {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// An entry stands where it does not belong: moved, or there twice.
    Misplaced {
        /// Its number.
        sequence: u64,
        /// The number that should stand there.
        expected: u64,
    },
    /// The content of an entry is not what its hash was made of.
    Altered {
        /// Its number.
        sequence: u64,
    },
    /// An entry does not follow the one before it: one of the two was written anew.
    Unlinked {
        /// Its number.
        sequence: u64,
    },
    /// An entry cannot be read at all.
    Damaged {
        /// The number under which it is stored.
        sequence: u64,
        /// Why.
        reason: String,
    },
    /// The log ends too early.
    Truncated {
        /// Its last entry.
        last: u64,
        /// The entry that there surely was.
        expected: u64,
    },
    /// The log is not the one that the checkpoint was made of: it was written anew up to this entry or from before it on.
    Rewritten {
        /// The checkpoint's entry.
        sequence: u64,
    },
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { first, last } if first == last => write!(f, "entry {first} is missing"),
            Self::Missing { first, last } => write!(f, "entries {first} to {last} are missing"),
            Self::Misplaced { sequence, expected } => {
                write!(f, "entry {sequence} stands where {expected} should")
            }
            Self::Altered { sequence } => write!(f, "entry {sequence} was altered"),
            Self::Unlinked { sequence } => {
                write!(f, "entry {sequence} does not follow the one before it")
            }
            Self::Damaged { sequence, reason } => write!(f, "entry {sequence}: {reason}"),
            Self::Truncated { last, expected } => {
                write!(
                    f,
                    "the log ends with entry {last}, but there was an entry {expected}"
                )
            }
            Self::Rewritten { sequence } => write!(
                f,
                "entry {sequence} is not the one that the checkpoint was made of: the log was written anew"
            ),
        }
    }
}

/// Is shown a log from its first entry on.
#[derive(Debug, Default)]
pub struct AuditVerifier {
    /// What was seen last: its number, and its hash unless it could not be read.
    last: u64,
    hash: Option<AuditHash>,
    begun: bool,
    /// Entries that were seen out of place: not missing, then.
    elsewhere: HashSet<u64>,
    checkpoint: Option<AuditCheckpoint>,
    matched: bool,
    findings: Vec<AuditFinding>,
    seen: u64,
}

impl AuditVerifier {
    /// Verifies a log by itself.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Verifies it against a checkpoint, too, whose signature the caller has checked.
    #[must_use]
    pub fn with_checkpoint(checkpoint: AuditCheckpoint) -> Self {
        Self {
            matched: checkpoint.sequence == 0,
            checkpoint: Some(checkpoint),
            ..Self::default()
        }
    }

    /// How many entries were shown.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Looks at the next entry.
    pub fn see(&mut self, entry: &AuditEntry) {
        self.seen += 1;
        let follows = self.place(entry.sequence);
        if entry.computed_hash() != entry.hash {
            let sequence = entry.sequence;
            self.findings.push(AuditFinding::Altered { sequence });
        } else if follows && self.before().is_some_and(|hash| hash != entry.previous) {
            let sequence = entry.sequence;
            self.findings.push(AuditFinding::Unlinked { sequence });
        }
        if let Some(checkpoint) = &self.checkpoint
            && checkpoint.sequence == entry.sequence
        {
            self.matched = true;
            if checkpoint.hash != entry.hash {
                let sequence = entry.sequence;
                self.findings.push(AuditFinding::Rewritten { sequence });
            }
        }
        self.advance(entry.sequence, Some(entry.hash));
    }

    /// Is told that what is stored under a number cannot be read.
    pub fn see_damaged(&mut self, sequence: u64, reason: &str) {
        self.seen += 1;
        self.place(sequence);
        self.findings.push(AuditFinding::Damaged {
            sequence,
            reason: reason.to_owned(),
        });
        if self
            .checkpoint
            .as_ref()
            .is_some_and(|checkpoint| checkpoint.sequence == sequence)
        {
            // That it cannot be compared is told already.
            self.matched = true;
        }
        self.advance(sequence, None);
    }

    /// Everything that is wrong. `known` is the end of the log as its owner knows it otherwise, if it does.
    #[must_use]
    pub fn finish(mut self, known: Option<AuditChain>) -> Vec<AuditFinding> {
        let last = self.last;
        let known = known.map_or(0, |chain| chain.sequence);
        let checkpoint = match &self.checkpoint {
            Some(checkpoint) if !self.matched => checkpoint.sequence,
            _ => 0,
        };
        let expected = known.max(checkpoint);
        if expected > last {
            let truncated = AuditFinding::Truncated { last, expected };
            self.findings.push(truncated);
        }
        // What was seen later stood elsewhere and is told as misplaced.
        let elsewhere = self.elsewhere;
        self.findings.retain(|finding| match finding {
            AuditFinding::Missing { first, last } => {
                (*first..=*last).any(|sequence| !elsewhere.contains(&sequence))
            }
            _ => true,
        });
        self.findings
    }

    /// Tells gaps and wrong places; says whether the entry stands directly behind what was seen last.
    fn place(&mut self, sequence: u64) -> bool {
        let expected = self.last.saturating_add(1);
        if sequence > expected {
            self.findings.push(AuditFinding::Missing {
                first: expected,
                last: sequence - 1,
            });
        } else if sequence < expected {
            self.elsewhere.insert(sequence);
            let misplaced = AuditFinding::Misplaced { sequence, expected };
            self.findings.push(misplaced);
        }
        sequence == expected
    }

    /// The hash that the next entry must name, where that is known.
    fn before(&self) -> Option<AuditHash> {
        match self.begun {
            true => self.hash,
            false => Some(AuditHash::default()),
        }
    }

    fn advance(&mut self, sequence: u64, hash: Option<AuditHash>) {
        self.begun = true;
        // One that stands too late leaves what comes after it where it was.
        if sequence > self.last {
            self.last = sequence;
            self.hash = hash;
        }
    }
}
