//! Measures admission with 1,000,000 accounts and keys against 1,000: `--release` only; `--json` for scripts.
//!
//! A turn is what a request needs of governance: find the key, build its path of eight accounts, admit on all of them and
//! on a wallet, settle. `all`: every key as likely as every other, so that with a million of them hardly anything is in a
//! cache. `active`: 1,000 of them, spread over the whole tree, are in use. `branch`: the keys of one branch of 1,000 accounts
//! are, and all others rest: what a million accounts cost that are only there. `hot`: 64 threads at a time have one key and so all
//! the counters of one path (another gateway's rows locked each other out there). `memory_ns` says what a look at memory costs
//! where nothing is in a cache, on this machine now: a turn over all keys has some 20 of them. The clock of it goes a
//! millisecond in 20 turns; settled calls are let go of by that clock as the gateway does, every 300 s, so that all of a run
//! are remembered.
#![expect(clippy::unwrap_used, reason = "a measuring tool for developers")]

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tollgate_governance::{
    AccountId, AccountPatch, Accounts, Ask, Begun, Counters, Directory, KeyDraft, KeyHasher,
    KeyMac, Ledger, Operation, Random, RequestIds, Source, Zone,
};

const NOW: u64 = 1_760_000_000_000;
/// Accounts of each level; one more of the last makes the total.
const SMALL: [usize; 8] = [1, 2, 4, 8, 16, 40, 100, 829];
const LARGE: [usize; 8] = [1, 4, 20, 100, 1_000, 10_000, 90_000, 898_875];
const WARM_UP: usize = 200_000;
const TURNS: usize = 400_000;
const ACTIVE: usize = 1_000;
const HOT_THREADS: u64 = 64;
const HOT_TURNS: usize = 20_000;
/// How often the gateway lets go of settled calls.
const REMEMBER_MS: u64 = 300_000;

/// The gateway's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let rows = [measure(&SMALL, 1), measure(&LARGE, LARGE[4])];
    if json {
        println!("{}", json!({ "admission_scale": rows }));
        return;
    }
    for row in rows {
        println!("{row:#}");
    }
}

/// `branches`: every so many-th account of the last level is in one branch, of some 1,000 accounts in all.
fn measure(levels: &[usize; 8], branches: usize) -> Value {
    let mut rng = Rng(7);
    let idle = resident_mib();
    let start = Instant::now();
    let mut world = World::new(levels, &mut rng);
    let build_s = start.elapsed().as_secs_f64();
    // The list of keys is ours, not the gateway's.
    let own = (world.macs.len() * size_of::<KeyMac>()) as f64 / f64::from(1 << 20);
    let built = resident_mib() - idle - own;
    let change = world.time_of_a_change();

    let branch = world.measured(&mut rng, levels[7] / branches, branches);
    let active = world.measured(&mut rng, ACTIVE, (world.macs.len() / ACTIVE).max(1));
    let all = world.measured(&mut rng, world.macs.len(), 1);
    let hot = world.hot();
    json!({
        "accounts": levels.iter().sum::<usize>(),
        "keys": world.macs.len(),
        "depth": levels.len(),
        "build_s": round(build_s),
        "mib_built": round(built),
        "mib_after_traffic": round(resident_mib() - idle - own),
        "change_us": round(change / 1_000.0),
        "branch": branch,
        "active": active,
        "all": all,
        "hot": hot,
        "memory_ns": round(World::memory_ns()),
    })
}

struct World {
    directory: Directory,
    snapshot: Arc<Accounts>,
    counters: Arc<Counters>,
    ids: RequestIds,
    leaf: AccountId,
    now: u64,
    /// When settled calls are let go of next.
    forget_at: u64,
    /// Of the accounts of the last level.
    macs: Vec<KeyMac>,
}

impl World {
    fn new(levels: &[usize; 8], rng: &mut Rng) -> Self {
        let (mut directory, mut ledger) = (Directory::default(), Ledger::default());
        let hasher = KeyHasher::new(&[7; 32]);
        let (root, changes) = directory.create_root(NOW, rng).unwrap();
        directory.apply(&changes);
        let mut above = vec![root.id];
        let mut macs = Vec::new();
        for (depth, count) in levels.iter().enumerate() {
            let mut made = Vec::with_capacity(*count);
            if depth == 0 {
                made.push(root.id);
            }
            while made.len() < *count {
                let text = boundaries(depth);
                let new = AccountPatch {
                    name: Some(format!("n{}", made.len())),
                    parent: Some(above[made.len() % above.len()].to_string()),
                    ..serde_json::from_str(text).unwrap()
                };
                let (account, changes) = directory.create_account(&new, NOW, rng).unwrap();
                directory.apply(&changes);
                made.push(account.id);
            }
            if depth == PAYER {
                for account in &made {
                    grant(&mut ledger, *account);
                }
            }
            above = made;
        }
        // As many as accounts, and each with the whole depth above it: some of the last level have two.
        for place in 0..levels.iter().sum() {
            let draft = KeyDraft {
                account: above[place % above.len()].to_string(),
                ..KeyDraft::default()
            };
            let (new, changes) = directory.create_key(draft, &hasher, NOW, rng).unwrap();
            directory.apply(&changes);
            macs.push(new.key.mac);
        }
        Self {
            snapshot: directory.snapshot(),
            counters: Arc::new(Counters::new(Zone::utc(), ledger)),
            ids: RequestIds::new(rng),
            leaf: above[0],
            now: NOW,
            forget_at: NOW + REMEMBER_MS,
            macs,
            directory,
        }
    }

    /// Turns with `count` of the keys: every `step`-th.
    fn measured(&mut self, rng: &mut Rng, count: usize, step: usize) -> Value {
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for turn in 0..WARM_UP + TURNS {
            let place = rng.next() as usize % count * step;
            let mac = self.macs[place % self.macs.len()];
            self.now += u64::from(turn % 20 == 0);
            let taken = taken(
                &self.snapshot,
                &self.counters,
                &mut self.ids,
                &mac,
                self.now,
            );
            if turn >= WARM_UP {
                for (times, taken) in times.iter_mut().zip(taken) {
                    times.push(taken);
                }
            }
            if self.now >= self.forget_at {
                self.forget_at = self.now + REMEMBER_MS;
                drop(self.counters.ledger(Ledger::forget_settled));
            }
        }
        let [find, rest, whole] = &mut times;
        json!({
            "find_ns": percentiles(find),
            "admit_and_settle_ns": percentiles(rest),
            "whole_ns": percentiles(whole),
        })
    }

    /// Nanoseconds until memory answers when each address comes from the last answer: 64 MB, as a large tree has at least.
    fn memory_ns() -> f64 {
        const WORDS: usize = 16 << 20;
        const LOOKS: u32 = 1_000_000;
        // A full cycle over a power of two.
        let mut words = vec![0u32; WORDS];
        for (place, word) in words.iter_mut().enumerate() {
            *word = (place.wrapping_mul(0x9e37_79b5).wrapping_add(0x3c6e_f35f) % WORDS) as u32;
        }
        let (mut place, start) = (0, Instant::now());
        for _ in 0..LOOKS {
            place = words[place] as usize;
        }
        let taken = start.elapsed().as_nanos() as f64;
        assert!(place < WORDS);
        taken / f64::from(LOOKS)
    }

    /// Turns of many threads with one key.
    fn hot(&self) -> Value {
        let mac = self.macs[0];
        let begun = Instant::now();
        let mut times: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..HOT_THREADS)
                .map(|thread| {
                    scope.spawn(move || {
                        let mut ids = RequestIds::new(&mut Rng(thread));
                        let mut next =
                            || taken(&self.snapshot, &self.counters, &mut ids, &mac, self.now)[2];
                        (0..HOT_TURNS).map(|_| next()).collect::<Vec<_>>()
                    })
                })
                .collect();
            let ended = threads.into_iter().map(|thread| thread.join().unwrap());
            ended.flatten().collect()
        });
        let taken = begun.elapsed().as_nanos() as f64;
        json!({
            "threads": HOT_THREADS,
            "a_turn_ns": round(taken / times.len() as f64),
            "whole_ns": percentiles(&mut times),
        })
    }

    /// Nanoseconds until a change of one account is in a new snapshot, while readers hold the old one.
    fn time_of_a_change(&mut self) -> f64 {
        const CHANGES: u32 = 100;
        let target = self.leaf.to_string();
        let start = Instant::now();
        for turn in 0..CHANGES {
            let text = format!(r#"{{"alias":"a{turn}"}}"#);
            let patch = serde_json::from_str(&text).unwrap();
            let changed = self.directory.update_account(&target, &patch, NOW);
            self.directory.apply(&changed.unwrap().1);
            self.snapshot = self.directory.snapshot();
        }
        start.elapsed().as_nanos() as f64 / f64::from(CHANGES)
    }
}

/// Nanoseconds for the key and its path, for the rest, and together.
fn taken(
    accounts: &Accounts,
    counters: &Arc<Counters>,
    ids: &mut RequestIds,
    mac: &KeyMac,
    now: u64,
) -> [u64; 3] {
    let start = Instant::now();
    let caller = accounts.find(mac).unwrap();
    let found = start.elapsed();
    let ask = Ask {
        request: ids.next(now),
        model: "gpt-5-mini",
        input: 800,
        expected: 400,
        output: 4_096,
        least_output: 64,
        price: &|output| 500 + output,
    };
    let admission = counters.admit(&caller.path, &ask, now).unwrap();
    admission.settle(1_100, 900, now);
    drop(caller);
    let whole = start.elapsed();
    [found, whole - found, whole].map(|time| time.as_nanos() as u64)
}

/// Departments pay in advance.
const PAYER: usize = 2;

/// Limits on every level, as an organisation that uses them all would have.
fn boundaries(depth: usize) -> &'static str {
    match depth {
        PAYER => r#"{"billing":"prepaid","limits":{"monthly_limit":9000000000000000}}"#,
        3 => r#"{"models":["gpt-*","claude-*"],"limits":{"rpm":100000000,"tpm":100000000000}}"#,
        7 => r#"{"limits":{"rpm":100000000,"daily_limit":9000000000000,"concurrency":100}}"#,
        _ => r#"{"limits":{"daily_limit":9000000000000000,"tpd":9000000000000000}}"#,
    }
}

fn grant(ledger: &mut Ledger, to: AccountId) {
    let operation = Operation::Grant {
        key: to.to_string().into(),
        from: Source::Treasury { expires_ms: None },
        to,
        amount: 1_000_000_000_000,
    };
    if let Begun::Pending(pending) = ledger.begin(operation, NOW).unwrap() {
        ledger.commit(pending);
    }
}

/// Fast and repeatable: what is measured is not the operating system's randomness.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Random for Rng {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

fn percentiles(times: &mut [u64]) -> Value {
    times.sort_unstable();
    let at = |share: f64| times[(times.len() as f64 * share) as usize];
    json!({ "p50": at(0.5), "p90": at(0.9), "p99": at(0.99) })
}

fn round(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

/// Resident memory of this process (Linux).
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<f64>().unwrap() / 1024.0
}
