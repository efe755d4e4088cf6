//! Measures the gateway against nginx and a direct connection.

use anyhow::{Result, bail};

/// Runs the measurement.
pub(crate) fn run(_args: &[String]) -> Result<()> {
    bail!("the bench is not here yet")
}
