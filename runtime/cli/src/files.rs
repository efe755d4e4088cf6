//! How many files and sockets the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as the system lets anybody: a usual shell gives 1,024, and each request under way needs two.
pub(crate) fn allow_many() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        ..limit
    };
    match setrlimit(Resource::Nofile, all) {
        Ok(()) => tracing::debug!(files = limit.maximum, "open files are limited"),
        Err(error) => tracing::warn!(
            files = limit.current,
            %error,
            "the limit of open files cannot be raised"
        ),
    }
}
