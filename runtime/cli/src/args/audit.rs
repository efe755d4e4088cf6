//! `tollgate audit`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List what management did, oldest first
    List {
        /// Only entries after the one of this number [default: the last ones]
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
        /// Entries to show at most
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
    /// Walk the whole log and tell what was altered, dropped or put elsewhere; the exit code says whether anything was
    Verify {
        /// A file that `tollgate audit checkpoint` wrote: finds a missing end and a log written anew, too
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
    /// Sign how far the log has got; keep the answer where whoever can write the log cannot
    Checkpoint {
        /// A new file to write it to, instead of standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}
