//! Ends of requests that no client can bring about: a defect of the gateway's own gives back what was held and leaves a row
//! that says 500; a row that could not be written is written when it can be.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use http::StatusCode;
use tollgate_dialect::{Dialect, Operation, StreamTap};
use tollgate_governance::{Ask, Caller, KeyDraft, KeyId};
use tollgate_store::{
    Journal, JournalOptions, JournalWriter, MemoryStore, UsageWriter, WriterOptions,
};
use uuid::Uuid;

use super::*;
use crate::config::Config;
use crate::control::{Control, Filter, UsageQuery};
use crate::metrics::Shard;
use crate::pipeline;
use crate::relay::Relay;
use crate::request::Policies;
use crate::underway;

/// What is held for the request, micro-units. The budget has room for one such hold.
const HOLD: u64 = 700;
/// Its body is so long that its input counts as ten tokens.
const BODY: u64 = 40;

/// A worker whose root account has room for one request, and a key of it.
fn worker(folder: &Path) -> (Rc<Worker>, Arc<Caller>) {
    worker_with(folder, |control| control.journal_writer().unwrap())
}

/// The same with another journal.
fn worker_with(
    folder: &Path,
    journal: impl FnOnce(&Control) -> JournalWriter,
) -> (Rc<Worker>, Arc<Caller>) {
    let mut config = Config::default();
    config.data.dir = folder.join("data");
    config.components.dir = folder.join("components");
    let control = Control::open(config).unwrap();
    let limits = r#"{"limits":{"daily_limit":1000,"concurrency":1}}"#;
    let limits = serde_json::from_str(limits).unwrap();
    control.operator().update_account("root", &limits).unwrap();
    let key = control
        .operator()
        .create_key(&KeyDraft {
            account: "root".to_owned(),
            ..KeyDraft::default()
        })
        .unwrap();
    let mac = control.hasher().mac(key.key.expose());
    let caller = control.snapshot().accounts.find(&mac).unwrap();
    let journal = journal(&control);
    let tls = Worker::tls(control.config()).unwrap();
    let shards = Arc::from([Shard::default()]);
    let worker = Worker::new(control, journal, tls, shards, 0);
    (Rc::new(worker), Arc::new(caller))
}

/// A request of a key that was just looked up.
fn request(worker: &Worker, caller: &Arc<Caller>) -> Request {
    let id = worker.next_id(worker.now_ms());
    let (caller, policies) = (Arc::clone(caller), Policies::default());
    let operation = Operation::ChatCompletions;
    let request = Request::unparsed(id, operation, Arc::default(), caller, policies);
    let mut request = request.unwrap();
    request.facts.input_chars_estimate = BODY;
    request.kills_seen = worker.control.kills().count();
    request
}

fn admitted(worker: &Worker, request: &Request) -> Admission {
    let ask = Ask {
        request: request.id,
        model: "m",
        input: BODY / 4,
        expected: 50,
        output: 50,
        least_output: 50,
        price: &|_| HOLD,
    };
    let (path, now_ms) = (&request.caller.path, worker.now_ms());
    let admission = worker.control.counters().admit(path, &ask, now_ms);
    admission.expect("there is room for one")
}

fn begun(worker: &Rc<Worker>, request: &mut Request) -> Result<Settlement, Killed> {
    let admission = admitted(worker, request);
    Settlement::begin(worker, request, Some(admission), Instant::now())
}

/// Admits a request that has been sent to its vendor.
fn under_way(worker: &Rc<Worker>, caller: &Arc<Caller>) -> Settlement {
    let begun = begun(worker, &mut request(worker, caller));
    let mut settlement = begun.ok().expect("its key works");
    settlement.sent();
    settlement
}

/// Policies and the wait for a place take longer than a worker needs to see that a key was killed, and it looks once: what
/// is not under way then nobody would end.
#[test]
fn a_key_that_is_killed_between_its_look_up_and_its_admission_gets_no_answer_and_its_row_counts_as_it_does()
 {
    let folder = tempfile::tempdir().unwrap();
    let (worker, caller) = worker(folder.path());
    let mut looked_up = request(&worker, &caller);
    let mut seen = worker.control.kills().count();
    worker.control.kills().kill(caller.id());
    assert_eq!(worker.control.kills().since(&mut seen), [caller.id()]);
    let refused = begun(&worker, &mut looked_up).err();
    let answer = refused.expect("it is refused").refuse(&looked_up);
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let spent = worker
        .control
        .counters()
        .spent(&caller.path, worker.now_ms());
    assert_eq!((spent.held, spent.running), (0, 0), "nothing stays held");
    let row = one_row(&worker);
    assert_eq!((spent.requests, &row["counted"]), (1, &true.into()));
    assert_eq!(
        (&row["status"], &row["hold"], &row["charged"]),
        (&401.into(), &HOLD.into(), &0.into())
    );
    // Another's end is none of its business.
    let mut looked_up = request(&worker, &caller);
    worker.control.kills().kill(KeyId(Uuid::nil()));
    assert!(begun(&worker, &mut looked_up).is_ok());
}

/// The one row that is stored.
fn one_row(worker: &Rc<Worker>) -> serde_json::Value {
    let stored = worker.control.sync_usage(Duration::from_secs(60));
    assert!(stored, "the store does not take the row");
    let query = UsageQuery {
        filter: Filter::default(),
        limit: 10,
    };
    let page = worker.control.operator().usage_page(&query).unwrap();
    let page = serde_json::to_value(page).unwrap();
    let [row] = &page["rows"].as_array().unwrap()[..] else {
        panic!("not one row: {page}");
    };
    row.clone()
}

/// Nothing is held any more, the next request has room, and the one row says what happened.
fn assert_settled(worker: &Rc<Worker>, caller: &Arc<Caller>, output: u64) {
    let spent = worker
        .control
        .counters()
        .spent(&caller.path, worker.now_ms());
    assert_eq!((spent.held, spent.running), (0, 0));
    assert_eq!(spent.tokens, BODY / 4 + output);
    let row = one_row(worker);
    assert_eq!(
        (&row["status"], &row["error"]),
        (&500.into(), &"internal".into())
    );
    assert_eq!(
        (&row["hold"], &row["counted"]),
        (&HOLD.into(), &true.into())
    );
    assert_eq!(row["usage"]["input"], BODY / 4);
    assert_eq!(row["usage"]["output"], output);
    assert_eq!(row["usage"]["estimated"], true);
    drop(under_way(worker, caller));
}

#[tokio::test]
async fn a_panic_before_the_answer_gives_back_what_is_held_and_leaves_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let (worker, caller) = worker(folder.path());
    let settlement = under_way(&worker, &caller);
    let held = worker
        .control
        .counters()
        .spent(&caller.path, worker.now_ms());
    assert_eq!((held.held, held.running), (HOLD, 1));
    let request = async move {
        let _open = settlement;
        // Somewhere in the middle.
        tokio::task::yield_now().await;
        panic!("a defect")
    };
    let answer = pipeline::guarded(Dialect::OpenaiChat, Uuid::nil(), request).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_settled(&worker, &caller, 0);
}

#[test]
fn a_panic_in_a_stream_gives_back_what_is_held_and_charges_what_was_streamed() {
    let folder = tempfile::tempdir().unwrap();
    let (worker, caller) = worker(folder.path());
    let operation = Operation::ChatCompletions;
    let mut tap = StreamTap::new(operation, Arc::default());
    tap.push(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"twelve bytes\"}}]}\n\n");
    let relay = Relay {
        operation,
        request_id: String::new(),
        source: None,
        translator: None,
        tap: Some(tap),
        hide_usage: None,
        rewriter: None,
        settlement: Some(under_way(&worker, &caller)),
        running: None,
        bridge: None,
        silence: crate::silence::Silence::over(std::time::Duration::from_secs(15)),
        keeper: None,
        maker: None,
        ready: VecDeque::new(),
        begun: true,
    };
    let defect = catch_unwind(AssertUnwindSafe(|| {
        let _relay = relay;
        panic!("a defect")
    }));
    assert!(defect.is_err());
    assert_settled(&worker, &caller, 3);
}

/// No request comes that would try again: new ones are refused until the journal is written.
#[tokio::test]
async fn a_journal_that_could_not_be_written_is_written_when_it_can_be_without_a_further_request() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("small-journal");
    let small = JournalOptions {
        segment_bytes: 8 << 10,
        // Two segments: a third cannot be made until the rows of the first are in the store.
        max_bytes: 16 << 10,
        ..JournalOptions::default()
    };
    let store = Arc::<MemoryStore>::default();
    let (journal, _) = Journal::open(&place, &*store, small).unwrap();
    let writer = UsageWriter::start_journaled(store, WriterOptions::default(), journal).unwrap();
    let (worker, caller) = worker_with(folder.path(), |_| writer.journal_writer().unwrap());
    let tasks = tokio::task::LocalSet::new();
    let watch = tasks.spawn_local(underway::watch(Rc::clone(&worker)));
    let recovered = tasks.run_until(tokio::time::timeout(Duration::from_secs(60), async {
        // It sleeps, having nothing to do.
        tokio::time::sleep(Duration::from_millis(50)).await;
        for turn in 0.. {
            if !worker.journal.borrow().is_written() {
                break;
            }
            assert!(turn < 1_000_000, "a journal of two segments takes all rows");
            let settlement = under_way(&worker, &caller);
            settlement.close(Outcome::complete(200, Usage::default()));
        }
        assert!(!worker.journal.borrow_mut().has_room());
        while !worker.journal.borrow_mut().has_room() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }));
    recovered.await.expect("it goes on when there is room");
    watch.abort();
}
