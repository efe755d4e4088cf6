//! How the gateway is, in one answer.

use std::collections::BTreeMap;

use super::views::{ProblemView, Status};
use super::{Control, now_ms};

impl Control {
    /// Version, counts, and what cannot be used.
    #[must_use]
    pub fn status(&self) -> Status {
        let state = self.state.lock();
        let generation = &state.generation;
        let counts = BTreeMap::from([
            ("accounts", state.directory.accounts().count()),
            ("closing_accounts", state.closing.len()),
            ("active_keys", state.directory.snapshot().len()),
            ("credentials", state.directory.credentials().count()),
            ("upstreams", state.directory.upstreams().count()),
            ("policies", state.directory.attachments().count()),
            (
                "components",
                generation.providers.len() + generation.policies.len(),
            ),
            ("failed_components", generation.failed.len()),
        ]);
        let mut problems: Vec<_> = self
            .snapshot
            .load()
            .problems
            .iter()
            .map(ProblemView::from)
            .collect();
        if self
            .writer
            .lock()
            .as_ref()
            .is_some_and(tollgate_store::UsageWriter::is_failing)
        {
            problems.push(ProblemView {
                what: "usage rows".to_owned(),
                why: "the store does not take them; they are kept and tried again, see the log"
                    .to_owned(),
            });
        }
        let imbalance = self
            .counters
            .ledger(|ledger| tollgate_governance::Ledger::imbalance(ledger));
        if imbalance != 0 {
            problems.push(ProblemView {
                what: "ledger".to_owned(),
                why: format!(
                    "its books sum to {imbalance} micro-units instead of 0: restart, and if it stays so restore a backup"
                ),
            });
        }
        let notes = self.idle(&state);
        Status {
            notes,
            version: env!("CARGO_PKG_VERSION"),
            started_ms: self.started_ms,
            now_ms: now_ms(),
            counts,
            problems,
        }
    }
}
