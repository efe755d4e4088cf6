//! Installs the real clients that the end-to-end tests run, unless they are there already.
#![forbid(unsafe_code)]

use tollgate_tests::clients::{Clients, skipped};

fn main() -> anyhow::Result<()> {
    if !skipped() {
        Clients::ensure()?;
    }
    Ok(())
}
