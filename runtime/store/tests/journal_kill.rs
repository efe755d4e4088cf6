//! A process killed at any moment loses no record that `append` or `flush` had returned for, and charges nothing twice:
//! neither in rows nor in the ledger, whose wallet is scarce.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod common;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tollgate_governance::{
    AccountId, Begun, Cause, Entry, Ledger, LedgerError, Operation, Post, Source, UsageRow,
};
use tollgate_store::{
    DiskStore, Durability, Journal, JournalOptions, Order, Recovery, Store, UsageWriter, Visit,
    WriterOptions, ledger, usage,
};
use uuid::Uuid;

const FOLDER: &str = "TOLLGATE_TEST_JOURNAL_FOLDER";
const FIRST: &str = "TOLLGATE_TEST_JOURNAL_FIRST";
const KILLS: u64 = 120;
const WORKERS: u64 = 2;
const HOLD: u8 = 1;
const FINAL: u8 = 2;

fn journal_options() -> JournalOptions {
    JournalOptions {
        durability: Durability::Process,
        // Small: segments change and are given back many times between two kills.
        segment_bytes: 128 << 10,
        ..JournalOptions::default()
    }
}

fn open(folder: &Path) -> (Arc<DiskStore>, Journal, Recovery) {
    let store = Arc::new(DiskStore::open(&folder.join("store"), Durability::Process).unwrap());
    let (journal, recovery) =
        Journal::open(&folder.join("store/journal"), &*store, journal_options()).unwrap();
    (store, journal, recovery)
}

fn request(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(number) << 32 | 7)
}

/// What the ledger is asked to hold and to charge, the row's `base_cost`.
const HELD: u64 = 30;
const CHARGED: u64 = 10;
const WALLET: AccountId = AccountId(Uuid::from_u128(5));

fn post(number: u64, amount: u64) -> Post {
    Post {
        request: request(number),
        wallet: WALLET,
        amount: amount as i64,
        fee: 0,
    }
}

fn bytes(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    entry.encode(&mut out);
    out
}

/// The ledger that all workers share, and the store for what is stored at once.
struct Books {
    ledger: Mutex<Ledger>,
    store: Arc<DiskStore>,
}

impl Books {
    fn charge(&self, number: u64) -> Vec<u8> {
        let posted = self.ledger.lock().unwrap().post(post(number, CHARGED), 1);
        bytes(&posted.unwrap().1.unwrap())
    }

    fn preview(&self, number: u64) -> Vec<u8> {
        let preview = self.ledger.lock().unwrap().preview(post(number, HELD), 1);
        bytes(&preview.unwrap())
    }

    /// As much as some twenty holds ask for.
    fn grant(&self, key: String) {
        let grant = Operation::Grant {
            key: key.into(),
            from: Source::Treasury { expires_ms: None },
            to: WALLET,
            amount: 600,
        };
        let begun = self.ledger.lock().unwrap().begin(grant, 1).unwrap();
        let Begun::Pending(pending) = begun else {
            unreachable!()
        };
        ledger::append(&*self.store, pending.entry()).unwrap();
        self.ledger.lock().unwrap().commit(pending);
    }

    fn hold(&self, number: u64) -> Vec<u8> {
        let held = || {
            self.ledger
                .lock()
                .unwrap()
                .hold(request(number), WALLET, HELD as i64, 1)
        };
        // Again and again: the other worker may have held all of a grant before this one asks once more.
        for grant in 0.. {
            let Err(error) = held() else { break };
            assert!(matches!(error, LedgerError::Insufficient { .. }), "{error}");
            self.grant(format!("{number}/{grant}"));
        }
        self.preview(number)
    }
}

/// Holds say `estimated`, and their session tells which checkpoint it was.
fn row(number: u64, estimated: bool, checkpoint: u64) -> UsageRow<'static> {
    UsageRow {
        request: request(number),
        admitted_ms: 1_760_000_000_000 + number / 64,
        charged: number,
        base_cost: if estimated { HELD } else { CHARGED },
        estimated,
        session: format!("checkpoint {checkpoint}, and some length to give the row a body").into(),
        ..UsageRow::default()
    }
}

fn acknowledge(kind: u8, number: u64) {
    let mut word = [kind; 9];
    word[1..].copy_from_slice(&number.to_le_bytes());
    // Unbuffered and in one piece.
    std::io::stderr().write_all(&word).unwrap();
}

/// Not a test of its own: the process that the test below starts and kills.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    common::live_two_minutes();
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let (store, journal, _) = open(Path::new(&folder));
    let options = WriterOptions {
        interval: Duration::from_millis(2),
        ..WriterOptions::default()
    };
    let books = Books {
        ledger: Mutex::new(ledger::load(&*store).unwrap()),
        store: store.clone(),
    };
    let writer = UsageWriter::start_journaled(store, options, journal).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let books = &books;
            let mut journal = writer.journal_writer().unwrap();
            scope.spawn(move || {
                let mut open: Vec<u64> = Vec::new();
                for turn in 0u64.. {
                    let number = first + turn * WORKERS + worker;
                    match turn % 4 {
                        // Short: it never has a hold.
                        0 | 1 => {
                            let charge = books.charge(number);
                            journal.append(&row(number, false, 0), &charge).unwrap();
                            acknowledge(FINAL, number);
                        }
                        // Holds in a batch, and checkpoints of those that are still open.
                        _ => {
                            journal.buffer_hold(&row(number, true, 1), &books.hold(number));
                            for old in open.iter().rev().take(3) {
                                journal.buffer_hold(&row(*old, true, 2), &books.preview(*old));
                            }
                            journal.flush().unwrap();
                            acknowledge(HOLD, number);
                            open.push(number);
                        }
                    }
                    // Some stay open for long, so that their holds are carried from segment to segment.
                    if open.len() > 40 {
                        let place = (turn as usize * 7) % 30 + 10;
                        let number = open.swap_remove(place);
                        let charge = books.charge(number);
                        journal.append(&row(number, false, 0), &charge).unwrap();
                        acknowledge(FINAL, number);
                    }
                }
            });
        }
    });
}

#[derive(Default)]
struct Acknowledged {
    holds: HashSet<u64>,
    finals: HashSet<u64>,
}

impl Acknowledged {
    fn note(&mut self, said: &[u8]) -> u64 {
        let mut last = 0;
        for word in said.chunks_exact(9) {
            let number = u64::from_le_bytes(word[1..].try_into().unwrap());
            match word[0] {
                HOLD => self.holds.insert(number),
                FINAL => self.finals.insert(number),
                other => panic!("{other}: {}", String::from_utf8_lossy(said)),
            };
            last = last.max(number);
        }
        last
    }
}

#[derive(Default)]
struct Summary {
    finals: usize,
    holds: usize,
    rows: usize,
    replayed: Recovery,
}

#[test]
fn no_acknowledged_record_is_lost_or_doubled_by_a_kill_at_any_moment() {
    let start = Instant::now();
    // Two chains at a time, ten kills on one store: looking at every row after each kill is what takes long.
    let chains: Vec<Summary> = std::thread::scope(|scope| {
        let run = |seed: u64| {
            move || {
                (0..KILLS / 20)
                    .map(move |turn| chain(10, seed + turn))
                    .collect::<Vec<_>>()
            }
        };
        let both =
            [88_172_645_463_325_252, 1_442_695_040_888_963_407].map(|seed| scope.spawn(run(seed)));
        both.into_iter()
            .flat_map(|chain| chain.join().unwrap())
            .collect()
    });
    let (mut sum, mut replayed) = (Summary::default(), Recovery::default());
    for chain in &chains {
        sum.finals += chain.finals;
        sum.holds += chain.holds;
        sum.rows += chain.rows;
        replayed.records += chain.replayed.records;
        replayed.segments += chain.replayed.segments;
        replayed.rows_added += chain.replayed.rows_added;
        replayed.holds_resolved += chain.replayed.holds_resolved;
        replayed.already_stored += chain.replayed.already_stored;
        replayed.charges_refitted += chain.replayed.charges_refitted;
    }
    println!(
        "{} kills in {:.1} s: {} finals and {} holds acknowledged, {} rows stored, each once; replayed {replayed}; {} charges fitted to other credit",
        chains.len() * 10,
        start.elapsed().as_secs_f64(),
        sum.finals,
        sum.holds,
        sum.rows,
        replayed.charges_refitted,
    );
    assert!(replayed.rows_added > 0 && replayed.holds_resolved > 0 && replayed.already_stored > 0);
}

/// Kills so many processes that write into one store.
fn chain(kills: u64, seed: u64) -> Summary {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Acknowledged::default();
    let mut stored: HashMap<u64, bool> = HashMap::new();
    let (mut first, mut random) = (1, seed);
    let mut sum = Recovery::default();
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "child_that_appends_until_it_is_killed",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(FOLDER, folder.path())
            .env(FIRST, first.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stderr.take().unwrap();
        let mut said = Vec::new();
        let mut buffer = [0; 1 << 14];
        // At a random moment after the first word.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let lives = Duration::from_micros(random % 20_000);
        let mut began = None;
        loop {
            let read = pipe.read(&mut buffer).unwrap();
            said.extend_from_slice(&buffer[..read]);
            assert!(
                read > 0,
                "round {round}: the child ended: {}",
                String::from_utf8_lossy(&said)
            );
            let began = began.get_or_insert_with(Instant::now);
            if began.elapsed() >= lives {
                break;
            }
        }
        child.kill().unwrap();
        // What it still managed to say counts as said.
        pipe.read_to_end(&mut said).unwrap();
        child.wait().unwrap();
        first = all.note(&said) + 1_000;

        let (store, journal, recovery) = open(folder.path());
        let (rows, cost) = check(&store, &all, &mut stored, round);
        assert_eq!(charges(&*store), rows, "each row has its ledger record");
        // That no wallet was ever negative the replay says.
        let books = ledger::load(&*store).unwrap();
        books.verify().unwrap();
        assert_eq!(books.totals().consumed, i128::from(cost), "round {round}");
        if round % 2 == 0 {
            ledger::checkpoint(&*store).unwrap();
            assert_eq!(ledger::load(&*store).unwrap().totals(), books.totals());
        }
        sum.records += recovery.records;
        sum.rows_added += recovery.rows_added;
        sum.holds_resolved += recovery.holds_resolved;
        sum.already_stored += recovery.already_stored;
        sum.segments += recovery.segments;
        sum.charges_refitted += recovery.charges_refitted;
        assert_eq!(recovery.lost_in_power_failure, 0);
        drop((store, journal));
    }
    Summary {
        finals: all.finals.len(),
        holds: all.holds.len(),
        rows: stored.len(),
        replayed: sum,
    }
}

/// Every row once; finals as they were, holds resolved; nothing of before is changed. Returns how many rows there are,
/// and what they cost.
fn check(
    store: &DiskStore,
    all: &Acknowledged,
    stored: &mut HashMap<u64, bool>,
    round: u64,
) -> (u64, u64) {
    let mut seen = HashMap::new();
    let mut cost = 0;
    usage::scan(store, 0..u64::MAX, Order::OldestFirst, &mut |row| {
        cost += row.base_cost;
        let before = seen.insert(row.charged, row.estimated);
        assert_eq!(
            before, None,
            "round {round}: row {} is there twice",
            row.charged
        );
        Visit::Continue
    })
    .unwrap();
    let lost: BTreeSet<_> = all
        .finals
        .iter()
        .filter(|id| seen.get(id) != Some(&false))
        .collect();
    assert!(lost.is_empty(), "round {round}: finals are lost: {lost:?}");
    let lost: BTreeSet<_> = all
        .holds
        .iter()
        .filter(|id| !seen.contains_key(id))
        .collect();
    assert!(lost.is_empty(), "round {round}: holds are lost: {lost:?}");
    for (number, estimated) in &*stored {
        assert_eq!(
            seen.get(number),
            Some(estimated),
            "round {round}: row {number} changed"
        );
    }
    *stored = seen;
    (stored.len() as u64, cost)
}

/// How many charges there are; what else there is are grants.
fn charges(store: &dyn Store) -> u64 {
    let (mut charges, mut next) = (0, 1);
    ledger::scan(store, 1..u64::MAX, &mut |number, record| {
        assert_eq!(number, next);
        next += 1;
        let entry = Entry::decode(record).unwrap();
        charges += u64::from(matches!(entry.cause, Cause::Post(_)));
        Visit::Continue
    })
    .unwrap();
    charges
}
