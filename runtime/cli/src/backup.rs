//! `tollgate backup` and `tollgate restore`.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use tollgate_gateway::control::restore as restore_store;

use crate::api::Api;
use crate::args::Place;
use crate::report::{moment, text};
use crate::{configuration, report};

/// Has a running gateway write a backup into a folder of its machine.
///
/// # Errors
/// No gateway answers, or it cannot write there.
pub(crate) fn back_up(place: &Place, folder: &Path) -> anyhow::Result<ExitCode> {
    let config = configuration::load(place)?;
    let api = Api::find(&config, place.management.as_deref())?.without_hurry();
    let folder = std::path::absolute(folder)?;
    let body = json!({ "folder": folder });
    let made = api.send("POST", "/api/backup", Some(&body))?;
    if place.json {
        report::json(&made)?;
        return Ok(ExitCode::SUCCESS);
    }
    report::print(&format!(
        "{}\nWritten to {}. The master key is not in it: keep that elsewhere, without it the credentials cannot be opened.\n",
        summary(&made),
        folder.display(),
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the store of the data directory from a backup.
///
/// # Errors
/// The data directory has a store, or the backup is not good.
pub(crate) fn restore(place: &Place, folder: &Path) -> anyhow::Result<ExitCode> {
    let config = configuration::load(place)?;
    let restored = restore_store(&config, folder)?;
    let manifest = serde_json::to_value(&restored.manifest)?;
    let (key, token) = (&restored.master_key, &restored.token_file);
    if place.json {
        report::json(&json!({
            "backup": manifest, "store": restored.store, "master_key": key, "master_key_found": key.exists(),
            "token_file": token, "token_found": token.exists(),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = format!(
        "{}\nRestored to {}.\n\nBefore `tollgate serve`:\n",
        summary(&manifest),
        restored.store.display()
    );
    let key_there = match key.exists() {
        true => "is there; it must be the one that the backup was made under",
        false => {
            "is missing: put the one there that the backup was made under (mode 600), or set TOLLGATE_MASTER_KEY"
        }
    };
    out.push_str(&format!("- master key: {} {key_there}.\n", key.display()));
    if !token.exists() {
        out.push_str(&format!(
            "- management token: {} is missing: the old token goes on working; `tollgate init --new-token` makes a new one.\n",
            token.display()
        ));
    }
    out.push_str(
        "- journal: a restored store begins with an empty one. What the old store's folder has in `journal` belongs to that \
         store: keep it there. Requests since the backup are not in the restored store.\n",
    );
    report::print(&out)?;
    Ok(ExitCode::SUCCESS)
}

fn summary(manifest: &Value) -> String {
    format!(
        "Backup of {}: {} records, {} blocks of usage, {} records of the ledger, {} entries of the audit log, {} bytes.",
        moment(&manifest["created_ms"]),
        text(manifest, "records"),
        text(manifest, "usage_blocks"),
        text(manifest, "ledger_records"),
        text(manifest, "audit_entries"),
        text(manifest, "bytes"),
    )
}
