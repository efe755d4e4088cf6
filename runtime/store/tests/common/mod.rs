//! What several of these tests need: waits that end by themselves, and say what they waited for.
#![allow(unreachable_pub, reason = "shared by several test programs")]
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tollgate_store::Store;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the condition holds.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Folds all that there is to fold.
pub fn fold_all(store: &dyn Store) {
    let began = Instant::now();
    while store.fold_rollups(0).unwrap() {
        assert!(began.elapsed() < PATIENCE, "there is always more to fold");
    }
}

/// Opens the engine without the store. Threads of one that was dropped keep its lock for a while.
pub fn open_engine(path: &Path) -> sled::Db {
    let began = Instant::now();
    loop {
        match sled::open(path) {
            Err(error)
                if error.to_string().contains("acquire lock") && began.elapsed() < PATIENCE =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => return opened.unwrap(),
        }
    }
}

/// Sets the flag when it goes, also where a test fails: another thread goes on until then, and is waited for.
pub struct Stop<'a>(pub &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Ends this process in two minutes, whatever it does: who waits for it to speak hears that it ended, and nobody is left
/// over where a test is killed before it kills its child.
pub fn live_two_minutes() {
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(120));
        eprintln!("nobody has killed this process in two minutes");
        std::process::exit(1);
    });
}
