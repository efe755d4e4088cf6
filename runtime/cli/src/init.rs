//! `tollgate init`: what a first start would make, without starting.

use std::process::ExitCode;

use serde_json::json;
use tollgate_gateway::control::initialise;

use crate::args::{Init, Place};
use crate::{configuration, report};

/// Makes the data directory, the master key and the management token. Nothing that is there is touched.
///
/// # Errors
/// The directory cannot be made or is open to others, or a gateway is running on it.
pub(crate) fn run(place: &Place, args: &Init) -> anyhow::Result<ExitCode> {
    let config = configuration::load(place)?;
    let made = initialise(&config, args.new_token)?;
    if place.json {
        report::json(&json!({
            "data": made.data, "master_key": made.master_key, "token_file": made.token_file, "new_token": made.new_token,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    report::print(&format!(
        "Data directory    {}\nMaster key        {}\nManagement token  {}{}\n",
        made.data.display(),
        made.master_key,
        made.token_file.display(),
        if made.new_token { " (new)" } else { "" },
    ))?;
    Ok(ExitCode::SUCCESS)
}
