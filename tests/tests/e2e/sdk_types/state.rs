//! What an SDK asks for beside answers, of the running gateway: kept responses and their input items, conversations,
//! compaction, counts, and events over a WebSocket, with vendors that have nothing of it: all of it is the gateway's own.

use tollgate_tests::clients::{Clients, skipped};

use super::judged;
use crate::bridge::foreign;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_compacted_and_counted_fits_the_types_of_the_official_sdks() {
    if skipped() {
        return;
    }
    let clients = Clients::ensure().unwrap();
    let world = foreign().await;
    let kinds = [
        "responses",
        "kept responses",
        "input items",
        "conversations",
        "compactions",
        "counts",
        "not found",
    ];
    for (program, events) in [("sdk_state.py", true), ("sdk_state.mjs", false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = clients.script(program);
        command
            .arg(world.gateway.base_url())
            .arg(&world.key.secret)
            .args(["chat-only", "messages-only"]);
        let counts = tokio::task::spawn_blocking(move || judged(command, folder.path()));
        let counts = counts.await.unwrap();
        let of_python = ["events", "conversation items"];
        let of_python = of_python.into_iter().filter(|_| events);
        for kind in kinds.into_iter().chain(of_python) {
            let count = counts[kind].as_u64();
            assert!(count > Some(0), "{program}: no {kind}: {counts}");
        }
    }
}
