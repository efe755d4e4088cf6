//! Many requests at once, each on a connection of its own.

use std::net::SocketAddr;

use tokio::task::JoinSet;

use crate::wire::{self, Request};

/// As many as limits are tested with.
pub const THOUSAND: usize = 1_000;

/// Lets this process, and the gateways that it starts from then on, have as many files open as the machine allows: a
/// thousand connections have two ends here and one in the gateway, which inherits the limit.
///
/// # Panics
/// When the limit cannot be raised.
pub fn open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, all).unwrap();
}

/// Sends them all, none waiting for another. Each task gives the status of its answer.
pub fn send(address: SocketAddr, requests: impl IntoIterator<Item = Request>) -> JoinSet<u16> {
    let mut tasks = JoinSet::new();
    for request in requests {
        tasks.spawn(async move { wire::send(address, &request).await.status() });
    }
    tasks
}

/// Sends them all, none waiting for another, and waits for all statuses.
pub async fn statuses(
    address: SocketAddr,
    requests: impl IntoIterator<Item = Request>,
) -> Vec<u16> {
    send(address, requests).join_all().await
}
